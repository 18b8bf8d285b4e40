"""A factor to be added before a login goes on: the page after the password, where more is needed than the account has."""

import json
from functools import partial

from ...domain.accounts.model import User
from ...domain.authentication.attempt import Attempt
from ...domain.errors import EnrolmentRequired, LoginExpired, LoginRequired
from ...flows.authentication import enrolment, login_enrolment
from ...flows.authentication.enrolment import PendingEnrolment
from ...flows.authentication.factors import FACTORS, passkey
from ...flows.platform import passkey_domain
from ...flows.sessions.browser import Browser
from ..http.answers import Answer
from . import forms
from .error_pages import REFUSALS
from .login_form import client_values
from .login_progress import ENROL, read_attempt, redirect_after_step, redirect_to_step, start_over, take_step
from .page_request import PageRequest
from .page_routes import LANGUAGE, Pages

pages = Pages(__name__)
api = pages.api

FORM = "enrol"


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
    new_passkey = _begin_passkey(page_request, attempt, user) if passkey.NAME in kinds else None
    if not names and not new_passkey:
        raise EnrolmentRequired(uid=user.uid)
    kind, challenge = _challenge_of(page_request, attempt, user)
    return forms.show(
        page_request,
        "enrol.html",
        FORM,
        signed={"attempt": attempt.id},
        user=user.email,
        kind=kind,
        is_number=bool(kind) and FACTORS[kind].is_number,
        others=[name for name in names if name != kind],
        challenge=challenge,
        new_passkey=new_passkey and {"enrolment": new_passkey.token, "options": json.dumps(new_passkey.challenge)},
        **client_values(page_request),
    )


@pages.form(f"/{ENROL}", name=FORM, signed=("attempt",), takes=frozenset({"answer", "choose"}))
def enrol_on_page(page_request: PageRequest) -> Answer:
    """The choice of a factor, or its first answer."""
    return take_step(page_request, FORM, ENROL, partial(_take, page_request))


@pages.form(f"/{ENROL}/passkey", name=FORM, signed=("attempt",), takes=frozenset({"answer", "enrolment"}))
def enrol_passkey_on_page(page_request: PageRequest) -> Answer:
    """The passkey that was made on the page."""
    return take_step(page_request, FORM, ENROL, partial(_take_passkey, page_request), wrong="passkey_not_added")


def _take(page_request: PageRequest, browser_session: Browser | None, attempt: Attempt) -> Answer:
    if "choose" in page_request.fields:
        return _begin(page_request, attempt, page_request.fields["choose"])
    return _finish(page_request, browser_session, attempt, attempt.request.get("enrolment", ""))


def _take_passkey(page_request: PageRequest, browser_session: Browser | None, attempt: Attempt) -> Answer:
    return _finish(page_request, browser_session, attempt, page_request.fields.get("enrolment", ""))


def _begin_passkey(page_request: PageRequest, attempt: Attempt, user: User) -> PendingEnrolment | None:
    """What the page's script makes a passkey by, without a step before it, after which some browsers would make none."""
    if not passkey_domain.is_name(page_request.svc):
        return None
    return enrolment.begin(page_request.svc, user, page_request.user_agent, kind=passkey.NAME, holder=attempt.id)


def _challenge_of(page_request: PageRequest, attempt: Attempt, user: User) -> tuple[str, dict[str, str]]:
    token = attempt.request.get("enrolment", "")
    try:
        kind, challenge = enrolment.reopen(page_request.svc, user, token, holder=attempt.id) if token else ("", {})
    except LoginExpired:
        return "", {}
    return kind, dict(challenge)


def _begin(page_request: PageRequest, attempt: Attempt, kind: str) -> Answer:
    pending = login_enrolment.begin(page_request.svc, attempt, kind=kind, agent=page_request.user_agent)
    return redirect_to_step(page_request, attempt.with_request(enrolment=pending.token), ENROL)


def _finish(page_request: PageRequest, browser_session: Browser | None, attempt: Attempt, token: str) -> Answer:
    progress = login_enrolment.finish(
        page_request.svc,
        attempt,
        token,
        answer=page_request.fields.get("answer", ""),
        name="",
        agent=page_request.user_agent,
    )
    return redirect_after_step(page_request, browser_session, attempt, progress)
