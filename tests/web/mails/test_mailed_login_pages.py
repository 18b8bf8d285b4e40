"""A login by mail on the pages: in the browser that asked for it, by whoever reads the mail, and nowhere else."""

import re
from dataclasses import replace
from html import unescape
from urllib.parse import urlencode

import pytest

from chalicelib.config import LIMITS
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import counter
from tests.support.browser import ISSUER, App, Browser, forms, place, register
from tests.support.delivery import DeliveringPhone
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed
from tests.support.ses import SentMail, Ses

LOGIN, ASK, MAILED, CONSENT = "/authorize/login", "/authorize/mail", "/authorize/mailed", "/authorize/consent"
BOB = "bob@example.com"


@pytest.fixture
def app(phone: DeliveringPhone, svc: Services, mailbox: Ses) -> App:
    phone.sign_up()
    app = register(svc, phone, "web")
    mailbox.mails.clear()
    return app


def ask(browser: Browser, page: Answer, email: str = EMAIL, **typed: str) -> Answer:
    """The page that comes after the login form's button for a mail."""
    return browser.post(ASK, {**forms(page)[LOGIN].hidden, "email": email, **typed})


def path_of(mail: SentMail) -> str:
    return mail.link.removeprefix(ISSUER)


def text(page: Answer) -> str:
    return unescape(re.sub(r"<[^>]*>", "", page.body.decode()))


def logged_in(browser: Browser) -> bool:
    return LOGIN not in forms(browser.get("/account/sessions"))


def test_who_types_the_code_goes_on_to_the_application(phone: DeliveringPhone, app: App, mailbox: Ses) -> None:
    browser = Browser(phone)
    page = ask(browser, browser.authorize(app))
    assert EMAIL in text(page)
    wrong = browser.submit(page, MAILED, code="000000")
    assert "is wrong" in text(wrong)
    right = browser.submit(wrong, MAILED, code=f"Your code is {mailbox.mails[0].code}!")
    assert place(browser.submit(right, CONSENT, decision="allow")) == "https://app.example/cb"
    assert "__Host-latchkey-attempt" not in browser.cookies


def test_who_opens_the_link_in_the_same_browser_goes_on_to_the_application(
    phone: DeliveringPhone, app: App, mailbox: Ses
) -> None:
    browser = Browser(phone)
    ask(browser, browser.authorize(app))
    page = browser.get(path_of(mailbox.mails[0]))
    assert EMAIL in text(page)
    assert app.client.client_name in text(page)
    assert not logged_in(browser)  # opening it does nothing
    assert place(browser.submit(browser.submit(page, MAILED), CONSENT, decision="allow")) == "https://app.example/cb"
    assert logged_in(browser)


def test_programs_that_look_through_mail_use_up_nothing_and_are_logged_in_nowhere(
    phone: DeliveringPhone, app: App, mailbox: Ses
) -> None:
    """Not even one that presses every button that it finds."""
    browser, scanner = Browser(phone), Browser(phone)
    ask(browser, browser.authorize(app))
    path = path_of(mailbox.mails[0])
    for method in ("HEAD", "GET", "GET"):
        scanner.phone.call(f"{method} {path}")
    page = scanner.get(path)
    for action, form in forms(page).items():
        scanner.post(action, {**form.hidden, **form.typed})
    mine = forms(browser.get(path))[MAILED].hidden
    scanner.post(MAILED, mine)
    scanner.post(MAILED, {**mine, "code": mailbox.mails[0].code})
    assert "__Host-latchkey-session" not in scanner.cookies
    browser.post(MAILED, mine)
    assert logged_in(browser)


def test_a_link_that_is_opened_elsewhere_shows_the_code_and_logs_nobody_in(
    phone: DeliveringPhone, app: App, mailbox: Ses
) -> None:
    browser, other = Browser(phone), Browser(phone)
    waiting = ask(browser, browser.authorize(app))
    page = other.get(path_of(mailbox.mails[0]))
    assert not forms(page)
    assert mailbox.mails[0].code in text(page)
    assert not logged_in(other)
    assert CONSENT in forms(browser.submit(waiting, MAILED, code=mailbox.mails[0].code))


