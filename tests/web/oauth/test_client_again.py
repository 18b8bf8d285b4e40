"""A client that is deleted, and another made under its id: what was made for the first is not the second's."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.oauth.client import CODE, DEVICE_CODE, REFRESH, Client
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from tests.support.browser import App, Browser, callback_params, forms, place, register, send, token_response
from tests.support.delivery import deliver
from tests.support.forge import peek
from tests.support.internet import Internet, Page
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal
from tests.support.staged import just_before

HOOK = "https://app.example/backchannel"
LEFT = "https://app.example/left"
NOT_ITS = (400, "invalid_grant")
LOGIN = {"email": EMAIL, "password": PASSWORD}


@pytest.fixture
def internet(internet: Internet) -> Internet:
    internet.pages[HOOK] = Page()
    return internet


@pytest.fixture
def svc(svc: Services, internet: Internet) -> Services:
    return replace(svc, fetch=internet.fetch())


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    return register(
        svc,
        phone,
        grant_types=(CODE, REFRESH, DEVICE_CODE),
        first_party=True,
        backchannel_logout_uri=HOOK,
        post_logout_redirect_uris=(LEFT,),
        introspects=True,
    )


def again(app: App, clock: Clock) -> App:
    """Another client under the id of one that is deleted, a second later."""
    clock.advance(1)
    manage.delete(app.svc, app.id)
    client, secret = manage.create(app.svc, replace(app.client, secrets=(), created_at=0))
    return App(app.phone, app.svc, client, secret)


def begin(app: App) -> dict[str, Any]:
    return token_response(app.post("/oauth/device", {"scope": "openid notes:read"}))


def approve(browser: Browser, user_code: str) -> bool:
    """Whether the page lets its user approve a code."""
    page = browser.submit(browser.get("/device"), "/device", user_code=user_code)
    if b'value="allow"' not in page.body:
        return False
    return browser.submit(page, "/device", decision="allow").status == 200


def test_its_refresh_tokens_are_dead(browser: Browser, app: App, clock: Clock) -> None:
    token = app.tokens(browser)["refresh_token"]
    other = again(app, clock)
    assert refusal(other.refresh(token)) == NOT_ITS
    assert token_response(other.refresh(other.tokens(browser)["refresh_token"]))


def test_a_session_that_does_not_say_which_client_it_is_of_is_judged_by_when_it_began(
    browser: Browser, app: App, svc: Services, clock: Clock
) -> None:
    tokens = app.tokens(browser)
    uid = svc.users.find(EMAIL) or ""
    table = svc.settings.grants_table
    for session in svc.sessions.of_user(uid):
        where = {"pk": {"S": f"user#{uid}"}, "sk": {"S": f"grant#{session.session_id}"}}
        svc.users._client.call("UpdateItem", TableName=table, Key=where, UpdateExpression="REMOVE client_since")
    assert {session.client_since for session in svc.sessions.of_user(uid)} == {None}
    tokens = token_response(app.refresh(tokens["refresh_token"]))
    other = again(app, clock)
    assert refusal(other.refresh(tokens["refresh_token"])) == NOT_ITS
    assert other.post("/oauth/revoke", {"token": tokens["refresh_token"]}).status == 200
    assert not any(session.ended for session in svc.sessions.of_user(uid))


def test_its_codes_are_dead(browser: Browser, app: App, clock: Clock) -> None:
    code = browser.code(app)
    other = again(app, clock)
    assert refusal(other.redeem(code)) == NOT_ITS
    assert token_response(other.redeem(browser.code(other)))


def test_its_device_codes_are_dead_whether_approved_or_not(browser: Browser, app: App, clock: Clock) -> None:
    browser.code(app)
    waiting, approved = begin(app), begin(app)
    assert approve(browser, approved["user_code"])
    other = again(app, clock)
    for codes in (waiting, approved):
        assert refusal(other.token(DEVICE_CODE, device_code=codes["device_code"])) == NOT_ITS
        assert not approve(browser, codes["user_code"])
    codes = begin(other)
    assert approve(browser, codes["user_code"])
    assert token_response(other.token(DEVICE_CODE, device_code=codes["device_code"]))


def test_its_pushed_requests_are_dead(browser: Browser, app: App, clock: Clock) -> None:
    browser.code(app)

    def push(app: App) -> dict[str, str]:
        answer = app.post("/oauth/par", app.request())
        return {"client_id": app.id, "request_uri": answer.json()["request_uri"]}

    old, second = push(app), push(app)
    assert "code" in callback_params(browser.get("/oauth/authorize", second))
    other = again(app, clock)
    for request in (old, second):
        assert browser.get("/oauth/authorize", request).status == 400
    assert "code" in callback_params(browser.get("/oauth/authorize", push(other)))


@pytest.mark.usefixtures("browser")
def test_its_auth_sessions_are_dead(app: App, clock: Clock) -> None:
    request = {name: app.request()[name] for name in ("response_type", "code_challenge", "code_challenge_method")}

    def new_auth_session(app: App) -> str:
        auth_session: str = app.post("/oauth/authorize-challenge", request).json()["auth_session"]
        return auth_session

    old = new_auth_session(app)
    other = again(app, clock)
    answer = other.post("/oauth/authorize-challenge", {"auth_session": old, **LOGIN})
    assert refusal(answer) == (400, "invalid_session")
    assert token_response(other.post("/oauth/authorize-challenge", {"auth_session": new_auth_session(other), **LOGIN}))


def test_its_id_tokens_are_no_hints_any_more(browser: Browser, app: App, clock: Clock) -> None:
    params = {"id_token_hint": app.tokens(browser)["id_token"]}
    silent = {"prompt": "none", **params}
    assert "code" in callback_params(browser.authorize(app, **silent))
    other = again(app, clock)
    assert callback_params(browser.authorize(other, **silent))["error"] == "login_required"
    page = browser.get("/oauth/logout", {**params, "post_logout_redirect_uri": LEFT})
    assert "/oauth/logout/confirm" in forms(page)
    new = other.tokens(browser)["id_token"]
    assert place(browser.get("/oauth/logout", {"id_token_hint": new, "post_logout_redirect_uri": LEFT})) == LEFT


@pytest.mark.parametrize("expired", [False, True])
def test_who_used_the_first_is_no_news_for_the_second(
    browser: Browser, app: App, internet: Internet, clock: Clock, expired: bool
) -> None:
    app.tokens(browser, scope="openid notes:read")
    if expired:  # only the browser's own session remembers then who took part in it
        clock.advance(3600)
    other = again(app, clock)
    browser.submit(browser.get("/oauth/logout"), "/oauth/logout/confirm")
    deliver()
    assert internet.requests == []
    other.tokens(browser, scope="openid notes:read")
    browser.submit(browser.get("/oauth/logout"), "/oauth/logout/confirm")
    deliver()
    assert [peek(each.form["logout_token"])[1]["aud"] for each in internet.requests] == [other.id]


def test_a_device_of_the_first_is_no_news_for_the_second(
    browser: Browser, app: App, internet: Internet, clock: Clock
) -> None:
    browser.code(app)
    codes = begin(app)
    assert approve(browser, codes["user_code"])
    token_response(app.token(DEVICE_CODE, device_code=codes["device_code"]))
    again(app, clock)
    browser.submit(browser.get("/oauth/logout"), "/oauth/logout/confirm")
    deliver()
    assert internet.requests == []


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_the_second_ends_no_session_of_the_first_and_is_told_nothing_of_it(
    browser: Browser, app: App, svc: Services, clock: Clock, kind: str
) -> None:
    token = app.tokens(browser)[kind]
    other = again(app, clock)
    other.post("/oauth/revoke", {"token": token})
    assert not any(session.ended for session in svc.sessions.of_user(svc.users.find(EMAIL) or ""))
    if kind == "refresh_token":
        assert other.post("/oauth/introspect", {"token": token}).json() == {"active": False}


def test_a_client_that_was_changed_is_the_same_client(browser: Browser, app: App, svc: Services, clock: Clock) -> None:
    tokens = app.tokens(browser)
    clock.advance(60)
    app.client = manage.change(svc, app.client, replace(app.client, client_name="Another name"))
    app.secret = manage.rotate_secret(svc, app.client, keep_old=False)
    assert token_response(app.refresh(tokens["refresh_token"]))
    assert send(app.phone, "/oauth/token", {"grant_type": REFRESH}).status == 401


@pytest.mark.parametrize(("method", "operation"), [("PUT", "PutItem"), ("DELETE", "DeleteItem")])
def test_who_looked_after_the_first_does_not_overtake_the_making_of_the_second(
    svc: Services, phone: Phone, method: str, operation: str
) -> None:
    metadata = {"redirect_uris": ["https://app.example/cb"], "client_name": "The first"}
    initial = replace(svc, settings=replace(svc.settings, registration_open=True))
    with installed(initial):
        registration = phone.call("POST /oauth/register", metadata).json()
        path, token = f"/oauth/register/{registration['client_id']}", registration["registration_access_token"]
        first = svc.clients.read(registration["client_id"])
        assert first is not None
        seconds: list[Client] = []

        def make_again() -> None:
            manage.delete(svc, first.client_id)
            seconds.append(manage.create(svc, replace(first, client_name="The second", registration_token=""))[0])

        body = {**metadata, "client_id": first.client_id} if method == "PUT" else None
        with just_before(svc.users._client, operation, make_again):
            answer = phone.call(f"{method} {path}", body, token=token)
    assert answer.status in (401, 503), answer
    assert svc.clients.read(first.client_id) == seconds[0]
