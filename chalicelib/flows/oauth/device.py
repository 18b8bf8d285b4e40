"""The device authorization grant (RFC 8628): a code on a screen, approved in a browser, polled for by the device."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...domain.accounts.model import Created, in_force
from ...domain.authentication.model import of_session
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
MAX_TYPED_CODE = 64  # eight letters, with spaces or hyphens
INTERVAL, MAX_INTERVAL = 5, 60
PENDING, APPROVED, DENIED = "pending", "approved", "denied"


@dataclass(frozen=True, slots=True)
class DeviceCodes:
    """What a device gets (RFC 8628 section 3.2); lifetimes in seconds."""

    device_code: str
    user_code: str
    expires_in: int
    interval: int


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """A device that waits for its user: which client it is, and what it asks for."""

    client: Client
    scope: tuple[str, ...]
    resource: str
    user_code: str
    code_digest: str


def authorize(svc: Services, client: Client, *, scope: str | None, resource: str, network: str) -> DeviceCodes:
    """A new pair of codes for a client's device; raises TooManyRequests where anybody could be that client."""
    if DEVICE_CODE not in client.grant_types:
        raise UnauthorizedClient()
    requested_scope = scopes.narrow_leniently(scope, allowed=client.scopes)
    api = resources.requested_resource(svc, client, resource)
    if client.public:
        limits.device_request(svc, network=network)
    now, life = svc.now(), svc.settings.device_code_seconds
    device_code = secrets.token_urlsafe(32)
    user_code = "".join(secrets.choice(LETTERS) for _ in range(8))
    value = {
        "client_id": client.client_id,
        "client_since": client.created_at,
        "scope": " ".join(requested_scope),
        "resource": api,
        "status": PENDING,
        "polled_at": 0,
        "interval": INTERVAL,
    }
    code_digest = _digest(device_code)
    svc.once.put_if_absent("device", code_digest, value=value, expires_at=now + life, now=now)
    if not svc.once.put_if_absent("user code", user_code, value={"place": code_digest}, expires_at=now + life, now=now):
        raise TemporarilyUnavailable(reason="user code in use")
    return DeviceCodes(device_code, f"{user_code[:4]}-{user_code[4:]}", life, INTERVAL)


def _digest(device_code: str) -> str:
    return hashlib.sha256(device_code.encode()).hexdigest()


def _belongs_to(value: Mapping[str, Any], client: Client) -> bool:
    return client.is_same(value["client_id"], value.get("client_since"))


def find_by_typed_code(svc: Services, user_code: str, *, network: str, browser: Browser) -> DeviceRequest:
    """The device behind a code that a user typed, with spaces or without; raises NotFound, or TooManyRequests for guessing.

    The user who has decided finds it again: a button may be pressed twice.
    """
    spent = limits.user_code(svc, network=network)
    device_request = find(svc, user_code, browser, network=network)
    svc.attempts.give_back(spent, now=svc.now())
    return device_request


def find(svc: Services, user_code: str, browser: Browser, *, network: str) -> DeviceRequest:
    """The device behind a code that was typed before, for which nothing is counted; raises NotFound."""
    letters = "".join(c for c in user_code.upper() if c in LETTERS) if len(user_code) <= MAX_TYPED_CODE else ""
    code_item = svc.once.read("user code", letters, now=svc.now()) if len(letters) == 8 else None
    device_item = svc.once.read("device", code_item["place"], now=svc.now()) if code_item else None
    client = clients.find(svc, device_item["client_id"], network=network) if device_item else None
    if (
        not (code_item and device_item and client and _belongs_to(device_item, client))
        or device_item.get("uid", browser.user.uid) != browser.user.uid
    ):
        raise NotFound("This code is wrong, has been used, or has expired.")
    displayed_code = f"{letters[:4]}-{letters[4:]}"
    scope = scopes.common(tuple(device_item["scope"].split()), client.scopes)
    return DeviceRequest(client, scope, device_item.get("resource", ""), displayed_code, code_item["place"])


