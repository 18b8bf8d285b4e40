"""How the pages of one file are declared, and what all of them get by it: who is logged in, form tokens, error pages."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from ...domain.errors import LoginRequired
from ...flows.sessions.browser import Browser
from ...services import Services
from ..http.answers import Answer
from ..http.decoding import Form
from ..http.routing import Api, Caller, RefusalPage
from .error_pages import REFUSALS, STATUSES, redirect_to_error, show_error
from .fresh_login import login_unless_fresh
from .login_form import LOG_IN, show_form
from .page_request import DESTINATIONS, FIELDS, PageRequest, page_at, page_request_of

Declare = Callable[[Callable[..., Answer]], Callable[..., Answer]]
LANGUAGE = frozenset({"ui_locales"})


def _leading_to_login(handler: Callable[..., Answer], page: str) -> Callable[..., Answer]:
    def handle(page_request: PageRequest, browser_session: Browser) -> Answer:
        try:
            return handler(page_request, browser_session)
        except LoginRequired:
            return page_request.start_over(page)

    return handle


def _verify_token(
    page_request: PageRequest, browser_session: Browser | None, name: str, signed: tuple[str, ...]
) -> None:
    if name:
        page_request.verify_form_token(name, browser_session, *(page_request.fields.get(each, "") for each in signed))


class Pages:
    """Declares the pages of one file and their forms; their errors are pages too. `api` is what APIS has."""

    def __init__(self, import_name: str) -> None:
        self.api = Api(import_name)

    def route(self, line: str, *, refusal_page: RefusalPage = show_error, **declared: Any) -> Declare:
        """Declares what is no page of ours, and no form of one: the function gets what every route gets."""
        return self.api.route(line, **{"statuses": STATUSES, "errors": REFUSALS, "page": refusal_page, **declared})

    def page(
        self,
        path: str,
        *,
        takes: frozenset[str] = LANGUAGE,
        destination: bool = False,
        logged_in: bool = False,
        fresh: bool = False,
        **more: Any,
    ) -> Declare:
        """Declares `GET path` with its parameters; the function gets a PageRequest, and who is `logged_in` if that is due.

        Who is not logged in gets the login form instead, which leads back here, and so does on a `fresh` page whoever has
        not just logged in with all that the account has. Forms lead to a `destination` only, and to what is for who is
        logged in.
        """
        to = path.removeprefix("/")
        if destination or logged_in:
            DESTINATIONS.add(to)

        def declare(handler: Callable[..., Answer]) -> Callable[..., Answer]:
            @wraps(handler)
            def serve(svc: Services, caller: Caller) -> Answer:
                if not destination and not logged_in:
                    return handler(page_request_of(svc, caller, caller.query))
                page_request = page_at(svc, caller, to, takes=takes)
                if not logged_in:
                    return handler(page_request)
                browser_session = page_request.browser()
                if browser_session is None:
                    return show_form(page_request, LOG_IN)
                page_request = page_request.of_account(browser_session.user)
                login = login_unless_fresh(page_request, browser_session) if fresh else None
                return login or handler(page_request, browser_session)

            return self.route(f"GET {path}", takes=takes, logged_in=logged_in, fresh=fresh, **more)(serve)

        return declare

    def form(
        self,
        path: str,
        *,
        name: str = "",
        signed: tuple[str, ...] = (),
        takes: frozenset[str] = frozenset(),
        page: str = "",
        logged_in: bool = False,
        fresh: bool = False,
        **more: Any,
    ) -> Declare:
        """Declares `POST path`, a form of a page; the function gets a PageRequest, and who is `logged_in` if that is due.

        It is called for a form of this `name` that this browser got from us, with the `signed` fields as they were sent
        (RFC 9700 section 4.7); one without a name verifies its token itself. Who is not logged in any more, or is refused
        by a `fresh` one for that, is led to the form's `page`, if it is not at the same path, and logs in there.
        """
        page = page or path.removeprefix("/")
        if logged_in and page not in DESTINATIONS:
            raise ValueError(f"{path} is a form of {page}, which is declared nowhere above as a page to log in at")

        def declare(handler: Callable[..., Answer]) -> Callable[..., Answer]:
            handle = _leading_to_login(handler, page) if fresh else handler

            @wraps(handler)
            def serve(svc: Services, caller: Caller, form: Form) -> Answer:
                page_request = page_request_of(svc, caller, form.pairs)
                browser_session = page_request.browser() if logged_in else None
                if logged_in and browser_session is None:
                    return page_request.start_over(page)
                _verify_token(page_request, browser_session, name, signed)
                if browser_session is None:
                    return handle(page_request)
                return handle(page_request.of_account(browser_session.user), browser_session)

            declared = {"body": Form, "takes": FIELDS | takes | set(signed), "logged_in": logged_in, "fresh": fresh}
            return self.route(f"POST {path}", refusal_page=redirect_to_error, **declared, **more)(serve)

        return declare
