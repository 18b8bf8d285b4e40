import secrets
from typing import Any
from urllib.parse import urlencode

from ...domain import errors
from ...domain.accounts import profile
from ...domain.accounts.model import User
from ...domain.errors import InvalidRequest, LatchkeyError
from ...domain.oauth.client import host_of
from ...flows.accounts import signup
from ...flows.authentication import login
from ...flows.oauth.authorize import ClientRequest, UserAction
from ...flows.oauth.interactions import Interaction
from ...flows.platform import macs
from ...flows.sessions import browser, logout
from ...flows.sessions.browser import Browser
from ...services import Services
from ..http import request_log
from ..http.answers import Answer
from ..http.decoding import Form
from ..http.routing import Caller
from . import cookies, form_errors, stylesheet
from .error_pages import FORM_REFUSALS, STATUSES, pages_api, unseal_page
from .page_request import FIELDS, FORM_SECONDS, PageRequest, page_request_of, redirect, with_cookie

api, page = pages_api(__name__)

# Errors that are shown in the form itself; any other has a page of its own.
FORM_ERRORS = (errors.InvalidCredentials, errors.AccountDisabled, errors.TooManyRequests, errors.InvalidRequest)
SIGN_UP_FORM_ERRORS = (
    errors.AccountDisabled,
    errors.TooManyRequests,
    errors.WeakPassword,
    errors.EmailTaken,
    errors.InvalidRequest,
)
CSS = "text/css; charset=utf-8"
IMMUTABLE_HEADERS = {"Cache-Control": "public, max-age=31536000, immutable", "Content-Type": CSS}


# Links for developers, below the issuer.
LINKS = (
    "docs",
    "openapi.json",
    ".well-known/openid-configuration",
    ".well-known/oauth-authorization-server",
    ".well-known/jwks.json",
)


class LongName(InvalidRequest):
    """A name that does not fit on one line of a page."""

    code = "long_name"


@page("GET /", takes=frozenset({"ui_locales"}))
def home(svc: Services, caller: Caller) -> Answer:
    """What runs here, for whoever wonders, and who is logged in."""
    page_request = page_request_of(svc, caller, caller.query)
    browser_session = page_request.browser()
    forms = {form: form_page(page_request, form) for form in ("login", "signup")}
    return page_request.show(
        "home.html",
        user=browser_session.user.email if browser_session else "",
        **forms,
        query=page_request.to,
        links=LINKS,
    )


@page("GET /error", takes=frozenset({"what"}), errors=FORM_REFUSALS, statuses=STATUSES)
def error_page(svc: Services, caller: Caller) -> Answer:
    """What went wrong with a form."""
    return unseal_page(svc, caller.headers, dict(caller.query).get("what", ""))


@page("GET /authorize/login", takes=frozenset({"to", "ui_locales"}))
def login_page(svc: Services, caller: Caller) -> Answer:
    """The login form by itself."""
    return show_form(page_request_of(svc, caller, caller.query), "login")


@page("GET /authorize/signup", takes=frozenset({"to", "ui_locales"}))
def sign_up_page(svc: Services, caller: Caller) -> Answer:
    """The sign-up form."""
    return show_form(page_request_of(svc, caller, caller.query), "signup")


def show_form(
    page_request: PageRequest,
    form: str,
    *,
    client_request: ClientRequest | None = None,
    browser_session: Browser | None = None,
    email: str = "",
) -> Answer:
    """The login or sign-up page, with a cookie that ties its forms to this browser; `browser_session` may continue."""
    browser_token = page_request.browser_token() or secrets.token_urlsafe(16)
    form_error = form_errors.read(page_request, (form, browser_token))
    page = page_request.show(
        f"{form}.html",
        hidden={"to": page_request.to, "form_token": macs.mac(page_request.svc, form, browser_token, page_request.to)},
        user=browser_session.user.email if browser_session else "",
        continue_fields=_continue_fields(page_request, browser_session) if browser_session else {},
        error=form_error.error,
        wait=form_error.wait,
        email=form_error.fields.get("email", email),
        name=form_error.fields.get("name", ""),
        other=f"{page_request.svc.settings.issuer}/{form_page(page_request, 'login' if form == 'signup' else 'signup')}",
        **_client_values(client_request or (page_request.client_request if page_request.request else None)),
    )
    page = form_errors.clear(page_request, form_error, page)
    return with_cookie(
        page, cookies.write(page_request.svc.settings, cookies.FORM, browser_token, seconds=FORM_SECONDS)
    )


def form_page(page_request: PageRequest, form: str) -> str:
    """The path of the login or sign-up page that leads on to where this request leads."""
    return f"authorize/{form}?{urlencode({'to': page_request.to})}" if page_request.to else f"authorize/{form}"


def _continue_fields(page_request: PageRequest, browser_session: Browser) -> dict[str, str]:
    return {
        "to": page_request.to,
        "form_token": macs.mac(page_request.svc, "continue", browser_session.session.session_id, page_request.to),
    }


def _client_values(client_request: ClientRequest | None) -> dict[str, Any]:
    if client_request is None:
        return {"client": "", "host": "", "sends_to": ""}
    return {
        "client": client_request.client.client_name,
        "host": host_of(client_request.client.client_id),
        "sends_to": client_request.params["redirect_uri"],
        "locales": client_request.params.get("ui_locales", ""),
    }


