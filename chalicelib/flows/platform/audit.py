"""The trail of security events: a line of the log each, and for who it is about a record, for some months.

A record is written with its deed, if it can be: one that cannot hinders nothing, and its line says so. The line is written
once the deed is, and never for one that failed. Neither has anything that a caller wrote.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec.structs import replace

from ...domain.accounts import events
from ...domain.accounts.events import Event
from ...domain.durations import DAY
from ...domain.errors import AccountDisabled, InvalidCredentials, TemporarilyUnavailable
from ...services import Services, Write
from . import log, origin

# Why a record is not there, where that is a matter of its condition.
FULL, GONE = "full for this hour", "account gone"
REASONS = {"ConditionalCheckFailed": FULL, "conditions on other items": GONE}  # by the store's words


class Trail(msgspec.Struct, frozen=True):
    """Events of one account that a deed causes: `writes` goes with its transaction, and `finish` comes after that."""

    uid: str
    events: tuple[Event, ...]
    writes: tuple[Write, ...]
    operator: str = ""

    def finish(self, lost: Mapping[Write, str]) -> None:
        """Writes the lines of a deed that is done; `lost` is what could not be written with it, and why."""
        reason = next((lost[write] for write in self.writes if write in lost), "")
        reason = REASONS.get(reason, reason)
        # No line names an account that is gone.
        uid = "" if reason == GONE else self.uid
        for event in self.events:
            log.write_line(_line(self, event, uid=uid, unrecorded=reason if event.kind.kept else ""))


def event(
    svc: Services,
    name: str,
    *,
    session: str = "",
    client: str = "",
    device: str = "",
    amr: tuple[str, ...] = (),
    factor: str = "",
    reason: str = "",
    by: str = "",
) -> Event:
    """An event of now, by the request that is answered; `session` is "" for the user's own that the request is made in.

    `name` is one of EVENTS. No argument has anything that a caller wrote, but for the id of a client that is known.
    """
    if name not in events.EVENTS:
        raise ValueError(f"no event: {name}")
    of_request = origin.current()
    return Event(
        id=secrets.token_urlsafe(9),
        type=name,
        at=svc.now(),
        session=session,
        client=client,
        network=of_request.network,
        browser=of_request.browser,
        system=of_request.system,
        device=device,
        amr=amr,
        factor=factor,
        reason=reason,
        by=by,
    )


def trail(svc: Services, uid: str, of_deed: Iterable[Event], *, operator: str = "") -> Trail:
    """What a deed leaves behind that is committed elsewhere than in `commit`."""
    session = origin.session_of(uid)
    all_events = tuple(each if each.session else replace(each, session=session) for each in of_deed)
    kept = tuple(each for each in all_events if each.kind.kept)
    if not (uid and kept and svc.settings.activity_days):
        return Trail(uid, all_events, (), operator)
    # A deed may be done for who is gone by then, and its record may come after it.
    seconds, now = svc.settings.activity_days * DAY, svc.now()
    if any(each.kind.recurs for each in kept):
        (alone,) = kept  # its condition is another, and a transaction has one for an item
        addition = svc.events.first(uid, alone, seconds=seconds, now=now)
    else:
        addition = svc.events.addition(uid, kept, seconds=seconds, now=now)
    write = addition.only_if(svc.users.presence(uid))
    return Trail(uid, all_events, (write,), operator)


def commit(
    svc: Services, uid: str, of_deed: Iterable[Event], *writes: Write, optional: Sequence[Write] = ()
) -> Write | None:
    """`svc.transactions.commit` of a deed with its events, whose records are written in the same call, or left out."""
    left_behind, lost = trail(svc, uid, of_deed), dict[Write, str]()
    failed = svc.transactions.commit(*writes, optional=[*optional, *left_behind.writes], lost=lost)
    if failed is None:
        left_behind.finish(lost)
    return failed


def commit_or_unavailable(
    svc: Services, uid: str, of_deed: Iterable[Event], *writes: Write, optional: Sequence[Write] = ()
) -> None:
    """`commit` of a deed to an account as it was read; raises TemporarilyUnavailable where it is another by now."""
    if commit(svc, uid, of_deed, *writes, optional=optional) is not None:
        raise TemporarilyUnavailable(reason="account changed meanwhile", uid=uid)


def record(svc: Services, uid: str, *of_deed: Event, operator: str = "") -> None:
    """The events of a deed that is done, and was no transaction; whatever becomes of their records, this raises nothing."""
    left_behind = trail(svc, uid, of_deed, operator=operator)
    left_behind.finish(_write(svc, uid, left_behind.writes) if left_behind.writes else {})


@contextmanager
def failures(svc: Services, failed: str, *, client: str = "", factor: str) -> Iterator[None]:
    """The event of a proof that turns out wrong, `failed`, or of one that is right and of no use; the refusal has whose."""
    try:
        yield
    except InvalidCredentials as wrong:
        record(svc, wrong.uid, event(svc, failed, client=client, factor=factor))
        raise
    except AccountDisabled as refusal:
        record(svc, refusal.uid, event(svc, "login_refused", client=client, factor=factor, reason="account disabled"))
        raise


def _write(svc: Services, uid: str, writes: tuple[Write, ...]) -> dict[Write, str]:
    """What of records could not be written, and why: nothing is written of an account that is gone by now."""
    try:
        failed = svc.transactions.commit(svc.users.presence(uid), *writes)
    except TemporarilyUnavailable as failure:
        return dict.fromkeys(writes, failure.reason)
    except Exception as defect:  # which is mended later: what the record is of is done
        return dict.fromkeys(writes, type(defect).__name__)
    if failed is None:
        return {}
    return dict.fromkeys(writes, FULL if failed in writes else GONE)


def report(name: str, *, reason: str) -> None:
    """The line of an event of no account, where there are no services."""
    outcome = events.EVENTS[name].outcome
    line = {"request_id": origin.current().request_id, "level": "warning", "event": name, "outcome": outcome}
    log.write_line({**line, "reason": reason})


def _line(left_behind: Trail, each: Event, *, uid: str, unrecorded: str) -> dict[str, Any]:
    members = {name: getattr(each, name) for name in each.__struct_fields__ if name not in ("id", "type")}
    line = {
        "level": "info" if each.kind.outcome == events.OK and not unrecorded else "warning",
        "event": each.type,
        "outcome": each.kind.outcome,
        "uid": uid,
        **members,
        "operator": left_behind.operator,
        "unrecorded": unrecorded,
    }
    return {"request_id": origin.current().request_id, **{name: value for name, value in line.items() if value}}
