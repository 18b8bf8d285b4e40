"""What is mailed, to whom, and in which form; and that nobody's request waits for it."""

import json
import re
import string
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from chalicelib import mailer
from chalicelib.config import Brand
from chalicelib.config.languages import SHIPPED
from chalicelib.services import Services
from chalicelib.web.jobs import outbox_delivery
from chalicelib.web.mails.delivery import MAILS
from chalicelib.web.mails.mail import DIRECTORY, texts
from tests.support import wire
from tests.support.delivery import Context, DeliveringPhone, deliver, schedules, stream_event, waiting
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal
from tests.support.ses import SentMail, Ses

NEW_PASSWORD = "an entirely other phrase 7"


def change_password(phone: Phone, token: str, **headers: str) -> None:
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert phone.call("POST /me/password", change, token=token, headers=headers).status == 204


def only(mailbox: Ses, name: str, language: str = "en") -> SentMail:
    """The one mail of a kind."""
    subject = texts(language)[f"{name}.subject"].format(brand="Latchkey")
    (mail,) = [mail for mail in mailbox.mails if mail.subject == subject]
    return mail


def places(text: str) -> list[str]:
    return sorted(field for _, field, _, _ in string.Formatter().parse(text) if field)


def test_every_language_has_every_text_of_every_mail_with_the_same_places_in_it() -> None:
    assert {path.stem for path in DIRECTORY.iterdir()} == set(SHIPPED)
    for language in SHIPPED:
        assert list(texts(language)) == list(texts("en"))
        for key, text in texts(language).items():
            assert places(text) == places(texts("en")[key])
    assert {key.partition(".")[0] for key in texts("en")} == set(MAILS)


def test_whose_password_was_changed_is_told_so(phone: DeliveringPhone, mailbox: Ses) -> None:
    token = phone.sign_up()["access_token"]
    change_password(phone, token)
    mail = only(mailbox, "password_changed")
    assert mail.to == EMAIL
    assert mail.request["FromEmailAddress"] == "Example <login@id.example>"
    assert EMAIL in mail.text
    assert f"<bdi>{EMAIL}</bdi>" in mail.html


def test_a_change_that_is_refused_is_told_nobody(phone: DeliveringPhone, mailbox: Ses) -> None:
    token = phone.sign_up()["access_token"]
    mailbox.mails.clear()
    for current, new in (("wrong", NEW_PASSWORD), (PASSWORD, "short")):
        phone.call("POST /me/password", {"current_password": current, "new_password": new}, token=token)
    assert mailbox.mails == []


def test_a_mailbox_is_not_flooded_with_news_by_who_has_signed_up_with_its_address(
    phone: DeliveringPhone, mailbox: Ses
) -> None:
    token = phone.sign_up()["access_token"]
    mailbox.mails.clear()
    change = {"current_password": PASSWORD, "new_password": PASSWORD}
    answers = [phone.call("POST /me/password", change, token=token) for _ in range(11)]
    assert [answer.status for answer in answers] == [204] * 10 + [429]
    assert len(mailbox.mails) == 10
    # It is no guess at a password, which all those were right about.
    statuses = [phone.call("POST /me/password", change, token=token).status for _ in range(10)]
    assert statuses == [429] * 10
    assert phone.log_in()


@pytest.mark.parametrize("mode", wire.MODES)
def test_a_change_and_its_mail_are_one_write(phone: DeliveringPhone, svc: Services, mailbox: Ses, mode: str) -> None:
    token = phone.sign_up()["access_token"]
    mailbox.mails.clear()
    phone.delivers = False
    failure, afterwards = wire.MODES[mode]
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    with wire.watched(svc, wire.Wire(fail_at=3, failure=failure, afterwards=afterwards)):
        phone.call("POST /me/password", change, token=token)
    deliver()
    changed = phone.call("POST /login", {"email": EMAIL, "password": NEW_PASSWORD}).status == 200
    assert len(mailbox.mails) == int(changed)


def test_a_mail_has_both_parts_and_nothing_that_reports_who_reads_it(phone: DeliveringPhone, mailbox: Ses) -> None:
    change_password(phone, phone.sign_up()["access_token"])
    for mail in mailbox.mails:
        tags = re.findall(r"<(\w+)", mail.html)
        assert not {"script", "img", "iframe", "link", "form", "svg"} & set(tags)
        links = re.findall(r'(?:href|src)="([^"]+)"', mail.html)
        assert all(link.startswith("https://id.example/") for link in links)
        HTMLParser().feed(mail.html)
        assert all(line.isprintable() for line in mail.text.splitlines())
        assert mail.headers["Auto-Submitted"] == "auto-generated"
        # People would lock themselves out.
        assert "List-Unsubscribe" not in mail.headers
        assert not re.search("[0-9]", mail.subject)


def test_each_mail_refers_to_nothing_that_another_refers_to(phone: DeliveringPhone, mailbox: Ses) -> None:
    change_password(phone, phone.sign_up()["access_token"])
    references = [mail.headers["References"] for mail in mailbox.mails]
    assert len(set(references)) == len(references) == 2


