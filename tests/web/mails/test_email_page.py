"""The page of an account's address: for who has just logged in with all factors, whatever is asked for on it and by whom."""

from dataclasses import replace

import pytest

from chalicelib.flows.accounts import mail_problems
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import wire
from tests.support.browser import Browser, forms
from tests.support.code_app import enrol
from tests.support.delivery import DeliveringPhone, deliver, waiting
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed
from tests.support.ses import Ses

PAGE, LOGIN, PROOF, CHANGE, VERIFY = (
    "/account/email",
    "/authorize/login",
    "/authorize/proof",
    "/account/change-email",
    "/account/verify-email",
)
NEW = "ann@new.example"


@pytest.fixture
def access(phone: DeliveringPhone, mailbox: Ses) -> str:
    """An account whose address is not verified yet, and its access token."""
    token = str(phone.sign_up()["access_token"])
    mailbox.mails.clear()
    return token


@pytest.fixture
def ann(phone: DeliveringPhone, access: str) -> Browser:  # noqa: ARG001 - the account is there first
    """A browser in which its owner has just logged in."""
    browser = Browser(phone)
    log_in(browser)
    return browser


def log_in(browser: Browser, email: str = EMAIL) -> Answer:
    return browser.submit(browser.get(LOGIN), LOGIN, email=email, password=PASSWORD)


def ask(browser: Browser, email: str = NEW) -> Answer:
    return browser.submit(browser.get(PAGE), PAGE, email=email)


def asks_for_login(page: Answer) -> bool:
    return LOGIN in forms(page) and PAGE not in forms(page)


def follow(phone: Phone, link: str, path: str) -> bytes:
    """What the page of a mail's link says once its button is pressed, in another browser, after a login."""
    browser = Browser(phone)
    return browser.submit(browser.follow_mail(link), path).body


def address(phone: Phone, access: str) -> str:
    return str(phone.call("GET /me", token=access).json()["email"])


def test_another_address_is_asked_for_and_its_mail_confirms_it(
    ann: Browser, phone: DeliveringPhone, mailbox: Ses, access: str
) -> None:
    page = ask(ann)
    assert f"If <b><bdi>{NEW}</bdi></b> is free".encode() in page.body
    (mail,) = mailbox.mails
    assert mail.to == NEW
    assert address(phone, access) == EMAIL
    assert b"Your address is changed" in follow(phone, mail.link, CHANGE)
    assert address(phone, access) == NEW
    page = ann.get(PAGE)
    assert NEW.encode() in page.body
    assert b"It is confirmed." in page.body


def test_a_link_to_verify_is_mailed_once_more_and_the_button_then_goes(
    ann: Browser, phone: DeliveringPhone, mailbox: Ses
) -> None:
    page = ann.get(PAGE)
    assert b"not confirmed yet" in page.body
    assert b"A mail is on its way to" in ann.submit(page, PAGE, verify="yes").body
    (mail,) = mailbox.mails
    assert mail.to == EMAIL
    assert b"Your address is confirmed" in follow(phone, mail.link, VERIFY)
    done = ann.get(PAGE)
    assert b"It is confirmed." in done.body
    assert b'name="verify"' not in done.body
    ann.submit(page, PAGE, verify="yes")  # of a page that is older
    assert mailbox.mails == [mail]


@pytest.mark.parametrize(("problem", "advice"), [("bounce", b"came back"), ("complaint", b"reported as spam")])
def test_whose_mail_came_back_reads_what_to_do_and_ends_it_by_a_link(
    ann: Browser, phone: DeliveringPhone, svc: Services, mailbox: Ses, problem: str, advice: bytes
) -> None:
    user = svc.users.read(svc.users.find(EMAIL) or "")
    assert user
    svc.users.verify_email(user)
    assert b'name="verify"' not in ann.get(PAGE).body
    mail_problems.note(svc, EMAIL, problem)
    page = ann.get(PAGE)
    assert advice in page.body
    ann.submit(page, PAGE, verify="yes")
    follow(phone, mailbox.mails[0].link, VERIFY)
    assert advice not in ann.get(PAGE).body


def test_an_address_of_another_account_gets_no_mail_and_the_same_answer(
    ann: Browser, phone: DeliveringPhone, svc: Services, mailbox: Ses
) -> None:
    phone.sign_up("bob@example.com")
    mailbox.mails.clear()
    phone.delivers = False
    pages, calls = [], []
    for each in (NEW, "BOB@example.com"):
        page = ann.get(PAGE)
        with wire.watched(svc) as traffic:
            pages.append(ann.submit(page, PAGE, email=each).body.replace(each.encode(), b""))
        calls.append(traffic.calls)
        deliver()  # before the next change takes the place of this one
    assert pages[0] == pages[1].replace(b"BOB@example.com".lower(), b"")
    assert calls[0] == calls[1]
    assert [mail.to for mail in mailbox.mails] == [NEW]


