"""Token exchange (RFC 8693): narrower and shorter only, by permission only, for a subject that is real."""

from typing import Any

import pytest

from chalicelib.domain.oauth.client import TOKEN_EXCHANGE
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import API, ISSUER, App, Browser, register, token_response
from tests.support.forge import by, peek, resigned, stranger
from tests.support.phone import EMAIL, Clock, Phone, refusal

ACCESS = "urn:ietf:params:oauth:token-type:access_token"
INVALID = (400, "invalid_request")


@pytest.fixture
def exchanger(svc: Services, phone: Phone) -> App:
    """A service that may exchange in both ways."""
    return register(svc, phone, "exchanger")


def exchange(app: App, token: str, **fields: str) -> Answer:
    good = {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": ACCESS}
    return app.post("/oauth/token", {**good, **fields})


def test_a_token_is_exchanged_for_one_of_the_same_user_session_and_of_no_more_scope(
    browser: Browser, app: App, exchanger: App
) -> None:
    token = app.tokens(browser, scope="openid notes:read")["access_token"]
    tokens = token_response(exchange(exchanger, token, resource=API))
    assert set(tokens) == {"access_token", "token_type", "expires_in", "scope", "issued_token_type"}
    assert tokens["issued_token_type"] == ACCESS
    (_, before), (_, after) = peek(token), peek(tokens["access_token"])
    assert {name: after[name] for name in ("sub", "sid")} == {name: before[name] for name in ("sub", "sid")}
    assert (after["client_id"], after["aud"], after["scope"]) == (exchanger.id, API, "notes:read")
    assert after["jti"] != before["jti"]


def test_the_users_roles_go_with_the_token_but_nothing_of_the_login_and_nothing_else(
    browser: Browser, app: App, svc: Services, phone: Phone
) -> None:
    exchanger = register(svc, phone, "exchanger", access_token_roles=True)
    token = app.tokens(browser)["access_token"]
    own = svc.keys.read(svc.now()).signing[0].private
    login = {"acr": "aal1", "amr": ["pwd"], "auth_time": 7}
    copied = {"roles": ["admin", "editor"]}
    subject = resigned(token, by(own), **login, **copied, extra="x")
    claims = peek(token_response(exchange(exchanger, subject, resource=API))["access_token"])[1]
    assert claims["roles"] == copied["roles"]
    assert set(claims) == {*copied, "iss", "sub", "sid", "client_id", "aud", "scope", "exp", "iat", "jti"}
    bare = token_response(exchange(exchanger, resigned(token, by(own), roles=None)))["access_token"]
    assert "roles" not in peek(bare)[1]
    without = register(svc, phone, "exchanger")
    assert "roles" not in peek(token_response(exchange(without, subject, resource=API))["access_token"])[1]


def test_an_exchanged_token_is_no_fresh_login_however_young_its_subjects_is(
    browser: Browser, svc: Services, phone: Phone
) -> None:
    app = register(svc, phone, scopes=("openid", "account"))
    exchanger = register(svc, phone, "exchanger", scopes=("account",))
    subject = app.tokens(browser, scope="openid account")["access_token"]
    exchanged = token_response(exchange(exchanger, subject))["access_token"]
    assert phone.call("GET /me", token=exchanged).status == 200
    assert refusal(phone.call("DELETE /me", token=exchanged)) == (401, "login_required")
    assert phone.call("DELETE /me", token=subject).status == 204


def test_an_access_token_may_be_called_a_jwt_as_well(browser: Browser, app: App, exchanger: App) -> None:
    # RFC 8693 section 3: a name for any JWT.
    jwt = "urn:ietf:params:oauth:token-type:jwt"
    token = app.tokens(browser)["access_token"]
    own = token_response(exchanger.token("client_credentials"))["access_token"]
    acting = {"actor_token": own, "actor_token_type": jwt}
    for fields in (
        {"subject_token_type": jwt},
        {"requested_token_type": jwt},
        {"requested_token_type": ACCESS},
        acting,
    ):
        assert token_response(exchange(exchanger, token, **fields))["issued_token_type"] == ACCESS


@pytest.mark.parametrize("name", ["resource", "audience"])
def test_a_target_may_be_named_in_either_way_and_is_our_own_where_none_is(
    browser: Browser, app: App, exchanger: App, svc: Services, name: str
) -> None:
    token = app.tokens(browser)["access_token"]
    assert peek(token_response(exchange(exchanger, token, **{name: API}))["access_token"])[1]["aud"] == API
    assert peek(token_response(exchange(exchanger, token))["access_token"])[1]["aud"] == svc.settings.audience


@pytest.mark.parametrize(("own", "lifetime"), [(0, 900), (60, 60), (3600, 900)])
def test_the_new_token_lives_as_long_as_its_clients_do_but_no_longer_than_the_old_one(
    browser: Browser, app: App, svc: Services, phone: Phone, own: int, lifetime: int
) -> None:
    token = app.tokens(browser)["access_token"]
    tokens = token_response(exchange(register(svc, phone, "exchanger", access_seconds=own), token))
    claims = peek(tokens["access_token"])[1]
    assert (tokens["token_type"], tokens["expires_in"], claims["exp"] - svc.now()) == ("Bearer", lifetime, lifetime)


@pytest.mark.parametrize("scope", ["notes:write", "notes:read notes:write", "openid", "admin", "account"])
def test_a_wider_scope_is_refused(browser: Browser, app: App, exchanger: App, scope: str) -> None:
    token = app.tokens(browser, scope="openid notes:read")["access_token"]
    assert refusal(exchange(exchanger, token, scope=scope)) == (400, "invalid_scope")


def test_a_subject_without_a_scope_of_the_exchangers_gives_nothing(browser: Browser, app: App, exchanger: App) -> None:
    token = app.tokens(browser, scope="openid email")["access_token"]
    assert refusal(exchange(exchanger, token)) == (400, "invalid_scope")


def test_the_new_token_never_outlives_the_old_one(
    browser: Browser, app: App, svc: Services, phone: Phone, clock: Clock
) -> None:
    long_lived = register(svc, phone, "exchanger", access_seconds=3600)
    token = app.tokens(browser)["access_token"]
    clock.advance(880)
    tokens = token_response(exchange(long_lived, token))
    assert tokens["expires_in"] == 20
    assert peek(tokens["access_token"])[1]["exp"] == peek(token)[1]["exp"]
    again = token_response(exchange(long_lived, tokens["access_token"]))
    assert peek(again["access_token"])[1]["exp"] == peek(token)[1]["exp"]
    clock.advance(20)
    assert refusal(exchange(long_lived, token)) == INVALID


def test_the_session_that_ends_ends_what_was_exchanged(
    browser: Browser, app: App, exchanger: App, svc: Services, phone: Phone
) -> None:
    tokens = app.tokens(browser)
    exchanged = token_response(exchange(exchanger, tokens["access_token"]))["access_token"]
    app.post("/oauth/revoke", {"token": tokens["refresh_token"]})
    api = register(svc, phone, "api", resources=(API,))
    assert api.post("/oauth/introspect", {"token": exchanged}).json() == {"active": False}
    assert refusal(exchange(exchanger, tokens["access_token"])) == INVALID
    assert refusal(exchange(exchanger, exchanged)) == INVALID


def test_an_exchanged_token_cannot_end_its_subjects_session(browser: Browser, app: App, exchanger: App) -> None:
    tokens = app.tokens(browser)
    exchanged = token_response(exchange(exchanger, tokens["access_token"]))["access_token"]
    assert refusal(exchanger.post("/oauth/revoke", {"token": exchanged})) == (400, "unsupported_token_type")
    token_response(app.refresh(tokens["refresh_token"]))


@pytest.mark.parametrize(
    ("exchanges", "delegating", "status"),
    [
        ((), False, 400),
        ((), True, 400),
        (("impersonation",), False, 200),
        (("impersonation",), True, 400),
        (("delegation",), False, 400),
        (("delegation",), True, 200),
    ],
)
def test_each_way_needs_its_own_permission(
    browser: Browser, app: App, svc: Services, phone: Phone, exchanges: Any, delegating: bool, status: int
) -> None:
    exchanger = register(svc, phone, "exchanger", exchanges=exchanges)
    token = app.tokens(browser)["access_token"]
    own = token_response(exchanger.token("client_credentials"))["access_token"]
    actor = {"actor_token": own, "actor_token_type": ACCESS} if delegating else {}
    answer = exchange(exchanger, token, **actor)
    assert answer.status == status
    assert status == 200 or refusal(answer) == (400, "unauthorized_client")


def test_a_client_without_the_grant_may_not(browser: Browser, app: App) -> None:
    token = app.tokens(browser)["access_token"]
    assert refusal(exchange(app, token)) == (400, "unauthorized_client")


def test_a_delegated_token_names_who_acts_and_who_acted_before(
    browser: Browser, app: App, exchanger: App, svc: Services, phone: Phone
) -> None:
    token = app.tokens(browser)["access_token"]
    own = token_response(exchanger.token("client_credentials"))["access_token"]
    first = token_response(exchange(exchanger, token, actor_token=own, actor_token_type=ACCESS))["access_token"]
    by_one = {"sub": exchanger.id, "client_id": exchanger.id}
    assert peek(first)[1]["act"] == by_one
    second = register(svc, phone, "exchanger")
    others = token_response(second.token("client_credentials"))["access_token"]
    chained = token_response(exchange(second, first, actor_token=others, actor_token_type=ACCESS))["access_token"]
    assert peek(chained)[1]["act"] == {"sub": second.id, "client_id": second.id, "act": by_one}


@pytest.mark.parametrize("target", ["https://evil.example", "notes", ISSUER + "/x", "http://notes.example"])
@pytest.mark.parametrize("name", ["resource", "audience"])
def test_another_target_than_the_clients_own_is_an_invalid_target(
    browser: Browser, app: App, exchanger: App, name: str, target: str
) -> None:
    token = app.tokens(browser)["access_token"]
    assert refusal(exchange(exchanger, token, **{name: target})) == (400, "invalid_target")


def test_a_second_target_is_not_slipped_in_beside_a_good_one(browser: Browser, app: App, exchanger: App) -> None:
    token = app.tokens(browser)["access_token"]
    answer = exchange(exchanger, token, resource=API, audience="https://evil.example")
    assert refusal(answer) == (400, "invalid_target")


def test_what_is_no_access_token_in_force_is_no_subject(
    browser: Browser, app: App, exchanger: App, svc: Services
) -> None:
    code, tokens = browser.code(app), app.tokens(browser)
    access = tokens["access_token"]
    key = stranger("ES256")
    texts = [code, tokens["refresh_token"], tokens["id_token"], browser.cookies["__Host-latchkey-session"], "x", "é"]
    texts += [access[:-1], access + "A", resigned(access, by(key)), resigned(access, by(key), sub="0" * 32)]
    texts += [resigned(access, lambda _: b"", header={"alg": "none", "typ": "at+jwt"})]
    for text in texts:
        assert refusal(exchange(exchanger, text)) == INVALID, text[:20]
        actor = {"actor_token": text, "actor_token_type": ACCESS}
        assert refusal(exchange(exchanger, access, **actor)) == INVALID, text[:20]
    svc.users.disable(svc.users.find(EMAIL) or "")
    assert refusal(exchange(exchanger, access)) == INVALID


def test_a_machines_token_is_no_users(exchanger: App, svc: Services, phone: Phone) -> None:
    token = token_response(register(svc, phone, "machine").token("client_credentials"))["access_token"]
    assert refusal(exchange(exchanger, token)) == INVALID


@pytest.mark.parametrize(
    "fields",
    [
        {"subject_token": ""},
        {"subject_token_type": ""},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"actor_token": "x"},
        {"actor_token_type": ACCESS},
        {"actor_token": "x", "actor_token_type": "x"},
    ],
    ids=str,
)
def test_a_malformed_exchange_is_an_invalid_request(
    browser: Browser, app: App, exchanger: App, fields: dict[str, str]
) -> None:
    token = app.tokens(browser)["access_token"]
    assert refusal(exchange(exchanger, token, **fields)) == INVALID


def test_a_token_for_an_api_that_the_exchanger_has_nothing_to_do_with_is_refused(
    browser: Browser, exchanger: App, svc: Services, phone: Phone
) -> None:
    app = register(svc, phone, resources=("https://bank.example",))
    token = app.tokens(browser, scope="notes:read", resource="https://bank.example")["access_token"]
    assert refusal(exchange(exchanger, token)) == INVALID
