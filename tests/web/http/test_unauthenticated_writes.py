"""No stranger makes the server write without end: every route that needs no token, held against the list of limits."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from app import app
from chalicelib.config import load
from chalicelib.domain.oauth.client import CODE, DEVICE_CODE, REFRESH
from chalicelib.flows.oauth import authorize_challenge as first_party
from chalicelib.flows.oauth import dpop
from chalicelib.services import Services
from chalicelib.store.aws.client import Transport
from local.gateway import Answer
from tests.support import account_pages, wire
from tests.support.browser import CALLBACK, ISSUER, App, Browser, encoded, forms, register
from tests.support.grants import EXPECTED
from tests.support.internet import running
from tests.support.phone import PASSWORD, Clock, Phone, installed
from tests.support.prover import Prover

WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"}
# Two of each limit, and each route as often as lets a device's polling come to its longest interval.
LIMIT, TIMES, LAST = 2, 20, 5
COUNTERS = "attempts#"


def keys_in(value: Any) -> Iterator[str]:
    """The partition keys of all items that a call names."""
    if isinstance(value, Mapping):
        if isinstance(value.get("pk"), Mapping):
            yield value["pk"]["S"]
        for each in value.values():
            yield from keys_in(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from keys_in(each)


@contextmanager
def written(svc: Services, *, logged_in: bool = False) -> Iterator[list[str]]:
    """The keys of what is written, or was to be, but for counters and notes of refusals, which have a bound of their own.

    So has what is kept of the mistakes of who is `logged_in`.
    """
    keys: list[str] = []

    def note(proceed: Transport, operation: str, request: Mapping[str, Any]) -> Any:
        bounded = wire.is_note(operation, request) or (logged_in and wire.is_event(operation, request))
        if operation in WRITES and not bounded:
            keys.extend(key for key in keys_in(request) if not key.startswith(COUNTERS))
        return proceed(operation, request)

    with wire.intercepted(svc.users._client, note, first=True):
        yield keys


@dataclass
class Stranger:
    """Somebody without an account or a client's secret, in one network, who knows the ids of public clients and has a key."""

    svc: Services
    phone: Phone
    spa: App
    native: App
    television: App
    prover: Prover
    numbers: Iterator[int] = field(default_factory=count)
    responses: dict[str, Any] = field(default_factory=dict)
    grant_types: set[str] = field(default_factory=set)

    def new(self) -> str:
        """Something that was never there before."""
        return f"{next(self.numbers)}"

    def document(self) -> str:
        """The id of a client that is described at an address nobody has asked for."""
        return f"https://app.example/{self.new()}.json"

    def form(self, line: str, fields: Mapping[str, str], *, proof: bool = False) -> Answer:
        """A form, with a good DPoP proof if it is to have one."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self.grant_types |= {value for name, value in fields.items() if name == "grant_type"}
        if proof:
            self.prover.nonce = dpop.nonce(self.svc)
            headers["DPoP"] = self.prover.proof(line.partition(" ")[2])
        return self.phone.call(line, raw=encoded(fields).encode(), headers=headers)

    def page(self, path: str, button: str, **typed: str) -> Answer:
        """A form of a page that anybody gets."""
        browser = Browser(self.phone)
        if path.startswith("/account/"):
            page = browser.get(f"{path}?token={typed.get('token', '')}")
            hidden = next(iter(forms(page).values())).hidden if forms(page) else {}
            return browser.post(path, {**hidden, **typed})
        page = browser.get("/oauth/authorize", self.spa.request())
        page_forms = forms(browser.sign_up_page(page) if path == "/authorize/signup" else page)
        hidden = next(iter(page_forms.values())).hidden if page_forms else {}
        return browser.post(path, {**hidden, **typed, "decision": button})

    def device_code(self) -> str:
        """A device code, as long as there are any."""
        answer = self.television.post("/oauth/device", {})
        if answer.status == 200:
            self.responses.setdefault("device", answer.json())
        code: str = self.responses.get("device", {}).get("device_code", "x")
        return code

    def registered(self) -> dict[str, Any]:
        """A client that registered itself, as long as it can."""
        if "client" not in self.responses:
            self.responses["client"] = self.phone.call("POST /oauth/register", {"redirect_uris": [CALLBACK]}).json()
        client: dict[str, Any] = self.responses["client"]
        return client

    def registration(self, method: str, body: object = None) -> Answer:
        """A request for its own registration."""
        own = self.registered()
        token = own["registration_access_token"]
        return self.phone.call(f"{method} /oauth/register/{own['client_id']}", body, token=token)

    def tokens(self) -> None:
        """Everything that a client without a secret can send to the token endpoint."""
        spa = {"client_id": self.spa.client.client_id}
        code = {"grant_type": CODE, "code": "x" * 60, "code_verifier": "v" * 43}
        self.form("POST /oauth/token", {**spa, **code, "redirect_uri": CALLBACK}, proof=True)
        self.form("POST /oauth/token", {**spa, "grant_type": REFRESH, "refresh_token": "x"}, proof=True)
        self.form("POST /oauth/token", {"client_id": self.document(), "grant_type": REFRESH, "refresh_token": "x"})
        television = {"client_id": self.television.client.client_id, "grant_type": DEVICE_CODE}
        self.form("POST /oauth/token", {**television, "device_code": self.device_code()})
        self.form("POST /oauth/token", {**television, "device_code": self.device_code()}, proof=True)

    def guesses(self) -> None:
        """The code of a mail to an address that they do not read, and a link that they have made up."""
        answer = self.phone.call("POST /login/code", {"email": f"{self.new()}@example.com"})
        if answer.status == 202:
            self.responses["mailed"] = answer.json()["login_token"]
        for proof in ({"code": "123456"}, {"token": "x"}):
            self.phone.call("POST /login/code/confirm", {"login_token": self.responses["mailed"], **proof})

    def challenges(self) -> None:
        """The login of a first-party app, with a password and to begin with."""
        request = {name: v for name, v in self.native.request().items() if name in first_party.PARAMETERS}
        request["client_id"] = self.native.client.client_id
        guess = {"email": f"{self.new()}@example.com", "password": "a guess"}
        self.form("POST /oauth/authorize-challenge", {**request, **guess}, proof=True)
        self.form("POST /oauth/authorize-challenge", request, proof=True)

    def pushes(self) -> None:
        """Pushed requests of a client that anybody can pretend to be."""
        self.form("POST /oauth/par", self.spa.request(), proof=True)
        self.form("POST /oauth/par", {**self.spa.request(), "client_id": self.document()})

    def requests(self) -> None:
        """Authorization requests by POST, which are kept where they are too long for an address."""
        for client_id in (self.spa.client.client_id, self.document()):
            long = {**self.spa.request(), "client_id": client_id, "state": "x" * 5000}
            Browser(self.phone).post("/oauth/authorize", long)
            Browser(self.phone).get("/oauth/authorize", long)

    def devices(self) -> None:
        """Codes for devices."""
        self.form("POST /oauth/device", {"client_id": self.television.client.client_id}, proof=True)
        self.form("POST /oauth/device", {"client_id": self.document()})


Deed = Callable[[Stranger], object]


def get(path: str) -> Deed:
    """A page or a document that is only read."""
    return lambda stranger: stranger.phone.call(f"GET {path}", token="x.y.z")


def of_document(line: str, **more: str) -> Deed:
    """A form with the id of a client that nobody knows."""
    return lambda stranger: stranger.form(line, {"client_id": stranger.document(), **more})


def page_form(path: str) -> Deed:
    """A form for who is logged in, with what a stranger's own form has."""
    return lambda stranger: stranger.page(path, "allow")


