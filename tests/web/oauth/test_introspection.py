"""Introspection (RFC 7662, RFC 9701): who may ask, and what is said of a token that is not in force."""

from dataclasses import replace

import pytest

from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS
from chalicelib.flows.clients import manage
from chalicelib.flows.platform import keys
from chalicelib.services import Services
from tests.support.browser import API, ISSUER, App, Browser, register, send, token_response
from tests.support.forge import by, peek, resigned, stranger
from tests.support.oidc import signed_by
from tests.support.phone import EMAIL, Clock, Phone, refusal

INACTIVE = {"active": False}


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    """A web client."""
    return register(svc, phone, resources=(API,))


@pytest.fixture
def api(svc: Services, phone: Phone) -> App:
    """A resource server that may ask."""
    return register(svc, phone, "api", resources=(API,))


def introspect(api: App, token: str, **fields: str) -> dict[str, object]:
    answer = api.post("/oauth/introspect", {"token": token, **fields})
    assert answer.status == 200, answer
    assert answer.header("Cache-Control") == "no-store"
    claims: dict[str, object] = answer.json()
    return claims


@pytest.mark.parametrize("kind", ["web", "post", "key", "spa", "native", "machine"])
def test_only_a_client_that_may_introspect_is_told_anything(
    browser: Browser, app: App, svc: Services, phone: Phone, kind: str
) -> None:
    token = app.tokens(browser)["access_token"]
    client = register(svc, phone, kind)
    assert refusal(client.post("/oauth/introspect", {"token": token})) == (400, "unauthorized_client")
    assert refusal(send(phone, "/oauth/introspect", {"token": token})) == (401, "invalid_client")


def test_a_public_client_may_not_even_if_it_is_registered_to(browser: Browser, svc: Services, phone: Phone) -> None:
    spa = register(svc, phone, "spa", introspects=True)
    token = spa.tokens(browser)["access_token"]
    assert refusal(spa.post("/oauth/introspect", {"token": token})) == (400, "unauthorized_client")


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "x"])
def test_a_token_in_force_is_told_with_what_it_carries(browser: Browser, app: App, api: App, hint: str) -> None:
    token = app.tokens(browser, scope="openid notes:read")["access_token"]
    claims = introspect(api, token, token_type_hint=hint)
    assert claims == {**peek(token)[1], "active": True, "token_type": "Bearer"}
    assert (claims["iss"], claims["client_id"]) == (ISSUER, app.id)


def test_a_user_has_a_name_where_the_tokens_scopes_open_it_and_as_long_as_its_client_may_have_them(
    browser: Browser, app: App, api: App, svc: Services, phone: Phone
) -> None:
    tokens = app.tokens(browser)
    assert introspect(api, tokens["access_token"])["username"] == EMAIL  # RFC 7662 section 2.2
    narrowed = token_response(app.refresh(tokens["refresh_token"], scope="notes:read"))["access_token"]
    assert "username" not in introspect(api, narrowed)
    machine = token_response(register(svc, phone, "machine").token(CLIENT_CREDENTIALS))["access_token"]
    assert "username" not in introspect(api, machine)
    manage.change(svc, app.client, replace(app.client, scopes=("openid", "notes:read")))
    assert "username" not in introspect(api, tokens["access_token"])


def test_a_token_for_the_resource_servers_own_audience_is_told(browser: Browser, app: App, api: App) -> None:
    token = app.tokens(browser, scope="notes:read", resource=API)["access_token"]
    claims = introspect(api, token)
    assert (claims["active"], claims["aud"]) == (True, API)


def test_a_token_for_another_resource_server_is_inactive(
    browser: Browser, app: App, svc: Services, phone: Phone
) -> None:
    token = app.tokens(browser, scope="notes:read", resource=API)["access_token"]
    for resources in ((), ("https://other.example",)):
        assert introspect(register(svc, phone, "api", resources=resources), token) == INACTIVE


def test_a_token_that_has_expired_or_whose_session_or_user_has_ended_is_inactive(
    browser: Browser, app: App, api: App, svc: Services, clock: Clock
) -> None:
    first, second, third = (app.tokens(browser) for _ in range(3))
    app.post("/oauth/revoke", {"token": first["refresh_token"]})
    assert introspect(api, first["access_token"]) == INACTIVE
    assert introspect(api, second["access_token"])["active"] is True
    clock.advance(900)
    assert introspect(api, second["access_token"]) == INACTIVE
    fresh = token_response(app.refresh(third["refresh_token"]))["access_token"]
    assert introspect(api, fresh)["active"] is True
    svc.users.disable(svc.users.find(EMAIL) or "")
    assert introspect(api, fresh) == INACTIVE


