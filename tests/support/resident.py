"""`./latchkey` for who types many commands: what they import is imported once, and each runs in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

# It runs in the checkout whose commands these are, and imports nothing of this one.
PROGRAM = """
import json, os, sys
from cli.main import latchkey
from deploy import access, associations, deployment, destroy, package

for line in sys.stdin:
    call = json.loads(line)
    if not (child := os.fork()):
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, file in enumerate(call["outputs"], start=1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.environ.clear()
        os.environ.update(call["environment"])
        latchkey(call["arguments"], prog_name="./latchkey")
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Resident:
    """The commands of one checkout, each with an environment and outputs of its own, and nobody at its terminal."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process = process
        self._outputs = [folder / "out", folder / "err"]

    def run(self, *arguments: str, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        assert self._process.stdin
        assert self._process.stdout
        outputs = [str(file) for file in self._outputs]
        call = {"arguments": arguments, "environment": dict(environment), "outputs": outputs}
        print(json.dumps(call), file=self._process.stdin, flush=True)
        status = int(self._process.stdout.readline())
        return subprocess.CompletedProcess(arguments, status, *(file.read_text() for file in self._outputs))


@contextmanager
def resident(project: Path) -> Iterator[Resident]:
    """Have the commands of a checkout for the length of a `with` block."""
    command = [sys.executable, "-c", PROGRAM]
    with (
        TemporaryDirectory() as folder,
        subprocess.Popen(command, cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        yield Resident(process, Path(folder))
        assert process.stdin
        process.stdin.close()
