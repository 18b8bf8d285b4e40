"""A reset beside further factors: those of a verified owner stay in force and are asked for, those of anybody else go."""

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from chalicelib.services import Services
from local.gateway import Answer
from tests.support import counter, email_change, passkeys
from tests.support.authenticator import Authenticator, encode
from tests.support.browser import Browser, forms
from tests.support.code_app import CodeApp, enrol, log_in
from tests.support.delivery import DeliveringPhone
from tests.support.forge import peek
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, refusal
from tests.support.ses import Ses
from tests.web.mails.test_recovery import CONFIRM, NEW, RESET, login_status, mailed

RESET_PAGE = "/account/reset-password"
CHALLENGE = "POST /password/reset/challenge"


def verified(phone: DeliveringPhone, mailbox: Ses) -> str:
    """The access token of an owner who has shown that the address is theirs."""
    token: str = phone.sign_up()["access_token"]
    code = {"code": mailbox.mails[0].code}
    assert phone.call("POST /me/email/verification/code", code, token=token).status == 204
    return token


def confirm(phone: Phone, link: str, **proof: str) -> Answer:
    return phone.call(CONFIRM, {"token": link, "new_password": NEW, **proof})


@pytest.fixture
def owner(phone: DeliveringPhone, mailbox: Ses) -> str:
    """The access token of a verified owner."""
    return verified(phone, mailbox)


@pytest.fixture
def app(phone: DeliveringPhone, owner: str, clock: Clock) -> CodeApp:
    """The owner's app for codes, whose first code is used up."""
    app = enrol(phone, owner, clock)
    clock.advance(60)
    return app


def factors_stored(svc: Services) -> list[str]:
    stored = svc.users._client.call("Scan", TableName=svc.settings.users_table)["Items"]
    return [item["sk"]["S"] for item in stored if item["sk"]["S"].startswith("factor#")]


def test_a_reset_asks_for_the_factor_and_without_it_the_password_stays(
    phone: DeliveringPhone, app: CodeApp, mailbox: Ses
) -> None:
    link = mailed(phone, mailbox).token
    asked_for = confirm(phone, link)
    assert (asked_for.status, asked_for.json()["error"]) == (401, "mfa_required")
    assert asked_for.json()["factors"] == ["totp"]
    assert "mfa_token" not in asked_for.json()  # a recovery is no login
    for proof in ({"factor": "totp", "answer": "x"}, {"factor": "totp"}, {"factor": "totp", "answer": app.code(7)}):
        assert refusal(confirm(phone, link, **proof)) == (401, "invalid_credentials")
    for proof in ({"factor": "password", "answer": PASSWORD}, {"factor": "recovery_code", "answer": "x"}):
        assert refusal(confirm(phone, link, **proof)) == (400, "invalid_request")
    assert login_status(phone, NEW) == 401
    code = app.code()
    assert confirm(phone, link, factor="totp", answer=code).status == 204
    assert refusal(confirm(phone, link, factor="totp", answer=code)) == (404, "not_found")


def test_the_factor_is_in_force_after_the_reset_and_its_code_used_up(
    phone: DeliveringPhone, app: CodeApp, mailbox: Ses, clock: Clock
) -> None:
    code = app.code()
    assert confirm(phone, mailed(phone, mailbox).token, factor="totp", answer=code).status == 204
    begun = phone.call("POST /login", {"email": EMAIL, "password": NEW}).json()
    assert begun["factors"] == ["totp"]
    again = {"mfa_token": begun["mfa_token"], "factor": "totp", "answer": code}
    assert refusal(phone.call("POST /login/proof", again)) == (401, "invalid_credentials")
    clock.advance(30)
    assert log_in(phone, "totp", app.code(), password=NEW)


@pytest.mark.usefixtures("app")
def test_who_has_lost_the_app_gets_in_by_a_recovery_code(
    phone: DeliveringPhone, owner: str, mailbox: Ses, clock: Clock
) -> None:
    clock.advance(-60)  # the login is fresh enough
    codes = phone.call("POST /me/factors/recovery-codes", token=owner).json()["codes"]
    link = mailed(phone, mailbox).token
    assert confirm(phone, link).json()["factors"] == ["totp", "recovery_code"]
    assert confirm(phone, link, factor="recovery_code", answer=codes[0]).status == 204
    assert refusal(confirm(phone, link, factor="recovery_code", answer=codes[1])) == (404, "not_found")
    assert log_in(phone, "recovery_code", codes[2], password=NEW)


