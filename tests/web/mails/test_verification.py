"""Whether an address is its account's owner's: by the link of a mail, or by its code."""

import re
from urllib.parse import urlsplit

import pytest

from chalicelib.domain.accounts.email import canonical
from chalicelib.flows.accounts import verification
from chalicelib.flows.platform import keys, macs
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import wire
from tests.support.browser import Browser, forms
from tests.support.code_app import enrol
from tests.support.delivery import DeliveringPhone, deliver, waiting
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, refusal
from tests.support.ses import Ses

PATH, ASK, CODE = "/account/verify-email", "POST /me/email/verification", "POST /me/email/verification/code"
DAY = 24 * 3600


def verified(phone: Phone, token: str) -> bool:
    return bool(phone.call("GET /me", token=token).json()["email_verified"])


def open_link(phone: Phone, link: str) -> tuple[Browser, Answer]:
    """A browser of its own, in which its account has logged in, with the page that a link leads to."""
    browser = Browser(phone)
    return browser, browser.follow_mail(link)


def test_who_signs_up_gets_a_mail_whose_button_verifies_the_address(phone: DeliveringPhone, mailbox: Ses) -> None:
    token = phone.sign_up()["access_token"]
    (mail,) = mailbox.mails
    assert mail.to == EMAIL
    assert mail.link.startswith(f"https://id.example{PATH}?token=")
    assert not verified(phone, token)
    browser, page = open_link(phone, mail.link)
    assert b"Your address is confirmed" in browser.submit(page, PATH).body
    assert verified(phone, token)


def test_a_link_that_programs_open_does_nothing(phone: DeliveringPhone, mailbox: Ses) -> None:
    token = phone.sign_up()["access_token"]
    path = mailbox.mails[0].link.removeprefix("https://id.example")
    for line in (f"HEAD {path}", f"GET {path}", f"GET {path}"):
        phone.call(line)
    assert not verified(phone, token)
    browser, page = open_link(phone, mailbox.mails[0].link)
    browser.submit(page, PATH)
    assert verified(phone, token)


def test_a_link_logs_nobody_in(phone: DeliveringPhone, mailbox: Ses) -> None:
    phone.sign_up()
    browser = Browser(phone)
    browser.get(mailbox.mails[0].link.removeprefix("https://id.example"))
    assert "/authorize/login" in forms(browser.get("/account/sessions"))


@pytest.mark.parametrize("reader", ["nobody", "another account"])
def test_who_reads_the_mail_of_an_account_that_is_not_theirs_cannot_confirm_it(
    phone: DeliveringPhone, mailbox: Ses, reader: str
) -> None:
    """Whoever made it would have its factors, its password and its sessions, and the reader's address."""
    stranger = phone.sign_up()["access_token"]
    link = mailbox.mails[0].link.removeprefix("https://id.example")
    browser = Browser(phone)
    if reader == "another account":
        phone.sign_up("bob@example.com")
        own = browser.follow_mail(mailbox.mails[1].link, email="bob@example.com")
        assert PATH in forms(own)
    page = browser.get(link)
    assert "/authorize/login" in forms(page)
    assert "to confirm <b><bdi>ann@example.com</bdi></b>" in page.body.decode()  # and not just any login
    assert PATH not in forms(page)
    fields = {"token": mailbox.mails[0].token}
    if reader == "another account":
        fields = {**forms(own)[PATH].hidden, **fields}
    browser.post(PATH, fields)
    assert not verified(phone, stranger)


def test_the_factor_of_a_stranger_goes_once_the_owner_of_the_address_has_a_new_password(
    phone: DeliveringPhone, mailbox: Ses, clock: Clock
) -> None:
    """Also if they first press what there is to press in the mail about the sign-up that was not theirs."""
    stranger = phone.sign_up()["access_token"]
    enrol(phone, stranger, clock)
    owner = Browser(phone)
    page = owner.get(mailbox.mails[0].link.removeprefix("https://id.example"))
    if PATH in forms(page):
        owner.submit(page, PATH)
    phone.call("POST /password/reset", {"email": EMAIL})
    reset = {"token": mailbox.mails[-1].token, "new_password": "an entirely other phrase 7"}
    assert phone.call("POST /password/reset/confirm", reset).status == 204
    login = phone.call("POST /login", {"email": EMAIL, "password": reset["new_password"]})
    assert login.status == 200
    assert phone.call("GET /me/factors", token=login.json()["access_token"]).json()["factors"] == []


