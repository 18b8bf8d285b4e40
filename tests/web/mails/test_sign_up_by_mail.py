"""Accounts that are made by the link of a mail: where that has to come first, and by an operator's invitation."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chalicelib.domain.errors import EmailDomainRefused, EmailTaken, NotFound, SignUpClosed
from chalicelib.flows.accounts import mailed_signup, verification
from chalicelib.flows.platform import limits
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import wire
from tests.support.browser import ISSUER, Browser, callback_params, forms, register
from tests.support.delivery import DeliveringPhone, deliver, waiting
from tests.support.email_change import undo_link
from tests.support.phone import EMAIL, Clock, installed, refusal
from tests.support.ses import SentMail, Ses

SIGN_UP, PAGE = "/authorize/signup", "/account/sign-up"
MINE, THEIRS = "the owner's own phrase 7", "the attacker's own phrase 8"
DAY = 24 * 3600


@pytest.fixture
def svc(svc: Services) -> Services:
    """A deployment where a mail comes before an account."""
    return with_policy(svc, "verified")


def with_policy(svc: Services, sign_up: str) -> Services:
    return replace(svc, settings=replace(svc.settings, sign_up=sign_up))


def ask(phone: DeliveringPhone, email: str = EMAIL, password: str = THEIRS) -> Answer:
    answer = phone.call("POST /signup", {"email": email, "password": password, "name": "Eve"})
    assert answer.status == 202, answer
    return answer


def mailed(phone: DeliveringPhone, mailbox: Ses, email: str = EMAIL, password: str = THEIRS) -> SentMail:
    """The mail that comes of a sign-up."""
    mailbox.mails.clear()
    ask(phone, email, password)
    (mail,) = mailbox.mails
    return mail


def confirm(phone: DeliveringPhone, token: str, password: str = MINE) -> Answer:
    return phone.call("POST /signup/confirm", {"token": token, "password": password})


def login_status(phone: DeliveringPhone, password: str, email: str = EMAIL) -> int:
    return phone.call("POST /login", {"email": email, "password": password}).status


def test_an_app_makes_the_account_with_the_token_of_the_mail(phone: DeliveringPhone, mailbox: Ses) -> None:
    mail = mailed(phone, mailbox)
    assert (mail.to, mail.subject) == (EMAIL, "Your account at Latchkey")
    assert login_status(phone, THEIRS) == 401
    weak = confirm(phone, mail.token, "password")
    assert refusal(weak) == (422, "weak_password")
    answer = confirm(phone, mail.token)
    assert answer.status == 201
    profile = phone.call("GET /me", token=answer.json()["access_token"]).json()
    assert (profile["email"], profile["email_verified"], profile["name"]) == (EMAIL, True, "")
    assert len(mailbox.mails) == 1  # and none to verify what is verified


def test_a_browser_does_so_on_the_pages_and_goes_on_to_its_client(
    svc: Services, phone: DeliveringPhone, mailbox: Ses
) -> None:
    app, browser = register(svc, phone), Browser(phone)
    page = browser.authorize(app, prompt="create")
    assert set(forms(page)[SIGN_UP].typed) == {"email"}
    mailbox.mails.clear()
    page = browser.submit(page, SIGN_UP, email=EMAIL)
    assert b"Check your mailbox" in page.body
    link = mailbox.mails[0].link.removeprefix(ISSUER)
    weak = browser.submit(browser.get(link), PAGE, password="password", name="Ann")
    assert forms(weak)[PAGE].typed["name"] == "Ann"
    home = browser.submit(weak, PAGE, password=MINE, name="Ann")
    assert f"You are logged in as <bdi>{EMAIL}</bdi>" in re.sub("</?b>", "", home.body.decode())
    assert "code" in callback_params(browser.finish(browser.authorize(app), password=MINE))
    assert login_status(phone, MINE) == 200


def test_whoever_signed_up_with_the_address_before_its_owner_has_nothing_of_the_account(
    phone: DeliveringPhone, mailbox: Ses
) -> None:
    theirs = mailed(phone, mailbox, password=THEIRS)
    mine = mailed(phone, mailbox, password=MINE)
    # Even by the mail that the attacker's sign-up led to.
    assert confirm(phone, theirs.token, MINE).status == 201
    assert (login_status(phone, THEIRS), login_status(phone, MINE)) == (401, 200)
    assert refusal(confirm(phone, mine.token, THEIRS)) == (404, "not_found")
    assert (login_status(phone, THEIRS), login_status(phone, MINE)) == (401, 200)


def test_nothing_is_kept_of_a_sign_up_once_its_mail_is_sent(
    svc: Services, phone: DeliveringPhone, mailbox: Ses
) -> None:
    mailed(phone, mailbox)
    assert waiting() == []
    assert svc.users.find(EMAIL) is None
    scan = svc.users._client.call("Scan", TableName=svc.settings.users_table)
    assert not [item for item in scan["Items"] if item["pk"]["S"].startswith(("user#", "email#"))]


def test_whether_there_is_an_account_is_in_no_answer_and_no_call_but_in_its_owners_mail(
    svc: Services, phone: DeliveringPhone, mailbox: Ses
) -> None:
    confirm(phone, mailed(phone, mailbox).token)
    mailbox.mails.clear()
    phone.delivers = False
    answers, calls = [], []
    for address in (EMAIL, "bob@example.com"):
        with wire.watched(svc) as traffic:
            answer = ask(phone, address)
        answers.append((answer.status, answer.body, {name for name, _ in answer.headers}))
        calls.append(traffic.calls)
    assert answers[0] == answers[1]
    assert calls[0] == calls[1] == ["TransactWriteItems"] * 3
    pages = [Browser(phone) for _ in range(2)]
    bodies = [
        each.submit(each.get(SIGN_UP), SIGN_UP, email=to).body
        for each, to in zip(pages, (EMAIL, "carol@example.com"), strict=True)
    ]
    assert bodies[0] == bodies[1]
    deliver()
    mails = {(mail.to, mail.subject) for mail in mailbox.mails}
    assert mails == {
        (EMAIL, "You have an account at Latchkey"),
        ("bob@example.com", "Your account at Latchkey"),
        ("carol@example.com", "Your account at Latchkey"),
    }
    assert login_status(phone, MINE) == 200


def test_an_account_gets_its_mail_where_it_is_and_not_where_a_look_alike_was_typed(
    phone: DeliveringPhone, mailbox: Ses
) -> None:
    confirm(phone, mailed(phone, mailbox).token)
    assert mailed(phone, mailbox, "\uff21NN@example.com").to == EMAIL


def test_nobody_is_mailed_a_link_for_an_address_that_is_reserved(
    svc: Services, phone: DeliveringPhone, mailbox: Ses, clock: Clock
) -> None:
    answer = confirm(phone, mailed(phone, mailbox).token).json()
    user = svc.users.read(answer["user"]["sub"])
    assert user
    undo_link(svc, user)  # its address is another by now
    ask(phone)
    with pytest.raises(EmailTaken):
        mailed_signup.invite(svc, address=EMAIL, language="en")
    assert [mail.subject for mail in mailbox.mails].count("Your account at Latchkey") == 1
    clock.advance(7 * DAY)
    ask(phone)
    assert confirm(phone, mailbox.mails[-1].token).status == 201


def test_a_password_is_judged_once_it_is_counted_where_a_mail_comes_first(phone: DeliveringPhone) -> None:
    weak = {"email": EMAIL, "password": "qwertyuiop"}
    assert [phone.call("POST /signup", weak).status for _ in range(102)] == [422] * 100 + [429] * 2


def test_a_disabled_account_gets_no_mail(svc: Services, phone: DeliveringPhone, mailbox: Ses) -> None:
    sub = confirm(phone, mailed(phone, mailbox).token).json()["user"]["sub"]
    svc.users.disable(sub)
    mailbox.mails.clear()
    ask(phone)
    assert mailbox.mails == []


def test_a_link_makes_one_account_however_often_and_fast_it_is_used(phone: DeliveringPhone, mailbox: Ses) -> None:
    token = mailed(phone, mailbox).token
    phone.delivers = False
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(lambda _: confirm(phone, token).status, range(8)))
    assert statuses == [201, *[404] * 7]


def test_a_link_is_used_up_though_its_account_is_gone(phone: DeliveringPhone, mailbox: Ses) -> None:
    token = mailed(phone, mailbox).token
    access = confirm(phone, token).json()["access_token"]
    assert phone.call("DELETE /me", token=access).status == 204
    assert refusal(confirm(phone, token)) == (404, "not_found")
    assert confirm(phone, mailed(phone, mailbox).token).status == 201


def test_opening_a_link_does_nothing_and_a_robot_that_sends_the_form_makes_no_account(
    svc: Services, phone: DeliveringPhone, mailbox: Ses
) -> None:
    link = mailed(phone, mailbox).link.removeprefix(ISSUER)
    robot = Browser(phone)
    for method in ("HEAD", "GET", "GET"):
        phone.call(f"{method} {link}")
    robot.submit(robot.get(link), PAGE)
    assert svc.users.find(EMAIL) is None
    assert confirm(phone, mailbox.mails[0].token).status == 201


def test_a_link_costs_two_writes_and_no_read_and_a_bad_one_nothing(
    svc: Services, phone: DeliveringPhone, mailbox: Ses
) -> None:
    token = mailed(phone, mailbox).token
    phone.delivers = False
    with wire.watched(svc) as traffic:
        assert confirm(phone, "x" * 200).status == 404
        assert traffic.calls == []
        assert confirm(phone, token).status == 201
        assert traffic.calls == ["TransactWriteItems", "TransactWriteItems"]


def test_a_link_ends_after_a_day(phone: DeliveringPhone, mailbox: Ses, clock: Clock) -> None:
    token = mailed(phone, mailbox).token
    clock.advance(DAY + 1)
    assert refusal(confirm(phone, token)) == (404, "not_found")
    assert b"This link does not work any more" in Browser(phone).get(f"{PAGE}?token={token}").body


def test_no_other_mails_link_makes_an_account_and_this_one_does_nothing_else(
    svc: Services, phone: DeliveringPhone, mailbox: Ses
) -> None:
    token = mailed(phone, mailbox).token
    for line, body in (
        ("POST /password/reset/confirm", {"token": token, "new_password": MINE}),
        ("POST /verify", {"token": token}),
    ):
        assert phone.call(line, body).status != 204
    sub = confirm(phone, token).json()["user"]["sub"]
    user = svc.users.read(sub)
    assert user
    for foreign in (verification.link(svc, user), token[:-1], token + "A", "x", ""):
        assert confirm(phone, foreign).status in (400, 404)


def test_no_address_gets_more_than_five_mails_an_hour_from_whichever_network_and_however_written(
    svc: Services, phone: DeliveringPhone, mailbox: Ses, clock: Clock
) -> None:
    clock.advance(3600 - clock() % 3600)
    for number in range(8):
        phone.address = f"198.51.{number}.7"
        phone.call("POST /signup", {"email": EMAIL.upper() if number % 2 else EMAIL, "password": MINE})
    assert len(mailbox.mails) == 5
    # And its owner, who reads them, is not kept out by that.
    for number in range(20):
        limits.sign_up(svc, unverified_email=EMAIL, network=f"192.0.2.{number}", work=None)
    assert confirm(phone, mailbox.mails[0].token).status == 201
    answer = phone.call("POST /signup", {"email": EMAIL, "password": MINE})
    assert refusal(answer) == (429, "too_many_requests")
    page = Browser(phone)
    assert b"There were too many attempts." in page.submit(page.get(SIGN_UP), SIGN_UP, email=EMAIL).body


@pytest.mark.parametrize(
    "email", ['"e@evil.test"@victim.test', "a\uff20evil.test@victim.test", "Ann <ann@example.com>"]
)
def test_what_is_no_plain_address_gets_no_mail(phone: DeliveringPhone, mailbox: Ses, email: str) -> None:
    mailbox.mails.clear()
    answer = phone.call("POST /signup", {"email": email, "password": MINE})
    assert refusal(answer) == (400, "invalid_request")
    assert mailbox.mails == []


def test_an_open_sign_up_form_of_before_makes_no_account_where_a_mail_comes_first(
    svc: Services, phone: DeliveringPhone, mailbox: Ses
) -> None:
    browser = Browser(phone)
    with installed(with_policy(svc, "open")):
        page = browser.get(SIGN_UP)
    with installed(svc):
        browser.submit(page, SIGN_UP, email=EMAIL, password=THEIRS, name="Eve")
    assert svc.users.find(EMAIL) is None
    assert [mail.to for mail in mailbox.mails] == [EMAIL]


def test_who_is_invited_signs_up_where_nobody_else_can(svc: Services, phone: DeliveringPhone, mailbox: Ses) -> None:
    svc = with_policy(svc, "invitation")
    own = mailed(phone, mailbox)
    with installed(svc):
        assert mailed_signup.invite(svc, address="Bob@Example.com", language="ar") == "Bob@example.com"
        deliver()
        mail = mailbox.mails[-1]
        assert (mail.to, mail.subject) == ("Bob@example.com", "دعوتك إلى Latchkey")
        for email in (EMAIL, "bob@example.com"):
            answer = phone.call("POST /signup", {"email": email, "password": THEIRS})
            assert refusal(answer) == (403, "sign_up_closed")
        assert Browser(phone).get(SIGN_UP).status == 403
        # A link that somebody had sent to themselves is no invitation.
        assert refusal(confirm(phone, own.token)) == (404, "not_found")
        browser = Browser(phone)
        page = browser.get(mail.link.removeprefix(ISSUER))
        browser.submit(page, PAGE, password=MINE, email="eve@example.com")
        assert login_status(phone, MINE, "bob@example.com") == 200
        assert svc.users.find("eve@example.com") is None
        assert refusal(confirm(phone, mail.token)) == (404, "not_found")


def test_an_invitation_is_good_for_a_week_and_not_where_sign_up_was_closed_since(
    svc: Services, phone: DeliveringPhone, mailbox: Ses, clock: Clock
) -> None:
    mailbox.mails.clear()
    mailed_signup.invite(svc, address=EMAIL, language="en")
    deliver()
    token = mailbox.mails[0].token
    clock.advance(7 * DAY - 1)
    with installed(with_policy(svc, "closed")):
        assert refusal(confirm(phone, token)) == (404, "not_found")
    with installed(with_policy(svc, "invitation")):
        assert confirm(phone, token).status == 201
        clock.advance(2)
        assert b"This link does not work any more" in Browser(phone).get(f"{PAGE}?token={token}").body


def test_an_operator_learns_why_nobody_is_invited(svc: Services, phone: DeliveringPhone, mailbox: Ses) -> None:
    confirm(phone, mailed(phone, mailbox).token)
    mailbox.mails.clear()
    domains = replace(svc, settings=replace(svc.settings, mail_domains=("example.net",)))
    mute = replace(svc, settings=replace(svc.settings, mail_from=""))
    for services, error in (
        (svc, EmailTaken),
        (with_policy(svc, "closed"), SignUpClosed),
        (domains, EmailDomainRefused),
        (mute, NotFound),
    ):
        with pytest.raises(error):
            mailed_signup.invite(services, address=EMAIL, language="en")
    deliver()
    assert mailbox.mails == []
