"""A login by the mail to the account's address, in the hands of whoever asked for it and nobody else's."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import jwt
import pytest

from chalicelib.config import LIMITS
from chalicelib.domain.accounts.model import EnrolledFactor
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import passkeys, wire
from tests.support.authenticator import Authenticator
from tests.support.delivery import DeliveringPhone, deliver, waiting
from tests.support.login_clients import login_client
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal
from tests.support.ses import SentMail, Ses

ASK, CONFIRM = "POST /login/code", "POST /login/code/confirm"
WRONG = (401, "invalid_credentials")


def ask(phone: Phone, email: str = EMAIL, **fields: str) -> str:
    answer = phone.call(ASK, {"email": email, **fields})
    assert answer.status == 202, answer.body
    return str(answer.json()["login_token"])


def mailed(phone: Phone, mailbox: Ses, email: str = EMAIL, **fields: str) -> tuple[str, SentMail]:
    """What an app holds that asked, and the mail that came for it."""
    mailbox.mails.clear()
    login_token = ask(phone, email, **fields)
    (mail,) = mailbox.mails
    return login_token, mail


def confirm(phone: Phone, login_token: str, **proof: str) -> Answer:
    return phone.call(CONFIRM, {"login_token": login_token, **proof})


def verify(phone: Phone, mailbox: Ses, email: str = EMAIL) -> dict[str, Any]:
    """The tokens of a new account with a verified address."""
    mailbox.mails.clear()
    tokens = phone.sign_up(email)
    code = {"code": mailbox.mails[0].code}
    assert phone.call("POST /me/email/verification/code", code, token=tokens["access_token"]).status == 204
    return tokens


def claims(tokens: dict[str, Any]) -> dict[str, Any]:
    return jwt.decode(tokens["access_token"], options={"verify_signature": False})


def other_code(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


@pytest.mark.parametrize("by", ["code", "token"])
def test_who_reads_the_mail_is_logged_in_where_they_asked(phone: DeliveringPhone, mailbox: Ses, by: str) -> None:
    sub = claims(verify(phone, mailbox))["sub"]
    login_token, mail = mailed(phone, mailbox, scope="account", device="Ann's phone")
    assert mail.to == EMAIL
    tokens = confirm(phone, login_token, **{by: getattr(mail, by)}).json()
    of_login = claims(tokens)
    assert (of_login["sub"], of_login["scope"]) == (sub, "account")
    # RFC 8176 section 2: `otp`; one factor is NIST SP 800-63B's first level.
    assert (of_login["amr"], of_login["acr"]) == (["otp"], "aal1")
    sessions = phone.call("GET /me/sessions", token=tokens["access_token"]).json()["sessions"]
    assert "Ann's phone" in [each["device"] for each in sessions]
    assert phone.log_in()["access_token"]  # whose address was verified keeps the password


def test_a_code_may_come_with_what_was_pasted_around_it(phone: DeliveringPhone, mailbox: Ses) -> None:
    verify(phone, mailbox)
    login_token, mail = mailed(phone, mailbox)
    assert confirm(phone, login_token, code=f"رمزك \N{EN DASH} {mail.code[:3]} {mail.code[3:]}!").status == 200


@pytest.mark.parametrize("by", ["code", "token"])
def test_a_mail_logs_in_once_also_for_many_at_once(phone: DeliveringPhone, mailbox: Ses, by: str) -> None:
    access = verify(phone, mailbox)["access_token"]
    login_token, mail = mailed(phone, mailbox)
    phone.delivers = False
    proof = {by: getattr(mail, by)}
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: confirm(phone, login_token, **proof), range(20)))
    assert sorted(answer.status for answer in answers).count(200) == 1
    assert {refusal(each)[1] for each in answers if each.status != 200} <= {
        "login_expired",
        "temporarily_unavailable",
        "too_many_requests",
    }
    assert refusal(confirm(phone, login_token, token=mail.token)) == (401, "login_expired")
    assert len(phone.call("GET /me/sessions", token=access).json()["sessions"]) == 2


def test_a_mail_is_of_one_attempt_and_completes_no_other(phone: DeliveringPhone, mailbox: Ses) -> None:
    """Neither a stranger's that waits for the same account, nor one's own with another account's mail."""
    verify(phone, mailbox)
    verify(phone, mailbox, "bob@example.com")
    first, mail = mailed(phone, mailbox)
    second, second_mail = mailed(phone, mailbox)
    bobs, mail_of_bob = mailed(phone, mailbox, "bob@example.com")
    for login_token, others in ((second, mail), (first, second_mail), (bobs, mail), (first, mail_of_bob)):
        for proof in ({"token": others.token}, {"code": others.code}):
            assert refusal(confirm(phone, login_token, **proof)) == WRONG
    assert confirm(phone, first, token=mail.token).status == 200


