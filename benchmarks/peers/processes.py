"""A peer in a process of its own that does one operation some number of times, and the CPU that this took of it."""

import http.client
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import urlencode

from benchmarks.rounds import cpu_seconds_of

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
WORKER = Path(__file__).with_name("worker.py")


class Process(Protocol):
    """A peer that runs."""

    def cpu(self, operation: str, calls: int) -> float:
        """Do it so many times; gives the seconds of CPU for one."""


class PeerFailed(Exception):
    """A peer stopped or refused; the message is the last that it said."""


class Worker:
    """A process that reads operations from stdin and measures itself: an app without its HTTP server, or a library."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        if first_line(process).strip() != "ready":
            raise PeerFailed("it did not start")

    def cpu(self, operation: str, calls: int) -> float:
        """The serving alone, as the peer's own clock has it."""
        assert self._process.stdin is not None
        print(operation, calls, file=self._process.stdin, flush=True)
        return float(first_line(self._process))


class HttpServer:
    """A whole server behind HTTP on this machine, whose process is measured from outside, with all of its threads."""

    def __init__(self, pid: int, operations: Mapping[str, Callable[[], object]]) -> None:
        self._pid = pid
        self._operations = operations

    def cpu(self, operation: str, calls: int) -> float:
        """Everything that the process did meanwhile."""
        work, started = self._operations[operation], cpu_seconds_of(self._pid)
        for _ in range(calls):
            work()
        return (cpu_seconds_of(self._pid) - started) / calls


class Connection:
    """A kept-alive connection to a server on this machine."""

    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        self._port = port
        self._headers = headers
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def get(self, path: str) -> Any:
        """The JSON of a page."""
        return self._answer("GET", path, None, {})

    def post(self, path: str, **form: str) -> Any:
        """The JSON that answers a form."""
        return self._answer("POST", path, urlencode(form), FORM)

    def _answer(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Any:
        self._connection.request(method, path, body, {**self._headers, **headers})
        response = self._connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise PeerFailed(f"{path}: {response.status} {content[:300]!r}")
        return json.loads(content)


def first_line(process: subprocess.Popen[str]) -> str:
    """The next line that a peer writes; raises PeerFailed where it ends instead."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise PeerFailed("it stopped; what it complained of is in its stderr.log")
    return line


@contextmanager
def started(*command: str | Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with pipes to its stdin and from its stdout, ended with the block; what it complains of is in `folder`."""
    with Path(folder, "stderr.log").open("w") as errors:
        process = subprocess.Popen(
            [*map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=folder,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            _close(pipe)


def _close(pipe: IO[str] | None) -> None:
    if pipe is not None:
        with suppress(BrokenPipeError):
            pipe.close()


@contextmanager
def python_worker(interpreter: Path, source: Path, folder: Path) -> Iterator[Worker]:
    """A peer in Python in an environment of its own, its database in `folder`."""
    with started(interpreter, WORKER, source, folder, folder=folder) as process:
        yield Worker(process)


def wait_for_port(port: int, process: subprocess.Popen[str], *, seconds: float) -> None:
    """Until something listens; raises PeerFailed when the process ends before that, or the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=1).connect()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise PeerFailed("it did not start") from None
            time.sleep(0.2)
        else:
            return
