"""Another address for an account: confirmed by the mail to the new one, undone by the mail to the old one."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.accounts.email import canonical
from chalicelib.flows.accounts import cleanup
from chalicelib.services import Services
from chalicelib.web.mails.mail import texts
from local.gateway import Answer
from tests.support import passkeys, wire
from tests.support.authenticator import Authenticator
from tests.support.browser import Browser, forms
from tests.support.delivery import DeliveringPhone, deliver, waiting
from tests.support.login_clients import login_client
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal
from tests.support.ses import SentMail, Ses
from tests.support.staged import before_write, just_before

ASK, CONFIRM = "POST /me/email", "POST /me/email/confirm"
CHANGE, UNDO, LOGIN = "/account/change-email", "/account/undo-email-change", "/authorize/login"
NEW, THIRD = "ann@new.example", "ann@third.example"
NEW_PASSWORD, DAY = "an entirely other phrase 7", 24 * 3600
TOO_OLD = b"does not work any more"


def ask(phone: Phone, access: str, email: str = NEW, password: str = PASSWORD, **more: str) -> Answer:
    return phone.call(ASK, {"email": email, "password": password}, token=access, headers=more)


def mails(mailbox: Ses, name: str) -> list[SentMail]:
    subject = texts("en")[f"{name}.subject"].format(brand="Latchkey")
    return [mail for mail in mailbox.mails if mail.subject == subject]


def submit(phone: Phone, link: str, path: str, *, email: str = EMAIL, password: str = PASSWORD) -> bytes:
    """What a page says, with its button pressed if it has one; after a login with these, if it asks for one."""
    browser = Browser(phone)
    page = browser.follow_mail(link, email=email, password=password)
    return browser.submit(page, path).body if path in forms(page) else page.body


def change(phone: Phone, mailbox: Ses, access: str, email: str = NEW) -> None:
    """The address is changed by the link of the mail."""
    before = address(phone, access)
    assert ask(phone, access, email).status == 202
    link = mails(mailbox, "change_email")[-1].link
    assert b"Your address is changed" in submit(phone, link, CHANGE, email=before)


def sign_up(phone: DeliveringPhone, mailbox: Ses) -> dict[str, Any]:
    """A new account whose address is verified."""
    tokens = phone.sign_up()
    code = mails(mailbox, "verify_email")[-1].code
    assert phone.call("POST /me/email/verification/code", {"code": code}, token=tokens["access_token"]).status == 204
    return tokens


def address(phone: Phone, access: str) -> str:
    return str(phone.call("GET /me", token=access).json()["email"])


def login(phone: Phone, email: str, password: str = PASSWORD) -> int:
    return phone.call("POST /login", {"email": email, "password": password}).status


def undo_link(mailbox: Ses) -> str:
    return next(mail.link for mail in mails(mailbox, "email_changed") if mail.to == EMAIL)


def test_the_new_address_rules_once_its_reader_has_confirmed_it_and_sessions_stay(
    phone: DeliveringPhone, mailbox: Ses
) -> None:
    tokens = phone.sign_up()
    access = tokens["access_token"]
    assert ask(phone, access).status == 202
    (mail,) = mails(mailbox, "change_email")
    assert mail.to == NEW
    assert address(phone, access) == EMAIL
    assert (login(phone, EMAIL), login(phone, NEW)) == (200, 401)
    assert b"Your address is changed" in submit(phone, mail.link, CHANGE)
    assert (login(phone, EMAIL), login(phone, NEW)) == (401, 200)
    profile = phone.call("GET /me", token=access).json()
    assert (profile["email"], profile["email_verified"]) == (NEW, True)
    assert phone.call("POST /refresh", {"refresh_token": tokens["refresh_token"]}).status == 200
    (notice,) = mails(mailbox, "email_changed")
    assert notice.to == EMAIL


@pytest.mark.parametrize("reader", ["nobody", "another account"])
def test_who_reads_the_mail_of_somebody_elses_change_cannot_confirm_it(
    phone: DeliveringPhone, mailbox: Ses, reader: str
) -> None:
    """Whoever asked for it would have the reader's address, and an account that the reader takes for theirs."""
    access = sign_up(phone, mailbox)["access_token"]
    ask(phone, access)
    (mail,) = mails(mailbox, "change_email")
    browser = Browser(phone)
    if reader == "another account":
        phone.sign_up("bob@example.com")
        browser.submit(browser.get(LOGIN), LOGIN, email="bob@example.com", password=PASSWORD)
    page = browser.get(mail.link.removeprefix("https://id.example"))
    assert LOGIN in forms(page)
    assert CHANGE not in forms(page)
    browser.post(CHANGE, {"token": mail.token})
    assert address(phone, access) == EMAIL


