"""A new password for who has forgotten theirs, by the mail to the account's address."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chalicelib.services import Services
from local.gateway import Answer
from tests.support import wire
from tests.support.browser import Browser, forms, register
from tests.support.delivery import DeliveringPhone, deliver, waiting
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal
from tests.support.ses import SentMail, Ses
from tests.support.staged import just_before

ASK, CONFIRM = "POST /password/reset", "POST /password/reset/confirm"
FORGOT, RESET = "/account/forgot-password", "/account/reset-password"
NEW, HOUR = "an entirely other phrase 7", 3600


def ask(phone: Phone, email: str = EMAIL) -> Answer:
    return phone.call(ASK, {"email": email})


def confirm(phone: Phone, token: str, password: str = NEW) -> Answer:
    return phone.call(CONFIRM, {"token": token, "new_password": password})


def mailed(phone: Phone, mailbox: Ses, email: str = EMAIL) -> SentMail:
    """The mail that somebody gets who asks."""
    mailbox.mails.clear()
    assert ask(phone, email).status == 204
    (mail,) = mailbox.mails
    return mail


def login_status(phone: Phone, password: str) -> int:
    return phone.call("POST /login", {"email": EMAIL, "password": password}).status


def test_who_has_forgotten_the_password_gets_in_again_and_everybody_else_is_out(
    phone: DeliveringPhone, mailbox: Ses
) -> None:
    tokens = phone.sign_up()
    mail = mailed(phone, mailbox)
    assert mail.to == EMAIL
    assert confirm(phone, mail.token).status == 204
    assert (login_status(phone, PASSWORD), login_status(phone, NEW)) == (401, 200)
    assert refusal(phone.call("POST /refresh", {"refresh_token": tokens["refresh_token"]})) == (401, "invalid_grant")
    assert refusal(phone.call("GET /me", token=tokens["access_token"])) == (401, "invalid_token")
    assert "password" in mailbox.mails[-2].subject  # and then that of the new login


def test_so_does_who_uses_the_pages(phone: DeliveringPhone, mailbox: Ses) -> None:
    phone.sign_up()
    mailbox.mails.clear()
    browser = Browser(phone)
    assert FORGOT.encode() in browser.get("/authorize/login").body
    page = browser.submit(browser.get(FORGOT), FORGOT, email=EMAIL)
    assert b"Check your mailbox" in page.body
    other_browser = Browser(phone)
    page = other_browser.get(mailbox.mails[0].link.removeprefix("https://id.example"))
    weak = other_browser.submit(page, RESET, password="password")
    assert RESET in forms(weak)
    done = other_browser.submit(weak, RESET, password=NEW)
    assert b"You have a new password" in done.body
    assert login_status(phone, NEW) == 200
    assert "/authorize/login" in forms(other_browser.get("/account/sessions"))  # it logged nobody in


def test_who_finds_the_address_taken_or_the_link_too_old_is_led_to_a_new_one(phone: DeliveringPhone) -> None:
    """Somebody else may have signed up with it."""
    phone.sign_up()
    browser = Browser(phone)
    page = browser.get("/authorize/signup")
    assert FORGOT.encode() not in page.body
    refused_page = browser.submit(page, "/authorize/signup", email=EMAIL, password="not the one that it has 3")
    assert FORGOT.encode() in refused_page.body
    assert FORGOT.encode() in browser.get(f"{RESET}?token=x").body


def test_password_managers_lead_who_is_logged_in_to_their_own_page(phone: DeliveringPhone, svc: Services) -> None:
    phone.sign_up()
    browser = Browser(phone)
    browser.submit(browser.get("/authorize/login"), "/authorize/login", email=EMAIL, password=PASSWORD)
    assert "/account/password" in forms(browser.get("/.well-known/change-password"))
    with installed(replace(svc, settings=replace(svc.settings, mail_from=""))):
        assert "/account/password" in forms(browser.get("/.well-known/change-password"))
        svc.users.disable(svc.users.find(EMAIL) or "")
        assert browser.get("/.well-known/change-password").status == 404


def test_password_managers_find_the_page_for_a_new_password(phone: DeliveringPhone, svc: Services) -> None:
    answer = phone.call("GET /.well-known/change-password")
    assert (answer.status, answer.header("Location")) == (303, f"https://id.example{FORGOT}")
    assert FORGOT in forms(Browser(phone).get("/.well-known/change-password"))
    # They look for this one to learn whether a site has a page for everything.
    missing = "GET /.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"
    assert phone.call(missing).status in (403, 404)
    with installed(replace(svc, settings=replace(svc.settings, mail_from=""))):
        assert phone.call("GET /.well-known/change-password").status == 404


@pytest.mark.parametrize(
    "email",
    [
        "nobody@example.com",
        "mıke@example.com",
        "x@" + "y" * 200,
        '"ann@example.com"@victim.test',
        "ann@example.com＠victim.test",
        "ann＠evil.test@example.com",
        "Ann <ann@example.com>",
        "ann@example.com,eve@evil.test",
    ],
)
def test_whether_there_is_an_account_is_in_no_answer_and_no_call(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, email: str
) -> None:
    phone.sign_up()
    phone.sign_up("mike@example.com")
    mailbox.mails.clear()
    phone.delivers = False
    answers, calls = [], []
    for address in (EMAIL, email):
        with wire.watched(svc) as traffic:
            answer = ask(phone, address)
        answers.append((answer.status, answer.body, {name for name, _ in answer.headers}))
        calls.append(traffic.calls)
    assert answers[0] == answers[1]
    assert calls[0] == calls[1] == ["TransactWriteItems", "TransactWriteItems"]
    deliver()
    assert [mail.to for mail in mailbox.mails] == [EMAIL]
    assert waiting() == []
    pages = [Browser(phone) for _ in range(2)]
    bodies = [
        each.submit(each.get(FORGOT), FORGOT, email=to).body for each, to in zip(pages, (EMAIL, email), strict=True)
    ]
    assert bodies[0] == bodies[1]


def test_the_mail_goes_to_the_address_as_its_owner_has_it_however_it_was_typed(
    phone: DeliveringPhone, mailbox: Ses
) -> None:
    phone.sign_up("Ann.B@example.com")
    assert mailed(phone, mailbox, "ann.b@EXAMPLE.com").to == "Ann.B@example.com"


def test_a_link_is_good_once_also_for_many_at_once(phone: DeliveringPhone, mailbox: Ses) -> None:
    phone.sign_up()
    token = mailed(phone, mailbox).token
    phone.delivers = False
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: confirm(phone, token, f"{NEW} {number}").status, range(8)))
    assert sorted(answers) == [204, *[404] * 7]
    assert refusal(confirm(phone, token)) == (404, "not_found")


def test_a_link_does_not_outlive_what_it_is_bound_to(phone: DeliveringPhone, mailbox: Ses, clock: Clock) -> None:
    access = phone.sign_up()["access_token"]
    tokens = [mailed(phone, mailbox).token for _ in range(2)]
    change = {"current_password": PASSWORD, "new_password": NEW}
    assert phone.call("POST /me/password", change, token=access).status == 204
    assert [refusal(confirm(phone, token)) for token in tokens] == [(404, "not_found")] * 2
    token = mailed(phone, mailbox).token
    clock.advance(HOUR)
    assert refusal(confirm(phone, token)) == (404, "not_found")
    assert login_status(phone, NEW) == 200


@pytest.mark.parametrize("wrong", ["x", "cut", "a link to verify"])
def test_what_is_no_link_changes_nothing_and_costs_nothing(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, wrong: str
) -> None:
    phone.sign_up()
    verify = mailbox.mails[0].token
    good = mailed(phone, mailbox).token
    with wire.watched(svc) as traffic:
        answer = phone.call(
            CONFIRM, {"token": {"cut": good[:-2], "a link to verify": verify}.get(wrong, wrong), "new_password": NEW}
        )
        calls = [each for each in traffic.calls if each != "Scan"]  # which looks for what is to be delivered
    assert refusal(answer) == (404, "not_found")
    assert calls == []
    assert login_status(phone, PASSWORD) == 200


@pytest.mark.parametrize("by", ["another site", "no form token", "another link's form token", "no token", "a code"])
def test_a_form_that_is_not_this_browsers_changes_no_password(phone: DeliveringPhone, mailbox: Ses, by: str) -> None:
    phone.sign_up()
    phone.sign_up("bob@example.com")
    verify = mailbox.mails[0]
    mine, others = (
        mailed(phone, mailbox, to).link.removeprefix("https://id.example") for to in (EMAIL, "bob@example.com")
    )
    browser = Browser(phone)
    form, other = (forms(browser.get(link))[RESET].hidden for link in (mine, others))
    fields = {
        "another site": form,
        "no form token": {"token": form["token"], "to": form["to"]},
        "another link's form token": {**form, "form_token": other["form_token"]},
        "no token": {**form, "token": ""},
        "a code": {**form, "token": verify.code},
    }
    origin = "https://evil.example" if by == "another site" else "https://id.example"
    browser.post(RESET, {**fields[by], "password": NEW}, origin=origin)
    assert login_status(phone, PASSWORD) == 200


def test_a_link_is_of_one_address_and_of_no_other_that_the_account_has_later(
    phone: DeliveringPhone, svc: Services, mailbox: Ses
) -> None:
    uid = phone.sign_up()["user"]["sub"]
    token = mailed(phone, mailbox).token
    svc.users._client.call(
        "UpdateItem",
        TableName=svc.settings.users_table,
        Key={"pk": {"S": f"user#{uid}"}, "sk": {"S": "profile"}},
        UpdateExpression="SET email = :new",
        ExpressionAttributeValues={":new": {"S": "new@example.com"}},
    )
    assert refusal(confirm(phone, token)) == (404, "not_found")


def test_a_link_is_of_one_account_and_of_no_later_one_with_its_address(phone: DeliveringPhone, mailbox: Ses) -> None:
    access = phone.sign_up()["access_token"]
    token = mailed(phone, mailbox).token
    assert phone.call("DELETE /me", {"password": PASSWORD}, token=access).status == 204
    phone.sign_up()
    assert refusal(confirm(phone, token)) == (404, "not_found")
    assert login_status(phone, PASSWORD) == 200


def test_a_link_gets_nobody_in_by_itself(phone: DeliveringPhone, mailbox: Ses) -> None:
    phone.sign_up()
    token = mailed(phone, mailbox).token
    assert phone.call("GET /me", token=token).status in (401, 403)
    assert phone.call("POST /refresh", {"refresh_token": token}).status == 401
    browser = Browser(phone)
    page = browser.get(f"{RESET}?token={token}")
    assert page.header("Cache-Control") == "no-store"
    assert page.header("Referrer-Policy") == "same-origin"  # its address is no other site's to see
    assert "/authorize/login" in forms(browser.get("/account/sessions"))
    assert "does not work" in browser.get(f"/account/verify-email?token={token}").body.decode()


@pytest.mark.parametrize(
    "email",
    [
        "",
        "@",
        "\0",
        "ann\0@example.com",
        "\ud800@example.com",
        "\ufdfa" * 300,
        "x" * 2000,
        f"{EMAIL}\r\nBcc: e@evil.test",
    ],
)
def test_what_is_no_address_mails_nobody_and_is_no_fault(phone: DeliveringPhone, mailbox: Ses, email: str) -> None:
    phone.sign_up()
    mailbox.mails.clear()
    assert ask(phone, email).status in (204, 400)
    browser = Browser(phone)
    typed = email.replace("\ud800", "%ED%A0%80")
    assert b"Check your mailbox" in browser.submit(browser.get(FORGOT), FORGOT, email=typed).body
    assert (mailbox.mails, waiting()) == ([], [])


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "Forwarded", "Origin"])
def test_a_link_leads_to_the_issuer_whatever_host_was_asked(phone: DeliveringPhone, mailbox: Ses, header: str) -> None:
    phone.sign_up()
    mailbox.mails.clear()
    forged = {header: "host=evil.example" if header == "Forwarded" else "evil.example"}
    phone.call(ASK, {"email": EMAIL}, headers=forged)
    assert [mail.link.partition("?")[0] for mail in mailbox.mails] == [f"https://id.example{RESET}"]


def test_what_is_logged_of_a_link_is_not_the_link(
    phone: DeliveringPhone, mailbox: Ses, capsys: pytest.CaptureFixture[str]
) -> None:
    phone.sign_up()
    mail = mailed(phone, mailbox)
    browser = Browser(phone)
    browser.submit(browser.get(mail.link.removeprefix("https://id.example")), RESET, password=NEW)
    browser.get(mail.link.removeprefix("https://id.example"))
    confirm(phone, mail.token)
    logged = capsys.readouterr().out
    assert RESET in logged
    assert mail.token not in logged
    assert EMAIL not in logged


def test_programs_that_open_the_link_use_up_nothing(phone: DeliveringPhone, mailbox: Ses) -> None:
    phone.sign_up()
    mail = mailed(phone, mailbox)
    for method in ("HEAD", "GET", "GET"):
        phone.call(f"{method} {mail.link.removeprefix('https://id.example')}")
    assert confirm(phone, mail.token).status == 204


def test_a_weak_password_is_refused_and_the_link_stays_good(phone: DeliveringPhone, mailbox: Ses) -> None:
    phone.sign_up()
    token = mailed(phone, mailbox).token
    assert confirm(phone, token, "password").status == 422
    assert confirm(phone, token).status == 204


def test_a_reset_leaves_nothing_to_who_signed_up_with_somebody_elses_address(
    phone: DeliveringPhone, mailbox: Ses
) -> None:
    attacker = phone.sign_up()
    mail = mailed(phone, mailbox)
    assert confirm(phone, mail.token).status == 204
    assert login_status(phone, PASSWORD) == 401
    assert phone.call("POST /refresh", {"refresh_token": attacker["refresh_token"]}).status == 401
    assert phone.log_in(password=NEW)
    assert phone.call("GET /me", token=phone.log_in(password=NEW)["access_token"]).json()["email_verified"] is True


def test_a_reset_takes_back_what_was_allowed_to_apps(phone: DeliveringPhone, svc: Services, mailbox: Ses) -> None:
    """Else whoever signed up with the address, or got in, would have said yes to an app of their own in its owner's name."""
    phone.sign_up()
    app = register(svc, phone)
    assert Browser(phone).code(app)
    assert confirm(phone, mailed(phone, mailbox).token).status == 204
    browser = Browser(phone)
    page = browser.submit(browser.authorize(app), "/authorize/login", email=EMAIL, password=NEW)
    assert "/authorize/consent" in forms(page)