def test_who_has_not_just_logged_in_does_so_first_and_nothing_is_mailed(
    ann: Browser, clock: Clock, svc: Services, mailbox: Ses
) -> None:
    page = ann.get(PAGE)
    clock.advance(svc.settings.fresh_login_seconds + 1)
    assert asks_for_login(ann.get(PAGE))
    assert asks_for_login(ann.submit(page, PAGE, email=NEW))
    assert mailbox.mails == []
    back = ann.submit(ann.get(PAGE), LOGIN, email=EMAIL, password=PASSWORD)
    assert b"Your e-mail address</h1>" in back.body


def test_who_knows_the_password_alone_sees_and_changes_nothing_once_there_is_a_second_factor(
    ann: Browser, phone: DeliveringPhone, clock: Clock, access: str, mailbox: Ses
) -> None:
    page = ann.get(PAGE)
    app = enrol(phone, access, clock)
    mailbox.mails.clear()
    assert set(forms(ann.submit(page, PAGE, email=NEW))) == {PROOF}
    proof = ann.get(PAGE)
    assert set(forms(proof)) == {PROOF}
    assert mailbox.mails == []
    clock.advance(30)
    ann.submit(proof, PROOF, answer=app.code())
    ask(ann)
    assert NEW in [mail.to for mail in mailbox.mails]


def test_an_account_without_a_password_moves_as_well(
    ann: Browser, phone: DeliveringPhone, svc: Services, access: str, mailbox: Ses
) -> None:
    svc.users._client.call(
        "UpdateItem",
        TableName=svc.settings.users_table,
        Key={"pk": {"S": f"user#{svc.users.find(EMAIL)}"}, "sk": {"S": "profile"}},
        UpdateExpression="SET password_hash = :none",
        ExpressionAttributeValues={":none": {"S": ""}},
    )
    ask(ann)
    ann.submit(ann.follow_mail(mailbox.mails[0].link), CHANGE)
    assert address(phone, access) == NEW


@pytest.mark.parametrize("email", ["x", "a b@example.com", "", "\u202e", f"{'a' * 300}@example.com"])
def test_what_is_no_address_is_refused_and_the_page_says_so(ann: Browser, mailbox: Ses, email: str) -> None:
    page = ask(ann, email)
    assert b"This is not an e-mail address" in page.body
    assert page.status == 200
    assert mailbox.mails == []


def test_a_domain_that_may_not_sign_up_may_not_be_moved_to(ann: Browser, svc: Services, mailbox: Ses) -> None:
    with installed(replace(svc, settings=replace(svc.settings, mail_domains=("example.com",)))):
        page = ask(ann)
        assert b"takes no e-mail addresses of this domain" in page.body
        assert f'value="{NEW}"'.encode() in page.body
    assert mailbox.mails == []


def test_no_mailbox_is_flooded_by_it(ann: Browser, mailbox: Ses) -> None:
    for number in range(8):
        page = ask(ann, f"{number}@new.example")
    assert b"too many attempts" in page.body
    assert len(mailbox.mails) == 5


def test_a_form_of_another_session_or_site_has_nothing_mailed(ann: Browser, phone: DeliveringPhone) -> None:
    other = Browser(phone)
    phone.sign_up("bob@example.com")
    log_in(other, "bob@example.com")
    before = len(waiting())
    fields = {**forms(ann.get(PAGE))[PAGE].hidden, "email": NEW}
    other.post(PAGE, fields)
    other.post(PAGE, {"email": NEW})
    assert len(waiting()) == before


def test_where_no_mail_is_sent_there_is_no_form(ann: Browser, svc: Services) -> None:
    page = ann.get(PAGE)
    with installed(replace(svc, settings=replace(svc.settings, mail_from=""))):
        assert set(forms(ann.get(PAGE))) == set()
        assert b"Your e-mail address</h1>" in ann.submit(page, PAGE, email=NEW).body
        assert waiting() == []


def test_to_ask_is_a_read_and_two_writes(ann: Browser, phone: DeliveringPhone, svc: Services) -> None:
    page = ann.get(PAGE)
    phone.delivers = False
    with wire.watched(svc) as traffic:
        ann.submit(page, PAGE, email=NEW)
    assert traffic.calls == ["BatchGetItem", "TransactWriteItems", "TransactWriteItems", "BatchGetItem"]