@page("POST /authorize/login", body=Form, takes=FIELDS | {"email", "password"})
def log_in_on_page(svc: Services, caller: Caller, form: Form) -> Answer:
    """The login form."""
    page_request = page_request_of(svc, caller, form.pairs)
    page_request.verify_form_token("login")
    try:
        browser_session = _log_in(page_request)
    except FORM_ERRORS as refusal:
        malformed = isinstance(refusal, InvalidRequest)
        return _redirect_with_errors(
            page_request, "login", refusal, errors.InvalidCredentials.code if malformed else refusal.code
        )
    return _redirect_logged_in(page_request, browser_session)


def _log_in(page_request: PageRequest) -> Browser:
    svc, fields = page_request.svc, page_request.fields
    address, password = fields.get("email", ""), fields.get("password", "")
    network = page_request.caller.network
    authenticated = login.authenticate(svc, address=address, password=password, network=network)
    return browser.log_in(svc, authenticated, _log_out_another_user(page_request, authenticated.user))


def _log_out_another_user(page_request: PageRequest, user: User) -> Browser | None:
    """The session that this browser had before this login, if it is the same user's; another user's is ended."""
    earlier_session = page_request.browser_before_login(user)
    if earlier_session is None or earlier_session.user.uid == user.uid:
        return earlier_session
    request_log.write_logout_failures(
        logout.end(page_request.svc, earlier_session, network=page_request.caller.network)
    )
    return None


@page("POST /authorize/signup", body=Form, takes=FIELDS | {"email", "password", "name"})
def sign_up_on_page(svc: Services, caller: Caller, form: Form) -> Answer:
    """The sign-up form, filled in."""
    page_request = page_request_of(svc, caller, form.pairs)
    page_request.verify_form_token("signup")
    try:
        browser_session = _sign_up(page_request)
    except errors.LongPassword as refusal:
        return _redirect_with_errors(page_request, "signup", refusal, "long_password")
    except SIGN_UP_FORM_ERRORS as refusal:
        malformed = refusal.code == InvalidRequest.code
        return _redirect_with_errors(page_request, "signup", refusal, "invalid_email" if malformed else refusal.code)
    return _redirect_logged_in(page_request, browser_session)


def _sign_up(page_request: PageRequest) -> Browser:
    user = _draft_user(page_request)
    session = browser.draft(page_request.svc, login.of_new_account(page_request.svc, user))
    try:
        signup.create(page_request.svc, user, first=session)
    except errors.EmailTaken:
        # A button may be pressed twice: whoever knows the password of the account has just created it, or may log in.
        try:
            return _log_in(page_request)
        except errors.InvalidCredentials:
            raise errors.EmailTaken() from None
    _log_out_another_user(page_request, user)
    return Browser(user, session)


def _draft_user(page_request: PageRequest) -> User:
    address, password, name = (page_request.fields.get(field, "") for field in ("email", "password", "name"))
    if not profile.is_name(name):
        raise LongName()
    return signup.draft(
        page_request.svc, address=address, password=password, name=name, network=page_request.caller.network
    )


@page("POST /authorize/continue", body=Form, takes=FIELDS)
def continue_as_known(svc: Services, caller: Caller, form: Form) -> Answer:
    """The choice to go on as who is logged in already: as that user, or not at all."""
    page_request = page_request_of(svc, caller, form.pairs)
    browser_session = page_request.browser()
    if browser_session is None:
        return redirect(f"{svc.settings.issuer}/{form_page(page_request, 'login')}")
    page_request.verify_form_token("continue", browser_session)
    return _redirect_onward(page_request, browser_session, UserAction.ACCOUNT_CHOSEN)


@page("GET /pages.css", media=(CSS,))
def style(svc: Services, _: Caller) -> Answer:
    """The stylesheet of all pages; they ask for it by its version, so it may be kept."""
    return Answer(body=stylesheet.stylesheet(svc.settings.brand.colour), headers=IMMUTABLE_HEADERS)


def _redirect_onward(page_request: PageRequest, browser_session: Browser, action: UserAction) -> Answer:
    if not page_request.request:
        return page_request.start_over()
    return page_request.redirect_after(browser_session, Interaction(action.value))


def _redirect_with_errors(page_request: PageRequest, form: str, refusal: LatchkeyError, error: str) -> Answer:
    fields = {name: page_request.fields.get(name, "") for name in ("email", "name")}
    return form_errors.redirect_with_errors(
        page_request, form_page(page_request, form), (form, page_request.browser_token()), refusal, error, **fields
    )


def _redirect_logged_in(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Redirects to where the login leads, with a new session cookie."""
    svc = page_request.svc
    request_log.set_user(browser_session.user.uid)
    seconds = browser_session.session.ends_at - svc.now()
    cookie = cookies.write(
        svc.settings, cookies.SESSION, browser.cookie_of(svc, browser_session.session), seconds=seconds
    )
    return with_cookie(_redirect_onward(page_request, browser_session, UserAction.LOGGED_IN), cookie)