def test_also_what_is_allowed_in_the_moment_before_it(phone: DeliveringPhone, svc: Services, mailbox: Ses) -> None:
    uid = phone.sign_up()["user"]["sub"]
    app = register(svc, phone)
    token = mailed(phone, mailbox).token
    phone.delivers = False
    with just_before(svc.transactions._client, "TransactWriteItems", lambda: Browser(phone).code(app)):
        assert confirm(phone, token).status == 204
    assert svc.clients.consent(uid, app.id, since=0) is None


def test_a_disabled_account_gets_no_mail_and_its_links_are_dead(
    phone: DeliveringPhone, svc: Services, mailbox: Ses
) -> None:
    uid = phone.sign_up()["user"]["sub"]
    token = mailed(phone, mailbox).token
    svc.users.disable(uid)
    mailbox.mails.clear()
    assert ask(phone).status == 204
    assert mailbox.mails == []
    assert refusal(confirm(phone, token)) == (404, "not_found")


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.com"])
def test_a_mailbox_is_not_flooded_and_the_limit_is_alike_for_unknown_addresses(
    phone: DeliveringPhone, email: str
) -> None:
    phone.sign_up()
    assert [ask(phone, each).status for each in (email, email.upper(), email, email)] == [204, 204, 204, 429]
    elsewhere = DeliveringPhone(phone.gateway._now, address="203.0.113.9")  # type: ignore[arg-type]
    assert ask(elsewhere, email).status == 204  # nobody else's guesses keep the owner from it


