"""Clients in JavaScript: how a test starts one, talks to it, and is skipped where there is no Node."""

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.interop.person import Person

ROOM = Path(__file__).parent
SECONDS = 60
NODE = shutil.which("node") if (ROOM / "node_modules").exists() else None


def needed() -> None:
    """Skips a module of tests where there is no Node; in CI they run, and fail."""
    if not NODE and os.environ.get("CI") != "true":
        why = "Node or its packages are missing: install Node, and `make test` installs the packages"
        pytest.skip(why, allow_module_level=True)


class Node:
    """One Node, what it says on its error output, and how to talk to it; it is killed if a test takes too long."""

    def __init__(self, script: str) -> None:
        assert NODE, "in CI, Node and its packages have to be there"
        self.complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `stop`
        self.process = subprocess.Popen(
            [NODE, str(ROOM / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
            text=True,
            bufsize=1,
        )

    def say(self, message: Any) -> None:
        """Sends a line of JSON."""
        assert self.process.stdin
        print(json.dumps(message), file=self.process.stdin)

    def converse(self, params: Mapping[str, Any], person: Person | None) -> Any:
        """Gives a script what it is told first, and its answer; the person goes where it sends the browser."""
        assert self.process.stdout
        answer = None
        self.say(params)
        with self._patience():
            for line in self.process.stdout:
                message = json.loads(line)
                if "ended" in message:
                    assert message["ended"], message["error"]
                    return answer
                answer = message.get("answer")
                if "visit" in message:
                    assert person
                    self.say(person.visit(message["visit"]))
            self.complaints.seek(0)
            assert self.process.wait() == 0, self.complaints.read()
        return answer

    def stop(self) -> None:
        """Ends it, if it has not ended."""
        with self.process, self.complaints:
            self.process.kill()

    @contextmanager
    def _patience(self) -> Iterator[None]:
        timer = threading.Timer(SECONDS, self.process.kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


_residents: list[Node] = []


@contextmanager
def resident() -> Iterator[None]:
    """Has `run` use one Node for the length of a `with` block, which is started when it is needed."""
    yield
    while _residents:
        _residents.pop().stop()


def run(script: str, params: Mapping[str, Any], person: Person | None = None, **more: Any) -> Any:
    """Tells a script what its developer knows and gives its answer; the person goes where it sends the browser."""
    if not _residents or _residents[0].process.poll() is not None:
        _residents[:] = [Node("resident.mjs")]
    node = _residents[0]
    node.say({"script": script})
    return node.converse({**params, **more}, person)


def run_alone(script: str, params: Mapping[str, Any], person: Person | None = None) -> Any:
    """The same for a script that changes its Node for all others: in a process of its own, which has to end by itself."""
    node = Node(script)
    try:
        return node.converse(params, person)
    finally:
        node.stop()