@pytest.mark.parametrize("wrong", ["no login", "a login by password", "an expired one", "cut", "a link's token"])
def test_a_mail_without_the_attempt_that_asked_for_it_logs_nobody_in(
    phone: DeliveringPhone, mailbox: Ses, clock: Clock, wrong: str
) -> None:
    tokens = verify(phone, mailbox)
    login_token, mail = mailed(phone, mailbox)
    held = {
        "no login": "x",
        "a login by password": tokens["refresh_token"],
        "an expired one": login_token,
        "cut": login_token[:-4],
        "a link's token": mail.token,
    }
    if wrong == "an expired one":
        clock.advance(600)
    for proof in ({"token": mail.token}, {"code": mail.code}):
        assert refusal(confirm(phone, held[wrong], **proof)) == (401, "login_expired")


@pytest.mark.parametrize("wrong", ["x", "cut", "a link to verify", "a link for a new password"])
def test_a_token_that_is_no_link_to_log_in_by_logs_nobody_in(phone: DeliveringPhone, mailbox: Ses, wrong: str) -> None:
    phone.sign_up()
    verification = mailbox.mails[0].token
    phone.call("POST /password/reset", {"email": EMAIL})
    reset = mailbox.mails[-1].token
    login_token, mail = mailed(phone, mailbox)
    wrong_token = {"cut": mail.token[:-4], "a link to verify": verification, "a link for a new password": reset}
    assert refusal(confirm(phone, login_token, token=wrong_token.get(wrong, wrong))) == WRONG


@pytest.mark.parametrize("proof", [{}, {"code": "", "token": ""}, {"code": "123456", "token": "x"}])
def test_a_mail_is_answered_by_its_code_or_its_link(
    phone: DeliveringPhone, mailbox: Ses, proof: dict[str, str]
) -> None:
    verify(phone, mailbox)
    login_token, _ = mailed(phone, mailbox)
    assert refusal(confirm(phone, login_token, **proof)) == (400, "invalid_request")


def test_who_asked_for_a_mail_cannot_use_that_as_a_login_that_misses_a_proof(
    phone: DeliveringPhone, mailbox: Ses
) -> None:
    verify(phone, mailbox)
    login_token, _ = mailed(phone, mailbox)
    for line, more in (("POST /login/challenge", {}), ("POST /login/proof", {"answer": PASSWORD})):
        body = {"mfa_token": login_token, "factor": "password", **more}
        assert refusal(phone.call(line, body)) == (401, "login_expired")


@pytest.mark.parametrize("email", ["nobody@example.com", "x@" + "y" * 60 + ".example", "mıke@example.com"])
def test_whether_there_is_an_account_is_in_no_answer_and_no_call(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, email: str
) -> None:
    verify(phone, mailbox)
    verify(phone, mailbox, "mike@example.com")
    mailbox.mails.clear()
    phone.delivers = False
    seen = []
    for address in (EMAIL, email):
        with wire.watched(svc) as traffic:
            requested = phone.call(ASK, {"email": address})
            guess = confirm(phone, requested.json()["login_token"], code="000000")
        headers = [{name for name, _ in answer.headers} for answer in (requested, guess)]
        seen.append((requested.status, set(requested.json()), guess.status, guess.body, headers, traffic.calls))
    assert seen[0] == seen[1]
    assert seen[0][-1] == ["TransactWriteItems"] * 3 + ["GetItem"] * 2 + ["UpdateItem"]
    deliver()
    assert [mail.to for mail in mailbox.mails] == [EMAIL]
    assert waiting() == []


