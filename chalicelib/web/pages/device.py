import msgspec

from ...domain import errors
from ...domain.authentication import levels
from ...domain.errors import LatchkeyError
from ...flows.oauth import device
from ...flows.oauth.device import DeviceRequest
from ...flows.oauth.interactions import Interaction
from ...flows.sessions.browser import Browser
from ..http.answers import Answer
from . import form_errors, forms
from .login_form import form_page
from .login_progress import redirect_to_step_up
from .page_request import PageRequest, path_with_query, redirect
from .page_routes import LANGUAGE, Pages
from .scopes import api_texts

pages = Pages(__name__)
api = pages.api

TYPED, ALLOWED, DENIED = "typed", "allowed", "denied"
CODE_FORM, DECISION_FORM = "device code", "device decision"


@pages.page("/device", takes=LANGUAGE | {"user_code"}, logged_in=True)
def device_page(page_request: PageRequest, browser_session: Browser) -> Answer:
    """Where a device sends its user to type a code (RFC 8628 section 3.3).

    With the code in the link it asks for the decision at once, and shows the code to compare (section 3.3.1). In a link
    of another site the code is but typed in: that site could use up the tries of everybody in this network.
    """
    interaction, user_code = page_request.interaction(browser_session), page_request.fields.get("user_code", "")
    if interaction is None and user_code and not page_request.is_from_another_site:
        return _open(page_request, browser_session)
    if interaction is None:
        return forms.show(page_request, "device.html", CODE_FORM, browser_session, user_code=user_code)
    if interaction.action == TYPED:
        return _ask_again(page_request, browser_session, interaction.detail)
    return page_request.show("device_done.html", approved=interaction.action == ALLOWED)


@pages.form("/device", takes=frozenset({"user_code", "shown", "decision"}), logged_in=True)
def device_decision(page_request: PageRequest, browser_session: Browser) -> Answer:
    """The code, then the decision."""
    try:
        handle = _decide if "decision" in page_request.fields else _enter_code
        interaction = handle(page_request, browser_session)
    except (errors.NotFound, errors.TooManyRequests) as refusal:
        return _redirect_with_errors(page_request, browser_session, refusal)
    if interaction is None:
        return redirect(f"{page_request.svc.settings.issuer}/{form_page(page_request, 'login')}")
    # What was done is not done once more by a link with the code.
    return _without_code(page_request).redirect_after(browser_session, interaction)


def _enter_code(page_request: PageRequest, browser_session: Browser) -> Interaction:
    page_request.verify_form_token(CODE_FORM, browser_session)
    return Interaction(TYPED, _find(page_request, browser_session).user_code)


def _find(page_request: PageRequest, browser_session: Browser) -> DeviceRequest:
    code, network = page_request.fields.get("user_code", ""), page_request.caller.network
    return device.find_by_typed_code(page_request.svc, code, network=network, browser=browser_session)


def _decide(page_request: PageRequest, browser_session: Browser) -> Interaction | None:
    code, scope, decision = (page_request.fields.get(name, "") for name in ("user_code", "shown", "decision"))
    page_request.verify_form_token(DECISION_FORM, browser_session, code, scope)
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
    page_request = _without_code(page_request)
    return form_errors.redirect_with_errors(
        page_request,
        page_request.to,
        (CODE_FORM, browser_session.session.session_id),
        refusal,
        error,
        user_code=user_code,
    )


def _without_code(page_request: PageRequest, *also: tuple[str, str]) -> PageRequest:
    """The same, leading to the page without a code in its link, with what is to be there `also`."""
    query = [pair for pair in page_request.query if pair[0] != "user_code"]
    return msgspec.structs.replace(page_request, to=path_with_query("device", [*query, *also]))


def _open(page_request: PageRequest, browser_session: Browser) -> Answer:
    try:
        device_request = _find(page_request, browser_session)
    except (errors.NotFound, errors.TooManyRequests) as refusal:
        return _redirect_with_errors(page_request, browser_session, refusal)
    return _ask_decision(page_request, browser_session, device_request)


def _ask_again(page_request: PageRequest, browser_session: Browser, code: str) -> Answer:
    try:
        device_request = device.find(page_request.svc, code, browser_session, network=page_request.caller.network)
    except errors.NotFound as refusal:
        return _redirect_with_errors(page_request, browser_session, refusal)
    return _ask_decision(page_request, browser_session, device_request)


def _ask_decision(page_request: PageRequest, browser_session: Browser, device_request: DeviceRequest) -> Answer:
    least = device.least_level(page_request.svc, device_request)
    if least and not levels.reaches(browser_session.session.amr, (least,)):
        # Back with the code typed in: what was done before the further proof is not done any more.
        request_again = _without_code(page_request, ("user_code", device_request.user_code))
        return redirect_to_step_up(request_again, browser_session, least=least)
    scope = " ".join(device_request.scope)
    session_id = browser_session.session.session_id
    return page_request.show(
        "consent.html",
        client=device_request.client,
        user=browser_session.user.email,
        scope=device_request.scope,
        allowed=frozenset(),
        api=api_texts(page_request.svc.settings, device_request.resource),
        user_code=device_request.user_code,
        loopback="",
        action="device",
        hidden=page_request.hidden(DECISION_FORM, session_id, user_code=device_request.user_code, shown=scope),
    )
