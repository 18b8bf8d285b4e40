"""A link that an operator makes for who cannot get in: one new password, for minutes, and no more than the operator says."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.domain.accounts.model import EnrolledFactor, User
from chalicelib.services import Services
from tests.support.browser import Browser
from tests.support.commands import run
from tests.support.delivery import DeliveringPhone, deliver
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, refusal
from tests.support.ses import Ses
from tests.web.mails.test_recovery import NEW, RESET, confirm, login_status

MINUTE = 60
Made = Callable[..., str]


@pytest.fixture
def link(svc: Services, capsys: pytest.CaptureFixture[str]) -> Made:
    """Has the command make a link, and gives it as it was printed."""

    def make(*options: str, email: str = EMAIL) -> str:
        capsys.readouterr()
        run("users", "link", email, "--operator", "Olga", *options, on=svc)
        return capsys.readouterr().out.strip()

    return make


def token_of(link: str) -> str:
    (token,) = parse_qs(urlsplit(link).query)["token"]
    return token


def account(svc: Services) -> User:
    user = svc.users.read(str(svc.users.find(EMAIL)))
    assert user
    return user


def enrol(svc: Services) -> None:
    user = account(svc)
    factor = EnrolledFactor(uid=user.uid, kind="totp", id="1", name="phone", created_at=1, record="{}")
    assert svc.transactions.commit(svc.factors.enrolment(user, factor)) is None


def test_it_gets_its_owner_in_again_and_everybody_else_out_and_proves_no_address(
    phone: DeliveringPhone, svc: Services, link: Made
) -> None:
    tokens = phone.sign_up()
    printed = link()
    assert printed.startswith(f"https://id.example{RESET}?token=")
    assert "\n" not in printed
    browser = Browser(phone)
    page = browser.get(printed.removeprefix("https://id.example"))
    assert EMAIL.encode() in page.body
    assert b"You have a new password" in browser.submit(page, RESET, password=NEW).body
    assert (login_status(phone, PASSWORD), login_status(phone, NEW)) == (401, 200)
    assert refusal(phone.call("POST /refresh", {"refresh_token": tokens["refresh_token"]})) == (401, "invalid_grant")
    assert not account(svc).email_verified


def test_its_owner_is_mailed_that_the_password_was_changed(phone: DeliveringPhone, mailbox: Ses, link: Made) -> None:
    phone.sign_up()
    token = token_of(link())
    mailbox.mails.clear()
    assert confirm(phone, token).status == 204
    assert [mail.subject for mail in mailbox.mails] == ["Your password was changed"]


def test_it_is_good_once_also_for_many_at_once(phone: DeliveringPhone, link: Made) -> None:
    phone.sign_up()
    token, other = token_of(link()), token_of(link())
    phone.delivers = False
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: confirm(phone, token, f"{NEW} {number}").status, range(8)))
    assert sorted(answers) == [204, *[404] * 7]
    assert refusal(confirm(phone, other)) == (404, "not_found")


@pytest.mark.parametrize("by", ["time", "another password", "the end of all sessions"])
def test_it_ends_with_what_it_is_bound_to(phone: DeliveringPhone, clock: Clock, link: Made, by: str) -> None:
    access_token = phone.sign_up()["access_token"]
    token = token_of(link())
    if by == "time":
        clock.advance(15 * MINUTE)
    elif by == "another password":
        change = {"current_password": PASSWORD, "new_password": "a third phrase of hers 5"}
        phone.call("POST /me/password", change, token=access_token)
    else:
        phone.call("DELETE /me/sessions", token=access_token)
    assert refusal(confirm(phone, token)) == (404, "not_found")


def test_a_program_that_opens_it_uses_nothing_up(phone: DeliveringPhone, link: Made) -> None:
    """People paste links into chats, whose programs look at them."""
    phone.sign_up()
    printed = link()
    for _ in range(3):
        assert phone.call(f"GET {printed.removeprefix('https://id.example')}").status == 200
    assert confirm(phone, token_of(printed)).status == 204


def test_a_second_factor_is_asked_for_unless_the_operator_says_otherwise(
    phone: DeliveringPhone, svc: Services, link: Made
) -> None:
    """Though nobody has verified the address: an operator knows whose account it is."""
    phone.sign_up()
    enrol(svc)
    answer = confirm(phone, token_of(link()))
    assert (answer.status, answer.json()["error"], answer.json()["factors"]) == (401, "mfa_required", ["totp"])
    assert account(svc).factors == {"totp#1"}
    assert login_status(phone, NEW) == 401


def test_without_factors_they_go_with_the_use_of_the_link_and_not_before(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, link: Made
) -> None:
    phone.sign_up()
    enrol(svc)
    token = token_of(link("--without-factors"))
    assert account(svc).factors == {"totp#1"}
    mailbox.mails.clear()
    assert confirm(phone, token).status == 204
    assert account(svc).factors == frozenset()
    assert svc.factors.find(replace(account(svc), factors=frozenset({"totp#1"})), "totp#1") is None
    assert len(mailbox.mails) == 2


def test_a_link_to_go_without_factors_is_good_where_there_are_none(
    phone: DeliveringPhone, svc: Services, link: Made
) -> None:
    phone.sign_up()
    token = token_of(link("--without-factors"))
    assert confirm(phone, token).status == 204
    assert account(svc).factors == frozenset()


def test_who_made_it_is_in_the_log_of_its_use_and_the_link_in_none(
    phone: DeliveringPhone, svc: Services, link: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    phone.sign_up()
    token = token_of(link())
    assert confirm(phone, token).status == 204
    out = capsys.readouterr().out
    (line,) = [
        line for line in map(json.loads, out.splitlines()) if line.get("route") == "POST /password/reset/confirm"
    ]
    assert (line["operator"], line["uid"]) == ("Olga", account(svc).uid)
    assert token not in out


def test_a_mailed_link_names_no_operator(
    phone: DeliveringPhone, mailbox: Ses, capsys: pytest.CaptureFixture[str]
) -> None:
    phone.sign_up()
    mailbox.mails.clear()
    phone.call("POST /password/reset", {"email": EMAIL})
    capsys.readouterr()
    confirm(phone, mailbox.mails[0].token)
    assert "operator" not in capsys.readouterr().out


def test_it_can_be_mailed_instead(phone: DeliveringPhone, svc: Services, mailbox: Ses, link: Made) -> None:
    phone.sign_up()
    mailbox.mails.clear()
    assert link("--mail") == f"A link goes to {EMAIL}."
    deliver()
    (mail,) = mailbox.mails
    assert confirm(phone, mail.token).status == 204
    assert account(svc).email_verified


@pytest.mark.parametrize("case", ["nobody", "disabled", "mailed without factors", "came back", "no sender"])
def test_who_cannot_have_one_gets_none_and_the_operator_a_reason(
    phone: DeliveringPhone, svc: Services, case: str
) -> None:
    phone.sign_up()
    if case == "disabled":
        svc.users.disable(account(svc).uid)
    if case == "came back":
        svc.users.note_email_problem(account(svc), "bounce")
    options = {
        "mailed without factors": ("--mail", "--without-factors"),
        "came back": ("--mail",),
        "no sender": ("--mail",),
    }
    reasons = {
        "nobody": "no account",
        "disabled": "disabled",
        "mailed without factors": "leaves the second factors",
        "came back": "came back",
        "no sender": "LATCHKEY_MAIL_FROM",
    }
    sender = "" if case == "no sender" else svc.settings.mail_from
    on = replace(svc, settings=replace(svc.settings, mail_from=sender))
    with pytest.raises(SystemExit, match=reasons[case]):
        run("users", "link", "bob@example.com" if case == "nobody" else EMAIL, *options.get(case, ()), on=on)


def test_it_opens_nothing_but_the_one_page(phone: Phone, link: Made) -> None:
    phone.sign_up()
    token = token_of(link())
    assert phone.call("GET /me", token=token).status == 401
    for line in ("POST /me/email/confirm", "POST /signup/confirm", "POST /refresh"):
        field = "refresh_token" if line == "POST /refresh" else "token"
        body = {
            field: token,
            **({"password": NEW} if "signup" in line else {"code": "123456"} if "email" in line else {}),
        }
        assert phone.call(line, body).status in (401, 404)
    for path in ("verify-email", "change-email", "undo-email-change", "sign-up"):
        assert b"does not work any more" in phone.call(f"GET /account/{path}?token={token}").body
