"""The page of sessions in the wrong hands, out of date, and as its user reads it."""

import re
from collections import Counter
from dataclasses import replace
from html import unescape
from urllib.parse import quote

import pytest

from chalicelib.services import Services
from chalicelib.web.pages import html
from local.gateway import Answer
from tests.support import account_pages
from tests.support.browser import ISSUER, Browser, forms, register
from tests.support.delivery import deliver
from tests.support.internet import Internet, Page
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone
from tests.support.remembered import remember
from tests.support.staged import before_write, just_before
from tests.support.wire import watched

PATH = "/account/sessions"
MAX_BYTES = 30_000  # of a page
EVE = "eve@example.com"
HOUR, DAY = 3600, 24 * 3600


@pytest.fixture
def svc(svc: Services, internet: Internet) -> Services:
    """With an internet in which clients can be told of a logout."""
    return replace(svc, fetch=internet.fetch())


def log_in(browser: Browser, email: str = EMAIL) -> Browser:
    page = browser.submit(browser.get(PATH), "/authorize/login", email=email, password=PASSWORD)
    assert email in page.body.decode()
    return browser


@pytest.fixture
def ann(browser: Browser) -> Browser:
    return log_in(browser)


def text(page: Answer) -> str:
    assert page.status == 200, page
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page.body.decode())).split())


def names(page: Answer) -> list[str]:
    return [unescape(each) for each in re.findall(r"<h2>.*?<bdi>(.*?)</bdi></h2>", page.body.decode(), re.DOTALL)]


def ids(page: Answer) -> list[str]:
    """The sessions that can be ended."""
    return [value for name, value in forms(page)[PATH].buttons if name == "session"] if PATH in forms(page) else []


def refreshes(phone: Phone, session: dict[str, str]) -> bool:
    return phone.call("POST /refresh", {"refresh_token": session["refresh_token"]}).status == 200


def test_the_list_says_what_is_logged_in_and_when_it_was_last_used(ann: Browser, phone: Phone, clock: Clock) -> None:
    phone.log_in(device="Ann\u2019s phone")
    clock.advance(2 * HOUR)
    log_in(Browser(phone))
    phone.log_in()
    clock.advance(5 * 60)
    page = ann.get(PATH)
    assert names(page)[0] == "This browser"
    assert sorted(names(page)[1:3]) == ["An application", "Another browser"]
    assert (
        "Ann\u2019s phone Last used two hours ago · 15 January 2027, 08:00 UTC "
        "Logged in two hours ago · 15 January 2027, 08:00 UTC" in text(page)
    )
    assert "Another browser Last used 5 minutes ago · 15 January 2027, 10:00 UTC" in text(page)
    assert b'<time datetime="2027-01-15T08:00Z">two hours ago&nbsp;' in page.body


def test_one_session_is_ended_and_the_others_are_not(ann: Browser, phone: Phone) -> None:
    phone_one, phone_two = phone.log_in(device="one"), phone.log_in(device="two")
    page = ann.get(PATH)
    by_name = dict(zip(names(page)[1:], ids(page), strict=True))
    done = ann.submit(page, PATH, session=by_name["one"])
    assert "Logged out." in text(done)
    assert "one" not in names(done)
    assert not refreshes(phone, phone_one)
    assert refreshes(phone, phone_two)
    assert "Logged out." not in text(ann.get(PATH))


def test_all_others_are_ended_and_this_browser_is_not(ann: Browser, phone: Phone) -> None:
    other, session = log_in(Browser(phone)), phone.log_in()
    done = ann.submit(ann.get(PATH), PATH, others="end")
    assert names(done) == ["This browser"]
    assert "You are logged out everywhere else." in text(done)
    assert "You are not logged in anywhere else." in text(done)
    assert not refreshes(phone, session)
    assert "/authorize/login" in forms(other.get(PATH))


def test_another_browsers_session_ends_with_what_began_in_it_and_its_clients_are_told(
    ann: Browser, svc: Services, phone: Phone, internet: Internet
) -> None:
    internet.pages["https://app.example/logout"] = Page()
    client = register(svc, phone, backchannel_logout_uri="https://app.example/logout")
    other = Browser(phone)
    tokens = client.tokens(other, scope="openid notes:read")
    page = ann.get(PATH)
    browsers = dict(zip(names(page)[1:], ids(page), strict=True))
    ann.submit(page, PATH, session=browsers["Another browser"])
    assert "/authorize/login" in forms(other.get(PATH))
    assert sorted(names(ann.get(PATH))) == ["An application", "This browser"]  # the one that signed up
    assert phone.call("POST /verify", {"token": tokens["access_token"]}).json() == {"active": False}
    deliver()
    assert [request.line for request in internet.requests] == ["POST /logout"]