# What a stranger does at each route that needs no token, to have something written: a new route has to be thought about
# here, unless it is a page for who is logged in, where a stranger can do no more than this.
DEEDS: dict[str, Deed] = {
    **{f"GET {path}": get(path) for path in account_pages.PATHS},
    **{f"POST {path}": page_form(path) for path in account_pages.FORMS},
    "POST /signup": lambda s: s.phone.call("POST /signup", {"email": f"{s.new()}@example.com", "password": PASSWORD}),
    "POST /signup/guest": lambda s: s.phone.call("POST /signup/guest"),
    "POST /login": lambda s: s.phone.call("POST /login", {"email": f"{s.new()}@example.com", "password": "a guess"}),
    "POST /login/passkey": lambda s: s.phone.call("POST /login/passkey", {}),
    "POST /signup/passkey": lambda s: s.phone.call("POST /signup/passkey", {"email": f"{s.new()}@example.com"}),
    "POST /signup/passkey/confirm": lambda s: s.phone.call(
        "POST /signup/passkey/confirm", {"token": "x" * 400, "answer": "{}"}
    ),
    "POST /login/challenge": lambda s: s.phone.call(
        "POST /login/challenge", {"mfa_token": "x" * 400, "factor": "password"}
    ),
    "POST /login/proof": lambda s: s.phone.call(
        "POST /login/proof", {"mfa_token": "x" * 400, "factor": "password", "answer": PASSWORD}
    ),
    "POST /login/enrolment": lambda s: s.phone.call("POST /login/enrolment", {"mfa_token": "x" * 400, "kind": "totp"}),
    "POST /login/enrolment/confirm": lambda s: s.phone.call(
        "POST /login/enrolment/confirm", {"mfa_token": "x" * 400, "token": "x" * 400, "answer": "123456"}
    ),
    "POST /refresh": lambda s: s.phone.call("POST /refresh", {"refresh_token": "x" * 100}),
    "POST /logout": lambda s: s.phone.call("POST /logout", {"refresh_token": "x" * 100}),
    "POST /verify": lambda s: s.phone.call("POST /verify", {"token": "x.y.z"}),
    "POST /oauth/token": Stranger.tokens,
    "POST /oauth/authorize-challenge": Stranger.challenges,
    "POST /oauth/par": Stranger.pushes,
    "POST /oauth/device": Stranger.devices,
    "POST /oauth/revoke": of_document("POST /oauth/revoke", token="x"),
    "POST /oauth/introspect": of_document("POST /oauth/introspect", token="x"),
    "GET /oauth/userinfo": get("/oauth/userinfo"),
    "POST /oauth/userinfo": lambda s: s.phone.call("POST /oauth/userinfo", token="x.y.z"),
    "GET /oauth/authorize": lambda s: Browser(s.phone).get(
        "/oauth/authorize", {**s.spa.request(), "client_id": s.document()}
    ),
    "POST /oauth/authorize": Stranger.requests,
    "POST /authorize/login": lambda s: s.page(
        "/authorize/login", "", email=f"{s.new()}@example.com", password="a guess"
    ),
    "POST /authorize/signup": lambda s: s.page(
        "/authorize/signup", "", email=f"{s.new()}@example.com", password=PASSWORD
    ),
    "POST /authorize/signup/passkey": lambda s: s.page(
        "/authorize/signup/passkey", "", attempt="x" * 400, answer="{}", email=f"{s.new()}@example.com"
    ),
    "POST /account/sign-up/passkey": lambda s: s.page(
        "/account/sign-up/passkey", "", token="x", attempt="x" * 400, answer="{}"
    ),
    "POST /authorize/enrol": lambda s: s.page("/authorize/enrol", "", answer="123456"),
    "POST /authorize/enrol/passkey": lambda s: s.page("/authorize/enrol/passkey", "", enrolment="x" * 400, answer="{}"),
    "GET /authorize/passkey": get("/authorize/passkey"),
    "POST /authorize/passkey": lambda s: s.page("/authorize/passkey", "", attempt="x" * 400, answer="{}"),
    "POST /language": lambda s: s.page("/language", "", language="ar"),
    "POST /authorize/work": lambda s: s.page("/authorize/work", "", challenge="x", number="1"),
    "POST /authorize/proof": lambda s: s.page("/authorize/proof", "", factor="password", answer="a guess"),
    "POST /authorize/continue": lambda s: s.page("/authorize/continue", ""),
    "POST /login/code": lambda s: s.phone.call("POST /login/code", {"email": f"{s.new()}@example.com"}),
    "POST /login/code/confirm": Stranger.guesses,
    "GET /authorize/mailed": get("/authorize/mailed?token=x"),
    "POST /authorize/mail": lambda s: s.page("/authorize/mail", "", email=f"{s.new()}@example.com"),
    "POST /authorize/mailed": lambda s: s.page("/authorize/mailed", "", code="123456"),
    "POST /password/reset": lambda s: s.phone.call("POST /password/reset", {"email": f"{s.new()}@example.com"}),
    "POST /password/reset/challenge": lambda s: s.phone.call(
        "POST /password/reset/challenge", {"token": "x" * 100, "factor": "totp"}
    ),
    "POST /password/reset/confirm": lambda s: s.phone.call(
        "POST /password/reset/confirm", {"token": "x" * 100, "new_password": PASSWORD}
    ),
    "GET /account/forgot-password": get("/account/forgot-password"),
    "POST /account/forgot-password": lambda s: s.page("/account/forgot-password", "", email=f"{s.new()}@example.com"),
    "GET /account/reset-password": get("/account/reset-password?token=x"),
    "POST /account/reset-password": lambda s: s.page("/account/reset-password", "", token="x", password=PASSWORD),
    "POST /signup/confirm": lambda s: s.phone.call("POST /signup/confirm", {"token": "x" * 100, "password": PASSWORD}),
    "GET /account/sign-up": get("/account/sign-up?token=x"),
    "POST /account/sign-up": lambda s: s.page("/account/sign-up", "", token="x", password=PASSWORD),
    "GET /account/verify-email": get("/account/verify-email?token=x"),
    "POST /account/verify-email": lambda s: s.page("/account/verify-email", "", token="x"),
    "GET /account/change-email": get("/account/change-email?token=x"),
    "POST /account/change-email": lambda s: s.page("/account/change-email", "", token="x"),
    "GET /account/end-session": get("/account/end-session?token=x"),
    "POST /account/end-session": lambda s: s.page("/account/end-session", "", token="x"),
    "GET /account/session-ended": get("/account/session-ended"),
    "GET /account/undo-email-change": get("/account/undo-email-change?token=x"),
    "POST /account/undo-email-change": lambda s: s.page("/account/undo-email-change", "", token="x"),
    "GET /device": get("/device?user_code=BBBB-BBBB"),
    "POST /device": lambda s: s.page("/device", "allow", user_code="BBBB-BBBB"),
    "GET /oauth/logout": lambda s: Browser(s.phone).get("/oauth/logout", {"client_id": s.document()}),
    "POST /oauth/logout": lambda s: Browser(s.phone).post("/oauth/logout", {"client_id": s.document()}),
    "POST /oauth/logout/confirm": lambda s: s.page("/oauth/logout/confirm", "allow"),
    "POST /oauth/register": lambda s: s.phone.call("POST /oauth/register", {"redirect_uris": [CALLBACK]}),
    "GET /oauth/register/{client_id}": lambda s: s.registration("GET"),
    "PUT /oauth/register/{client_id}": lambda s: s.registration(
        "PUT", {"client_id": s.registered()["client_id"], "redirect_uris": [CALLBACK]}
    ),
    "DELETE /oauth/register/{client_id}": lambda s: s.registration("DELETE"),
    "GET /.well-known/oauth-authorization-server/{path}": get("/.well-known/oauth-authorization-server/x"),
    "GET /.well-known/openid-configuration/{path}": get("/.well-known/openid-configuration/x"),
    "GET /.well-known/oauth-protected-resource/{name}": get("/.well-known/oauth-protected-resource/x"),
    **{
        f"GET {path}": get(path)
        for path in (
            "/.well-known/change-password",
            "/.well-known/jwks.json",
            "/.well-known/apple-app-site-association",
            "/.well-known/assetlinks.json",
            "/.well-known/webauthn",
            "/.well-known/passkey-endpoints",
            "/.well-known/oauth-authorization-server",
            "/.well-known/openid-configuration",
            "/.well-known/oauth-protected-resource",
            "/openapi.json",
            "/docs",
            "/docs/{file}",
            "/account/email-verified",
            "/account/email-changed",
            "/account/email-restored",
            "/account/sign-up-mailed",
            "/account/reset-mailed",
            "/account/password-reset",
            "/account/deleted",
            "/account/deletion-scheduled",
            "/",
            "/error",
            "/favicon.ico",
            "/authorize/login",
            "/authorize/enrol",
            "/authorize/proof",
            "/authorize/signup",
            "/authorize/work",
        )
    },
}
# Where something is written as long as the limit allows it: else the deeds above would prove nothing.
WRITE_AT_FIRST = {
    "POST /signup",
    "POST /signup/guest",
    "POST /oauth/token",
    "POST /oauth/par",
    "POST /oauth/device",
    "POST /oauth/revoke",
    "POST /oauth/introspect",
    "GET /oauth/authorize",
    "POST /oauth/authorize",
    "POST /authorize/signup",
    "POST /login/code",
    "POST /login/code/confirm",
    "POST /authorize/mail",
    "POST /password/reset",
    "POST /account/forgot-password",
    "GET /oauth/logout",
    "POST /oauth/logout",
    "POST /oauth/register",
    "GET /oauth/register/{client_id}",
    "PUT /oauth/register/{client_id}",
    "DELETE /oauth/register/{client_id}",
}


