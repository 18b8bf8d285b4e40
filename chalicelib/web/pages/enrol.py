"""A factor to be added before a login goes on: the page after the password, where more is needed than the account has."""

from ...domain import errors
from ...domain.accounts.model import User
from ...domain.authentication.attempt import Attempt
from ...domain.errors import EnrolmentRequired, LoginExpired, LoginRequired
from ...flows.authentication import enrolment, login_enrolment
from ...flows.authentication.login import Incomplete
from ...flows.sessions.browser import Browser
from ..http.answers import Answer
from . import form_errors, forms
from .error_pages import REFUSALS
from .login_form import client_values
from .login_progress import (
    ENROL,
    STEP_UP,
    read_attempt,
    redirect_after,
    redirect_after_step_up,
    redirect_to_step,
    start_over,
    step_page,
)
from .page_request import PageRequest, StalePage
from .page_routes import LANGUAGE, Pages

pages = Pages(__name__)
api = pages.api

FORM = "enrol"
FORM_ERRORS = (errors.InvalidCredentials, errors.TooManyRequests, errors.InvalidRequest)


@pages.page(f"/{ENROL}", takes=LANGUAGE | {"to"}, errors=(*REFUSALS, EnrolmentRequired))
def show_enrolment(page_request: PageRequest) -> Answer:
    """Asks which factor is to be added, or shows what it takes and asks for its first answer."""
    browser_session = page_request.browser()
    try:
        attempt = read_attempt(page_request, browser_session)
        user, kinds = login_enrolment.due(page_request.svc, attempt)
    except LoginExpired:
        return start_over(page_request, browser_session)
    except LoginRequired:
        return start_over(page_request, None)
    names = [kind for kind in kinds if kind in enrolment.kinds_on_pages(page_request.svc)]
    if not names:
        raise EnrolmentRequired(uid=user.uid)
    kind, challenge = _challenge_of(page_request, attempt, user)
    return forms.show(
        page_request,
        "enrol.html",
        FORM,
        signed={"attempt": attempt.id},
        user=user.email,
        kind=kind,
        others=[name for name in names if name != kind],
        challenge=challenge,
        **client_values(page_request),
    )


@pages.form(f"/{ENROL}", name=FORM, signed=("attempt",), takes=frozenset({"answer", "choose"}))
def enrol_on_page(page_request: PageRequest) -> Answer:
    """The choice of a factor, or its first answer."""
    browser_session, fields = page_request.browser(), page_request.fields
    try:
        attempt = read_attempt(page_request, browser_session)
        if attempt.id != fields.get("attempt"):  # another tab's
            raise StalePage()
        if "choose" in fields:
            return _begin(page_request, attempt, fields["choose"])
        return _finish(page_request, browser_session, attempt)
    except LoginExpired:
        return start_over(page_request, browser_session)
    except LoginRequired:
        return start_over(page_request, None)
    except FORM_ERRORS as refusal:
        error = refusal.code if isinstance(refusal, errors.TooManyRequests) else "wrong_answer"
        form = (FORM, page_request.browser_token())
        return form_errors.redirect_with_errors(page_request, step_page(page_request, ENROL), form, refusal, error)


def _challenge_of(page_request: PageRequest, attempt: Attempt, user: User) -> tuple[str, dict[str, str]]:
    token = attempt.request.get("enrolment", "")
    try:
        kind, challenge = enrolment.reopen(page_request.svc, user, token, holder=attempt.id) if token else ("", {})
    except LoginExpired:
        return "", {}
    return kind, dict(challenge)


def _begin(page_request: PageRequest, attempt: Attempt, kind: str) -> Answer:
    begun = login_enrolment.begin(page_request.svc, attempt, kind=kind, agent=page_request.user_agent)
    return redirect_to_step(page_request, attempt.with_request(enrolment=begun.token), ENROL)


def _finish(page_request: PageRequest, browser_session: Browser | None, attempt: Attempt) -> Answer:
    progress = login_enrolment.finish(
        page_request.svc,
        attempt,
        attempt.request.get("enrolment", ""),
        answer=page_request.fields.get("answer", ""),
        name="",
        agent=page_request.user_agent,
    )
    if attempt.flow == STEP_UP and browser_session and not isinstance(progress, Incomplete):
        return redirect_after_step_up(page_request, browser_session, progress)
    return redirect_after(page_request, progress)
