from ..domain import errors
from ..domain.errors import LatchkeyError
from ..flows import browser, device
from ..flows.browser import Browser
from ..services import Services
from . import html, journal
from .door import Answer, Caller, Form
from .visit import FIELDS, Visit, door

bp, page = door(__name__)


@page("GET /device", takes=frozenset({"user_code"}))
def device_page(svc: Services, caller: Caller) -> Answer:
    """Where a device sends its user to type a code (RFC 8628 section 3.3)."""
    visit = Visit(svc, caller, dict(caller.query))
    known = visit.browser()
    return _ask_code(visit, known) if known else _ask_login(visit)


@page("POST /device", body=Form, takes=FIELDS | {"decision"})
def device_decision(svc: Services, caller: Caller, form: Form) -> Answer:
    """The code, then the decision."""
    visit = Visit(svc, caller, dict(form.pairs))
    known = visit.browser()
    if known is None:
        return _ask_login(visit)
    visit.check_form("device", known)
    decision = visit.fields.get("decision")
    if decision == "switch":
        return _ask_login(visit)
    try:
        asked = device.waiting(svc, visit.fields.get("user_code", ""), network=caller.network, decider=known)
        if decision is None:
            return _ask_decision(visit, known, asked)
        device.decide(svc, asked, known, approve=decision == "allow")
    except (errors.NotFound, errors.TooManyRequests) as refusal:
        return _ask_code(visit, known, refusal)
    return visit.show("device_done.html", approved=decision == "allow")


def _ask_login(visit: Visit) -> Answer:
    hidden = {"user_code": visit.fields.get("user_code", "")}
    return visit.form("login.html", hidden=hidden, error=None, email="", known="", client="")


def _ask_code(visit: Visit, known: Browser, refusal: LatchkeyError | None = None) -> Answer:
    error = ""
    if refusal:
        journal.outcome(refusal)
        error = "wrong_code" if isinstance(refusal, errors.NotFound) else refusal.code
    hidden = {"mark": browser.mark(visit.svc, "device", known.grant.gid, "")}
    return visit.show("device.html", hidden=hidden, user_code=visit.fields.get("user_code", ""), error=error)


def _ask_decision(visit: Visit, known: Browser, asked: device.Waiting) -> Answer:
    code = visit.fields["user_code"]
    return visit.show(
        "consent.html",
        client=asked.client,
        user=known.user.email,
        scope=asked.scope,
        api=html.api_name(visit.svc.settings, asked.resource),
        user_code=asked.user_code,
        action="device",
        hidden={"user_code": code, "mark": browser.mark(visit.svc, "device", known.grant.gid, "")},
    )
