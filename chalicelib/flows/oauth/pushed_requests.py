"""Authorization requests that are kept: pushed by a client (RFC 9126), or too long for a URL."""

import secrets
from collections.abc import Iterable, Mapping

import msgspec

from ...domain.durations import DAY
from ...domain.errors import (
    InvalidDpopProof,
    InvalidRequest,
    InvalidRequestUri,
)
from ...domain.oauth import parameters
from ...domain.oauth.client import Client
from ...domain.records.once import LongRequest, PushedRequest
from ...services import Services
from ..platform import limits, macs, sealing
from ..sessions.browser import Browser
from . import request_objects, request_validation

PUSHED_REQUEST = "urn:ietf:params:oauth:request_uri:"
# Not a pushed one: the client has not authenticated for it.
LONG_REQUEST = "urn:latchkey:request:"
# What ties a spent request to its user, whose account may end before it does.
SPENT = "spent request"
# The parameters that say who is to log in, and what they are sealed for: nobody finds them to erase them with an account.
HINTS, OF_REQUEST = frozenset({"login_hint", "id_token_hint"}), b"latchkey request's hints\x00"
# How long a user may take to log in for a pushed request; the browser has to bring it much sooner (RFC 9126 section 2.2).
PUSHED_LOGIN_SECONDS = DAY


def push(svc: Services, client: Client, params: Mapping[str, str], *, jkt: str, network: str) -> str:
    """Keeps a checked request for a short while (RFC 9126) and gives the request_uri that stands for it.

    `jkt` is the key of the DPoP proof beside it, "" for none: the code is for that key (RFC 9449 section 10.1).
    """
    if "request_uri" in params:
        raise InvalidRequest("`request_uri` cannot be pushed.")
    params = parameters.parse(params.items(), known=parameters.AUTHORIZATION_REQUEST, most=parameters.MAX_REQUEST)
    if "request" in params:
        params = request_objects.read(svc, client, params["request"], network=network)
    elif client.require_signed_request_object:
        raise InvalidRequest(
            "The client has to sign its requests (RFC 9101): push a request object as `request`.", reason="not signed"
        )
    if jkt and params.setdefault("dpop_jkt", jkt) != jkt:
        raise InvalidDpopProof("`dpop_jkt` is not the key of the DPoP proof.")
    if client.fapi and "redirect_uri" not in params:
        raise InvalidRequest("`redirect_uri` is missing, which the client's security profile has in each request.")
    params = parameters.with_redirect_uri(params, client)
    if not client.redirects_to(params["redirect_uri"]):
        raise InvalidRequest("`redirect_uri` is not registered for this client.", reason="redirect URI")
    request_validation.validate(svc, params, client)
    if client.public:
        limits.pushed_request(svc, network=network)
    request_uri = PUSHED_REQUEST + secrets.token_urlsafe(32)
    now = svc.now()
    pairs, hints = _sealed(svc, {**params, "client_id": client.client_id}.items())
    record = PushedRequest(
        params=dict(pairs),
        client_since=client.created_at,
        until=now + svc.settings.pushed_request_seconds,
        hints=hints,
    )
    svc.once.put_if_absent(record, request_uri, expires_at=now + PUSHED_LOGIN_SECONDS, now=now)
    return request_uri


def load(svc: Services, client: Client, request_uri: str, *, in_this_browser: bool) -> dict[str, str]:
    """The parameters of a pushed request that is in time; raises InvalidRequestUri. One that came `in_this_browser` waits."""
    item = svc.once.read(PushedRequest, request_uri, now=svc.now())
    pushed = item.record if item else None
    if pushed is None or not client.is_same(pushed.params["client_id"], pushed.client_since):
        raise InvalidRequestUri()
    _, spent_until = pushed.spent or ("", svc.now())
    if spent_until < svc.now() or (not in_this_browser and pushed.until <= svc.now()):
        raise InvalidRequestUri()
    return dict(_unsealed(svc, pushed.params.items(), pushed.hints))


def spend(svc: Services, client: Client, request_uri: str, browser: Browser) -> None:
    """Uses up a pushed request (RFC 9126 section 4); raises InvalidRequestUri. Its user may press a button twice.

    Not where the client's security profile has it that a request is good once.
    """
    now = svc.now()
    good_until = now - 1 if client.fapi else now + svc.settings.retry_window_seconds
    # Of two presses at once the second finds the request changed, and reads it again.
    for _ in range(2):
        item = svc.once.read(PushedRequest, request_uri, now=now)
        if item is None:
            break
        user, until = item.record.spent or (macs.mac(svc, SPENT, request_uri, browser.user.uid), now)
        if not _is_of(svc, user, request_uri, browser) or now > until:
            break
        spent = msgspec.structs.replace(item.record, spent=(user, good_until))
        if item.record.spent or svc.once.change(item, spent, now=now):
            return
    raise InvalidRequestUri()


def _is_of(svc: Services, user: str, request_uri: str, browser: Browser) -> bool:
    return user == browser.user.uid or macs.verify_mac(svc, user, SPENT, request_uri, browser.user.uid)


def shorten(
    svc: Services, client: Client, pairs: Iterable[tuple[str, str]], *, signed: bool, network: str
) -> list[tuple[str, str]]:
    """Stores a request of a client that is too long for a URL, or was `signed`; gives the short one that stands for it."""
    limits.pushed_request(svc, network=network)
    known_pairs = ((name, value) for name, value in pairs if name in parameters.AUTHORIZATION_REQUEST and value)
    stored_pairs, hints = _sealed(svc, known_pairs)
    uri, now = LONG_REQUEST + secrets.token_urlsafe(32), svc.now()
    record = LongRequest(pairs=stored_pairs, signed=signed, hints=hints)
    svc.once.put_if_absent(record, uri, expires_at=now + PUSHED_LOGIN_SECONDS, now=now)
    return [("client_id", client.client_id), ("request_uri", uri)]


def expand(svc: Services, pairs: Iterable[tuple[str, str]]) -> tuple[list[tuple[str, str]], bool]:
    """A request with what a short one stands for in its place, and whether that was signed; raises InvalidRequestUri."""
    sent_pairs = list(pairs)
    uris = [value for name, value in sent_pairs if name == "request_uri" and value.startswith(LONG_REQUEST)]
    if not uris:
        return sent_pairs, False
    item = svc.once.read(LongRequest, uris[0], now=svc.now())
    if item is None or _client_ids(sent_pairs) != _client_ids(item.record.pairs):
        raise InvalidRequestUri()
    return list(_unsealed(svc, item.record.pairs, item.record.hints)), item.record.signed


def _sealed(svc: Services, pairs: Iterable[tuple[str, str]]) -> tuple[tuple[tuple[str, str], ...], str]:
    """Parameters without the values of hints, and these in a text of their own, "" for none."""
    sent_pairs = tuple(pairs)
    hints = {name: value for name, value in sent_pairs if name in HINTS}
    if not hints:
        return sent_pairs, ""
    sealed = sealing.seal_for_good(svc, hints, purpose=OF_REQUEST)
    return tuple((name, "" if name in HINTS else value) for name, value in sent_pairs), sealed


def _unsealed(svc: Services, pairs: Iterable[tuple[str, str]], sealed: str) -> tuple[tuple[str, str], ...]:
    """The parameters as they were sent. One that came twice does so still, for which the request is refused."""
    hints = sealing.unseal_for_good(svc, sealed, purpose=OF_REQUEST) if sealed else {}
    return tuple((name, hints.get(name, value)) for name, value in pairs)


def _client_ids(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [value for name, value in pairs if name == "client_id"]
