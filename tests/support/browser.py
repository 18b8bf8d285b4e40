"""What stands around the server when somebody logs in by standard: browsers, and OAuth clients of every kind."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit
from uuid import uuid4

from chalicelib.domain.oauth.client import (
    CLIENT_CREDENTIALS,
    CODE,
    DEVICE_CODE,
    JWT_BEARER,
    REFRESH,
    TOKEN_EXCHANGE,
    Client,
)
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.forge import PrivateKey, by, compact, jwk, stranger
from tests.support.phone import EMAIL, PASSWORD, Phone

ISSUER = "https://id.example"
CALLBACK = "https://app.example/cb"
FORM_TYPE = "application/x-www-form-urlencoded"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# RFC 7636 appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
Fields = Mapping[str, str] | Iterable[tuple[str, str]]


def encoded(fields: Fields) -> str:
    """Fields as a form or a query has them; pairs may name a field twice."""
    return urlencode(list(fields.items() if isinstance(fields, Mapping) else fields))


@dataclass
class Form:
    """A form of a page: where it goes, what it carries by itself, and what may be typed into it."""

    action: str
    hidden: dict[str, str] = field(default_factory=dict)
    typed: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(attributes["action"]))
        elif tag == "input" and self.forms and "name" in attributes:
            kind = "hidden" if attributes.get("type") == "hidden" else "typed"
            getattr(self.forms[-1], kind)[attributes["name"]] = attributes.get("value", "")
        elif tag == "button" and self.forms:
            self.forms[-1].buttons.append((attributes.get("name", ""), attributes.get("value", "")))


def forms(page: Answer) -> dict[str, Form]:
    """The forms of a page by the path that they are sent to, without that of its footer."""
    return _forms(page.body)


@lru_cache(maxsize=8)  # who fills a form in has looked before whether the page has it
def _forms(body: bytes) -> dict[str, Form]:
    before_footer, _, _ = body.decode().partition("<footer")
    reader = _Reader()
    # What goes before the first form is not read, which would take longer than to make the page.
    reader.feed(before_footer[before_footer.find("<form") :] if "<form" in before_footer else "")
    return {form.action.removeprefix(ISSUER): form for form in reader.forms}


class Browser:
    """Keeps cookies, fills in forms, and follows the server's own redirects, but none that leads elsewhere.

    `set_cookies` are the Set-Cookie lines of the latest step.
    """

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.cookies: dict[str, str] = {}
        self.set_cookies: list[str] = []

    def get(self, target: str, fields: Fields = (), *, headers: Iterable[tuple[str, str]] = ()) -> Answer:
        """Opens a page; the fields are its query."""
        query = encoded(fields)
        return self._follow("GET", f"{target}?{query}" if query else target, b"", list(headers))

    def post(
        self, path: str, fields: Fields, *, origin: str | None = ISSUER, headers: Iterable[tuple[str, str]] = ()
    ) -> Answer:
        """Sends a form, by default from one of the server's own pages."""
        lines = [("Content-Type", FORM_TYPE), *headers]
        if origin is not None:
            lines.append(("Origin", origin))
        return self._follow("POST", path, encoded(fields).encode(), lines)

    def submit(self, page: Answer, path: str, *, origin: str | None = ISSUER, **typed: str) -> Answer:
        """Fills in the form of a page that goes to a path, and sends it."""
        page_forms = forms(page)
        assert path in page_forms, (page.status, list(page_forms), page.body)
        return self.post(path, {**page_forms[path].hidden, **typed}, origin=origin)

    def sign_up_page(self, login: Answer) -> Answer:
        """The page that the login page's link for new people leads to."""
        (link,) = re.findall(r'href="([^"]+/authorize/signup[^"]*)"', login.body.decode())
        return self.get(unescape(link).removeprefix(ISSUER))

    def authorize(self, app: "App", **changes: str | None) -> Answer:
        """What the authorization endpoint answers to a good request of a client, or to one with changes."""
        return self.get("/oauth/authorize", app.request(**changes))

    def finish(self, page: Answer, *, email: str = EMAIL, password: str = PASSWORD) -> Answer:
        """Logs in and agrees wherever a page asks for it, until the browser is sent elsewhere."""
        for _ in range(4):
            page_forms = forms(page) if page.status == 200 else {}
            location = page.header("Location") or ""
            if location.startswith(f"{ISSUER}/"):
                page = self.get(location.removeprefix(ISSUER))
            elif "/authorize/login" in page_forms:
                page = self.submit(page, "/authorize/login", email=email, password=password)
            elif "/authorize/consent" in page_forms:
                page = self.submit(page, "/authorize/consent", decision="allow")
        return page

    def follow_mail(self, link: str, *, email: str = EMAIL, password: str = PASSWORD) -> Answer:
        """The page that the link of a mail leads to, after the login that it asks for if nobody is logged in."""
        page, login = self.get(link.removeprefix("https://id.example")), "/authorize/login"
        return self.submit(page, login, email=email, password=password) if login in forms(page) else page

    def log_in(self, app: "App", *, email: str = EMAIL, **changes: str | None) -> dict[str, str]:
        """The fields of the answer that a client gets at its redirect URI after a login that must succeed."""
        return callback_params(self.finish(self.authorize(app, **changes), email=email))

    def code(self, app: "App", *, email: str = EMAIL, **changes: str | None) -> str:
        """A fresh code for a client."""
        return self.log_in(app, email=email, **changes)["code"]

    def _follow(self, method: str, target: str, raw: bytes, headers: list[tuple[str, str]]) -> Answer:
        self.set_cookies = []
        answer = self._call(method, target, raw, headers)
        for _ in range(5):
            location = answer.header("Location") or ""
            if not location.startswith(f"{ISSUER}/"):
                return answer
            assert answer.status == 303, answer
            answer = self._call("GET", location.removeprefix(ISSUER), b"", [])
        raise AssertionError("the server sends its visitor round in circles")

    def _call(self, method: str, target: str, raw: bytes, headers: list[tuple[str, str]]) -> Answer:
        if self.cookies:
            headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items())))
        answer = self.phone.call(f"{method} {target}", headers=headers, raw=raw)
        for name, value in answer.headers:
            if name.lower() == "set-cookie":
                self.set_cookies.append(value)
                self._keep(value)
        return answer

    def _keep(self, cookie: str) -> None:
        pair, *attributes = cookie.split(";")
        name, _, value = pair.partition("=")
        if any(attribute.strip().lower() == "max-age=0" for attribute in attributes):
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value


