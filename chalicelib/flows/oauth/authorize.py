"""The authorization endpoint: what the user has to do first, and the code."""

from enum import Enum
from typing import Any

import msgspec

from ...domain.authentication import levels
from ...domain.authentication.model import of_session
from ...domain.errors import (
    AccessDenied,
    ConsentRequired,
    EnrolmentRequired,
    InteractionRequired,
    InvalidRequest,
    InvalidScope,
    LoginRequired,
    OAuthError,
)
from ...domain.oauth import parameters
from ...domain.oauth.authorization_request import AuthorizationRequest
from ...domain.oauth.client import Client, loopback_host
from ...services import Services, Write
from ..authentication import policy
from ..platform import audit, subjects
from ..sessions import verify
from ..sessions.browser import Browser
from . import codes, interactions, pushed_requests, request_validation
from .client_request import ClientRequest, Redirect, error_redirect
from .interactions import Interaction


class AskLogin(msgspec.Struct, frozen=True):
    """Have the user log in or sign up first, beginning with the form for that if `sign_up`; `browser` is who is logged in
    already and may go on."""

    client: Client
    login_hint: str
    browser: Browser | None = None
    sign_up: bool = False


class AskProof(msgspec.Struct, frozen=True):
    """Have the user who is logged in give a further proof first, so that the session reaches the level `least`, and one of
    these."""

    browser: Browser
    acr_values: tuple[str, ...] = ()
    essential: bool = False
    least: str = ""


class AskConsent(msgspec.Struct, frozen=True):
    """Have the user agree to these scopes at an API first; `resource` is "" for our own.

    `interaction_id` is that of what the user did before for this request, "" for nothing; `allowed` are the scopes that
    the user has agreed to before, those of other requests included.
    """

    client: Client
    browser: Browser
    scope: tuple[str, ...]
    resource: str
    interaction_id: str
    allowed: frozenset[str] = frozenset()


class AskToLeave(msgspec.Struct, frozen=True):
    """Have the user decide whether to take an error to a client that no operator has registered."""

    error_redirect: Redirect


Step = Redirect | AskLogin | AskProof | AskConsent | AskToLeave


class UserAction(Enum):
    """What the user has just done for a request; each but the last includes the ones before it."""

    ACCOUNT_CHOSEN = "chosen"
    LOGGED_IN = "logged in"
    CONSENTED = "agreed"
    DENIED = "denied"


def next_step(
    svc: Services, client_request: ClientRequest, browser: Browser | None, *, interaction: Interaction | None = None
) -> Step:
    """What comes next for a request, after what its user has just done for it."""
    try:
        parameters.check_faults(client_request.faults)
        if client_request.object_error:
            raise client_request.object_error
        must_sign = client_request.client.require_signed_request_object
        if must_sign and not (client_request.signed or client_request.pushed_uri):
            raise InvalidRequest(
                "The client has to sign its requests (RFC 9101): send a request object as `request`.",
                reason="not signed",
            )
        if client_request.client.must_push and not client_request.pushed_uri:
            raise InvalidRequest("This client has to push its requests (RFC 9126).", reason="not pushed")
        request = request_validation.validate(svc, client_request.params, client_request.client)
        if "none" in request.prompt:
            browser = _browser_without_interaction(svc, client_request.client, request, browser)
            return _redirect_with_code(svc, client_request, request, browser)
        return _step_with_user(svc, client_request, request, browser, interaction)
    except (OAuthError, InvalidRequest, InvalidScope, LoginRequired) as error:
        redirect = error_redirect(svc, client_request, error)
        return redirect if interaction or _may_leave_unasked(client_request, redirect) else AskToLeave(redirect)


def _may_leave_unasked(client_request: ClientRequest, error_redirect: Redirect) -> bool:
    """Whether an error goes to its client at once (RFC 9700 section 4.11.2).

    Anybody can register a redirect URI, and must not make us send people there. But an address of the user's own device is
    nobody's site: what waits there has to learn that it waits in vain.
    """
    silent = "none" in client_request.params.get("prompt", "").split()
    on_this_device = bool(loopback_host(error_redirect.uri)) and error_redirect.mode == "query"
    return silent or on_this_device or client_request.client.made_by_operator


