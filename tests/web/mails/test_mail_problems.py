"""Mail that came back, or was unwanted: no stranger can have more of it sent, and its owner sees it and can end it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.services import Services
from chalicelib.web.jobs import mail_events
from chalicelib.web.mails.delivery import MAILS
from chalicelib.web.mails.mail import MailKind
from tests.support.browser import Browser
from tests.support.delivery import DeliveringPhone
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed
from tests.support.ses import Ses
from tests.support.staged import just_before

SET, NEW_ADDRESS = "latchkey-test", "ann@new.example"
ASK, NEW_PASSWORD = "POST /password/reset", "an entirely other phrase 7"


@pytest.fixture
def svc(svc: Services) -> Services:
    return replace(svc, settings=replace(svc.settings, ses_configuration_set=SET))


@pytest.fixture
def phone(svc: Services, clock: Clock, mailbox: Ses) -> Iterator[DeliveringPhone]:  # noqa: ARG001 - it is there first
    with installed(svc):
        yield DeliveringPhone(clock)


def event(
    to: str = EMAIL, *, kind: str = "Permanent", problem: str = "bounce", under: str = SET, named: str = ""
) -> dict[str, Any]:
    """What EventBridge calls the function with, in the shape of Amazon's own examples."""
    of_problem = {
        "bounce": {
            "bounceType": kind,
            "bounceSubType": "General",
            "bouncedRecipients": [{"emailAddress": named or to, "action": "failed", "status": "5.1.1"}],
        },
        "complaint": {"complainedRecipients": [{"emailAddress": named or to}], "complaintFeedbackType": "abuse"},
    }
    return {
        "version": "0",
        "id": "12a18625-3cd2-3f61-8d4c-c12a3d8e8f4a",
        "detail-type": {"bounce": "Email Bounced", "complaint": "Email Complaint Received"}[problem],
        "source": "aws.ses",
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "eu-central-1",
        "resources": [f"arn:aws:ses:eu-central-1:123456789012:configuration-set/{under}"],
        "detail": {
            "eventType": problem.capitalize(),
            problem: of_problem[problem],
            "mail": {
                "timestamp": "2026-01-01T00:00:00.000Z",
                "messageId": "0107018a-000000",
                "destination": [to],
                "headersTruncated": False,
                "tags": {"ses:configuration-set": [under], "ses:from-domain": ["id.example"]},
            },
        },
    }


def problem_of(phone: Phone, token: str) -> str | None:
    problem: str | None = phone.call("GET /me", token=token).json().get("email_problem")
    return problem


def mails_of_strangers(phone: Phone, mailbox: Ses, address: str = EMAIL) -> int:
    """How many mails come of it that somebody who is not logged in asks for one."""
    mailbox.mails.clear()
    assert phone.call(ASK, {"email": address}).status == 204
    return len(mailbox.mails)


@pytest.mark.parametrize("problem", ["bounce", "complaint"])
def test_whose_mail_came_back_gets_none_that_strangers_ask_for_and_sees_why(
    svc: Services, phone: DeliveringPhone, mailbox: Ses, problem: str
) -> None:
    token = phone.sign_up()["access_token"]
    assert problem_of(phone, token) is None
    assert mails_of_strangers(phone, mailbox) == 1
    mail_events.note(svc, event(problem=problem))
    assert problem_of(phone, token) == problem
    assert mails_of_strangers(phone, mailbox) == 0
    verified = replace(svc, settings=replace(svc.settings, sign_up="verified"))
    with installed(verified):
        assert phone.call("POST /signup", {"email": EMAIL, "password": PASSWORD}).status == 202
    assert mailbox.mails == []


def test_what_is_true_of_the_account_is_mailed_still(svc: Services, phone: DeliveringPhone, mailbox: Ses) -> None:
    token = phone.sign_up()["access_token"]
    mail_events.note(svc, event())
    mailbox.mails.clear()
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert phone.call("POST /me/password", change, token=token).status == 204
    assert [mail.to for mail in mailbox.mails] == [EMAIL]


def test_each_kind_of_mail_that_needs_no_login_is_one_that_ends_with_a_bounce() -> None:
    """A new kind is in one of these two lists by whoever makes it."""
    by_strangers = {kind.name for kind in MAILS.values() if isinstance(kind, MailKind) and kind.unauthenticated}
    assert {"account_exists", "reset_password"} <= by_strangers
    assert not {"password_changed", "email_changed", "change_email", "verify_email"} & by_strangers


