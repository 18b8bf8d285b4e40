from typing import Any
from urllib.parse import parse_qsl, urlencode

from ..domain import errors, oauth, profile
from ..domain.client import host_of
from ..domain.errors import AccessDenied, InvalidRequest, LatchkeyError
from ..domain.model import User
from ..flows import authorize, browser, login, logout, signup
from ..flows.authorize import AskConsent, AskLogin, AskToLeave, Destination, Done, Redirect, Step
from ..flows.browser import Browser
from ..services import Services
from . import cookies, html, journal, stylesheet
from .door import Answer, Caller, Form
from .logout import note
from .visit import FIELDS, Visit, back, door, located, place, see, start_over, with_cookie

bp, page = door(__name__)

Pairs = tuple[tuple[str, str], ...]
# What a person may mend in the form itself; anything else is a page of its own.
MENDABLE = (errors.InvalidCredentials, errors.AccountDisabled, errors.TooManyRequests, errors.InvalidRequest)
MENDABLE_SIGN_UP = (
    errors.AccountDisabled,
    errors.TooManyRequests,
    errors.WeakPassword,
    errors.EmailTaken,
    errors.InvalidRequest,
)
# What we add to an authorization request when a form of ours sends the browser back to it.
DONE = {"latchkey_logged_in": Done.LOGGED_IN, "latchkey_chosen": Done.CHOSEN}
LONGEST_QUERY = 4096
CSS = "text/css; charset=utf-8"
KEPT_FOR_GOOD = {"Cache-Control": "public, max-age=31536000, immutable", "Content-Type": CSS}


class LongPassword(InvalidRequest):
    """A password that is longer than any of ours."""

    code = "long_password"


class LongName(InvalidRequest):
    """A name that does not fit on one line of a page."""

    code = "long_name"


@page("GET /oauth/authorize", takes=oauth.KNOWN)
def authorize_by_get(svc: Services, caller: Caller) -> Answer:
    """Begins a login for a client (RFC 6749 section 3.1)."""
    pairs = tuple(pair for pair in caller.query if pair[0] not in DONE)
    visit = Visit(svc, caller, dict(pairs))
    known = visit.browser()
    return _proceed(visit, pairs, known, done=_just_done(visit, known, urlencode(pairs)))


@page("POST /oauth/authorize", body=Form, takes=oauth.KNOWN)
def authorize_by_post(svc: Services, caller: Caller, form: Form) -> Answer:
    """The same with the request in a form (OpenID Connect Core 3.1.2.1)."""
    # A browser keeps its cookies back from another site's form, but not from the redirect that follows it.
    request = urlencode(form.pairs)
    if len(request) <= LONGEST_QUERY:
        return see(f"{svc.settings.issuer}/oauth/authorize?{request}")
    visit = Visit(svc, caller, dict(form.pairs))
    return _proceed(visit, form.pairs, visit.browser())


@page("POST /authorize/login", body=Form, takes=FIELDS | {"email", "password"})
def log_in_on_page(svc: Services, caller: Caller, form: Form) -> Answer:
    """The login form."""
    visit = Visit(svc, caller, dict(form.pairs))
    visit.check_form("login")
    try:
        known = _with_password(visit)
    except MENDABLE as refusal:
        malformed = isinstance(refusal, InvalidRequest)
        return _again(visit, "login.html", refusal, errors.InvalidCredentials.code if malformed else refusal.code)
    return _logged_in(visit, known)


def _with_password(visit: Visit) -> Browser:
    svc, fields = visit.svc, visit.fields
    address, password = fields.get("email", ""), fields.get("password", "")
    user, spent = login.authenticate(svc, address=address, password=password, network=visit.caller.network)
    return browser.log_in(svc, user, _left_by_others(visit, user), amr=login.PASSWORD, spent=spent)


def _left_by_others(visit: Visit, user: User) -> Browser | None:
    """What this browser was in before this login, if it is its user's; anybody else is logged out of it."""
    before = visit.before()
    if before is None or before.user.uid == user.uid:
        return before
    note(logout.end(visit.svc, before))
    return None


