from ...domain import errors
from ...domain.errors import LatchkeyError
from ...flows.oauth import device
from ...flows.oauth.interaction import Interaction
from ...flows.platform import macs
from ...flows.sessions.browser import Browser
from ...services import Services
from ..http.answers import Answer
from ..http.decoding import Form
from ..http.routing import Caller
from . import form_errors as mistakes
from . import html
from .error_pages import pages_api
from .login import form_page, show_form
from .page_request import DEVICE, FIELDS, PageRequest, place_of, redirect, visit_of

api, page = pages_api(__name__)

TYPED, ALLOWED, DENIED = "typed", "allowed", "denied"
OF_PLACE = frozenset({"user_code", "ui_locales"})


@page("GET /device", takes=OF_PLACE)
def device_page(svc: Services, caller: Caller) -> Answer:
    """Where a device sends its user to type a code (RFC 8628 section 3.3)."""
    place = place_of(DEVICE, [pair for pair in caller.query if pair[0] in OF_PLACE])
    visit = PageRequest(svc, caller, dict(caller.query), place)
    known = visit.browser()
    if known is None:
        return show_form(visit, "login")
    done = visit.done(known)
    if done is None:
        return _ask_code(visit, known)
    if done.did == TYPED:
        return _ask_decision(visit, known, done.shown)
    return visit.show("device_done.html", approved=done.did == ALLOWED)


@page("POST /device", body=Form, takes=FIELDS | {"user_code", "shown", "decision"})
def device_decision(svc: Services, caller: Caller, form: Form) -> Answer:
    """The code, then the decision."""
    visit = visit_of(svc, caller, form.pairs)
    known = visit.browser()
    if known is None:
        return visit.start_over(DEVICE)
    try:
        done = _decided(visit, known) if "decision" in visit.fields else _typed(visit, known)
    except (errors.NotFound, errors.TooManyRequests) as refusal:
        return _again(visit, known, refusal)
    return visit.onward(known, done) if done else redirect(f"{svc.settings.issuer}/{form_page(visit, 'login')}")


def _typed(visit: PageRequest, known: Browser) -> Interaction:
    visit.verify_form_token("device code", known)
    asked = device.waiting(visit.svc, visit.fields.get("user_code", ""), network=visit.caller.network, decider=known)
    return Interaction(TYPED, asked.user_code)


def _decided(visit: PageRequest, known: Browser) -> Interaction | None:
    code, shown, decision = (visit.fields.get(name, "") for name in ("user_code", "shown", "decision"))
    visit.verify_form_token("device decision", known, code, shown)
    if decision == "switch":
        return None
    asked = device.find(visit.svc, code, known, network=visit.caller.network)
    # Who has agreed has agreed to what was shown: what the client may have can have changed meanwhile.
    if decision == "allow" and not set(asked.scope) <= set(shown.split()):
        return Interaction(TYPED, code)
    device.decide(visit.svc, asked, known, approve=decision == "allow")
    return Interaction(ALLOWED if decision == "allow" else DENIED)


def _again(visit: PageRequest, known: Browser, refusal: LatchkeyError) -> Answer:
    error = "wrong_code" if isinstance(refusal, errors.NotFound) else refusal.code
    typed = visit.fields.get("user_code", "")
    return mistakes.tell(visit, visit.to, (DEVICE, known.session.session_id), refusal, error, user_code=typed)


def _ask_code(visit: PageRequest, known: Browser) -> Answer:
    mistake = mistakes.told(visit, (DEVICE, known.session.session_id))
    page = visit.show(
        "device.html",
        hidden={"to": visit.to, "form_token": macs.mac(visit.svc, "device code", known.session.session_id, visit.to)},
        user_code=mistake.typed.get("user_code") or visit.fields.get("user_code", ""),
        error=mistake.error,
        wait=mistake.wait,
    )
    return mistakes.forgotten(visit, mistake, page)


def _ask_decision(visit: PageRequest, known: Browser, code: str) -> Answer:
    try:
        asked = device.find(visit.svc, code, known, network=visit.caller.network)
    except errors.NotFound as refusal:
        return _again(visit, known, refusal)
    shown = " ".join(asked.scope)
    form_token = macs.mac(visit.svc, "device decision", known.session.session_id, visit.to, code, shown)
    return visit.show(
        "consent.html",
        client=asked.client,
        user=known.user.email,
        scope=asked.scope,
        api=html.api_name(visit.svc.settings, asked.resource),
        user_code=asked.user_code,
        action="device",
        hidden={"to": visit.to, "user_code": code, "shown": shown, "form_token": form_token},
    )
