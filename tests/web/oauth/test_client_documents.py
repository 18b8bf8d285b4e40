"""Clients at an address of their own (client-id metadata documents), and keys at an address of a client's."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.oauth.client import Client
from chalicelib.flows.clients import authenticate as clients
from chalicelib.flows.clients import manage
from chalicelib.flows.clients.documents import is_address
from chalicelib.flows.platform.remote_documents import freshness_lifetime
from chalicelib.services import Services
from tests.support import wire
from tests.support.browser import ASSERTION_TYPE, App, Browser, register, send, token_response
from tests.support.forge import PrivateKey, jwk, stranger
from tests.support.grants import EXPECTED
from tests.support.internet import Internet, Page, running
from tests.support.not_its_own import NOT_ITS_OWN
from tests.support.phone import NETWORK, Clock, Phone, installed, refusal
from tests.support.staged import just_before

ID = "https://app.example/oauth/client.json"
OTHER_ID = "https://app.example/other.json"
JWKS = "https://keys.example/jwks.json"
REDIRECT = "https://app.example/cb"
DOCUMENT = {
    "client_id": ID,
    "client_name": "A stranger's app",
    "redirect_uris": [REDIRECT],
    "grant_types": ["authorization_code", "refresh_token"],
    "token_endpoint_auth_method": "none",
}


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    with running(tmp_path, "app.example", "keys.example") as network:
        yield network


@pytest.fixture
def svc(svc: Services, internet: Internet) -> Services:
    """A deployment that takes clients by their documents, on an internet of the test's own."""
    settings = replace(svc.settings, client_documents=True)
    return replace(svc, settings=settings, fetch=internet.fetch())


def publish(internet: Internet, **changes: Any) -> None:
    internet.pages[ID] = Page(json.dumps({**DOCUMENT, **changes}).encode())


def authorize(phone: Phone, client_id: str = ID, **changes: str) -> bytes:
    app = App(phone, None, Client(client_id=client_id, redirect_uris=(REDIRECT,)))  # type: ignore[arg-type]
    answer = Browser(phone).authorize(app, scope="openid", **changes)
    assert answer.header("Location") is None
    return answer.body


def is_client(phone: Phone, client_id: str = ID) -> bool:
    """Whether the authorization endpoint takes it for a client: it asks for a login then."""
    page = authorize(phone, client_id)
    assert (b'name="password"' in page) != (b"invalid_request" in page)
    return b'name="password"' in page


def test_a_client_that_nobody_registered_logs_a_user_in(svc: Services, phone: Phone, internet: Internet) -> None:
    publish(internet)
    phone.sign_up()
    client = clients.find(svc, ID, network=NETWORK)
    assert client
    tokens = App(phone, svc, client).tokens(Browser(phone), scope="openid offline_access")
    assert {"access_token", "refresh_token", "id_token"} <= set(tokens)


def test_a_client_at_an_address_that_is_long_as_it_is_encoded_logs_a_user_in(
    svc: Services, phone: Phone, internet: Internet
) -> None:
    address = f"https://app.example/{',' * 480}"
    internet.pages[address] = Page(json.dumps({**DOCUMENT, "client_id": address}).encode())
    phone.sign_up()
    client = clients.find(svc, address, network=NETWORK)
    assert client
    tokens = App(phone, svc, client).tokens(Browser(phone), scope="openid", state="x" * 1500)
    assert "id_token" in tokens


def test_where_documents_are_off_no_address_is_asked(svc: Services, clock: Clock, internet: Internet) -> None:
    publish(internet)
    with installed(replace(svc, settings=replace(svc.settings, client_documents=False))):
        assert not is_client(Phone(clock))
    assert internet.resolved == []


