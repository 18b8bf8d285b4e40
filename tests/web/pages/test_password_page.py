"""The page of an account's password: for who has just logged in with all factors, and what a new one ends."""

from dataclasses import replace
from html import unescape

import pytest

from chalicelib.services import Services
from local.gateway import Answer
from tests.support import counter, wire
from tests.support.browser import FORM_TYPE, Browser, encoded, forms
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed

PAGE, LOGIN, PROOF = "/account/password", "/authorize/login", "/authorize/proof"
NEW = "an entirely other phrase 7"


@pytest.fixture
def access(phone: Phone) -> str:
    return str(phone.sign_up()["access_token"])


@pytest.fixture
def ann(phone: Phone, access: str) -> Browser:  # noqa: ARG001 - the account is there first
    browser = Browser(phone)
    log_in(browser)
    return browser


def log_in(browser: Browser, password: str = PASSWORD) -> Answer:
    return browser.submit(browser.get(LOGIN), LOGIN, email=EMAIL, password=password)


def choose(browser: Browser, password: str = NEW) -> Answer:
    return browser.submit(browser.get(PAGE), PAGE, password=password)


def asks_for_login(page: Answer) -> bool:
    return LOGIN in forms(page) and PAGE not in forms(page)


def status(phone: Phone, password: str) -> int:
    return phone.call("POST /login", {"email": EMAIL, "password": password}).status


def test_a_new_password_logs_in_the_old_one_does_not_and_only_this_browser_stays(
    ann: Browser, phone: Phone, access: str
) -> None:
    other = Browser(phone)
    log_in(other)
    page = choose(ann)
    assert b"Your new password is saved." in page.body
    assert (status(phone, NEW), status(phone, PASSWORD)) == (200, 401)
    assert phone.call("GET /me", token=access).status == 401
    assert asks_for_login(other.get(PAGE))
    assert not asks_for_login(ann.get(PAGE))


def test_whoever_logged_in_minutes_ago_does_so_once_more(
    ann: Browser, phone: Phone, svc: Services, clock: Clock
) -> None:
    page = ann.get(PAGE)
    clock.advance(svc.settings.fresh_login_seconds + 1)
    assert asks_for_login(ann.get(PAGE))
    assert asks_for_login(ann.submit(page, PAGE, password=NEW))
    assert status(phone, NEW) == 401


def test_a_password_alone_changes_no_password_of_an_account_that_has_more(ann: Browser, svc: Services) -> None:
    page = ann.get(PAGE)
    with counter.installed():
        counter.enrol(svc, svc.users.find(EMAIL) or "")
        before = svc.users.read(svc.users.find(EMAIL) or "")
        for each in (ann.get(PAGE), ann.submit(page, PAGE, password=NEW)):
            assert (PROOF in forms(each), PAGE in forms(each)) == (True, False)
        assert svc.users.read(svc.users.find(EMAIL) or "") == before
        ann.submit(ann.get(PAGE), PROOF, answer=counter.code(svc.users.find(EMAIL) or "", 1))
        assert b"Your new password is saved." in choose(ann).body


def test_an_account_without_a_password_gets_its_first(ann: Browser, phone: Phone, svc: Services) -> None:
    user = svc.users.read(svc.users.find(EMAIL) or "")
    assert user
    svc.users.rehash(user, password_hash="")
    page = ann.get(PAGE)
    assert b"has no password yet" in page.body
    ann.submit(page, PAGE, password=NEW)
    assert status(phone, NEW) == 200


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("", "This password is too short."),
        ("short", "This password is too short."),
        ("password123", "This password is too easy to guess."),
        ("x" * 257, "This password is too long."),
    ],
)
def test_a_rule_that_is_broken_is_told_at_the_field_without_what_was_typed(
    ann: Browser, phone: Phone, password: str, message: str
) -> None:
    page = choose(ann, password)
    assert message in unescape(page.body.decode())
    assert b'aria-invalid="true"' in page.body
    assert forms(page)[PAGE].typed["password"] == ""
    assert status(phone, PASSWORD) == 200


def test_the_name_of_the_account_is_there_for_password_managers(ann: Browser) -> None:
    body = ann.get(PAGE).body.decode()
    assert 'autocomplete="username" readonly' in body
    assert 'autocomplete="new-password"' in body


def test_passwords_are_judged_only_so_often(ann: Browser, svc: Services, phone: Phone) -> None:
    few = {**svc.settings.limits, "reset_confirmation_account": (2, 3600)}
    with installed(replace(svc, settings=replace(svc.settings, limits=few))):
        for _ in range(2):
            assert b"too easy to guess" in choose(ann, "password123").body
        page = choose(ann)
        assert b"There were too many attempts." in page.body
        assert b'aria-invalid="true"' not in page.body
        assert status(phone, NEW) == 401


def test_a_change_counts_then_writes_all_at_once(ann: Browser, svc: Services) -> None:
    page = ann.get(PAGE)
    filled = encoded({**forms(page)[PAGE].hidden, "password": NEW}).encode()
    with wire.watched(svc) as traffic:
        ann._call("POST", PAGE, filled, [("Content-Type", FORM_TYPE)])
    assert traffic.calls == ["BatchGetItem", *["TransactWriteItems"] * 3]
