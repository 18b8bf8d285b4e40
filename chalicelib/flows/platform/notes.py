"""What the request's log line says besides its outcome: noted where it happens, for whoever writes the line."""

from contextvars import ContextVar

_notes: ContextVar[tuple[str, ...]] = ContextVar("notes", default=())


def note(text: str) -> None:
    """Notes something for the operator, without anything that a caller sent."""
    _notes.set((*_notes.get(), text))


def take() -> tuple[str, ...]:
    """What was noted, of a request that ends with this."""
    noted = _notes.get()
    if noted:
        _notes.set(())
    return noted