@pytest.mark.parametrize(("accept", "language"), [("ar-EG, en;q=0.5", "ar"), ("fr", "en"), ("", "en")])
def test_a_mail_is_in_the_language_of_the_request(
    phone: DeliveringPhone, mailbox: Ses, accept: str, language: str
) -> None:
    change_password(phone, phone.sign_up()["access_token"], **{"Accept-Language": accept})
    mail = only(mailbox, "password_changed", language)
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in mail.html


def test_a_mail_has_the_operators_brand(svc: Services, clock: Clock, mailbox: Ses) -> None:
    brand = Brand(name="Fish & Chips", logo="https://cdn.example/l.png", colour="#123456")
    with installed(replace(svc, settings=replace(svc.settings, brand=brand))):
        phone = DeliveringPhone(clock)
        change_password(phone, phone.sign_up()["access_token"])
    mail = mailbox.mails[-1]
    assert "Fish &amp; Chips" in mail.html
    assert 'src="https://cdn.example/l.png"' in mail.html
    assert "Fish & Chips" in mail.text


def test_a_name_that_was_typed_at_sign_up_is_in_no_mail(phone: DeliveringPhone, mailbox: Ses) -> None:
    """Else strangers would send their texts to others through us."""
    token = phone.sign_up(name="Visit evil.example now")["access_token"]
    change_password(phone, token)
    assert mailbox.mails
    assert not any("evil.example" in json.dumps(mail.request) for mail in mailbox.mails)


@pytest.mark.parametrize(
    "address", ["ann&bob@example.com", "a'b@example.com", "{brand}@example.com", "ann@bücher.example"]
)
def test_a_mail_to_a_strange_address_is_well_formed_and_goes_to_it(
    phone: DeliveringPhone, mailbox: Ses, address: str
) -> None:
    change_password(phone, phone.sign_up(address)["access_token"])
    mail = only(mailbox, "password_changed")
    assert mail.to == address.replace("bücher", "xn--bcher-kva")
    assert address in mail.text


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("code", ["TooManyRequestsException", "MessageRejected", "MailFromDomainNotVerifiedException"])
def test_a_mail_that_is_not_taken_is_tried_again_until_it_is(
    phone: DeliveringPhone, mailbox: Ses, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mailbox.refusal = code
    change_password(phone, phone.sign_up()["access_token"])
    assert mailbox.mails == []
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    failures = [line for line in lines if line.get("failure") == "not delivered"]
    assert {(line["receiver"], line["reason"]) for line in failures} == {("SES", code)}
    mailbox.refusal = ""
    for schedule in schedules().values():
        outbox_delivery.deliver(json.loads(schedule["Target"]["Input"]), Context())
    assert waiting() == []
    assert len(mailbox.mails) == 2


@pytest.mark.usefixtures("aws")
def test_a_link_is_good_though_mail_was_down_for_longer_than_it_lasts(
    phone: DeliveringPhone, mailbox: Ses, clock: Clock
) -> None:
    phone.sign_up()
    mailbox.mails.clear()
    mailbox.refusal = "TooManyRequestsException"
    assert phone.call("POST /password/reset", {"email": EMAIL}).status == 204
    (item,) = waiting()
    again = {"message": item.message_id, "kind": item.kind}  # as a schedule says it
    for _ in range(3):
        outbox_delivery.deliver(again, Context())
    clock.advance(2 * 3600)
    mailbox.refusal = ""
    outbox_delivery.deliver(again, Context())
    (mail,) = mailbox.mails
    change = {"token": mail.token, "new_password": NEW_PASSWORD}
    assert phone.call("POST /password/reset/confirm", change).status == 204


@pytest.mark.usefixtures("aws")
def test_a_mail_server_that_is_not_there_is_tried_again(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.delivers = False
    phone.sign_up()
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_SESV2", "http://127.0.0.1:1")
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        mailer._client.cache_clear()
        deliver()
    mailer._client.cache_clear()
    (item,) = waiting()
    assert (item.reason, item.retry_at) == ("EndpointConnectionError", svc.now() + 60)
    outbox_delivery.deliver(stream_event(item), Context())
    assert [mail.to for mail in mailbox.mails] == [EMAIL]


def test_no_mail_is_sent_for_an_account_that_is_gone_but_that_it_is(phone: DeliveringPhone, mailbox: Ses) -> None:
    token = phone.sign_up()["access_token"]
    assert phone.call("POST /me/email/verification/code", {"code": mailbox.mails[0].code}, token=token).status == 204
    phone.delivers = False
    change_password(phone, token)
    mailbox.mails.clear()
    assert phone.call("DELETE /me", {"password": NEW_PASSWORD}, token=token).status == 204
    deliver()
    assert (mailbox.mails, waiting()) == ([only(mailbox, "account_deleted")], [])


def test_where_nobody_is_named_to_send_mail_none_is_written(svc: Services, clock: Clock, mailbox: Ses) -> None:
    with installed(replace(svc, settings=replace(svc.settings, mail_from=""))):
        phone = Phone(clock)
        token = phone.sign_up()["access_token"]
        change_password(phone, token)
        assert [item.kind for item in waiting()] == ["ended sessions"]
        answer = phone.call("POST /me/email/verification", token=token)
    assert refusal(answer) == (404, "not_found")
    assert mailbox.mails == []
