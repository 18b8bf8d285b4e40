"""The embedded AWS: MiniStack, a whole AWS in one Python process, started and stopped by whoever needs one.

It lives in an environment of its own (.venv-aws) because it pins another botocore; `embedded` is what runs there. It is
sent SIGTERM and waited for, so that it saves its state; what it had answered outlives it even where it is killed.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError

from local import ports

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv-aws" / "bin" / "python"
SERVICES = ("dynamodb", "ssm", "ses")
REGION = "us-east-1"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
EXIT_WITH_PARENT = Path(__file__).with_name("exit_with_parent.py")
EMBEDDED = Path(__file__).with_name("embedded.py")


class CannotStart(Exception):
    """The embedded AWS did not come up; the message says why in one line."""


class PortTaken(CannotStart):
    """Somebody else has the port."""


@dataclass(eq=False)
class EmbeddedAws:
    """An embedded AWS on a port that is held even while its process is not there, so that callers wait."""

    listening: socket.socket
    settings: dict[str, str]
    state: Path
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def endpoint(self) -> str:
        """Where it answers."""
        return ports.url(self.listening)

    def environment(self) -> dict[str, str]:
        """Return the variables that send boto3 here, with the key that this AWS asks for and no other takes."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.settings["AWS_ACCESS_KEY_ID"],
            "AWS_SECRET_ACCESS_KEY": self.settings["AWS_SECRET_ACCESS_KEY"],
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def start(self) -> None:
        """Start its process, also in the place of one that ended, and return once it answers; raise CannotStart."""
        self._let_go()
        log = self.state / "aws.log"
        with log.open("ab") as writing:
            self.process = subprocess.Popen(
                [PYTHON, "-P", EXIT_WITH_PARENT, EMBEDDED],
                env={**self.settings, "LISTENING": str(self.listening.fileno())},
                cwd=self.state,
                stdin=subprocess.PIPE,
                stdout=writing,
                stderr=subprocess.STDOUT,
                pass_fds=[self.listening.fileno()],
                start_new_session=True,  # Ctrl-C is for whoever starts it, who then stops it in order
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.is_down() or time.monotonic() > deadline:
                last = log.read_text(errors="replace").strip().splitlines()[-1:]
                reason = " ".join(last) or "it said nothing"
                raise CannotStart(f"the embedded AWS did not start: {reason} (all of it in {log})")

    def is_down(self) -> bool:
        """Tell whether its process ended by itself."""
        return self.process is not None and self.process.poll() is not None

    def stop(self) -> None:
        """Stop it and wait until its state is saved."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                print("The embedded AWS did not stop in time and was killed.", file=sys.stderr)
                self.process.kill()
                self.process.wait()
        self._let_go()
        self.listening.close()

    def _let_go(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()

    def _answers(self) -> bool:
        headers = {"Authorization": f"Credential={self.settings['AWS_ACCESS_KEY_ID']}/"}
        request = urllib.request.Request(f"{self.endpoint}/_ministack/health", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=1) as answer:
                json.load(answer)
        except (URLError, OSError, ValueError):
            return False
        return True


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
    try:
        listening = ports.listen(port)
    except OSError:
        raise PortTaken(f"port {port} of 127.0.0.1 is taken") from None
    except OverflowError:
        raise CannotStart(f"there is no port {port}: the last one is 65535") from None
    settings = _settings(listening, state=state, services=services, persist=persist, policies=policies)
    aws = EmbeddedAws(listening, settings, state)
    (state / "aws.log").write_bytes(b"")
    try:
        aws.start()
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


def _settings(
    listening: socket.socket, *, state: Path, services: tuple[str, ...], persist: bool, policies: bool
) -> dict[str, str]:
    # Of our own environment only what a process needs to run: nobody's real credentials reach the emulator.
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return inherited | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(listening.getsockname()[1]),
        "SERVICES": ",".join(services),
        "PERSIST_STATE": "1" if persist else "0",
        "AUTH": str(policies).lower(),
        "STATE_DIR": str(state),
        "TMPDIR": str(state),  # it leaves its functions' unpacked code behind
        "S3_DATA_DIR": str(state / "s3"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "AWS_ACCESS_KEY_ID": f"LOCAL{secrets.token_hex(16).upper()}",
        "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(30),
    }
