"""The device authorization grant (RFC 8628): a code on a screen, approved in a browser, polled for by the device."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...domain.accounts.model import Created, in_force
from ...domain.errors import (
    AccessDenied,
    AuthorizationPending,
    ExpiredToken,
    InvalidGrant,
    InvalidTarget,
    NotFound,
    SlowDown,
    TemporarilyUnavailable,
    UnauthorizedClient,
)
from ...domain.oauth import scopes
from ...domain.oauth.client import DEVICE_CODE, Client
from ...domain.oauth.dpop import Proof
from ...services import Services
from ..clients import authenticate as clients
from ..platform import keys, limits
from ..sessions import begin, issue, resources
from ..sessions.browser import Browser
from ..sessions.issue import TokenSet
from . import dpop

# No vowels, so no words, and nothing that looks like another (RFC 8628 section 6.1): 20^8 codes, each good for minutes.
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
LONGEST_TYPED = 64  # eight letters, however they are spaced
INTERVAL, LONGEST_INTERVAL = 5, 60
PENDING, APPROVED, DENIED = "pending", "approved", "denied"


@dataclass(frozen=True, slots=True)
class DeviceCodes:
    """What a device gets (RFC 8628 section 3.2); lifetimes in seconds."""

    device_code: str
    user_code: str
    expires_in: int
    interval: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A device that waits for its user: which client it is, and what it asks for."""

    client: Client
    scope: tuple[str, ...]
    resource: str
    user_code: str
    place: str


def authorize(svc: Services, client: Client, *, scope: str | None, resource: str, network: str) -> DeviceCodes:
    """A new pair of codes for a client's device; raises TooManyRequests where anybody could be that client."""
    if DEVICE_CODE not in client.grant_types:
        raise UnauthorizedClient()
    asked = scopes.understood(scope, allowed=client.scopes)
    api = resources.requested_resource(svc, client, resource)
    if client.public:
        limits.device_request(svc, network=network)
    now, life = svc.now(), svc.settings.device_code_seconds
    device_code = secrets.token_urlsafe(32)
    user_code = "".join(secrets.choice(LETTERS) for _ in range(8))
    value = {
        "client_id": client.client_id,
        "client_since": client.created_at,
        "scope": " ".join(asked),
        "resource": api,
        "status": PENDING,
        "polled_at": 0,
        "interval": INTERVAL,
    }
    place = _place(device_code)
    svc.once.put_if_absent("device", place, value=value, expires_at=now + life, now=now)
    if not svc.once.put_if_absent("user code", user_code, value={"place": place}, expires_at=now + life, now=now):
        raise TemporarilyUnavailable(reason="user code in use")
    return DeviceCodes(device_code, f"{user_code[:4]}-{user_code[4:]}", life, INTERVAL)


def _place(device_code: str) -> str:
    return hashlib.sha256(device_code.encode()).hexdigest()


def _is_of(value: Mapping[str, Any], client: Client) -> bool:
    return client.is_same(value["client_id"], value.get("client_since"))


def waiting(svc: Services, user_code: str, *, network: str, decider: Browser) -> Waiting:
    """The device behind a code that a user typed, however it is spaced; raises NotFound, or TooManyRequests for guessing.

    The user who has decided finds it once more: a button may be pressed twice.
    """
    spent = limits.user_code(svc, network=network)
    found = find(svc, user_code, decider, network=network)
    svc.attempts.give_back(spent, now=svc.now())
    return found


def find(svc: Services, user_code: str, decider: Browser, *, network: str) -> Waiting:
    """The device behind a code that was typed before, for which nothing is counted; raises NotFound."""
    letters = "".join(c for c in user_code.upper() if c in LETTERS) if len(user_code) <= LONGEST_TYPED else ""
    found = svc.once.read("user code", letters, now=svc.now()) if len(letters) == 8 else None
    value = svc.once.read("device", found["place"], now=svc.now()) if found else None
    client = clients.find(svc, value["client_id"], network=network) if value else None
    if (
        not (found and value and client and _is_of(value, client))
        or value.get("uid", decider.user.uid) != decider.user.uid
    ):
        raise NotFound("This code is wrong, has been used, or has expired.")
    shown = f"{letters[:4]}-{letters[4:]}"
    scope = scopes.common(tuple(value["scope"].split()), client.scopes)
    return Waiting(client, scope, value.get("resource", ""), shown, found["place"])