@pytest.mark.usefixtures("app")
def test_a_weak_password_is_refused_before_a_code_is_looked_at(
    phone: DeliveringPhone, app: CodeApp, mailbox: Ses
) -> None:
    link = mailed(phone, mailbox).token
    weak = {"token": link, "new_password": "password", "factor": "totp", "answer": app.code()}
    assert refusal(phone.call(CONFIRM, weak)) == (422, "weak_password")
    assert confirm(phone, link, factor="totp", answer=app.code()).status == 204


@pytest.mark.usefixtures("app")
def test_a_link_is_no_step_of_a_login_nor_a_session(phone: DeliveringPhone, mailbox: Ses) -> None:
    link = mailed(phone, mailbox).token
    for line, body in (
        ("POST /login/challenge", {"mfa_token": link, "factor": "totp"}),
        ("POST /login/proof", {"mfa_token": link, "factor": "totp", "answer": "123456"}),
    ):
        assert refusal(phone.call(line, body)) == (401, "login_expired")
    for line in ("GET /me", "GET /me/factors", "GET /me/sessions"):
        assert phone.call(line, token=link).status == 401


def test_guesses_at_a_reset_are_the_account_s_guesses(
    phone: DeliveringPhone, app: CodeApp, mailbox: Ses, svc: Services
) -> None:
    free, _ = svc.settings.limits["factor_account_network"]
    link = mailed(phone, mailbox).token
    for _ in range(free):
        assert refusal(confirm(phone, link, factor="totp", answer="x")) == (401, "invalid_credentials")
    assert refusal(confirm(phone, link, factor="totp", answer=app.code())) == (429, "too_many_requests")
    begun = phone.call("POST /login", {"email": EMAIL, "password": PASSWORD}).json()
    proof = {"mfa_token": begun["mfa_token"], "factor": "totp", "answer": app.code()}
    assert refusal(phone.call("POST /login/proof", proof)) == (429, "too_many_requests")


@pytest.mark.usefixtures("app")
def test_no_order_of_requests_without_the_link_changes_the_password(phone: DeliveringPhone, mailbox: Ses) -> None:
    link = mailed(phone, mailbox).token
    asks: list[Callable[[], Answer]] = [
        lambda: phone.call("POST /password/reset", {"email": EMAIL}),
        lambda: phone.call(CHALLENGE, {"token": "x", "factor": "totp"}),
        lambda: phone.call(CHALLENGE, {"token": link, "factor": "totp"}),  # somebody else's, with the link
        lambda: confirm(phone, "x", factor="totp", answer="x"),
        lambda: confirm(phone, "", factor="totp", answer="x"),
        lambda: confirm(phone, link[:-4], factor="password", answer=PASSWORD),
        lambda: phone.call(CONFIRM, {"new_password": NEW}),
        lambda: phone.call(CONFIRM, {}),
    ]
    for _ in range(2):
        for ask in (*asks, *reversed(asks)):
            assert ask().status in (200, 204, 400, 404, 429)
    assert login_status(phone, NEW) == 401


def test_what_a_factor_shows_first_is_shown_inside_the_reset(
    phone: DeliveringPhone, owner: str, mailbox: Ses, svc: Services
) -> None:
    uid = peek(owner)[1]["sub"]
    with counter.installed("letter", ("sms",), challenges=True):
        counter.enrol(svc, uid, "letter")
        link = mailed(phone, mailbox).token
        first, second = (phone.call(CHALLENGE, {"token": link, "factor": "letter"}).json() for _ in range(2))
        assert EMAIL in first["challenge"]["hint"]
        assert first == second  # of one attempt, which the link is
        assert refusal(phone.call(CHALLENGE, {"token": link, "factor": "totp"})) == (400, "invalid_request")
        assert confirm(phone, link, factor="letter", answer=counter.code(uid, 1)).status == 204