def test_the_link_of_another_account_or_attempt_never_completes_the_login_that_waits(
    phone: DeliveringPhone, app: App, mailbox: Ses
) -> None:
    phone.sign_up(BOB)
    mailbox.mails.clear()
    for_ann, for_bob, earlier = Browser(phone), Browser(phone), Browser(phone)
    ask(for_bob, for_bob.authorize(app), BOB)
    ask(earlier, earlier.authorize(app))
    waiting = ask(for_ann, for_ann.authorize(app))
    bobs, earlier_mail, mine = mailbox.mails
    for mail in (bobs, earlier_mail):
        assert not forms(for_ann.get(path_of(mail)))
        # The form of the login that waits, with the other mail's token in it.
        for_ann.post(MAILED, {**forms(waiting)[MAILED].hidden, "token": mail.token})
        for_ann.submit(waiting, MAILED, code=mail.code)
        assert not logged_in(for_ann)
    assert CONSENT in forms(for_ann.submit(waiting, MAILED, code=mine.code))


def test_whoever_got_a_browser_to_ask_has_nothing_of_its_reader(phone: DeliveringPhone, app: App, mailbox: Ses) -> None:
    """The reader of the mail, in whose browser nobody asked, does not log in who did by opening the link."""
    attacker, reader = Browser(phone), Browser(phone)
    waiting = ask(attacker, attacker.authorize(app))
    page = reader.get(path_of(mailbox.mails[0]))
    assert "give it to nobody" in text(page)
    attacker.submit(waiting, MAILED, code="")
    assert not logged_in(attacker)
    assert not logged_in(reader)


def test_a_form_or_a_cookie_of_another_browser_is_not_this_ones(phone: DeliveringPhone, app: App, mailbox: Ses) -> None:
    browser, thief = Browser(phone), Browser(phone)
    waiting = ask(browser, browser.authorize(app))
    thief.authorize(app)
    thief.cookies["__Host-latchkey-attempt"] = browser.cookies["__Host-latchkey-attempt"]
    code = mailbox.mails[0].code
    thief.submit(waiting, MAILED, code=code)
    assert not forms(thief.get(path_of(mailbox.mails[0])))
    browser.submit(waiting, MAILED, origin="https://evil.example", code=code)
    assert (logged_in(thief), logged_in(browser)) == (False, False)


def test_a_login_is_for_what_it_was_begun_for(phone: DeliveringPhone, app: App, svc: Services, mailbox: Ses) -> None:
    browser, other_app = Browser(phone), register(svc, phone, "spa")
    waiting = ask(browser, browser.authorize(app))
    form = forms(waiting)[MAILED].hidden
    to_other = forms(browser.authorize(other_app))[LOGIN].hidden["to"]
    browser.post(MAILED, {**form, "to": to_other, "code": mailbox.mails[0].code})
    assert not logged_in(browser)
    assert LOGIN in forms(browser.get(f"{MAILED}?{urlencode({'to': to_other})}"))


def test_who_comes_back_after_the_browser_was_closed_finds_the_same_step_and_the_code_is_good(
    phone: DeliveringPhone, app: App, mailbox: Ses
) -> None:
    browser = Browser(phone)
    request = app.request()
    ask(browser, browser.get("/oauth/authorize", request))
    reopened = Browser(phone)
    reopened.cookies = dict(browser.cookies)
    login = reopened.get("/oauth/authorize", request)
    (step,) = re.findall(rf'href="{ISSUER}({MAILED}[^"]*)"', login.body.decode())
    assert CONSENT in forms(reopened.submit(reopened.get(unescape(step)), MAILED, code=mailbox.mails[0].code))


def test_a_second_press_finds_who_is_logged_in_and_a_second_login_needs_a_second_mail(
    phone: DeliveringPhone, app: App, mailbox: Ses
) -> None:
    browser = Browser(phone)
    waiting = ask(browser, browser.authorize(app))
    before = dict(browser.cookies)
    code = mailbox.mails[0].code
    assert CONSENT in forms(browser.submit(waiting, MAILED, code=code))
    assert CONSENT in forms(browser.submit(waiting, MAILED, code=code))
    replay = Browser(phone)
    replay.cookies = before  # a copy of all that the browser had
    replay.submit(waiting, MAILED, code=code)
    assert not logged_in(replay)


