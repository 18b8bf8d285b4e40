"""Guests: accounts without an address or a password, which become real ones in their place."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest

from chalicelib.config import LIMITS
from chalicelib.config.values import WrongSetting
from chalicelib.flows.accounts import recovery
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import passkey_sign_up, passkeys, ses, wire
from tests.support.authenticator import Authenticator, Members
from tests.support.custom import install
from tests.support.delivery import DeliveringPhone
from tests.support.login_clients import login_client
from tests.support.passkey_sign_up import BEGIN_UPGRADE, CONFIRM_UPGRADE
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, deployed, installed, refusal
from tests.support.ses import Ses
from tests.support.staged import before_write

GUEST, UPGRADE = "POST /signup/guest", "POST /me/upgrade"
CREDENTIALS = {"email": EMAIL, "password": PASSWORD}
YEAR = 365 * 24 * 3600


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ses]:
    """Everybody's."""
    with ses.running(monkeypatch) as running:
        yield running


@pytest.fixture
def svc(svc: Services) -> Services:
    """Services that have guests and send mail."""
    return replace(svc, settings=replace(svc.settings, guests=True, mail_from="login@id.example"))


@pytest.fixture
def phone(svc: Services, clock: Clock, mailbox: Ses) -> Iterator[DeliveringPhone]:  # noqa: ARG001 - it is there first
    with installed(svc):
        yield DeliveringPhone(clock)


def guest(phone: Phone, **body: str) -> dict[str, Any]:
    answer = phone.call(GUEST, body or None)
    assert answer.status == 201, answer.body
    tokens: dict[str, Any] = answer.json()
    return tokens


def profile(phone: Phone, access: str) -> dict[str, Any]:
    answer = phone.call("GET /me", token=access)
    assert answer.status == 200, answer.body
    values: dict[str, Any] = answer.json()
    return values


def claims(access: str) -> dict[str, Any]:
    return jwt.decode(access, options={"verify_signature": False})


def upgrade(phone: Phone, access: str, **changes: str) -> Answer:
    return phone.call(UPGRADE, {**CREDENTIALS, **changes}, token=access)


def ask(phone: Phone, access: str, email: str = EMAIL) -> str:
    """What the app of a guest holds that has asked for a code to an address."""
    answer = phone.call("POST /me/email", {"email": email}, token=access)
    assert answer.status == 202, answer.body
    return str(answer.json()["token"])


def confirm(phone: Phone, access: str, token: str, code: str) -> Answer:
    return phone.call("POST /me/email/confirm", {"token": token, "code": code}, token=access)


def assert_guest(phone: Phone, access: str) -> None:
    assert profile(phone, access)["guest"] is True
    assert profile(phone, access)["email"] == ""


def test_a_guest_has_an_account_and_a_session_like_anybody(phone: DeliveringPhone) -> None:
    tokens = guest(phone, name="Somebody", device="Pixel 9")
    assert tokens["user"] | {"created_at": 0} == {
        "sub": tokens["user"]["sub"],
        "email": "",
        "email_verified": False,
        "name": "Somebody",
        "created_at": 0,
        "guest": True,
    }
    access = phone.refresh(tokens["refresh_token"])["access_token"]
    assert profile(phone, access)["sub"] == tokens["user"]["sub"]
    sessions = phone.call("GET /me/sessions", token=access).json()["sessions"]
    assert [each["device"] for each in sessions] == ["Pixel 9"]
    assert phone.call("PATCH /me", {"name": "Ann"}, token=access).json()["name"] == "Ann"
    assert guest(phone)["user"]["sub"] != tokens["user"]["sub"]


def test_a_guests_token_says_nothing_of_a_login(phone: DeliveringPhone) -> None:
    assert not {"amr", "acr", "auth_time", "email"} & set(claims(guest(phone)["access_token"]))


def test_where_there_are_no_guests_none_is_made(phone: DeliveringPhone, svc: Services) -> None:
    with installed(replace(svc, settings=replace(svc.settings, guests=False))):
        with wire.watched(svc) as traffic:
            assert refusal(phone.call(GUEST)) == (403, "sign_up_closed")
        assert [each for each in traffic.calls if each != "Scan"] == []


