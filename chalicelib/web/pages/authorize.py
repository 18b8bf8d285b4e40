from urllib.parse import urlencode

from ...domain.errors import TooManyRequests
from ...domain.oauth import parameters
from ...domain.oauth.client import host_of, loopback_host
from ...flows.oauth import authorize, pushed_requests
from ...flows.oauth.authorize import AskConsent, AskLogin, AskProof, AskToLeave, Step, UserAction
from ...flows.oauth.client_request import ClientRequest, Redirect
from ...flows.oauth.interactions import Interaction
from ...flows.platform.ids import new_id
from ...flows.sessions.browser import Browser
from ...services import Services
from ..http import request_log
from ..http.answers import Answer
from ..http.decoding import Form
from ..http.routing import Caller
from .login_form import LOG_IN, SIGN_UP, form_page, show_form
from .login_progress import redirect_to_step_up
from .page_request import AUTHORIZE, PageRequest, path_with_query, redirect, redirect_to_client, uri_with_query
from .page_routes import Pages
from .scopes import api_texts

pages = Pages(__name__)
api = pages.api

# The longest request that a page carries itself: the login form has it in four forms and two links, encoded twice there.
MAX_QUERY = 1200
# The longest for which an address has room, with the cookies beside it.
MAX_CARRIED = 3000


@pages.page(f"/{AUTHORIZE}", takes=parameters.AUTHORIZATION_REQUEST, destination=True)
def authorize_by_get(page_request: PageRequest) -> Answer:
    """Begins a login for a client (RFC 6749 section 3.1)."""
    browser_session, client_request = page_request.browser(), page_request.client_request
    interaction = page_request.interaction(browser_session)
    page_request = page_request.of_account(browser_session.user if browser_session else None)
    step = authorize.next_step(page_request.svc, client_request, browser_session, interaction=interaction)
    if isinstance(step, AskLogin | AskProof | AskConsent) and (short := _shortened(page_request, client_request)):
        return short
    answer = _show_step(page_request, client_request, step)
    return page_request.with_arrival_cookie(client_request.pushed_uri, answer) if client_request.pushed_uri else answer


@pages.route("POST /oauth/authorize", body=Form, takes=parameters.AUTHORIZATION_REQUEST)
def authorize_by_post(svc: Services, caller: Caller, form: Form) -> Answer:
    """The same with the request in a form (OpenID Connect Core 3.1.2.1)."""
    # A browser keeps its cookies back from another site's form, but not from the redirect that follows it.
    request = urlencode(form.pairs)
    if len(request) <= MAX_QUERY:
        return _redirect_to_authorize(svc, request)
    page_request = PageRequest(svc, caller, dict(form.pairs), path_with_query(AUTHORIZE, form.pairs))
    client_request = page_request.client_request
    if client_request.faults or client_request.object_error:
        return _show_step(page_request, client_request, authorize.next_step(svc, client_request, None))
    return _shortened(page_request, client_request) or _redirect_to_authorize(svc, request)


def _shortened(page_request: PageRequest, client_request: ClientRequest) -> Answer | None:
    """The redirect to what stands for a request, None for one that goes on as it is.

    Any site can use up what is kept for its visitors' network. While it is used up, a request goes on as it is if it can.
    """
    if not _is_shortened(page_request):
        return None
    try:
        return _redirect_shortened(page_request, client_request)
    except TooManyRequests:
        if len(page_request.request) > MAX_CARRIED:
            raise
        return None


def _is_shortened(page_request: PageRequest) -> bool:
    """Whether it goes on as another request, which stands for it: it is too long, or a request object, which may end soon."""
    sent, is_long = dict(page_request.query), len(page_request.request) > MAX_QUERY
    if _stored_uri(page_request):
        return is_long and not sent.keys() <= {"client_id", "request_uri"}
    return is_long or "request" in sent


def _stored_uri(page_request: PageRequest) -> str:
    """What stands for a request that is stored already, "" for none; whatever came beside it counts for nothing."""
    uri = dict(page_request.query).get("request_uri", "")
    return uri if uri.startswith((pushed_requests.PUSHED_REQUEST, pushed_requests.LONG_REQUEST)) else ""


def _redirect_to_authorize(svc: Services, request: str) -> Answer:
    return redirect(f"{svc.settings.issuer}/{AUTHORIZE}?{request}")


