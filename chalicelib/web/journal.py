"""The one log line of a request, as JSON. Nothing that a caller sent ever enters it, but for the route that matched."""

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ..domain.errors import LatchkeyError


@dataclass(slots=True)
class Entry:
    """What the line will say of how the request went."""

    request_id: str
    outcome: str = "ok"
    uid: str = ""
    reason: str = ""


class _StandardOutput(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        # Not a StreamHandler, which would keep the stream that standard output was when this was imported.
        sys.stdout.write(record.getMessage() + "\n")
        sys.stdout.flush()


_entry: ContextVar[Entry | None] = ContextVar("entry", default=None)
# Not "latchkey": that is the logger of the Chalice app, which sets its own level on it.
_log = logging.getLogger("latchkey.journal")
_log.setLevel(logging.INFO)
_log.propagate = False
_log.addHandler(_StandardOutput())


def begin(request_id: str) -> Entry:
    """A new entry for the request that begins."""
    entry = Entry(request_id)
    _entry.set(entry)
    return entry


def concerns(uid: str) -> None:
    """Notes whose account the request is about."""
    entry = _entry.get()
    if entry is not None:
        entry.uid = uid


def outcome(refusal: LatchkeyError) -> None:
    """Notes that the request was refused, and the reason that its sender is not told."""
    entry = _entry.get()
    if entry is not None:
        entry.outcome, entry.reason = refusal.code, refusal.reason
        entry.uid = refusal.uid or entry.uid


def write(**fields: Any) -> None:
    """One line."""
    _log.info(json.dumps({name: value for name, value in fields.items() if value != ""}))


def fault(error: Exception) -> None:
    """A line beside the request's own for a fault of ours: what and where. Its message may quote a request: left out."""
    entry = _entry.get()
    where = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
    write(
        level="error",
        request_id=entry.request_id if entry else "",
        fault=type(error).__name__,
        where=where,
    )
