"""A code by mail as a second factor: where a deployment allows it, to a verified address, for one login alone."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chalicelib.flows.clients import manage
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import ses
from tests.support.browser import Browser, forms, register
from tests.support.delivery import DeliveringPhone
from tests.support.forge import peek
from tests.support.login_clients import LOGIN_CLIENTS, LoginClient, login_client
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal
from tests.support.ses import Ses

LOGIN, PROOF = "/authorize/login", "/authorize/proof"
FACTORS, CONFIRM = "/me/factors", "POST /me/factors/confirm"


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ses]:
    with ses.running(monkeypatch) as running:
        yield running


@pytest.fixture
def svc(svc: Services) -> Services:
    """A deployment that sends mail and allows such codes."""
    return replace(svc, settings=replace(svc.settings, mail_from="login@id.example", email_codes=True))


@pytest.fixture
def phone(svc: Services, clock: Clock, mailbox: Ses) -> Iterator[DeliveringPhone]:  # noqa: ARG001 - it is there first
    with installed(svc):
        yield DeliveringPhone(clock)


@pytest.fixture
def token(phone: DeliveringPhone, mailbox: Ses) -> str:
    """The access token of an owner whose address is verified."""
    token: str = phone.sign_up()["access_token"]
    code = {"code": mailbox.mails[0].code}
    assert phone.call("POST /me/email/verification/code", code, token=token).status == 204
    return token


def begin(phone: Phone, token: str) -> Answer:
    return phone.call(f"POST {FACTORS}", {"kind": "email_code"}, token=token)


@pytest.fixture
def enrolled(phone: DeliveringPhone, mailbox: Ses, token: str) -> str:
    """The access token of an owner who is mailed a code at each login."""
    begun = begin(phone, token).json()
    assert begun["challenge"] == {"email": EMAIL}
    body = {"token": begun["token"], "answer": mailbox.mails[-1].code}
    assert phone.call(CONFIRM, {**body, "answer": "000000"}, token=token).status == 401
    assert phone.call(CONFIRM, body, token=token).status == 201
    return token


def test_who_has_the_password_and_a_weaker_session_gets_no_codes_by_another_address(
    phone: DeliveringPhone, mailbox: Ses, token: str
) -> None:
    """Or could erase the account, and change its factors, with a remembered device's session or one of before."""
    weak = phone.log_in()["access_token"]
    begun = begin(phone, token).json()
    assert phone.call(CONFIRM, {"token": begun["token"], "answer": mailbox.mails[-1].code}, token=token).status == 201
    mailbox.mails.clear()
    for password in ["a wrong and long password"] * 10 + [PASSWORD]:  # none of which is counted
        change = {"email": "thief@example.com", "password": password}
        assert refusal(phone.call("POST /me/email", change, token=weak)) == (401, "login_required")
    assert mailbox.mails == []
    # Adding the factor has raised the session that did.
    assert phone.call("POST /me/email", change, token=token).status == 202
    assert mailbox.mails[-1].to == "thief@example.com"


@pytest.mark.usefixtures("enrolled")
@pytest.mark.parametrize("name", LOGIN_CLIENTS)
def test_a_code_is_mailed_when_it_is_asked_for_and_is_good_in_its_own_login_once(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, name: str
) -> None:
    at: LoginClient = login_client(name, svc, phone)
    mailbox.mails.clear()
    first, other = at.password(), at.token(at.password())
    assert first.json()["factors"] == ["email_code"]
    assert mailbox.mails == []
    login = at.token(first)
    assert at.challenge(login, "email_code") == {"email": EMAIL}
    (mail,) = mailbox.mails
    assert mail.to == EMAIL
    assert mail.code not in mail.subject
    assert at.error(at.prove(other, "email_code", mail.code)) == at.wrong
    claims = peek(at.access_token(at.prove(login, "email_code", f"Your code is {mail.code}!")))[1]
    assert (claims["amr"], claims["acr"]) == (["pwd", "otp", "mfa"], "aal2")
    assert at.error(at.prove(login, "email_code", mail.code)) == at.over


def test_only_a_verified_address_is_one_to_mail_codes_to(phone: DeliveringPhone, mailbox: Ses) -> None:
    token = phone.sign_up()["access_token"]
    mailbox.mails.clear()
    assert refusal(begin(phone, token)) == (400, "invalid_request")
    assert mailbox.mails == []


def test_where_a_deployment_does_not_allow_it_nobody_adds_it_and_who_has_it_is_asked_still(
    phone: DeliveringPhone, enrolled: str, svc: Services
) -> None:
    with installed(replace(svc, settings=replace(svc.settings, email_codes=False))):
        assert "email_code" not in phone.call(f"GET {FACTORS}", token=enrolled).json()["kinds"]
        assert refusal(begin(phone, enrolled)) == (400, "invalid_request")
        assert phone.call("POST /login", {"email": EMAIL, "password": PASSWORD}).json()["factors"] == ["email_code"]


@pytest.mark.usefixtures("enrolled")
def test_a_forgotten_password_takes_no_second_mail_to_the_same_mailbox(phone: DeliveringPhone, mailbox: Ses) -> None:
    mailbox.mails.clear()
    assert phone.call("POST /password/reset", {"email": EMAIL}).status == 204
    body = {"token": mailbox.mails[0].token, "new_password": "an entirely other phrase 7"}
    assert phone.call("POST /password/reset/confirm", body).status == 204
    login = phone.call("POST /login", {"email": EMAIL, "password": body["new_password"]}).json()
    assert login["factors"] == ["email_code"]


@pytest.mark.usefixtures("enrolled")
def test_mails_are_few_whoever_knows_the_password(phone: DeliveringPhone, svc: Services, mailbox: Ses) -> None:
    at = login_client("json", svc, phone)
    mailbox.mails.clear()
    for _ in range(10):
        at.challenge(at.token(at.password()), "email_code")
    most, _ = svc.settings.limits["mail_account"]
    assert len(mailbox.mails) < most


@pytest.mark.usefixtures("enrolled")
def test_who_has_logged_in_by_mail_is_not_sent_in_circles_for_a_second_mail(
    phone: DeliveringPhone, svc: Services, mailbox: Ses
) -> None:
    app, browser = register(svc, phone), Browser(phone)
    page = browser.get(LOGIN)
    page = browser.post("/authorize/mail", {**forms(page)[LOGIN].hidden, "email": EMAIL})
    page = browser.submit(page, "/authorize/mailed", code=mailbox.mails[-1].code)
    assert forms(page)[PROOF].hidden["factor"] == "password"
    browser.submit(page, PROOF, answer=PASSWORD)
    for page_of_account in ("/account/factors", "/account/email"):
        assert LOGIN in forms(browser.get(page_of_account))
    assert "/authorize/consent" in forms(browser.authorize(app, acr_values="aal2"))
    app.client = manage.change(svc, app.client, replace(app.client, require_second_factor=True))
    assert "/authorize/enrol" in forms(browser.authorize(app))
