"""One proof more: the page between the password and what the login was for, where the account has more factors."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from ...domain.authentication.attempt import Attempt
from ...domain.errors import EnrolmentRequired, LoginExpired
from ...flows.authentication import login
from ...flows.authentication.factors import FACTORS
from ...flows.sessions.browser import Browser
from ..http.answers import Answer
from . import forms
from .login_form import client_values
from .login_progress import (
    ENROL,
    PROOF,
    STEP_UP,
    read_attempt,
    redirect_after_step,
    redirect_to_proof,
    start_over,
    step_page,
    take_step,
)
from .page_request import PageRequest, redirect
from .page_routes import LANGUAGE, Pages
from .proof_fields import proof_fields

pages = Pages(__name__)
api = pages.api

FORM = "proof"


@pages.page(f"/{PROOF}", takes=LANGUAGE | {"to"})
def show_proof(page_request: PageRequest) -> Answer:
    """Asks for one proof more, or which one it is to be."""
    browser_session = page_request.browser()
    try:
        attempt = read_attempt(page_request, browser_session)
        user, factors = login.missing(page_request.svc, attempt)
    except LoginExpired:
        return start_over(page_request, browser_session)
    except EnrolmentRequired:
        return redirect(f"{page_request.svc.settings.issuer}/{step_page(page_request, ENROL)}")
    factor = _factor(attempt, factors)
    return forms.show(
        page_request,
        "proof.html",
        FORM,
        signed={"attempt": attempt.id},
        user=user.email,
        **proof_fields(factor, partial(_challenge, page_request, attempt, factor)),
        remember_days=page_request.svc.settings.remembered_device_days if attempt.flow != STEP_UP else 0,
        others=[name for name in factors if name != factor],
        shown=list(json.loads(attempt.request["challenge"]).values()) if factor else [],
        **client_values(page_request),
    )


@pages.form(f"/{PROOF}", name=FORM, signed=("attempt",), takes=frozenset({"factor", "answer", "choose", "remember"}))
def prove_on_page(page_request: PageRequest) -> Answer:
    """The answer for a factor, or the choice of one."""
    return take_step(page_request, FORM, PROOF, partial(_take, page_request))


def _take(page_request: PageRequest, browser_session: Browser | None, attempt: Attempt) -> Answer:
    if "choose" in page_request.fields:
        return _choose(page_request, attempt, page_request.fields["choose"])
    return _answer(page_request, browser_session, attempt)


def _choose(page_request: PageRequest, attempt: Attempt, factor: str) -> Answer:
    challenge = _challenge(page_request, attempt, factor)
    if FACTORS[factor].by_script:  # made anew for each page: it is the same each time, and too long for a cookie
        challenge = {}
    return redirect_to_proof(page_request, attempt.with_request(factor=factor), challenge)


def _answer(page_request: PageRequest, browser_session: Browser | None, attempt: Attempt) -> Answer:
    factor, answer = (page_request.fields.get(name, "") for name in ("factor", "answer"))
    progress = login.prove(page_request.svc, attempt, factor=factor, answer=answer, agent=page_request.user_agent)
    return redirect_after_step(page_request, browser_session, attempt, progress)


def _factor(attempt: Attempt, factors: tuple[str, ...]) -> str:
    """The factor whose form is shown: the chosen one, or the first, if it sends nothing before; "" for none yet."""
    factor = attempt.request["factor"]
    if factor in factors:
        return factor
    return factors[0] if FACTORS[factors[0]].is_shown_first else ""


def _challenge(page_request: PageRequest, attempt: Attempt, factor: str) -> Mapping[str, Any]:
    return login.challenge(page_request.svc, attempt, factor=factor, agent=page_request.user_agent)