@pytest.mark.parametrize(
    "email",
    [
        '"e@evil.org"@example.com',
        '"ann@example.com"@evil.org',
        "a＠evil.org@example.com",
        "ann@example.com＠evil.org",
        "Ann <ann@example.com>",
        "ann@example.com,eve@evil.org",
        "ann@example.com\r\nBcc: eve@evil.org",
        "ann",
    ],
)
def test_what_is_no_address_is_refused_and_mails_nobody(phone: DeliveringPhone, mailbox: Ses, email: str) -> None:
    phone.sign_up()
    mailbox.mails.clear()
    assert refusal(phone.call(ASK, {"email": email})) == (400, "invalid_request")
    assert (mailbox.mails, waiting()) == ([], [])


def test_the_mail_goes_to_the_address_as_its_owner_has_it_however_it_was_typed(
    phone: DeliveringPhone, mailbox: Ses
) -> None:
    verify(phone, mailbox, "Ann.B@example.com")
    login_token, mail = mailed(phone, mailbox, "ann.b@EXAMPLE.com")
    assert mail.to == "Ann.B@example.com"
    assert confirm(phone, login_token, code=mail.code).status == 200


@pytest.mark.parametrize("by", ["code", "token"])
def test_who_signed_up_with_anothers_address_is_out_once_its_reader_comes(
    phone: DeliveringPhone, mailbox: Ses, by: str
) -> None:
    """The account is the reader's then, and nothing that was put into it before opens it."""
    attacker = phone.sign_up()
    login_token, mail = mailed(phone, mailbox)
    tokens = confirm(phone, login_token, **{by: getattr(mail, by)}).json()
    assert claims(tokens)["sub"] == claims(attacker)["sub"]
    assert refusal(phone.call("POST /login", {"email": EMAIL, "password": PASSWORD})) == WRONG
    assert refusal(phone.call("GET /me", token=attacker["access_token"])) == (401, "invalid_token")
    body = {"refresh_token": attacker["refresh_token"]}
    assert refusal(phone.call("POST /refresh", body)) == (401, "invalid_grant")
    assert phone.call("GET /me", token=tokens["access_token"]).json()["email_verified"] is True


def test_a_further_factor_that_a_stranger_has_added_is_gone_once_the_reader_came(
    phone: DeliveringPhone, svc: Services, mailbox: Ses
) -> None:
    uid = claims(phone.sign_up())["sub"]
    user = svc.users.read(uid)
    assert user
    factor = EnrolledFactor(uid=uid, kind="totp", id="f1", name="", created_at=svc.now(), record="{}")
    assert svc.transactions.commit(svc.factors.enrolment(user, factor)) is None
    login_token, mail = mailed(phone, mailbox)
    assert confirm(phone, login_token, code=mail.code).status == 200
    reader = svc.users.read(uid)
    assert reader
    assert (reader.factors, svc.factors.find(user, factor.entry)) == (frozenset(), None)


def test_a_passkey_that_a_stranger_has_added_logs_nobody_in_once_the_reader_came(
    phone: DeliveringPhone, svc: Services, mailbox: Ses
) -> None:
    thief = Authenticator()
    passkeys.enrol(svc, claims(phone.sign_up())["sub"], thief)
    login_token, mail = mailed(phone, mailbox)
    assert confirm(phone, login_token, code=mail.code).status == 200
    at = login_client("json", svc, phone)
    token, options = passkeys.begin(at)
    assert at.error(passkeys.prove(at, token, thief.get(options))) == (401, "unknown_passkey")


