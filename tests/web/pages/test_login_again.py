"""A browser in which somebody logs in again: what began in it ends with it, whatever login it was."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import App, Browser, callback_params, forms, register
from tests.support.delivery import deliver
from tests.support.forge import peek
from tests.support.internet import Internet, Page, running
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone
from tests.support.staged import before_write

LOGOUT, LOGIN, SIGN_UP = "/oauth/logout", "/authorize/login", "/authorize/signup"
SESSION = "__Host-latchkey-session"
HOOKS = ("https://app.example/one", "https://other.example/two")
BOB = "bob@example.com"
ONLINE, OFFLINE = "openid notes:read", "openid offline_access"


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    with running(tmp_path, "app.example", "other.example") as network:
        network.pages |= {hook: Page() for hook in HOOKS}
        yield network


BY_SESSION: dict[str, Any] = {"first_party": True, "backchannel_logout_session_required": True}


@pytest.fixture
def svc(svc: Services, internet: Internet) -> Services:
    return replace(svc, fetch=internet.fetch())


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    return register(svc, phone, backchannel_logout_uri=HOOKS[0], **BY_SESSION)


@pytest.fixture
def other(svc: Services, phone: Phone) -> App:
    return register(svc, phone, backchannel_logout_uri=HOOKS[1], **BY_SESSION)


def alive(app: App, tokens: dict[str, Any]) -> bool:
    return app.refresh(tokens["refresh_token"]).status == 200


def log_in_again(browser: Browser, app: App, email: str = EMAIL) -> Answer:
    return browser.submit(browser.authorize(app, prompt="login"), LOGIN, email=email, password=PASSWORD)


def silently(browser: Browser, app: App) -> dict[str, str]:
    return callback_params(browser.authorize(app, prompt="none"))


def browsers_of(svc: Services, email: str = EMAIL) -> list[Any]:
    sessions = svc.sessions.of_user(svc.users.find(email) or "")
    return [each for each in sessions if each.client_id == "browser" and not each.ended]


def clients_notified(internet: Internet) -> list[str]:
    """Which clients have been told of a logout."""
    deliver()
    return sorted(request.line for request in internet.requests)


def test_a_login_of_the_same_user_goes_on_in_the_browsers_session_under_a_new_cookie(
    svc: Services, browser: Browser, app: App, other: App, clock: Clock
) -> None:
    first = app.tokens(browser, scope=OFFLINE)
    cookie = browser.cookies[SESSION]
    clock.advance(100)
    second = other.tokens(browser, scope=OFFLINE, prompt="login")
    (session,) = browsers_of(svc)
    assert browser.cookies[SESSION] != cookie
    assert (session.auth_time, session.created_at, session.last_used_at) == (clock(), clock() - 100, clock())
    ids = [peek(each["id_token"])[1] for each in (first, second)]
    assert len({ids[0]["sid"], ids[1]["sid"], session.session_id}) == 3
    assert [each["auth_time"] for each in ids] == [clock() - 100, clock()]
    assert alive(app, first)
    browser.cookies[SESSION] = cookie
    assert silently(browser, app)["error"] == "login_required"
    assert LOGIN in forms(browser.authorize(app))


def test_a_login_again_is_good_for_as_long_as_a_first_one(svc: Services, browser: Browser, app: App) -> None:
    log_in_again(browser, app)
    (first,) = browsers_of(svc)
    svc.now.advance(20 * 24 * 3600)  # type: ignore[attr-defined]
    log_in_again(browser, app)
    (again,) = browsers_of(svc)
    for end in ("expires_at", "ends_at"):
        assert getattr(again, end) - getattr(first, end) == 20 * 24 * 3600
    (cookie,) = [each for each in browser.set_cookies if each.startswith(SESSION)] or [""]
    assert f"Max-Age={first.ends_at - first.created_at}" in cookie


@pytest.mark.parametrize("whose", ["first", "second"])
def test_either_id_token_ends_what_began_under_both_logins_and_all_are_told(
    browser: Browser, app: App, other: App, internet: Internet, clock: Clock, whose: str
) -> None:
    first = app.tokens(browser, scope="notes:read openid")
    clock.advance(1)
    second = other.tokens(browser, scope="notes:read openid", prompt="login")
    id_token = {"first": first, "second": second}[whose]["id_token"]
    browser.get(LOGOUT, {"id_token_hint": id_token})
    assert SESSION not in browser.cookies
    assert not alive(app, first)
    assert not alive(other, second)
    assert clients_notified(internet) == ["POST /one", "POST /two"]


def test_a_login_of_another_user_logs_the_first_one_out_as_a_logout_there_would(
    svc: Services, phone: Phone, browser: Browser, app: App, other: App, internet: Internet
) -> None:
    phone.sign_up(BOB)
    here = app.tokens(browser, scope=ONLINE)
    absent = other.tokens(browser, scope=OFFLINE)
    bobs = app.tokens(browser, email=BOB, scope=ONLINE, prompt="login")
    assert browsers_of(svc) == []
    assert not alive(app, here)
    assert alive(other, absent)
    assert alive(app, bobs)
    assert clients_notified(internet) == ["POST /one", "POST /two"]
    assert len(browsers_of(svc, BOB)) == 1
    assert "code" in silently(browser, app)


def test_a_sign_up_in_somebodys_browser_logs_them_out(
    svc: Services, browser: Browser, app: App, internet: Internet
) -> None:
    here = app.tokens(browser, scope=ONLINE)
    page = browser.sign_up_page(browser.authorize(app, prompt="login"))
    browser.submit(page, SIGN_UP, email=BOB, password=PASSWORD)
    assert (browsers_of(svc), len(browsers_of(svc, BOB))) == ([], 1)
    assert not alive(app, here)
    assert clients_notified(internet) == ["POST /one"]


@pytest.mark.parametrize("typed", [{"email": EMAIL, "password": "wrong"}, {"email": BOB, "password": PASSWORD}])
def test_a_login_that_fails_leaves_the_browsers_session_as_it_was(
    svc: Services, browser: Browser, app: App, internet: Internet, typed: dict[str, str]
) -> None:
    here = app.tokens(browser, scope=ONLINE)
    before = browsers_of(svc)
    browser.submit(browser.authorize(app, prompt="login"), LOGIN, **typed)
    assert browsers_of(svc) == before
    assert alive(app, here)
    assert clients_notified(internet) == []
    assert "code" in silently(browser, app)


def test_of_two_logins_at_once_in_one_browser_both_are_in_its_one_session(
    svc: Services, phone: Phone, browser: Browser, app: App, other: App
) -> None:
    here = app.tokens(browser, scope=ONLINE)
    page = browser.authorize(app, prompt="login")
    second_tab = Browser(phone)
    second_tab.cookies = dict(browser.cookies)

    def rival() -> None:
        second_tab.submit(page, LOGIN, email=EMAIL, password=PASSWORD)

    # The first transaction counts the attempt, the second is the login's own.
    with before_write(svc.users._client, 2, rival):
        browser.submit(page, LOGIN, email=EMAIL, password=PASSWORD)
    (session,) = browsers_of(svc)
    assert session.generation == 3
    assert "code" in silently(browser, app)
    assert silently(second_tab, app)["error"] == "login_required"
    there = other.tokens(browser, scope=ONLINE)
    browser.get(LOGOUT, {"id_token_hint": here["id_token"]})
    assert browsers_of(svc) == []
    assert not alive(app, here)
    assert not alive(other, there)


def test_a_login_form_that_was_sent_twice_leaves_no_session_behind(svc: Services, browser: Browser, app: App) -> None:
    """The second press brings the cookie of before the first."""
    app.tokens(browser, scope=ONLINE)
    page, cookies = browser.authorize(app, prompt="login"), dict(browser.cookies)
    for _ in range(2):
        browser.cookies = dict(cookies)
        browser.submit(page, LOGIN, email=EMAIL, password=PASSWORD)
    assert len(browsers_of(svc)) == 1
    assert "code" in silently(browser, app)


def test_a_logout_during_a_login_again_stays_a_logout_and_the_login_begins_a_new_session(
    svc: Services, browser: Browser, app: App
) -> None:
    here = app.tokens(browser, scope=ONLINE)
    (first,) = browsers_of(svc)
    page = browser.authorize(app, prompt="login")
    leaving = Browser(browser.phone)
    leaving.cookies = dict(browser.cookies)

    def leave() -> None:
        leaving.get(LOGOUT, {"id_token_hint": here["id_token"]})

    with before_write(svc.users._client, 2, leave):
        browser.submit(page, LOGIN, email=EMAIL, password=PASSWORD)
    (second,) = browsers_of(svc)
    assert second.session_id != first.session_id
    assert not alive(app, here)
    assert "code" in silently(browser, app)


def test_a_login_after_all_sessions_were_ended_elsewhere_begins_a_new_one(
    phone: Phone, browser: Browser, app: App
) -> None:
    app.tokens(browser, scope=ONLINE)
    assert phone.call("DELETE /me/sessions", token=phone.log_in()["access_token"]).status == 204
    assert silently(browser, app)["error"] == "login_required"
    app.tokens(browser, scope=ONLINE)
    assert "code" in silently(browser, app)


def sweep(svc: Services) -> None:
    """The table's time to live: items go when their time is over, soon or late."""
    for uid in {svc.users.find(email) for email in (EMAIL, BOB)} - {None}:
        for each in svc.sessions.of_user(str(uid)):
            if each.expires_at <= svc.now():
                key = {"pk": {"S": f"user#{uid}"}, "sk": {"S": f"grant#{each.session_id}"}}
                svc.users._client.call("DeleteItem", TableName=svc.settings.grants_table, Key=key)


