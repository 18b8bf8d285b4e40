"""The one log line of a request, as JSON. Nothing that a caller sent enters it, but for the route that matched, and the id of
the client that was read."""

import traceback
from contextvars import ContextVar

import msgspec

from ...config import WrongSetting
from ...domain.errors import LatchkeyError
from ...flows.platform.log import write_line
from ...services import AccountsRead


class Entry(msgspec.Struct, omit_defaults=True):
    """The line, filled in as the request goes on; `ms` is how long it took, in milliseconds."""

    request_id: str
    route: str
    outcome: str
    status: int | None = None
    uid: str = ""
    client: str = ""
    reason: str = ""
    setting: str = ""
    operator: str = ""
    security_profile: str = ""
    waived: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    ms: float | None = None
    dynamodb_calls: int | None = None


_entry: ContextVar[Entry | None] = ContextVar("entry", default=None)
_accounts: ContextVar[set[str]] = ContextVar("accounts")


class Line:
    """The line of the request that is answered meanwhile, written at the end.

    It names an account that was there: what still comes by a token or a link of one that is erased names nobody.
    """

    __slots__ = ("_entry", "_read", "_tokens")

    def __init__(self, request_id: str, route: str) -> None:
        self._entry, self._read = Entry(request_id, route, "ok"), AccountsRead()

    def __enter__(self) -> Entry:
        self._tokens = _entry.set(self._entry), _accounts.set(self._read.__enter__())
        return self._entry

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        of_entry, of_accounts = self._tokens
        if self._entry.uid not in _accounts.get():
            self._entry.uid = ""
        if failed is None:
            write_line(self._entry)
        self._read.__exit__()
        _accounts.reset(of_accounts)
        _entry.reset(of_entry)


def request_id() -> str:
    """The id of the request that is being answered, which its answer has in X-Request-Id; "" outside of any."""
    entry = _entry.get()
    return entry.request_id if entry else ""


def set_user(uid: str) -> None:
    """Notes whose account the request is about, which is there."""
    entry = _entry.get()
    if entry is not None:
        entry.uid = uid
        _accounts.get().add(uid)


def set_subject(unverified_uid: str) -> None:
    """Notes whose account the request's token is of: the line has it if that is read meanwhile."""
    entry = _entry.get()
    if entry is not None:
        entry.uid = unverified_uid


def set_reset(uid: str, *, operator: str) -> None:
    """Notes whose password was replaced by a link, and which operator had made that, "" for none."""
    set_user(uid)
    entry = _entry.get()
    if entry is not None:
        entry.operator = operator


def set_waived(names: tuple[str, ...]) -> None:
    """Notes what an operator has waived for the client of these tokens, without which they would have been refused."""
    entry = _entry.get()
    if entry is not None:
        entry.waived = names


def set_outcome(refusal: LatchkeyError) -> None:
    """Notes that the request was refused, and the reason, which its sender does not see."""
    entry = _entry.get()
    if entry is not None:
        entry.outcome, entry.reason = refusal.code, refusal.reason
        entry.uid = refusal.uid or entry.uid


def write(**fields: str | list[str]) -> None:
    """A line beside the request's own."""
    entry = _entry.get()
    write_line({"request_id": entry.request_id if entry else "", **fields})


def fault(error: Exception) -> None:
    """A line beside the request's own for a fault of ours: what and where.

    The message may quote a request, so it is left out; only that of a wrong setting, which has none, is written.
    """
    where = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
    reason = {"reason": str(error)} if isinstance(error, WrongSetting) else {}
    write(level="error", fault=type(error).__name__, **reason, where=where)
