"""What an operator takes from a client is gone from all that it was granted before: sessions, codes, approvals, tokens."""

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.oauth.client import DEVICE_CODE, TOKEN_EXCHANGE
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import forge
from tests.support.browser import API, USER_SCOPES, App, Browser, register, token_response
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, refusal

ACCESS = "urn:ietf:params:oauth:token-type:access_token"
WISHES = json.dumps({part: {"email": None} for part in ("id_token", "userinfo")})
SCOPE = "openid offline_access notes:read"


def change(app: App, **metadata: Any) -> None:
    """What `./latchkey clients set` does."""
    present = app.svc.clients.read(app.id)
    assert present
    manage.change(app.svc, present, replace(present, **metadata))


def without(*removed: str) -> tuple[str, ...]:
    return tuple(scope for scope in USER_SCOPES if scope not in removed)


def error_code(answer: Answer) -> str:
    assert answer.status == 400, (answer.status, answer.body)
    code: str = answer.json()["error"]
    return code


def userinfo(phone: Phone, tokens: dict[str, Any]) -> dict[str, Any]:
    answer = phone.call("GET /oauth/userinfo", token=tokens["access_token"])
    assert answer.status == 200, answer.body
    claims: dict[str, Any] = answer.json()
    return claims


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    return register(svc, phone, resources=(API,))


@pytest.fixture
def service(svc: Services, phone: Phone) -> App:
    return register(svc, phone, "api", resources=(API,), scopes=("notes:read",))


def introspect(service: App, token: str) -> dict[str, Any]:
    claims: dict[str, Any] = service.post("/oauth/introspect", {"token": token}).json()
    return claims


def test_a_session_for_an_api_that_was_taken_from_its_client_is_over(app: App, service: App, browser: Browser) -> None:
    tokens = app.tokens(browser, scope=SCOPE, resource=API)
    other = app.tokens(browser, scope=SCOPE)
    assert introspect(service, tokens["access_token"])["active"]
    change(app, resources=("https://other.example",))
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert introspect(service, token) == {"active": False}
    assert error_code(app.refresh(tokens["refresh_token"])) == "invalid_grant"
    assert token_response(app.refresh(other["refresh_token"]))
    change(app, resources=(API,))
    assert error_code(app.refresh(tokens["refresh_token"])) == "invalid_grant"


def test_a_session_without_a_scope_that_its_client_may_have_is_over(app: App, browser: Browser) -> None:
    tokens = app.tokens(browser, scope="notes:read notes:write")
    change(app, scopes=without("notes:write"))
    tokens = token_response(app.refresh(tokens["refresh_token"]))
    assert tokens["scope"] == "notes:read"
    change(app, scopes=without("notes:read", "notes:write"))
    assert error_code(app.refresh(tokens["refresh_token"])) == "invalid_grant"
    change(app, scopes=USER_SCOPES)
    assert error_code(app.refresh(tokens["refresh_token"])) == "invalid_grant"


@pytest.mark.parametrize("change_of_client", [{"resources": ()}, {"scopes": without("notes:read")}], ids=str)
def test_a_code_for_what_was_taken_from_its_client_meanwhile_is_worth_nothing(
    app: App, browser: Browser, change_of_client: dict[str, Any]
) -> None:
    code = browser.code(app, scope="notes:read", resource=API)
    change(app, **change_of_client)
    assert error_code(app.redeem(code)) == "invalid_grant"


@pytest.mark.parametrize("change_of_client", [{"resources": ()}, {"scopes": without("notes:read")}], ids=str)
def test_an_approval_of_what_was_taken_from_a_devices_client_meanwhile_is_worth_nothing(
    svc: Services, browser: Browser, change_of_client: dict[str, Any]
) -> None:
    television = register(svc, browser.phone, "television", resources=(API,))
    codes = token_response(television.post("/oauth/device", {"scope": "notes:read", "resource": API}))
    page = browser.submit(browser.get("/device"), "/authorize/login", email=EMAIL, password=PASSWORD)
    page = browser.submit(page, "/device", user_code=codes["user_code"])
    browser.submit(page, "/device", decision="allow")
    change(television, **change_of_client)
    assert error_code(television.token(DEVICE_CODE, device_code=codes["device_code"])) == "access_denied"


@pytest.mark.parametrize("back", ["before the decision", "after it"])
def test_what_a_device_is_given_back_is_not_what_its_user_approved(
    svc: Services, browser: Browser, clock: Clock, back: str
) -> None:
    television = register(svc, browser.phone, "television")
    codes = token_response(television.post("/oauth/device", {"scope": "notes:read notes:write"}))
    change(television, scopes=without("notes:write"))
    page = browser.submit(browser.get("/device"), "/authorize/login", email=EMAIL, password=PASSWORD)
    page = browser.submit(page, "/device", user_code=codes["user_code"])
    assert "notes:write" not in page.body.decode()
    if back == "before the decision":
        change(television, scopes=USER_SCOPES)
        page = browser.submit(page, "/device", decision="allow")
        # The form was of another page: the user reads what it is now.
        assert "notes:write" in page.body.decode()
        assert error_code(television.token(DEVICE_CODE, device_code=codes["device_code"])) == "authorization_pending"
    browser.submit(page, "/device", decision="allow")
    change(television, scopes=USER_SCOPES)
    clock.advance(5)
    tokens = token_response(television.token(DEVICE_CODE, device_code=codes["device_code"]))
    assert ("notes:write" in tokens["scope"]) is (back == "before the decision")