@pytest.mark.parametrize("by", ["link", "code"])
def test_who_reads_the_mail_again_ends_it(svc: Services, phone: DeliveringPhone, mailbox: Ses, by: str) -> None:
    """Also where the address was verified before: a mailbox may have been away for a while."""
    token = phone.sign_up()["access_token"]
    verify = "POST /me/email/verification"
    phone.call(f"{verify}/code", {"code": mailbox.mails[0].code}, token=token)
    mail_events.note(svc, event())
    mailbox.mails.clear()
    assert phone.call(verify, token=token).status == 204
    (mail,) = mailbox.mails
    if by == "link":
        browser = Browser(phone)
        browser.submit(browser.follow_mail(mail.link), "/account/verify-email")
    else:
        assert phone.call(f"{verify}/code", {"code": mail.code}, token=token).status == 204
    assert problem_of(phone, token) is None
    assert mails_of_strangers(phone, mailbox) == 1


def test_so_does_a_new_password_by_a_link_that_had_arrived(svc: Services, phone: DeliveringPhone, mailbox: Ses) -> None:
    phone.sign_up()
    assert mails_of_strangers(phone, mailbox) == 1
    link = mailbox.mails[0]
    mail_events.note(svc, event(problem="complaint"))
    assert phone.call(f"{ASK}/confirm", {"token": link.token, "new_password": NEW_PASSWORD}).status == 204
    assert mails_of_strangers(phone, mailbox) == 1


def test_another_address_begins_anew(svc: Services, phone: DeliveringPhone, mailbox: Ses) -> None:
    token = phone.sign_up()["access_token"]
    mail_events.note(svc, event())
    answer = phone.call("POST /me/email", {"email": NEW_ADDRESS, "password": PASSWORD}, token=token)
    code = {"token": answer.json()["token"], "code": mailbox.mails[-1].code}
    assert phone.call("POST /me/email/confirm", code, token=token).status == 204
    assert problem_of(phone, token) is None
    mail_events.note(svc, event(EMAIL))  # which comes late, of the address before
    assert problem_of(phone, token) is None


@pytest.mark.parametrize(
    "said",
    [
        event(kind="Transient"),
        event(kind="Undetermined"),
        event(under="another-mailer"),
        event(under=""),
        event("bob@example.com"),
        event("bob@example.com", named=EMAIL),  # what the receiver's server says, which may be anything
    ],
    ids=["full today", "nobody knows", "another's mail", "no set", "no account", "a name in the report"],
)
def test_what_is_no_permanent_bounce_of_a_mail_of_ours_to_the_account_is_left(
    svc: Services, phone: DeliveringPhone, said: dict[str, Any]
) -> None:
    token = phone.sign_up()["access_token"]
    mail_events.note(svc, said)
    assert problem_of(phone, token) is None


def test_an_event_without_a_set_is_nobodys_where_none_is_configured(svc: Services, phone: DeliveringPhone) -> None:
    token = phone.sign_up()["access_token"]
    unset = replace(svc, settings=replace(svc.settings, ses_configuration_set=""))
    for under in ("", SET):
        mail_events.note(unset, event(under=under))
    assert problem_of(phone, token) is None


def test_an_address_that_is_left_meanwhile_is_not_marked(svc: Services, phone: DeliveringPhone, mailbox: Ses) -> None:
    token = phone.sign_up()["access_token"]
    answer = phone.call("POST /me/email", {"email": NEW_ADDRESS, "password": PASSWORD}, token=token)
    code = {"token": answer.json()["token"], "code": mailbox.mails[-1].code}

    def change() -> None:
        assert phone.call("POST /me/email/confirm", code, token=token).status == 204

    with just_before(svc.users._client, "UpdateItem", change):
        mail_events.note(svc, event())
    assert problem_of(phone, token) is None


@pytest.mark.parametrize("address", ["Ann@example.com", "ann@bücher.example"])
def test_an_address_is_known_as_ses_was_given_it(
    svc: Services, phone: DeliveringPhone, mailbox: Ses, address: str
) -> None:
    token = phone.sign_up(address)["access_token"]
    mail_events.note(svc, event(mailbox.mails[0].to))
    assert problem_of(phone, token) == "bounce"


def test_the_function_takes_the_event_as_eventbridge_brings_it_and_logs_no_address(
    svc: Services, phone: DeliveringPhone, mailbox: Ses, capsys: pytest.CaptureFixture[str]
) -> None:
    import app

    signed_up = phone.sign_up()
    assert mailbox.mails[0].request["ConfigurationSetName"] == SET
    capsys.readouterr()
    app.app.handler_map["mail_events"](event(), None)
    line = json.loads(capsys.readouterr().out)
    assert (line["event"], line["reason"].split()[0]) == ("mail_problem", "bounce")
    assert line["uid"] == signed_up["user"]["sub"]
    assert EMAIL not in json.dumps(line)
    assert problem_of(phone, signed_up["access_token"]) == "bounce"
    assert svc.settings.ses_configuration_set == SET
