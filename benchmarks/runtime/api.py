"""Lambda's Runtime API, as far as one function in one process needs it, and what that process has used when it calls."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from benchmarks.rounds import cpu_seconds_of

START_SECONDS = 60
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a process has used so far: seconds of CPU, and KiB of memory that are resident, now and at most."""

    cpu: float
    resident: int
    peak: int


class FunctionFailed(Exception):
    """The function did not start, or its answer is an error; the message is what the runtime reported."""


class RuntimeApi(HTTPServer):
    """Hands out the events, one after another, and notes a moment at each call; `moments[0]` is when it is ready."""

    timeout = START_SECONDS

    def __init__(self, events: list[Any]) -> None:
        super().__init__(("127.0.0.1", 0), _Calls)
        self.events = [*events]
        self.moments: list[Moment] = []
        self.answers: list[Any] = []
        self.failure = ""
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, python: Path, folder: Path, handler: str, environment: Mapping[str, str]) -> list[Moment]:
        """Run a function of an unpacked zip until it has answered; gives the moment it was ready and those of its answers."""
        self.process = subprocess.Popen(
            [python, "-m", "awslambdaric", handler],
            cwd=folder,
            env={
                **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
                **environment,
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server_port}",
                "AWS_LAMBDA_FUNCTION_NAME": "bench",
                "LAMBDA_TASK_ROOT": str(folder),
                "PYTHONDONTWRITEBYTECODE": "1",  # there the folder is read-only
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self.handle_request()
        finally:
            self.process.kill()
            self.process.wait()
            self.server_close()
        if self.failure or self.events:
            raise FunctionFailed(self.failure or f"{handler} did not ask for its events")
        return self.moments

    def note(self) -> None:
        """Note what the process has used so far."""
        assert self.process is not None
        pid = self.process.pid
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        sizes = {name: value for name, _, value in (line.partition(":") for line in lines)}
        resident, peak = (int(sizes[name].removesuffix("kB")) for name in ("VmRSS", "VmHWM"))
        self.moments.append(Moment(cpu=cpu_seconds_of(pid), resident=resident, peak=peak))


class _Calls(BaseHTTPRequestHandler):
    server: RuntimeApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        """Hand out the next event; after the last one, stop."""
        if not self.server.moments:
            self.server.note()
        if not self.server.events:
            self.close_connection = True
            return
        headers = {"Lambda-Runtime-Aws-Request-Id": "bench", "Lambda-Runtime-Invoked-Function-Arn": ARN}
        deadline = {"Lambda-Runtime-Deadline-Ms": "9999999999999"}
        self._answer(200, json.dumps(self.server.events.pop(0)).encode(), headers | deadline)

    def do_POST(self) -> None:
        """Take an answer, or the report of a failure."""
        self.server.note()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/response"):
            self.server.answers.append(json.loads(body))
        else:
            self.server.failure = body.decode()
            self.server.events.clear()
        self._answer(202, b"{}", {})

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response_only(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