def test_an_account_with_a_second_factor_is_asked_for_that_and_not_for_the_password(
    phone: DeliveringPhone, app: App, svc: Services, mailbox: Ses
) -> None:
    """Whoever reads the mail can have a new password: the two together are one factor."""
    uid = svc.users.find(EMAIL) or ""
    user = svc.users.read(uid)
    assert user
    svc.users.verify_email(user)
    with counter.installed():
        counter.enrol(svc, uid)
        browser = Browser(phone)
        proof = browser.submit(ask(browser, browser.authorize(app)), MAILED, code=mailbox.mails[0].code)
        assert not logged_in(browser)
        assert [value for name, value in forms(proof)["/authorize/proof"].buttons if name == "choose"] == []
        wrong = browser.submit(proof, "/authorize/proof", factor="password", answer=PASSWORD)
        assert not logged_in(browser)
        done = browser.submit(wrong, "/authorize/proof", answer=counter.code(uid, 1))
        assert CONSENT in forms(done)
        browsers = [each for each in svc.sessions.of_user(uid) if each.amr == ("email", "otp", "mfa")]
        assert len(browsers) == 1


def test_a_password_that_a_manager_has_filled_in_is_not_looked_at(phone: DeliveringPhone, app: App) -> None:
    for password in (PASSWORD, "a wrong one"):
        browser = Browser(phone)
        page = ask(browser, browser.authorize(app), password=password)
        assert MAILED in forms(page)
        assert not logged_in(browser)


def test_the_page_is_the_same_whether_there_is_such_an_account_or_not(
    phone: DeliveringPhone, app: App, mailbox: Ses
) -> None:
    bodies = []
    for email in (EMAIL, "eve@example.com"):
        browser = Browser(phone)
        body = ask(browser, browser.authorize(app), email).body.decode().replace(email, "")
        bodies.append(re.sub(r'value="[^"]*"', "", body))
    assert bodies[0] == bodies[1]
    assert [mail.to for mail in mailbox.mails] == [EMAIL]


def test_who_asks_too_often_reads_when_they_may_again(phone: DeliveringPhone, app: App, mailbox: Ses) -> None:
    browser = Browser(phone)
    page = ask(browser, browser.authorize(app))
    for _ in range(LIMITS["login_mail_address_network"][0] - 1):
        page = browser.submit(page, ASK)
    refused = browser.submit(page, ASK)
    assert re.search(r"You can try again in \d+ minutes", text(refused))
    assert len(mailbox.mails) == LIMITS["login_mail_address_network"][0]


def test_what_is_no_address_is_told_in_the_form(phone: DeliveringPhone, app: App, mailbox: Ses) -> None:
    browser = Browser(phone)
    assert "This is not an e-mail address" in text(ask(browser, browser.authorize(app), "ann"))
    assert mailbox.mails == []


def test_after_ten_minutes_neither_page_logs_in(phone: DeliveringPhone, app: App, mailbox: Ses, clock: Clock) -> None:
    browser = Browser(phone)
    waiting = ask(browser, browser.authorize(app))
    link = browser.get(path_of(mailbox.mails[0]))
    clock.advance(600)
    browser.submit(waiting, MAILED, code=mailbox.mails[0].code)
    browser.submit(link, MAILED)
    assert "does not work any more" in text(browser.get(path_of(mailbox.mails[0])))
    assert not logged_in(browser)


def test_a_login_that_leads_to_a_long_address_is_completed_by_its_link_too(
    phone: DeliveringPhone, app: App, mailbox: Ses
) -> None:
    browser = Browser(phone)
    ask(browser, browser.authorize(app, state="x" * 2000))
    assert all(len(line) < 4096 for line in browser.set_cookies)
    browser.submit(browser.get(path_of(mailbox.mails[0])), MAILED)
    assert logged_in(browser)


def test_without_mail_nothing_is_offered(svc: Services, clock: Clock) -> None:
    with installed(replace(svc, settings=replace(svc.settings, login_by_mail=False))):
        browser = Browser(Phone(clock))
        page = browser.get(LOGIN)
        assert ASK not in page.body.decode()
        assert MAILED not in forms(ask(browser, page))