@page("POST /authorize/signup", body=Form, takes=FIELDS | {"email", "password", "name"})
def sign_up_on_page(svc: Services, caller: Caller, form: Form) -> Answer:
    """The sign-up form; without an address in it, the way to it."""
    visit = Visit(svc, caller, dict(form.pairs))
    visit.check_form("login")
    if "email" not in visit.fields:
        return _again(visit, "signup.html")
    try:
        known = _signed_up(visit)
    except MENDABLE_SIGN_UP as refusal:
        malformed = refusal.code == InvalidRequest.code
        return _again(visit, "signup.html", refusal, "invalid_email" if malformed else refusal.code)
    return _logged_in(visit, known)


def _signed_up(visit: Visit) -> Browser:
    user = _drafted(visit)
    grant = browser.draft(visit.svc, user, amr=login.PASSWORD)
    try:
        signup.create(visit.svc, user, first=grant)
    except errors.EmailTaken:
        # A button may be pressed twice: who knows the password of the account there is has just made it, or may log in.
        try:
            return _with_password(visit)
        except errors.InvalidCredentials:
            raise errors.EmailTaken() from None
    _left_by_others(visit, user)
    return Browser(user, grant)


def _drafted(visit: Visit) -> User:
    address, password, name = (visit.fields.get(field, "") for field in ("email", "password", "name"))
    if not profile.is_name(name):
        raise LongName()
    try:
        return signup.draft(visit.svc, address=address, password=password, name=name, network=visit.caller.network)
    except errors.LongPassword:
        raise LongPassword() from None


@page("POST /authorize/continue", body=Form, takes=FIELDS)
def continue_as_known(svc: Services, caller: Caller, form: Form) -> Answer:
    """The choice to go on as who is logged in already."""
    visit = Visit(svc, caller, dict(form.pairs))
    visit.check_form("login")
    known = visit.browser()
    return _onward(visit, known, Done.CHOSEN) if known else _again(visit, "login.html")


@page("POST /authorize/consent", body=Form, takes=FIELDS | {"shown", "decision"})
def consent(svc: Services, caller: Caller, form: Form) -> Answer:
    """The consent form."""
    visit = Visit(svc, caller, dict(form.pairs))
    known = visit.browser()
    pairs = tuple(parse_qsl(visit.request))
    if known is None and pairs:
        return _proceed(visit, pairs, None)
    shown = visit.fields.get("shown", "")
    visit.check_form("consent", known, shown)
    asked = _destination(visit, pairs)
    if visit.fields.get("decision") == "switch":
        return _ask_login(visit, AskLogin(asked.client, ""), asked, visit.request)
    if visit.fields.get("decision") != "allow":
        return _redirected(visit, authorize.refusal(svc, asked, AccessDenied()))
    step = authorize.next_step(svc, asked, known, done=Done.AGREED, shown=shown.split())
    return _answered(visit, asked, step, urlencode(pairs))


@page("GET /pages.css", media=(CSS,))
def style(svc: Services, _: Caller) -> Answer:
    """The stylesheet of all pages; they ask for it by its version, so it may be kept."""
    return Answer(body=stylesheet.stylesheet(svc.settings.brand.colour), headers=KEPT_FOR_GOOD)


def _just_done(visit: Visit, known: Browser | None, request: str) -> Done | None:
    """What this browser has just done for this very request, as a redirect of ours says."""
    if known is None:
        return None
    for name, mark in visit.caller.query:
        if name in DONE and browser.marked(visit.svc, mark, name, known.grant.gid, request):
            return DONE[name]
    return None


def _onward(visit: Visit, known: Browser, done: Done) -> Answer:
    """Back to what the login was for, by a redirect, so that nobody who goes back or reloads sends a form again."""
    issuer = visit.svc.settings.issuer
    if not visit.request:
        return see(start_over(issuer, visit.fields) or f"{issuer}/device")
    pairs = tuple(parse_qsl(visit.request))
    if len(visit.request) > LONGEST_QUERY:
        return _proceed(visit, pairs, known, done=done)
    name = next(name for name, what in DONE.items() if what is done)
    mark = browser.mark(visit.svc, name, known.grant.gid, visit.request)
    return see(f"{issuer}/oauth/authorize?{visit.request}&{urlencode({name: mark})}")


