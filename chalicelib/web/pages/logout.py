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
    located,
    place_of,
    redirect,
    redirect_to_client,
    visit_of,
    with_cookie,
)

api, page = pages_api(__name__)

FORM = "logout"


@page("GET /oauth/logout", takes=logout.KNOWN)
def log_out_by_get(svc: Services, caller: Caller) -> Answer:
    """Ends the browser's session for a client (OpenID Connect RP-Initiated Logout 1.0); asks the user where that is due."""
    leaving = _asked(svc, caller, caller.query)
    pairs = [pair for pair in caller.query if pair[0] in logout.KNOWN]
    visit = PageRequest(svc, caller, dict(caller.query), place_of(LOGOUT, pairs))
    known = visit.browser()
    if known is None:
        return _sent_on(leaving) if leaving.uri and leaving.redirects_at_once else _stay(visit, leaving)
    if leaving.is_of(svc, known):
        return _end(visit, known, _sent_on(leaving) if leaving.uri else _stay(visit, leaving))
    form_token = macs.mac(svc, FORM, known.session.session_id, visit.to)
    return visit.show(
        "logout.html",
        sends_to=leaving.uri,
        leads_on=bool(leaving.uri),
        place=host_of(leaving.uri),
        unregistered=leaving.unregistered,
        hidden={"to": visit.to, "form_token": form_token},
    )


@page("POST /oauth/logout", body=Form, takes=logout.KNOWN)
def log_out_by_post(svc: Services, _: Caller, form: Form) -> Answer:
    """The same with the request in a form."""
    # A browser keeps its cookies back from another site's form, but not from the redirect that follows it.
    return redirect(f"{svc.settings.issuer}/{LOGOUT}?{urlencode(form.pairs)}")


@page("POST /oauth/logout/confirm", body=Form, takes=FIELDS)
def log_out_on_page(svc: Services, caller: Caller, form: Form) -> Answer:
    """The form that asks whether to log out."""
    visit = visit_of(svc, caller, form.pairs)
    known = visit.browser()
    try:
        visit.verify_form_token(FORM, known)
    except StalePage:
        known = None
    if known is None:
        return visit.start_over(LOGOUT)
    leaving = _asked(svc, caller, visit.query)
    # Who pressed the button has read where it leads, whoever the client is.
    return _end(visit, known, _sent_on(leaving) if leaving.uri else visit.start_over(LOGOUT))


def _asked(svc: Services, caller: Caller, pairs: Iterable[tuple[str, str]]) -> LogoutRequest:
    return logout.check_request(svc, oauth.parse_parameters(pairs, known=logout.KNOWN), network=caller.network)


def _end(visit: PageRequest, known: Browser, answer: Answer) -> Answer:
    request_log.untold(logout.end(visit.svc, known, network=visit.caller.network))
    return with_cookie(answer, cookies.write(visit.svc.settings, cookies.SESSION, "", seconds=0))


def _sent_on(leaving: LogoutRequest) -> Answer:
    return redirect_to_client(leaving.uri, _fields(leaving))


def _stay(visit: PageRequest, leaving: LogoutRequest) -> Answer:
    return visit.show(
        "logged_out.html",
        onward=located(leaving.uri, _fields(leaving)) if leaving.uri else "",
        place=host_of(leaving.uri),
        unregistered=leaving.unregistered,
    )


def _fields(leaving: LogoutRequest) -> dict[str, str]:
    return {"state": leaving.state} if leaving.state else {}