@pytest.mark.parametrize(
    "client_id",
    [
        "http://app.example/client.json",
        "https://app.example",
        "https://app.example/",
        "https://app.example?x=/y",
        "https://app.example/a/../client.json",
        "https://app.example/./client.json",
        "https://app.example/a/%2e%2e/client.json",
        "https://app.example/a/%2E/client.json",
        "https://app.example/..",
        "https://app.example/client.json#x",
        "https://app.example/client.json#",
        "https://user@app.example/client.json",
        "https://user:pass@app.example/client.json",
        "https://app.example\\@evil.example/client.json",
        "https:app.example/client.json",
        "https:///client.json",
        "ftp://app.example/client.json",
        "javascript:https://app.example/client.json",
        f"https://app.example/{'x' * 500}",
        "https://[/client.json",
        "https://a]b/client.json",
        "https://[::1/client.json",
        "https://[x]/client.json",
        "https://[2606:4700::1]/client.json",
        "https://evil.example\u2100/client.json",
        "https://äpp.example/client.json",
        "https://app.example/é",
        "https://app.example/a b",
        "https://app.example/100%",
        "https://app.example/%zz",
        "https://app.example:8443/client.json",
        "https://app.example:0443/client.json",
        "https://app.example:/client.json",
        "https://app.example:443:443/client.json",
        "https://.../client.json",
    ],
)
def test_what_is_no_address_of_a_document_is_not_asked(phone: Phone, internet: Internet, client_id: str) -> None:
    internet.pages[client_id] = Page(json.dumps({**DOCUMENT, "client_id": client_id}).encode())
    assert not is_address(client_id)
    assert not is_client(phone, client_id)
    form = {"grant_type": "authorization_code", "client_id": client_id}
    assert refusal(send(phone, "/oauth/token", form)) == (401, "invalid_client")
    assert internet.resolved == []


def test_the_longest_id_is_one_that_a_user_can_consent_to(svc: Services, phone: Phone, internet: Internet) -> None:
    client_id = "https://app.example/" + "%25" * 160
    internet.pages[client_id] = Page(json.dumps({**DOCUMENT, "client_id": client_id}).encode())
    phone.sign_up()
    client = clients.find(svc, client_id, network=NETWORK)
    assert client
    App(phone, svc, client).tokens(Browser(phone), scope="openid")
    wrong = "https://app.example/" + "%" * 480
    internet.pages[wrong] = Page(json.dumps({**DOCUMENT, "client_id": wrong}).encode())
    assert not is_client(phone, wrong)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "::1",
        "::ffff:a9fe:a9fe",
        "fd00:ec2::254",
        "64:ff9b::1",
    ],
)
def test_a_document_inside_is_never_read(phone: Phone, internet: Internet, address: str) -> None:
    publish(internet)
    internet.addresses["app.example"] = [address]
    assert not is_client(phone)
    assert internet.dialled == []


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fd00:ec2::254]", "127.1", "2130706433", "localhost", "app.example:8443", "app.example:22"]
)  # fmt: skip
def test_a_host_that_is_ours_or_a_port_that_is_not_the_webs_is_never_asked(
    phone: Phone, internet: Internet, host: str
) -> None:
    internet.addresses |= {
        name: ["127.0.0.1"] for name in ("169.254.169.254", "fd00:ec2::254", "127.1", "2130706433", "localhost")
    }
    assert not is_client(phone, f"https://{host}/latest/meta-data/iam/")
    assert internet.dialled == []


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    handler.rfile.read(1)  # until the other side hangs up


