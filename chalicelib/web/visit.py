"""What all pages share: who visits, the marks in their forms, and how a refusal looks to a person."""

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from ..domain import errors
from ..domain.errors import LatchkeyError
from ..flows import browser
from ..flows.browser import Browser
from ..services import Services
from . import cookies, html, journal
from .door import Answer, Caller, Door

Declare = Callable[[Callable[..., Answer]], Callable[..., Answer]]
FORM_SECONDS = 24 * 3600
# How many pushed requests a browser waits for its user with: each is a tab with a login in it.
MAX_ARRIVED = 8
# What forms of ours carry along: what they are for, and the mark that ties them to the browser.
FIELDS = frozenset({"request", "user_code", "mark"})


class StalePage(LatchkeyError):
    """A form that is not one of this browser's own: an old tab, a browser without cookies, or another site's."""

    code = "stale_page"
    default = "The form's mark does not fit the browser's cookie."


REFUSALS = (StalePage, errors.TooManyRequests)
STATUSES = {
    StalePage.code: 403,
    errors.InvalidGrant.code: 400,
    errors.InvalidClient.code: 400,
    errors.InvalidCredentials.code: 400,
}
# What trying again can mend.
PASSING = (StalePage.code, errors.TemporarilyUnavailable.code, errors.TooManyRequests.code, LatchkeyError.code)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for a page, with the fields that it brought (the last of each name)."""

    svc: Services
    caller: Caller
    fields: Mapping[str, str]

    @property
    def request(self) -> str:
        """The authorization request that a form of ours carries along, as a query; "" for none."""
        return self.fields.get("request", "")

    def browser(self) -> Browser | None:
        """Who is logged in, if anybody is."""
        cookie = cookies.read(self.svc.settings, self.caller.headers, cookies.SESSION)
        known = browser.current(self.svc, cookie) if cookie else None
        if known:
            journal.concerns(known.user.uid)
        return known

    def before(self) -> Browser | None:
        """Who was logged in before a login that is just being made."""
        cookie = cookies.read(self.svc.settings, self.caller.headers, cookies.SESSION)
        return browser.before(self.svc, cookie) if cookie else None

    def show(self, template: str, *, locales: str = "", **values: Any) -> Answer:
        """A page in the visitor's language; `locales` are what a pushed request wished for."""
        language = _language(self.fields, self.caller.headers, locales)
        return html.page(self.svc.settings, template, language=language, **values)

    def form(self, template: str, *, hidden: Mapping[str, str], host: str = "", **values: Any) -> Answer:
        """A page for somebody who is not logged in, with a cookie that ties its forms to this browser.

        `host` is where the client's own document is.
        """
        settings = self.svc.settings
        cookie = cookies.read(settings, self.caller.headers, cookies.FORM) or secrets.token_urlsafe(16)
        mark = browser.mark(self.svc, "login", cookie, hidden.get("request", ""))
        page = self.show(template, hidden={**hidden, "mark": mark}, host=host, **values)
        return with_cookie(page, cookies.write(settings, cookies.FORM, cookie, seconds=FORM_SECONDS))

    def has_arrived(self, request_uri: str) -> bool:
        """Whether this browser brought a pushed request while there was time: its user may be slow, and reload or go back."""
        return any(browser.marked(self.svc, mark, cookies.ARRIVED, request_uri) for mark in self._arrived())

    def arrived(self, request_uri: str, answer: Answer) -> Answer:
        """An answer after which this browser may bring a pushed request again."""
        if self.has_arrived(request_uri):
            return answer
        marks = [browser.mark(self.svc, cookies.ARRIVED, request_uri), *self._arrived()][:MAX_ARRIVED]
        cookie = cookies.write(self.svc.settings, cookies.ARRIVED, ".".join(marks), seconds=FORM_SECONDS)
        return with_cookie(answer, cookie)

    def _arrived(self) -> list[str]:
        kept = cookies.read(self.svc.settings, self.caller.headers, cookies.ARRIVED)
        return kept.split(".")[:MAX_ARRIVED] if kept else []

    def check_form(self, page: str, known: Browser | None = None, *also: str) -> None:
        """Raises StalePage for a form that this browser did not get from us (RFC 9700 section 4.7).

        `also` are the fields, besides the request, that have to be as we sent them.
        """
        origin = self.caller.headers.get("origin")
        issuer = urlsplit(self.svc.settings.issuer)
        tie = cookies.read(self.svc.settings, self.caller.headers, cookies.FORM)
        if page != "login":
            tie = known.grant.gid if known else ""
        if origin not in (None, f"{issuer.scheme}://{issuer.netloc}") or not tie:
            raise StalePage()
        if not browser.marked(self.svc, self.fields.get("mark", ""), page, tie, self.request, *also):
            raise StalePage()


def start_over(issuer: str, fields: Mapping[str, str]) -> str:
    """Where a visitor can begin anew with what this form was for; "" if that is not known."""
    request = urlencode(parse_qsl(fields.get("request", "")))
    if request:
        return f"{issuer}/oauth/authorize?{request}"
    if "user_code" in fields:
        return f"{issuer}/device?{urlencode({'user_code': fields['user_code']})}"
    return ""


def with_cookie(answer: Answer, cookie: str) -> Answer:
    """An answer that sets one more cookie."""
    before = answer.headers.get("Set-Cookie", [])
    several = [*([before] if isinstance(before, str) else before), cookie]
    return Answer(body=answer.body, status=answer.status, headers={**answer.headers, "Set-Cookie": several})


def back(uri: str, fields: Mapping[str, str]) -> Answer:
    """Sends the browser back to a client's URI with these fields in its query, whatever is there already."""
    return see(located(uri, fields))


def located(uri: str, fields: Mapping[str, str]) -> str:
    """A client's URI with fields in its query."""
    joint = "" if uri.endswith("?") or not fields else "&" if "?" in uri else "?"
    return f"{uri}{joint}{urlencode(fields)}"


def place(uri: str) -> str:
    """The host that a client's URI leads to, "" for an application on the user's device."""
    found = urlsplit(uri)
    return (found.hostname or "") if found.scheme == "https" else ""


def see(location: str) -> Answer:
    """Sends the browser on, with GET."""
    # Whatever a form brought along, a header is one line of ASCII.
    header = quote(location, safe=string.punctuation)
    return Answer(body="", status=303, headers={"Location": header, "Referrer-Policy": "no-referrer"})


def refused(
    svc: Services, headers: Mapping[str, str], pairs: tuple[tuple[str, str], ...], refusal: LatchkeyError
) -> Answer:
    """A refusal as a page: nobody who uses a browser is shown JSON."""
    fields = dict(pairs)
    return html.page(
        svc.settings,
        "error.html",
        language=_language(fields, headers),
        error=refusal.code,
        told=refusal.description,
        again=start_over(svc.settings.issuer, fields) if refusal.code in PASSING else "",
    )


def door(import_name: str) -> tuple[Door, Callable[..., Declare]]:
    """A door for pages: what it refuses, it refuses with a page."""
    made = Door(import_name)
    return made, partial(made.serves, statuses=STATUSES, errors=REFUSALS, page=refused)


def _language(fields: Mapping[str, str], headers: Mapping[str, str], locales: str = "") -> str:
    of_request = dict(parse_qsl(fields.get("request", ""))).get("ui_locales", "")
    wanted = fields.get("ui_locales") or of_request or locales
    return html.language_of(wanted, headers.get("accept-language", ""))
