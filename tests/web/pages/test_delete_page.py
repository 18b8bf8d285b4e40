"""The page that ends an account: what it says, what its button does, and what other tabs and devices make of it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chalicelib.services import Services
from local.gateway import Answer
from tests.support import code_app
from tests.support.account_pages import allowed_app
from tests.support.browser import FORM_TYPE, ISSUER, Browser, encoded, forms
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed

PAGE, EXPORT, LOGIN, PROOF = "/account/delete", "/account/export", "/authorize/login", "/authorize/proof"
DAY = 24 * 3600


@pytest.fixture
def later(svc: Services) -> Iterator[Services]:
    """Services of a deployment that gives its users two weeks to think again."""
    services = replace(svc, settings=replace(svc.settings, deletion_seconds=14 * DAY))
    with installed(services):
        yield services


@pytest.fixture
def ann(phone: Phone) -> Browser:
    phone.sign_up()
    browser = Browser(phone)
    log_in(browser)
    return browser


def log_in(browser: Browser, email: str = EMAIL) -> Answer:
    return browser.submit(browser.get(LOGIN), LOGIN, email=email, password=PASSWORD)


def press(browser: Browser, page: Answer | None = None) -> Answer:
    return browser.submit(page or browser.get(PAGE), PAGE, decision="delete")


def asks_for_login(page: Answer) -> bool:
    return LOGIN in forms(page) and PAGE not in forms(page)


def test_two_presses_and_the_account_is_gone_and_this_browser_logged_out(
    ann: Browser, phone: Phone, svc: Services
) -> None:
    page = ann.get(PAGE).body.decode()
    button = page.index('value="delete"')
    assert page.index("<details") < page.index("<summary>") < button < page.index("</details>")
    gone = press(ann)
    assert b"Your account is deleted" in gone.body
    assert "__Host-latchkey-session" not in ann.cookies
    assert svc.users.find(EMAIL) is None
    assert asks_for_login(ann.get("/account"))
    assert phone.call("POST /login", {"email": EMAIL, "password": PASSWORD}).status == 401


def test_it_names_the_applications_that_keep_something_of_their_own(ann: Browser, svc: Services) -> None:
    assert b"Ask them" not in ann.get(PAGE).body
    allowed_app(svc, EMAIL)
    assert "Ask them if you want that erased too: <b><bdi>Garden Planner</bdi></b>" in ann.get(PAGE).body.decode()


def test_where_there_is_time_to_think_again_it_says_how_much_and_a_login_keeps_the_account(
    ann: Browser, later: Services
) -> None:
    assert b"For 14 days you can have it back" in ann.get(PAGE).body
    page = press(ann)
    assert b"In 14 days the account is erased." in page.body
    assert b'href="https://id.example/account"' in page.body
    assert later.users.find(EMAIL)
    assert EMAIL.encode() in ann.submit(ann.get("/account"), LOGIN, email=EMAIL, password=PASSWORD).body
    user = later.users.read(later.users.find(EMAIL) or "")
    assert user
    assert user.delete_after == 0


def test_whoever_logged_in_minutes_ago_does_so_once_more(ann: Browser, svc: Services, clock: Clock) -> None:
    page = ann.get(PAGE)
    clock.advance(301)
    assert asks_for_login(ann.get(PAGE))
    assert asks_for_login(press(ann, page))
    assert svc.users.find(EMAIL)
    assert PAGE in forms(ann.submit(ann.get(PAGE), LOGIN, email=EMAIL, password=PASSWORD))


def test_who_has_a_second_factor_shows_it_first(ann: Browser, phone: Phone, svc: Services, clock: Clock) -> None:
    """The browser was logged in by the password alone, before there was another factor."""
    page = ann.get(PAGE)
    code_app.enrol(phone, phone.log_in()["access_token"], clock)
    assert PROOF in forms(ann.get(PAGE))
    assert PROOF in forms(press(ann, page))
    assert svc.users.find(EMAIL)


def test_a_form_without_the_button_s_word_deletes_nothing(ann: Browser, svc: Services) -> None:
    page = ann.submit(ann.get(PAGE), PAGE)
    assert PAGE in forms(page)
    assert PAGE in forms(ann.submit(page, PAGE, decision="keep"))
    assert svc.users.find(EMAIL)


@pytest.mark.parametrize("path", [PAGE, EXPORT, "/account", "/account/password"])
def test_a_form_that_was_open_when_the_account_was_deleted_on_another_device_asks_for_a_login_that_nobody_has(
    ann: Browser, phone: Phone, path: str
) -> None:
    page = ann.get(path)
    phone.call("DELETE /me", token=phone.log_in()["access_token"])
    login = ann.post(path, {**forms(page)[path].hidden, "decision": "delete", "password": PASSWORD})
    assert (login.status, asks_for_login(login)) == (200, True)
    refused = ann.submit(login, LOGIN, email=EMAIL, password=PASSWORD)
    assert b"The e-mail address or the password is wrong." in refused.body


def test_the_same_button_in_another_tab_after_the_end_says_so_by_asking_for_a_login(ann: Browser) -> None:
    tab = ann.get(PAGE)
    press(ann)
    assert asks_for_login(press(ann, tab))


def test_a_form_of_one_account_does_nothing_to_another_that_logged_in_since(
    ann: Browser, phone: Phone, svc: Services
) -> None:
    tab = ann.get(PAGE)
    phone.sign_up("ben@example.com")
    log_in(ann, "ben@example.com")
    fields = {**forms(tab)[PAGE].hidden, "decision": "delete"}
    answer = ann._call("POST", PAGE, encoded(fields).encode(), [("Content-Type", FORM_TYPE), ("Origin", ISSUER)])
    assert (answer.header("Location") or "").startswith(f"{ISSUER}/error?")
    assert svc.users.find(EMAIL)
    assert svc.users.find("ben@example.com")


def test_who_deletes_too_often_in_a_day_reads_when_it_can_be_done_again(
    ann: Browser, phone: Phone, later: Services
) -> None:
    for _ in range(10):
        phone.call("DELETE /me", token=phone.log_in()["access_token"])
    log_in(ann)
    page = press(ann)
    assert b'role="alert"' in page.body
    user = later.users.read(later.users.find(EMAIL) or "")
    assert user
    assert user.delete_after == 0