@pytest.mark.parametrize(
    "page",
    [
        Page(status=302, headers={"Location": OTHER_ID}),
        Page(status=404),
        Page(status=500),
        Page(json.dumps(DOCUMENT).encode(), status=201),
        Page(json.dumps(DOCUMENT).encode(), headers={"Content-Type": "text/html"}),
        Page(json.dumps(DOCUMENT).encode(), headers={}),
        Page(json.dumps({**DOCUMENT, "more": "x" * 65536}).encode()),
        Page(b"not json"),
        Page(b"[]"),
        Page(b"null"),
        Page(b"\xff\xfe"),
        Page(b"[" * 60000),
        Page(write=endless),
    ],
    ids=["redirect", "404", "500", "201", "html", "untyped", "long", "no json", "list", "null", "bytes", "deep", "slow"],
)  # fmt: skip
def test_what_is_no_good_answer_is_no_client(svc: Services, clock: Clock, internet: Internet, page: Page) -> None:
    internet.pages[ID] = page
    internet.pages[OTHER_ID] = Page(json.dumps(DOCUMENT).encode())
    with installed(replace(svc, fetch=internet.fetch(seconds=0.5))):
        assert not is_client(Phone(clock))
    assert len(internet.requests) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": OTHER_ID},
        {"client_id": f"{ID}/"},
        {"client_id": ID.replace("app", "APP")},
        {"client_id": None},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "client_secret_post"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"client_secret": "everybody can read this"},
        *[{"grant_types": [name]} for name, grant in EXPECTED.items() if not grant.self_registrable],
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": ["http://evil.example/cb"]},
        {"redirect_uris": []},
        {"redirect_uris": REDIRECT},
        {"redirect_uris": ["cursor://oauth/callback"]},
        {"redirect_uris": [REDIRECT, "javascript:alert(1)"]},
        {"redirect_uris": [REDIRECT, "JavaScript:alert(1)"]},
        {"redirect_uris": [REDIRECT, "http://evil.example/cb"]},
        {"response_types": ["token"]},
        {"logo_uri": "javascript:alert(1)"},
        {"jwks": {"keys": [{"kty": "EC", "d": "c2VjcmV0"}]}},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://app.example:8443/jwks"},
    ],
)
def test_a_document_that_says_what_it_may_not_is_no_client(
    phone: Phone, internet: Internet, wrong: dict[str, Any]
) -> None:
    publish(internet, **wrong)
    assert not is_client(phone)


@pytest.mark.parametrize(
    ("foreign", "kept"),
    [
        ({"grant_types": ["authorization_code", "client_credentials", "urn:x"]}, {"grant_types": ("authorization_code",)}),
        ({"response_types": ["code", "token"]}, {}),
        ({"scope": "of:another:server"}, {"default_scope": ("openid",)}),
        ({"redirect_uris": ["cursor://oauth/cb", "vscode://x", REDIRECT]}, {"redirect_uris": (REDIRECT,)}),
        ({"logo_uri": "http://app.example/logo.png"}, {"logo_uri": ""}),
        ({"jwks_uri": "https://app.example:8443/jwks"}, {"jwks_uri": ""}),
        ({"backchannel_logout_uri": "https://10.0.0.1/out"}, {"backchannel_logout_uri": ""}),
        ({"backchannel_logout_uri": "http://app.example/out"}, {"backchannel_logout_uri": ""}),
        ({"unheard_of": {"deep": [1]}}, {}),
    ],
    ids=str,
)  # fmt: skip
def test_what_a_document_has_for_other_servers_is_left_out(
    svc: Services, phone: Phone, internet: Internet, foreign: dict[str, Any], kept: dict[str, Any]
) -> None:
    publish(internet, **foreign)
    assert is_client(phone)
    client = clients.find(svc, ID, network=NETWORK)
    assert client
    assert {name: getattr(client, name) for name in kept} == kept


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"grant_types": ["client_credentials"]}, b"`grant_types`"),
        ({"redirect_uris": ["cursor://oauth/callback"]}, b"cursor://oauth/callback cannot be a redirect URI"),
        ({"client_id": OTHER_ID}, b"another client"),
        ({"client_name": 7}, b"client_name"),
        (
            {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://app.example:8443/jwks"},
            b"`jwks_uri` cannot be called from here",
        ),
        ({"jwks": {"keys": [{"kty": "RSA", "n": "AA", "e": "AQAB"}]}}, b"RSA of 2048 bits or more"),
    ],
    ids=str,
)
def test_the_page_says_why_a_document_is_no_good(
    phone: Phone, internet: Internet, wrong: dict[str, Any], why: bytes
) -> None:
    publish(internet, **wrong)
    for _ in range(2):
        page = authorize(phone)
        assert b"no good here" in page
        assert why in page


def test_a_document_gives_no_privilege(svc: Services, internet: Internet) -> None:
    publish(internet, **{**NOT_ITS_OWN, "client_id": ID, "scopes": ["account"]})
    client = clients.find(svc, ID, network=NETWORK)
    assert client
    offer = svc.settings.self_registered_scopes
    nothing = Client(client_id=ID, registered_without_scope=True, default_scopes=offer)  # as its document is
    assert [name for name in NOT_ITS_OWN if getattr(client, name) != getattr(nothing, name)] == []
    assert client.scopes == ("openid", "profile", "email", "offline_access")


