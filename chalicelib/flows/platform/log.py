"""Lines of the log, as JSON: beside the request's own, which web/http/request_log.py writes by the same function."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

# What a command prints is its answer, and not its log.
_to_stderr: ContextVar[bool] = ContextVar("to_stderr", default=False)


def write_line(line: object) -> None:
    """Writes one line, to where Lambda keeps it: logging's machinery would cost more than some answers do."""
    stream = sys.stderr if _to_stderr.get() else sys.stdout
    stream.write(msgspec.json.encode(line).decode() + "\n")
    stream.flush()


@contextmanager
def on_stderr() -> Iterator[None]:
    """Has lines written to the standard error meanwhile."""
    token = _to_stderr.set(True)
    try:
        yield
    finally:
        _to_stderr.reset(token)
