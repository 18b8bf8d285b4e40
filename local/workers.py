"""The processes of the local run that serve an app each, and are replaced while their sockets stay."""

import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
STOP_SECONDS = 10.0
# What a worker is told by its environment of an API that is not Latchkey.
SHELL = "LOCAL_SHELL"
KIND = "LOCAL_API_KIND"  # http, or else REST


@dataclass
class Worker:
    """An app's process, on listening sockets of one port that outlive it."""

    name: str
    listening: tuple[socket.socket, ...]
    environment: dict[str, str]
    serves: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start serving."""
        descriptors = [each.fileno() for each in self.listening]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local.worker", self.name, ",".join(map(str, descriptors)), *self.serves],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            pass_fds=descriptors,
            start_new_session=True,
        )

    def stop(self) -> None:
        """Stop serving; the sockets go on listening."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()

    def is_down(self) -> bool:
        """Tell whether it ended by itself."""
        return self.process is not None and self.process.poll() is not None

    def was_ended(self) -> bool:
        """Tell whether somebody ended it; what fails by itself, as broken code does, leaves a status above zero."""
        status = None if self.process is None else self.process.poll()
        return status is not None and status <= 0

    def answers(self) -> bool:
        """Tell whether it answers: whoever asks for nothing is hung up on as soon as somebody listens, without a log line."""
        try:
            with socket.create_connection(self.listening[0].getsockname(), timeout=0.5) as connection:
                connection.shutdown(socket.SHUT_WR)
                return connection.recv(1) == b""
        except OSError:
            return False