@pytest.mark.usefixtures("app")
def test_a_passkey_stands_in_for_the_app_inside_the_reset_and_only_for_that_link(
    phone: DeliveringPhone, owner: str, mailbox: Ses, svc: Services
) -> None:
    device = Authenticator()
    passkeys.enrol(svc, peek(owner)[1]["sub"], device)
    link, other = (mailed(phone, mailbox).token for _ in range(2))
    assert set(confirm(phone, link).json()["factors"]) == {"totp", "passkey"}

    def answer(of: str, by: Authenticator = device, **changes: Any) -> str:
        options = phone.call(CHALLENGE, {"token": of, "factor": "passkey"}).json()["challenge"]["publicKey"]
        assert [each["id"] for each in options["allowCredentials"]] == [encode(device.credential_id)]
        return json.dumps(by.get(options, **changes))

    thief = Authenticator(credential_id=device.credential_id, handle=device.handle)
    for wrong in (answer(other), answer(link, origin="https://evil.example"), answer(link, thief), "{}"):
        assert refusal(confirm(phone, link, factor="passkey", answer=wrong)) == (401, "invalid_credentials")
    assert login_status(phone, NEW) == 401
    right = answer(link)
    assert confirm(phone, link, factor="passkey", answer=right).status == 204
    assert refusal(confirm(phone, link, factor="passkey", answer=right)) == (404, "not_found")
    assert phone.call("POST /login", {"email": EMAIL, "password": NEW}).json()["error"] == "mfa_required"


@pytest.mark.usefixtures("app")
def test_the_page_takes_a_passkey_for_its_own_link_alone(
    phone: DeliveringPhone, owner: str, mailbox: Ses, svc: Services
) -> None:
    device = Authenticator()
    passkeys.enrol(svc, peek(owner)[1]["sub"], device)
    first, browser = Browser(phone), Browser(phone)
    earlier, page = (open_link(each, mailed(phone, mailbox).link) for each in (first, browser))
    assert forms(page)[RESET_PAGE].hidden["factor"] == "passkey"
    assert b'name="answer" value=""' in page.body
    for wrong in ("", "x", json.dumps(device.get(options_of(earlier)))):
        page = browser.submit(page, RESET_PAGE, password=NEW, answer=wrong)
        assert b"This is wrong" in page.body
        assert login_status(phone, NEW) == 401
    done = browser.submit(page, RESET_PAGE, password=NEW, answer=json.dumps(device.get(options_of(page))))
    assert b"You have a new password" in done.body


def open_link(browser: Browser, link: str) -> Answer:
    """The page of a link, with the passkey chosen."""
    return browser.get(f"{link.removeprefix('https://id.example')}&factor=passkey")


def options_of(page: Answer) -> Any:
    """What the page asks a browser for a passkey with."""
    (options,) = re.findall(r'data-options="([^"]*)"', page.body.decode())
    return json.loads(unescape(options))


def test_an_account_without_a_password_keeps_its_factor_too(
    phone: DeliveringPhone, owner: str, app: CodeApp, mailbox: Ses, svc: Services
) -> None:
    uid = peek(owner)[1]["sub"]
    svc.users._client.call(
        "UpdateItem",
        TableName=svc.settings.users_table,
        Key={"pk": {"S": f"user#{uid}"}, "sk": {"S": "profile"}},
        UpdateExpression="SET password_hash = :none",
        ExpressionAttributeValues={":none": {"S": ""}},
    )
    link = mailed(phone, mailbox).token
    assert confirm(phone, link).json()["factors"] == ["totp"]
    assert confirm(phone, link, factor="totp", answer=app.code()).status == 204


def test_the_page_asks_for_the_factor_beside_the_new_password_and_logs_nobody_in(
    phone: DeliveringPhone, app: CodeApp, mailbox: Ses
) -> None:
    link = mailed(phone, mailbox).token
    browser = Browser(phone)
    page = browser.get(RESET, {"token": link})
    assert page.body.count(b'name="answer"') == 1
    assert b'inputmode="numeric"' in page.body
    assert b"maxlength" not in page.body
    wrong = browser.submit(page, RESET, password=NEW, answer="000 000")
    assert b"This is wrong, has expired" in wrong.body
    assert login_status(phone, NEW) == 401
    done = browser.submit(wrong, RESET, password=NEW, answer=f"Your code is {app.code()}!")
    assert b"You have a new password" in done.body
    assert not [name for name in browser.cookies if "session" in name]
    assert forms(browser.get("/account/sessions")).keys() == {"/authorize/login", "/authorize/passkey"}


@pytest.mark.usefixtures("app")
def test_the_page_has_a_way_to_a_recovery_code_and_back(
    phone: DeliveringPhone, owner: str, mailbox: Ses, clock: Clock
) -> None:
    clock.advance(-60)
    codes = phone.call("POST /me/factors/recovery-codes", token=owner).json()["codes"]
    browser = Browser(phone)
    page = browser.get(RESET, {"token": mailed(phone, mailbox).token})
    (other,) = re.findall(r'href="https://id.example(/account/reset-password\?[^"]+)"', page.body.decode())
    page = browser.get(unescape(other))
    assert forms(page)[RESET].hidden["factor"] == "recovery_code"
    assert b"inputmode" not in page.body
    wrong = browser.submit(page, RESET, password=NEW, answer="x")
    assert forms(wrong)[RESET].hidden["factor"] == "recovery_code"
    assert b"You have a new password" in browser.submit(wrong, RESET, password=NEW, answer=codes[4]).body


