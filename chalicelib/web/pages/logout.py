from urllib.parse import urlencode

from ...domain.errors import InvalidRequest
from ...domain.oauth import parameters
from ...domain.oauth.client import host_of
from ...flows.sessions import logout
from ...flows.sessions.browser import Browser
from ...flows.sessions.logout import LogoutRequest
from ...services import Services
from ..http import request_log
from ..http.answers import Answer
from ..http.decoding import Form
from ..http.routing import Caller
from . import cookies, forms
from .page_request import PageRequest, StalePage, redirect, redirect_to_client, uri_with_query, with_cookie
from .page_routes import Pages

pages = Pages(__name__)
api = pages.api

LOGOUT, FORM = "oauth/logout", "logout"


@pages.page("/oauth/logout", takes=logout.KNOWN, destination=True)
def log_out_by_get(page_request: PageRequest) -> Answer:
    """Ends the browser's session for a client (OpenID Connect RP-Initiated Logout 1.0); asks the user where that is due."""
    logout_request = _logout_request(page_request)
    browser_session = page_request.browser()
    if browser_session is None:
        return _answer_without_browser(page_request, logout_request)
    if logout_request.is_of(page_request.svc, browser_session):
        may_redirect = bool(logout_request.uri)
        answer = _redirect_onward(logout_request) if may_redirect else _show_logged_out(page_request, logout_request)
        return _end(page_request, browser_session, answer)
    return forms.show(
        page_request,
        "logout.html",
        FORM,
        browser_session,
        sends_to=logout_request.uri,
        leads_on=bool(logout_request.uri),
        place=host_of(logout_request.uri),
        unregistered=logout_request.unregistered,
    )


@pages.route("POST /oauth/logout", body=Form, takes=logout.KNOWN)
def log_out_by_post(svc: Services, _: Caller, form: Form) -> Answer:
    """The same with the request in a form."""
    # A browser keeps its cookies back from another site's form, but not from the redirect that follows it.
    return redirect(f"{svc.settings.issuer}/{LOGOUT}?{urlencode(form.pairs)}")


@pages.form("/oauth/logout/confirm")
def log_out_on_page(page_request: PageRequest) -> Answer:
    """The form that asks whether to log out."""
    browser_session = page_request.browser()
    try:
        page_request.verify_form_token(FORM, browser_session)
    except StalePage:
        browser_session = None
    if browser_session is None:
        return page_request.start_over(LOGOUT)
    logout_request = _logout_request(page_request)
    # Who pressed the button has read where it leads, whoever the client is.
    answer = _redirect_onward(logout_request) if logout_request.uri else page_request.start_over(LOGOUT)
    return _end(page_request, browser_session, answer)


def _answer_without_browser(page_request: PageRequest, logout_request: LogoutRequest) -> Answer:
    """For a browser in which nobody is logged in, or a client's own server (oauth2-proxy's `--backend-logout-url`)."""
    ended = logout.end_by_hint(page_request.svc, logout_request, network=page_request.caller.network)
    if logout_request.uri and logout_request.redirects_at_once:
        return _redirect_onward(logout_request)
    # Who brings a hint wants its session ended, and is told if it was not.
    ended = ended or "id_token_hint" not in dict(page_request.query)
    return _show_logged_out(page_request, logout_request, ended=ended)


def _logout_request(page_request: PageRequest) -> LogoutRequest:
    params = parameters.parse(page_request.query, known=logout.KNOWN)
    logout_request = logout.check_request(page_request.svc, params, network=page_request.caller.network)
    if logout_request.unregistered:  # which refuses no more than the way back
        request_log.set_outcome(
            InvalidRequest("The post_logout_redirect_uri is not one of the client's.", reason="post-logout URI")
        )
    return logout_request


def _end(page_request: PageRequest, browser_session: Browser, answer: Answer) -> Answer:
    logout.end(page_request.svc, browser_session, network=page_request.caller.network)
    return with_cookie(answer, cookies.write(page_request.svc.settings, cookies.SESSION, "", seconds=0))


def _redirect_onward(logout_request: LogoutRequest) -> Answer:
    return redirect_to_client(logout_request.uri, _fields(logout_request))


def _show_logged_out(page_request: PageRequest, logout_request: LogoutRequest, *, ended: bool = True) -> Answer:
    return page_request.show(
        "logged_out.html",
        ended=ended,
        onward=uri_with_query(logout_request.uri, _fields(logout_request)) if logout_request.uri else "",
        place=host_of(logout_request.uri),
        unregistered=logout_request.unregistered,
    )


def _fields(logout_request: LogoutRequest) -> dict[str, str]:
    return {"state": logout_request.state} if logout_request.state else {}