@pytest.mark.parametrize(
    "more",
    [
        {"LATCHKEY_SIGN_UP": "closed"},
        {"LATCHKEY_SIGN_UP": "invitation", "LATCHKEY_MAIL_FROM": "a@id.example"},
        {"LATCHKEY_SECOND_FACTOR": "required"},
    ],
)
def test_there_are_none_where_they_could_become_nobody(more: dict[str, str]) -> None:
    with pytest.raises(WrongSetting, match="LATCHKEY_GUESTS"):
        deployed(LATCHKEY_GUESTS="on", **more)


def test_guests_are_limited_by_network(phone: DeliveringPhone, clock: Clock) -> None:
    for _ in range(LIMITS["guest_network"][0]):
        guest(phone)
    assert refusal(phone.call(GUEST)) == (429, "too_many_requests")
    guest(Phone(clock, address="192.0.2.1"))


def test_nobody_logs_in_to_a_guests_account(phone: DeliveringPhone, mailbox: Ses) -> None:
    guest(phone)
    for email in ("", " ", "@"):
        answers = [
            phone.call("POST /login", {"email": email, "password": PASSWORD}),
            phone.call("POST /login/code", {"email": email}),
            phone.call("POST /password/reset", {"email": email}),
        ]
        assert {answer.status for answer in answers} <= {204, 400, 401}
    assert mailbox.mails == []


# What takes an address or a password
@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("POST /me/password", {"current_password": PASSWORD, "new_password": "an entirely other phrase 7"}),
        ("POST /me/email/verification", None),
        ("POST /me/email/verification/code", {"code": "123456"}),
    ],
)
def test_what_takes_an_address_or_a_password_is_refused_to_a_guest(
    phone: DeliveringPhone, mailbox: Ses, line: str, body: dict[str, str] | None
) -> None:
    access = guest(phone)["access_token"]
    assert refusal(phone.call(line, body, token=access)) == (403, "guest_account")
    assert_guest(phone, access)
    assert mailbox.mails == []


def test_a_guest_adds_no_factor_for_that_takes_a_login(phone: DeliveringPhone) -> None:
    access = guest(phone)["access_token"]
    answer = phone.call("POST /me/factors", {"kind": "totp"}, token=access)
    assert refusal(answer) == (401, "login_required")


def test_a_guest_goes_without_a_password(phone: DeliveringPhone, svc: Services) -> None:
    tokens = guest(phone)
    assert phone.call("DELETE /me", token=tokens["access_token"]).status == 204
    assert svc.users.read(tokens["user"]["sub"]) is None
    assert refusal(phone.call("POST /refresh", {"refresh_token": tokens["refresh_token"]})) == (401, "invalid_grant")


def test_a_guest_of_before_two_factors_were_demanded_gets_nothing_that_wants_them(
    phone: DeliveringPhone, svc: Services, mailbox: Ses
) -> None:
    """Neither as a guest, nor as the account that it becomes, before that has logged in with both."""
    by_password, by_mail = guest(phone), guest(phone)
    assert "notes:write" in by_password["scope"]
    token = ask(phone, by_mail["access_token"], "bob@example.com")
    settings = replace(svc.settings, guests=False, second_factor="required", aal2_scopes=frozenset({"notes:write"}))
    with installed(replace(svc, settings=settings)):
        assert refusal(phone.call(GUEST)) == (403, "sign_up_closed")
        assert upgrade(phone, by_password["access_token"]).status == 200
        assert confirm(phone, by_mail["access_token"], token, mailbox.mails[0].code).status == 204
        for tokens in (by_password, by_mail):
            refreshed = phone.refresh(tokens["refresh_token"])
            assert "notes:write" not in refreshed["scope"]
            assert not {"amr", "acr", "auth_time"} & set(claims(refreshed["access_token"]))
            answer = phone.call("POST /me/factors", {"kind": "totp"}, token=refreshed["access_token"])
            assert refusal(answer) == (401, "login_required")
        answer = phone.call("POST /login", CREDENTIALS)
        assert (answer.status, answer.json()["error"]) == (403, "enrolment_required")