@pytest.mark.parametrize("by", ["another site", "no form token", "another link's form token"])
def test_a_form_that_is_not_this_browsers_verifies_nothing(phone: DeliveringPhone, mailbox: Ses, by: str) -> None:
    token = phone.sign_up()["access_token"]
    phone.sign_up("bob@example.com")
    browser, page = open_link(phone, mailbox.mails[0].link)
    form = forms(page)[PATH].hidden
    other = Browser(phone).follow_mail(mailbox.mails[1].link, email="bob@example.com")
    others = forms(other)[PATH].hidden
    fields = {
        "another site": form,
        "no form token": {"token": form["token"], "to": form["to"]},
        "another link's form token": {**form, "form_token": others["form_token"]},
    }
    origin = "https://evil.example" if by == "another site" else "https://id.example"
    browser.post(PATH, fields[by], origin=origin)
    assert not verified(phone, token)


@pytest.mark.parametrize("wrong", ["", "x", "cut", "changed", "a day old", "a refresh token"])
def test_a_link_that_is_not_ours_or_too_old_says_so_and_does_nothing(
    phone: DeliveringPhone, mailbox: Ses, clock: Clock, wrong: str
) -> None:
    tokens = phone.sign_up()
    good = mailbox.mails[0].token
    links = {
        "cut": good[:-2],
        "changed": good[:20] + ("A" if good[20] != "A" else "B") + good[21:],
        "a day old": good,
        "a refresh token": tokens["refresh_token"],
    }
    if wrong == "a day old":
        clock.advance(DAY)
    page = Browser(phone).get(f"{PATH}?token={links.get(wrong, wrong)}")
    assert page.status == 200
    assert b"does not work any more" in page.body
    assert not forms(page)
    assert not verified(phone, phone.log_in()["access_token"])


def test_a_link_is_of_one_address_and_of_no_other_that_the_account_has_later(
    phone: DeliveringPhone, svc: Services, mailbox: Ses
) -> None:
    """Also where the address changes between the page and its form (CVE-2026-32700)."""
    token = phone.sign_up()["access_token"]
    browser, page = open_link(phone, mailbox.mails[0].link)
    uid = svc.users.find(canonical(EMAIL)) or ""
    key = {"pk": {"S": f"user#{uid}"}, "sk": {"S": "profile"}}
    values = {":new": {"S": "victim@example.com"}}
    svc.users._client.call(
        "UpdateItem",
        TableName=svc.settings.users_table,
        Key=key,
        UpdateExpression="SET email = :new",
        ExpressionAttributeValues=values,
    )
    assert b"does not work any more" in browser.submit(page, PATH).body
    assert refusal(phone.call(CODE, {"code": mailbox.mails[0].code}, token=token)) == (401, "invalid_credentials")
    assert not verified(phone, token)


# What a telephone copies has marks, spaces and letters of its language around the digits, or has the digits of that.
TYPED = ["{}", " {} ", "Your code is {}!", "code \N{EN DASH} {}\N{NO-BREAK SPACE}", "\N{RIGHT-TO-LEFT MARK}رمزك هو {}"]


@pytest.mark.parametrize("typed", [*TYPED, "{0[0]}{0[1]}{0[2]} {0[3]}{0[4]}{0[5]}"])
def test_the_code_of_the_mail_verifies_the_address_of_who_is_logged_in(
    phone: DeliveringPhone, mailbox: Ses, typed: str
) -> None:
    token = phone.sign_up()["access_token"]
    code = mailbox.mails[0].code
    assert phone.call(CODE, {"code": typed.format(code)}, token=token).status == 204
    assert verified(phone, token)


