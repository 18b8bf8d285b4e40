"""A client is told that its user has logged out, however long its own tokens have been dead (Back-Channel Logout 1.0 2.5)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.oauth.client import DEVICE_CODE
from chalicelib.services import Services
from tests.support import wire
from tests.support.browser import Browser, register, token_response
from tests.support.delivery import DeliveringPhone
from tests.support.internet import Internet, Page
from tests.support.phone import EMAIL, Clock, Phone, installed

HOOK = "https://app.example/backchannel"
HOUR, DAY = 3600, 24 * 3600


@pytest.fixture
def internet(internet: Internet) -> Internet:
    internet.pages[HOOK] = Page()
    return internet


@pytest.fixture
def phone(svc: Services, clock: Clock) -> Iterator[DeliveringPhone]:
    with installed(svc):
        yield DeliveringPhone(clock)


@pytest.fixture
def svc(svc: Services, internet: Internet) -> Services:
    return replace(svc, fetch=internet.fetch())


def swept(svc: Services) -> None:
    """What the table does by itself to items that have expired."""
    table = svc.settings.grants_table
    for item in wire.clients(svc)[0].call("Scan", TableName=table)["Items"]:
        if int(item["expires_at"]["N"]) <= svc.now():
            wire.clients(svc)[0].call("DeleteItem", TableName=table, Key={name: item[name] for name in ("pk", "sk")})


def leave(browser: Browser) -> None:
    browser.submit(browser.get("/oauth/logout"), "/oauth/logout/confirm")


@pytest.mark.parametrize("kind", [{"grant_types": ("authorization_code",)}, {"refresh_idle_seconds": 600}])
def test_who_logged_in_once_is_told_weeks_later(
    browser: Browser, svc: Services, phone: Phone, clock: Clock, internet: Internet, kind: dict[str, Any]
) -> None:
    app = register(svc, phone, backchannel_logout_uri=HOOK, **kind)
    for _ in range(2):
        app.tokens(browser, scope="openid email")
    elsewhere = register(svc, phone, backchannel_logout_uri=f"{HOOK}?elsewhere")
    elsewhere.tokens(Browser(phone), scope="openid")
    clock.advance(29 * DAY)
    swept(svc)
    leave(browser)
    assert [request.line for request in internet.requests] == ["POST /backchannel"]
    leave_again = Browser(phone)
    leave_again.cookies = dict(browser.cookies)
    leave_again.get("/oauth/logout")
    assert len(internet.requests) == 1


@pytest.mark.parametrize("seconds", [0, HOUR])
def test_so_is_a_device_that_was_approved_in_the_browser_and_once(
    browser: Browser, svc: Services, phone: Phone, clock: Clock, internet: Internet, seconds: int
) -> None:
    tv = register(svc, phone, "television", backchannel_logout_uri=HOOK)
    codes = tv.post("/oauth/device", {"scope": "openid"}).json()
    register(svc, phone).tokens(browser)
    page = browser.submit(browser.get("/device"), "/device", user_code=codes["user_code"])
    browser.submit(page, "/device", decision="allow")
    token_response(tv.token(DEVICE_CODE, device_code=codes["device_code"]))
    clock.advance(seconds)
    swept(svc)
    leave(browser)
    assert [request.line for request in internet.requests] == ["POST /backchannel"]


def test_the_list_of_sessions_shows_none_whose_tokens_have_expired(
    browser: Browser, svc: Services, phone: Phone, clock: Clock
) -> None:
    app = register(svc, phone, backchannel_logout_uri=HOOK)
    app.tokens(browser, scope="openid")
    clock.advance(HOUR)
    sessions = phone.call("GET /me/sessions", token=phone.log_in()["access_token"]).json()["sessions"]
    assert app.client.client_name not in [session.get("device") for session in sessions]


def test_a_login_costs_one_call_more_for_a_client_that_wants_to_be_told_and_for_no_other(
    browser: Browser, svc: Services, phone: DeliveringPhone
) -> None:
    phone.delivers = False
    for hook, calls in ((HOOK, 4), ("", 3)):
        app = register(svc, phone, backchannel_logout_uri=hook)
        code = browser.code(app)
        with wire.watched(svc) as traffic:
            token_response(app.redeem(code))
        assert len(traffic.calls) == calls


def test_a_code_that_outlives_its_browsers_session_is_redeemed_all_the_same(
    browser: Browser, svc: Services, phone: Phone
) -> None:
    app = register(svc, phone, backchannel_logout_uri=HOOK)
    code = browser.code(app)
    uid = svc.users.find(EMAIL) or ""
    (browser_session,) = [g for g in svc.sessions.of_user(uid) if g.client_id == "browser"]
    key = {"pk": {"S": f"user#{uid}"}, "sk": {"S": f"grant#{browser_session.session_id}"}}
    wire.clients(svc)[0].call("DeleteItem", TableName=svc.settings.grants_table, Key=key)
    token_response(app.redeem(code))
    assert browser_session.session_id not in [g.session_id for g in svc.sessions.of_user(uid)]