# An address with a password
def test_a_guest_becomes_a_real_account_and_keeps_all_that_it_had(phone: DeliveringPhone, mailbox: Ses) -> None:
    tokens = guest(phone, name="Somebody")
    access = tokens["access_token"]
    phone.call("PATCH /me", {"locale": "ar"}, token=access)
    answer = upgrade(phone, access)
    assert (answer.status, answer.json()["sub"]) == (200, tokens["user"]["sub"])
    assert "guest" not in answer.json()
    kept = profile(phone, phone.refresh(tokens["refresh_token"])["access_token"])
    assert (kept["sub"], kept["email"], kept["name"], kept["locale"]) == (
        tokens["user"]["sub"],
        EMAIL,
        "Somebody",
        "ar",
    )
    assert claims(phone.log_in()["access_token"])["sub"] == tokens["user"]["sub"]
    (mail,) = mailbox.mails[:1]
    code = {"code": mail.code}
    assert phone.call("POST /me/email/verification/code", code, token=access).status == 204
    assert profile(phone, access)["email_verified"] is True


def test_an_upgraded_account_has_no_end(phone: DeliveringPhone, svc: Services) -> None:
    def item(uid: str) -> dict[str, Any]:
        key = {"pk": {"S": f"user#{uid}"}, "sk": {"S": "profile"}}
        stored: dict[str, Any] = svc.users._client.call("GetItem", TableName=svc.settings.users_table, Key=key)["Item"]
        return stored

    tokens = guest(phone)
    uid = tokens["user"]["sub"]
    assert item(uid)["expires_at"] == {"N": str(svc.now() + YEAR)}
    assert upgrade(phone, tokens["access_token"]).status == 200
    assert not {"expires_at", "guest"} & set(item(uid))


def test_a_guest_ends_when_its_session_may_last_no_longer(phone: DeliveringPhone, clock: Clock) -> None:
    tokens = guest(phone)
    refresh_token = tokens["refresh_token"]
    for _ in range(12):
        clock.advance(29 * 24 * 3600)
        refresh_token = phone.refresh(refresh_token)["refresh_token"]
    clock.advance(YEAR - 12 * 29 * 24 * 3600)
    assert refusal(phone.call("POST /refresh", {"refresh_token": refresh_token})) == (401, "invalid_grant")


def test_a_taken_address_leaves_the_guest_as_it_was(phone: DeliveringPhone, mailbox: Ses) -> None:
    phone.sign_up()
    mailbox.mails.clear()
    tokens = guest(phone)
    assert refusal(upgrade(phone, tokens["access_token"], email="ANN@example.com")) == (409, "email_taken")
    access = phone.refresh(tokens["refresh_token"])["access_token"]
    assert_guest(phone, access)
    assert mailbox.mails == []
    assert upgrade(phone, access, email="ann.b@example.com").status == 200


def test_the_log_has_both_accounts_where_an_address_is_taken(
    phone: DeliveringPhone, capsys: pytest.CaptureFixture[str]
) -> None:
    holder = phone.sign_up()["user"]["sub"]
    tokens = guest(phone)
    capsys.readouterr()
    upgrade(phone, tokens["access_token"])
    line = capsys.readouterr().out
    assert holder in line
    assert tokens["user"]["sub"] in line


def test_of_many_upgrades_at_once_one_counts(phone: DeliveringPhone) -> None:
    tokens = [guest(phone) for _ in range(4)]
    phone.delivers = False
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda place: upgrade(phone, tokens[place % 4]["access_token"]).status, range(8)))
    assert answers.count(200) == 1
    assert set(answers) <= {200, 400, 409, 503}
    sub = claims(phone.log_in()["access_token"])["sub"]
    others = [each for each in tokens if each["user"]["sub"] != sub]
    assert len(others) == 3
    for each in others:
        assert_guest(phone, each["access_token"])


def test_an_account_is_upgraded_once(phone: DeliveringPhone) -> None:
    access = guest(phone)["access_token"]
    assert upgrade(phone, access).status == 200
    assert refusal(upgrade(phone, access, email="other@example.com")) == (400, "invalid_request")
    real = phone.sign_up("bob@example.com")["access_token"]
    assert refusal(upgrade(phone, real, email="other@example.com")) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"password": "password"}, (422, "weak_password")),
        ({"email": "a＠evil.org@example.com"}, (400, "invalid_request")),
        ({"email": "ann@refused.example"}, (422, "email_domain_refused")),
    ],
)
def test_an_upgrade_is_held_to_what_a_sign_up_is(
    phone: DeliveringPhone, svc: Services, change: dict[str, str], expected: tuple[int, str]
) -> None:
    with installed(replace(svc, settings=replace(svc.settings, refused_mail_domains=("refused.example",)))):
        access = guest(phone)["access_token"]
        assert refusal(upgrade(phone, access, **change)) == expected
        assert_guest(phone, access)