def add_app(phone: Phone, token: str, clock: Clock, svc: Services) -> None:  # noqa: ARG001
    enrol(phone, token, clock)


def add_recovery_codes(phone: Phone, token: str, clock: Clock, svc: Services) -> None:  # noqa: ARG001
    enrol(phone, token, clock)
    assert phone.call("POST /me/factors/recovery-codes", token=token).status == 201


def add_counter(phone: Phone, token: str, clock: Clock, svc: Services) -> None:  # noqa: ARG001
    counter.enrol(svc, peek(token)[1]["sub"])


def add_passkey(phone: Phone, token: str, clock: Clock, svc: Services) -> None:  # noqa: ARG001
    passkeys.enrol(svc, peek(token)[1]["sub"], Authenticator())


@pytest.mark.parametrize("add", [add_app, add_recovery_codes, add_counter, add_passkey])
def test_who_signs_up_with_somebody_elses_address_leaves_no_factor_behind(
    phone: DeliveringPhone,
    svc: Services,
    mailbox: Ses,
    clock: Clock,
    add: Callable[[Phone, str, Clock, Services], None],
) -> None:
    thief = phone.sign_up()["access_token"]
    with counter.installed():
        add(phone, thief, clock, svc)
        assert confirm(phone, mailed(phone, mailbox).token).status == 204  # which asks for none of them
        owner = phone.log_in(password=NEW)["access_token"]
        assert phone.call("GET /me/factors", token=owner).json()["factors"] == []
        assert refusal(phone.call("GET /me/factors", token=thief)) == (401, "invalid_token")
    assert factors_stored(svc) == []


def test_a_factor_that_comes_in_the_moment_before_such_a_reset_is_left_behind_by_none(
    phone: DeliveringPhone, svc: Services, mailbox: Ses
) -> None:
    uid = phone.sign_up()["user"]["sub"]
    link = mailed(phone, mailbox).token
    user = svc.users.read(uid)
    assert user
    reset = svc.users.password_reset(user, password_hash="$argon2id$x")
    counter.enrol(svc, uid)
    assert svc.transactions.commit(reset) is not None  # and the link is good once more
    with counter.installed():
        assert confirm(phone, link).status == 204
    assert factors_stored(svc) == []


def test_an_undone_change_of_address_takes_what_was_added_since_and_leaves_what_was_there(
    phone: DeliveringPhone, owner: str, svc: Services, clock: Clock, mailbox: Ses
) -> None:
    uid = peek(owner)[1]["sub"]
    enrol(phone, owner, clock, "the owner's")
    clock.advance(7 * 24 * 3600 + 1)  # a factor of the week before goes as well
    user = svc.users.read(uid)
    assert user
    link = email_change.undo_link(svc, user)
    clock.advance(60)
    with counter.installed():
        counter.enrol(svc, uid)
        mailbox.mails.clear()
        browser = Browser(phone)
        path = "/account/undo-email-change"
        page = browser.submit(browser.get(path, {"token": link}), path)
        assert b"Your address is back" in page.body
    restored = svc.users.read(uid)
    assert restored
    assert [factor.name for factor in svc.factors.of_user(restored)] == ["the owner's"]
    assert len(restored.factors) == 1
    assert len(factors_stored(svc)) == 1  # what is taken is gone: an erasure finds only what the account names


def test_an_undone_change_of_address_leaves_an_account_without_factors_where_all_are_newer(
    phone: DeliveringPhone, owner: str, svc: Services, clock: Clock
) -> None:
    uid = peek(owner)[1]["sub"]
    user = svc.users.read(uid)
    assert user
    link = email_change.undo_link(svc, user)
    with counter.installed():
        counter.enrol(svc, uid)
        browser = Browser(phone)
        path = "/account/undo-email-change"
        assert b"Your address is back" in browser.submit(browser.get(path, {"token": link}), path).body
    clock.advance(1)
    restored = svc.users.read(uid)
    assert restored
    assert restored.factors == frozenset()
    assert factors_stored(svc) == []