def test_one_network_asks_for_few_addresses(phone: DeliveringPhone) -> None:
    statuses = [ask(phone, f"{number}@example.com").status for number in range(21)]
    assert statuses == [204] * 20 + [429]


@pytest.mark.parametrize("mode", wire.MODES)
def test_the_password_the_end_of_sessions_and_the_news_are_one_write(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, mode: str
) -> None:
    phone.sign_up()
    token = mailed(phone, mailbox).token
    mailbox.mails.clear()
    phone.delivers = False
    failure, afterwards = wire.MODES[mode]
    with wire.watched(svc, wire.Wire(fail_at=2, failure=failure, afterwards=afterwards)):
        confirm(phone, token)
    deliver()
    assert len(mailbox.mails) == int(login_status(phone, NEW) == 200)


def test_a_person_reads_which_rule_a_new_password_breaks_and_the_link_stays_good(
    svc: Services, phone: DeliveringPhone, mailbox: Ses
) -> None:
    with installed(replace(svc, settings=replace(svc.settings, password_history=1))):
        phone.sign_up()
        browser = Browser(phone)
        page = browser.get(mailed(phone, mailbox).link.removeprefix("https://id.example"))
        for password, text in (
            ("Ab3$x", "It needs at least 8 characters."),
            ("ann@example1999", "hardly more than your address"),
            ("qwertyuiop", "too easy to guess"),
            (PASSWORD, "had this password before"),
        ):
            page = browser.submit(page, "/account/reset-password", password=password)
            assert text.encode() in page.body
            assert b'aria-invalid="true" aria-describedby="password-error password-hint"' in page.body
        page = browser.submit(page, "/account/reset-password", password=NEW)
    assert b"You have a new password" in page.body


def test_a_good_link_is_no_way_to_have_passwords_judged_without_end(phone: DeliveringPhone, mailbox: Ses) -> None:
    phone.sign_up()
    mail = mailed(phone, mailbox)
    assert [confirm(phone, mail.token, "qwertyuiop").status for _ in range(22)] == [422] * 20 + [429] * 2
    browser = Browser(phone)
    page = browser.get(mail.link.removeprefix("https://id.example"))
    page = browser.submit(page, "/account/reset-password", password=NEW)
    assert b"too many attempts" in page.body
    assert b'aria-invalid="true"' not in page.body
