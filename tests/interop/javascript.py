"""Clients in JavaScript: how a test starts one, talks to it, and is skipped where there is no Node."""

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping
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


def run(script: str, params: Mapping[str, Any], person: Person | None = None, **more: Any) -> Any:
    """Tells a script what its developer knows and gives its answer; the person goes where it sends the browser."""
    assert NODE, "in CI, Node and its packages have to be there"
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(
            [NODE, str(ROOM / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            bufsize=1,
        )
        patience = threading.Timer(SECONDS, process.kill)
        patience.start()
        with process:
            answer = _conversation(process, {**params, **more}, person)
        patience.cancel()
        complaints.seek(0)
        assert process.returncode == 0, complaints.read()
    return answer


def _conversation(process: subprocess.Popen[str], params: Mapping[str, Any], person: Person | None) -> Any:
    assert process.stdin
    assert process.stdout
    answer = None
    print(json.dumps(params), file=process.stdin)
    for line in process.stdout:
        message = json.loads(line)
        answer = message.get("answer")
        if "visit" in message:
            assert person
            print(json.dumps(person.visit(message["visit"])), file=process.stdin)
    return answer
