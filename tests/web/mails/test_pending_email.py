"""A change of address that waits to be confirmed: its owner sees it, and takes it back, and then nothing confirms it."""

from typing import Any

from chalicelib.services import Services
from local.gateway import Answer
from tests.support import email_change
from tests.support.browser import Browser, forms
from tests.support.delivery import DeliveringPhone, deliver
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, refusal
from tests.support.ses import Ses
from tests.support.staged import just_before

NEW, THIRD = "ann@new.example", "ann@third.example"
PAGE, CHANGE, LOGIN = "/account/email", "/account/change-email", "/authorize/login"
TAKE_BACK = "DELETE /me/email"


def ask(phone: Phone, access: str, email: str = NEW) -> str:
    """What an app confirms the code with."""
    answer = phone.call("POST /me/email", {"email": email, "password": PASSWORD}, token=access)
    assert answer.status == 202, answer.body
    return str(answer.json()["token"])


def me(phone: Phone, access: str) -> dict[str, Any]:
    profile: dict[str, Any] = phone.call("GET /me", token=access).json()
    return profile


def pending(phone: Phone, access: str) -> str:
    return str(me(phone, access).get("pending_email", ""))


def link_says(phone: Phone, link: str) -> bytes:
    browser = Browser(phone)
    page = browser.follow_mail(link)
    return browser.submit(page, CHANGE).body if CHANGE in forms(page) else page.body


def confirm(phone: Phone, access: str, token: str, code: str) -> Answer:
    return phone.call("POST /me/email/confirm", {"token": token, "code": code}, token=access)


def test_what_waits_is_shown_until_it_is_confirmed(phone: DeliveringPhone, mailbox: Ses) -> None:
    access = phone.sign_up()["access_token"]
    assert pending(phone, access) == ""
    ask(phone, access)
    assert (me(phone, access)["email"], pending(phone, access)) == (EMAIL, NEW)
    assert b"Your address is changed" in link_says(phone, mailbox.mails[-1].link)
    assert (me(phone, access)["email"], pending(phone, access)) == (NEW, "")
    assert refusal(phone.call(TAKE_BACK, token=access)) == (404, "not_found")


def test_what_can_be_confirmed_no_more_is_not_shown(phone: DeliveringPhone, clock: Clock) -> None:
    access = phone.sign_up()["access_token"]
    ask(phone, access)
    clock.advance(3600)
    access = phone.log_in()["access_token"]
    assert pending(phone, access) == ""
    ask(phone, access)
    new = {"current_password": PASSWORD, "new_password": "an entirely other phrase 7"}
    assert phone.call("POST /me/password", new, token=access).status == 204
    assert pending(phone, access) == ""


def test_taken_back_neither_link_nor_code_changes_anything(phone: DeliveringPhone, mailbox: Ses) -> None:
    access = phone.sign_up()["access_token"]
    token = ask(phone, access)
    mail = mailbox.mails[-1]
    assert phone.call(TAKE_BACK, token=access).status == 204
    assert pending(phone, access) == ""
    assert refusal(confirm(phone, access, token, mail.code)) == (404, "not_found")
    assert b"does not work any more" in link_says(phone, mail.link)
    assert me(phone, access)["email"] == EMAIL
    assert refusal(phone.call(TAKE_BACK, token=access)) == (404, "not_found")
    assert phone.call("POST /signup", {"email": NEW, "password": PASSWORD}).status == 201


def test_what_was_taken_back_before_its_mail_went_out_is_not_mailed(phone: DeliveringPhone, mailbox: Ses) -> None:
    access = phone.sign_up()["access_token"]
    phone.delivers = False
    ask(phone, access)
    phone.call(TAKE_BACK, token=access)
    deliver()
    assert NEW not in [mail.to for mail in mailbox.mails]


def test_the_latest_request_is_the_one_that_waits(phone: DeliveringPhone, mailbox: Ses) -> None:
    """An address with a slip in it is a stranger's, who must not get the account for an hour."""
    access = phone.sign_up()["access_token"]
    slip = ask(phone, access), mailbox.mails[-1]
    ask(phone, access, THIRD)
    assert pending(phone, access) == THIRD
    assert refusal(confirm(phone, access, slip[0], slip[1].code)) == (404, "not_found")
    assert b"does not work any more" in link_says(phone, slip[1].link)
    assert b"Your address is changed" in link_says(phone, mailbox.mails[-1].link)
    assert me(phone, access)["email"] == THIRD


def test_who_takes_it_back_just_before_it_is_confirmed_keeps_the_address(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, clock: Clock
) -> None:
    access, rival = phone.sign_up()["access_token"], Phone(clock)
    token, code = ask(phone, access), mailbox.mails[-1].code
    # The account was read by then, with the address that waits.
    with just_before(svc.users._client, "TransactWriteItems", lambda: rival.call(TAKE_BACK, token=access)):
        assert refusal(confirm(phone, access, token, code)) == (404, "not_found")
    assert me(phone, access)["email"] == EMAIL


def test_who_takes_it_back_just_after_it_is_confirmed_is_told_that_nothing_waits(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, clock: Clock
) -> None:
    access, rival = phone.sign_up()["access_token"], Phone(clock)
    token, code = ask(phone, access), mailbox.mails[-1].code
    with just_before(svc.users._client, "TransactWriteItems", lambda: confirm(rival, access, token, code)):
        assert refusal(phone.call(TAKE_BACK, token=access)) == (404, "not_found")
    assert me(phone, access)["email"] == NEW


def test_what_was_mailed_before_accounts_kept_what_waits_is_good_still(phone: DeliveringPhone, svc: Services) -> None:
    access = phone.sign_up()["access_token"]
    user = svc.users.read(svc.users.find(EMAIL) or "")
    assert user
    token, code = email_change.change_token(svc, user)
    assert confirm(phone, access, token, code).status == 204


def test_nobody_else_sees_it_or_takes_it_back(phone: DeliveringPhone) -> None:
    access, bobs = (phone.sign_up(each)["access_token"] for each in (EMAIL, "bob@example.com"))
    ask(phone, access)
    assert pending(phone, bobs) == ""
    assert refusal(phone.call(TAKE_BACK, token=bobs)) == (404, "not_found")
    narrow = phone.log_in(scope="notes:read")["access_token"]
    assert [phone.call(TAKE_BACK, token=each).status for each in (None, narrow)] == [401, 403]
    assert pending(phone, access) == NEW


def test_a_person_sees_it_on_their_page_and_takes_it_back_there(phone: DeliveringPhone, mailbox: Ses) -> None:
    access, browser = phone.sign_up()["access_token"], Browser(phone)
    browser.submit(browser.get(LOGIN), LOGIN, email=EMAIL, password=PASSWORD)
    page = browser.submit(browser.get(PAGE), PAGE, email=NEW)
    assert page.body.count(NEW.encode()) == 1
    link = mailbox.mails[-1].link
    page = browser.get(PAGE)
    assert f"You have asked to change it to <b><bdi>{NEW}</bdi></b>." in page.body.decode()
    old, page = page, browser.submit(page, PAGE, withdraw="yes")
    assert b"Cancelled." in page.body
    assert NEW.encode() not in page.body
    assert b"does not work any more" in link_says(phone, link)
    again = browser.submit(old, PAGE, withdraw="yes")  # from another tab
    assert (again.status, NEW.encode() in again.body) == (200, False)
    assert me(phone, access)["email"] == EMAIL
