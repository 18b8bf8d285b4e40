"""The embedded AWS: MiniStack, a whole AWS in one Python process, started and stopped by whoever needs one.

It lives in an environment of its own (.venv-aws) because it pins another botocore. Its state is saved when
it is stopped cleanly and only then, so it is sent SIGTERM and waited for; killed only if it will not go.
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv-aws" / "bin" / "python"
SERVICES = ("dynamodb", "ssm")
REGION = "us-east-1"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
LEASH = Path(__file__).with_name("leash.py")


class CannotStart(Exception):
    """The embedded AWS did not come up; the message says why in one line."""


class PortTaken(CannotStart):
    """Somebody else has the port."""


@dataclass(frozen=True)
class EmbeddedAws:
    """A running embedded AWS: where it is, and the process that it is."""

    endpoint: str
    process: subprocess.Popen[bytes]

    def environment(self) -> dict[str, str]:
        """Return the variables that send boto3 here, with credentials that are worth nothing elsewhere."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def stop(self) -> None:
        """Stop it and wait until its state is written."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            print(
                "The embedded AWS did not stop in time: what came after its last start may be lost.",
                file=sys.stderr,
            )
            self.process.kill()
            self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()


def state_folder(root: Path = ROOT) -> Path:
    """Return where this checkout's local state is kept: outside the tree, which is watched for edits."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "latchkey" / hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]


def start(
    *,
    state: Path,
    port: int = 0,
    services: tuple[str, ...] = SERVICES,
    persist: bool = True,
    policies: bool = False,
) -> EmbeddedAws:
    """Start it on 127.0.0.1 (port 0: any free one), return once it answers, or raise CannotStart.

    With `policies` it holds every caller, each function under its own role, to what IAM allows.
    """
    if not PYTHON.exists():
        raise CannotStart("the embedded AWS is not installed: run `make .venv-aws/.made`")
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    port = _free_port(port)
    with (state / "aws.log").open("wb") as log:
        process = subprocess.Popen(
            [PYTHON, "-P", LEASH, "ministack"],
            env=_settings(state=state, port=port, services=services, persist=persist, policies=policies),
            cwd=state,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for whoever starts it, who then stops it in order
        )
    aws = EmbeddedAws(f"http://127.0.0.1:{port}", process)
    try:
        _wait_until_ready(aws, log=state / "aws.log")
    except BaseException:
        aws.stop()
        raise
    return aws


@contextmanager
def running(*, state: Path, port: int = 0, services: tuple[str, ...] = SERVICES) -> Iterator[EmbeddedAws]:
    """Have it for the length of a `with` block."""
    aws = start(state=state, port=port, services=services)
    try:
        yield aws
    finally:
        aws.stop()


def _settings(*, state: Path, port: int, services: tuple[str, ...], persist: bool, policies: bool) -> dict[str, str]:
    # Of our own environment only what a process needs to run: nobody's real credentials reach the emulator.
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return inherited | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "SERVICES": ",".join(services),
        "PERSIST_STATE": "1" if persist else "0",
        "AUTH": str(policies).lower(),
        "STATE_DIR": str(state),
        "TMPDIR": str(state),  # it leaves its functions' unpacked code behind
        "S3_DATA_DIR": str(state / "s3"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


def _free_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise PortTaken(f"port {port} of 127.0.0.1 is taken") from None
        found: int = probe.getsockname()[1]
    return found


def _wait_until_ready(aws: EmbeddedAws, *, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if aws.process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{aws.endpoint}/_ministack/health", timeout=5) as answer:
                json.load(answer)
                return
        except (URLError, OSError, ValueError):
            time.sleep(0.05)
    last = log.read_text(errors="replace").strip().splitlines()[-1:]
    raise CannotStart(f"the embedded AWS did not start: {' '.join(last) or 'it said nothing'} (all of it in {log})")
