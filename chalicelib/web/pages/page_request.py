"""What all pages share: who visits, what their forms carry, and where those lead."""

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from ...domain.accounts.model import User
from ...domain.errors import LatchkeyError
from ...flows.oauth import authorize, interaction
from ...flows.oauth.authorize import Destination
from ...flows.oauth.interaction import Interaction
from ...flows.platform import macs
from ...flows.sessions import browser
from ...flows.sessions.browser import Browser
from ...services import Services
from ..http import request_log
from ..http.answers import Answer
from ..http.routing import Caller
from . import cookies, html

FORM_SECONDS = 24 * 3600
# How many pushed requests a browser waits for its user with: each is a tab with a login in it.
MAX_ARRIVED = 8
# What forms of ours carry along: where they lead in the end, and the token that ties them to the browser.
FIELDS = frozenset({"to", "form_token"})
AUTHORIZE, LOGOUT, DEVICE, HOME = "oauth/authorize", "oauth/logout", "device", ""
PLACES = frozenset({AUTHORIZE, LOGOUT, DEVICE, HOME})
# What we add to such a place when a form of ours sends the browser back to it.
INTERACTION = "latchkey_interaction"


class StalePage(LatchkeyError):
    """A form that is not one of this browser's own: an old tab, a browser without cookies, or another site's."""

    code = "stale_page"
    default = "The form's token does not fit the browser's cookie."


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request for a page, with the fields that it brought (the last of each name).

    `to` is where it leads in the end, below the issuer: one value, which a page hands over and gets back.
    """

    svc: Services
    caller: Caller
    fields: Mapping[str, str]
    to: str = ""

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The parameters of where it leads."""
        return tuple(parse_qsl(self.to.partition("?")[2]))

    @property
    def request(self) -> str:
        """The authorization request that it is for, as a query; "" for none."""
        path, _, query = self.to.partition("?")
        return query if path == AUTHORIZE else ""

    @property
    def destination(self) -> Destination:
        """The authorization request that it is for, and where its answer may go."""
        arrived = self._has_arrived(dict(self.query).get("request_uri", ""))
        return authorize.destination(self.svc, self.query, arrived=arrived, network=self.caller.network)

    def browser(self) -> Browser | None:
        """Who is logged in, if anybody is."""
        cookie = cookies.read(self.svc.settings, self.caller.headers, cookies.SESSION)
        known = browser.current(self.svc, cookie) if cookie else None
        if known:
            request_log.set_user(known.user.uid)
        return known

    def before(self, user: User) -> Browser | None:
        """Who was logged in before a login of a user that is just being made."""
        cookie = cookies.read(self.svc.settings, self.caller.headers, cookies.SESSION)
        return browser.previous_login(self.svc, cookie, user) if cookie else None

    def show(self, template: str, *, locales: str = "", **values: Any) -> Answer:
        """A page in the visitor's language; `locales` are what a request wished for that its address does not show."""
        wanted = dict(self.query).get("ui_locales") or self.fields.get("ui_locales") or locales
        language = html.language_of(wanted, self.caller.headers.get("accept-language", ""))
        return html.page(self.svc.settings, template, language=language, **values)

    def done(self, known: Browser | None) -> Interaction | None:
        """What this browser has just done for where it is, as a redirect of ours says."""
        text = self.fields.get(INTERACTION, "")
        return interaction.decode(self.svc, text, known, self.to) if known and text else None

    def onward(self, known: Browser, done: Interaction) -> Answer:
        """To where it leads, with what was done, by a redirect, so that nobody who goes back or reloads sends a form again."""
        text = interaction.encode(self.svc, known, self.to, done)
        return redirect(f"{self.svc.settings.issuer}/{located(self.to, {INTERACTION: text})}")

    def start_over(self, path: str = "") -> Answer:
        """To where it leads, as if nothing had been done; `path` is where a form can lead that it is sent to."""
        to = self.to if not path or self.to.partition("?")[0] == path else path
        return redirect(f"{self.svc.settings.issuer}/{to}")

    def tie(self) -> str:
        """The random text that ties a browser in which nobody is logged in to its forms; "" before its first one."""
        return cookies.read(self.svc.settings, self.caller.headers, cookies.FORM)

    def _has_arrived(self, request_uri: str) -> bool:
        """Whether this browser brought a pushed request while there was time: its user may be slow, and reload or go back."""
        return any(
            macs.verify_mac(self.svc, form_token, cookies.ARRIVED, request_uri) for form_token in self._arrived()
        )

    def arrived(self, request_uri: str, answer: Answer) -> Answer:
        """An answer after which this browser may bring a pushed request again."""
        if self._has_arrived(request_uri):
            return answer
        macs_of_requests = [macs.mac(self.svc, cookies.ARRIVED, request_uri), *self._arrived()][:MAX_ARRIVED]
        cookie = cookies.write(self.svc.settings, cookies.ARRIVED, ".".join(macs_of_requests), seconds=FORM_SECONDS)
        return with_cookie(answer, cookie)

    def _arrived(self) -> list[str]:
        kept = cookies.read(self.svc.settings, self.caller.headers, cookies.ARRIVED)
        return kept.split(".")[:MAX_ARRIVED] if kept else []

    def verify_form_token(self, page: str, known: Browser | None = None, *also: str) -> None:
        """Raises StalePage for a form that this browser did not get from us (RFC 9700 section 4.7).

        `also` are the fields, besides the request, that have to be as we sent them.
        """
        origin = self.caller.headers.get("origin")
        issuer = urlsplit(self.svc.settings.issuer)
        tie = known.session.session_id if known else self.tie()
        if origin not in (None, f"{issuer.scheme}://{issuer.netloc}") or not tie:
            raise StalePage()
        if not macs.verify_mac(self.svc, self.fields.get("form_token", ""), page, tie, self.to, *also):
            raise StalePage()


