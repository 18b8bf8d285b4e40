"""The authorization endpoint's story: where an answer may go, what the user has to do first, and the code."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ...domain.errors import (
    AccessDenied,
    ConsentRequired,
    InteractionRequired,
    InvalidRequest,
    InvalidRequestUri,
    InvalidScope,
    LatchkeyError,
    LoginRequired,
    OAuthError,
)
from ...domain.oauth import authorization_request as oauth
from ...domain.oauth.authorization_request import AuthorizationRequest
from ...domain.oauth.client import Client
from ...services import Services
from ..clients import authenticate as clients
from ..platform import limits, subjects
from ..sessions import verify
from ..sessions.browser import Browser
from . import codes, interaction
from .interaction import Interaction

PUSHED = "urn:ietf:params:oauth:request_uri:"
# Not a pushed one: nobody has proved that it is the client's.
KEPT = "urn:latchkey:request:"
# How long a user may take to log in for a pushed request, which itself has to be brought soon (RFC 9126 section 2.2).
PUSHED_LOGIN_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send the browser back to the client with these fields, in its response mode."""

    uri: str
    fields: Mapping[str, str]
    mode: str = "query"


@dataclass(frozen=True, slots=True)
class AskLogin:
    """Have the user log in (or sign up) first; `known` is who is logged in already and may go on."""

    client: Client
    hint: str
    known: Browser | None = None


@dataclass(frozen=True, slots=True)
class AskConsent:
    """Have the user agree to these scopes at an API first; `resource` is "" for our own.

    `interaction` is what the answer belongs to, "" for nothing that was done before.
    """

    client: Client
    browser: Browser
    scope: tuple[str, ...]
    resource: str
    interaction: str


@dataclass(frozen=True, slots=True)
class AskToLeave:
    """Have the user decide whether to take an error to a client that nobody here has vouched for."""

    answer: Redirect


Step = Redirect | AskLogin | AskConsent | AskToLeave


class Done(Enum):
    """What the user has just done for a request; each but the last includes the ones before it."""

    CHOSEN = "chosen"
    LOGGED_IN = "logged in"
    AGREED = "agreed"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Destination:
    """A request of a known client that may be answered at its redirect URI, its errors too."""

    client: Client
    params: Mapping[str, str]
    faults: Mapping[str, str]
    pushed: str = ""

    def answer(self, issuer: str, fields: Mapping[str, str]) -> Redirect:
        """The answer with what every answer has (RFC 6749 section 4.1.2, RFC 9207)."""
        state = {"state": self.params["state"]} if "state" in self.params else {}
        mode = self.params.get("response_mode", "query")
        mode = mode if mode in oauth.RESPONSE_MODES else "query"
        return Redirect(self.params["redirect_uri"], {**fields, **state, "iss": issuer}, mode)


def destination(svc: Services, pairs: Iterable[tuple[str, str]], *, arrived: bool, network: str) -> Destination:
    """Whose request this is and where its answer may go; raises for a page of ours, for there is nowhere else to tell it.

    A pushed request that has `arrived` at this browser in time waits for its user.
    """
    params, faults = oauth.collect_parameters(_whole(svc, pairs))
    if "client_id" in faults or "client_id" not in params:
        raise InvalidRequest("`client_id` is missing or sent more than once.")
    client = clients.find(svc, params["client_id"], network=network)
    if client is None:
        raise InvalidRequest("The application that sent you here is not registered.")
    pushed = ""
    if params.get("request_uri", "").startswith(PUSHED):
        pushed = params["request_uri"]
        params, faults = _unpacked(svc, client, pushed, arrived=arrived), {}
    if "redirect_uri" in faults:
        raise InvalidRequest(faults["redirect_uri"])
    params = oauth.with_redirect_uri(params, client)
    if not client.redirects_to(params["redirect_uri"]):
        raise InvalidRequest("The application asked for its answer in a place that is not registered for it.")
    return Destination(client, params, faults, pushed)