def _browser_without_interaction(
    svc: Services, client: Client, request: AuthorizationRequest, browser: Browser | None
) -> Browser:
    """Who is logged in, if `prompt=none` may be answered; else raises what the user has to do first.

    Consent goes first: a client that has none learns nothing about its visitor by guessing who that is.
    """
    if browser is None:
        raise LoginRequired("The user has to log in.")
    if _consent_is_due(client, request, _allowed_scopes(svc, client, request, browser)):
        raise ConsentRequired()
    if _may_be_another_app(client, request):
        raise InteractionRequired()
    unreadable_hint = request.id_token_hint and _id_token_hint(svc, client, request) is None
    if unreadable_hint or _new_login_is_due(svc, request, browser) or _is_another_user(svc, client, request, browser):
        raise LoginRequired("The user has to log in, or another user than the client asks for.")
    least = policy.least_level(svc, client, request.scope)
    too_weak = bool(least) and not levels.reaches(browser.session.amr, (least,))
    # Any of the essential levels will do where nobody can be asked for a better one (OpenID Connect Core 5.5.1.1).
    enough = not request.acr_essential or levels.reaches(browser.session.amr, request.acr_values)
    if too_weak or (not enough and _proof_is_missing(svc, request, browser, least)):
        raise LoginRequired("The user has to give a further proof.")
    return browser


def _step_with_user(
    svc: Services,
    client_request: ClientRequest,
    request: AuthorizationRequest,
    browser: Browser | None,
    interaction: Interaction | None,
) -> Step:
    client, action = client_request.client, _action_in_force(request, interaction)
    if interaction and action is UserAction.DENIED:
        if interactions.spend(svc, interaction):
            raise AccessDenied()
        action = interaction = None
    if browser is None or _login_is_due(svc, client, request, browser, action):
        # Whoever has to log in anew, or as somebody else, gets no button to go on as the present user.
        may_choose = browser and action is None and not _new_login_is_due(svc, request, browser)
        offered = browser if browser and may_choose and not _is_another_user(svc, client, request, browser) else None
        return AskLogin(client, request.login_hint, offered, _sign_up_comes_first(svc, request))
    if _is_another_user(svc, client, request, browser):
        raise LoginRequired("Another user than the client asks for is logged in.")
    least = policy.least_level(svc, client, request.scope)
    if _proof_is_missing(svc, request, browser, least):
        return AskProof(browser, request.acr_values, request.acr_essential, least)
    if action is not UserAction.CONSENTED and (step := _consent_step(svc, client, request, browser, interaction)):
        return step
    if interaction and not interactions.spend(svc, interaction):
        return _step_with_user(svc, client_request, request, browser, None)
    if action is UserAction.CONSENTED and not client.first_party:
        _remember_consent(svc, client, request, browser)
    return _redirect_with_code(svc, client_request, request, browser)


def _consent_step(
    svc: Services, client: Client, request: AuthorizationRequest, browser: Browser, interaction: Interaction | None
) -> AskConsent | None:
    """What the user has to agree to first, if anything."""
    allowed = _allowed_scopes(svc, client, request, browser)
    app_unconfirmed = interaction is None and _may_be_another_app(client, request)
    if not (app_unconfirmed or _consent_is_due(client, request, allowed)):
        return None
    interaction_id = interaction.id if interaction else ""
    return AskConsent(client, browser, request.consent, request.resource, interaction_id, allowed or frozenset())


def _remember_consent(svc: Services, client: Client, request: AuthorizationRequest, browser: Browser) -> None:
    uid, lost = browser.user.uid, dict[Write, str]()
    trail = audit.trail(svc, uid, [audit.event(svc, "consent_given", client=client.client_id)])
    consent_stored = svc.clients.remember_consent(
        browser.user,
        client.client_id,
        request.consent,
        resource=request.resource,
        since=client.created_at,
        now=svc.now(),
        also=svc.clients.keep(client),
        optional=trail.writes,
        lost=lost,
    )
    if not consent_stored:
        raise LoginRequired("The user has logged out meanwhile.", uid=uid)
    trail.finish(lost)


