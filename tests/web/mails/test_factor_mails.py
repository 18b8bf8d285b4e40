"""What an owner hears of: a factor added or removed, and guesses at one by who has the password."""

import pytest

from chalicelib.services import Services
from tests.support.code_app import CodeApp, begin, enrol, log_in
from tests.support.delivery import DeliveringPhone
from tests.support.login_clients import LOGIN_CLIENTS, login_client
from tests.support.phone import EMAIL, PASSWORD, Clock, refusal
from tests.support.ses import SentMail, Ses

FACTORS = "/me/factors"
WRONG = "x"


@pytest.fixture
def token(phone: DeliveringPhone, mailbox: Ses) -> str:
    """The access token of a new account, whose first mail has been read."""
    token: str = phone.sign_up()["access_token"]
    mailbox.mails.clear()
    return token


def only(mailbox: Ses) -> SentMail:
    (mail,) = mailbox.mails
    mailbox.mails.clear()
    return mail


def test_an_owner_hears_of_each_factor_that_is_added_or_removed_and_of_nothing_else(
    phone: DeliveringPhone, token: str, mailbox: Ses, clock: Clock
) -> None:
    text, _ = begin(phone, token, clock)
    assert phone.call("POST /me/factors/confirm", {"token": text, "answer": WRONG}, token=token).status == 401
    assert mailbox.mails == []
    enrol(phone, token, clock, "<b>a name</b> of https://evil.example")
    added = only(mailbox)
    assert (added.to, added.subject) == (EMAIL, "A second step was added to your account")
    assert "evil" not in added.text + added.html
    assert phone.call(f"POST {FACTORS}/recovery-codes", token=token).status == 201
    assert only(mailbox).subject == added.subject
    listed = phone.call(f"GET {FACTORS}", token=token).json()["factors"]
    assert refusal(phone.call(f"DELETE {FACTORS}/x", token=token)) == (404, "not_found")
    assert mailbox.mails == []
    assert phone.call(f"DELETE {FACTORS}/{listed[0]['id']}", token=token).status == 204
    assert only(mailbox).subject == "A second step was removed from your account"


def test_a_mailbox_is_not_flooded_with_news_of_factors(
    phone: DeliveringPhone, token: str, mailbox: Ses, clock: Clock, svc: Services
) -> None:
    most, _ = svc.settings.limits["factor_change_account"]
    enrol(phone, token, clock)
    answers = [phone.call(f"POST {FACTORS}/recovery-codes", token=token) for _ in range(most)]
    assert [answer.status for answer in answers] == [201] * (most - 1) + [429]
    assert len(mailbox.mails) == most


def test_ten_wrong_codes_after_the_right_password_are_told_to_the_owner_once_a_day_at_whatever_endpoints_they_came(
    phone: DeliveringPhone, token: str, mailbox: Ses, clock: Clock, svc: Services
) -> None:
    assert phone.call("PATCH /me", {"locale": "ar-EG"}, token=token).status == 200
    app = enrol(phone, token, clock)
    mailbox.mails.clear()
    clients = [login_client(name, svc, phone) for name in LOGIN_CLIENTS]
    for number in range(12):
        thief = clients[number % len(clients)]
        thief.phone.address = f"203.0.113.{number}"
        assert thief.error(thief.prove(thief.token(thief.password()), "totp", WRONG)) == thief.wrong
        assert len(mailbox.mails) == (0 if number < 9 else 1)
    mail = only(mailbox)
    assert mail.to == EMAIL
    assert "كلمة" in mail.subject  # in the owner's language, whatever the thief's
    assert "/account/forgot-password" in mail.text
    clock.advance(30)
    assert log_in(phone, "totp", app.code())


def test_wrong_passwords_are_no_alarm(phone: DeliveringPhone, token: str, mailbox: Ses, clock: Clock) -> None:
    enrol(phone, token, clock)
    mailbox.mails.clear()
    for number in range(12):
        phone.address = f"203.0.113.{number}"
        assert phone.call("POST /login", {"email": EMAIL, "password": f"not {PASSWORD}"}).status == 401
    assert mailbox.mails == []


def test_the_one_who_has_the_app_is_told_nothing(
    phone: DeliveringPhone, token: str, mailbox: Ses, clock: Clock
) -> None:
    app: CodeApp = enrol(phone, token, clock)
    mailbox.mails.clear()
    for _ in range(12):
        clock.advance(30)
        assert log_in(phone, "totp", app.code())
    assert mailbox.mails == []
