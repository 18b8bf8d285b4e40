"""The page of what has happened: in people's words, with what to do if it was not them."""

import re
from html import unescape

import pytest

from chalicelib.domain.accounts.events import Event
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import Browser, forms
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone

PAGE, LOGIN = "/account/activity", "/authorize/login"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def ann(browser: Browser) -> Browser:
    browser.submit(browser.get(LOGIN), LOGIN, email=EMAIL, password=PASSWORD)
    return browser


def rows(page: Answer) -> list[str]:
    (listed,) = re.findall(r'<ol class="events">(.*?)</ol>', page.body.decode(), re.DOTALL)
    texts = (re.sub(r"<[^>]+>", "", row) for row in listed.split("</li>"))
    return [" ".join(unescape(text).split()) for text in texts if text.strip()]


def add(svc: Services, *events: Event) -> None:
    uid = svc.users.find(EMAIL) or ""
    for event in events:
        svc.transactions.commit(svc.events.addition(uid, (event,), seconds=86400, now=event.at))


def test_the_latest_is_first_and_says_when_and_where(ann: Browser, phone: Phone, clock: Clock) -> None:
    clock.advance(120)
    body = {"email": EMAIL, "password": PASSWORD}
    assert phone.call("POST /login", body, headers={"User-Agent": FIREFOX}).status == 200
    clock.advance(60)
    first, second, *_ = rows(ann.get(PAGE))
    assert first == (
        "You logged in one minute ago · 15 January 2027, 08:02 UTC · Firefox on Linux · "
        f"{phone.address} This device was new to your account."
    )
    assert second.startswith("You logged in 3 minutes ago · 15 January 2027, 08:00 UTC")


def test_a_device_is_named_in_the_direction_of_the_page(ann: Browser, phone: Phone) -> None:
    assert (
        phone.call("POST /login", {"email": EMAIL, "password": PASSWORD}, headers={"User-Agent": FIREFOX}).status == 200
    )
    assert '<bdi dir="rtl">Firefox على Linux</bdi>' in ann.get(f"{PAGE}?ui_locales=ar").body.decode()


def test_the_way_out_is_said_before_the_list_that_it_is_below(ann: Browser) -> None:
    page = ann.get(PAGE).body.decode()
    assert page.index('<a href="#not-you">') < page.index('<ol class="events">') < page.index('id="not-you"')


def test_a_reason_with_words_of_its_own_is_said_and_any_other_is_not(ann: Browser, svc: Services, clock: Clock) -> None:
    clock.advance(1)
    add(svc, *(Event(id=r, type="session_ended", at=clock(), reason=r) for r in ("reuse", "<b>x</b>")))
    listed = rows(ann.get(PAGE))
    assert listed[0].startswith("A device was logged out just now")
    assert listed[1].startswith("A device was logged out, because its login may have been copied")
    assert b"<b>x" not in ann.get(PAGE).body


def test_what_this_release_does_not_know_is_left_out(ann: Browser, svc: Services, clock: Clock) -> None:
    before = rows(ann.get(PAGE))
    add(svc, Event(id="1", type="from_the_future", at=clock()))
    assert rows(ann.get(PAGE)) == before


def test_older_events_are_a_link_away_in_the_same_language(ann: Browser, svc: Services, clock: Clock) -> None:
    for number in range(30):
        clock.advance(1)
        add(svc, Event(id=str(number), type="logout", at=clock()))
    page = ann.get(PAGE, {"ui_locales": "ar"})
    assert len(rows(page)) == 25
    (older,) = (unescape(each) for each in re.findall(r'href="([^"]+before=\d+[^"]*)"', page.body.decode()))
    assert "ui_locales=ar" in older
    rest = ann.get(older.removeprefix(svc.settings.issuer))
    assert b'lang="ar"' in rest.body
    assert len(rows(rest)) == 5 + 2  # the sign-up and the login
    assert b"before=" not in rest.body.partition(b"<main")[2].partition(b"<form")[0]


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "<script>", "\u0661"])
def test_a_strange_time_is_none(ann: Browser, before: str) -> None:
    page = ann.get(PAGE, {"before": before})
    assert page.status == 200
    assert len(rows(page)) == 2
    assert b"<script>" not in page.body


def test_who_finds_what_they_have_not_done_logs_everybody_else_out(ann: Browser, phone: Phone) -> None:
    thief = phone.log_in()
    page = ann.submit(ann.get(PAGE), PAGE, others="end")
    assert b"You are logged out everywhere else." in page.body
    assert rows(page)[0].startswith("All other devices were logged out")
    assert phone.call("POST /refresh", {"refresh_token": thief["refresh_token"]}).status == 401
    assert PAGE in forms(ann.get(PAGE))