def test_a_change_of_address_that_a_stranger_has_begun_is_worth_nothing_once_the_reader_came(
    phone: DeliveringPhone, mailbox: Ses
) -> None:
    attacker = phone.sign_up()["access_token"]
    change = {"email": "eve@evil.org", "password": PASSWORD}
    change_token = phone.call("POST /me/email", change, token=attacker).json()["token"]
    change_mail = mailbox.mails[-1]
    login_token, mail = mailed(phone, mailbox)
    mine = confirm(phone, login_token, code=mail.code).json()["access_token"]
    body = {"token": change_token, "code": change_mail.code}
    for access in (attacker, mine):
        assert phone.call("POST /me/email/confirm", body, token=access).status in (401, 404)
    assert phone.call("GET /me", token=mine).json()["email"] == EMAIL


@pytest.mark.parametrize("change", ["new password", "another address", "disabled", "erased"])
def test_a_mail_does_not_outlive_what_its_account_was(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, change: str
) -> None:
    tokens = verify(phone, mailbox)
    access, uid = tokens["access_token"], claims(tokens)["sub"]
    login_token, mail = mailed(phone, mailbox)
    if change == "new password":
        body = {"current_password": PASSWORD, "new_password": "an entirely other phrase 7"}
        assert phone.call("POST /me/password", body, token=access).status == 204
    elif change == "another address":
        requested = phone.call("POST /me/email", {"email": "new@example.com", "password": PASSWORD}, token=access)
        body = {"token": requested.json()["token"], "code": mailbox.mails[-1].code}
        assert phone.call("POST /me/email/confirm", body, token=access).status == 204
    elif change == "disabled":
        svc.users.disable(uid)
    else:
        assert phone.call("DELETE /me", {"password": PASSWORD}, token=access).status == 204
    for proof in ({"token": mail.token}, {"code": mail.code}):
        assert refusal(confirm(phone, login_token, **proof)) == WRONG


def test_guesses_count_for_the_account_across_all_attempts(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, clock: Clock
) -> None:
    """Of a thousand guesses at two hundred attempts few are looked at, from however many networks they come."""
    verify(phone, mailbox)
    more = {"mail_network": (10**6, 3600), "login_mail_address": (10**6, 3600)}
    statuses: list[int] = []
    with installed(replace(svc, settings=replace(svc.settings, limits={**LIMITS, **more}))):
        for number in range(200):
            stranger = Phone(clock, address=f"192.0.2.{number}")
            login_token = ask(stranger)
            statuses += [confirm(stranger, login_token, code=f"{guess:06}").status for guess in range(5)]
        deliver()
        assert statuses.count(401) == LIMITS["login_code_address"][0]
        assert statuses.count(429) == 1000 - LIMITS["login_code_address"][0]
        # Whoever reads the mail gets in all the same: its link is no guess.
        login_token, mail = mailed(phone, mailbox)
        assert refusal(confirm(phone, login_token, code=mail.code)) == (429, "too_many_requests")
        assert confirm(phone, login_token, token=mail.token).status == 200


def test_one_network_has_few_guesses_and_takes_none_from_another(
    phone: DeliveringPhone, mailbox: Ses, clock: Clock
) -> None:
    verify(phone, mailbox)
    stranger = DeliveringPhone(clock, address="192.0.2.1")
    login_token, mail = mailed(stranger, mailbox)
    most = LIMITS["login_code_address_network"][0]
    guesses = [confirm(stranger, login_token, code=other_code(mail.code)).status for _ in range(most + 1)]
    assert guesses == [401] * most + [429]
    assert refusal(confirm(stranger, login_token, code=mail.code)) == (429, "too_many_requests")
    login_token, mail = mailed(phone, mailbox)
    assert confirm(phone, login_token, code=mail.code).status == 200