def decide(svc: Services, asked: Waiting, browser: Browser, *, approve: bool) -> None:
    """Writes the user's decision, once; raises NotFound if it was decided otherwise, or expired or logged out meanwhile."""
    session = browser.session
    decided = {
        "status": APPROVED if approve else DENIED,
        "scope": " ".join(asked.scope),  # which can be less than the device asked for
        "uid": browser.user.uid,
        "browser": session.session_id,
        "auth_time": session.auth_time,
        "amr": " ".join(session.amr),
    }
    # Not compared with the value as it was read: the device keeps polling, which changes it.
    for _ in range(3):
        value = svc.once.read("device", asked.place, now=svc.now())
        if value is None or value["status"] != PENDING:
            if value and (value["uid"], value["status"]) == (browser.user.uid, decided["status"]):
                return
            break
        change = svc.once.changing("device", asked.place, old=value, new={**value, **decided}, now=svc.now())
        used = svc.sessions.touch(session, now=svc.now(), also=[change])
        if used is Created.DONE:
            return
        if used is Created.STALE:
            break
    raise NotFound("This code has been used or has expired.")


def poll(svc: Services, client: Client, device_code: str, *, resource: str | None, proof: Proof) -> TokenSet:
    """The device's tokens once its user has approved (RFC 8628 section 3.5); of many polls at once one gets them."""
    now, place = svc.now(), _place(device_code)
    value = svc.once.read("device", place, now=now)
    if value is None:
        raise ExpiredToken()
    if not _is_of(value, client):
        raise InvalidGrant("The device code was issued to another client.")
    if resource is not None and not resources.same_api(svc, resource, value.get("resource", "")):
        raise InvalidTarget()
    if value["status"] == PENDING:
        raise _waited(svc, place, value, now)
    if value["status"] == DENIED:
        raise AccessDenied()
    return _issued(svc, client, place, value, proof)


def _waited(svc: Services, place: str, value: dict[str, Any], now: int) -> SlowDown | AuthorizationPending:
    hasty = now < value["polled_at"] + value["interval"]
    # Else whoever has a code, which is anybody, could have us write as often as he can ask.
    if hasty and value["interval"] >= LONGEST_INTERVAL:
        return SlowDown()
    interval = value["interval"] + (5 if hasty else 0)
    new = {**value, "polled_at": now, "interval": interval}
    if not svc.once.change("device", place, old=value, new=new, now=now) or hasty:
        return SlowDown()
    return AuthorizationPending()


def _issued(svc: Services, client: Client, place: str, value: dict[str, Any], proof: Proof) -> TokenSet:
    found = in_force(*svc.sessions.with_user(value["uid"], value["browser"]), svc.now())
    # Nobody sees an approval in the list of sessions, so it must not outlive the session that it was given in.
    if found is None:
        raise AccessDenied(reason="user gone or disabled, or logged out since")
    user, _ = found
    scope, amr = tuple(value["scope"].split()), tuple(value["amr"].split())
    session = replace(
        begin.draft(svc, user, client, scope=scope, device=client.label, amr=amr),
        auth_time=value["auth_time"],
        browser=value["browser"],
        resource=value.get("resource", ""),
        jkt=proof.jkt if client.public else "",
    )
    if not resources.still_granted(svc, client, session):
        raise AccessDenied(reason="taken from its client", uid=user.uid)
    issued = issue.issue(svc, keys.current(svc), user, session, client, jkt=proof.jkt)
    dpop.remember(svc, proof)  # not before: anybody can have begun, and polls
    if not issued.refresh_token:
        session = replace(session, expires_at=svc.now() + issued.expires_in)
    spending = svc.once.spending("device", place, old=value, now=svc.now())
    if svc.sessions.create(session, also=[spending]) is not Created.DONE:
        raise InvalidGrant("The device code has been used, or its approval has ended.", uid=user.uid)
    return issued