def _proceed(visit: Visit, pairs: Pairs, known: Browser | None, *, done: Done | None = None) -> Answer:
    asked = _destination(visit, pairs)
    step = authorize.next_step(visit.svc, asked, known, done=done)
    answer = _answered(visit, asked, step, urlencode(pairs))
    return visit.arrived(asked.pushed, answer) if asked.pushed else answer


def _destination(visit: Visit, pairs: Pairs) -> Destination:
    arrived = visit.has_arrived(dict(pairs).get("request_uri", ""))
    return authorize.destination(visit.svc, pairs, arrived=arrived)


def _answered(visit: Visit, asked: Destination, step: Step, request: str) -> Answer:
    if isinstance(step, Redirect):
        return _redirected(visit, step)
    if isinstance(step, AskLogin):
        return _ask_login(visit, step, asked, request)
    if isinstance(step, AskToLeave):
        return _ask_to_leave(visit, step.answer, asked)
    return _ask_consent(visit, step, asked, request)


def _ask_to_leave(visit: Visit, answer: Redirect, asked: Destination) -> Answer:
    by_form = answer.mode == "form_post"
    page = visit.show(
        "leaving.html",
        locales=asked.params.get("ui_locales", ""),
        sends_to=answer.uri,
        place=place(answer.uri),
        uri=answer.uri if by_form else located(answer.uri, answer.fields),
        fields=answer.fields if by_form else None,
        error=answer.fields["error"],
        told=answer.fields["error_description"],
    )
    return Answer(body=page.body, status=400, headers=page.headers)


def _ask_consent(visit: Visit, step: AskConsent, asked: Destination, request: str) -> Answer:
    shown = " ".join(step.scope)
    mark = browser.mark(visit.svc, "consent", step.browser.grant.gid, request, shown)
    return visit.show(
        "consent.html",
        locales=asked.params.get("ui_locales", ""),
        sends_to=asked.params["redirect_uri"],
        client=step.client,
        user=step.browser.user.email,
        scope=step.scope,
        api=html.api_name(visit.svc.settings, step.resource),
        user_code="",
        place=place(asked.params["redirect_uri"]),
        action="authorize/consent",
        hidden={"request": request, "shown": shown, "mark": mark},
    )


def _ask_login(visit: Visit, step: AskLogin, asked: Destination, request: str) -> Answer:
    return visit.form(
        "login.html",
        hidden={"request": request},
        error=None,
        email=step.hint,
        known=step.known.user.email if step.known else "",
        **_around(asked),
    )


def _around(asked: Destination) -> dict[str, Any]:
    return {
        "client": asked.client.client_name,
        "host": host_of(asked.client.client_id),
        "sends_to": asked.params["redirect_uri"],
        "locales": asked.params.get("ui_locales", ""),
    }


def _again(visit: Visit, template: str, refusal: LatchkeyError | None = None, error: str = "") -> Answer:
    """A form again with what is wrong with it, and all that was typed but the password."""
    around: dict[str, Any] = {"client": ""}
    if visit.request:
        around = _around(_destination(visit, tuple(parse_qsl(visit.request))))
    if refusal:
        journal.outcome(refusal)
    return visit.form(
        template,
        hidden={name: visit.fields[name] for name in ("request", "user_code") if name in visit.fields},
        error=error,
        email=visit.fields.get("email", ""),
        name=visit.fields.get("name", ""),
        known="",
        again=start_over(visit.svc.settings.issuer, visit.fields),
        **around,
    )


def _logged_in(visit: Visit, known: Browser) -> Answer:
    """Goes on with what the login was for, under a new session cookie."""
    svc = visit.svc
    journal.concerns(known.user.uid)
    seconds = known.grant.ends_at - svc.now()
    cookie = cookies.write(svc.settings, cookies.SESSION, browser.cookie_of(svc, known.grant), seconds=seconds)
    return with_cookie(_onward(visit, known, Done.LOGGED_IN), cookie)


def _redirected(visit: Visit, step: Redirect) -> Answer:
    if step.mode == "form_post":
        return visit.show("form_post.html", sends_to=step.uri, uri=step.uri, fields=step.fields)
    return back(step.uri, step.fields)