def test_a_right_code_is_not_counted(phone: DeliveringPhone, svc: Services, mailbox: Ses) -> None:
    verify(phone, mailbox)
    for limit in ("login_code_address_network", "login_code_address", "mail_code_network"):
        narrow = {**LIMITS, "login_mail_address_network": (100, 3600), limit: (1, 3600)}
        with installed(replace(svc, settings=replace(svc.settings, limits=narrow))):
            for _ in range(2):
                login_token, mail = mailed(phone, mailbox)
                assert confirm(phone, login_token, code=mail.code).status == 200, limit


@pytest.mark.parametrize("limit", ["mail_network", "login_mail_address_network", "login_mail_address"])
@pytest.mark.parametrize("email", [EMAIL, "nobody@example.com"])
def test_mails_to_log_in_by_are_limited_alike_whether_there_is_an_account_or_not(
    phone: DeliveringPhone, svc: Services, limit: str, email: str
) -> None:
    phone.sign_up()
    with installed(replace(svc, settings=replace(svc.settings, limits={**LIMITS, limit: (1, 3600)}))):
        ask(phone, email)
        assert refusal(phone.call(ASK, {"email": email})) == (429, "too_many_requests")


@pytest.mark.parametrize("setting", [{"mail_from": ""}, {"login_by_mail": False}])
def test_where_nobody_logs_in_by_mail_there_is_no_such_endpoint(
    phone: DeliveringPhone, svc: Services, setting: dict[str, Any]
) -> None:
    phone.sign_up()
    login_token = ask(phone)
    with installed(replace(svc, settings=replace(svc.settings, **setting))):
        assert refusal(phone.call(ASK, {"email": EMAIL})) == (404, "not_found")
        assert refusal(confirm(phone, login_token, code="123456")) == (404, "not_found")


def test_mailboxes_keep_the_mails_apart_and_locked_screens_show_no_code(phone: DeliveringPhone, mailbox: Ses) -> None:
    verify(phone, mailbox)
    mails = [mailed(phone, mailbox)[1] for _ in range(2)]
    assert len({mail.headers["References"] for mail in mails}) == 2
    assert not any(character.isdigit() for mail in mails for character in mail.subject)


def test_the_last_line_of_the_mail_names_the_host_that_the_code_is_for(phone: DeliveringPhone, mailbox: Ses) -> None:
    """WICG, Origin-bound one-time codes delivered via SMS, section 2: `@host #code`."""
    verify(phone, mailbox)
    _, mail = mailed(phone, mailbox)
    assert mail.text.splitlines()[-1] == f"@id.example #{mail.code}"
    assert mail.link.startswith("https://id.example/")


def test_the_mail_is_in_the_language_of_who_asked(phone: DeliveringPhone, mailbox: Ses) -> None:
    verify(phone, mailbox)
    mailbox.mails.clear()
    phone.call(ASK, {"email": EMAIL}, headers={"Accept-Language": "ar"})
    (mail,) = mailbox.mails
    assert 'dir="rtl"' in mail.html
    assert "ui_locales=ar" in mail.link


def test_a_mail_that_is_late_for_its_attempt_is_not_sent(phone: DeliveringPhone, mailbox: Ses, clock: Clock) -> None:
    verify(phone, mailbox)
    mailbox.mails.clear()
    phone.delivers = False
    ask(phone)
    clock.advance(600)
    deliver()
    assert (mailbox.mails, waiting()) == ([], [])


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("code", ["TransactWriteItems", "GetItem", "GetItem", "TransactWriteItems"]),
        ("token", ["GetItem", "TransactWriteItems"]),
    ],
)
def test_a_login_by_mail_keeps_its_budget(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, by: str, expected: list[str]
) -> None:
    verify(phone, mailbox)
    login_token, mail = mailed(phone, mailbox)
    phone.delivers = False
    with wire.watched(svc) as traffic:
        assert confirm(phone, login_token, **{by: getattr(mail, by)}).status == 200
    assert traffic.calls == expected
