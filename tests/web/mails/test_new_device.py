"""Who logs in on a device that the account does not know has its owner mailed, who can end what that began."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.config import load
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import counter, wire
from tests.support.browser import ISSUER, Browser, forms, register
from tests.support.delivery import DeliveringPhone, waiting
from tests.support.login_clients import REQUEST
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal
from tests.support.ses import SentMail, Ses

END, HERE, NEW_PASSWORD = "/account/end-session", "198.51.100.7", "an entirely other phrase 7"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0"
SUBJECTS = ("A new device logged in to your account at Latchkey", "جهاز جديد سجّل الدخول إلى حسابك في Latchkey")


def mails(mailbox: Ses) -> list[SentMail]:
    return [mail for mail in mailbox.mails if mail.subject in SUBJECTS]


def log_in(phone: Phone, password: str = PASSWORD, *, agent: str = FIREFOX, **fields: str) -> Answer:
    body = {"email": EMAIL, "password": password, **fields}
    return phone.call("POST /login", body, headers={"User-Agent": agent})


@pytest.fixture
def known(phone: DeliveringPhone, svc: Services) -> str:
    """The device on which an account with a verified address was made."""
    signed_up = phone.sign_up()
    user = svc.users.read(signed_up["user"]["sub"])
    assert user
    svc.users.verify_email(user)
    token: str = signed_up["device_token"]
    return token


def submit(phone: Phone, link: str) -> Answer:
    browser = Browser(phone)
    return browser.submit(browser.get(link.removeprefix(ISSUER)), END)


def test_a_login_on_a_new_device_is_mailed_with_when_and_from_where(known: str, phone: Phone, mailbox: Ses) -> None:
    assert known
    assert mails(mailbox) == []
    assert log_in(phone).status == 200
    (mail,) = mails(mailbox)
    assert mail.to == EMAIL
    for part in (mail.text, mail.html):
        for words in (EMAIL, "Firefox on Linux", HERE, "2027-01-15 08:00 UTC"):
            assert words in part
    assert mail.link.startswith(f"{ISSUER}{END}?token=")


def test_a_login_on_a_known_device_is_not_mailed_nor_are_the_next_ones(known: str, phone: Phone, mailbox: Ses) -> None:
    answer = log_in(phone, device_token=known)
    assert log_in(phone, device_token=answer.json()["device_token"]).status == 200
    phone.refresh(answer.json()["refresh_token"])
    assert mails(mailbox) == []


@pytest.mark.parametrize("change", ["password", "sessions"])
def test_a_device_of_before_the_account_was_secured_is_new_again(
    known: str, phone: Phone, mailbox: Ses, change: str
) -> None:
    access = log_in(phone, device_token=known).json()["access_token"]
    if change == "password":
        body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
        assert phone.call("POST /me/password", body, token=access).status == 204
        assert log_in(phone, NEW_PASSWORD, device_token=known).status == 200
    else:
        assert phone.call("DELETE /me/sessions", token=access).status == 204
        assert log_in(phone, device_token=known).status == 200
    assert len(mails(mailbox)) == 1


def test_another_accounts_device_is_new_to_this_one(known: str, phone: Phone, mailbox: Ses) -> None:
    assert known
    other = phone.sign_up("ben@example.com")["device_token"]
    assert log_in(phone, device_token=other).status == 200
    assert len(mails(mailbox)) == 1


def test_a_browser_is_known_by_its_cookie_and_where_it_is_logged_in_already(
    known: str, phone: Phone, mailbox: Ses
) -> None:
    assert known
    browser = Browser(phone)
    on_page(browser)
    assert len(mails(mailbox)) == 1
    on_page(browser)
    del browser.cookies["__Host-latchkey-session"]
    on_page(browser)
    del browser.cookies["__Host-latchkey-device"]  # as of a release that gave none
    on_page(browser)
    assert len(mails(mailbox)) == 1
    assert "__Host-latchkey-device" in browser.cookies


def on_page(browser: Browser) -> None:
    page = browser.submit(browser.get("/authorize/login"), "/authorize/login", email=EMAIL, password=PASSWORD)
    assert EMAIL.encode() in page.body


def test_a_first_party_app_is_new_until_it_brings_what_it_got(
    known: str, phone: Phone, svc: Services, mailbox: Ses
) -> None:
    assert known
    app = register(svc, phone, "native", first_party=True)
    fields = {**REQUEST, "email": EMAIL, "password": PASSWORD}
    device_token = app.post("/oauth/authorize-challenge", fields).json()["device_token"]
    assert len(mails(mailbox)) == 1
    assert app.post("/oauth/authorize-challenge", {**fields, "device_token": device_token}).status == 200
    assert len(mails(mailbox)) == 1


def test_a_code_in_a_browsers_session_is_no_new_device(known: str, phone: Phone, svc: Services, mailbox: Ses) -> None:
    assert known
    app, browser = register(svc, phone), Browser(phone)
    assert app.tokens(browser)["access_token"]
    assert app.tokens(browser)["access_token"]
    assert len(mails(mailbox)) == 1


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_mail_is_in_the_language_of_the_login(known: str, phone: Phone, mailbox: Ses, language: str) -> None:
    assert known
    headers = {"User-Agent": "Chrome/141 CrOS", "Accept-Language": language}
    assert phone.call("POST /login", {"email": EMAIL, "password": PASSWORD}, headers=headers).status == 200
    (mail,) = mails(mailbox)
    assert mail.subject == SUBJECTS[language == "ar"]
    # It is set apart from the sentence, so it has to say itself that it runs from right to left.
    device = "Chrome on ChromeOS" if language == "en" else "\u200fChrome على ChromeOS"
    assert device in mail.text
    assert f"<bdi>{device}</bdi>" in mail.html
    assert f"ui_locales={language}" in mail.link


def test_a_page_in_a_language_has_the_mail_in_it(known: str, phone: Phone, mailbox: Ses) -> None:
    assert known
    browser = Browser(phone)
    page = browser.get("/authorize/login?ui_locales=ar")
    browser.submit(page, "/authorize/login", email=EMAIL, password=PASSWORD)
    assert [mail.subject for mail in mails(mailbox)] == [SUBJECTS[1]]


AGENTS = {
    "Call +1 555 0100 at once: <b>your account is locked</b>": "an unknown device",
    "Firefox/<script>": "Firefox",
    "": "an unknown device",
    "okhttp/4.12 (Linux; Android 15)": "an application on Android",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36 Edg/141.0": "Edge on Windows",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile Safari/604.1": "Safari on iOS",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537 Chrome/141.0.0.0 Safari/537.36": "Chrome on macOS",
    "Mozilla/5.0 (Linux; Android 15) SamsungBrowser/28.0 Chrome/130 Mobile Safari/537": "Samsung Internet on Android",
    "x" * 5000 + "Firefox/1": "an unknown device",
}


@pytest.mark.parametrize("agent", AGENTS)
def test_nothing_that_a_request_says_of_itself_is_mailed(known: str, phone: Phone, mailbox: Ses, agent: str) -> None:
    assert known
    assert log_in(phone, agent=agent, device="Your account is locked: call +1 555 0100").status == 200
    (mail,) = mails(mailbox)
    assert f"for it before: {AGENTS[agent]}, from" in mail.text
    for part in (mail.text, mail.html):
        assert "0100" not in part
        assert "<script" not in part


def test_nobody_is_mailed_for_what_is_no_complete_login(known: str, phone: Phone, svc: Services, mailbox: Ses) -> None:
    assert known
    assert log_in(phone, "a wrong one").status == 401
    with counter.installed():
        uid = svc.users.find(EMAIL) or ""
        counter.enrol(svc, uid)
        token = log_in(phone).json()["mfa_token"]
        proof = {"mfa_token": token, "factor": "counter"}
        assert phone.call("POST /login/proof", {**proof, "answer": "wrong"}).status == 401
        assert mails(mailbox) == []
        assert phone.call("POST /login/proof", {**proof, "answer": counter.code(uid, 1)}).status == 200
        assert len(mails(mailbox)) == 1


def test_an_address_that_nobody_has_verified_is_not_mailed(phone: DeliveringPhone, mailbox: Ses) -> None:
    phone.sign_up()
    assert log_in(phone).status == 200
    assert mails(mailbox) == []


def test_a_deployment_can_have_it_off(known: str, svc: Services, clock: Clock, mailbox: Ses) -> None:
    assert known
    off = load({"LATCHKEY_ISSUER": ISSUER, "LATCHKEY_NEW_DEVICE_MAIL": "off"}).new_device_mail
    with installed(replace(svc, settings=replace(svc.settings, new_device_mail=off))):
        assert log_in(DeliveringPhone(clock)).status == 200
    assert mails(mailbox) == []


def test_who_knows_the_password_cannot_flood_its_owner(known: str, phone: Phone, clock: Clock, mailbox: Ses) -> None:
    assert known
    for _ in range(15):
        assert log_in(phone).status == 200
    assert len(mails(mailbox)) == 10
    clock.advance(24 * 3600)
    assert log_in(phone).status == 200
    assert len(mails(mailbox)) == 11


def test_the_mail_and_the_session_are_one_write(known: str, phone: DeliveringPhone, svc: Services) -> None:
    assert known
    phone.delivers = False
    with wire.watched(svc) as traffic:
        assert log_in(phone).status == 200
    assert traffic.calls == ["TransactWriteItems", "GetItem", "GetItem", "TransactWriteItems"]
    assert [item.kind for item in waiting()] == ["new device"]
    session_id = waiting()[0].message.session_id  # type: ignore[attr-defined]
    assert session_id in [each.session_id for each in svc.sessions.of_user(svc.users.find(EMAIL) or "")]


def test_its_link_ends_that_session_alone_and_only_by_its_button(known: str, phone: Phone, mailbox: Ses) -> None:
    own, stranger = log_in(phone, device_token=known).json(), log_in(phone).json()
    (mail,) = mails(mailbox)
    path = mail.link.removeprefix(ISSUER)
    for method in ("GET", "GET"):
        assert phone.call(f"{method} {path}").status == 200
    stranger = phone.refresh(stranger["refresh_token"])
    page = submit(phone, mail.link)
    assert b"That device is logged out" in page.body
    assert b"/account/forgot-password" in page.body
    assert refusal(phone.call("POST /refresh", {"refresh_token": stranger["refresh_token"]})) == (401, "invalid_grant")
    assert refusal(phone.call("GET /me", token=stranger["access_token"])) == (401, "invalid_token")
    assert phone.refresh(own["refresh_token"])
    assert b"That device is logged out" in submit(phone, mail.link).body


def test_its_link_ends_a_browsers_session_with_all_that_began_in_it_also_for_its_absence(
    known: str, phone: Phone, svc: Services, mailbox: Ses
) -> None:
    assert known
    app, browser = register(svc, phone), Browser(phone)
    tokens: dict[str, Any] = app.tokens(browser)
    submit(phone, mails(mailbox)[0].link)
    assert b"/oauth/logout" not in browser.get("/").body
    assert app.refresh(tokens["refresh_token"]).status == 400


def test_its_link_is_good_for_a_week_and_no_other_text_is_one(
    known: str, phone: Phone, clock: Clock, mailbox: Ses
) -> None:
    access = log_in(phone).json()["access_token"]
    (mail,) = mails(mailbox)
    path = mail.link.removeprefix(ISSUER)
    wrong = [known, access, "x", "", path.partition("token=")[2].partition("&")[0][:-6]]
    for token in wrong:
        page = Browser(phone).get(f"{END}?token={token}")
        assert b"does not work any more" in page.body
        assert END not in forms(page)
    clock.advance(7 * 24 * 3600)
    assert b"does not work any more" in Browser(phone).get(path).body


def test_the_form_of_another_site_ends_nothing(known: str, phone: Phone, mailbox: Ses) -> None:
    assert known
    tokens = log_in(phone).json()
    (mail,) = mails(mailbox)
    browser = Browser(phone)
    page = browser.get(mail.link.removeprefix(ISSUER))
    browser.submit(page, END, origin="https://evil.example")
    browser.post(END, {**forms(page)[END].hidden, "token": known})
    Browser(phone).submit(page, END)
    assert phone.refresh(tokens["refresh_token"])


def test_of_an_account_that_is_gone_the_link_does_nothing(known: str, phone: Phone, mailbox: Ses) -> None:
    assert known
    access = log_in(phone).json()["access_token"]
    (mail,) = mails(mailbox)
    assert phone.call("DELETE /me", {"password": PASSWORD}, token=access).status == 204
    assert b"That device is logged out" in submit(phone, mail.link).body