@pytest.fixture
def stranger(svc: Services, clock: Clock, tmp_path: Path) -> Iterator[Stranger]:
    """A stranger at a deployment that lets strangers do all that it can, but twice."""
    limits = load({"LATCHKEY_ISSUER": ISSUER, "LATCHKEY_LIMITS": f"*={LIMIT}"}).limits
    settings = replace(
        svc.settings,
        limits=limits,
        registration_open=True,
        client_documents=True,
        mail_from="a@id.example",
        guests=True,
    )
    with running(tmp_path, "app.example") as internet:
        svc = replace(svc, settings=settings, fetch=internet.fetch())
        with installed(svc):
            phone = Phone(clock)
            native = register(svc, phone, "native", first_party=True)
            yield Stranger(
                svc, phone, register(svc, phone, "spa"), native, register(svc, phone, "television"), Prover(clock)
            )


def open_routes() -> set[str]:
    """Every route that needs no token."""
    return {
        f"{method} {path}"
        for path, methods in app.routes.items()
        for method, route in methods.items()
        if route.authorizer is None and method != "OPTIONS"
    }


def test_what_a_stranger_does_at_every_open_route_is_known() -> None:
    assert open_routes() == set(DEEDS)


def test_a_stranger_tries_every_grant_that_needs_no_secret(stranger: Stranger) -> None:
    stranger.tokens()
    assert stranger.grant_types == {name for name, grant in EXPECTED.items() if grant.public}


@pytest.mark.parametrize("line", DEEDS)
def test_a_stranger_has_nothing_written_but_counters_once_a_limit_is_reached(stranger: Stranger, line: str) -> None:
    deed = DEEDS[line]
    with written(stranger.svc) as keys:
        deed(stranger)
        assert bool(keys) == (line in WRITE_AT_FIRST), keys
        for _ in range(TIMES):
            deed(stranger)
        keys.clear()
        for _ in range(LAST):
            deed(stranger)
    assert keys == []
