from collections.abc import Iterable
from urllib.parse import urlencode

from ...domain.oauth import authorization_request as oauth
from ...domain.oauth.client import host_of
from ...flows.platform import macs
from ...flows.sessions import logout
from ...flows.sessions.browser import Browser
from ...flows.sessions.logout import LogoutRequest
from ...services import Services
from ..http import request_log
from ..http.answers import Answer
from ..http.decoding import Form
from ..http.routing import Caller
from . import cookies
from .error_pages import pages_api
from .page_request import (
    FIELDS,
    LOGOUT,
    PageRequest,
    StalePage,
    page_request_of,
    path_with_query,
    redirect,
    redirect_to_client,
    uri_with_query,
    with_cookie,
)

api, page = pages_api(__name__)

FORM = "logout"


@page("GET /oauth/logout", takes=logout.KNOWN)
def log_out_by_get(svc: Services, caller: Caller) -> Answer:
    """Ends the browser's session for a client (OpenID Connect RP-Initiated Logout 1.0); asks the user where that is due."""
    logout_request = _logout_request(svc, caller, caller.query)
    pairs = [pair for pair in caller.query if pair[0] in logout.KNOWN]
    page_request = PageRequest(svc, caller, dict(caller.query), path_with_query(LOGOUT, pairs))
    browser_session = page_request.browser()
    if browser_session is None:
        may_redirect = bool(logout_request.uri) and logout_request.redirects_at_once
        return _redirect_onward(logout_request) if may_redirect else _show_logged_out(page_request, logout_request)
    if logout_request.is_of(svc, browser_session):
        may_redirect = bool(logout_request.uri)
        answer = _redirect_onward(logout_request) if may_redirect else _show_logged_out(page_request, logout_request)
        return _end(page_request, browser_session, answer)
    form_token = macs.mac(svc, FORM, browser_session.session.session_id, page_request.to)
    return page_request.show(
        "logout.html",
        sends_to=logout_request.uri,
        leads_on=bool(logout_request.uri),
        place=host_of(logout_request.uri),
        unregistered=logout_request.unregistered,
        hidden={"to": page_request.to, "form_token": form_token},
    )


@page("POST /oauth/logout", body=Form, takes=logout.KNOWN)
def log_out_by_post(svc: Services, _: Caller, form: Form) -> Answer:
    """The same with the request in a form."""
    # A browser keeps its cookies back from another site's form, but not from the redirect that follows it.
    return redirect(f"{svc.settings.issuer}/{LOGOUT}?{urlencode(form.pairs)}")


@page("POST /oauth/logout/confirm", body=Form, takes=FIELDS)
def log_out_on_page(svc: Services, caller: Caller, form: Form) -> Answer:
    """The form that asks whether to log out."""
    page_request = page_request_of(svc, caller, form.pairs)
    browser_session = page_request.browser()
    try:
        page_request.verify_form_token(FORM, browser_session)
    except StalePage:
        browser_session = None
    if browser_session is None:
        return page_request.start_over(LOGOUT)
    logout_request = _logout_request(svc, caller, page_request.query)
    # Who pressed the button has read where it leads, whoever the client is.
    answer = _redirect_onward(logout_request) if logout_request.uri else page_request.start_over(LOGOUT)
    return _end(page_request, browser_session, answer)


def _logout_request(svc: Services, caller: Caller, pairs: Iterable[tuple[str, str]]) -> LogoutRequest:
    return logout.check_request(svc, oauth.parse_parameters(pairs, known=logout.KNOWN), network=caller.network)


def _end(page_request: PageRequest, browser_session: Browser, answer: Answer) -> Answer:
    request_log.write_logout_failures(
        logout.end(page_request.svc, browser_session, network=page_request.caller.network)
    )
    return with_cookie(answer, cookies.write(page_request.svc.settings, cookies.SESSION, "", seconds=0))


def _redirect_onward(logout_request: LogoutRequest) -> Answer:
    return redirect_to_client(logout_request.uri, _fields(logout_request))


def _show_logged_out(page_request: PageRequest, logout_request: LogoutRequest) -> Answer:
    return page_request.show(
        "logged_out.html",
        onward=uri_with_query(logout_request.uri, _fields(logout_request)) if logout_request.uri else "",
        place=host_of(logout_request.uri),
        unregistered=logout_request.unregistered,
    )


def _fields(logout_request: LogoutRequest) -> dict[str, str]:
    return {"state": logout_request.state} if logout_request.state else {}