def test_a_guest_that_was_ended_meanwhile_is_not_upgraded(phone: DeliveringPhone, svc: Services) -> None:
    tokens = guest(phone)
    with before_write(svc.transactions._client, 2, lambda: svc.users.disable(tokens["user"]["sub"])):
        assert upgrade(phone, tokens["access_token"]).status == 503
    assert svc.users.find(EMAIL) is None


# An address by the code of a mail
def test_a_guest_becomes_a_real_account_by_the_code_of_a_mail(phone: DeliveringPhone, mailbox: Ses) -> None:
    tokens = guest(phone)
    access = tokens["access_token"]
    token = ask(phone, access)
    (mail,) = mailbox.mails
    assert (mail.to, "http" in mail.text) == (EMAIL, False)
    assert confirm(phone, access, token, mail.code).status == 204
    real = profile(phone, access)
    assert (real["sub"], real["email"], real["email_verified"]) == (tokens["user"]["sub"], EMAIL, True)
    mailbox.mails.clear()
    login_token = phone.call("POST /login/code", {"email": EMAIL}).json()["login_token"]
    body = {"login_token": login_token, "code": mailbox.mails[0].code}
    assert claims(phone.call("POST /login/code/confirm", body).json()["access_token"])["sub"] == real["sub"]


def test_where_a_mail_comes_first_it_is_the_only_way(phone: DeliveringPhone, svc: Services, mailbox: Ses) -> None:
    with installed(replace(svc, settings=replace(svc.settings, sign_up="verified"))):
        access = guest(phone)["access_token"]
        assert refusal(upgrade(phone, access)) == (403, "sign_up_closed")
        token = ask(phone, access)
        assert confirm(phone, access, token, mailbox.mails[0].code).status == 204


def test_whose_address_it_is_alone_can_confirm_it_and_no_press_of_a_button_does(
    phone: DeliveringPhone, mailbox: Ses, clock: Clock
) -> None:
    """A stranger's guest asks for somebody's address: its mail leads nowhere, and guesses come to an end."""
    access = guest(phone)["access_token"]
    token = ask(phone, access)
    assert "href" not in mailbox.mails[0].html
    wrong = [confirm(phone, access, token, f"{number:06}").status for number in range(12)]
    assert set(wrong) == {401, 429}
    assert_guest(phone, access)
    owner = DeliveringPhone(clock, address="192.0.2.1").sign_up()
    assert owner["user"]["email"] == EMAIL
    clock.advance(24 * 3600)
    assert confirm(phone, access, token, mailbox.mails[0].code).status in (401, 404)


def test_an_address_that_was_taken_meanwhile_leaves_the_guest_as_it_was(phone: DeliveringPhone, mailbox: Ses) -> None:
    access = guest(phone)["access_token"]
    token, code = ask(phone, access), mailbox.mails[0].code
    phone.sign_up()
    assert refusal(confirm(phone, access, token, code)) == (409, "email_taken")
    assert_guest(phone, access)
    mailbox.mails.clear()
    ask(phone, access)
    assert mailbox.mails == []  # nobody is mailed about an address that another account has


def test_the_code_of_one_guest_is_no_other_ones(phone: DeliveringPhone, mailbox: Ses) -> None:
    mine, others = (guest(phone)["access_token"] for _ in range(2))
    token, code = ask(phone, mine), mailbox.mails[0].code
    others_token = ask(phone, others)
    assert confirm(phone, others, token, code).status in (401, 404)
    assert refusal(confirm(phone, others, others_token, code)) == (401, "invalid_credentials")
    assert confirm(phone, mine, token, code).status == 204


def test_who_is_no_guest_still_needs_the_password_for_another_address(phone: DeliveringPhone) -> None:
    access = phone.sign_up()["access_token"]
    answer = phone.call("POST /me/email", {"email": "new@example.com"}, token=access)
    assert refusal(answer) == (400, "invalid_request")