def test_no_answer_goes_where_the_document_does_not_say(phone: Phone, internet: Internet) -> None:
    publish(internet)
    page = authorize(phone, redirect_uri="https://evil.example/cb")
    assert b"invalid_request" in page


def test_a_registered_client_goes_before_a_document_of_the_same_name(svc: Services, internet: Internet) -> None:
    publish(internet)
    registered, _ = manage.create(svc, Client(client_id=ID, client_name="Ours", redirect_uris=(REDIRECT,)))
    assert clients.find(svc, ID, network=NETWORK) == registered
    assert internet.requests == []


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        ("", 3600),
        ("public", 3600),
        ("max-age=600", 600),
        ("public, max-age=7200", 7200),
        ('Max-Age="900"', 900),
        ("max-age=0", 300),
        ("max-age=1", 300),
        ("no-store", 300),
        ("no-cache, max-age=86400", 300),
        ("max-age=99999999", 86400),
        ("max-age=999999999999999999999", 3600),
        ("max-age=-1", 3600),
        ("s-maxage=600", 3600),
    ],
)
def test_an_answer_is_kept_for_minutes_at_least_and_a_day_at_most(cache_control: str, seconds: int) -> None:
    assert freshness_lifetime(cache_control) == seconds


def test_a_document_is_asked_for_again_when_its_time_is_over(svc: Services, clock: Clock, internet: Internet) -> None:
    internet.pages[ID] = Page(
        json.dumps(DOCUMENT).encode(), headers={"Content-Type": "application/json", "Cache-Control": "max-age=600"}
    )
    for _ in range(3):
        assert clients.find(svc, ID, network=NETWORK)
    clock.advance(599)
    assert clients.find(svc, ID, network=NETWORK)
    assert len(internet.requests) == 1
    clock.advance(1)
    internet.pages[ID] = Page(status=410)
    assert clients.find(svc, ID, network=NETWORK) is None
    assert len(internet.requests) == 2


def test_a_document_that_was_no_good_is_asked_for_again_after_a_minute(
    svc: Services, clock: Clock, internet: Internet
) -> None:
    for _ in range(3):
        assert clients.find(svc, ID, network=NETWORK) is None
    assert len(internet.requests) == 1
    publish(internet)
    assert clients.find(svc, ID, network=NETWORK) is None
    clock.advance(60)
    assert clients.find(svc, ID, network=NETWORK)


def test_what_a_client_may_have_is_judged_when_it_is_read(svc: Services, internet: Internet) -> None:
    publish(internet)
    assert clients.find(svc, ID, network=NETWORK)
    fewer = replace(svc, settings=replace(svc.settings, self_registered_scopes=("openid",)))
    client = clients.find(fewer, ID, network=NETWORK)
    assert client
    assert client.scopes == ("openid",)


def test_one_network_has_a_few_looks_wherever_they_go(phone: Phone, clock: Clock, internet: Internet) -> None:
    for number in range(30):
        assert not is_client(phone, f"https://h{number}.example/c")
    assert b"too_many_requests" in authorize(phone, "https://another.example/c")
    assert len(internet.resolved) == 30
    publish(internet)
    assert is_client(Phone(clock, address="192.0.2.1"))


SPELLINGS = ("app.example", "APP.example", "app.example:443", "app.example.", "App.Example.:443")


def test_nobody_floods_another_host_through_us_however_it_is_spelt(clock: Clock, svc: Services) -> None:
    with installed(svc):
        for number in range(100):
            visitor = Phone(clock, address=f"192.0.2.{number // 25}")
            assert not is_client(visitor, f"https://{SPELLINGS[number % 5]}/{number}")
        for spelling in SPELLINGS:
            assert b"too_many_requests" in authorize(Phone(clock), f"https://{spelling}/more")


def in_use(svc: Services, phone: Phone, internet: Internet) -> tuple[App, str]:
    """A client by its document, with a refresh token."""
    publish(internet)
    phone.sign_up()
    client = clients.find(svc, ID, network=NETWORK)
    assert client
    app = App(phone, svc, client)
    return app, app.tokens(Browser(phone), scope="openid offline_access")["refresh_token"]