@pytest.mark.parametrize("typed", ["{}", "Your code is {}!", "رمزك هو {}"])
def test_an_app_confirms_by_the_code(phone: DeliveringPhone, mailbox: Ses, typed: str) -> None:
    access = phone.sign_up()["access_token"]
    token = ask(phone, access).json()["token"]
    code = mails(mailbox, "change_email")[0].code
    assert phone.call(CONFIRM, {"token": token, "code": typed.format(code)}, token=access).status == 204
    assert address(phone, access) == NEW
    assert [mail.to for mail in mails(mailbox, "email_changed")] == [EMAIL]


def test_a_link_that_programs_open_does_nothing(phone: DeliveringPhone, mailbox: Ses) -> None:
    access = sign_up(phone, mailbox)["access_token"]
    ask(phone, access)
    path = mails(mailbox, "change_email")[0].link.removeprefix("https://id.example")
    for line in (f"HEAD {path}", f"GET {path}"):
        phone.call(line)
    assert address(phone, access) == EMAIL
    submit(phone, path, CHANGE)
    phone.call(f"GET {undo_link(mailbox).removeprefix('https://id.example')}")
    assert address(phone, access) == NEW


@pytest.mark.parametrize("password", ["a wrong one", ""])
def test_nobody_asks_without_the_password(phone: DeliveringPhone, mailbox: Ses, password: str) -> None:
    access = phone.sign_up()["access_token"]
    assert ask(phone, access, password=password).status in (400, 401)
    assert not mails(mailbox, "change_email")


@pytest.mark.parametrize("email", ["bob@example.com", "BOB@EXAMPLE.COM", "ｂｏｂ@example.com"])
def test_an_address_of_another_account_gets_no_mail_and_the_same_answer(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, email: str
) -> None:
    phone.sign_up("bob@example.com")
    access = phone.sign_up()["access_token"]
    phone.delivers = False
    answers, calls = [], []
    for each in (NEW, email):
        with wire.watched(svc) as traffic:
            answers.append(ask(phone, access, each))
        calls.append([call[0] for call in traffic.calls])
        deliver()  # before the next one takes its place
    assert [answer.status for answer in answers] == [202, 202]
    assert calls[0] == calls[1]
    assert [mail.to for mail in mails(mailbox, "change_email")] == [NEW]


@pytest.mark.parametrize(
    "email", ['"e@evil.test"@victim.test', "a＠evil.test@victim.test", "x", "@", "a b@example.com"]
)
def test_what_is_no_address_is_refused(phone: DeliveringPhone, mailbox: Ses, email: str) -> None:
    access = phone.sign_up()["access_token"]
    assert ask(phone, access, email).status == 400
    assert not mails(mailbox, "change_email")


def test_a_look_alike_of_anothers_address_is_mailed_itself_and_is_nobody_elses(
    phone: DeliveringPhone, mailbox: Ses
) -> None:
    look_alike = "mike@ex\u0430mple.com"  # with a Cyrillic letter
    phone.sign_up("mike@example.com")
    access = phone.sign_up()["access_token"]
    change(phone, mailbox, access, look_alike)
    assert mails(mailbox, "change_email")[0].to in (look_alike, "mike@xn--exmple-4nf.com")
    assert address(phone, access) == look_alike
    assert (login(phone, "mike@example.com", NEW_PASSWORD), login(phone, "mike@example.com")) == (401, 200)
    assert login(phone, look_alike) == 200


def test_the_same_address_in_capitals_is_another_spelling_and_no_other_address(
    phone: DeliveringPhone, mailbox: Ses
) -> None:
    access = sign_up(phone, mailbox)["access_token"]
    change(phone, mailbox, access, "ANN@example.com")
    assert address(phone, access) == "ANN@example.com"
    assert login(phone, EMAIL) == 200
    assert b"Your address is back" in submit(phone, undo_link(mailbox), UNDO)
    assert mails(mailbox, "reset_password")[0].to == EMAIL


