"""One request for a page: who is logged in, what its form carries, and where that leads."""

import string
from collections.abc import Iterable, Mapping
from functools import cached_property
from operator import itemgetter
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec

from ...domain.accounts.model import User
from ...domain.authentication.user_agent import UserAgent
from ...domain.durations import DAY
from ...domain.errors import LatchkeyError
from ...flows.oauth import client_request, interactions
from ...flows.oauth.client_request import ClientRequest
from ...flows.oauth.interactions import Interaction
from ...flows.platform import macs, origin, proof_of_work
from ...flows.sessions import browser
from ...flows.sessions.browser import Browser
from ...services import Services
from ..http import request_log
from ..http.answers import Answer
from ..http.languages import language_of
from ..http.routing import Caller
from . import cookies, html, language_choice

FORM_SECONDS = DAY
# How many pushed requests a browser waits for its user with: each is a tab with a login in it.
MAX_ARRIVALS = 8
# The hidden fields of our forms: where they lead in the end, and the token that ties them to the browser.
FIELDS = frozenset({"to", "form_token"})
AUTHORIZE = "oauth/authorize"
HOME = ""
# Where our forms may lead in the end, below the issuer: the pages that are declared so, see page_routes.py.
DESTINATIONS: set[str] = set()
# The parameter that we add to such a path when one of our forms leads back to it.
INTERACTION = "latchkey_interaction"


class StalePage(LatchkeyError):
    """A form that is not one of this browser's own: an old tab, a browser without cookies, or another site's."""

    code = "stale_page"
    default = "The form's token does not fit the browser's cookie."