def decide(svc: Services, device_request: DeviceRequest, browser: Browser, *, approve: bool) -> None:
    """Writes the user's decision, once; raises NotFound if it was decided otherwise, or expired or logged out meanwhile."""
    session = browser.session
    decision = {
        "status": APPROVED if approve else DENIED,
        "scope": " ".join(device_request.scope),  # which can be less than the device asked for
        "uid": browser.user.uid,
        "browser": session.session_id,
        "auth_time": session.auth_time,
        "amr": " ".join(session.amr),
    }
    # Not compared with the value as it was read: the device keeps polling, which changes it.
    for _ in range(3):
        value = svc.once.read("device", device_request.code_digest, now=svc.now())
        if value is None or value["status"] != PENDING:
            if value and (value["uid"], value["status"]) == (browser.user.uid, decision["status"]):
                return
            break
        change = svc.once.changing(
            "device", device_request.code_digest, old=value, new={**value, **decision}, now=svc.now()
        )
        outcome = svc.sessions.touch(session, now=svc.now(), also=[change])
        if outcome is Created.DONE:
            return
        if outcome is Created.STALE:
            break
    raise NotFound("This code has been used or has expired.")


def poll(svc: Services, client: Client, device_code: str, *, resource: str | None, proof: Proof) -> TokenSet:
    """The device's tokens once its user has approved (RFC 8628 section 3.5); of many polls at once one gets them."""
    now, code_digest = svc.now(), _digest(device_code)
    value = svc.once.read("device", code_digest, now=now)
    if value is None:
        raise ExpiredToken()
    if not _belongs_to(value, client):
        raise InvalidGrant("The device code was issued to another client.")
    if resource is not None and not resources.same_api(svc, resource, value.get("resource", "")):
        raise InvalidTarget()
    if value["status"] == PENDING:
        raise _polling_error(svc, code_digest, value, now)
    if value["status"] == DENIED:
        raise AccessDenied()
    return _issue_tokens(svc, client, code_digest, value, proof)


def _polling_error(svc: Services, code_digest: str, value: dict[str, Any], now: int) -> SlowDown | AuthorizationPending:
    too_early = now < value["polled_at"] + value["interval"]
    # Anybody can get a code: without this, each poll of theirs would be a write.
    if too_early and value["interval"] >= MAX_INTERVAL:
        return SlowDown()
    interval = value["interval"] + (5 if too_early else 0)
    new = {**value, "polled_at": now, "interval": interval}
    if not svc.once.change("device", code_digest, old=value, new=new, now=now) or too_early:
        return SlowDown()
    return AuthorizationPending()


def _issue_tokens(svc: Services, client: Client, code_digest: str, value: dict[str, Any], proof: Proof) -> TokenSet:
    user_and_session = in_force(*svc.sessions.with_user(value["uid"], value["browser"]), svc.now())
    # Nobody sees an approval in the list of sessions, so it must not outlive the session that it was given in.
    if user_and_session is None:
        raise AccessDenied(reason="user gone or disabled, or logged out since")
    user, browser_session = user_and_session
    login = of_session(user, replace(browser_session, amr=tuple(value["amr"].split()), auth_time=value["auth_time"]))
    session = replace(
        begin.draft(svc, login, client, scope=tuple(value["scope"].split()), device=client.label),
        browser=value["browser"],
        resource=value.get("resource", ""),
        jkt=proof.jkt if client.public else "",
    )
    if not resources.still_granted(svc, client, session):
        raise AccessDenied(reason="taken from its client", uid=user.uid)
    token_set = issue.issue(svc, keys.current(svc), user, session, client, jkt=proof.jkt)
    dpop.spend_proof(svc, proof)  # not before: anybody can get a device code and poll with it
    if not token_set.refresh_token:
        session = replace(session, expires_at=svc.now() + token_set.expires_in)
    deletion = svc.once.spending("device", code_digest, old=value, now=svc.now())
    if svc.sessions.create(session, also=[deletion]) is not Created.DONE:
        raise InvalidGrant("The device code has been used, or its approval has ended.", uid=user.uid)
    return token_set