def callback_params(answer: Answer) -> dict[str, str]:
    """The fields of a redirect, each once; anything but a redirect is an error."""
    location = answer.header("Location")
    assert answer.status == 303, (answer.status, answer.body)
    assert location
    pairs = parse_qsl(urlsplit(location).query, keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs), location
    return dict(pairs)


def place(answer: Answer) -> str:
    """Where a redirect goes, without its query; "" for a page."""
    return (answer.header("Location") or "").partition("?")[0]


USER_SCOPES = ("openid", "profile", "email", "offline_access", "notes:read", "notes:write")
API = "https://notes.example"
# What is particular about each kind of client; the rest is the same for all.
KINDS: Mapping[str, Mapping[str, Any]] = {
    "web": {},
    "post": {"token_endpoint_auth_method": "client_secret_post"},
    "key": {"token_endpoint_auth_method": "private_key_jwt"},
    "spa": {"token_endpoint_auth_method": "none"},
    "native": {
        "token_endpoint_auth_method": "none",
        "application_type": "native",
        "redirect_uris": ("http://127.0.0.1/cb", "com.example.app:/cb", CALLBACK),
    },
    "machine": {"grant_types": (CLIENT_CREDENTIALS,), "redirect_uris": (), "scopes": ("notes:read", "notes:write")},
    "television": {
        "token_endpoint_auth_method": "none",
        "application_type": "native",
        "grant_types": (DEVICE_CODE, REFRESH),
        "redirect_uris": (),
    },
    "exchanger": {
        "grant_types": (TOKEN_EXCHANGE, CLIENT_CREDENTIALS),
        "redirect_uris": (),
        "exchanges": ("impersonation", "delegation"),
        "scopes": ("notes:read", "notes:write"),
        "resources": (API,),
    },
    "trusting": {"grant_types": (JWT_BEARER,), "redirect_uris": ()},
    "api": {"grant_types": (CLIENT_CREDENTIALS,), "redirect_uris": (), "scopes": ("notes:read",), "introspects": True},
}


