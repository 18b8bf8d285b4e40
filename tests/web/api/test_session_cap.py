"""How many sessions an account has at once, where a deployment says so: the one that is unused the longest ends."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chalicelib.services import Services
from tests.support.browser import Browser, register
from tests.support.delivery import DeliveringPhone, deliver, waiting
from tests.support.phone import Clock, Phone, installed, refusal
from tests.support.wire import watched

CAP = 3


@pytest.fixture
def svc(svc: Services) -> Services:
    return replace(svc, settings=replace(svc.settings, sessions_per_account=CAP))


@pytest.fixture
def phone(svc: Services, clock: Clock) -> Iterator[DeliveringPhone]:
    with installed(svc):
        yield DeliveringPhone(clock)


def is_live(phone: Phone, refresh_token: str) -> bool:
    answer = phone.call("POST /refresh", {"refresh_token": refresh_token})
    return answer.status == 200 or refusal(answer) != (401, "invalid_grant")


def test_the_session_that_is_unused_the_longest_ends_for_a_new_one(phone: DeliveringPhone, clock: Clock) -> None:
    first = phone.sign_up()["refresh_token"]
    second, third = [phone.log_in()["refresh_token"] for _ in range(2)]
    clock.advance(60)
    first = phone.refresh(first)["refresh_token"]
    clock.advance(60)
    third = phone.refresh(third)["refresh_token"]
    clock.advance(60)
    fourth = phone.log_in()["refresh_token"]
    assert [is_live(phone, each) for each in (first, second, third, fourth)] == [True, False, True, True]


def test_who_is_logged_out_for_a_new_session_can_see_why(phone: DeliveringPhone, clock: Clock) -> None:
    phone.sign_up()
    for _ in range(CAP):
        clock.advance(1)
        tokens = phone.log_in()
    events = phone.call("GET /me/activity", token=tokens["access_token"]).json()["events"]
    (ended,) = [each for each in events if each["type"] == "session_ended"]
    assert (ended["reason"], ended["by"], ended["network"]) == ("too many sessions", "server", "")


def test_logins_at_once_leave_no_more_and_no_fewer(phone: DeliveringPhone) -> None:
    first = phone.sign_up()["refresh_token"]
    phone.delivers = False
    with ThreadPoolExecutor(8) as pool:
        tokens = [first, *pool.map(lambda _: phone.log_in()["refresh_token"], range(8))]
    deliver()
    assert [is_live(phone, each) for each in tokens].count(True) == CAP


def test_what_began_in_a_browser_is_part_of_its_session_and_ends_with_it(
    phone: DeliveringPhone, svc: Services, clock: Clock
) -> None:
    phone.sign_up()
    browser, apps = Browser(phone), [register(svc, phone) for _ in range(CAP + 1)]
    tokens = [app.tokens(browser)["refresh_token"] for app in apps]
    assert all(app.refresh(token).status == 200 for app, token in zip(apps, tokens, strict=True))
    for _ in range(CAP):
        clock.advance(60)
        phone.log_in()
    assert b"/oauth/logout" not in browser.get("/").body


def test_without_a_cap_there_are_as_many_as_one_likes(phone: DeliveringPhone, svc: Services) -> None:
    with installed(replace(svc, settings=replace(svc.settings, sessions_per_account=0))):
        tokens = [phone.sign_up()["refresh_token"], *(phone.log_in()["refresh_token"] for _ in range(CAP + 2))]
        assert waiting() == []
        assert all(is_live(phone, each) for each in tokens)


def test_no_login_waits_for_it(phone: DeliveringPhone, svc: Services) -> None:
    phone.sign_up()
    phone.delivers = False
    with watched(svc) as traffic:
        phone.log_in()
    assert traffic.calls == ["TransactWriteItems", "GetItem", "GetItem", "TransactWriteItems"]
    assert [item.kind for item in waiting()] == ["session cap"]
