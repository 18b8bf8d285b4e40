"""What is at addresses that strangers name: fetched now and then, checked, and kept."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from ...domain.durations import DAY, HOUR, MINUTE
from ...domain.errors import TooManyRequests
from ...domain.records.once import OnceItem, RemoteDocument
from ...services import Services
from . import limits

SHORTEST, USUAL, LONGEST, REFUSED = 5 * MINUTE, HOUR, DAY, MINUTE


class UnusableDocumentError(Exception):
    """What is there is no good; its text says why, to whoever put it there."""


# What is good in an answer; "" or UnusableDocumentError if there is nothing good any more, None if only this answer is no good.
UsableText = Callable[[Any], str | None]
D = TypeVar("D", bound=RemoteDocument)


def read(svc: Services, kind: type[D], url: str, usable_text: UsableText, *, network: str) -> OnceItem[D]:
    """What is at an address (`text`), of today or of the last hours; where it cannot be had, what was there the day before.

    A failure is kept as well, for a minute, with its reason (`why`). What is fetched counts against the `network` that has us
    fetch it; raises TooManyRequests where nothing is known yet.
    """
    now = svc.now()
    item = svc.once.read(kind, url, now=now)
    if item is None:
        fetched = _fetch(svc, kind, url, usable_text, network)
        svc.once.put_if_absent(fetched, url, expires_at=_end(fetched), now=now)
        # Not as it was read: a change of it fails, and nothing changes it for a minute.
        return OnceItem(url, fetched, "")
    return item if now < item.record.until else read_again(svc, item, usable_text, network=network)


def read_again(svc: Services, item: OnceItem[D], usable_text: UsableText, *, network: str) -> OnceItem[D]:
    """What is there now, looked for once a minute at most; else what was there when it was last read."""
    now, document = svc.now(), item.record
    if now < document.at + MINUTE:
        return item
    # Reserved before the fetch: of many callers at once one fetches, and the others use what is stored.
    record = msgspec.structs.replace(document, at=now, until=max(document.until, now + MINUTE))
    reserved = svc.once.change(item, record, now=now)
    if reserved is None:
        return item
    try:
        fetched = _fetch(svc, type(document), item.text, usable_text, network)
    except TooManyRequests:
        return reserved
    if fetched.text is None:
        return reserved
    return svc.once.change(reserved, fetched, expires_at=_end(fetched), now=now) or OnceItem(item.text, fetched, "")


def _fetch(svc: Services, kind: type[D], url: str, usable_text: UsableText, network: str) -> D:
    limits.outbound_fetch(svc, url=url, network=network)
    answer = svc.fetch.get(url)
    now, why = svc.now(), answer.reason or f"status {answer.status}"
    try:
        text = usable_text(answer)
    except UnusableDocumentError as unusable:
        text, why = "", str(unusable)
    seconds = freshness_lifetime(answer.headers.get("cache-control", "")) if text else REFUSED
    return kind(text=text, why=why, at=now, until=now + seconds)


def _end(document: RemoteDocument) -> int:
    # A host that is down for a while costs nobody a session: what was good is there for another day.
    return document.until + (DAY if document.text else 0)


def freshness_lifetime(cache_control: str) -> int:
    """How many seconds an answer is kept: as long as it says (RFC 9111 section 5.2), but for minutes at least, a day at most."""
    directives = [directive.strip().lower() for directive in cache_control.split(",")]
    if "no-store" in directives or "no-cache" in directives:
        return SHORTEST
    ages = [int(match[1]) for match in (re.fullmatch(r'max-age="?([0-9]{1,9})"?', d) for d in directives) if match]
    return min(max(ages[0], SHORTEST), LONGEST) if ages else USUAL