def _action_in_force(request: AuthorizationRequest, interaction: Interaction | None) -> UserAction | None:
    action = UserAction(interaction.action) if interaction else None
    # The consent covers the scopes that the page showed: what the client may ask for can have changed meanwhile.
    if interaction and action is UserAction.CONSENTED and not set(request.consent) <= set(interaction.detail.split()):
        return UserAction.LOGGED_IN
    return action


def _redirect_with_code(
    svc: Services, client_request: ClientRequest, request: AuthorizationRequest, browser: Browser
) -> Redirect:
    if client_request.pushed_uri:
        pushed_requests.spend(svc, client_request.client, client_request.pushed_uri, browser)
    login = of_session(browser.user, browser.session)
    code = codes.issue(svc, client_request.client, login, request, browser=browser.session)
    return client_request.answer(svc.settings.issuer, {"code": code})


def _login_is_due(
    svc: Services, client: Client, request: AuthorizationRequest, browser: Browser, action: UserAction | None
) -> bool:
    login_is_fresh = svc.now() - browser.session.auth_time <= svc.settings.fresh_login_seconds
    if login_is_fresh and action in (UserAction.LOGGED_IN, UserAction.CONSENTED):
        return False
    if _new_login_is_due(svc, request, browser):
        return True
    if action is not None:
        return False
    # A first-party app asks for no consent, so its user is asked whether to go on as who is logged in.
    app_unconfirmed = client.first_party and _may_be_another_app(client, request)
    may_be_another = app_unconfirmed or not request.prompt.isdisjoint({"select_account", "create"})
    return may_be_another or _is_another_user(svc, client, request, browser)


def _sign_up_comes_first(svc: Services, request: AuthorizationRequest) -> bool:
    """Whether the client asks for a new account, and not where nobody can sign up: there its user logs in."""
    return "create" in request.prompt and svc.settings.sign_up_open


def _new_login_is_due(svc: Services, request: AuthorizationRequest, browser: Browser) -> bool:
    """Whether the client asks for a new login: to choose the account that is logged in is not enough."""
    if "login" in request.prompt or request.max_age == 0:  # which are the same (OpenID Connect Core 3.1.2.1)
        return True
    age = svc.now() - browser.session.auth_time
    return request.max_age is not None and age > request.max_age


def _proof_is_missing(svc: Services, request: AuthorizationRequest, browser: Browser, least: str) -> bool:
    acr_values, essential = request.acr_values, request.acr_essential
    user, session = browser.user, browser.session
    try:
        missing = policy.missing_for_session(
            svc, user, session, least=least, acr_values=acr_values, essential=essential
        )
    except EnrolmentRequired:
        return True
    return bool(missing)


def _may_be_another_app(client: Client, request: AuthorizationRequest) -> bool:
    """Whether any app on the device could pass for this client, so that the user has to confirm it (RFC 8252 8.6)."""
    return client.public and not request.redirect_uri.startswith("https:")


def _is_another_user(svc: Services, client: Client, request: AuthorizationRequest, browser: Browser) -> bool:
    hint = _id_token_hint(svc, client, request)
    subject_ids = {request.subject, str(hint["sub"]) if hint else ""} - {""}
    return bool(subject_ids) and subject_ids != {subjects.subject_for(svc, client, browser.user.uid)}


def _id_token_hint(svc: Services, client: Client, request: AuthorizationRequest) -> dict[str, Any] | None:
    """The claims of the request's id_token_hint, unless it was issued to an earlier client of the same id."""
    hint = verify.verify_id_token_hint(svc, request.id_token_hint) if request.id_token_hint else None
    return hint if hint and hint["iat"] >= client.created_at else None


def _allowed_scopes(
    svc: Services, client: Client, request: AuthorizationRequest, browser: Browser
) -> frozenset[str] | None:
    """What the user has agreed to for the client at the API, None before they were asked; nobody asks for a first-party app."""
    if client.first_party:
        return None
    return svc.clients.consent(browser.user.uid, client.client_id, resource=request.resource, since=client.created_at)


def _consent_is_due(client: Client, request: AuthorizationRequest, allowed: frozenset[str] | None) -> bool:
    if "consent" in request.prompt:
        return True
    if client.first_party:
        return False
    return allowed is None or not set(request.consent) <= allowed
