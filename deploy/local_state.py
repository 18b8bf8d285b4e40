"""Where this checkout's local run keeps its state, and the variables by which a command finds it."""

import hashlib
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from deploy.errors import CannotDeployError
from deploy.stages import PROJECT

# How the variables begin that are this run's to say, and not the shell's.
OURS = ("AWS_", "LATCHKEY_")


def state_folder(root: Path = PROJECT) -> Path:
    """Return where this checkout's local state is kept: outside the tree, which is watched for edits."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "latchkey" / hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]


def _file(state: Path) -> Path:
    return state / "environment.json"


def remember(state: Path, variables: Mapping[str, str]) -> None:
    """Write down, for this user's eyes alone, what a command needs to find a local run."""
    ours = {name: value for name, value in variables.items() if name.startswith(OURS)}
    with os.fdopen(os.open(_file(state), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(ours, file, indent=2)


def forget(state: Path) -> None:
    """The local run has ended."""
    _file(state).unlink(missing_ok=True)


def of_local_run() -> dict[str, str]:
    """Return the variables of this checkout's local run; raise CannotDeployError if there is none."""
    try:
        variables: dict[str, str] = json.loads(_file(state_folder()).read_text())
        aws_here = urlsplit(variables["AWS_ENDPOINT_URL"])
        # A run that was killed has not taken its file away.
        socket.create_connection((str(aws_here.hostname), int(aws_here.port or 0)), timeout=5).close()
    except OSError:
        raise CannotDeployError("Nothing runs here: start it with `make serve`, in another terminal.") from None
    return variables
