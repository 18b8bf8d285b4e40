"""Refresh tokens of OAuth clients, at both endpoints, and grants mixed up with one another."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, CODE, DEVICE_CODE, REFRESH
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from tests.support import wire
from tests.support.browser import API, App, Browser, basic, register, send, token_response
from tests.support.forge import peek
from tests.support.grants import EXPECTED, UNKNOWN
from tests.support.phone import EMAIL, Clock, Phone, refusal
from tests.support.staged import just_before

INVALID_GRANT = (400, "invalid_grant")
WINDOW = 30


@pytest.mark.parametrize("kind", ["web", "post", "key", "spa", "native"])
def test_another_client_gets_nothing_and_the_family_lives_on(
    browser: Browser, app: App, svc: Services, phone: Phone, clock: Clock, kind: str
) -> None:
    first = app.tokens(browser)["refresh_token"]
    thief = register(svc, phone, kind)
    assert refusal(thief.refresh(first)) == INVALID_GRANT
    second = token_response(app.refresh(first))["refresh_token"]
    clock.advance(WINDOW + 1)
    assert refusal(thief.refresh(first)) == INVALID_GRANT  # a replay, but not by its own client
    token_response(app.refresh(second))


def test_without_client_authentication_nothing_is_got_and_the_family_lives_on(
    browser: Browser, app: App, phone: Phone, clock: Clock
) -> None:
    first = app.tokens(browser)["refresh_token"]
    second = token_response(app.refresh(first))["refresh_token"]
    clock.advance(WINDOW + 1)
    for token in (first, second):
        fields = {"grant_type": REFRESH, "refresh_token": token}
        assert refusal(send(phone, "/oauth/token", fields)) == (401, "invalid_client")
        assert refusal(send(phone, "/oauth/token", {**fields, "client_id": app.id})) == (401, "invalid_client")
        wrong = [("Authorization", basic(app.id, "wrong"))]
        assert refusal(send(phone, "/oauth/token", fields, headers=wrong)) == (401, "invalid_client")
    token_response(app.refresh(second))


def test_the_json_api_refuses_an_oauth_clients_token_and_leaves_it_alone(
    browser: Browser, app: App, phone: Phone, clock: Clock
) -> None:
    first = app.tokens(browser)["refresh_token"]
    second = token_response(app.refresh(first))["refresh_token"]
    clock.advance(WINDOW + 1)
    for token in (first, second):
        assert refusal(phone.call("POST /refresh", {"refresh_token": token})) == (401, "invalid_grant")
        assert phone.call("POST /logout", {"refresh_token": token}).status == 204
    token_response(app.refresh(second))


def test_an_oauth_client_cannot_use_the_json_apis_token_and_leaves_it_alone(
    app: App, svc: Services, phone: Phone, clock: Clock
) -> None:
    session = phone.sign_up()
    first = session["refresh_token"]
    second = phone.refresh(first)["refresh_token"]
    clock.advance(WINDOW + 1)
    for each in (app, register(svc, phone, "native")):
        for token in (first, second):
            assert refusal(each.refresh(token)) == INVALID_GRANT
            assert each.post("/oauth/revoke", {"token": token}).status == 200
    resource = {"grant_type": REFRESH, "refresh_token": second, "client_id": svc.settings.client_id}
    assert refusal(send(phone, "/oauth/token", resource)) == (401, "invalid_client")
    phone.refresh(second)


def test_eight_refreshes_at_once_get_the_same_successor(browser: Browser, app: App) -> None:
    first = app.tokens(browser)["refresh_token"]
    with ThreadPoolExecutor(8) as pool:
        answers = [token_response(answer) for answer in pool.map(app.refresh, [first] * 8)]
    (successor,) = {answer["refresh_token"] for answer in answers}
    token_response(app.refresh(successor))


def test_a_replay_after_the_window_ends_the_family(browser: Browser, app: App, phone: Phone, clock: Clock) -> None:
    first = app.tokens(browser)["refresh_token"]
    second = token_response(app.refresh(first))
    clock.advance(WINDOW)
    assert token_response(app.refresh(first))["refresh_token"] == second["refresh_token"]
    clock.advance(1)
    assert refusal(app.refresh(first)) == INVALID_GRANT
    assert refusal(app.refresh(second["refresh_token"])) == INVALID_GRANT
    assert refusal(phone.call("GET /oauth/userinfo", token=second["access_token"])) == (401, "invalid_token")


def test_a_token_two_generations_old_ends_the_family(browser: Browser, app: App) -> None:
    first = app.tokens(browser)["refresh_token"]
    third = token_response(app.refresh(token_response(app.refresh(first))["refresh_token"]))["refresh_token"]
    assert refusal(app.refresh(first)) == INVALID_GRANT
    assert refusal(app.refresh(third)) == INVALID_GRANT


@pytest.mark.parametrize(
    "scope", ["openid profile", "notes:write", "account", "openid  email", " openid", "OPENID", "*"]
)
def test_a_wider_or_odd_scope_is_refused_and_nothing_is_spent(
    browser: Browser, app: App, clock: Clock, scope: str
) -> None:
    first = app.tokens(browser)["refresh_token"]
    assert refusal(app.refresh(first, scope=scope)) == (400, "invalid_scope")
    clock.advance(WINDOW + 1)
    token_response(app.refresh(first))


def test_a_narrower_scope_is_this_access_tokens_alone(browser: Browser, app: App) -> None:
    narrowed = token_response(app.refresh(app.tokens(browser)["refresh_token"], scope="notes:read"))
    assert narrowed["scope"] == peek(narrowed["access_token"])[1]["scope"] == "notes:read"
    assert "id_token" not in narrowed
    again = token_response(app.refresh(narrowed["refresh_token"]))
    assert again["scope"] == "openid email offline_access notes:read"


FOREIGN: dict[str, str] = {
    "code": "x",
    "redirect_uri": "https://evil.example",
    "code_verifier": "x",
    "device_code": "x",
    "subject_token": "x",
    "subject_token_type": "x",
    "audience": "https://evil.example",
    "username": "ann@example.com",
    "password": "x",
    "assertion": "x",
    "sub": "0" * 32,
    "client_secret_": "x",
}


def test_parameters_of_other_grants_are_ignored(browser: Browser, app: App) -> None:
    first = app.tokens(browser)["refresh_token"]
    tokens = token_response(app.post("/oauth/token", {"grant_type": REFRESH, "refresh_token": first, **FOREIGN}))
    assert peek(tokens["access_token"])[1]["aud"] == "https://id.example"
    code = browser.code(app)
    extra = {name: value for name, value in FOREIGN.items() if name not in ("code", "redirect_uri", "code_verifier")}
    token_response(app.post("/oauth/token", {**app.redemption(code), **extra, "refresh_token": "x", "scope": "admin"}))


def test_an_id_token_of_a_refresh_tells_the_first_login_and_no_nonce(browser: Browser, app: App, clock: Clock) -> None:
    first = app.tokens(browser)
    clock.advance(100)
    again = token_response(app.refresh(first["refresh_token"]))
    (_, old), (_, new) = peek(first["id_token"]), peek(again["id_token"])
    # OpenID Connect Core 12.2.
    assert {name: new[name] for name in ("iss", "sub", "aud", "auth_time", "sid")} == {
        name: old[name] for name in ("iss", "sub", "aud", "auth_time", "sid")
    }
    assert new["iat"] == old["iat"] + 100
    assert "nonce" not in new


def test_a_revocation_just_before_the_refreshs_write_leaves_the_session_ended(
    browser: Browser, app: App, svc: Services
) -> None:
    first = app.tokens(browser)["refresh_token"]

    def overtake() -> None:
        assert app.post("/oauth/revoke", {"token": first}).status == 200

    with just_before(wire.clients(svc)[0], "UpdateItem", overtake):
        assert refusal(app.refresh(first)) == INVALID_GRANT
    assert refusal(app.refresh(first)) == INVALID_GRANT


def test_a_refresh_just_before_the_revocations_write_does_not_outlive_it(
    browser: Browser, app: App, svc: Services, phone: Phone
) -> None:
    first = app.tokens(browser)["refresh_token"]
    answers: list[dict[str, Any]] = []
    with just_before(
        wire.clients(svc)[0], "TransactWriteItems", lambda: answers.append(token_response(app.refresh(first)))
    ):
        assert app.post("/oauth/revoke", {"token": first}).status == 200
    assert refusal(app.refresh(answers[0]["refresh_token"])) == INVALID_GRANT
    assert refusal(phone.call("GET /oauth/userinfo", token=answers[0]["access_token"])) == (401, "invalid_token")


def test_a_deleted_client_and_a_disabled_user_get_nothing_more(browser: Browser, app: App, svc: Services) -> None:
    tokens, other = app.tokens(browser), app.tokens(browser)
    svc.users.disable(svc.users.find(EMAIL) or "")
    assert refusal(app.refresh(tokens["refresh_token"])) == INVALID_GRANT
    svc.clients.delete(app.id)
    assert refusal(app.refresh(other["refresh_token"])) == (401, "invalid_client")


def test_an_idle_session_of_a_client_ends_after_its_own_time(
    browser: Browser, svc: Services, phone: Phone, clock: Clock
) -> None:
    app = register(svc, phone, refresh_idle_seconds=1000, refresh_absolute_seconds=2500)
    token = app.tokens(browser)["refresh_token"]
    for _ in range(2):
        clock.advance(999)
        token = token_response(app.refresh(token))["refresh_token"]
    clock.advance(502)
    assert refusal(app.refresh(token)) == INVALID_GRANT


def test_openid_without_offline_access_gets_no_refresh_token(browser: Browser, app: App) -> None:
    assert "refresh_token" not in app.tokens(browser, scope="openid email")
    assert "refresh_token" in app.tokens(browser, scope="notes:read")


def change_client(app: App, **changes: Any) -> None:
    """An operator changes what a client may have."""
    client = app.svc.clients.read(app.id)
    assert client is not None
    manage.change(app.svc, client, replace(client, **changes))


def test_scopes_that_were_taken_from_a_client_are_in_none_of_its_tokens_any_more(
    browser: Browser, svc: Services, phone: Phone
) -> None:
    app = register(svc, phone, "native", grant_types=(CODE, REFRESH, DEVICE_CODE))
    token, code = app.tokens(browser)["refresh_token"], browser.code(app)
    device = app.post("/oauth/device", {"scope": "openid offline_access notes:read"}).json()
    page = browser.submit(browser.get("/device"), "/device", user_code=device["user_code"])
    browser.submit(page, "/device", decision="allow")
    change_client(app, scopes=("openid", "offline_access"))
    first = token_response(app.refresh(token))
    issued = [
        first,
        token_response(app.redeem(code)),
        token_response(app.token(DEVICE_CODE, device_code=device["device_code"])),
    ]
    for tokens in issued:
        assert tokens["scope"] == peek(tokens["access_token"])[1]["scope"] == "openid offline_access"
        assert "email" not in phone.call("GET /oauth/userinfo", token=tokens["access_token"]).json()
    for scope in ("email", "openid notes:read"):
        assert refusal(app.refresh(first["refresh_token"], scope=scope)) == (400, "invalid_scope")
    # What its user has agreed to stays, should the client be given it back.
    change_client(app, scopes=app.client.scopes)
    assert token_response(app.refresh(first["refresh_token"]))["scope"] == "openid email offline_access notes:read"


def test_a_client_whose_offline_access_was_taken_away_gets_no_further_refresh_token(browser: Browser, app: App) -> None:
    tokens, code = app.tokens(browser), browser.code(app)
    change_client(app, scopes=("openid", "email", "notes:read"))
    assert "refresh_token" not in token_response(app.refresh(tokens["refresh_token"]))
    assert "refresh_token" not in token_response(app.redeem(code))
    # Nor does it get any by speaking OpenID no more.
    later = register(app.svc, app.phone)
    code = browser.code(later, scope="openid notes:read")
    change_client(later, scopes=("notes:read",))
    assert "refresh_token" not in token_response(later.redeem(code))


def test_a_refresh_token_is_told_with_the_scopes_that_it_can_still_get(
    browser: Browser, svc: Services, phone: Phone
) -> None:
    app = register(svc, phone, introspects=True)
    token = app.tokens(browser)["refresh_token"]
    change_client(app, scopes=("openid", "offline_access"))
    assert app.post("/oauth/introspect", {"token": token}).json()["scope"] == "openid offline_access"


# Grants mixed up
@pytest.mark.parametrize(
    ("grant_type", "answer"),
    [
        ("", (400, "invalid_request")),
        *[(name, (400, "unsupported_grant_type")) for name in UNKNOWN],
        *[(name, (400, "unauthorized_client")) for name in EXPECTED if name not in (CODE, REFRESH)],
        (CODE, (400, "invalid_request")),
        (REFRESH, (400, "invalid_request")),
    ],
)
def test_a_grant_that_is_unknown_or_not_the_clients_has_its_own_code(
    app: App, grant_type: str, answer: tuple[int, str]
) -> None:
    assert refusal(app.token(grant_type)) == answer
    assert refusal(app.token(grant_type, username=EMAIL, password="correct horse battery staple")) == answer


def test_a_public_client_gets_no_token_for_itself(svc: Services, phone: Phone) -> None:
    for kind in ("spa", "native", "television"):
        assert refusal(register(svc, phone, kind).token(CLIENT_CREDENTIALS)) == (400, "unauthorized_client")


def test_a_machines_token_is_for_itself_and_has_no_users_scope(svc: Services, phone: Phone) -> None:
    machine = register(svc, phone, "machine", scopes=("notes:read", "openid", "profile", "email", "offline_access"))
    tokens = token_response(machine.token(CLIENT_CREDENTIALS))
    assert set(tokens) == {"access_token", "token_type", "expires_in", "scope"}
    claims = peek(tokens["access_token"])[1]
    assert (claims["sub"], claims["scope"]) == (machine.id, "notes:read")
    assert "sid" not in claims
    # kubelogin always asks for openid.
    for scope in ("openid", "openid email", "notes:read openid"):
        assert token_response(machine.token(CLIENT_CREDENTIALS, scope=scope))["scope"] == "notes:read"
    for scope in ("admin", "notes:write", "notes:read notes:write", "openid notes:write"):
        assert refusal(machine.token(CLIENT_CREDENTIALS, scope=scope)) == (400, "invalid_scope")
    assert refusal(machine.token(CLIENT_CREDENTIALS, resource="https://evil.example")) == (400, "invalid_target")
    assert phone.call("GET /oauth/userinfo", token=tokens["access_token"]).status in (401, 403)
    assert phone.call("GET /me", token=tokens["access_token"]).status in (401, 403)


def test_a_machines_token_is_for_the_api_that_it_names_and_lives_as_long_as_its_client_says(
    svc: Services, phone: Phone
) -> None:
    for own, lifetime in ((0, svc.settings.access_seconds), (60, 60)):
        machine = register(svc, phone, "machine", resources=(API,), access_seconds=own)
        for resource, aud in ((API, API), ("", svc.settings.audience)):
            tokens = token_response(machine.token(CLIENT_CREDENTIALS, resource=resource))
            claims = peek(tokens["access_token"])[1]
            assert (claims["aud"], claims["client_id"], claims["scope"]) == (aud, machine.id, "notes:read notes:write")
            assert (tokens["expires_in"], claims["exp"] - svc.now()) == (lifetime, lifetime)


@pytest.mark.parametrize("scope", ["openid", "profile", "email", "offline_access"])
def test_a_scope_that_is_about_a_user_is_nothing_to_a_machine(svc: Services, phone: Phone, scope: str) -> None:
    assert refusal(register(svc, phone, "machine", scopes=(scope,)).token(CLIENT_CREDENTIALS)) == (400, "invalid_scope")