# Who waits in an account for its owner
@pytest.mark.parametrize("by", ["a login by mail", "a new password"])
def test_a_guest_that_took_somebodys_address_is_out_once_they_come(
    phone: DeliveringPhone, mailbox: Ses, by: str
) -> None:
    tokens = guest(phone)
    assert upgrade(phone, tokens["access_token"]).status == 200
    mailbox.mails.clear()
    if by == "a login by mail":
        login_token = phone.call("POST /login/code", {"email": EMAIL}).json()["login_token"]
        body = {"login_token": login_token, "code": mailbox.mails[0].code}
        assert phone.call("POST /login/code/confirm", body).status == 200
    else:
        phone.call("POST /password/reset", {"email": EMAIL})
        reset = {"token": mailbox.mails[0].token, "new_password": "an entirely other phrase 7"}
        assert phone.call("POST /password/reset/confirm", reset).status == 204
    assert refusal(phone.call("POST /login", CREDENTIALS)) == (401, "invalid_credentials")
    assert refusal(phone.call("GET /me", token=tokens["access_token"])) == (401, "invalid_token")
    assert refusal(phone.call("POST /refresh", {"refresh_token": tokens["refresh_token"]})) == (401, "invalid_grant")


def test_a_guest_and_its_upgrade_keep_their_budgets(phone: DeliveringPhone, svc: Services) -> None:
    phone.delivers = False
    guest(phone)  # which reads the keys
    with wire.watched(svc) as traffic:
        access = guest(phone)["access_token"]
        assert traffic.calls == ["TransactWriteItems"] * 2
        assert upgrade(phone, access).status == 200
    assert traffic.calls[2:] == ["BatchGetItem", "TransactWriteItems", "TransactWriteItems"]


def test_a_hook_that_lets_nobody_sign_up_lets_no_guest_become_real_by_a_code_either(
    phone: DeliveringPhone, mailbox: Ses, tmp_path: Path
) -> None:
    access = guest(phone)["access_token"]
    token = ask(phone, access)
    install(tmp_path, "from chalicelib.hooks import Refuse\ndef before_sign_up(event): raise Refuse(event.email)\n")
    answer = confirm(phone, access, token, mailbox.mails[-1].code)
    assert refusal(answer) == (403, "refused")
    assert answer.json()["error_description"] == EMAIL
    assert refusal(phone.call(UPGRADE, CREDENTIALS, token=access)) == (403, "refused")
    assert refusal(phone.call(GUEST)) == (503, "temporarily_unavailable")  # without one line of text
    assert_guest(phone, access)


