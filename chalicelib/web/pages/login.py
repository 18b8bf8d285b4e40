from ...domain import errors
from ...domain.accounts import profile
from ...domain.accounts.model import User
from ...domain.errors import InvalidRequest, LatchkeyError
from ...flows.accounts import signup
from ...flows.authentication import attempts, login
from ...flows.clients import own
from ...flows.oauth.authorize import UserAction
from ...flows.oauth.interactions import Interaction
from ...flows.sessions import browser, logout
from ...flows.sessions.browser import Browser
from ...services import Services
from ..http import request_log
from ..http.answers import Answer
from ..http.routing import Caller
from . import cookies, form_errors, stylesheet
from .error_pages import FORM_REFUSALS, unseal_page
from .login_form import form_page, show_form
from .page_request import PageRequest, redirect, with_cookie
from .page_routes import LANGUAGE, Pages

pages = Pages(__name__)
api = pages.api

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


@pages.page("/", destination=True)
def home(page_request: PageRequest) -> Answer:
    """What runs here, for whoever wonders, and who is logged in."""
    browser_session = page_request.browser()
    forms = {form: form_page(page_request, form) for form in ("login", "signup")}
    return page_request.show(
        "home.html",
        user=browser_session.user.email if browser_session else "",
        **forms,
        query=page_request.to,
        links=LINKS,
    )


@pages.page("/error", takes=frozenset({"what"}), errors=FORM_REFUSALS)
def error_page(page_request: PageRequest) -> Answer:
    """What went wrong with a form."""
    return unseal_page(page_request.svc, page_request.caller.headers, page_request.fields.get("what", ""))


@pages.page("/authorize/login", takes=LANGUAGE | {"to"})
def login_page(page_request: PageRequest) -> Answer:
    """The login form by itself."""
    return show_form(page_request, "login")


@pages.page("/authorize/signup", takes=LANGUAGE | {"to"})
def sign_up_page(page_request: PageRequest) -> Answer:
    """The sign-up form."""
    return show_form(page_request, "signup")


@pages.form("/authorize/login", name="login", takes=frozenset({"email", "password"}))
def log_in_on_page(page_request: PageRequest) -> Answer:
    """The login form."""
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
    attempt = attempts.begin(svc, "pages", own.BROWSER)
    authenticated = login.with_password(svc, attempt, address=address, password=password, network=network)
    if isinstance(authenticated, login.Incomplete):
        raise errors.LoginExpired()
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


@pages.form("/authorize/signup", name="signup", takes=frozenset({"email", "password", "name"}))
def sign_up_on_page(page_request: PageRequest) -> Answer:
    """The sign-up form, filled in."""
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


@pages.form("/authorize/continue")
def continue_as_known(page_request: PageRequest) -> Answer:
    """The choice to go on as who is logged in already: as that user, or not at all."""
    browser_session = page_request.browser()
    if browser_session is None:
        return redirect(f"{page_request.svc.settings.issuer}/{form_page(page_request, 'login')}")
    page_request.verify_form_token("continue", browser_session)
    return _redirect_onward(page_request, browser_session, UserAction.ACCOUNT_CHOSEN)


@pages.route("GET /pages.css", media=(CSS,))
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
