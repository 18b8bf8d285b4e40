"""The JSON API's activity: what has happened to an account lately."""

import msgspec

from ...domain import errors
from ...domain.accounts import events
from ...flows.accounts import activity
from ...flows.accounts.activity import Activity as Activities
from ...services import Services
from ..http.decoding import number
from ..http.routing import Api, Caller
from .caller import GUARDED, current

api = Api(__name__)


class Event(msgspec.Struct, frozen=True):
    """One thing that happened, at a time in seconds since 1970; texts are "" where not known, or where there is none."""

    id: str
    type: str
    outcome: str
    at: int
    session: str
    current: bool
    client_id: str
    client_name: str
    network: str
    browser: str
    system: str
    device: str
    amr: tuple[str, ...]
    factor: str
    reason: str
    by: str


class Activity(msgspec.Struct, frozen=True):
    """What has happened, the latest first; `next` is 0 where there is no more."""

    events: list[Event]
    next: int


@api.route("GET /me/activity", answer=Activity, takes=frozenset({"before"}), errors=(*GUARDED, errors.InvalidRequest))
def list_activity(svc: Services, caller: Caller) -> Activity:
    """What has happened to the caller's account in the last months."""
    text = dict(caller.query).get("before", "")
    before = number(text, digits=activity.MAX_DIGITS) if text else 0
    if before is None:
        raise errors.InvalidRequest("`before` is a time in seconds since 1970: the `next` of an answer.")
    user, session = current(svc, caller)
    listed = activity.read(svc, user, before=before)
    return Activity([_event(each, listed, session.session_id) for each in listed.events], listed.next)


def _event(event: events.Event, listed: Activities, session_id: str) -> Event:
    same = {name: getattr(event, name) for name in Event.__struct_fields__ if hasattr(event, name)}
    return Event(
        **same,
        outcome=event.kind.outcome,
        current=event.session == session_id,
        client_id=event.client,
        client_name=listed.client_names.get(event.client, ""),
    )