def test_strangers_who_use_up_a_hosts_looks_lock_none_of_its_clients_out(
    svc: Services, phone: Phone, clock: Clock, internet: Internet
) -> None:
    app, token = in_use(svc, phone, internet)
    clock.advance(3600)
    for number in range(100):
        is_client(Phone(clock, address=f"192.0.2.{number // 25}"), f"https://app.example/{number}")
    assert token_response(app.refresh(token))
    assert is_client(phone)


@pytest.mark.parametrize("page", [Page(status=500), Page(status=429), None], ids=["500", "429", "unreachable"])
def test_a_host_that_is_down_costs_nobody_a_session_for_a_day(
    svc: Services, phone: Phone, clock: Clock, internet: Internet, page: Page | None
) -> None:
    app, token = in_use(svc, phone, internet)
    if page is None:
        internet.addresses["app.example"] = []
    else:
        internet.pages[ID] = page
    clock.advance(3600)
    for _ in range(3):
        token = token_response(app.refresh(token))["refresh_token"]
    assert len(internet.resolved) == 2  # asked once a minute, not each time
    clock.advance(24 * 3600)
    assert refusal(app.refresh(token)) == (401, "invalid_client")
    clock.advance(60)
    internet.addresses.clear()
    publish(internet)
    assert token_response(app.refresh(token))


def test_a_document_that_comes_back_counts_as_it_is_now(svc: Services, clock: Clock, internet: Internet) -> None:
    publish(internet)
    assert clients.find(svc, ID, network=NETWORK)
    clock.advance(3600)
    internet.pages[ID] = Page(status=500)
    assert clients.find(svc, ID, network=NETWORK)
    clock.advance(60)
    publish(internet, client_name="New")
    client = clients.find(svc, ID, network=NETWORK)
    assert client
    assert client.client_name == "New"
    clock.advance(3600 - 1)
    assert clients.find(svc, ID, network=NETWORK)
    assert len(internet.requests) == 3


def test_of_many_at_once_one_looks_again(svc: Services, clock: Clock, internet: Internet) -> None:
    publish(internet)
    first = clients.find(svc, ID, network=NETWORK)
    clock.advance(3600)
    with just_before(wire.clients(svc)[0], "UpdateItem", lambda: clients.find(svc, ID, network=NETWORK)):
        assert clients.find(svc, ID, network=NETWORK) == first
    assert len(internet.requests) == 2


# Keys of private_key_jwt clients.

FIRST = stranger("ES256")


@cache
def second() -> PrivateKey:
    """Not made where this file is imported: an RSA key takes long."""
    return stranger("RS256")


def keys(*kids: str) -> Page:
    public = {"1": lambda: {**jwk(FIRST), "alg": "ES256"}, "2": lambda: {**jwk(second()), "alg": "RS256"}}
    return Page(json.dumps({"keys": [{**public[kid](), "kid": kid} for kid in kids]}).encode())


@pytest.fixture
def app(svc: Services, phone: Phone, internet: Internet) -> App:
    """A client that signs, whose keys are at an address of its own."""
    internet.pages[JWKS] = keys("1")
    keyed_app = register(svc, phone, "key", jwks={}, jwks_uri=JWKS)
    keyed_app.key = FIRST
    return keyed_app


def proves(app: App, assertion: str | None = None) -> bool | tuple[int, str]:
    """Whether the client is taken for who it is, or how it is refused."""
    proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion or app.assertion()}
    answer = send(app.phone, "/oauth/revoke", {**proof, "token": "x"})
    return answer.status == 200 or refusal(answer)


def by_second(app: App, kid: str | None = "2") -> str:
    """An assertion under the client's other key."""
    return replace(app, key=second()).assertion(header={"alg": "RS256", **({"kid": kid} if kid else {})})


INVALID = (401, "invalid_client")


def test_keys_at_an_address_are_asked_for_once(app: App, internet: Internet) -> None:
    for _ in range(3):
        assert proves(app) is True
    assert [request.line for request in internet.requests] == ["GET /jwks.json"]