@dataclass
class App:
    """A registered client with what it holds: its secret or its key."""

    phone: Phone
    svc: Services
    client: Client
    secret: str = ""
    key: PrivateKey | None = None

    @property
    def id(self) -> str:
        """Its client_id."""
        return self.client.client_id

    def request(self, **changes: str | None) -> dict[str, str]:
        """A good authorization request, changed; None leaves a parameter out."""
        good: dict[str, str | None] = {
            "client_id": self.id,
            "redirect_uri": self.client.redirect_uris[0] if self.client.redirect_uris else CALLBACK,
            "response_type": "code",
            "scope": "openid email offline_access notes:read",
            "state": "xyz",
            "nonce": "n-0S6_WzA2Mj",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in {**good, **changes}.items() if value is not None}

    def credentials(self) -> tuple[list[tuple[str, str]], dict[str, str]]:
        """Headers and fields with which it authenticates, as it is registered to."""
        method = self.client.token_endpoint_auth_method
        if method == "client_secret_basic":
            return [("Authorization", basic(self.id, self.secret))], {}
        if method == "client_secret_post":
            return [], {"client_id": self.id, "client_secret": self.secret}
        if method == "private_key_jwt":
            return [], {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self.assertion()}
        return [], {"client_id": self.id}

    def assertion(self, *, header: Mapping[str, Any] | None = None, **changes: object) -> str:
        """A client assertion (RFC 7523 section 3), changed; None leaves a claim out."""
        assert self.key is not None
        now = self.svc.now()
        good = {"iss": self.id, "sub": self.id, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": uuid4().hex}
        claims = {name: value for name, value in {**good, **changes}.items() if value is not None}
        return compact({"alg": "ES256", "kid": "1"} if header is None else header, claims, by(self.key))

    def post(self, path: str, fields: Fields, *, headers: Iterable[tuple[str, str]] = ()) -> Answer:
        """A form sent with the client's own credentials."""
        proof, more = self.credentials()
        pairs = {**more, **fields} if isinstance(fields, Mapping) else [*more.items(), *fields]
        return send(self.phone, path, pairs, headers=[*proof, *headers])

    def token(self, grant_type: str, *, headers: Iterable[tuple[str, str]] = (), **fields: str) -> Answer:
        """A token request."""
        return self.post("/oauth/token", {"grant_type": grant_type, **fields}, headers=headers)

    def redemption(self, code: str, /, **changes: str | None) -> dict[str, str]:
        """The fields that redeem a code, changed; None leaves one out."""
        good = {"redirect_uri": self.request()["redirect_uri"], "code_verifier": VERIFIER}
        fields = {"grant_type": CODE, "code": code, **good, **changes}
        return {name: value for name, value in fields.items() if value is not None}

    def redeem(self, code: str, /, *, headers: Iterable[tuple[str, str]] = (), **changes: str | None) -> Answer:
        """Presents a code."""
        return self.post("/oauth/token", self.redemption(code, **changes), headers=headers)

    def refresh(self, refresh_token: str, *, headers: Iterable[tuple[str, str]] = (), **fields: str) -> Answer:
        """Presents a refresh token."""
        return self.token(REFRESH, refresh_token=refresh_token, headers=headers, **fields)

    def tokens(self, browser: Browser, *, email: str = EMAIL, **changes: str | None) -> dict[str, Any]:
        """The tokens of a whole code login that must succeed."""
        return token_response(self.redeem(browser.code(self, email=email, **changes)))


def send(phone: Phone, path: str, fields: Fields, *, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    """A form sent by whoever knows the address."""
    return phone.call(f"POST {path}", raw=encoded(fields).encode(), headers=[("Content-Type", FORM_TYPE), *headers])


def basic(client_id: str, secret: str) -> str:
    """HTTP Basic credentials (RFC 6749 section 2.3.1: form-encoded before they are joined)."""
    return "Basic " + base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode()


def token_response(answer: Answer) -> dict[str, Any]:
    """The tokens of an answer that must have some."""
    assert answer.status == 200, (answer.status, answer.body)
    assert answer.header("Cache-Control") == "no-store"
    tokens: dict[str, Any] = answer.json()
    return tokens


def register(svc: Services, phone: Phone, kind: str = "web", **metadata: Any) -> App:
    """A new client of a kind, with metadata of its own."""
    particular = {**KINDS[kind], **metadata}
    key = stranger("ES256") if particular.get("token_endpoint_auth_method") == "private_key_jwt" else None
    if key and "jwks" not in particular:
        particular["jwks"] = {"keys": [{**jwk(key), "kid": "1", "alg": "ES256"}]}
    usual = {
        "client_id": "",
        "client_name": f"The {kind} client",
        "redirect_uris": (CALLBACK,),
        "scopes": USER_SCOPES,
        "grant_types": (CODE, REFRESH),
    }
    client, secret = manage.create(svc, Client(**{**usual, **particular}))
    return App(phone, svc, client, secret, key)
