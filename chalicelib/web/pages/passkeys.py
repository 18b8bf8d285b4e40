"""Passkeys in a browser: a login without a user name, and one more for the device that somebody is logged in on."""

import json
from typing import Any

from ...domain import errors
from ...domain.authentication import webauthn
from ...domain.errors import InvalidRequest, LatchkeyError, LoginExpired
from ...flows.authentication import attempts, enrolment, login
from ...flows.authentication.factors import passkey
from ...flows.platform import passkey_domain
from ...flows.sessions.browser import Browser
from ...services import Services
from ..http.answers import Answer
from ..http.routing import Caller
from . import form_errors, forms
from .login_form import LOG_IN, form_page
from .login_progress import begin_login, read_login, redirect_after
from .page_request import PageRequest, page_request_of, redirect
from .page_routes import LANGUAGE, Pages
from .passkey_offer import ADD, onward_of

pages = Pages(__name__)
api = pages.api

JSON = "application/json"
LOG_IN_BY_PASSKEY = "authorize/passkey"
LOGIN_ERRORS = (errors.InvalidCredentials, errors.AccountDisabled, errors.TooManyRequests, LoginExpired, InvalidRequest)
ADD_ERRORS = (
    errors.InvalidCredentials,
    errors.TooManyFactors,
    errors.TooManyRequests,
    errors.LoginRequired,
    LoginExpired,
    InvalidRequest,
)


@pages.route(f"GET /{LOG_IN_BY_PASSKEY}", takes=frozenset({"to"}), media=(JSON,))
def passkey_options(svc: Services, caller: Caller) -> Answer:
    """What the script of the login page asks for passkeys with, in a login of its own that ends in ten minutes."""
    page_request = page_request_of(svc, caller, caller.query)
    attempt = begin_login(page_request)
    challenge = login.challenge(svc, attempt, factor=passkey.NAME, agent=page_request.user_agent)
    text = json.dumps({"attempt": attempts.seal(svc, attempt), **challenge})
    return Answer(body=text, headers={"Cache-Control": "no-store", "Content-Type": JSON})


@pages.form(f"/{LOG_IN_BY_PASSKEY}", name=LOG_IN, takes=frozenset({"attempt", "answer"}))
def log_in_with_passkey(page_request: PageRequest) -> Answer:
    """The answer of a passkey to the login page."""
    fields, agent = page_request.fields, page_request.user_agent
    try:
        attempt = read_login(page_request, fields.get("attempt", ""))
        progress = login.prove(
            page_request.svc, attempt, factor=passkey.NAME, answer=fields.get("answer", ""), agent=agent
        )
        return redirect_after(page_request, progress)
    except LOGIN_ERRORS as refusal:
        own = (errors.UnknownPasskey, errors.AccountDisabled, errors.TooManyRequests)
        error = refusal.code if isinstance(refusal, own) else "passkey_refused"
        form = (LOG_IN, page_request.browser_token())
        return form_errors.redirect_with_errors(page_request, form_page(page_request, LOG_IN), form, refusal, error)


@pages.page(f"/{ADD}", takes=LANGUAGE | {"onward"}, logged_in=True)
def add_passkey_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Offers a passkey to who is logged in, for this device or one beside it."""
    svc, user = page_request.svc, browser_session.user
    values: dict[str, Any] = {"options": "", "automatic": "", "stale": ""}
    try:
        enrolment.check_fresh(svc, user, browser_session.session, auth_time=browser_session.session.auth_time)
        values["options"] = _begin(page_request, browser_session)
        values["automatic"] = _begin(page_request, browser_session, automatic=True)
    except (errors.LoginRequired, errors.TooManyFactors) as refusal:
        values["stale"] = refusal.code
    except InvalidRequest:
        values["stale"] = "no_factors"
    return forms.show(
        page_request,
        "add_passkey.html",
        ADD,
        browser_session,
        user=user.email,
        rp=passkey_domain.relying_party(svc).id,
        user_handle=webauthn.user_handle(user.uid),
        onward=onward_of(page_request),
        accepted=json.dumps([each.credential_id for each in passkey.credentials(svc, user)]),
        **values,
    )


@pages.form(f"/{ADD}", name=ADD, takes=frozenset({"attempt", "answer"}), logged_in=True)
def add_passkey(page_request: PageRequest, browser_session: Browser) -> Answer:
    """The passkey that was made on the page."""
    svc, fields, session = page_request.svc, page_request.fields, browser_session.session
    try:
        enrolment.check_fresh(svc, browser_session.user, session, auth_time=session.auth_time)
        enrolment.finish(
            svc,
            browser_session.user,
            fields.get("attempt", ""),
            answer=fields.get("answer", ""),
            name="",
            holder=session.session_id,
            session=session,
            agent=page_request.user_agent,
        )
    except ADD_ERRORS as refusal:
        return _redirect_with_errors(page_request, browser_session, refusal)
    onward = onward_of(page_request)
    return redirect(f"{svc.settings.issuer}/{page_request.to if onward is None else onward}")


def _redirect_with_errors(page_request: PageRequest, browser_session: Browser, refusal: LatchkeyError) -> Answer:
    error = refusal.code if isinstance(refusal, errors.TooManyRequests) else "passkey_not_added"
    form = (ADD, browser_session.session.session_id)
    return form_errors.redirect_with_errors(page_request, page_request.to, form, refusal, error)


def _begin(page_request: PageRequest, browser_session: Browser, *, automatic: bool = False) -> str:
    pending = enrolment.begin(
        page_request.svc,
        browser_session.user,
        page_request.user_agent,
        kind=passkey.NAME,
        holder=browser_session.session.session_id,
        automatic=automatic,
    )
    return json.dumps({"attempt": pending.token, **pending.challenge})
