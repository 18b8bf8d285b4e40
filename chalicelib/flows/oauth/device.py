"""The device authorization grant (RFC 8628): a code on a screen, approved in a browser, polled for by the device."""

import hashlib
import secrets
from dataclasses import replace

import msgspec

from ...domain.accounts.model import in_force
from ...domain.authentication import levels
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
)
from ...domain.oauth import client_rights, scopes, user_codes
from ...domain.oauth.client import DEVICE_CODE, Client
from ...domain.oauth.dpop import Proof
from ...domain.records.once import DeviceCode, OnceItem, UserCode
from ...services import Services
from ..authentication import policy
from ..clients import authenticate as clients
from ..platform import audit, keys, limits, sealing, subjects
from ..sessions import begin, issue, resources
from ..sessions.browser import Browser
from ..sessions.issue import TokenSet
from . import dpop

INTERVAL, MAX_INTERVAL = 5, 60
# What a decision is sealed for; "for good", though it is good for minutes: it is in our own table.
DECISION = b"latchkey device decision\x00"
ENDED = "The user agreed, but that is no longer in force: begin anew."
TOO_WEAK = "The login in which the user agreed is too weak by now: begin anew."
NO_LONGER_PERMITTED = "The client may not have what the user agreed to any more: see its `scopes` and `resources`."
PENDING, APPROVED, DENIED = "pending", "approved", "denied"


class DeviceCodes(msgspec.Struct, frozen=True):
    """What a device gets (RFC 8628 section 3.2); lifetimes in seconds."""

    device_code: str
    user_code: str
    expires_in: int
    interval: int


class DeviceRequest(msgspec.Struct, frozen=True):
    """A device that waits for its user: which client it is, and what it asks for."""

    client: Client
    scope: tuple[str, ...]
    resource: str
    user_code: str
    code_digest: str


def least_level(svc: Services, device_request: DeviceRequest) -> str:
    """The level that the session has to reach in which a user approves; "" for any."""
    return policy.least_level(svc, device_request.client, device_request.scope)


def authorize(svc: Services, client: Client, *, scope: str | None, resource: str, network: str) -> DeviceCodes:
    """A new pair of codes for a client's device; raises TooManyRequests where anybody could be that client."""
    client_rights.check_grant_type(client, DEVICE_CODE)
    api = resources.requested_resource(svc, client, resource)
    client = resources.with_scopes_of(svc, client, api)
    requested_scope = scopes.narrow_leniently(scope, allowed=client.scopes, default=client.default_scope)
    if client.public:
        limits.device_request(svc, network=network)
    now, life = svc.now(), svc.settings.device_code_seconds
    device_code = secrets.token_urlsafe(32)
    user_code = user_codes.new()
    record = DeviceCode(
        client_id=client.client_id,
        client_since=client.created_at,
        scope=" ".join(requested_scope),
        resource=api,
        status=PENDING,
        polled_at=0,
        interval=INTERVAL,
    )
    code_digest = _digest(device_code)
    svc.once.put_if_absent(record, code_digest, expires_at=now + life, now=now)
    if not svc.once.put_if_absent(UserCode(code_digest=code_digest), user_code, expires_at=now + life, now=now):
        raise TemporarilyUnavailable(reason="user code in use")
    return DeviceCodes(device_code, user_codes.display(user_code), life, INTERVAL)


def _digest(device_code: str) -> str:
    return hashlib.sha256(device_code.encode()).hexdigest()


def _belongs_to(code: DeviceCode, client: Client) -> bool:
    return client.is_same(code.client_id, code.client_since)


def find_by_typed_code(svc: Services, user_code: str, *, network: str, browser: Browser) -> DeviceRequest:
    """The device behind a code that a user typed or that a link has; raises NotFound, or TooManyRequests for guessing.

    The user who has decided finds it again: a button may be pressed twice.
    """
    spent = limits.user_code(svc, network=network)
    device_request = find(svc, user_code, browser, network=network)
    svc.attempts.give_back(spent, now=svc.now())
    return device_request


def find(svc: Services, user_code: str, browser: Browser, *, network: str) -> DeviceRequest:
    """The device behind a code that was typed before, for which nothing is counted; raises NotFound."""
    letters = user_codes.read(user_code)
    user_code_item = svc.once.read(UserCode, letters, now=svc.now()) if letters else None
    item = svc.once.read(DeviceCode, user_code_item.record.code_digest, now=svc.now()) if user_code_item else None
    code = item.record if item else None
    client = clients.find(svc, code.client_id, network=network) if code else None
    if not (item and code and client and _belongs_to(code, client) and _is_open_to(svc, code, browser)):
        raise NotFound("This code is wrong, has been used, or has expired.")
    scope = scopes.common(tuple(code.scope.split()), client.scopes)
    return DeviceRequest(client, scope, code.resource, user_codes.display(letters), item.text)