def test_links_lead_to_the_issuer_whatever_host_was_asked(phone: DeliveringPhone, mailbox: Ses) -> None:
    access = phone.sign_up()["access_token"]
    ask(phone, access, **{"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    assert mails(mailbox, "change_email")[0].link.startswith(f"https://id.example{CHANGE}?")


def other_password(phone: Phone, _: Ses, access: str) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert phone.call("POST /me/password", body, token=access).status == 204


def reset(phone: Phone, mailbox: Ses, _: str) -> None:
    phone.call("POST /password/reset", {"email": EMAIL})
    body = {"token": mails(mailbox, "reset_password")[0].token, "new_password": NEW_PASSWORD}
    assert phone.call("POST /password/reset/confirm", body).status == 204


def other_address(phone: Phone, mailbox: Ses, access: str) -> None:
    change(phone, mailbox, access, THIRD)


def there_and_back(phone: Phone, mailbox: Ses, access: str) -> None:
    change(phone, mailbox, access, THIRD)
    change(phone, mailbox, access, EMAIL)


def rival_sign_up(phone: Phone, _: Ses, __: str) -> None:
    phone.sign_up(NEW, password=NEW_PASSWORD)


def erased(phone: Phone, _: Ses, access: str) -> None:
    assert phone.call("DELETE /me", {"password": PASSWORD}, token=access).status == 204


# What the owner then logs in with, and what the link's page says.
EVENTS: tuple[tuple[object, dict[str, str], bytes], ...] = (
    (other_password, {"password": NEW_PASSWORD}, TOO_OLD),
    (reset, {"password": NEW_PASSWORD}, TOO_OLD),
    (other_address, {"email": THIRD}, TOO_OLD),
    (there_and_back, {}, TOO_OLD),
    (rival_sign_up, {}, TOO_OLD),
    (erased, {}, b"Log in"),
)


@pytest.mark.parametrize(("event", "owner", "says"), EVENTS)
@pytest.mark.parametrize("when", ["before the mail is sent", "after"])
def test_what_happens_to_the_account_or_the_address_meanwhile_ends_the_change(
    phone: DeliveringPhone,
    svc: Services,
    mailbox: Ses,
    clock: Clock,
    event: object,
    owner: dict[str, str],
    says: bytes,
    when: str,
) -> None:
    access = phone.sign_up()["access_token"]
    uid = svc.users.find(EMAIL)
    phone.delivers = False
    token = ask(phone, access).json()["token"]
    held = waiting() if when == "before the mail is sent" else []
    if not held:
        deliver()
    links = [mail.link for mail in mails(mailbox, "change_email")]
    if held:  # the stream is late: what it holds comes once more when all is done
        for item in held:
            svc.outbox.delete(item.message_id, item.kind)
    phone.delivers = True
    clock.advance(1)
    event(phone, mailbox, access)  # type: ignore[operator]
    seen = len(mails(mailbox, "change_email"))
    for item in held:
        svc.transactions.commit(svc.outbox.creation(item.message, item.message_id, now=svc.now()))
    deliver()
    assert len(mails(mailbox, "change_email")) == seen
    assert all(says in submit(phone, link, CHANGE, **owner) for link in links)
    assert phone.call(CONFIRM, {"token": token, "code": "000000"}, token=access).status in (401, 404)
    assert uid is None or svc.users.find(canonical(NEW)) != uid


def test_who_signs_up_with_the_new_address_just_before_keeps_it_and_nothing_else_changes(
    phone: DeliveringPhone, svc: Services, mailbox: Ses
) -> None:
    access = phone.sign_up()["access_token"]
    ask(phone, access)
    rival = Phone(phone.gateway._now)  # type: ignore[arg-type]
    with just_before(svc.users._client, "TransactWriteItems", lambda: rival.sign_up(NEW)):
        assert TOO_OLD in submit(phone, mails(mailbox, "change_email")[0].link, CHANGE)
    assert address(phone, access) == EMAIL
    assert (login(phone, EMAIL), login(phone, NEW)) == (200, 200)
    assert not mails(mailbox, "email_changed")


def test_of_many_changes_at_once_one_is_made_and_no_address_is_left_over(
    phone: DeliveringPhone, svc: Services, mailbox: Ses
) -> None:
    access = phone.sign_up()["access_token"]
    uid = svc.users.find(EMAIL)
    for email in (NEW, THIRD):
        ask(phone, access, email)
    links = [mail.link for mail in mails(mailbox, "change_email")] * 5
    phone.delivers = False
    with ThreadPoolExecutor(len(links)) as pool:
        pages = list(pool.map(lambda link: submit(phone, link, CHANGE), links))
    deliver()
    assert sum(b"Your address is changed" in page for page in pages) == 1
    assert [svc.users.find(email) for email in (EMAIL, NEW, THIRD)].count(uid) == 1
    assert len(mails(mailbox, "email_changed")) == 1


def guess(phone: Phone, access: str, token: str, codes: Sequence[str]) -> list[int]:
    return [phone.call(CONFIRM, {"token": token, "code": code}, token=access).status for code in codes]


def test_codes_are_not_guessed_however_many_changes_are_asked_for(phone: DeliveringPhone, mailbox: Ses) -> None:
    access = phone.sign_up()["access_token"]
    statuses = []
    for _ in range(4):
        token = ask(phone, access).json()["token"]
        right = mails(mailbox, "change_email")[-1].code
        statuses += guess(phone, access, token, [f"{(int(right) + 1) % 1_000_000:06}"] * 3)
    assert statuses == [401] * 10 + [429] * 2
    assert guess(phone, access, token, [right]) == [429]
    elsewhere = Phone(phone.gateway._now, address="203.0.113.9")  # type: ignore[arg-type]
    assert guess(elsewhere, access, token, [right]) == [429]
    assert address(phone, access) == EMAIL


def test_a_code_for_an_address_is_not_guessed_by_however_many_accounts(phone: DeliveringPhone, mailbox: Ses) -> None:
    statuses = []
    for number in range(3):
        stranger = DeliveringPhone(phone.gateway._now, address=f"203.0.113.{number}")  # type: ignore[arg-type]
        access = stranger.sign_up(f"eve{number}@example.com")["access_token"]
        token = ask(stranger, access).json()["token"]
        right = mails(mailbox, "change_email")[-1].code
        statuses += guess(stranger, access, token, [f"{(int(right) + 1) % 1_000_000:06}"] * 4)
    assert statuses == [401] * 10 + [429] * 2
    access = phone.sign_up()["access_token"]
    change(phone, mailbox, access)  # the owner of the address has the link


def test_a_code_and_its_token_are_of_one_account_and_one_address(phone: DeliveringPhone, mailbox: Ses) -> None:
    access, other = phone.sign_up()["access_token"], phone.sign_up("bob@example.com")["access_token"]
    tokens = [ask(phone, access, email).json()["token"] for email in (NEW, THIRD)]
    codes = [mail.code for mail in mails(mailbox, "change_email")]
    assert guess(phone, access, tokens[0], [codes[1]]) == [401]
    assert guess(phone, other, tokens[0], [codes[0]]) == [404]
    assert guess(phone, access, mails(mailbox, "change_email")[0].token, [codes[0]]) == [404]
    assert TOO_OLD in Browser(phone).get(f"{CHANGE}?token={tokens[0]}").body
    assert (address(phone, access), address(phone, other)) == (EMAIL, "bob@example.com")


def test_a_change_is_good_for_an_hour(phone: DeliveringPhone, mailbox: Ses, clock: Clock) -> None:
    access = phone.sign_up()["access_token"]
    ask(phone, access)
    clock.advance(3600)
    assert TOO_OLD in submit(phone, mails(mailbox, "change_email")[0].link, CHANGE)
    assert address(phone, phone.log_in()["access_token"]) == EMAIL


def test_who_does_not_know_the_password_uses_up_no_mails_of_the_account(phone: DeliveringPhone, clock: Clock) -> None:
    access = phone.sign_up()["access_token"]
    for _ in range(12):
        assert ask(phone, access, password="not my password").status == 401
        clock.advance(2 * 900)
    access = phone.log_in()["access_token"]
    assert [ask(phone, access, f"{number}@new.example").status for number in range(6)] == [202] * 5 + [429]
    assert phone.log_in()  # and what was refused for that is no wrong password


def test_no_mailbox_is_flooded(phone: DeliveringPhone) -> None:
    accesses = [phone.sign_up(f"a{number}@example.com")["access_token"] for number in range(4)]
    statuses = [ask(phone, access).status for access in accesses for _ in range(3)]
    assert statuses == [202] * 10 + [429] * 2
    assert [ask(phone, accesses[0], f"{number}@new.example").status for number in range(3)] == [202, 202, 429]


def test_the_reader_of_the_old_address_puts_it_back_and_whoever_changed_it_is_out(
    phone: DeliveringPhone, mailbox: Ses
) -> None:
    tokens = sign_up(phone, mailbox)
    change(phone, mailbox, tokens["access_token"])
    assert b"Your address is back" in submit(phone, undo_link(mailbox), UNDO)
    assert refusal(phone.call("GET /me", token=tokens["access_token"])) == (401, "invalid_token")
    assert phone.call("POST /refresh", {"refresh_token": tokens["refresh_token"]}).status == 401
    assert (login(phone, EMAIL), login(phone, NEW)) == (401, 401)
    (mail,) = mails(mailbox, "reset_password")
    assert mail.to == EMAIL
    body = {"token": mail.token, "new_password": NEW_PASSWORD}
    assert phone.call("POST /password/reset/confirm", body).status == 204
    assert login(phone, EMAIL, NEW_PASSWORD) == 200
    assert TOO_OLD in submit(phone, undo_link(mailbox), UNDO)
    assert login(phone, EMAIL, NEW_PASSWORD) == 200
    phone.sign_up(NEW)  # which is free again


def test_an_undo_takes_what_was_added_in_the_week_before_the_change(
    phone: DeliveringPhone, mailbox: Ses, svc: Services, clock: Clock
) -> None:
    """Who takes an account over adds a passkey first, and changes the address then: it would be a login of theirs for good."""
    tokens = sign_up(phone, mailbox)
    owner, thief = Authenticator(), Authenticator()
    uid = tokens["user"]["sub"]
    kept = passkeys.enrol(svc, uid, owner)
    clock.advance(2 * DAY)
    passkeys.enrol(svc, uid, thief)
    clock.advance(6 * DAY)
    change(phone, mailbox, phone.log_in()["access_token"])
    assert b"Your address is back" in submit(phone, undo_link(mailbox), UNDO)
    at = login_client("json", svc, phone)
    for device, status in ((thief, 401), (owner, 200)):
        token, options = passkeys.begin(at)
        assert passkeys.prove(at, token, device.get(options)).status == status
    user = svc.users.read(uid)
    assert user
    assert user.factors == {kept.entry}


def test_a_passkey_that_is_added_while_the_address_is_put_back_goes_as_well(
    phone: DeliveringPhone, mailbox: Ses, svc: Services
) -> None:
    tokens, thief = sign_up(phone, mailbox), Authenticator()
    uid = tokens["user"]["sub"]
    change(phone, mailbox, tokens["access_token"])
    link = undo_link(mailbox)
    with just_before(svc.users._client, "TransactWriteItems", lambda: passkeys.enrol(svc, uid, thief)):
        assert b"Your address is back" in submit(phone, link, UNDO)
    at = login_client("json", svc, phone)
    token, options = passkeys.begin(at)
    assert passkeys.prove(at, token, thief.get(options)).status == 401


def test_who_took_an_account_over_cannot_use_up_the_undo_nor_has_one(phone: DeliveringPhone, mailbox: Ses) -> None:
    """By another change, another password, a sign-up with the old address, or an undo of their own."""
    access = sign_up(phone, mailbox)["access_token"]
    change(phone, mailbox, access)
    other_password(phone, mailbox, access)
    assert ask(phone, access, THIRD, NEW_PASSWORD).status == 202
    submit(phone, mails(mailbox, "change_email")[-1].link, CHANGE, email=NEW, password=NEW_PASSWORD)
    assert address(phone, access) == THIRD
    assert refusal(phone.call("POST /signup", {"email": EMAIL, "password": PASSWORD})) == (409, "email_taken")
    bob = phone.sign_up("bob@example.com")["access_token"]
    ask(phone, bob, EMAIL)
    assert mails(mailbox, "change_email")[-1].to == EMAIL  # which only the victim reads
    assert TOO_OLD in submit(phone, mails(mailbox, "change_email")[-1].link, CHANGE, email="bob@example.com")
    (notice,) = [mail for mail in mails(mailbox, "email_changed") if mail.to == NEW]
    assert "https://" not in notice.text
    assert b"Your address is back" in submit(phone, undo_link(mailbox), UNDO)
    assert mails(mailbox, "reset_password")[-1].to == EMAIL
    assert login(phone, THIRD, NEW_PASSWORD) == 401


def test_an_undo_keeps_an_account_that_whoever_took_it_over_wants_to_have_erased(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, clock: Clock
) -> None:
    """The owner need not have logged in before its time comes: they have said that it is theirs."""
    access = sign_up(phone, mailbox)["access_token"]
    change(phone, mailbox, access)
    with installed(replace(svc, settings=replace(svc.settings, deletion_seconds=DAY))):
        assert phone.call("DELETE /me", {"password": PASSWORD}, token=access).status == 202
        assert b"Your address is back" in submit(phone, undo_link(mailbox), UNDO)
        clock.advance(2 * DAY)
        assert list(cleanup.erase_scheduled(svc)) == []
        assert svc.users.find(canonical(EMAIL))


def test_an_undo_is_good_for_seven_days_and_the_old_address_is_then_free(
    phone: DeliveringPhone, mailbox: Ses, clock: Clock
) -> None:
    change(phone, mailbox, sign_up(phone, mailbox)["access_token"])
    clock.advance(7 * DAY - 1)
    assert phone.call("POST /signup", {"email": EMAIL, "password": PASSWORD}).status == 409
    clock.advance(1)
    assert TOO_OLD in submit(phone, undo_link(mailbox), UNDO)
    phone.sign_up(EMAIL, password=NEW_PASSWORD)
    access = phone.call("POST /login", {"email": NEW, "password": PASSWORD}).json()["access_token"]
    change(phone, mailbox, access, THIRD)  # and the one after that has an undo of its own
    assert (login(phone, EMAIL, NEW_PASSWORD), login(phone, THIRD)) == (200, 200)
    link = next(mail.link for mail in mails(mailbox, "email_changed") if mail.to == NEW)
    assert b"Your address is back" in submit(phone, link, UNDO)


def test_of_many_undos_at_once_one_is_made(phone: DeliveringPhone, mailbox: Ses) -> None:
    change(phone, mailbox, sign_up(phone, mailbox)["access_token"])
    phone.delivers = False
    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda link: submit(phone, link, UNDO), [undo_link(mailbox)] * 8))
    deliver()
    assert sum(b"Your address is back" in page for page in pages) == 1
    assert len(mails(mailbox, "reset_password")) == 1