def test_a_code_may_be_typed_in_the_digits_of_another_script(phone: DeliveringPhone, mailbox: Ses) -> None:
    token = phone.sign_up()["access_token"]
    code = mailbox.mails[0].code.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    assert phone.call(CODE, {"code": code}, token=token).status == 204
    assert verified(phone, token)


def test_a_code_is_of_one_account(phone: DeliveringPhone, mailbox: Ses) -> None:
    phone.sign_up()
    other = phone.sign_up("bob@example.com")["access_token"]
    codes = [mail.code for mail in mailbox.mails]
    assert codes[0] != codes[1]
    assert refusal(phone.call(CODE, {"code": codes[0]}, token=other)) == (401, "invalid_credentials")
    assert not verified(phone, other)


@pytest.mark.parametrize(("seconds", "good"), [(29 * 60, True), (61 * 60, False)])
def test_a_code_is_good_for_half_an_hour_and_for_no_longer_than_an_hour(
    phone: DeliveringPhone, mailbox: Ses, clock: Clock, seconds: int, good: bool
) -> None:
    phone.sign_up()
    clock.advance(seconds)
    token = phone.log_in()["access_token"]
    assert (phone.call(CODE, {"code": mailbox.mails[0].code}, token=token).status == 204) == good


@pytest.mark.parametrize("code", ["0" * 5, "0" * 7, "", "x", "٠٠٠٠٠٠", "0" * 101])
def test_what_is_no_code_is_refused(phone: DeliveringPhone, mailbox: Ses, code: str) -> None:
    token = phone.sign_up()["access_token"]
    assert mailbox.mails
    assert phone.call(CODE, {"code": code}, token=token).status in (400, 401)
    assert not verified(phone, token)


def test_codes_are_not_guessed_however_often_new_ones_are_mailed(
    phone: DeliveringPhone, mailbox: Ses, clock: Clock
) -> None:
    token = phone.sign_up()["access_token"]
    right = mailbox.mails[0].code
    wrong = f"{(int(right) + 1) % 1_000_000:06}"
    for number in range(10):
        if number % 3 == 0:
            phone.call(ASK, token=token)
        assert refusal(phone.call(CODE, {"code": wrong}, token=token)) == (401, "invalid_credentials")
    assert refusal(phone.call(CODE, {"code": right}, token=token)) == (429, "too_many_requests")
    elsewhere = Phone(phone.gateway._now, address="203.0.113.9")  # type: ignore[arg-type]
    assert refusal(elsewhere.call(CODE, {"code": right}, token=token)) == (429, "too_many_requests")
    clock.advance(2 * 3600)  # nor by who has signed up with somebody else's address and has months
    token = phone.log_in()["access_token"]
    assert refusal(phone.call(CODE, {"code": right}, token=token)) == (429, "too_many_requests")