def test_a_single_claim_is_told_only_while_the_client_has_its_scope(app: App, browser: Browser) -> None:
    """In the id_token of a refresh, and at userinfo for a token of before as for one of after."""
    tokens = app.tokens(browser, scope=SCOPE, claims=WISHES)
    assert forge.peek(tokens["id_token"])[1]["email"] == EMAIL
    assert userinfo(app.phone, tokens)["email"] == EMAIL
    change(app, scopes=without("email"))
    assert "email" not in userinfo(app.phone, tokens)
    tokens = token_response(app.refresh(tokens["refresh_token"]))
    assert "email" not in forge.peek(tokens["id_token"])[1]
    assert "email" not in userinfo(app.phone, tokens)


def test_a_single_claim_outlives_a_scope_that_has_nothing_to_do_with_it(app: App, browser: Browser) -> None:
    tokens = app.tokens(browser, scope=SCOPE, claims=WISHES)
    change(app, scopes=without("notes:read"))
    tokens = token_response(app.refresh(tokens["refresh_token"]))
    assert forge.peek(tokens["id_token"])[1]["email"] == EMAIL
    assert userinfo(app.phone, tokens)["email"] == EMAIL


def test_an_access_token_of_before_is_worth_what_its_client_may_have_by_now(
    svc: Services, app: App, service: App, browser: Browser
) -> None:
    tokens = app.tokens(browser, scope="openid email notes:read notes:write")
    token, exchanger = tokens["access_token"], register(svc, app.phone, "exchanger")
    change(app, scopes=without("email", "notes:write"))
    assert introspect(service, token)["scope"] == "openid notes:read"
    assert userinfo(app.phone, tokens).keys() == {"sub"}
    verified = app.phone.call("POST /verify", {"token": token}).json()
    assert verified["claims"]["scope"] == "openid notes:read"
    exchanged = {"subject_token": token, "subject_token_type": ACCESS}
    assert token_response(exchanger.token(TOKEN_EXCHANGE, **exchanged))["scope"] == "notes:read"
    assert error_code(exchanger.token(TOKEN_EXCHANGE, scope="notes:write", **exchanged)) == "invalid_scope"


def test_an_access_token_of_a_client_that_is_gone_is_worth_nothing(
    svc: Services, app: App, service: App, browser: Browser
) -> None:
    tokens, machine = app.tokens(browser, scope=SCOPE), register(svc, app.phone, "machine")
    machines = token_response(machine.token("client_credentials"))["access_token"]
    for client in (app, machine):
        manage.delete(svc, client.id)
    for token in (tokens["access_token"], tokens["refresh_token"], machines):
        assert introspect(service, token) == {"active": False}
        assert app.phone.call("POST /verify", {"token": token}).json() == {"active": False}
    answer = app.phone.call("GET /oauth/userinfo", token=tokens["access_token"])
    assert refusal(answer) == (401, "invalid_token")
    exchanger = register(svc, app.phone, "exchanger")
    exchanged = {"subject_token": tokens["access_token"], "subject_token_type": ACCESS}
    assert error_code(exchanger.token(TOKEN_EXCHANGE, **exchanged)) == "invalid_request"


def test_an_access_token_of_an_earlier_client_of_the_same_id_is_worth_nothing(
    svc: Services, app: App, service: App, browser: Browser, clock: Clock
) -> None:
    machine = register(svc, app.phone, "machine")
    old = [app.tokens(browser, scope=SCOPE), token_response(machine.token("client_credentials"))]
    clock.advance(1)
    for each in (app, machine):
        manage.delete(svc, each.id)
        manage.create(svc, replace(each.client, created_at=0))
    for tokens in old:
        assert introspect(service, tokens["access_token"]) == {"active": False}
    answer = app.phone.call("GET /oauth/userinfo", token=old[0]["access_token"])
    assert refusal(answer) == (401, "invalid_token")


def test_the_list_of_sessions_still_shows_those_of_a_client_that_is_gone_and_ends_them(
    svc: Services, app: App, browser: Browser
) -> None:
    """Its access tokens open other APIs for what is left of their time, so its user has to see it."""
    access = app.phone.log_in()["access_token"]
    app.tokens(browser, scope=SCOPE)
    manage.delete(svc, app.id)
    sessions = app.phone.call("GET /me/sessions", token=access).json()["sessions"]
    (sid,) = [each["id"] for each in sessions if each["client_id"] == app.id]
    assert app.phone.call(f"DELETE /me/sessions/{sid}", token=access).status == 204
    sessions = app.phone.call("GET /me/sessions", token=access).json()["sessions"]
    assert app.id not in [each["client_id"] for each in sessions]
