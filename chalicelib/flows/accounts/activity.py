"""What has happened to an account lately, as its user sees it."""

from collections.abc import Iterable, Mapping

import msgspec

from ...domain.accounts.events import MOST_THAT_MATTER, Event
from ...domain.accounts.model import User
from ...domain.durations import DAY
from ...domain.oauth.client import host_of
from ...services import Services
from ..clients import documents, own

USUAL = 50
MAX_DIGITS = 12  # of a time in a request


class Activity(msgspec.Struct, frozen=True):
    """Events, the latest first, and what their clients are called; `next` is what the next ones are `before`, 0 for none.

    A client that is this server's own has no name, nor has one that is gone.
    """

    events: list[Event]
    client_names: Mapping[str, str]
    next: int


def read(svc: Services, user: User, *, before: int = 0, usual: int = USUAL) -> Activity:
    """A user's events of before a time (epoch seconds), 0 for now: as many as `usual`, and those of the last one's second,
    so that none is left out between two answers."""
    now = svc.now()
    before = before or now + 1
    stored, more = svc.events.of_user(
        user.uid,
        before=before,
        since=now - svc.settings.activity_days * DAY,
        least=usual + MOST_THAT_MATTER,
    )
    events = sorted((event for event in stored if event.at < before), key=lambda event: -event.at)
    last = events[:usual][-1].at if events else 0
    listed = [event for event in events if event.at >= last]
    following = last if more or len(listed) < len(events) else 0
    return Activity(listed, _names(svc, {event.client for event in listed}), following)


def _names(svc: Services, client_ids: Iterable[str]) -> dict[str, str]:
    others = sorted({*client_ids} - {"", own.BROWSER.client_id, svc.settings.client_id})
    registered = svc.clients.read_all([each for each in others if not documents.is_address(each)])
    names = {each.client_id: each.client_name or each.client_id for each in registered.values()}
    # A document is not fetched for its name: its host vouches for it anyway.
    return names | {each: host_of(each) for each in others if documents.is_address(each)}