def test_a_mail_that_comes_late_makes_no_undo_last_longer(phone: DeliveringPhone, mailbox: Ses, clock: Clock) -> None:
    access = sign_up(phone, mailbox)["access_token"]
    ask(phone, access)
    phone.delivers = False
    submit(phone, mails(mailbox, "change_email")[0].link, CHANGE)
    clock.advance(DAY - 1)
    deliver()
    clock.advance(6 * DAY + 1)
    assert TOO_OLD in submit(phone, undo_link(mailbox), UNDO)
    assert login(phone, NEW) == 200


@pytest.mark.parametrize("days", [0, 7])
@pytest.mark.parametrize("path", [(NEW,), (NEW, THIRD), (NEW, EMAIL), (NEW, EMAIL, NEW)])
def test_who_is_erased_leaves_no_address_behind(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, clock: Clock, path: Sequence[str], days: int
) -> None:
    """However often it was changed before, and once the first address is not reserved any more."""
    access = sign_up(phone, mailbox)["access_token"]
    for email in path:
        change(phone, mailbox, access, email)
        clock.advance(1)
    clock.advance(days * DAY)
    access = phone.log_in(path[-1])["access_token"]
    change(phone, mailbox, access, "last@example.com")
    erased(phone, mailbox, access)
    assert svc.users._client.call("Scan", TableName=svc.settings.users_table)["Items"] == []
    assert TOO_OLD in submit(phone, undo_link(mailbox), UNDO)
    phone.sign_up(EMAIL)