def _redirect_shortened(page_request: PageRequest, client_request: ClientRequest) -> Answer:
    if uri := _stored_uri(page_request):
        short_request = [("client_id", client_request.client.client_id), ("request_uri", uri)]
        return _redirect_to_authorize(page_request.svc, urlencode(short_request))
    short_request = pushed_requests.shorten(
        page_request.svc,
        client_request.client,
        client_request.params.items() if client_request.signed else page_request.query,
        signed=client_request.signed,
        network=page_request.caller.network,
    )
    return _redirect_to_authorize(page_request.svc, urlencode(short_request))


@pages.form(
    "/authorize/consent",
    name="consent",
    signed=("shown", "interaction"),
    takes=frozenset({"decision"}),
    page=AUTHORIZE,
    logged_in=True,
)
def consent(page_request: PageRequest, browser_session: Browser) -> Answer:
    """The consent form."""
    decision = page_request.fields.get("decision")
    if decision == "switch":
        return redirect(f"{page_request.svc.settings.issuer}/{form_page(page_request, 'login')}")
    scope, interaction_id = (page_request.fields.get(name, "") for name in ("shown", "interaction"))
    action = UserAction.CONSENTED if decision == "allow" else UserAction.DENIED
    return page_request.redirect_after(browser_session, Interaction(action.value, scope, interaction_id))


def _show_step(page_request: PageRequest, client_request: ClientRequest, step: Step) -> Answer:
    error_redirect = step.error_redirect if isinstance(step, AskToLeave) else step
    if isinstance(error_redirect, Redirect) and error_redirect.error:
        request_log.set_outcome(error_redirect.error)
    if isinstance(step, Redirect):
        return _redirect_to_client(page_request, step)
    if isinstance(step, AskLogin):
        form = SIGN_UP if step.sign_up else LOG_IN
        return show_form(
            page_request, form, client_request=client_request, browser_session=step.browser, email=step.login_hint
        )
    if isinstance(step, AskProof):
        return redirect_to_step_up(
            page_request, step.browser, least=step.least, acr_values=step.acr_values, essential=step.essential
        )
    if isinstance(step, AskToLeave):
        return _ask_to_leave(page_request, step.error_redirect, client_request)
    return _ask_consent(page_request, step, client_request)


def _redirect_to_client(page_request: PageRequest, step: Redirect) -> Answer:
    if step.mode == "form_post":
        return page_request.show("form_post.html", sends_to=step.uri, uri=step.uri, fields=step.fields)
    return redirect_to_client(step.uri, step.fields)


def _ask_to_leave(page_request: PageRequest, error_redirect: Redirect, client_request: ClientRequest) -> Answer:
    by_form = error_redirect.mode == "form_post"
    page = page_request.show(
        "leaving.html",
        locales=client_request.params.get("ui_locales", ""),
        sends_to=error_redirect.uri,
        place=host_of(error_redirect.uri),
        uri=error_redirect.uri if by_form else uri_with_query(error_redirect.uri, error_redirect.fields),
        fields=error_redirect.fields if by_form else None,
        error=error_redirect.fields["error"],
        description=error_redirect.fields["error_description"],
    )
    return Answer(body=page.body, status=400, headers=page.headers)


def _ask_consent(page_request: PageRequest, step: AskConsent, client_request: ClientRequest) -> Answer:
    return page_request.show(
        "consent.html",
        locales=client_request.params.get("ui_locales", ""),
        sends_to=client_request.params["redirect_uri"],
        client=step.client,
        user=step.browser.user.email,
        scope=step.scope,
        allowed=step.allowed,
        api=api_texts(page_request.svc.settings, step.resource),
        user_code="",
        place=host_of(client_request.params["redirect_uri"]),
        loopback=loopback_host(client_request.params["redirect_uri"]),
        action="authorize/consent",
        hidden=_consent_fields(page_request, step),
    )


def _consent_fields(page_request: PageRequest, step: AskConsent) -> dict[str, str]:
    scope, interaction_id = " ".join(step.scope), step.interaction_id or new_id()
    session_id = step.browser.session.session_id
    return page_request.hidden("consent", session_id, shown=scope, interaction=interaction_id)
