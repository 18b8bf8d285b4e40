from ...domain import errors
from ...domain.errors import LatchkeyError
from ...flows.oauth import device
from ...flows.oauth.interactions import Interaction
from ...flows.platform import macs
from ...flows.sessions.browser import Browser
from ...services import Services
from ..http.answers import Answer
from ..http.decoding import Form
from ..http.routing import Caller
from . import form_errors, html
from .error_pages import pages_api
from .login import form_page, show_form
from .page_request import DEVICE, FIELDS, PageRequest, page_request_of, path_with_query, redirect

api, page = pages_api(__name__)

TYPED, ALLOWED, DENIED = "typed", "allowed", "denied"
PARAMETERS = frozenset({"user_code", "ui_locales"})


@page("GET /device", takes=PARAMETERS)
def device_page(svc: Services, caller: Caller) -> Answer:
    """Where a device sends its user to type a code (RFC 8628 section 3.3)."""
    path = path_with_query(DEVICE, [pair for pair in caller.query if pair[0] in PARAMETERS])
    page_request = PageRequest(svc, caller, dict(caller.query), path)
    browser_session = page_request.browser()
    if browser_session is None:
        return show_form(page_request, "login")
    interaction = page_request.interaction(browser_session)
    if interaction is None:
        return _ask_code(page_request, browser_session)
    if interaction.action == TYPED:
        return _ask_decision(page_request, browser_session, interaction.detail)
    return page_request.show("device_done.html", approved=interaction.action == ALLOWED)


@page("POST /device", body=Form, takes=FIELDS | {"user_code", "shown", "decision"})
def device_decision(svc: Services, caller: Caller, form: Form) -> Answer:
    """The code, then the decision."""
    page_request = page_request_of(svc, caller, form.pairs)
    browser_session = page_request.browser()
    if browser_session is None:
        return page_request.start_over(DEVICE)
    try:
        handle = _decide if "decision" in page_request.fields else _enter_code
        interaction = handle(page_request, browser_session)
    except (errors.NotFound, errors.TooManyRequests) as refusal:
        return _redirect_with_errors(page_request, browser_session, refusal)
    if interaction is None:
        return redirect(f"{svc.settings.issuer}/{form_page(page_request, 'login')}")
    return page_request.redirect_after(browser_session, interaction)


def _enter_code(page_request: PageRequest, browser_session: Browser) -> Interaction:
    page_request.verify_form_token("device code", browser_session)
    device_request = device.find_by_typed_code(
        page_request.svc,
        page_request.fields.get("user_code", ""),
        network=page_request.caller.network,
        browser=browser_session,
    )
    return Interaction(TYPED, device_request.user_code)


def _decide(page_request: PageRequest, browser_session: Browser) -> Interaction | None:
    code, scope, decision = (page_request.fields.get(name, "") for name in ("user_code", "shown", "decision"))
    page_request.verify_form_token("device decision", browser_session, code, scope)
    if decision == "switch":
        return None
    device_request = device.find(page_request.svc, code, browser_session, network=page_request.caller.network)
    # The decision covers the scopes that the page showed: what the client may have can have changed meanwhile.
    if decision == "allow" and not set(device_request.scope) <= set(scope.split()):
        return Interaction(TYPED, code)
    device.decide(page_request.svc, device_request, browser_session, approve=decision == "allow")
    return Interaction(ALLOWED if decision == "allow" else DENIED)


def _redirect_with_errors(page_request: PageRequest, browser_session: Browser, refusal: LatchkeyError) -> Answer:
    error = "wrong_code" if isinstance(refusal, errors.NotFound) else refusal.code
    user_code = page_request.fields.get("user_code", "")
    return form_errors.redirect_with_errors(
        page_request, page_request.to, (DEVICE, browser_session.session.session_id), refusal, error, user_code=user_code
    )


def _ask_code(page_request: PageRequest, browser_session: Browser) -> Answer:
    form_error = form_errors.read(page_request, (DEVICE, browser_session.session.session_id))
    page = page_request.show(
        "device.html",
        hidden={
            "to": page_request.to,
            "form_token": macs.mac(
                page_request.svc, "device code", browser_session.session.session_id, page_request.to
            ),
        },
        user_code=form_error.fields.get("user_code") or page_request.fields.get("user_code", ""),
        error=form_error.error,
        wait=form_error.wait,
    )
    return form_errors.clear(page_request, form_error, page)


def _ask_decision(page_request: PageRequest, browser_session: Browser, code: str) -> Answer:
    try:
        device_request = device.find(page_request.svc, code, browser_session, network=page_request.caller.network)
    except errors.NotFound as refusal:
        return _redirect_with_errors(page_request, browser_session, refusal)
    scope = " ".join(device_request.scope)
    form_token = macs.mac(
        page_request.svc, "device decision", browser_session.session.session_id, page_request.to, code, scope
    )
    return page_request.show(
        "consent.html",
        client=device_request.client,
        user=browser_session.user.email,
        scope=device_request.scope,
        api=html.api_name(page_request.svc.settings, device_request.resource),
        user_code=device_request.user_code,
        action="device",
        hidden={"to": page_request.to, "user_code": code, "shown": scope, "form_token": form_token},
    )