def test_an_unknown_kid_makes_us_look_again_once_a_minute(app: App, clock: Clock, internet: Internet) -> None:
    assert proves(app) is True
    internet.pages[JWKS] = keys("1", "2")
    assert proves(app, by_second(app)) == INVALID  # asked just now
    clock.advance(60)
    assert proves(app, by_second(app)) is True
    for number in range(5):
        assert proves(app, by_second(app, kid=f"unknown {number}")) == INVALID
    assert len(internet.requests) == 2
    assert proves(app) is True  # the others are none the worse


def test_a_key_that_its_client_took_back_stops_counting_when_the_set_is_read_again(
    app: App, clock: Clock, internet: Internet
) -> None:
    assert proves(app) is True
    internet.pages[JWKS] = keys("2")
    clock.advance(3600)
    assert proves(app) == INVALID
    assert proves(app, by_second(app)) is True


def test_a_signature_that_names_no_key_is_tried_with_all_of_its_kind(app: App, internet: Internet) -> None:
    internet.pages[JWKS] = keys("1", "2")
    assert proves(app, by_second(app, kid=None)) is True


def test_a_set_that_cannot_be_read_is_no_reason_to_lose_a_session(app: App, clock: Clock, internet: Internet) -> None:
    internet.pages[JWKS] = Page(status=500)
    for _ in range(3):
        assert proves(app) == (503, "temporarily_unavailable")
    assert len(internet.requests) == 1
    internet.pages[JWKS] = keys("1")
    clock.advance(60)
    assert proves(app) is True


def test_nobody_floods_a_host_with_looks_for_keys(
    svc: Services, phone: Phone, clock: Clock, internet: Internet
) -> None:
    """Each client has another address of keys there, and each network a few looks."""
    for number in range(31):
        keyed_app = register(svc, phone, "key", jwks={}, jwks_uri=f"https://keys.example/{number}")
        keyed_app.key = FIRST
        assert proves(keyed_app) == ((503, "temporarily_unavailable") if number < 30 else (429, "too_many_requests"))
    keyed_app.phone = Phone(clock, address="192.0.2.1")
    assert proves(keyed_app) == (503, "temporarily_unavailable")
    assert len(internet.requests) == 31


@pytest.mark.parametrize("page", [Page(status=500), Page(status=404), Page(b"[]")], ids=["500", "404", "no keys"])
def test_keys_that_cannot_be_read_again_are_good_for_another_day(
    app: App, clock: Clock, internet: Internet, page: Page
) -> None:
    assert proves(app) is True
    internet.pages[JWKS] = page
    clock.advance(3600)
    assert proves(app) is True
    clock.advance(24 * 3600)
    assert proves(app) == (503, "temporarily_unavailable")


def test_a_failure_to_look_again_leaves_the_keys_that_are_known(app: App, clock: Clock, internet: Internet) -> None:
    assert proves(app) is True
    internet.pages[JWKS] = Page(b"[]")
    clock.advance(60)
    assert proves(app, by_second(app)) == INVALID
    assert proves(app) is True


@pytest.mark.parametrize(
    "body",
    [
        b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "1"}]}',
        b'{"keys": [{"kty": "EC", "d": "AA", "kid": "1"}]}',
        b'{"keys": {"kid": "1"}}',
        b'{"keys": [null]}',
        b"[" * 60000,
        b"\xff",
    ],
)
def test_a_set_with_anything_but_public_keys_is_no_set(app: App, internet: Internet, body: bytes) -> None:
    internet.pages[JWKS] = Page(body)
    assert proves(app) == (503, "temporarily_unavailable")


def test_keys_inside_are_never_read(app: App, internet: Internet) -> None:
    internet.addresses["keys.example"] = ["169.254.169.254"]
    assert proves(app) == (503, "temporarily_unavailable")
    assert internet.dialled == []


def test_a_document_brings_keys_of_its_own(svc: Services, phone: Phone, internet: Internet) -> None:
    internet.pages[JWKS] = keys("1")
    publish(internet, token_endpoint_auth_method="private_key_jwt", jwks_uri=JWKS)
    client = clients.find(svc, ID, network=NETWORK)
    assert client
    assert proves(App(phone, svc, client, key=FIRST)) is True
