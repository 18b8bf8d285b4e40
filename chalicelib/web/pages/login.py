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
from ...flows.oauth.authorize import Destination, Done
from ...flows.oauth.interaction import Interaction
from ...flows.platform import macs
from ...flows.sessions import browser, logout
from ...flows.sessions.browser import Browser
from ...services import Services
from ..http import request_log
from ..http.answers import Answer
from ..http.decoding import Form
from ..http.routing import Caller
from . import cookies, stylesheet
from . import form_errors as mistakes
from .error_pages import SHOWN, STATUSES, page_of, pages_api
from .page_request import FIELDS, FORM_SECONDS, PageRequest, redirect, visit_of, with_cookie

api, page = pages_api(__name__)

# What a person may mend in the form itself; anything else is a page of its own.
FORM_ERRORS = (errors.InvalidCredentials, errors.AccountDisabled, errors.TooManyRequests, errors.InvalidRequest)
SIGN_UP_FORM_ERRORS = (
    errors.AccountDisabled,
    errors.TooManyRequests,
    errors.WeakPassword,
    errors.EmailTaken,
    errors.InvalidRequest,
)
CSS = "text/css; charset=utf-8"
KEPT_FOR_GOOD = {"Cache-Control": "public, max-age=31536000, immutable", "Content-Type": CSS}


# What is here for developers, below the issuer.
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
    visit = visit_of(svc, caller, caller.query)
    known = visit.browser()
    forms = {form: form_page(visit, form) for form in ("login", "signup")}
    return visit.show("home.html", known=known.user.email if known else "", **forms, asked=visit.to, links=LINKS)


@page("GET /error", takes=frozenset({"what"}), errors=SHOWN, statuses=STATUSES)
def error_page(svc: Services, caller: Caller) -> Answer:
    """What went wrong with a form."""
    return page_of(svc, caller.headers, dict(caller.query).get("what", ""))


@page("GET /authorize/login", takes=frozenset({"to", "ui_locales"}))
def login_page(svc: Services, caller: Caller) -> Answer:
    """The login form by itself."""
    return show_form(visit_of(svc, caller, caller.query), "login")


@page("GET /authorize/signup", takes=frozenset({"to", "ui_locales"}))
def sign_up_page(svc: Services, caller: Caller) -> Answer:
    """The sign-up form."""
    return show_form(visit_of(svc, caller, caller.query), "signup")


def show_form(
    visit: PageRequest, form: str, *, asked: Destination | None = None, known: Browser | None = None, email: str = ""
) -> Answer:
    """The login or sign-up page, with a cookie that ties its forms to this browser; `known` is who may go on as they are."""
    tie = visit.tie() or secrets.token_urlsafe(16)
    mistake = mistakes.told(visit, (form, tie))
    page = visit.show(
        f"{form}.html",
        hidden={"to": visit.to, "form_token": macs.mac(visit.svc, form, tie, visit.to)},
        known=known.user.email if known else "",
        hidden_of_known=_going_on(visit, known) if known else {},
        error=mistake.error,
        wait=mistake.wait,
        email=mistake.typed.get("email", email),
        name=mistake.typed.get("name", ""),
        other=f"{visit.svc.settings.issuer}/{form_page(visit, 'login' if form == 'signup' else 'signup')}",
        **_around(asked or (visit.destination if visit.request else None)),
    )
    page = mistakes.forgotten(visit, mistake, page)
    return with_cookie(page, cookies.write(visit.svc.settings, cookies.FORM, tie, seconds=FORM_SECONDS))


def form_page(visit: PageRequest, form: str) -> str:
    """Where the login or sign-up page for what this visit is for is, below the issuer."""
    return f"authorize/{form}?{urlencode({'to': visit.to})}" if visit.to else f"authorize/{form}"


def _going_on(visit: PageRequest, known: Browser) -> dict[str, str]:
    return {"to": visit.to, "form_token": macs.mac(visit.svc, "continue", known.session.session_id, visit.to)}


def _around(asked: Destination | None) -> dict[str, Any]:
    if asked is None:
        return {"client": "", "host": "", "sends_to": ""}
    return {
        "client": asked.client.client_name,
        "host": host_of(asked.client.client_id),
        "sends_to": asked.params["redirect_uri"],
        "locales": asked.params.get("ui_locales", ""),
    }