@pytest.mark.parametrize("number", range(1, 6))
def test_an_erasure_that_fails_on_purpose_leaves_the_owner_their_undo(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, number: int
) -> None:
    access = sign_up(phone, mailbox)["access_token"]
    change(phone, mailbox, access)
    rival = Phone(phone.gateway._now)  # type: ignore[arg-type]
    other = rival.log_in(NEW)["access_token"]
    with before_write(svc.users._client, number, lambda: rival.call("DELETE /me/sessions", token=other)):
        status = phone.call("DELETE /me", {"password": PASSWORD}, token=access).status
    if status != 204:
        assert refusal(rival.call("POST /signup", {"email": EMAIL, "password": PASSWORD})) == (409, "email_taken")
        assert b"Your address is back" in submit(phone, undo_link(mailbox), UNDO)


@pytest.mark.parametrize("number", range(1, 6))
def test_who_is_erased_while_the_address_changes_leaves_none_behind(
    phone: DeliveringPhone, svc: Services, mailbox: Ses, number: int
) -> None:
    access = phone.sign_up()["access_token"]
    ask(phone, access)
    link = mails(mailbox, "change_email")[0].link
    rival = Phone(phone.gateway._now)  # type: ignore[arg-type]
    with before_write(svc.users._client, number, lambda: submit(rival, link, CHANGE)):
        status = phone.call("DELETE /me", {"password": PASSWORD}, token=access).status
    if status != 204:  # as nothing was erased, it can be tried again
        assert status == 503
        access = phone.log_in(NEW)["access_token"]
        erased(phone, mailbox, access)
    for email in (EMAIL, NEW):
        phone.sign_up(email)


