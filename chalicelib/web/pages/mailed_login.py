"""A login by mail: the field for the code, and the page that the link leads to."""

import msgspec

from ...domain import errors
from ...domain.authentication.attempt import Attempt
from ...domain.errors import LoginExpired
from ...domain.records.sealed import SealedLoginLink
from ...flows.authentication import mailed_login
from ...flows.authentication.login import Progress
from ...flows.oauth import interactions
from ..http.answers import Answer
from . import form_errors, forms
from .login_form import LOG_IN, MAILED_LOGIN, client_values, form_page, mailed_page
from .login_progress import (
    LOGIN_PAGE,
    attempt_by_mail,
    begin_login,
    leads_here,
    redirect_after,
    start_over,
    with_attempt_cookie,
)
from .page_request import HOME, PageRequest, StalePage, redirect, verified_path
from .page_routes import LANGUAGE, Pages

pages = Pages(__name__)
api = pages.api

FORM = "mailed login"
# Where a login leads is carried beside its digest as far as that fits into a cookie with it; the link, in a tab of its own,
# has no other way to know. What is longer leads to the first page, and the tab that waits has the code's field.
RESUME, MAX_RESUME = "resume", 1500
FORM_ERRORS = (errors.InvalidCredentials, errors.TooManyRequests)


@pages.form("/authorize/mail", name=LOG_IN, page=LOGIN_PAGE, takes=frozenset({"email", "password", "passkeys"}))
def request_login_mail_on_page(page_request: PageRequest) -> Answer:
    """The login form, by its button for a mail; whatever a password manager has put into the other field is not looked at."""
    svc, address = page_request.svc, page_request.fields.get("email", "")
    attempt = begin_login(page_request)
    try:
        attempt = mailed_login.request(svc, attempt, address=address, agent=page_request.user_agent)
    except (errors.InvalidRequest, errors.TooManyRequests) as refusal:
        error = "invalid_email" if isinstance(refusal, errors.InvalidRequest) else refusal.code
        form = (LOG_IN, page_request.browser_token())
        return form_errors.redirect_with_errors(
            page_request, form_page(page_request, LOG_IN), form, refusal, error, email=address
        )
    if len(page_request.to) <= MAX_RESUME:
        attempt = attempt.with_request(**{RESUME: page_request.to})
    answer = redirect(f"{svc.settings.issuer}/{mailed_page(page_request)}")
    return with_attempt_cookie(page_request, answer, attempt)


@pages.page(f"/{MAILED_LOGIN}", takes=LANGUAGE | {"to", "token"})
def mailed_login_page(page_request: PageRequest) -> Answer:
    """Asks for the code, or whether it was you whose link was opened in the browser that asked for it.

    Opened elsewhere a link logs nobody in: the page shows the code, to be typed where it was asked for.
    """
    token = page_request.fields.get("token", "")
    try:
        link = mailed_login.read_link(page_request.svc, token) if token else None
    except errors.NotFound:
        return _show(page_request, "too_old", "")
    attempt = attempt_by_mail(page_request)
    if link and (attempt is None or attempt.id != link.attempt_id):
        return _show(page_request, "elsewhere", link.email, code=mailed_login.code(page_request.svc, link))
    if attempt is None or not (link or leads_here(page_request, attempt)):
        return redirect(f"{page_request.svc.settings.issuer}/{form_page(page_request, LOG_IN)}")
    return _ask(page_request, attempt, link, token)


def _ask(page_request: PageRequest, attempt: Attempt, link: SealedLoginLink | None, token: str) -> Answer:
    if link:
        to = verified_path(attempt.request.get(RESUME, "")) or page_request.to
        page_request = msgspec.structs.replace(page_request, to=to)
    return forms.show(
        page_request,
        "mailed_login.html",
        FORM,
        signed={"attempt": attempt.id, "token": token},
        state="link" if link else "code",
        user=link.email if link else attempt.request[mailed_login.ADDRESS],
        again=page_request.hidden(LOG_IN, page_request.browser_token()),
        code="",
        **client_values(page_request),
    )


def _show(page_request: PageRequest, state: str, user: str, *, code: str = "") -> Answer:
    return page_request.show(
        "mailed_login.html", state=state, user=user, code=code, error="", wait=0, **client_values(page_request)
    )


@pages.form(f"/{MAILED_LOGIN}", name=FORM, signed=("attempt", "token"), takes=frozenset({"code"}))
def log_in_by_mail_on_page(page_request: PageRequest) -> Answer:
    """The code, or the answer to the question of the link's page, from the browser that asked for the mail."""
    attempt = attempt_by_mail(page_request)
    try:
        if attempt is None:
            raise LoginExpired(reason="no login waits for a mail")
        if attempt.id != page_request.fields.get("attempt"):  # another tab's
            raise StalePage()
        if not leads_here(page_request, attempt) and page_request.to.partition("?")[0] != HOME:
            raise LoginExpired(reason="leads elsewhere")
        # By the link it may lead to the first page instead, and a further proof then leads there too.
        attempt = attempt.with_request(to=interactions.digest_of(page_request.to), **{RESUME: ""})
        return redirect_after(page_request, _prove(page_request, attempt))
    except LoginExpired:
        return start_over(page_request, page_request.browser())
    except FORM_ERRORS as refusal:
        limited = isinstance(refusal, errors.TooManyRequests)
        error, mistakes = (refusal.code, {}) if limited else ("wrong_answer", {"code": "wrong_answer"})
        form, page = (FORM, page_request.browser_token()), mailed_page(page_request)
        return form_errors.redirect_with_errors(page_request, page, form, refusal, error, mistakes=mistakes)


def _prove(page_request: PageRequest, attempt: Attempt) -> Progress:
    svc, fields, agent = page_request.svc, page_request.fields, page_request.user_agent
    if fields.get("token"):
        return mailed_login.with_link(svc, attempt, fields["token"], agent=agent)
    return mailed_login.with_code(svc, attempt, fields.get("code", ""), agent=agent)