def test_whatever_is_no_access_token_of_ours_is_inactive_and_nothing_more(browser: Browser, app: App, api: App) -> None:
    code, tokens = browser.code(app), app.tokens(browser)
    access = tokens["access_token"]
    texts = [code, tokens["id_token"], tokens["refresh_token"], browser.cookies["__Host-latchkey-session"]]
    texts += [access[:-1], access + "A", "x", "é", "x" * 8000, "e30.e30.e30", resigned(access, by(stranger("ES256")))]
    texts += [resigned(access, lambda _: b"", header={"alg": "none", "typ": "at+jwt"})]
    for text in texts:
        assert introspect(api, text) == INACTIVE, text[:20]


def test_a_refresh_token_is_told_to_its_own_client_alone(
    browser: Browser, svc: Services, phone: Phone, api: App, clock: Clock
) -> None:
    app = register(svc, phone, introspects=True)
    first = app.tokens(browser)["refresh_token"]
    assert introspect(app, first)["active"] is True
    assert introspect(api, first) == INACTIVE
    second = token_response(app.refresh(first))["refresh_token"]
    assert introspect(app, first) == INACTIVE
    claims = introspect(app, second)
    assert (claims["active"], claims["client_id"]) == (True, app.id)
    clock.advance(31 * 24 * 3600)
    assert introspect(app, second) == INACTIVE


def test_asking_about_a_spent_refresh_token_ends_nothing(
    browser: Browser, svc: Services, phone: Phone, clock: Clock
) -> None:
    app = register(svc, phone, introspects=True)
    first = app.tokens(browser)["refresh_token"]
    second = token_response(app.refresh(first))["refresh_token"]
    clock.advance(60)
    assert introspect(app, first) == INACTIVE
    token_response(app.refresh(second))


def test_a_machines_token_is_told_without_a_session(svc: Services, phone: Phone, api: App, clock: Clock) -> None:
    machine = register(svc, phone, "machine")
    token = token_response(machine.token(CLIENT_CREDENTIALS))["access_token"]
    claims = introspect(api, token)
    assert (claims["active"], claims["sub"]) == (True, machine.id)
    clock.advance(900)
    assert introspect(api, token) == INACTIVE


def test_a_signed_answer_is_for_who_asked_and_passes_for_no_other_token(
    browser: Browser, app: App, api: App, svc: Services, phone: Phone
) -> None:
    token = app.tokens(browser)["access_token"]
    accept = [("Accept", "text/html, Application/Token-Introspection+JWT;q=0.5")]
    answer = api.post("/oauth/introspect", {"token": token}, headers=accept)
    assert answer.header("Content-Type") == "application/token-introspection+jwt"
    response_jwt = answer.body.decode()
    header, claims = peek(response_jwt)
    (key,) = keys.published(svc)
    assert signed_by(key, response_jwt)
    assert header["typ"] == "token-introspection+jwt"
    assert (claims["iss"], claims["aud"]) == (ISSUER, api.id)
    assert claims["token_introspection"] == introspect(api, token)
    assert not {"sub", "exp"} & set(claims)  # RFC 9701 section 5: or it could be taken for an access token
    assert refusal(phone.call("GET /oauth/userinfo", token=response_jwt)) == (401, "invalid_token")
    assert introspect(api, response_jwt) == INACTIVE


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/*",
        "application/token-introspection+jwt;q=0, application/json",
        "x/token-introspection+jwt",
    ],
)
def test_who_does_not_ask_for_a_signed_answer_gets_json(browser: Browser, app: App, api: App, accept: str) -> None:
    token = app.tokens(browser)["access_token"]
    answer = api.post("/oauth/introspect", {"token": token}, headers=[("Accept", accept)])
    assert (answer.header("Content-Type"), answer.json()["active"]) == ("application/json", True)


def test_without_a_token_or_with_two_it_is_malformed(browser: Browser, app: App, api: App) -> None:
    token = app.tokens(browser)["access_token"]
    for fields in ([], [("token", "")], [("token", token), ("token", token)], [("token", "x" * 40_000)]):
        assert refusal(api.post("/oauth/introspect", fields)) == (400, "invalid_request")
    assert refusal(api.post(f"/oauth/introspect?token={token}", {})) == (400, "invalid_request")
