from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode

from ..domain import oauth
from ..flows import browser, logout
from ..flows.browser import Browser
from ..flows.logout import Failure, Leaving
from ..services import Services
from . import cookies, journal
from .door import Answer, Caller, Form
from .visit import FIELDS, StalePage, Visit, back, door, located, place, see, with_cookie

bp, page = door(__name__)

PATH = "/oauth/logout"
MARK = "logout"


@page("GET /oauth/logout", takes=logout.KNOWN)
def log_out_by_get(svc: Services, caller: Caller) -> Answer:
    """Ends the browser's session for a client (OpenID Connect RP-Initiated Logout 1.0); asks the user where that is due."""
    leaving = _asked(svc, caller.query)
    visit = Visit(svc, caller, dict(caller.query))
    known = visit.browser()
    if known is None:
        return _sent_on(leaving) if leaving.uri and leaving.unasked else _stay(visit, leaving)
    if leaving.is_of(svc, known):
        return _end(visit, known, _sent_on(leaving) if leaving.uri else _stay(visit, leaving))
    request = urlencode([pair for pair in caller.query if pair[0] in logout.KNOWN])
    mark = browser.mark(svc, MARK, known.grant.gid, request)
    return visit.show(
        "logout.html",
        sends_to=leaving.uri,
        leads_on=bool(leaving.uri),
        place=place(leaving.uri),
        unregistered=leaving.unregistered,
        hidden={"request": request, "mark": mark},
    )


@page("POST /oauth/logout", body=Form, takes=logout.KNOWN)
def log_out_by_post(svc: Services, _: Caller, form: Form) -> Answer:
    """The same with the request in a form."""
    # A browser keeps its cookies back from another site's form, but not from the redirect that follows it.
    return _begin_anew(svc, urlencode(form.pairs))


@page("POST /oauth/logout/confirm", body=Form, takes=FIELDS)
def log_out_on_page(svc: Services, caller: Caller, form: Form) -> Answer:
    """The form that asks whether to log out."""
    visit = Visit(svc, caller, dict(form.pairs))
    leaving = _asked(svc, parse_qsl(visit.request))
    known = visit.browser()
    # As a query again: what a form carries may have anything in it, line ends too, and this goes into a header.
    anew = _begin_anew(svc, urlencode(parse_qsl(visit.request)))
    try:
        visit.check_form(MARK, known)
    except StalePage:
        return anew
    # Who pressed the button has read where it leads, whoever the client is.
    return _end(visit, known, _sent_on(leaving) if leaving.uri else anew) if known else anew


def _asked(svc: Services, pairs: Iterable[tuple[str, str]]) -> Leaving:
    return logout.asked(svc, oauth.once(pairs, known=logout.KNOWN))


def _begin_anew(svc: Services, request: str) -> Answer:
    return see(f"{svc.settings.issuer}{PATH}?{request}")


def _end(visit: Visit, known: Browser, answer: Answer) -> Answer:
    note(logout.end(visit.svc, known))
    return with_cookie(answer, cookies.write(visit.svc.settings, cookies.SESSION, "", seconds=0))


def note(failures: Iterable[Failure]) -> None:
    """Has the log say which clients do not know of a logout."""
    for failure in failures:
        journal.write(level="warning", told="not told of a logout", client=failure.client_id, reason=failure.reason)


def _sent_on(leaving: Leaving) -> Answer:
    return back(leaving.uri, _fields(leaving))


def _stay(visit: Visit, leaving: Leaving) -> Answer:
    return visit.show(
        "logged_out.html",
        onward=located(leaving.uri, _fields(leaving)) if leaving.uri else "",
        place=place(leaving.uri),
        unregistered=leaving.unregistered,
    )


def _fields(leaving: Leaving) -> dict[str, str]:
    return {"state": leaving.state} if leaving.state else {}