def visit_of(svc: Services, caller: Caller, pairs: Iterable[tuple[str, str]]) -> PageRequest:
    """The visit that sends a form of ours."""
    fields = dict(pairs)
    # Who comes for nothing in particular comes in some language all the same.
    asked = [("ui_locales", fields.get("ui_locales", ""))]
    return PageRequest(svc, caller, fields, known_place(fields.get("to", "")) or place_of(HOME, asked))


def known_place(unverified_to: str) -> str:
    """A place that a form says it leads to, if it is one of ours; "" for any other."""
    path, _, query = unverified_to.partition("?")
    place = place_of(path, parse_qsl(query)) if path in PLACES else ""
    return "" if place == AUTHORIZE else place  # which is nowhere without a request


def place_of(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    """A place below the issuer with its parameters, those of ours left out; the same text for the same parameters."""
    # By name, for a gateway may hand them over in any order; of one name in theirs.
    query = urlencode(sorted((pair for pair in pairs if pair[1] and pair[0] != INTERACTION), key=itemgetter(0)))
    return f"{path}?{query}" if query else path


def with_cookie(answer: Answer, cookie: str) -> Answer:
    """An answer that sets one more cookie."""
    before = answer.headers.get("Set-Cookie", [])
    several = [*([before] if isinstance(before, str) else before), cookie]
    return Answer(body=answer.body, status=answer.status, headers={**answer.headers, "Set-Cookie": several})


def redirect_to_client(uri: str, fields: Mapping[str, str]) -> Answer:
    """Sends the browser back to a client's URI with these fields in its query, whatever is there already."""
    return redirect(located(uri, fields))


def located(uri: str, fields: Mapping[str, str]) -> str:
    """A client's URI with fields in its query."""
    joint = "" if uri.endswith("?") or not fields else "&" if "?" in uri else "?"
    return f"{uri}{joint}{urlencode(fields)}"


def redirect(location: str) -> Answer:
    """Sends the browser on, with GET."""
    # Whatever a form brought along, a header is one line of ASCII.
    header = quote(location, safe=string.punctuation)
    return Answer(body="", status=303, headers={"Location": header, "Referrer-Policy": "no-referrer"})