def test_a_session_of_somebody_else_is_none_of_this_users_and_goes_on(ann: Browser, phone: Phone) -> None:
    phone.sign_up(EVE)
    eve = log_in(Browser(phone), EVE)
    eves_phone = phone.log_in(EVE)
    anns_phone = phone.log_in()
    sessions = phone.call("GET /me/sessions", token=eves_phone["access_token"]).json()["sessions"]
    assert len(sessions) == 3
    page = ann.get(PATH)
    for session in sessions:
        assert session["id"] not in page.body.decode()
        assert "was logged out already" in text(ann.submit(page, PATH, session=session["id"]))
    assert refreshes(phone, eves_phone)
    assert EVE in text(eve.get(PATH))
    assert refreshes(phone, anns_phone)


@pytest.mark.parametrize("session", ["", "x", "#", "user#1/grant#2", "é" * 200, "\x00", "0" * 32], ids=ascii)
def test_what_is_no_session_has_ended_already(ann: Browser, phone: Phone, session: str) -> None:
    kept = phone.log_in()
    assert "was logged out already" in text(ann.submit(ann.get(PATH), PATH, session=session))
    assert refreshes(phone, kept)


def test_a_stale_list_and_a_button_pressed_twice_say_that_it_had_ended(ann: Browser, phone: Phone) -> None:
    session = phone.log_in(device="one")
    page = ann.get(PATH)
    session_id = ids(page)[names(page).index("one") - 1]
    phone.call("POST /logout", {"refresh_token": session["refresh_token"]})
    for _ in range(2):
        assert "was logged out already" in text(ann.submit(page, PATH, session=session_id))
    for _ in range(2):
        assert "You are logged out everywhere else." in text(ann.submit(page, PATH, others="end"))


def test_this_browsers_own_session_is_ended_by_logging_out(ann: Browser, phone: Phone) -> None:
    phone.log_in()
    browsers = phone.call("GET /me/sessions", token=phone.log_in()["access_token"]).json()["sessions"]
    (own,) = [each["id"] for each in browsers if each["client_id"] == "browser"]
    page = ann.get(PATH)
    assert own not in ids(page)
    question = ann.submit(page, PATH, session=own)
    assert "You are logged out" in text(ann.submit(question, "/oauth/logout/confirm"))
    assert "/authorize/login" in forms(ann.get(PATH))


def test_who_logs_out_everywhere_else_while_the_account_changes_ends_nothing_unseen(
    ann: Browser, svc: Services, phone: Phone
) -> None:
    page, kept = ann.get(PATH), phone.log_in()

    def end_all() -> None:
        assert phone.call("DELETE /me/sessions", token=kept["access_token"]).status == 204

    with before_write(svc.users._client, 1, end_all):
        answer = ann.submit(page, PATH, others="end")
    assert answer.status in (200, 503)
    assert refreshes(phone, kept)
    assert "/authorize/login" in forms(ann.get(PATH))


@pytest.mark.parametrize("others", [0, 1])
def test_a_browser_whose_session_ends_while_the_list_is_made_is_not_given_for_another(
    ann: Browser, svc: Services, phone: Phone, others: int
) -> None:
    for _ in range(others):
        phone.log_in(device="another")
    (own,) = [each for each in svc.sessions.of_user(svc.users.find(EMAIL) or "") if each.client_id == "browser"]
    listed = ids(ann.get(PATH))
    with just_before(svc.users._client, "Query", lambda: svc.sessions.end(own.uid, own.session_id, why="logout")):
        page = ann.get(PATH)
    assert (page.status, ids(page)) == (200, listed)
    assert "/authorize/login" in forms(ann.get(PATH))


def test_what_happened_is_said_to_this_browser_alone_and_for_minutes(ann: Browser, phone: Phone, clock: Clock) -> None:
    phone.log_in()
    fields = {**forms(ann.get(PATH))[PATH].hidden, "others": "end"}
    headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", ISSUER)]
    answer = ann._call("POST", PATH, "&".join(f"{n}={v}" for n, v in fields.items()).encode(), headers)
    onward = (answer.header("Location") or "").removeprefix(ISSUER)
    other = log_in(Browser(phone))
    assert "logged out everywhere" not in text(other.get(onward))
    assert "logged out everywhere" in text(ann.get(onward))
    clock.advance(301)
    assert "logged out everywhere" not in text(ann.get(onward))


def test_a_name_that_a_device_gives_itself_is_text(ann: Browser, phone: Phone) -> None:
    name = '"><script>alert(1)</script>\u202e&amp; ' + "w" * 60
    phone.log_in(device=name)
    page = ann.get(PATH)
    assert name in names(page)[1:]
    assert b"<script>alert" not in page.body
    assert page.body.count(b"<script") == 1  # the one of all pages