@pytest.mark.parametrize("swept", [False, True])
@pytest.mark.parametrize("email", [EMAIL, BOB])
def test_what_began_in_a_browser_ends_there_though_the_browsers_own_session_had_run_out_meanwhile(
    svc: Services, browser: Browser, app: App, other: App, clock: Clock, internet: Internet, email: str, swept: bool
) -> None:
    browser.phone.sign_up(BOB)
    tokens, old = app.tokens(browser, scope="notes:read"), browser.cookies[SESSION]
    for _ in range(4):
        clock.advance(10 * 24 * 3600)
        tokens = app.refresh(tokens["refresh_token"]).json()
    if swept:
        sweep(svc)
    assert silently(browser, app)["error"] == "login_required"
    other.tokens(browser, email=email, scope=ONLINE)
    assert alive(app, tokens) == (email == EMAIL)  # another user's login ends it by itself
    new, browser.cookies[SESSION] = browser.cookies[SESSION], old
    assert silently(browser, app)["error"] == "login_required"
    browser.cookies[SESSION] = new
    browser.submit(browser.get(LOGOUT), "/oauth/logout/confirm")
    assert not alive(app, tokens)
    assert clients_notified(internet) == ["POST /one", "POST /two"]


def test_a_cookie_that_was_replaced_logs_nobody_out_when_somebody_else_logs_in_with_it(
    browser: Browser, app: App, phone: Phone
) -> None:
    browser.log_in(app)
    replaced = browser.cookies[SESSION]
    log_in_again(browser, app)
    phone.sign_up(BOB)
    thief = Browser(phone)
    page = thief.authorize(app)
    thief.cookies[SESSION] = replaced
    callback_params(thief.submit(page, LOGIN, email=BOB, password=PASSWORD))
    assert "code" in silently(browser, app)