class PageRequest(msgspec.Struct, frozen=True, dict=True):
    """One request for a page, with the fields that it brought (the last of each name).

    `to` is where it leads in the end, below the issuer: one value, which a page hands over and gets back. `locale` is the
    language of the account, where it is known whose page this is.
    """

    svc: Services
    caller: Caller
    fields: Mapping[str, str]
    to: str = ""
    locale: str = ""

    @cached_property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The parameters of where it leads."""
        return tuple(parse_qsl(self.to.partition("?")[2]))

    @property
    def request(self) -> str:
        """The authorization request that it is for, as a query; "" for none."""
        path, _, query = self.to.partition("?")
        return query if path == AUTHORIZE else ""

    @property
    def client_request(self) -> ClientRequest:
        """The authorization request that it is for, and where its answer may go."""
        in_this_browser = self._has_arrived(dict(self.query).get("request_uri", ""))
        return client_request.read(self.svc, self.query, in_this_browser=in_this_browser, network=self.caller.network)

    def browser(self) -> Browser | None:
        """Who is logged in, if anybody is."""
        cookie = cookies.read(self.svc.settings, self.caller.headers, cookies.SESSION)
        browser_session = browser.current(self.svc, cookie) if cookie else None
        if browser_session:
            request_log.set_user(browser_session.user.uid)
            origin.set_session(browser_session.user.uid, browser_session.session.session_id)
        return browser_session

    def browser_before_login(self, user: User) -> Browser | None:
        """Who was logged in before a login of a user that is just being made."""
        cookie = cookies.read(self.svc.settings, self.caller.headers, cookies.SESSION)
        return browser.previous_login(self.svc, cookie, user) if cookie else None

    @property
    def work_is_due(self) -> bool:
        """Whether a stranger's password is not looked at before work that this browser has not done."""
        if self.svc.settings.proof_of_work != proof_of_work.ON:
            return False
        return proof_of_work.single_use(self.svc, self.user_agent.proof_of_work) is None

    @property
    def user_agent(self) -> UserAgent:
        """The browser that its user logs in with."""
        device_token, work = (
            cookies.read(self.svc.settings, self.caller.headers, kind) for kind in (cookies.DEVICE, cookies.WORK)
        )
        remember = self.fields.get("remember") == "on"
        return self.caller.user_agent(device_token, proof_of_work=work, language=self.language, remember=remember)

    def show(self, template: str, *, locales: str = "", **values: Any) -> Answer:
        """A page in the user's language; `locales` are the `ui_locales` of a request that the URL does not have."""
        ui_locales = self._ui_locales(locales)
        return html.page(
            self.svc.settings,
            template,
            language=self._language(ui_locales),
            now=self.svc.now(),
            here=self.to if self.request else self.to.partition("?")[0],
            instead_of=language_choice.digest(ui_locales),
            **values,
        )

    def of_account(self, user: User | None) -> "PageRequest":
        """The same request where it is known whose page it shows."""
        return msgspec.structs.replace(self, locale=user.claims.get("locale", "") if user else "")

    @property
    def language(self) -> str:
        """The user's language."""
        return self._language(self._ui_locales(""))

    def _ui_locales(self, locales: str) -> str:
        return dict(self.query).get("ui_locales") or self.fields.get("ui_locales") or locales

    def _language(self, ui_locales: str) -> str:
        settings, headers = self.svc.settings, self.caller.headers
        preferences = language_choice.preferences(settings, headers, ui_locales, self.locale)
        return language_of(settings.languages, preferences, headers.get("accept-language", ""))

    def interaction(self, browser_session: Browser | None) -> Interaction | None:
        """What the user has just done for this page, as our redirect to it says."""
        text = self.fields.get(INTERACTION, "")
        return interactions.decode(self.svc, text, browser_session, self.to) if browser_session and text else None

    def redirect_after(self, browser_session: Browser, interaction: Interaction) -> Answer:
        """Redirects to where the request leads, with what was done: then going back or reloading sends no form again."""
        text = interactions.encode(self.svc, browser_session, self.to, interaction)
        return redirect(f"{self.svc.settings.issuer}/{uri_with_query(self.to, {INTERACTION: text})}")

    def start_over(self, path: str = "") -> Answer:
        """Redirects to where the request leads, as if nothing had been done; `path` is the only page that it may be."""
        to = self.to if not path or self.to.partition("?")[0] == path else path
        return redirect(f"{self.svc.settings.issuer}/{to}")

    def hidden(self, form: str, browser: str, **signed: str) -> dict[str, str]:
        """The hidden fields of a form: where it leads, what is `signed`, and the token that ties all of it to this browser.

        `browser` is the id of its session, or the random text of one in which nobody is logged in.
        """
        return {"to": self.to, **signed, "form_token": macs.mac(self.svc, form, browser, self.to, *signed.values())}

    def browser_token(self) -> str:
        """The random text that ties a browser in which nobody is logged in to its forms; "" before its first one."""
        return cookies.read(self.svc.settings, self.caller.headers, cookies.FORM)

    def with_browser_token(self, answer: Answer, browser_token: str) -> Answer:
        """An answer that gives the browser this random text, or keeps it there for longer."""
        return with_cookie(answer, cookies.write(self.svc.settings, cookies.FORM, browser_token, seconds=FORM_SECONDS))

    def _has_arrived(self, request_uri: str) -> bool:
        """Whether this browser brought a pushed request in time: its user may be slow, and reload or go back."""
        return any(macs.verify_mac(self.svc, mac, cookies.ARRIVAL, request_uri) for mac in self._arrival_macs())

    def with_arrival_cookie(self, request_uri: str, answer: Answer) -> Answer:
        """An answer after which this browser may bring a pushed request again."""
        if self._has_arrived(request_uri):
            return answer
        macs_of_requests = [macs.mac(self.svc, cookies.ARRIVAL, request_uri), *self._arrival_macs()][:MAX_ARRIVALS]
        cookie = cookies.write(self.svc.settings, cookies.ARRIVAL, ".".join(macs_of_requests), seconds=FORM_SECONDS)
        return with_cookie(answer, cookie)

    def _arrival_macs(self) -> list[str]:
        cookie = cookies.read(self.svc.settings, self.caller.headers, cookies.ARRIVAL)
        return cookie.split(".")[:MAX_ARRIVALS] if cookie else []

    @property
    def is_from_another_site(self) -> bool:
        """Whether another site has led the browser here, as far as it says so (Fetch Metadata)."""
        return self.caller.headers.get("sec-fetch-site") in ("cross-site", "same-site")

    def verify_origin(self) -> None:
        """Raises StalePage for a form of another site, as far as the browser says whose it is."""
        issuer = urlsplit(self.svc.settings.issuer)
        if self.caller.headers.get("origin") not in (None, f"{issuer.scheme}://{issuer.netloc}"):
            raise StalePage()

    def verify_form_token(self, page: str, browser_session: Browser | None = None, *also: str) -> None:
        """Raises StalePage for a form that this browser did not get from us (RFC 9700 section 4.7).

        `also` are the fields, besides the request, that have to be as we sent them.
        """
        self.verify_origin()
        browser_token = browser_session.session.session_id if browser_session else self.browser_token()
        if not browser_token:
            raise StalePage()
        if not macs.verify_mac(self.svc, self.fields.get("form_token", ""), page, browser_token, self.to, *also):
            raise StalePage()