@page("POST /authorize/login", body=Form, takes=FIELDS | {"email", "password"})
def log_in_on_page(svc: Services, caller: Caller, form: Form) -> Answer:
    """The login form."""
    visit = visit_of(svc, caller, form.pairs)
    visit.verify_form_token("login")
    try:
        known = _with_password(visit)
    except FORM_ERRORS as refusal:
        malformed = isinstance(refusal, InvalidRequest)
        return _again(visit, "login", refusal, errors.InvalidCredentials.code if malformed else refusal.code)
    return _logged_in(visit, known)


def _with_password(visit: PageRequest) -> Browser:
    svc, fields = visit.svc, visit.fields
    address, password = fields.get("email", ""), fields.get("password", "")
    user, spent = login.authenticate(svc, address=address, password=password, network=visit.caller.network)
    return browser.log_in(svc, user, _left_by_others(visit, user), amr=login.PASSWORD, spent=spent)


def _left_by_others(visit: PageRequest, user: User) -> Browser | None:
    """What this browser was in before this login, if it is its user's; anybody else is logged out of it."""
    before = visit.before(user)
    if before is None or before.user.uid == user.uid:
        return before
    request_log.untold(logout.end(visit.svc, before, network=visit.caller.network))
    return None


@page("POST /authorize/signup", body=Form, takes=FIELDS | {"email", "password", "name"})
def sign_up_on_page(svc: Services, caller: Caller, form: Form) -> Answer:
    """The sign-up form, filled in."""
    visit = visit_of(svc, caller, form.pairs)
    visit.verify_form_token("signup")
    try:
        known = _signed_up(visit)
    except errors.LongPassword as refusal:
        return _again(visit, "signup", refusal, "long_password")
    except SIGN_UP_FORM_ERRORS as refusal:
        malformed = refusal.code == InvalidRequest.code
        return _again(visit, "signup", refusal, "invalid_email" if malformed else refusal.code)
    return _logged_in(visit, known)


def _signed_up(visit: PageRequest) -> Browser:
    user = _drafted(visit)
    session = browser.draft(visit.svc, user, amr=login.PASSWORD)
    try:
        signup.create(visit.svc, user, first=session)
    except errors.EmailTaken:
        # A button may be pressed twice: who knows the password of the account there is has just made it, or may log in.
        try:
            return _with_password(visit)
        except errors.InvalidCredentials:
            raise errors.EmailTaken() from None
    _left_by_others(visit, user)
    return Browser(user, session)


def _drafted(visit: PageRequest) -> User:
    address, password, name = (visit.fields.get(field, "") for field in ("email", "password", "name"))
    if not profile.is_name(name):
        raise LongName()
    return signup.draft(visit.svc, address=address, password=password, name=name, network=visit.caller.network)


@page("POST /authorize/continue", body=Form, takes=FIELDS)
def continue_as_known(svc: Services, caller: Caller, form: Form) -> Answer:
    """The choice to go on as who is logged in already: as that user, or not at all."""
    visit = visit_of(svc, caller, form.pairs)
    known = visit.browser()
    if known is None:
        return redirect(f"{svc.settings.issuer}/{form_page(visit, 'login')}")
    visit.verify_form_token("continue", known)
    return _onward(visit, known, Done.CHOSEN)


@page("GET /pages.css", media=(CSS,))
def style(svc: Services, _: Caller) -> Answer:
    """The stylesheet of all pages; they ask for it by its version, so it may be kept."""
    return Answer(body=stylesheet.stylesheet(svc.settings.brand.colour), headers=KEPT_FOR_GOOD)


def _onward(visit: PageRequest, known: Browser, done: Done) -> Answer:
    return visit.onward(known, Interaction(done.value)) if visit.request else visit.start_over()


def _again(visit: PageRequest, form: str, refusal: LatchkeyError, error: str) -> Answer:
    typed = {name: visit.fields.get(name, "") for name in ("email", "name")}
    return mistakes.tell(visit, form_page(visit, form), (form, visit.tie()), refusal, error, **typed)


def _logged_in(visit: PageRequest, known: Browser) -> Answer:
    """Goes on with what the login was for, under a new session cookie."""
    svc = visit.svc
    request_log.set_user(known.user.uid)
    seconds = known.session.ends_at - svc.now()
    cookie = cookies.write(svc.settings, cookies.SESSION, browser.cookie_of(svc, known.session), seconds=seconds)
    return with_cookie(_onward(visit, known, Done.LOGGED_IN), cookie)