def test_the_list_is_two_reads_and_the_end_of_all_others_one_write(ann: Browser, svc: Services, phone: Phone) -> None:
    for _ in range(3):
        phone.log_in()
    with watched(svc) as traffic:
        page = ann.get(PATH)
        assert traffic.calls == ["BatchGetItem", "Query"]
        traffic.calls.clear()
        ann.submit(page, PATH, others="end")
    assert traffic.calls == ["BatchGetItem", "TransactWriteItems", "BatchGetItem", "Query"]


def test_forty_sessions_are_all_listed_and_can_each_be_ended(ann: Browser, phone: Phone) -> None:
    for number in range(38):
        phone.log_in(device=f"device {number}")
    page, last = ann.get(PATH), ann.get(f"{PATH}?from=20")
    assert [len(names(each)) - 1 for each in (page, last)] == [len(ids(each)) for each in (page, last)] == [20, 19]
    ann.submit(last, PATH, session=ids(last)[-1])
    assert len(ids(ann.get(f"{PATH}?from=20"))) == 18


def test_who_is_logged_in_finds_the_page_at_the_root_in_the_same_language(ann: Browser) -> None:
    page = ann.get("/", {"ui_locales": "ar"})
    for path in ("/account", "/account/sessions"):
        (link,) = re.findall(rf'href="([^"]+{path}(?:\?[^"]*)?)"', page.body.decode())
        page = ann.get(unescape(link).removeprefix(ISSUER))
    assert b'lang="ar" dir="rtl"' in page.body
    assert names(page)[0] == "هذا المتصفح"


@pytest.mark.parametrize(
    ("seconds", "english", "arabic"),
    [
        (-5, "just now", "الآن"),
        (59, "just now", "الآن"),
        (60, "one minute ago", "قبل دقيقة واحدة"),
        (2 * HOUR, "two hours ago", "قبل ساعتين"),
        (3 * DAY, "3 days ago", "قبل 3 أيام"),
        (11 * DAY, "11 days ago", "قبل 11 يومًا"),
        (29 * DAY, "29 days ago", "قبل 29 يومًا"),
        (30 * DAY, "one month ago", "قبل شهر واحد"),
        (364 * DAY, "12 months ago", "قبل 12 شهرًا"),
    ],
)
def test_how_long_ago_is_said_in_the_largest_unit_and_as_each_language_counts(
    seconds: int, english: str, arabic: str
) -> None:
    """CLDR's plural rules."""
    assert html.ago(html.messages("en"), seconds) == english
    assert html.ago(html.messages("ar"), seconds) == arabic


@pytest.mark.parametrize(
    ("at", "english", "arabic", "utc"),
    [
        (0, "1 January 1970, 00:00 UTC", "1 يناير 1970، 00:00 بتوقيت غرينتش", "1970-01-01T00:00Z"),
        (
            1_709_251_199,
            "29 February 2024, 23:59 UTC",
            "29 فبراير 2024، 23:59 بتوقيت غرينتش",
            "2024-02-29T23:59Z",
        ),
        (1_798_761_599, "31 December 2026, 23:59 UTC", "31 ديسمبر 2026، 23:59 بتوقيت غرينتش", "2026-12-31T23:59Z"),
    ],
)
def test_a_moment_has_its_date_in_each_language_and_for_programs(at: int, english: str, arabic: str, utc: str) -> None:
    moments = {tag: html.moment(html.messages(tag), at + 3 * DAY, at) for tag in ("en", "ar")}
    assert moments["en"] == ("3 days ago", english, utc)
    assert moments["ar"] == ("قبل 3 أيام", arabic, utc)


def buttons_of(page: Answer) -> list[tuple[str, str]]:
    """What can be pressed to end a session, or to forget a device, in whichever form."""
    return re.findall(r'<button [^>]*name="(session|device)" value="([^"]*)"', page.body.decode())


def test_somebody_who_is_logged_in_everywhere_reads_a_list_in_parts(
    ann: Browser, phone: Phone, svc: Services, clock: Clock
) -> None:
    for number in range(50):
        phone.log_in(device=f"{number} ".ljust(100, "x"))
    clock.advance(60)
    account_pages.recovery_codes(svc, EMAIL)
    remember(svc, svc.users.find(EMAIL) or "")
    buttons: list[tuple[str, str]] = []
    path = PATH
    while path:
        page = ann.get(path)
        assert len(page.body) < MAX_BYTES
        buttons += buttons_of(page)
        links = re.findall(r'href="([^"]*)"', unescape(page.body.decode()))
        path = next((each.removeprefix(ISSUER) for each in links if "from=" in each), "")
    assert len(buttons) == len(set(buttons))
    # With the sign-up's own.
    assert Counter(name for name, _ in buttons) == {"session": 51, "device": 1}
    assert b"Log out everywhere else" in page.body


@pytest.mark.parametrize("number", ["-1", "x", "\u0663", "9" * 7, "99999", ""])
def test_a_part_of_the_list_that_is_none_is_the_first(ann: Browser, number: str) -> None:
    assert len(ids(ann.get(f"{PATH}?from={quote(number)}"))) == 1
