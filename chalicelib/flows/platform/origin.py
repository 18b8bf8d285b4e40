"""Where the request comes from that something is done by, for whatever notes that; a job and a command have none."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import NamedTuple


class Origin(NamedTuple):
    """A request's id, the network that it came from, and what it was made with, by names of ours; "" for not known."""

    request_id: str = ""
    network: str = ""
    browser: str = ""
    system: str = ""


_origin: ContextVar[Callable[[], Origin]] = ContextVar("origin", default=Origin)
_session: ContextVar[tuple[str, str]] = ContextVar("session", default=("", ""))


class OfRequest:
    """Where the request that is answered meanwhile comes from, as `origin` says once somebody wants to know."""

    __slots__ = ("_origin", "_tokens")

    def __init__(self, origin: Callable[[], Origin]) -> None:
        self._origin = origin

    def __enter__(self) -> None:
        self._tokens = _origin.set(self._origin), _session.set(("", ""))

    def __exit__(self, *_: object) -> None:
        of_origin, of_session = self._tokens
        _origin.reset(of_origin)
        _session.reset(of_session)


def current() -> Origin:
    """Where the request comes from that is answered now."""
    return _origin.get()()


def set_session(uid: str, session_id: str) -> None:
    """Notes in which session of which user the request is made."""
    _session.set((uid, session_id))


def session_of(uid: str) -> str:
    """The session of this user that the request is made in, "" for none."""
    of_uid, session_id = _session.get()
    return session_id if of_uid == uid else ""
