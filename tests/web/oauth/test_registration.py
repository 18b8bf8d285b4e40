"""Clients that register themselves (RFC 7591, RFC 7592)."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.oauth.client import KEPT_HERE, OPERATORS_ALONE, PRIVILEGES, Client
from chalicelib.fetch import Fetch
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import App, Browser, token_response
from tests.support.commands import run
from tests.support.grants import EXPECTED, UNKNOWN
from tests.support.not_its_own import NOT_ITS_OWN
from tests.support.phone import Clock, Phone, installed, refusal
from tests.support.staged import just_before

TOKEN = "an initial access token"
REDIRECT = "https://app.example/cb"
GOOD: Mapping[str, Any] = {
    "client_name": "My App",
    "redirect_uris": [REDIRECT],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "client_secret_basic",
}
TRUST: list[dict[str, Any]] = [
    {"first_party": True},
    {"access_token_roles": True},
    {"attributes": ("level",)},
    {"introspects": True},
    {"exchanges": ("impersonation",)},
    {"assertion_issuers": {"https://idp.example": {"jwks_uri": "https://idp.example/keys"}}},
]


def changed(svc: Services, **settings: Any) -> Services:
    return replace(svc, settings=replace(svc.settings, **settings))


@pytest.fixture
def svc(svc: Services) -> Services:
    """A deployment where an initial access token lets clients register."""
    return changed(svc, registration_tokens=frozenset({hashlib.sha256(TOKEN.encode()).hexdigest()}))


def register(phone: Phone, *, token: str | None = TOKEN, without: str = "", **changes: Any) -> dict[str, Any]:
    metadata = {name: value for name, value in {**GOOD, **changes}.items() if name != without}
    answer = phone.call("POST /oauth/register", metadata, token=token)
    assert answer.status == 201, answer.body
    assert answer.header("Cache-Control") == "no-store"
    client: dict[str, Any] = answer.json()
    return client


def refusal_of(phone: Phone, *, token: str | None = TOKEN, **changes: Any) -> tuple[int, str]:
    return refusal(phone.call("POST /oauth/register", {**GOOD, **changes}, token=token))


def path(client: Mapping[str, Any]) -> str:
    uri_path: str = client["registration_client_uri"].removeprefix("https://id.example")
    return uri_path


def stored(svc: Services, client: Mapping[str, Any]) -> Client:
    client_read = svc.clients.read(client["client_id"])
    assert client_read is not None
    return client_read


def test_a_client_that_registered_itself_logs_a_user_in(svc: Services, phone: Phone) -> None:
    phone.sign_up()
    client = register(phone)
    app = App(phone, svc, stored(svc, client), client["client_secret"])
    tokens = app.tokens(Browser(phone), scope="openid email offline_access")
    assert {"access_token", "id_token", "refresh_token"} <= set(tokens)


def test_the_answer_is_what_rfc_7591_asks_for(svc: Services, phone: Phone) -> None:
    client = register(phone)
    assert {name: client[name] for name in GOOD} == GOOD
    assert client["client_id_issued_at"] == svc.now()
    assert client["client_secret_expires_at"] == 0
    assert client["registration_client_uri"] == f"https://id.example/oauth/register/{client['client_id']}"
    assert client["scope"] == "openid profile email offline_access"


def test_nothing_that_lets_anybody_in_is_stored_as_it_is(svc: Services, phone: Phone) -> None:
    client = register(phone)
    text = repr(stored(svc, client))
    assert client["client_secret"] not in text
    assert client["registration_access_token"] not in text


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN.upper(), hashlib.sha256(TOKEN.encode()).hexdigest()])
def test_nobody_registers_without_the_initial_access_token(phone: Phone, token: str | None) -> None:
    assert refusal_of(phone, token=token) == (401, "invalid_token")


def test_who_names_refresh_token_alone_is_told_what_is_missing(phone: Phone) -> None:
    answer = phone.call("POST /oauth/register", {**GOOD, "grant_types": ["refresh_token"]}, token=TOKEN)
    assert refusal(answer) == (400, "invalid_client_metadata")
    assert "authorization_code" in answer.json()["error_description"]


@pytest.mark.parametrize("member", ["jwks_uri", "backchannel_logout_uri"])
def test_an_address_that_this_server_can_never_call_is_refused_with_the_reason(
    svc: Services, phone: Phone, clock: Clock, member: str
) -> None:
    for host, why in (("app.example:8443", "443"), ("10.0.0.1", "public"), ("keycloak", "public")):
        answer = phone.call("POST /oauth/register", {**GOOD, member: f"https://{host}/x"}, token=TOKEN)
        assert refusal(answer) == (400, "invalid_client_metadata")
        assert member in answer.json()["error_description"]
        assert why in answer.json()["error_description"]
    client = register(phone, **{member: "https://app.example/x"})
    moved = {**GOOD, "client_id": client["client_id"], member: "https://app.example:8443/x"}
    path = f"/oauth/register/{client['client_id']}"
    answer = phone.call(f"PUT {path}", moved, token=client["registration_access_token"])
    assert refusal(answer) == (400, "invalid_client_metadata")
    ports = frozenset({443, 8443})
    with installed(replace(changed(svc, outbound_ports=ports), fetch=Fetch(ports=ports))):
        assert register(Phone(clock), **{member: "https://app.example:8443/x"})[member] == "https://app.example:8443/x"


def test_what_a_client_had_before_keeps_no_operator_from_changing_the_rest(svc: Services, phone: Phone) -> None:
    client = stored(svc, register(phone))
    assert svc.clients.replace(client, replace(client, version=client.version + 1, jwks_uri="https://10.0.0.1/"))
    client = stored(svc, {"client_id": client.client_id})
    assert manage.change(svc, client, replace(client, access_seconds=60)).access_seconds == 60


def test_where_no_token_is_set_nobody_registers_at_all(svc: Services, clock: Clock) -> None:
    with installed(changed(svc, registration_tokens=frozenset())):
        phone = Phone(clock)
        assert refusal_of(phone) == (401, "invalid_token")
        assert refusal_of(phone, token=None) == (401, "invalid_token")


def test_where_registration_is_open_anybody_registers_a_few(svc: Services, clock: Clock) -> None:
    with installed(changed(svc, registration_open=True)):
        phone = Phone(clock)
        for _ in range(20):
            register(phone, token=None)
        assert refusal_of(phone, token=None) == (429, "too_many_requests")
        register(phone, token=TOKEN)  # not a stranger
        register(Phone(clock, address="192.0.2.1"), token=None)


def test_each_member_that_is_not_a_clients_own_to_say_is_tried_below() -> None:
    assert set(NOT_ITS_OWN) == {*OPERATORS_ALONE, *KEPT_HERE}
    assert {name for trust in TRUST for name in trust} == set(PRIVILEGES)


@pytest.mark.parametrize(
    "privilege",
    [
        *[{name: value} for name, value in NOT_ITS_OWN.items()],
        {"scopes": ["account"]},
        {"client_id": "browser"},
        {"software_statement": "eyJ", "contacts": ["a@b.example"], "unknown": {"deep": [1]}},
    ],
)
def test_what_is_not_a_clients_own_to_say_is_ignored(svc: Services, phone: Phone, privilege: dict[str, Any]) -> None:
    plain, ambitious = (stored(svc, register(phone, **more)) for more in ({}, privilege))
    own: dict[str, Any] = {"client_id": "", "secrets": (), "registration_token": "", "version": 0}
    assert replace(ambitious, **own) == replace(plain, **own)
    assert ambitious.client_id not in ("latchkey", "browser")
    assert ambitious.version != 7
    assert not ambitious.first_party


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("openid account", "openid"),
        ("openid notes:write email", "openid email"),
        (None, "openid profile email offline_access"),
        ("", "openid profile email offline_access"),
    ],
)
def test_a_request_without_scope_is_for_what_the_client_registered_and_never_for_all_that_is_offered(
    svc: Services, phone: Phone, scope: str | None, expected: str
) -> None:
    phone.sign_up()
    client = register(phone, scope=scope)
    app = App(phone, svc, stored(svc, client), client["client_secret"])
    granted = "openid" if not scope else expected
    assert app.tokens(Browser(phone), scope=None)["scope"] == granted
    # An operator who says what it may have has said what it is for.
    manage.change(svc, app.client, replace(app.client, scopes=("openid", "email", "offline_access")))
    assert app.tokens(Browser(phone), scope=None)["scope"] == "openid email"


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("openid account", "openid"),
        ("openid notes:write email", "openid email"),
        (None, "openid profile email offline_access"),
        ("", "openid profile email offline_access"),
    ],
)
def test_scopes_are_those_that_are_offered_to_strangers(phone: Phone, scope: str | None, expected: str) -> None:
    assert register(phone, scope=scope)["scope"] == expected


@pytest.mark.parametrize(
    "wrong",
    [
        *[{"grant_types": [name]} for name, grant in EXPECTED.items() if not grant.self_registrable],
        *[{"grant_types": [name]} for name in UNKNOWN],
        {"response_types": ["token"]},
        {"response_types": ["code id_token"]},
        {"token_endpoint_auth_method": "client_secret_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "http://app.example/jwks"},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": "all"}},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": ["EC"]}},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [{"kty": "EC", "d": "c2VjcmV0"}]}},
        {"scope": "openid  email"},
        {"redirect_uris": []},
        {"redirect_uris": REDIRECT},
        {"redirect_uris": [1]},
        {"redirect_uris": [REDIRECT] * 21},
        {"redirect_uris": [f"https://app.example/{'x' * 1981}"]},
        {"client_name": "x" * 101},
        {"client_name": "Pay\u202elpal"},
        {"client_name": "two\nlines"},
        {"client_name": {"en": "x"}},
        {"logo_uri": "javascript:alert(1)"},
        {"logo_uri": "http://app.example/logo.png"},
        {"client_uri": "https://user@app.example/"},
        {"policy_uri": "https://app.example/\" onload=\""},
        {"backchannel_logout_uri": "http://app.example/out"},
        {"backchannel_logout_uri": "https://app.example/out#x"},
        {"subject_type": "secret"},
        {"application_type": "desktop"},
        {"subject_type": "pairwise", "redirect_uris": [REDIRECT, "https://other.example/cb"]},
    ],
)  # fmt: skip
def test_metadata_that_cannot_be_is_refused(phone: Phone, wrong: dict[str, Any]) -> None:
    assert refusal_of(phone, **wrong) == (400, "invalid_client_metadata")


FOREIGN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    *[
        ({"grant_types": ["authorization_code", name]}, {"grant_types": ["authorization_code"]})
        for name in (*UNKNOWN, *[name for name, grant in EXPECTED.items() if not grant.self_registrable])
    ],
    ({"response_types": ["code", "code id_token", "token"]}, {"response_types": ["code"]}),
    ({"scope": "account notes:write"}, {"scope": "openid profile email offline_access"}),
    (
        {"redirect_uris": ["cursor://oauth/callback", REDIRECT]},
        {"redirect_uris": [REDIRECT], "application_type": "web"},
    ),
    ({"redirect_uris": ["vscode://x/cb", "http://127.0.0.1/cb"]}, {"redirect_uris": ["http://127.0.0.1/cb"]}),
    (
        {"redirect_uris": [REDIRECT, "com.example.app:/cb"], "application_type": "web"},
        {"redirect_uris": [REDIRECT], "application_type": "web"},
    ),
    ({"post_logout_redirect_uris": ["cursor:/left", REDIRECT]}, {"post_logout_redirect_uris": [REDIRECT]}),
]


@pytest.mark.parametrize(("foreign", "kept"), FOREIGN, ids=str)
def test_what_other_servers_know_is_left_out_and_the_answer_says_what_was_kept(
    phone: Phone, foreign: dict[str, Any], kept: dict[str, Any]
) -> None:
    client = register(phone, **foreign)
    assert {name: client[name] for name in kept} == kept


@pytest.mark.parametrize("hostile", ["javascript://x/%0aalert(1)", "JAVASCRIPT:1", "data:x", "blob:x", "view-source:x"])
def test_a_hostile_redirect_uri_beside_a_good_one_spoils_the_whole(phone: Phone, hostile: str) -> None:
    for uris in ([REDIRECT, hostile], [hostile, "cursor:/cb", REDIRECT]):
        assert refusal_of(phone, redirect_uris=uris) == (400, "invalid_redirect_uri")


WEB_NEVER = [
    "http://app.example/cb",
    "http://localhost/cb",
    "http://127.0.0.1/cb",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "//evil.example/cb",
    "/cb",
    "app.example/cb",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://app.example/x",
    "about:blank",
    "\x00https://app.example/cb",
    " https://app.example/cb",
    "\thttps://app.example/cb",
    "https://app.example/cb\n",
    "https://app.example/a b",
    "https://app.example/cb#fragment",
    "https://app.example/cb#",
    "https://user@app.example/cb",
    "https://app.example@evil.example/cb",
    "https://app.example\\@evil.example/cb",
    "https://*.app.example/cb",
    "https://*/cb",
    "https://app.example/*",
    "https://[::1",
    "https://[evil]/cb",
    "https://-/cb",
    "https://app.example:port/cb",
    "https://app.example:/cb",
    "https://",
    "https://äpp.example/cb",
    "https://app.example/é",
    "HTTPS://app.example/cb",
    "",
]


@pytest.mark.parametrize("uri", WEB_NEVER)
@pytest.mark.parametrize("member", ["redirect_uris", "post_logout_redirect_uris"])
def test_a_web_client_sends_nobody_to_such_a_place(phone: Phone, member: str, uri: str) -> None:
    uris: dict[str, Any] = {"redirect_uris": [REDIRECT], member: [REDIRECT, uri]}
    assert refusal_of(phone, application_type="web", **uris) == (400, "invalid_redirect_uri")


@pytest.mark.parametrize(
    "uri",
    ["http://app.example/cb", "javascript:alert(1)", "data:text/html,x", "cursor:/cb", "com.example.app://evil.example",
     "COM.example.app:/cb", "intent:/x", "file:///x", "http://127.0.0.1.evil.example/cb", "http://127.0.0.2/cb",
     "http://localhost.evil.example/", "http://localhost@evil.example/", "http://[::]/cb", "http://0.0.0.0/"],
)  # fmt: skip
def test_a_native_client_sends_nobody_to_such_a_place(phone: Phone, uri: str) -> None:
    assert refusal_of(phone, application_type="native", redirect_uris=[uri]) == (400, "invalid_redirect_uri")


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1/cb",
        "http://127.0.0.1:8080/cb",
        "http://[::1]/cb",
        "http://localhost:3118/cb",
        "com.example:/cb",
    ],
)
def test_an_oauth_client_need_not_say_that_it_is_native(phone: Phone, uri: str) -> None:
    uris: dict[str, Any] = {"redirect_uris": [uri, REDIRECT], "token_endpoint_auth_method": "none"}
    client = register(phone, **uris)
    assert (client["application_type"], client["redirect_uris"]) == ("native", uris["redirect_uris"])
    assert "client_secret" not in client


def test_null_is_as_good_as_left_out(phone: Phone) -> None:
    client = register(phone, client_name=None, grant_types=None, jwks=None, backchannel_logout_session_required=None)
    assert client["grant_types"] == ["authorization_code"]
    assert "client_name" not in client


def test_a_client_reads_its_registration_but_not_its_secret(phone: Phone) -> None:
    client = register(phone)
    answer = phone.call(f"GET {path(client)}", token=client["registration_access_token"])
    assert answer.status == 200
    secret = {"client_secret", "client_secret_expires_at"}
    assert answer.json() == {name: value for name, value in client.items() if name not in secret}


def test_a_client_replaces_its_metadata_and_keeps_its_secret(svc: Services, phone: Phone) -> None:
    client = register(phone, client_uri="https://app.example/")
    new = {**GOOD, "client_id": client["client_id"], "client_secret": client["client_secret"], "client_name": "Renamed"}
    answer = phone.call(f"PUT {path(client)}", new, token=client["registration_access_token"])
    assert answer.status == 200
    assert answer.json()["client_name"] == "Renamed"
    assert "client_uri" not in answer.json()  # what is left out is gone
    assert "client_secret" not in answer.json()
    app = App(phone, svc, stored(svc, client), client["client_secret"])
    assert app.post("/oauth/revoke", {"token": "x"}).status == 200


def test_another_way_to_authenticate_brings_another_secret(svc: Services, phone: Phone) -> None:
    client = register(phone)
    token = client["registration_access_token"]
    new = {**GOOD, "client_id": client["client_id"]}
    phone.call(f"PUT {path(client)}", {**new, "token_endpoint_auth_method": "none"}, token=token)
    assert stored(svc, client).secrets == ()
    again = phone.call(f"PUT {path(client)}", new, token=token).json()
    assert again["client_secret"] != client["client_secret"]
    stale = App(phone, svc, stored(svc, client), client["client_secret"])
    assert refusal(stale.post("/oauth/revoke", {"token": "x"})) == (401, "invalid_client")


@pytest.mark.parametrize("change", [{"client_id": "another"}, {"client_id": None}, {"client_secret": "chosen"}])
def test_a_client_changes_neither_its_id_nor_its_secret(
    svc: Services, phone: Phone, change: dict[str, str | None]
) -> None:
    client = register(phone)
    before = stored(svc, client)
    body = {**GOOD, "client_id": client["client_id"], **change}
    answer = phone.call(f"PUT {path(client)}", body, token=client["registration_access_token"])
    assert refusal(answer) == (400, "invalid_client_metadata")
    assert stored(svc, client) == before


def test_what_an_operator_has_allowed_a_client_survives_its_own_changes(svc: Services, phone: Phone) -> None:
    client = register(phone)
    plain = stored(svc, client)
    trusted = replace(plain, introspects=True, scopes=(*plain.scopes, "notes:read"), access_seconds=60)
    manage.change(svc, plain, trusted)
    new = {**GOOD, "client_id": client["client_id"]}
    assert phone.call(f"PUT {path(client)}", new, token=client["registration_access_token"]).status == 200
    after = stored(svc, client)
    assert (after.introspects, after.access_seconds) == (True, 60)
    assert "notes:read" in after.scopes


def test_a_deleted_client_is_gone_with_all_that_it_holds(svc: Services, phone: Phone) -> None:
    phone.sign_up()
    client = register(phone)
    app = App(phone, svc, stored(svc, client), client["client_secret"])
    tokens = token_response(app.redeem(Browser(phone).code(app, scope="openid offline_access")))
    assert phone.call(f"DELETE {path(client)}", token=client["registration_access_token"]).status == 204
    assert refusal(app.refresh(tokens["refresh_token"])) == (401, "invalid_client")
    assert refusal(phone.call(f"GET {path(client)}", token=client["registration_access_token"])) == (
        401,
        "invalid_token",
    )


def put(phone: Phone, client: Mapping[str, Any], **changes: Any) -> Answer:
    """What a client gets that sends its metadata of the first day again, with changes."""
    body = {**GOOD, "client_id": client["client_id"], **changes}
    return phone.call(f"PUT {path(client)}", body, token=client["registration_access_token"])


# RFC 7517 appendix A.1
PUBLIC_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}
RESTRICTIONS: list[dict[str, Any]] = [
    {"require_pushed_authorization_requests": True},
    {"dpop_bound_access_tokens": True},
    {"subject_type": "pairwise"},
    {"scopes": ("openid",)},
    {"grant_types": ("authorization_code",)},
    {"post_logout_redirect_uris": ("https://app.example/left",)},
    {"jwks": {"keys": [PUBLIC_KEY]}},
    {"client_name": "As the operator calls it"},
    {"backchannel_logout_session_required": True},
]


@pytest.mark.parametrize("restriction", RESTRICTIONS, ids=str)
def test_what_an_operator_has_set_outlives_a_clients_own_change(
    svc: Services, phone: Phone, restriction: dict[str, Any]
) -> None:
    client = register(phone)
    old = stored(svc, client)
    manage.change(svc, old, replace(old, **restriction))
    silent = dict.fromkeys({"scopes": "scope"}.get(name, name) for name in restriction)
    answer = put(phone, client, policy_uri="https://app.example/policy", **silent)
    assert answer.status == 200, answer.body
    after = stored(svc, client)
    assert {name: getattr(after, name) for name in restriction} == restriction
    assert after.policy_uri == "https://app.example/policy"
    current = phone.call(f"GET {path(client)}", token=client["registration_access_token"]).json()
    assert {**current, **answer.json()} == current


@pytest.mark.parametrize(
    ("restriction", "other"),
    [
        ({"require_pushed_authorization_requests": True}, {"require_pushed_authorization_requests": False}),
        ({"scopes": ("openid",)}, {"scope": "openid email"}),
        ({"grant_types": ("authorization_code",)}, {"grant_types": ["authorization_code", "refresh_token"]}),
        ({"logo_uri": "https://app.example/logo"}, {"logo_uri": ""}),
        ({"subject_type": "pairwise"}, {"subject_type": "public"}),
    ],
    ids=str,
)
def test_a_client_that_says_otherwise_than_its_operator_is_told_which_member_it_is(
    svc: Services, phone: Phone, restriction: dict[str, Any], other: dict[str, Any]
) -> None:
    client = register(phone)
    old = stored(svc, client)
    manage.change(svc, old, replace(old, **restriction))
    before = stored(svc, client)
    answer = put(phone, client, **{"grant_types": None, **other})
    assert refusal(answer) == (400, "invalid_client_metadata")
    assert f"`{next(iter(other))}`" in answer.json()["error_description"]
    assert stored(svc, client) == before


def test_an_operators_word_counts_also_where_it_changes_nothing_until_it_is_taken_back(
    svc: Services, phone: Phone
) -> None:
    client = register(phone)
    run("clients", "change", client["client_id"], f"client_name={GOOD['client_name']}", on=svc)
    assert refusal(put(phone, client, client_name="Bank")) == (400, "invalid_client_metadata")
    run("clients", "change", client["client_id"], "operator_set=", on=svc)
    assert put(phone, client, client_name="Renamed").json()["client_name"] == "Renamed"


@pytest.mark.parametrize("trust", TRUST, ids=str)
@pytest.mark.parametrize(
    "other",
    [
        {"redirect_uris": [REDIRECT, "https://evil.example/cb"]},
        {"redirect_uris": ["http://127.0.0.1/cb"], "application_type": "native"},
        {"post_logout_redirect_uris": ["https://evil.example/"]},
        {"application_type": "native"},
        {"token_endpoint_auth_method": "none"},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://evil.example/keys"},
        {"jwks_uri": "https://evil.example/keys"},
        {"jwks": {"keys": [PUBLIC_KEY]}},
        {"backchannel_logout_uri": "https://evil.example/out"},
        {"backchannel_logout_session_required": True},
        {"grant_types": ["authorization_code"]},
        {"grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"]},
        {"scope": "openid"},
        {"subject_type": "pairwise"},
        {"client_name": "Another name"},
        {"logo_uri": "https://evil.example/logo"},
        {"client_uri": "https://evil.example/"},
        {"policy_uri": "https://evil.example/"},
        {"tos_uri": "https://evil.example/"},
        {"require_pushed_authorization_requests": True},
        {"dpop_bound_access_tokens": True},
    ],
    ids=str,
)
def test_of_a_client_that_an_operator_vouches_for_a_registration_token_changes_nothing(
    svc: Services, phone: Phone, trust: dict[str, Any], other: dict[str, Any]
) -> None:
    client = register(phone)
    old = stored(svc, client)
    manage.change(svc, old, replace(old, **trust))
    before = stored(svc, client)
    assert refusal(put(phone, client, **other)) == (400, "invalid_client_metadata")
    assert stored(svc, client) == before
    assert put(phone, client, client_name=None).status == 200  # as it is, or less of it
    assert replace(stored(svc, client), version=before.version) == before


@pytest.mark.parametrize("trust", TRUST, ids=str)
def test_a_client_that_an_operator_vouches_for_is_not_its_own_to_delete(
    svc: Services, phone: Phone, trust: dict[str, Any]
) -> None:
    client = register(phone)
    old = stored(svc, client)
    manage.change(svc, old, replace(old, **trust))
    answer = phone.call(f"DELETE {path(client)}", token=client["registration_access_token"])
    assert refusal(answer) == (403, "access_denied")  # RFC 7592 section 2.3
    assert stored(svc, client).client_id == client["client_id"]


def test_a_client_does_not_delete_itself_while_an_operator_comes_to_vouch_for_it(svc: Services, phone: Phone) -> None:
    client = register(phone)
    old = stored(svc, client)

    def vouch() -> None:
        manage.change(svc, old, replace(old, first_party=True))

    with just_before(svc.clients._client, "DeleteItem", vouch):
        answer = phone.call(f"DELETE {path(client)}", token=client["registration_access_token"])
    assert refusal(answer) == (503, "temporarily_unavailable")
    assert stored(svc, client).first_party


def test_a_client_changes_itself_a_few_times_an_hour(phone: Phone, clock: Clock) -> None:
    client = register(phone)
    change, token = {**GOOD, "client_id": client["client_id"]}, client["registration_access_token"]
    for _ in range(20):
        assert phone.call(f"PUT {path(client)}", change, token=token).status == 200
    assert refusal(phone.call(f"PUT {path(client)}", change, token=token)) == (429, "too_many_requests")
    clock.advance(3600)
    assert phone.call(f"PUT {path(client)}", change, token=token).status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("whose", ["nobody", "another's", "the initial", "the secret", "an operator's client"])
def test_a_foreign_registration_token_opens_nothing(svc: Services, phone: Phone, method: str, whose: str) -> None:
    client, another = register(phone), register(phone)
    by_operator, _ = manage.create(svc, Client(client_id="", redirect_uris=(REDIRECT,), scopes=("openid",)))
    token = {
        "another's": another["registration_access_token"],
        "the initial": TOKEN,
        "the secret": client["client_secret"],
        "an operator's client": "",
    }.get(whose)
    target = by_operator.client_id if whose == "an operator's client" else client["client_id"]
    before = svc.clients.read(target)
    body = {**GOOD, "client_id": target} if method == "PUT" else None
    answer = phone.call(f"{method} /oauth/register/{target}", body, token=token)
    unknown = phone.call(f"{method} /oauth/register/{'0' * 32}", body, token=token)
    assert refusal(answer) == refusal(unknown) == (401, "invalid_token")
    assert svc.clients.read(target) == before
