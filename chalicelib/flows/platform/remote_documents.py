"""What is at addresses that strangers name: fetched now and then, judged, and kept."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ...domain.errors import TooManyRequests
from ...services import Services
from . import limits

MINUTE, DAY = 60, 24 * 3600
SHORTEST, USUAL, LONGEST, REFUSED = 5 * MINUTE, 60 * MINUTE, DAY, MINUTE

# What is good in an answer; "" if there is nothing good any more, None if only this answer is no good.
Judge = Callable[[Any], str | None]
Kept = Mapping[str, Any]


def read(svc: Services, kind: str, url: str, judge: Judge, *, network: str) -> Kept:
    """What is at an address (`text`), of today or of the last hours; where it cannot be had, what was there the day before.

    A failure is kept as well, for a minute, with its reason (`why`). What is fetched counts against the `network` that has us
    fetch it; raises TooManyRequests where nothing is known yet.
    """
    now = svc.now()
    kept = svc.once.read(kind, url, now=now)
    if kept is None:
        found = _looked(svc, url, judge, network)
        svc.once.put_if_absent(kind, url, value=found, expires_at=_end(found), now=now)
        return found
    return kept if now < kept["until"] else again(svc, kind, url, judge, kept, network=network)


def again(svc: Services, kind: str, url: str, judge: Judge, kept: Kept, *, network: str) -> Kept:
    """What is there now, looked for once a minute at most; else what was there when it was last read."""
    now = svc.now()
    claimed = {**kept, "at": now, "until": max(kept["until"], now + MINUTE)}
    # Claimed before it is done: of many at once one goes, and the others make do with what there is.
    if now < kept["at"] + MINUTE or not svc.once.change(kind, url, old=kept, new=claimed, now=now):
        return kept
    try:
        found = _looked(svc, url, judge, network)
    except TooManyRequests:
        return claimed
    if found["text"] is None:
        return claimed
    svc.once.change(kind, url, old=claimed, new=found, expires_at=_end(found), now=now)
    return found


def _looked(svc: Services, url: str, judge: Judge, network: str) -> dict[str, Any]:
    limits.outbound_fetch(svc, url=url, network=network)
    answer = svc.fetch.get(url)
    text, now = judge(answer), svc.now()
    seconds = freshness_lifetime(answer.headers.get("cache-control", "")) if text else REFUSED
    return {"text": text, "why": answer.reason or f"status {answer.status}", "at": now, "until": now + seconds}


def _end(found: Kept) -> int:
    # A host that is down for a while costs nobody a session: what was good is there for another day.
    end: int = found["until"] + (DAY if found["text"] else 0)
    return end


def freshness_lifetime(cache_control: str) -> int:
    """How many seconds an answer is kept: as long as it says (RFC 9111 section 5.2), but for minutes at least, a day at most."""
    directives = [directive.strip().lower() for directive in cache_control.split(",")]
    if "no-store" in directives or "no-cache" in directives:
        return SHORTEST
    ages = [int(found[1]) for found in (re.fullmatch(r'max-age="?([0-9]{1,9})"?', d) for d in directives) if found]
    return min(max(ages[0], SHORTEST), LONGEST) if ages else USUAL
