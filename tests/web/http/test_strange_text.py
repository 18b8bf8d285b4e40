"""Every text that a stranger can send, at its strangest: never a fault, nothing written, and no work that grows with it."""

import json
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
import zxcvbn
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import app
from chalicelib.config import load
from chalicelib.domain.accounts import passwords
from chalicelib.domain.oauth.client import CODE, DEVICE_CODE, JWT_BEARER, REFRESH, TOKEN_EXCHANGE
from chalicelib.flows.oauth import dpop
from chalicelib.flows.oauth.grants import GRANTS
from chalicelib.services import Services
from chalicelib.web.http.decoding import Form
from chalicelib.web.http.routing import Operation
from chalicelib.web.metadata import apis
from local.gateway import Answer
from tests.support import account_pages, wire
from tests.support.aws import container, undeploy, undone
from tests.support.browser import ASSERTION_TYPE, CALLBACK, ISSUER, App, Browser, forms, register
from tests.support.forge import by, compact, peek
from tests.support.issuer import Issuer, trusting
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, deployed, installed
from tests.support.prover import Prover
from tests.support.strength import judged_once
from tests.web.http.test_unauthenticated_writes import written

TOKEN_TYPE = "urn:ietf:params:oauth:token-type:"
LONG = 60_000  # bytes; of 64 KB nothing is read
LINE = 9_000  # bytes of a request line; API Gateway takes 10,240 with all headers
TEXTS = (
    "\ud800",
    "\udc00\ud800 x",
    "\x00",
    "a\x00b",
    "\u200d\u200c\u202e\u2066\ufeff",
    "\uffff\U0010ffff",
    "\u0301\u0316" * (LONG // 4),
    "\ufdfa" * (LONG // 3),
    "\U0001d15e" * (LONG // 4),
    "x" * LONG,
    "[" * LONG,
    '{"a":' * (LONG // 5),
    "9" * LONG,
    "." * LONG,
    "a@" + "\u00fc." * (LONG // 3),
    "4@8({[<6&9#!1|lL0$5+7%2xX" * (LONG // 25),
    "#%23%00/../..",
    "\r\nSet-Cookie: a=b",
    "-1",
    "\u0663",
    "1e999",
    "null",
    "",
)
SHORT, MASSES = [text for text in TEXTS if len(text) < 100], [text for text in TEXTS if len(text) >= 100]
# What may stand in the place of a text, or one level down in it.
ODD: tuple[Any, ...] = (
    None, True, -1, 1.5, 10**30, [], [None], [[]], [{}], {}, {"a": {}}, ["\ud800"], {"\ud800": 1}, {"keys": [{"kty": []}]},
)  # fmt: skip
HEADERS = (
    "Authorization",
    "DPoP",
    "Cookie",
    "Origin",
    "Accept",
    "Accept-Language",
    "Content-Type",
    "User-Agent",
    "Host",
)
strange = st.one_of(
    st.sampled_from(TEXTS),
    st.text(st.characters() | st.sampled_from("\x00\u200d\u0301\ufdfa\ud800#%&=;,.\"'{}[]"), max_size=40),
)


@lru_cache(maxsize=200)  # each of the long ones is sent in each field there is
def escaped(text: str) -> str:
    """A text in a form, with as little escaped as can be."""
    plain = [c not in "%&+=#;" and ord(c) > 32 and not 0xD800 <= ord(c) < 0xE000 for c in text]
    return "".join(c if ok else quote(c, errors="surrogatepass") for c, ok in zip(text, plain, strict=True))


@lru_cache(maxsize=200)
def in_query(text: str) -> str:
    """A text in a query, the same, as much of it as a gateway lets through; what is not ASCII is always escaped there."""
    plain = {c for c in text if " " < c < "\x7f" and c not in "%&+=#;"}
    signs = [c if c in plain else quote(c, errors="surrogatepass") for c in text[:LINE]]
    return "".join(signs[: LINE // max(map(len, signs), default=1)])


def as_form(fields: Mapping[str, Any]) -> bytes:
    """A form with so little escaped that as much as can be fits in."""
    return "&".join(f"{name}={escaped(str(value))}" for name, value in fields.items()).encode()


def as_json(body: object) -> bytes:
    """JSON, the same; lone surrogates are escaped."""
    try:
        return json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(body).encode()


@dataclass
class Work:
    """What one request cost: characters normalised, hashes, characters judged, calls of the tables."""

    normalised: int = 0
    hashes: int = 0
    judged: int = 0
    calls: int = 0


@contextmanager
def counted(svc: Services) -> Iterator[Work]:
    """Counts what is expensive for the length of a `with` block."""
    work, normalize, judge = Work(), unicodedata.normalize, zxcvbn.zxcvbn

    def normalised(form: Any, text: str) -> str:
        work.normalised += len(text)
        return normalize(form, text)

    def judged(text: str, **more: Any) -> Any:
        work.judged += len(text)
        return judge(text, **more)

    class Counted:
        def __new__(cls, **kwargs: Any) -> Any:
            work.hashes += 1
            return Argon2id(**kwargs)

        @staticmethod
        def verify_phc_encoded(secret: bytes, stored: str) -> None:
            work.hashes += 1
            Argon2id.verify_phc_encoded(secret, stored)

    with pytest.MonkeyPatch.context() as patch, wire.watched(svc) as traffic:
        patch.setattr(unicodedata, "normalize", normalised)
        patch.setattr(zxcvbn, "zxcvbn", judged)
        patch.setattr(passwords, "Argon2id", Counted)
        yield work
    work.calls = len(traffic.calls)


@dataclass
class Sender:
    """Sends what nobody expects, to a deployment whose limits are out of the way."""

    svc: Services
    phone: Phone
    spa: App
    others: Mapping[str, App]
    registered: Mapping[str, Any]
    forms: Mapping[str, tuple[Browser, Mapping[str, str]]]
    prover: Prover
    access: str

    def json(self, line: str, body: object) -> Answer:
        """A JSON body."""
        registered = line.startswith("PUT /oauth/register/")
        token = self.registered["registration_access_token"] if registered else self.access
        return self.phone.call(line, raw=as_json(body), token=token)

    def form(self, line: str, fields: Mapping[str, Any], headers: Mapping[str, str] = {}) -> Answer:
        """A form in UTF-8, and in what is almost UTF-8."""
        raw = as_form(fields)
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.phone.call(line, raw=raw, headers={**kind, **headers})

    def assertion(self, **changes: Any) -> str:
        """What a client with a key says who it is with."""
        return self.others["key"].assertion(**changes)

    def query(self, line: str, fields: Mapping[str, str]) -> Answer:
        """A query, the same."""
        return self.phone.call(f"{line}?{'&'.join(f'{name}={in_query(text)}' for name, text in fields.items())}")


@pytest.fixture(scope="module")
def prepared(files: Path) -> Iterator[Sender]:
    """With an account, two clients and a key: made once, for it takes longer than most of the tests."""
    names = {f"LATCHKEY_{kind}_FILE": str(files / f"strange-{kind}.json") for kind in ("APIS", "JWKS")}
    own = deployed(LATCHKEY_ORIGINS="https://app.example", LATCHKEY_LIMITS="*=1000000", **names)
    clock = Clock()
    svc = container(replace(own, registration_open=True, client_documents=True), now=clock)
    with installed(svc), judged_once():
        phone = Phone(clock)
        access = phone.sign_up()["access_token"]
        account_pages.prepare(svc, EMAIL)
        spa = register(svc, phone, "spa")
        television = register(svc, phone, "television")
        others = {
            "/oauth/authorize-challenge": register(svc, phone, "native", first_party=True),
            "/oauth/device": television,
            "/oauth/introspect": register(svc, phone, "api", token_endpoint_auth_method="client_secret_post"),
            REFRESH: spa,
            DEVICE_CODE: television,
            JWT_BEARER: trusting(svc, phone, Issuer(), token_endpoint_auth_method="client_secret_post"),
            "key": register(svc, phone, "key", token_endpoint_auth_method="private_key_jwt"),
            TOKEN_EXCHANGE: register(svc, phone, "exchanger", token_endpoint_auth_method="client_secret_post"),
        }
        registered = phone.call("POST /oauth/register", {"redirect_uris": [CALLBACK]}).json()
        page_forms = forms_of_pages(phone, spa, television)
        ready = Sender(svc, phone, spa, others, registered, page_forms, Prover(clock), access)
    yield ready
    undeploy(own)


@pytest.fixture
def sender(prepared: Sender) -> Iterator[Sender]:
    """As it was prepared, whatever a test before did to the account and the clients."""
    with installed(prepared.svc), judged_once(), undone(prepared.svc.settings):
        yield replace(prepared, prover=Prover(prepared.svc.now))


def forms_of_pages(phone: Phone, spa: App, television: App) -> dict[str, tuple[Browser, Mapping[str, str]]]:
    """Every form of our pages as a browser gets it, so that what is strange in it is not refused for its mark."""
    nobody, somebody = Browser(phone), Browser(phone)
    login = nobody.authorize(spa)
    consent = somebody.submit(somebody.authorize(spa), "/authorize/login", email=EMAIL, password=PASSWORD)
    pages = [
        (nobody, login),
        (nobody, nobody.sign_up_page(login)),
        (somebody, consent),
        (somebody, somebody.authorize(spa, prompt="select_account")),
        (somebody, somebody.get("/oauth/logout")),
        *((somebody, somebody.get(path)) for path in account_pages.PATHS),
    ]
    page_forms = {path: (browser, form.hidden) for browser, page in pages for path, form in forms(page).items()}
    code = television.post("/oauth/device", {}).json()["user_code"]
    decision = somebody.submit(somebody.get("/device"), "/device", user_code=code)
    return {**page_forms, "the device's decision": (somebody, forms(decision)["/device"].hidden)}


OPERATIONS = {f"{each.method} {each.path}": each for each in apis.operations()}
# What a request has, so that what is strange is not refused for what is missing; most of it is for another route and ignored.
USUAL = {
    "email": EMAIL, "password": PASSWORD, "name": "Ann", "redirect_uri": CALLBACK, "response_type": "code",
    "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256",
    "redirect_uris": [CALLBACK], "current_password": PASSWORD, "new_password": PASSWORD, "token": "x", "refresh_token": "x",
}  # fmt: skip


def fields_of(operation: Operation) -> list[str]:
    """What a route takes, by name."""
    if operation.body is None or operation.body is Form:
        return sorted(operation.takes)
    return [each.encode_name for each in msgspec.structs.fields(operation.body)]


# By which grant a parameter is tried, where several take it: the exchange, which has the most to read.
GRANT_OF = {name: grant for grant in (*GRANTS, TOKEN_EXCHANGE) for name in GRANTS[grant].parameters}


def send(sender: Sender, line: str, name: str, value: Any) -> Answer:
    """One request with one strange value in it."""
    operation = OPERATIONS[line]
    line = line.replace("{client_id}", sender.registered["client_id"]).replace("{", "").replace("}", "")
    grant_type = GRANT_OF.get(name, CODE) if operation.path == "/oauth/token" else ""
    app = sender.others.get(operation.path) or sender.others.get(grant_type) or sender.spa
    page = "the device's decision" if (operation.path, name) == ("/device", "decision") else operation.path
    browser, hidden = sender.forms.get(page, (None, {}))
    usual = {**USUAL, "client_id": app.id, "grant_type": grant_type, **hidden}
    if app.secret:
        usual["client_secret"] = app.secret
    if operation.method == "PUT":
        usual["client_id"] = sender.registered["client_id"]
    if grant_type == TOKEN_EXCHANGE:
        usual |= {"subject_token": sender.access, "subject_token_type": f"{TOKEN_TYPE}access_token"}
        usual |= {"actor_token_type": f"{TOKEN_TYPE}access_token"} if name == "actor_token" else {}
    fields = {each: usual[each] for each in fields_of(operation) if each in usual} | {name: value}
    if operation.body is Form:
        cookies = "; ".join(f"{each}={text}" for each, text in browser.cookies.items()) if browser else ""
        return sender.form(line, fields, {"Cookie": cookies} if cookies else {})
    if operation.body:
        return sender.json(line, fields)
    return sender.query(line, {each: str(value) for each, value in fields.items()})


ROUTES = [f"{method} {path}" for path, methods in app.routes.items() for method in methods]
PLACES = [(line, name) for line, operation in OPERATIONS.items() for name in fields_of(operation)]


def holds(answer: Answer, keys: list[str], work: Work) -> None:
    """What is true of every answer: no fault, no write where it is a refusal, and no more work than any request is worth."""
    assert answer.status < 500, answer
    assert answer.status < 400 or answer.status == 409 or keys == [], (
        answer,
        keys,
    )  # 409: the condition stood against it
    assert work.normalised <= 4 * passwords.MAX_BYTES, work
    assert work.hashes <= 3, work
    assert work.judged <= 64, work
    assert work.calls <= 12, work


@pytest.mark.parametrize("line", dict.fromkeys(line for line, _ in PLACES))
def test_a_strange_text_in_any_field_or_parameter_is_no_fault(sender: Sender, line: str) -> None:
    for number, name in enumerate(fields_of(OPERATIONS[line])):
        # All that is short, and of what is long a part: the others have their turn in the next fields.
        texts = (*SHORT, *(MASSES[(number + turn) % len(MASSES)] for turn in range(4)))
        for value in (*texts, *ODD) if OPERATIONS[line].body not in (None, Form) else texts:
            if "/me" in line and name == "password":
                continue  # its own owner's, and the last that this account would be asked
            with written(sender.svc, logged_in="/me" in line) as keys, counted(sender.svc) as work:
                answer = send(sender, line, name, value)
            holds(answer, keys, work)


@given(st.sampled_from(PLACES), strange)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_in_any_field_is_a_fault(sender: Sender, place: tuple[str, str], value: str) -> None:
    with written(sender.svc, logged_in="/me" in place[0]) as keys, counted(sender.svc) as work:
        answer = send(sender, *place, value)
    holds(answer, keys, work)


@pytest.mark.parametrize("header", HEADERS)
def test_a_strange_header_is_no_fault_at_any_route(sender: Sender, header: str) -> None:
    for text in TEXTS:
        # As a server that reads bytes as Latin-1 hands it on; no server lets these three characters through.
        header_value = text.encode(errors="surrogatepass").decode("latin-1").translate({0: "", 10: "", 13: ""})[:9000]
        for line, operation in OPERATIONS.items():
            if text in TEXTS[6:] and operation.method == "GET":
                continue
            path = line.replace("{", "").replace("}", "")
            with written(sender.svc) as keys:
                answer = sender.phone.call(path, raw=b"a=b", headers={header: header_value})
            assert answer.status < 500, (line, answer)
            assert keys == []


MEMBERS = (
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "nonce",
    "htm",
    "htu",
    "ath",
    "scope",
    "sid",
    "client_id",
    "cnf",
)
OF_HEADER = ("typ", "alg", "kid", "jwk", "crit", "jku", "zip")


@pytest.mark.parametrize("member", [*MEMBERS, *OF_HEADER])
def test_a_strange_member_of_a_token_a_proof_or_an_assertion_is_no_fault(sender: Sender, member: str) -> None:
    for value in (*TEXTS[:6], TEXTS[9][:6000], *ODD):
        sender.prover.nonce = dpop.nonce(sender.svc)
        for where in ("header", "payload"):
            if (where == "header") != (member in OF_HEADER):
                continue
            change = {"header": {member: value}} if where == "header" else {member: value}
            proof = sender.prover.proof("/oauth/token", **change)
            answer = sender.form(
                "POST /oauth/token",
                {"client_id": sender.spa.client.client_id, "grant_type": "refresh_token", "refresh_token": "x"},
                {"DPoP": proof},
            )
            assert answer.status < 500, (where, value, answer)
            good = {"alg": "ES256", "kid": "1"}
            inside = {"header": {**good, member: value}} if where == "header" else {"header": good, member: value}
            assertion = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": sender.assertion(**inside)}
            answer = sender.form("POST /oauth/token", {"grant_type": REFRESH, "refresh_token": "x", **assertion})
            assert answer.status < 500, (where, value, answer)
            header, claims = peek(sender.access)
            signer = by(sender.prover.key)
            tokens = (
                compact({**header, member: value}, claims, signer),
                compact(header, {**claims, member: value}, signer),
            )
            for token in tokens:
                assert sender.json("POST /verify", {"token": token[:8192]}).status < 500
                assert send(sender, "POST /oauth/token", "subject_token", token).status < 500
                assert send(sender, "POST /oauth/introspect", "token", token).status < 500
                assert send(sender, "POST /oauth/revoke", "token", token).status < 500
                assert sender.phone.call("GET /oauth/userinfo", token=token).status < 500
                assert sender.query("GET /oauth/logout", {"id_token_hint": token}).status < 500
                assert sender.phone.call("GET /me", token=token).status < 500


@pytest.mark.parametrize("line", [line for line in map(str, ROUTES) if "{" in line])
def test_a_strange_text_in_a_path_is_no_fault(sender: Sender, line: str) -> None:
    before, _, _ = line.partition("{")
    for text in TEXTS:
        escaped = quote(text, safe="", errors="surrogatepass")[:LONG]
        with counted(sender.svc) as work:
            answer = sender.phone.call(f"{before}{escaped}", token=sender.access)
        holds(answer, [], work)  # what it asks for is there or not by the condition of the write


# Before a limit
@pytest.mark.parametrize("line", ["POST /login", "POST /signup"])
@pytest.mark.parametrize("text", [TEXTS[6], TEXTS[7], TEXTS[15], "\u0301\u0316" * 250, "\ufdfa" * 80])
def test_before_a_limit_nothing_is_done_that_grows_with_what_was_sent(
    svc: Services, clock: Clock, line: str, text: str
) -> None:
    limits = load({"LATCHKEY_ISSUER": ISSUER, "LATCHKEY_LIMITS": "*=1"}).limits
    svc = replace(svc, settings=replace(svc.settings, limits=limits))
    with installed(svc):
        phone = Phone(clock)
        phone.sign_up()
        phone.call("POST /login", {"email": EMAIL, "password": "wrong password"})
        costs = []
        for password in ("correct horse battery staple", text):
            with counted(svc) as work:
                answer = phone.call(line, raw=as_json({"email": EMAIL, "password": password}))
            assert answer.status in (400, 429)
            costs.append((work.normalised, work.hashes, work.judged, work.calls))
        assert costs[0][1:3] == costs[1][1:3] == (0, 0)
        assert costs[1][0] <= costs[0][0]
        assert costs[1][3] <= costs[0][3]
        with counted(svc) as work:
            answer = phone.call(line, raw=as_json({"email": f"{text[:200]}@example.com", "password": text}))
        assert answer.status in (400, 429)
        # An address has 254 characters, each can be eighteen of another width, and they are normalised a few times.
        assert work.normalised <= 4 * 18 * 254
        assert (work.hashes, work.judged) == (0, 0)