def page_at(svc: Services, caller: Caller, path: str, *, takes: frozenset[str]) -> PageRequest:
    """A request for a page that forms lead to: it leads to itself, with the parameters that it takes."""
    parameters = [pair for pair in caller.query if pair[0] in takes]
    return PageRequest(svc, caller, dict(caller.query), path_with_query(path, parameters))


def page_request_of(svc: Services, caller: Caller, pairs: Iterable[tuple[str, str]]) -> PageRequest:
    """A request with the fields of one of our forms, which leads where they say."""
    fields = dict(pairs)
    # A request that leads nowhere still has a language.
    language = [("ui_locales", fields.get("ui_locales", ""))]
    return PageRequest(svc, caller, fields, verified_path(fields.get("to", "")) or path_with_query(HOME, language))


def verified_path(unverified_to: str) -> str:
    """A path that a form says it leads to, if it is one of ours; "" for any other."""
    path, _, query = unverified_to.partition("?")
    verified = path_with_query(path, parse_qsl(query)) if path in DESTINATIONS else ""
    return "" if verified == AUTHORIZE else verified  # which is nowhere without a request


def path_with_query(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    """A path below the issuer with its parameters, without our own; the same text for the same parameters."""
    # By name, for a gateway may hand them over in any order; of one name in theirs.
    query = urlencode(sorted((pair for pair in pairs if pair[1] and pair[0] != INTERACTION), key=itemgetter(0)))
    return f"{path}?{query}" if query else path


def with_cookie(answer: Answer, cookie: str) -> Answer:
    """An answer that sets one more cookie."""
    earlier = answer.headers.get("Set-Cookie", [])
    several = [*([earlier] if isinstance(earlier, str) else earlier), cookie]
    return Answer(body=answer.body, status=answer.status, headers={**answer.headers, "Set-Cookie": several})


def redirect_to_client(uri: str, fields: Mapping[str, str]) -> Answer:
    """Sends the browser back to a client's URI with these fields in its query, whatever is there already."""
    return redirect(uri_with_query(uri, fields))


def uri_with_query(uri: str, fields: Mapping[str, str]) -> str:
    """A client's URI with fields in its query."""
    joint = "" if uri.endswith("?") or not fields else "&" if "?" in uri else "?"
    return f"{uri}{joint}{urlencode(fields)}"


def redirect(location: str) -> Answer:
    """Sends the browser on, with GET."""
    # Whatever a form brought along, a header is one line of ASCII.
    header = quote(location, safe=string.punctuation)
    return Answer(body="", status=303, headers={"Location": header, "Referrer-Policy": "no-referrer"})


def redirect_to_page(page_request: PageRequest, page: str) -> Answer:
    """Sends the browser to a page of ours, in the language that this one's URL asked for."""
    locales = [("ui_locales", dict(page_request.query).get("ui_locales", ""))]
    return redirect(f"{page_request.svc.settings.issuer}/{path_with_query(page, locales)}")
