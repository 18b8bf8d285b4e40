"""What every mail is, of whichever kind; a new kind is one line here, and is held to the same."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.config.languages import SHIPPED
from chalicelib.domain.records.outbox import LoginMail
from chalicelib.flows.accounts import mailed_signup
from chalicelib.flows.platform import mails, outbox
from chalicelib.services import Services, services, use
from chalicelib.web.jobs import outbox_delivery
from chalicelib.web.mails.delivery import MAILS
from chalicelib.web.mails.mail import texts
from local.gateway import Answer
from tests.support.delivery import Context, DeliveringPhone, deliver, waiting
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone
from tests.support.ses import SentMail, Ses
from tests.web.http.test_unauthenticated_writes import written

NAME = "Visit evil.example now"
NEW_PASSWORD = "an entirely other phrase 7"
Deed = Callable[[Phone, Ses, str], None]
CLIPPED = 102 * 1024  # of a longer one Gmail hides the end, and the link with it


def by_mail(address: str) -> Deed:
    """Somebody signs up where a mail comes first."""

    def sign_up(phone: Phone, _: Ses, language: str) -> None:
        svc = services()
        use(replace(svc, settings=replace(svc.settings, sign_up="verified")))
        body = {"email": address, "password": PASSWORD, "name": NAME}
        phone.call("POST /signup", body, headers={"Accept-Language": language})

    return sign_up


def with_token(line: str, body: object = None) -> Deed:
    def call(phone: Phone, _: Ses, language: str) -> None:
        phone.call(line, body, token=phone.log_in()["access_token"], headers={"Accept-Language": language})

    return call


def invite(_phone: Phone, _mailbox: Ses, language: str) -> None:
    mailed_signup.invite(services(), address="new@example.com", language=language)


def ask_for_a_password(phone: Phone, _: Ses, language: str) -> None:
    phone.call("POST /password/reset", {"email": EMAIL}, headers={"Accept-Language": language})


def ask_to_log_in(phone: Phone, _: Ses, language: str) -> None:
    phone.call("POST /login/code", {"email": EMAIL}, headers={"Accept-Language": language})


def as_guest(phone: Phone, _: Ses, language: str) -> None:
    svc = services()
    use(replace(svc, settings=replace(svc.settings, guests=True)))
    token = phone.call("POST /signup/guest", {"name": NAME}).json()["access_token"]
    phone.call("POST /me/email", {"email": "new@example.com"}, token=token, headers={"Accept-Language": language})


def move(phone: Phone, mailbox: Ses, language: str) -> None:
    """To another address and back by code, so that it can be done again."""
    user = services().users.read(str(services().users.find(EMAIL)))
    assert user
    services().users.verify_email(user)
    for address in ("new@example.com", EMAIL):
        login = {"email": "new@example.com" if address == EMAIL else EMAIL, "password": PASSWORD}
        token = phone.call("POST /login", login).json()["access_token"]
        spoken = {"Accept-Language": language}
        answer = phone.call("POST /me/email", {"email": address, "password": PASSWORD}, token=token, headers=spoken)
        code = {"token": answer.json()["token"], "code": mailbox.mails[-1].code}
        assert phone.call("POST /me/email/confirm", code, token=token, headers=spoken).status == 204


def log_in_elsewhere(phone: Phone, _: Ses, language: str) -> None:
    """On a device that the account does not know."""
    user = services().users.read(str(services().users.find(EMAIL)))
    assert user
    services().users.verify_email(user)
    phone.call("POST /login", {"email": EMAIL, "password": PASSWORD}, headers={"Accept-Language": language})


def news(kind: str) -> Deed:
    """What is mailed with something that takes more to be done than is of interest here."""

    def write(_phone: Phone, _mailbox: Ses, language: str) -> None:
        svc = services()
        user = svc.users.read(str(svc.users.find(EMAIL)))
        assert user
        svc.transactions.commit(*mails.mail(svc, kind, user, language=language))

    return write


def mail_code(_phone: Phone, _mailbox: Ses, language: str) -> None:
    svc = services()
    user = svc.users.read(str(svc.users.find(EMAIL)))
    assert user
    mail = LoginMail(
        name="email_code",
        uid=user.uid,
        to=user.email,
        language=language,
        attempt_id="a" * 32,
        expires_at=svc.now() + 600,
    )
    svc.transactions.commit(outbox.message(svc, mail))


def sign_up_and_delete(phone: Phone, _: Ses, language: str) -> None:
    token = phone.sign_up("gone@example.com", name=NAME)["access_token"]
    svc = services()
    user = svc.users.read(svc.users.find("gone@example.com") or "")
    assert user
    svc.users.verify_email(user)
    assert phone.call("DELETE /me", token=token, headers={"Accept-Language": language}).status == 204


def delete_later(phone: Phone, _: Ses, language: str) -> None:
    svc = services()
    use(replace(svc, settings=replace(svc.settings, deletion_seconds=24 * 3600)))
    token = phone.log_in()["access_token"]
    phone.call("DELETE /me", token=token, headers={"Accept-Language": language})


def think_again(phone: Phone, mailbox: Ses, language: str) -> None:
    delete_later(phone, mailbox, language)
    phone.call("POST /login", {"email": EMAIL, "password": PASSWORD}, headers={"Accept-Language": language})


# What has a mail of each kind sent, in a language, as often as it is called.
DEEDS: Mapping[str, Deed] = {
    "account_deleted": sign_up_and_delete,
    "account_exists": by_mail(EMAIL),
    "change_email": with_token("POST /me/email", {"email": "new@example.com", "password": PASSWORD}),
    "deletion_scheduled": delete_later,
    "deletion_withdrawn": think_again,
    "email_changed": move,
    "email_code": mail_code,
    "factor_added": news("factor_added"),
    "factor_guesses": news("factor_guesses"),
    "factor_removed": news("factor_removed"),
    "guest_email": as_guest,
    "invitation": invite,
    "log_in": ask_to_log_in,
    "new_device": log_in_elsewhere,
    "password_changed": with_token("POST /me/password", {"current_password": PASSWORD, "new_password": PASSWORD}),
    "reset_password": ask_for_a_password,
    "sign_up": by_mail("new@example.com"),
    "verify_email": with_token("POST /me/email/verification"),
}


# What is in these ends sooner.
OF_NO_USE_AFTER_AN_HOUR = frozenset({"email_code", "log_in"})


def do(phone: Phone, mailbox: Ses, kind: str, language: str = "en") -> None:
    """Has a mail of a kind written, and tried once."""
    DEEDS[kind](phone, mailbox, language)
    deliver()


@pytest.fixture
def send(phone: DeliveringPhone, mailbox: Ses) -> Callable[..., SentMail]:
    """Has a mail of a kind sent, about an account whose owner has typed a name."""
    phone.sign_up(name=NAME)
    mailbox.mails.clear()

    def latest(kind: str, language: str = "en") -> SentMail:
        do(phone, mailbox, kind, language)
        subject = texts(language)[f"{kind}.subject"].format(brand="Latchkey")
        return [mail for mail in mailbox.mails if mail.subject == subject][-1]

    return latest


def test_every_kind_of_mail_has_its_deed() -> None:
    assert set(DEEDS) == set(MAILS)


@pytest.mark.parametrize("kind", MAILS)
def test_no_holiday_answers_it_and_no_button_of_the_mailbox_unsubscribes_its_owner(
    send: Callable[..., SentMail], kind: str
) -> None:
    headers = send(kind).headers
    assert headers["Auto-Submitted"] == "auto-generated"
    # RFC 2369's header is for lists. Whoever pressed that button would lock themselves out.
    assert set(headers) == {"Auto-Submitted", "References"}


@pytest.mark.parametrize("kind", MAILS)
def test_two_of_a_kind_are_not_filed_together(send: Callable[..., SentMail], kind: str) -> None:
    first, second = send(kind), send(kind)
    assert first.headers["References"] != second.headers["References"]


@pytest.mark.parametrize("language", SHIPPED)
@pytest.mark.parametrize("kind", MAILS)
def test_it_has_no_name_that_was_typed_no_code_in_its_subject_and_no_address_but_ours(
    send: Callable[..., SentMail], kind: str, language: str
) -> None:
    mail = send(kind, language)
    assert "evil.example" not in json.dumps(mail.request)
    assert not re.search("[0-9٠-٩]", mail.subject)
    links = re.findall(r"https?://[^\s\"<]+", mail.text + mail.html)
    assert all(link.startswith("https://id.example/") for link in links)
    assert len(mail.html.encode()) + len(mail.text.encode()) < CLIPPED


@pytest.mark.parametrize("kind", MAILS)
def test_a_program_that_opens_its_link_uses_nothing_up(
    send: Callable[..., SentMail], phone: Phone, svc: Services, kind: str
) -> None:
    """Mailboxes open links before people do, with HEAD and GET, some of them in a browser."""
    mail = send(kind)
    if "https://" not in mail.text:
        return
    path = mail.link.removeprefix("https://id.example")
    with written(svc) as keys:
        phone.call(f"HEAD {path}")
        for _ in range(2):
            answer = phone.call(f"GET {path}")
            assert (answer.status, answer.header("Location")) == (200, None)
    assert keys == []


def answers_of(phone: Phone, act: Callable[[], object]) -> list[tuple[int, list[str]]]:
    """The status of every answer that a phone gets meanwhile, and the names that are in it."""
    answers, call = [], phone.call

    def noting(*arguments: Any, **more: Any) -> Answer:
        answer = call(*arguments, **more)
        answers.append((answer.status, sorted(answer.json()) if answer.body else []))
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phone, "call", noting)
        act()
    return answers


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("kind", MAILS)
def test_a_mail_server_that_is_down_for_an_hour_changes_no_answer_and_what_is_of_use_still_comes_once(
    phone: DeliveringPhone, mailbox: Ses, clock: Clock, kind: str
) -> None:
    phone.sign_up(name=NAME)
    subject = texts("en")[f"{kind}.subject"].format(brand="Latchkey")
    as_ever = answers_of(phone, lambda: do(phone, mailbox, kind))
    if kind == "deletion_scheduled":
        phone.log_in()  # or the next login says besides that it takes that back
    mailbox.mails.clear()
    mailbox.refusal, mailbox.refused_subject = "TooManyRequestsException", subject
    start = clock()
    assert answers_of(phone, lambda: do(phone, mailbox, kind)) == as_ever
    refused = [item for item in waiting() if item.failures]
    assert refused
    while clock() < start + 3600 and (again := [item for item in waiting() if item.retry_at]):
        clock.advance(min(item.retry_at for item in again) - clock())
        if clock() >= start + 3600:
            mailbox.refusal = ""
        for item in again:
            outbox_delivery.deliver({"message": item.message_id, "kind": item.kind}, Context())
    for item in refused * 2:  # Lambda and the scheduler may call twice
        outbox_delivery.deliver({"message": item.message_id, "kind": item.kind}, Context())
    came = [mail for mail in mailbox.mails if mail.subject == subject]
    assert bool(came) == (kind not in OF_NO_USE_AFTER_AN_HOUR)
    assert len({mail.headers["References"] for mail in came}) == len(came)