def test_a_hook_hears_of_a_guest_that_is_real_by_now_and_of_one_that_has_shown_whose_other_account_is(
    phone: DeliveringPhone, mailbox: Ses, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = "def after_upgrade(event): print('real', event.user.email)\n"
    source += "def address_taken(event): print('taken', event.other_uid, event.email_verified)\n"
    first, second = guest(phone)["access_token"], guest(phone)["access_token"]
    tokens = {access: (ask(phone, access), mailbox.mails[-1].code) for access in (first, second)}
    install(tmp_path, source)
    assert confirm(phone, first, *tokens[first]).status == 204
    assert f"real {EMAIL}" in capsys.readouterr().out
    assert confirm(phone, second, *tokens[second]).status == 409
    assert f"taken {claims(first)['sub']} True" in capsys.readouterr().out


def begin_passkey(phone: Phone, access: str, email: str = EMAIL, **more: str) -> tuple[str, Members]:
    return passkey_sign_up.token_and_options(phone.call(BEGIN_UPGRADE, {"email": email, **more}, token=access))


def confirm_passkey(phone: Phone, access: str, token: str, answer: object) -> Answer:
    return phone.call(CONFIRM_UPGRADE, {"token": token, "answer": json.dumps(answer)}, token=access)


def test_a_guest_becomes_real_by_an_address_and_a_passkey_and_keeps_all_that_it_has(
    phone: DeliveringPhone, svc: Services, mailbox: Ses
) -> None:
    tokens, device = guest(phone, name="Somebody"), Authenticator()
    access, sub = tokens["access_token"], tokens["user"]["sub"]
    token, options = begin_passkey(phone, access, name="Ann")
    answer = confirm_passkey(phone, access, token, device.create(options))
    assert answer.status == 200
    after = profile(phone, access)
    assert (after["sub"], after["email"], after["email_verified"], after["name"]) == (sub, EMAIL, False, "Ann")
    assert "guest" not in after
    assert [each.to for each in mailbox.mails] == [EMAIL]
    assert claims(phone.refresh(tokens["refresh_token"])["access_token"])["sub"] == sub
    at = login_client("json", svc, phone)
    login, request = passkeys.begin(at)
    assert claims(at.access_token(passkeys.prove(at, login, device.get(request))))["sub"] == sub


def test_a_passkey_for_a_taken_address_leaves_the_guest_as_it_was(phone: DeliveringPhone) -> None:
    phone.sign_up()
    access = guest(phone)["access_token"]
    token, options = begin_passkey(phone, access)
    assert refusal(confirm_passkey(phone, access, token, Authenticator().create(options))) == (409, "email_taken")
    assert_guest(phone, access)
    assert phone.call("POST /me/factors", {"kind": "passkey"}, token=access).status == 401


def test_a_passkey_that_was_made_for_one_guest_is_no_other_s(phone: DeliveringPhone, svc: Services) -> None:
    mine, others = (guest(phone)["access_token"] for _ in range(2))
    token, options = begin_passkey(phone, mine)
    answer = Authenticator().create(options)
    assert refusal(confirm_passkey(phone, others, token, answer)) == (401, "login_expired")
    assert refusal(passkey_sign_up.confirm(phone, token, answer)) == (401, "login_expired")
    theirs, _ = begin_passkey(phone, others, "bob@example.com")
    assert refusal(confirm_passkey(phone, others, theirs, answer)) == (401, "invalid_credentials")
    new, new_options = passkey_sign_up.begin(phone)
    fresh = Authenticator().create(new_options)
    assert refusal(confirm_passkey(phone, mine, new, fresh)) == (401, "login_expired")
    assert svc.users.find(EMAIL) is None
    assert_guest(phone, mine)


def test_a_guest_that_has_an_address_gets_no_second_one_by_a_passkey(phone: DeliveringPhone) -> None:
    access = guest(phone)["access_token"]
    token, options = begin_passkey(phone, access, "bob@example.com")
    answer = Authenticator().create(options)
    assert upgrade(phone, access).status == 200
    assert refusal(phone.call(BEGIN_UPGRADE, {"email": EMAIL}, token=access)) == (400, "invalid_request")
    assert refusal(confirm_passkey(phone, access, token, answer)) == (400, "invalid_request")
    assert phone.call("GET /me/factors", token=access).json()["factors"] == []


def test_of_parallel_upgrades_by_passkeys_one_is_the_guest_s(phone: DeliveringPhone, svc: Services) -> None:
    tokens = guest(phone)
    access, addresses = tokens["access_token"], [f"{number}@example.com" for number in range(4)]
    begun = [begin_passkey(phone, access, each) for each in addresses]
    answers = [(token, Authenticator().create(options)) for token, options in begun]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda each: confirm_passkey(phone, access, *each), answers))
    assert sorted(each.status == 200 for each in made) == [False, False, False, True]
    assert [svc.users.find(each) for each in addresses].count(tokens["user"]["sub"]) == 1
    user = svc.users.read(tokens["user"]["sub"])
    assert user
    assert len(user.factors) == len(svc.factors.of_user(user)) == 1


def test_whoever_reads_the_mail_of_an_address_that_a_guest_named_strips_its_passkey(
    phone: DeliveringPhone, svc: Services
) -> None:
    tokens, device = guest(phone), Authenticator()
    access = tokens["access_token"]
    token, options = begin_passkey(phone, access)
    assert confirm_passkey(phone, access, token, device.create(options)).status == 200
    user = svc.users.read(tokens["user"]["sub"])
    assert user
    body = {"token": recovery.link(svc, user), "new_password": PASSWORD}
    assert phone.call("POST /password/reset/confirm", body).status == 204
    assert phone.call("POST /refresh", {"refresh_token": tokens["refresh_token"]}).status == 401
    at = login_client("json", svc, phone)
    login, request = passkeys.begin(at)
    assert at.error(passkeys.prove(at, login, device.get(request))) == (401, "unknown_passkey")


def test_a_hook_that_lets_nobody_sign_up_lets_nobody_do_so_by_a_passkey(
    phone: DeliveringPhone, svc: Services, tmp_path: Path
) -> None:
    access = guest(phone)["access_token"]
    install(tmp_path, "from chalicelib.hooks import Refuse\ndef before_sign_up(event): raise Refuse(event.email)\n")
    token, options = begin_passkey(phone, access)
    assert refusal(confirm_passkey(phone, access, token, Authenticator().create(options))) == (403, "refused")
    assert_guest(phone, access)
    token, options = passkey_sign_up.begin(phone)
    assert refusal(passkey_sign_up.confirm(phone, token, Authenticator().create(options))) == (403, "refused")
    assert svc.users.find(EMAIL) is None