def decide(svc: Services, device_request: DeviceRequest, browser: Browser, *, approve: bool) -> None:
    """Writes the user's decision, once; raises NotFound if it was decided otherwise, or expired or logged out meanwhile."""
    session = browser.session
    least = least_level(svc, device_request)
    if approve and least and not levels.reaches(session.amr, (least,)):
        raise NotFound("This needs a further proof first.", reason="login too weak")
    status = APPROVED if approve else DENIED
    # Not compared with the record as it was first read: the device keeps polling, which changes it.
    for _ in range(3):
        item = svc.once.read(DeviceCode, device_request.code_digest, now=svc.now())
        if item is None or item.record.status != PENDING:
            if item and (_decision(svc, item.record)[0], item.record.status) == (browser.user.uid, status):
                return
            break
        decided = msgspec.structs.replace(
            item.record,
            status=status,
            scope=" ".join(device_request.scope),  # which can be less than the device asked for
            auth_time=session.auth_time,
            amr=" ".join(session.amr),
            decided_by=_decided_by(svc, browser),
        )
        use = svc.sessions.use(session, now=svc.now())
        own = [use, svc.clients.keep(device_request.client)] if approve else [use]
        events = [audit.event(svc, "consent_given", client=item.record.client_id, reason="device")] if approve else []
        replaced = svc.once.replacement(item, decided, now=svc.now())
        failed = audit.commit(svc, browser.user.uid, events, *own, replaced)
        if failed is None:
            return
        if failed in own:
            break
    raise NotFound("This code has been used or has expired.")


def _decided_by(svc: Services, browser: Browser) -> str:
    members = {"uid": browser.user.uid, "browser": browser.session.session_id}
    return sealing.seal_for_good(svc, members, purpose=DECISION)


def _is_open_to(svc: Services, code: DeviceCode, browser: Browser) -> bool:
    uid, _ = _decision(svc, code)
    return uid in ("", browser.user.uid)


def _decision(svc: Services, code: DeviceCode) -> tuple[str, str]:
    """Who has decided, and in which browser's session; "" for nobody yet."""
    if not code.decided_by:
        return code.uid, code.browser
    members = sealing.unseal_for_good(svc, code.decided_by, purpose=DECISION)
    return members["uid"], members["browser"]


def poll(svc: Services, client: Client, device_code: str, *, resource: str | None, proof: Proof) -> TokenSet:
    """The device's tokens once its user has approved (RFC 8628 section 3.5); of many polls at once one gets them."""
    now = svc.now()
    item = svc.once.read(DeviceCode, _digest(device_code), now=now)
    if item is None:
        raise ExpiredToken()
    code = item.record
    if not _belongs_to(code, client):
        raise InvalidGrant("The device code was issued to another client.", reason="code of another client")
    if resource is not None and not resources.same_api(svc, resource, code.resource):
        raise InvalidTarget("`resource` is another than the device asked for.")
    if code.status == PENDING:
        raise _polling_error(svc, item, now)
    if code.status == DENIED:
        raise AccessDenied()
    return _issue_tokens(svc, client, item, proof)


def _polling_error(svc: Services, item: OnceItem[DeviceCode], now: int) -> SlowDown | AuthorizationPending:
    code = item.record
    too_early = now < code.polled_at + code.interval
    # Anybody can get a code: without this, each poll of theirs would be a write.
    if too_early and code.interval >= MAX_INTERVAL:
        return SlowDown()
    polled = msgspec.structs.replace(code, polled_at=now, interval=code.interval + (5 if too_early else 0))
    if not svc.once.change(item, polled, now=now) or too_early:
        return SlowDown()
    return AuthorizationPending()


def _issue_tokens(svc: Services, client: Client, item: OnceItem[DeviceCode], proof: Proof) -> TokenSet:
    code = item.record
    uid, browser = _decision(svc, code)
    user_and_session = in_force(*svc.sessions.with_user(uid, browser), svc.now())
    # Nobody sees an approval in the list of sessions, so it must not outlive the session that it was given in.
    if user_and_session is None:
        raise AccessDenied(ENDED, reason="user gone or disabled, or logged out since")
    user, browser_session = user_and_session
    if not policy.reaches_demand(svc, client, code.amr.split()):
        raise AccessDenied(TOO_WEAK, reason="login too weak", uid=user.uid)
    login = of_session(user, replace(browser_session, amr=tuple(code.amr.split()), auth_time=code.auth_time))
    session = replace(
        begin.draft(svc, login, client, scope=tuple(code.scope.split()), device=client.label),
        session_id=subjects.new_session_id(svc, browser),
        browser=browser,
        resource=code.resource,
        jkt=proof.jkt if client.public else "",
    )
    if not resources.still_granted(svc, client, session):
        raise AccessDenied(NO_LONGER_PERMITTED, reason="taken from its client", uid=user.uid)
    token_set = issue.issue(svc, keys.current(svc), user, session, client, jkt=proof.jkt)
    dpop.spend_proof(svc, proof)  # not before: anybody can get a device code and poll with it
    if not token_set.refresh_token:
        session = replace(session, expires_at=svc.now() + token_set.expires_in)
    spent = svc.once.deletion(item, now=svc.now())
    events = [begin.beginning(svc, session, by="device")]
    if audit.commit(svc, user.uid, events, svc.sessions.creation(session), spent) is not None:
        raise InvalidGrant("The device code has been used, or its approval has ended.", uid=user.uid)
    return token_set