def test_an_address_that_was_never_verified_has_no_undo_and_is_free_at_once(
    phone: DeliveringPhone, mailbox: Ses
) -> None:
    """It may be a slip of the owner's, whose reader would take the account over, or somebody else's, kept from them."""
    access = phone.sign_up()["access_token"]
    change(phone, mailbox, access)
    (notice,) = mails(mailbox, "email_changed")
    assert (notice.to, "https://" in notice.text) == (EMAIL, False)
    phone.sign_up(password=NEW_PASSWORD)
    assert (login(phone, EMAIL, NEW_PASSWORD), login(phone, NEW)) == (200, 200)


@pytest.mark.parametrize("mode", wire.MODES)
def test_a_change_and_its_notice_are_one_write(phone: DeliveringPhone, svc: Services, mailbox: Ses, mode: str) -> None:
    access = phone.sign_up()["access_token"]
    ask(phone, access)
    browser = Browser(phone)
    page = browser.follow_mail(mails(mailbox, "change_email")[0].link)
    phone.delivers = False
    failure, afterwards = wire.MODES[mode]
    with wire.watched(svc, wire.Wire(fail_at=2, failure=failure, afterwards=afterwards)):
        browser.submit(page, CHANGE)
    deliver()
    assert len(mails(mailbox, "email_changed")) == int(svc.users.find(canonical(NEW)) is not None)