def _whole(svc: Services, pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    given = list(pairs)
    uris = [value for name, value in given if name == "request_uri" and value.startswith(KEPT)]
    if not uris:
        return given
    stored = svc.once.read("long request", uris[0], now=svc.now())
    if stored is None or _client_ids(given) != _client_ids(stored["pairs"]):
        raise InvalidRequestUri()
    return [(name, value) for name, value in stored["pairs"]]


def _client_ids(pairs: Iterable[Sequence[str]]) -> list[str]:
    return [value for name, value in pairs if name == "client_id"]


def keep(svc: Services, client: Client, pairs: Iterable[tuple[str, str]], *, network: str) -> list[tuple[str, str]]:
    """Keeps a request of a client that is too long for an address; gives the short one that stands for it."""
    limits.pushed_request(svc, network=network)
    known = [(name, value) for name, value in pairs if name in oauth.KNOWN and value]
    uri, now = KEPT + secrets.token_urlsafe(32), svc.now()
    svc.once.put_if_absent("long request", uri, value={"pairs": known}, expires_at=now + PUSHED_LOGIN_SECONDS, now=now)
    return [("client_id", client.client_id), ("request_uri", uri)]


def _unpacked(svc: Services, client: Client, request_uri: str, *, arrived: bool) -> dict[str, str]:
    stored = svc.once.read("pushed request", request_uri, now=svc.now())
    if stored is None or not client.is_same(stored["params"]["client_id"], stored.get("client_since")):
        raise InvalidRequestUri()
    _, spent_until = stored.get("spent", ("", svc.now()))
    if spent_until < svc.now() or (not arrived and stored["until"] <= svc.now()):
        raise InvalidRequestUri()
    return dict(stored["params"])


def push(svc: Services, client: Client, params: Mapping[str, str], *, network: str) -> str:
    """Keeps a checked request for a short while (RFC 9126) and gives the request_uri that stands for it."""
    if "request_uri" in params:
        raise InvalidRequest("`request_uri` cannot be pushed.")
    params = oauth.parse_parameters(params.items(), known=oauth.KNOWN, most=oauth.MAX_REQUEST)
    params = oauth.with_redirect_uri(params, client)
    if not client.redirects_to(params["redirect_uri"]):
        raise InvalidRequest("`redirect_uri` is not registered for this client.")
    oauth.validate(oauth.with_registered_resource(params, client, own=svc.settings.audience), client)
    if client.public:
        limits.pushed_request(svc, network=network)
    request_uri = PUSHED + secrets.token_urlsafe(32)
    now = svc.now()
    told = {
        "params": {**params, "client_id": client.client_id},
        "client_since": client.created_at,
        "until": now + svc.settings.pushed_request_seconds,
    }
    svc.once.put_if_absent("pushed request", request_uri, value=told, expires_at=now + PUSHED_LOGIN_SECONDS, now=now)
    return request_uri


def next_step(svc: Services, asked: Destination, browser: Browser | None, *, after: Interaction | None = None) -> Step:
    """What comes next for a request, after what its user has just done for it."""
    try:
        oauth.check_faults(asked.faults)
        if asked.client.require_pushed_authorization_requests and not asked.pushed:
            raise InvalidRequest("This client has to push its requests (RFC 9126).")
        request = oauth.validate(
            oauth.with_registered_resource(asked.params, asked.client, own=svc.settings.audience), asked.client
        )
        if "none" in request.prompt:
            browser = _unasked(svc, asked.client, request, browser)
            return _answered(svc, asked, request, browser)
        return _step(svc, asked, request, browser, after)
    except (OAuthError, InvalidRequest, InvalidScope, LoginRequired) as error:
        answer = refusal(svc, asked, error)
        # RFC 9700 section 4.11.2: else everybody could register a place and make us send people there.
        silent = "none" in asked.params.get("prompt", "").split()
        return answer if after or silent or asked.client.made_by_operator else AskToLeave(answer)


def refusal(svc: Services, asked: Destination, error: LatchkeyError) -> Redirect:
    """An error for the client, at its redirect URI."""
    return asked.answer(
        svc.settings.issuer, {"error": error.code, "error_description": error.description.replace('"', "'")}
    )


def _unasked(svc: Services, client: Client, request: AuthorizationRequest, browser: Browser | None) -> Browser:
    """Who is logged in, if a silent request may be answered; raises what it has to come back for.

    Consent goes first: a client that has none learns nothing about its visitor by guessing who that is.
    """
    if browser is None:
        raise LoginRequired("The user has to log in.")
    if _consent_is_due(svc, client, request, browser):
        raise ConsentRequired()
    if _may_be_another_app(client, request):
        raise InteractionRequired()
    unread = request.id_token_hint and _hint(svc, client, request) is None
    if unread or _proof_is_due(svc, request, browser) or _is_another(svc, client, request, browser):
        raise LoginRequired("The user has to log in, or another user than the client asks for.")
    return browser


def _step(
    svc: Services, asked: Destination, request: AuthorizationRequest, browser: Browser | None, after: Interaction | None
) -> Step:
    client, done = asked.client, _done(request, after)
    if after and done is Done.DENIED:
        if interaction.spend(svc, after):
            raise AccessDenied()
        done = after = None
    if browser is None or _login_is_due(svc, client, request, browser, done):
        # Who has to log in anew, or to be somebody else, is not offered to go on as they are.
        choice = browser and done is None and not _proof_is_due(svc, request, browser)
        known = browser if browser and choice and not _is_another(svc, client, request, browser) else None
        return AskLogin(client, request.login_hint, known)
    if _is_another(svc, client, request, browser):
        raise LoginRequired("Another user than the client asks for is logged in.")
    alone = done is None and _may_be_another_app(client, request)
    if done is not Done.AGREED and (alone or _consent_is_due(svc, client, request, browser)):
        return AskConsent(client, browser, request.consent, request.resource, after.id if after else "")
    if after and not interaction.spend(svc, after):
        return _step(svc, asked, request, browser, None)
    if done is Done.AGREED and not client.first_party:
        remembered = svc.clients.remember_consent(
            browser.user,
            client.client_id,
            request.consent,
            resource=request.resource,
            since=client.created_at,
            now=svc.now(),
        )
        if not remembered:
            raise LoginRequired("The user has logged out meanwhile.", uid=browser.user.uid)
    return _answered(svc, asked, request, browser)


def _done(request: AuthorizationRequest, after: Interaction | None) -> Done | None:
    done = Done(after.did) if after else None
    # Who has agreed has agreed to what was shown: what the client may ask for can have changed meanwhile.
    if after and done is Done.AGREED and not set(request.consent) <= set(after.shown.split()):
        return Done.LOGGED_IN
    return done


def _answered(svc: Services, asked: Destination, request: AuthorizationRequest, browser: Browser) -> Redirect:
    if asked.pushed:
        _spend(svc, asked.pushed, browser)
    login = browser.session
    code = codes.issue(svc, asked.client, browser.user, request, amr=login.amr, browser=login)
    return asked.answer(svc.settings.issuer, {"code": code})


def _login_is_due(
    svc: Services, client: Client, request: AuthorizationRequest, browser: Browser, done: Done | None
) -> bool:
    fresh = svc.now() - browser.session.auth_time <= svc.settings.fresh_login_seconds
    if fresh and done in (Done.LOGGED_IN, Done.AGREED):
        return False
    if _proof_is_due(svc, request, browser):
        return True
    if done is not None:
        return False
    # An app of ours asks for no consent, so going on as who is logged in is what there is to ask.
    asks = client.first_party and _may_be_another_app(client, request)
    return asks or "select_account" in request.prompt or _is_another(svc, client, request, browser)


def _proof_is_due(svc: Services, request: AuthorizationRequest, browser: Browser) -> bool:
    """Whether the client wants to see a login of now, which no choice of a known account stands for."""
    if "login" in request.prompt or request.max_age == 0:  # which are the same (OpenID Connect Core 3.1.2.1)
        return True
    age = svc.now() - browser.session.auth_time
    return request.max_age is not None and age > request.max_age


def _may_be_another_app(client: Client, request: AuthorizationRequest) -> bool:
    """Whether any app on the user's device could pass for this client, so that its user has to be there (RFC 8252 8.6)."""
    return client.public and not request.redirect_uri.startswith("https:")


def _is_another(svc: Services, client: Client, request: AuthorizationRequest, browser: Browser) -> bool:
    hint = _hint(svc, client, request)
    wanted = {request.subject, str(hint["sub"]) if hint else ""} - {""}
    return bool(wanted) and wanted != {subjects.subject_for(svc, client, browser.user.uid)}


def _hint(svc: Services, client: Client, request: AuthorizationRequest) -> dict[str, Any] | None:
    """What the request's id_token says, unless it is of another client, which had the id before."""
    hint = verify.verify_id_token_hint(svc, request.id_token_hint) if request.id_token_hint else None
    return hint if hint and hint["iat"] >= client.created_at else None


def _consent_is_due(svc: Services, client: Client, request: AuthorizationRequest, browser: Browser) -> bool:
    if "consent" in request.prompt:
        return True
    if client.first_party:
        return False
    uid, resource = browser.user.uid, request.resource
    agreed = svc.clients.consent(uid, client.client_id, resource=resource, since=client.created_at)
    return agreed is None or not set(request.consent) <= agreed


def _spend(svc: Services, request_uri: str, browser: Browser) -> None:
    """Uses up a pushed request (RFC 9126 section 4), but for a button that its user presses twice."""
    now = svc.now()
    # Two presses at once: one of them finds the request changed, and reads again.
    for _ in range(2):
        stored = svc.once.read("pushed request", request_uri, now=now)
        if stored is None:
            break
        uid, until = stored.get("spent", (browser.user.uid, now))
        if uid != browser.user.uid or now > until:
            break
        spent = {**stored, "spent": (uid, until if "spent" in stored else now + svc.settings.retry_window_seconds)}
        if "spent" in stored or svc.once.change("pushed request", request_uri, old=stored, new=spent, now=now):
            return
    raise InvalidRequestUri()