def test_a_code_is_of_one_key_however_many_are_kept(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, clock: Clock
) -> None:
    """Else each that is kept would make one more of a million guesses right."""
    before = clock()
    uid = phone.sign_up()["user"]["sub"]
    keys.rotate(svc, at_once=True)
    clock.advance(30 * DAY)
    token = phone.log_in()["access_token"]
    parts = (verification.MAIL, uid, EMAIL, str(clock() // macs.CODE_SECONDS))
    older = macs.code(svc, *parts, at=before)
    assert refusal(phone.call(CODE, {"code": older}, token=token)) == (401, "invalid_credentials")
    phone.call(ASK, token=token)
    assert phone.call(CODE, {"code": mailbox.mails[-1].code}, token=token).status == 204


def test_a_code_outlives_the_turn_of_the_keys(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, clock: Clock
) -> None:
    keys.rotate(svc, at_once=True, lead=600)
    token = phone.sign_up()["access_token"]
    clock.advance(601)
    assert phone.call(CODE, {"code": mailbox.mails[0].code}, token=token).status == 204


def test_a_right_code_takes_its_attempt_back(phone: DeliveringPhone, mailbox: Ses) -> None:
    token = phone.sign_up()["access_token"]
    for _ in range(12):
        assert phone.call(CODE, {"code": mailbox.mails[0].code}, token=token).status == 204


def test_a_mailbox_is_not_flooded(phone: DeliveringPhone, mailbox: Ses) -> None:
    token = phone.sign_up()["access_token"]
    answers = [phone.call(ASK, token=token) for _ in range(6)]
    assert [answer.status for answer in answers] == [204] * 5 + [429]
    assert len(mailbox.mails) == 6
    assert {mail.to for mail in mailbox.mails} == {EMAIL}


def test_who_begins_anew_with_an_address_begins_no_count_anew(phone: DeliveringPhone, mailbox: Ses) -> None:
    """Neither of mails to it nor of guesses at its codes, from whatever networks."""
    statuses, guesses = [], []
    for number in range(21):
        phone.address = f"203.0.113.{number}"
        answer = phone.call("POST /signup", {"email": EMAIL, "password": PASSWORD})
        statuses.append(answer.status)
        if answer.status == 201:
            token = answer.json()["access_token"]
            wrong = f"{(int(mailbox.mails[-1].code) + 1) % 1_000_000:06}"
            guesses += [phone.call(CODE, {"code": wrong}, token=token).status for _ in range(2)]
            phone.call(ASK, token=token)
            assert phone.call("DELETE /me", {"password": PASSWORD}, token=token).status == 204
    assert statuses == [201] * 20 + [429]
    assert guesses == [401] * 10 + [429] * 30
    assert len(mailbox.mails) == 20 + 5
    assert phone.sign_up("bob@example.com")


def test_who_is_verified_gets_no_more_mail(phone: DeliveringPhone, mailbox: Ses) -> None:
    token = phone.sign_up()["access_token"]
    phone.call(CODE, {"code": mailbox.mails[0].code}, token=token)
    assert phone.call(ASK, token=token).status == 204
    assert len(mailbox.mails) == 1
    browser, page = open_link(phone, mailbox.mails[0].link)  # once more, by who did not know that it was done
    assert b"Your address is confirmed" in browser.submit(page, PATH).body


def test_a_sign_up_that_is_refused_mails_nobody(phone: DeliveringPhone, mailbox: Ses) -> None:
    phone.sign_up()
    for email in (EMAIL, EMAIL.upper(), '"e@evil.test"@victim.test', "a＠evil.test@victim.test"):
        assert phone.call("POST /signup", {"email": email, "password": PASSWORD}).status in (400, 409)
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize("mode", wire.MODES)
def test_an_account_and_its_mail_are_one_write(phone: DeliveringPhone, svc: Services, mailbox: Ses, mode: str) -> None:
    phone.delivers = False
    failure, afterwards = wire.MODES[mode]
    with wire.watched(svc, wire.Wire(fail_at=2, failure=failure, afterwards=afterwards)):
        phone.call("POST /signup", {"email": EMAIL, "password": PASSWORD})
    deliver()
    assert len(mailbox.mails) == int(svc.users.find(EMAIL) is not None)


def test_links_lead_to_the_issuer_whatever_host_was_asked(phone: DeliveringPhone, mailbox: Ses) -> None:
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    phone.call("POST /signup", {"email": EMAIL, "password": PASSWORD}, headers=forged)
    assert urlsplit(mailbox.mails[0].link).netloc == "id.example"


def test_what_waits_in_the_outbox_has_neither_the_link_nor_the_code(phone: DeliveringPhone, mailbox: Ses) -> None:
    phone.delivers = False
    phone.sign_up()
    (item,) = waiting()
    deliver()
    (mail,) = mailbox.mails
    assert mail.token not in item.stored
    assert mail.code not in item.stored
    assert not re.search(r"\b[0-9]{6}\b", item.stored)