@pytest.mark.parametrize(
    ("domains", "refused", "email", "status"),
    [
        (("example.com",), (), NEW, 422),
        (("example.com",), (), "ann2@example.com", 202),
        ((), ("new.example",), NEW, 422),
        ((), ("new.example",), "ANN@NEW.EXAMPLE", 422),
        ((), ("new.example",), THIRD, 202),
    ],
)
def test_a_domain_that_may_not_sign_up_may_not_be_changed_to(
    svc: Services, clock: Clock, domains: tuple[str, ...], refused: tuple[str, ...], email: str, status: int
) -> None:
    settings = replace(svc.settings, mail_domains=domains, refused_mail_domains=refused)
    with installed(replace(svc, settings=settings)):
        phone = Phone(clock)
        assert ask(phone, phone.sign_up()["access_token"], email).status == status
        assert [item.kind for item in waiting()].count("email change") == int(status == 202)


def test_asking_is_a_read_and_three_writes_and_each_answer_to_it_no_more_than_two(
    phone: DeliveringPhone, svc: Services, mailbox: Ses
) -> None:
    access = sign_up(phone, mailbox)["access_token"]
    phone.delivers = False
    with wire.watched(svc) as traffic:
        token = ask(phone, access).json()["token"]
        assert traffic.calls == ["BatchGetItem", *["TransactWriteItems"] * 3]
    deliver()
    body = {"token": token, "code": mails(mailbox, "change_email")[0].code}
    with wire.watched(svc) as traffic:
        assert phone.call(CONFIRM, body, token=access).status == 204
        assert traffic.calls == ["BatchGetItem", "TransactWriteItems", "TransactWriteItems"]
    deliver()
    browser = Browser(phone)
    page = browser.get(undo_link(mailbox).removeprefix("https://id.example"))
    with wire.watched(svc) as traffic:
        assert b"Your address is back" in browser.submit(page, UNDO).body
        assert traffic.calls == ["GetItem", "TransactWriteItems"]


def test_where_no_mail_is_sent_no_address_is_changed(svc: Services, clock: Clock) -> None:
    with installed(replace(svc, settings=replace(svc.settings, mail_from=""))):
        phone = Phone(clock)
        assert ask(phone, phone.sign_up()["access_token"]).status == 404
