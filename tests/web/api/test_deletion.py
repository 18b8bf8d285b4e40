"""The end of an account: the clients hear of it whatever fails, and where it comes later a login takes it back."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.accounts.model import User, in_force
from chalicelib.domain.oauth.client import Client
from chalicelib.flows.accounts import cleanup, deletion
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from chalicelib.store.aws.client import Transport
from chalicelib.web.mails.mail import texts
from local.gateway import Answer
from tests.support import counter, mailed_login, ses, wire
from tests.support.aws import undone
from tests.support.browser import App, Browser, register, token_response
from tests.support.delivery import DeliveringPhone, deliver, waiting
from tests.support.forge import peek
from tests.support.internet import Internet, Page, running
from tests.support.issuer import Issuer, present, trusting
from tests.support.login_clients import LOGIN_CLIENTS, login_client
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal
from tests.support.ses import Ses
from tests.support.staged import just_before

pytestmark = pytest.mark.usefixtures("aws")

HOOK, PAIRWISE_HOOK = "https://app.example/backchannel", "https://other.example/backchannel"
DAY, DAYS = 24 * 3600, 14
RIGHT = {"email": EMAIL, "password": PASSWORD}
NEW_PASSWORD = "an entirely other phrase 7"


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    with running(tmp_path, "app.example", "other.example") as network:
        network.pages |= {HOOK: Page(), PAIRWISE_HOOK: Page()}
        yield network


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ses]:
    with ses.running(monkeypatch) as running_ses:
        yield running_ses


@pytest.fixture
def svc(svc: Services, internet: Internet) -> Services:
    return replace(
        svc, fetch=internet.fetch(), settings=replace(svc.settings, mail_from="login@id.example", guests=True)
    )


@pytest.fixture
def phone(svc: Services, clock: Clock, mailbox: Ses) -> Iterator[DeliveringPhone]:  # noqa: ARG001 - it is there first
    with installed(svc):
        yield DeliveringPhone(clock)


@pytest.fixture
def later(svc: Services, phone: DeliveringPhone) -> Iterator[Services]:  # noqa: ARG001 - it is another deployment's
    """Services of a deployment that gives its users days to think again."""
    services = replace(svc, settings=replace(svc.settings, deletion_seconds=DAYS * DAY))
    with installed(services):
        yield services


def listening(svc: Services, phone: Phone, hook: str = HOOK, **metadata: Any) -> App:
    return register(svc, phone, backchannel_logout_uri=hook, backchannel_logout_session_required=True, **metadata)


def logout_tokens(internet: Internet, hook: str = HOOK) -> list[dict[str, object]]:
    """The claims of what a client was sent."""
    path = hook.partition(".example")[2]
    host = hook.removeprefix("https://").partition("/")[0]
    requests = [each for each in internet.requests if each.line == f"POST {path}" and each.headers["host"] == host]
    return [peek(each.form["logout_token"])[1] for each in requests]


def delete(phone: Phone, token: str) -> Answer:
    return phone.call("DELETE /me", {"password": PASSWORD}, token=token)


def mails_of(mailbox: Ses, kind: str) -> list[ses.SentMail]:
    subject = texts("en")[f"{kind}.subject"].format(brand="Latchkey")
    return [mail for mail in mailbox.mails if mail.subject == subject]


def account(svc: Services) -> User:
    user = svc.users.read(svc.users.find(EMAIL) or "")
    assert user
    return user


def items(svc: Services) -> list[dict[str, object]]:
    """All that is stored of accounts."""
    tables = (svc.settings.users_table, svc.settings.grants_table)
    stored = [item for table in tables for item in svc.users._client.call("Scan", TableName=table)["Items"]]
    return [item for item in stored if item["pk"]["S"].startswith(("user#", "email#"))]


# Who hears of it.


@pytest.mark.parametrize("days", [0, DAYS])
def test_every_client_with_a_session_hears_of_it_once_nothing_of_the_account_is_left(
    svc: Services, phone: DeliveringPhone, internet: Internet, days: int
) -> None:
    """Also one whose user has logged out of the browser since, and one that knows them by another name."""
    token = phone.sign_up()["access_token"]
    web, other_browser = Browser(phone), Browser(phone)
    app, pairwise = listening(svc, phone), listening(svc, phone, PAIRWISE_HOOK, subject_type="pairwise")
    online = peek(app.tokens(web, scope="openid")["id_token"])[1]
    absent = peek(app.tokens(other_browser, scope="openid offline_access")["id_token"])[1]
    known_otherwise = peek(pairwise.tokens(web, scope="openid")["id_token"])[1]
    other_browser.submit(other_browser.get("/oauth/logout"), "/oauth/logout/confirm")
    internet.requests.clear()
    phone.delivers = False
    with installed(replace(svc, settings=replace(svc.settings, deletion_seconds=days * DAY))):
        assert delete(phone, token).status == (202 if days else 204)
        assert days or items(svc) == []
        deliver()
    claims = logout_tokens(internet)
    assert {each["sid"] for each in claims} == {online["sid"], absent["sid"]}
    assert {each["sub"] for each in claims} == {online["sub"]}
    (theirs,) = logout_tokens(internet, PAIRWISE_HOOK)
    assert (theirs["sub"], theirs["sid"]) == (known_otherwise["sub"], known_otherwise["sid"])
    assert theirs["sub"] != online["sub"]
    assert list(svc.outbox.undelivered()) == []


def test_whose_session_had_ended_before_is_told_nothing(
    svc: Services, phone: DeliveringPhone, internet: Internet
) -> None:
    token = phone.sign_up()["access_token"]
    tokens = listening(svc, phone).tokens(Browser(phone), scope="openid offline_access")
    sid = peek(tokens["id_token"])[1]["sid"]
    assert phone.call(f"DELETE /me/sessions/{sid}", token=token).status == 204
    browser = next(
        each["id"]
        for each in phone.call("GET /me/sessions", token=token).json()["sessions"]
        if each["client_id"] == "browser"
    )
    phone.call(f"DELETE /me/sessions/{browser}", token=token)
    internet.requests.clear()
    assert delete(phone, token).status == 204
    assert internet.requests == []


@pytest.mark.parametrize("mode", wire.MODES)
def test_whatever_call_fails_the_clients_hear_of_it_where_the_account_goes(
    svc: Services, phone: DeliveringPhone, internet: Internet, mode: str
) -> None:
    failure, afterwards = wire.MODES[mode]
    token = phone.sign_up()["access_token"]
    sid = peek(listening(svc, phone).tokens(Browser(phone), scope="openid")["id_token"])[1]["sid"]
    phone.delivers = False
    for place in count(1):
        internet.requests.clear()
        failing = wire.Wire(fail_at=place, failure=failure, afterwards=afterwards)
        with undone(svc.settings):
            with wire.watched(svc, failing):
                first = delete(phone, token)
            again = first if first.status == 204 else delete(phone, token)
            assert again.status == 204 or refusal(again) == (401, "invalid_token")
            deliver()
            assert {each["sid"] for each in logout_tokens(internet)} == {sid}, place
            assert items(svc) == []
        if len(failing.calls) < place:
            break
    assert place > 8


def test_a_session_that_begins_in_the_middle_is_told_too(
    svc: Services, phone: DeliveringPhone, internet: Internet
) -> None:
    app = listening(svc, phone)
    token, code = phone.sign_up()["access_token"], Browser(phone).code(app, scope="openid")
    sids: list[object] = []

    def redeem() -> None:
        sids.append(peek(token_response(app.redeem(code))["id_token"])[1]["sid"])

    phone.delivers = False
    with just_before(svc.users._client, "TransactWriteItems", redeem):
        assert phone.call("DELETE /me", token=token).status == 204
    deliver()
    assert [each["sid"] for each in logout_tokens(internet)] == sids
    assert items(svc) == []


def test_of_more_clients_than_a_transaction_holds_each_is_told(
    svc: Services, phone: DeliveringPhone, internet: Internet
) -> None:
    app, token = listening(svc, phone), phone.sign_up()["access_token"]
    app.tokens(Browser(phone), scope="openid")
    (session,) = [each for each in svc.sessions.of_user(account(svc).uid) if each.client_id == app.id]
    for number in range(120):
        client = Client(client_id=f"~{number}", backchannel_logout_uri=f"https://other.example/{number}")
        internet.pages[client.backchannel_logout_uri] = Page()
        manage.create(svc, replace(client, redirect_uris=("https://other.example/cb",)))
        svc.transactions.commit(
            svc.sessions.creation(replace(session, session_id=f"{number:032}", client_id=client.client_id))
        )
    internet.requests.clear()
    assert delete(phone, token).status == 204
    assert len({each.line for each in internet.requests}) == 121
    assert waiting() == []


def test_more_sessions_than_any_transaction_holds_are_told_in_messages_that_fit(
    svc: Services, phone: DeliveringPhone
) -> None:
    """DynamoDB takes items of 400 kB, and 100 of them, of 4 MB together."""
    phone.delivers = False
    token = phone.sign_up()["access_token"]
    (first,) = svc.sessions.of_user(peek(token)[1]["sub"])
    sessions = [
        replace(first, session_id=f"{number:032}", client_id=f"https://app.example/{'x' * 1000}/{number % 7}")
        for number in range(4000)
    ]
    rest = deletion.notices(svc, account(svc), sessions, network="")
    assert len(rest) <= 30
    assert svc.transactions.commit(*rest) is None
    stored = [item for item in waiting() if item.kind == "erased sessions"]
    assert max(len(item.stored) for item in stored) < 200_000
    told_sids = [sid for item in stored for _, _, sid in json.loads(item.stored)["sessions"]]
    assert sorted(told_sids) == sorted(each.session_id for each in sessions)


def test_the_clients_of_an_account_that_was_never_verified_hear_of_its_end(
    svc: Services, phone: DeliveringPhone, internet: Internet, clock: Clock, mailbox: Ses
) -> None:
    phone.sign_up()
    clock.advance(29 * DAY)
    tokens = listening(svc, phone).tokens(Browser(phone), scope="openid")
    internet.requests.clear()
    mailbox.mails.clear()
    clock.advance(2 * DAY)
    by_days = replace(svc, settings=replace(svc.settings, unverified_account_seconds=30 * DAY))
    assert [user.email for user in cleanup.erase_unverified(by_days)] == [EMAIL]
    deliver()
    assert [each["sid"] for each in logout_tokens(internet)] == [peek(tokens["id_token"])[1]["sid"]]
    assert mailbox.mails == []  # who had not verified it may be a stranger to it


def test_an_account_goes_whatever_session_of_it_cannot_be_read(svc: Services, phone: DeliveringPhone) -> None:
    token = phone.sign_up()["access_token"]
    phone.log_in()
    sid = peek(token)[1]["sid"]
    grants = svc.settings.grants_table
    (other,) = [
        item
        for item in svc.users._client.call("Scan", TableName=grants)["Items"]
        if item["sk"]["S"].startswith("grant#") and not item["sk"]["S"].endswith(sid)
    ]
    svc.users._client.call("PutItem", TableName=grants, Item={**other, "v": {"N": "2"}})
    assert delete(phone, token).status == 204
    assert items(svc) == []


def test_the_owner_is_mailed_that_it_is_gone(svc: Services, phone: DeliveringPhone, mailbox: Ses) -> None:
    token = phone.sign_up()["access_token"]
    svc.users.verify_email(account(svc))
    delete(phone, token)
    (mail,) = mails_of(mailbox, "account_deleted")
    assert mail.to == EMAIL
    assert waiting() == []


def test_an_address_that_nobody_has_verified_is_not_mailed_that_it_is_gone(
    phone: DeliveringPhone, mailbox: Ses
) -> None:
    """Or whoever makes accounts with a stranger's address, and deletes them, floods that."""
    delete(phone, phone.sign_up()["access_token"])
    assert mails_of(mailbox, "account_deleted") == []


# Days to think again.


def test_it_says_from_when_on_it_is_erased_and_every_token_of_it_is_worth_nothing(
    phone: DeliveringPhone, later: Services, internet: Internet, mailbox: Ses, clock: Clock
) -> None:
    tokens = phone.sign_up()
    app = listening(later, phone, introspects=True)
    web = Browser(phone)
    theirs, code = app.tokens(web, scope="openid offline_access"), web.code(app, scope="openid")
    internet.requests.clear()
    answer = delete(phone, tokens["access_token"])
    assert (answer.status, answer.json()) == (202, {"delete_after": clock() + DAYS * DAY})
    assert refusal(phone.call("GET /me", token=tokens["access_token"])) == (401, "invalid_token")
    assert refusal(phone.call("POST /refresh", {"refresh_token": tokens["refresh_token"]})) == (401, "invalid_grant")
    assert phone.call("POST /verify", {"token": tokens["access_token"]}).json() == {"active": False}
    assert refusal(app.refresh(theirs["refresh_token"])) == (400, "invalid_grant")
    assert refusal(app.redeem(code)) == (400, "invalid_grant")
    assert refusal(phone.call("GET /oauth/userinfo", token=theirs["access_token"])) == (401, "invalid_token")
    assert app.post("/oauth/introspect", {"token": theirs["access_token"]}).json() == {"active": False}
    assert b"/authorize/login" in web.get("/account").body
    assert peek(theirs["id_token"])[1]["sid"] in {each["sid"] for each in logout_tokens(internet)}
    assert refusal(phone.call("POST /signup", RIGHT)) == (409, "email_taken")
    (mail,) = mails_of(mailbox, "deletion_scheduled")
    assert "2027-01-29 08:00 UTC" in mail.text  # 1,800,000,000 seconds are 2027-01-15 08:00


def by_password(phone: Phone, _: Services) -> None:
    phone.log_in()


def on_a_page(phone: Phone, _: Services) -> None:
    browser = Browser(phone)
    page = browser.submit(browser.get("/account"), "/authorize/login", **RIGHT)
    assert EMAIL.encode() in page.body


def by_the_code_of_a_mail(phone: Phone, svc: Services) -> None:
    attempt = phone.call("POST /login/code", {"email": EMAIL}).json()["login_token"]
    body = {"login_token": attempt, "code": mailed_login.code_for(svc, attempt)}
    assert phone.call("POST /login/code/confirm", body).status == 200


def by_an_application(phone: Phone, svc: Services) -> None:
    register(svc, phone).tokens(Browser(phone), scope="openid")


@pytest.mark.parametrize(
    "log_in", [by_password, on_a_page, by_the_code_of_a_mail, by_an_application], ids=lambda each: each.__name__
)
def test_a_login_by_whatever_way_takes_it_back_and_nothing_is_lost(
    phone: DeliveringPhone,
    later: Services,
    clock: Clock,
    mailbox: Ses,
    log_in: Callable[[Phone, Services], None],
) -> None:
    token = phone.sign_up(name="Ann")["access_token"]
    later.users.verify_email(account(later))
    register(later, phone).tokens(Browser(phone), scope="openid")
    before = account(later)
    consents = later.clients.consents(before.uid)
    assert delete(phone, token).status == 202
    clock.advance(DAYS * DAY - 1)
    mailbox.mails.clear()
    log_in(phone, later)
    after = account(later)
    assert replace(after, token_version=before.token_version) == before
    assert {each.client_id for each in consents} <= {each.client_id for each in later.clients.consents(before.uid)}
    assert len(mails_of(mailbox, "deletion_withdrawn")) == 1
    clock.advance(2 * DAY)
    assert list(cleanup.erase_scheduled(later)) == []
    assert phone.call("GET /me", token=phone.log_in()["access_token"]).json()["name"] == "Ann"


def test_a_browser_that_was_logged_in_before_is_so_again(phone: DeliveringPhone, later: Services) -> None:
    browser = Browser(phone)
    token = phone.sign_up()["access_token"]
    browser.submit(browser.get("/account"), "/authorize/login", **RIGHT)
    delete(phone, token)
    page = browser.submit(browser.get("/account"), "/authorize/login", **RIGHT)
    assert EMAIL.encode() in page.body
    assert account(later).delete_after == 0


def test_a_login_that_is_refused_takes_nothing_back(phone: DeliveringPhone, later: Services) -> None:
    delete(phone, phone.sign_up()["access_token"])
    waits = account(later)
    assert phone.call("POST /login", {**RIGHT, "password": "wrong guess"}).status == 401
    assert phone.call("POST /password/reset", {"email": EMAIL}).status == 204
    assert account(later) == waits
    assert waits.delete_after


def test_a_new_password_by_mail_leaves_it_and_the_login_with_that_takes_it_back(
    phone: DeliveringPhone, later: Services, mailbox: Ses
) -> None:
    delete(phone, phone.sign_up()["access_token"])
    phone.call("POST /password/reset", {"email": EMAIL})
    (mail,) = mails_of(mailbox, "reset_password")
    reset = {"token": mail.token, "new_password": NEW_PASSWORD}
    assert phone.call("POST /password/reset/confirm", reset).status == 204
    assert account(later).delete_after
    phone.log_in(password=NEW_PASSWORD)
    assert account(later).delete_after == 0


def test_an_issuer_s_word_for_somebody_takes_nothing_back_and_gets_nothing(
    phone: DeliveringPhone, later: Services
) -> None:
    issuer = Issuer()
    tokens = phone.sign_up()
    app = trusting(later, phone, issuer)
    delete(phone, tokens["access_token"])
    answer = present(app, issuer.assertion(tokens["user"]["sub"], now=later.now()))
    assert refusal(answer) == (400, "invalid_grant")
    assert account(later).delete_after


def test_the_job_erases_it_once_its_time_has_come_and_not_before(
    phone: DeliveringPhone, later: Services, clock: Clock, mailbox: Ses, internet: Internet
) -> None:
    app = listening(later, phone)
    token = phone.sign_up()["access_token"]
    later.users.verify_email(account(later))
    app.tokens(Browser(phone), scope="openid offline_access")
    delete(phone, token)
    internet.requests.clear()
    clock.advance(DAYS * DAY - 1)
    assert list(cleanup.erase_scheduled(later)) == []
    clock.advance(1)
    mailbox.mails.clear()
    assert [user.email for user in cleanup.erase_scheduled(later)] == [EMAIL]
    deliver()
    assert items(later) == []
    assert internet.requests == []  # they heard of it when it was asked for
    assert [mail.to for mail in mails_of(mailbox, "account_deleted")] == [EMAIL]
    assert waiting() == []
    assert refusal(phone.call("POST /login", RIGHT)) == (401, "invalid_credentials")
    phone.sign_up()


def test_a_login_in_the_very_moment_of_the_job_keeps_the_account_and_its_session(
    phone: DeliveringPhone, later: Services, clock: Clock
) -> None:
    delete(phone, phone.sign_up()["access_token"])
    clock.advance(DAYS * DAY)
    tokens: list[dict[str, str]] = []
    with just_before(later.users._client, "TransactWriteItems", lambda: tokens.append(phone.log_in())):
        assert list(cleanup.erase_scheduled(later)) == []
    assert phone.call("GET /me", token=tokens[0]["access_token"]).status == 200


@pytest.mark.parametrize("write", [2, 3], ids=["its session", "the taking back"])
def test_a_login_that_the_job_overtakes_gets_nothing(
    phone: DeliveringPhone, later: Services, clock: Clock, write: int
) -> None:
    """Right before a write of it; the first counts the attempt."""
    delete(phone, phone.sign_up()["access_token"])
    clock.advance(DAYS * DAY)
    phone.delivers = False
    calls: list[str] = []

    def overtake(proceed: Transport, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if operation == "TransactWriteItems":
            calls.append(operation)
            if len(calls) == write:
                assert len(list(cleanup.erase_scheduled(later))) == 1
        return proceed(operation, request)

    with wire.intercepted(later.users._client, overtake, first=True):
        answer = phone.call("POST /login", RIGHT)
    assert refusal(answer) == (503, "temporarily_unavailable")
    assert items(later) == []


def test_two_logins_at_once_both_get_in_and_one_mail_says_so(
    phone: DeliveringPhone, later: Services, mailbox: Ses
) -> None:
    delete(phone, phone.sign_up()["access_token"])
    answers: list[Answer] = []
    calls: list[str] = []

    def overtake(proceed: Transport, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if operation == "TransactWriteItems":
            calls.append(operation)
            if len(calls) == 2:
                answers.append(phone.call("POST /login", RIGHT))
        return proceed(operation, request)

    with wire.intercepted(later.users._client, overtake, first=True):
        answers.append(phone.call("POST /login", RIGHT))
    assert [answer.status for answer in answers] == [200, 200]
    assert account(later).delete_after == 0
    assert len(mails_of(mailbox, "deletion_withdrawn")) == 1


def test_a_login_whose_session_another_one_ends_as_both_keep_the_account_gets_no_tokens(
    phone: DeliveringPhone, later: Services
) -> None:
    """They would be of a session that is over, whose app would find that out at its first request."""
    delete(phone, phone.sign_up()["access_token"])
    calls: list[str] = []

    def overtake(proceed: Transport, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if operation == "TransactWriteItems":
            calls.append(operation)
            if len(calls) == 3:  # the taking back, after the attempt and the session
                rival = phone.call("POST /login", RIGHT).json()["access_token"]
                assert phone.call("DELETE /me/sessions", token=rival).status == 204
        return proceed(operation, request)

    with wire.intercepted(later.users._client, overtake, first=True):
        answer = phone.call("POST /login", RIGHT)
    assert refusal(answer) == (503, "temporarily_unavailable")
    assert account(later).delete_after == 0


def test_no_session_of_an_account_that_is_to_be_erased_is_in_force(phone: DeliveringPhone, svc: Services) -> None:
    """Whatever began it: a login takes the erasure back first."""
    sid = peek(phone.sign_up()["access_token"])[1]["sid"]
    user, session = svc.sessions.with_user(account(svc).uid, sid)
    assert user
    assert in_force(user, session, svc.now())
    assert in_force(replace(user, delete_after=svc.now() + DAY), session, svc.now()) is None


NOTICE = b"This account was to be deleted."


@pytest.mark.parametrize("name", LOGIN_CLIENTS)
@pytest.mark.parametrize("factors", [1, 2])
@pytest.mark.usefixtures("counted")
def test_the_answer_to_the_login_that_keeps_the_account_says_so_and_no_other(
    phone: DeliveringPhone, later: Services, name: str, factors: int
) -> None:
    """The one that completes the login: the password of somebody who has a second factor takes nothing back, and says so."""
    client, token = login_client(name, later, phone), phone.sign_up()["access_token"]
    uid = account(later).uid
    assert delete(phone, token).status == 202
    if factors == 2:
        counter.enrol(later, uid)
    answers = [client.password()]
    for step in range(1, factors):
        assert b"deletion_withdrawn" not in answers[-1].body
        assert account(later).delete_after
        answers.append(client.prove(client.token(answers[-1]), "counter", counter.code(uid, step)))
    assert answers[-1].status == 200, answers
    assert answers[-1].json()["deletion_withdrawn"] is True
    assert account(later).delete_after == 0
    again = client.password()
    if factors == 2:
        again = client.prove(client.token(again), "counter", counter.code(uid, 9))
    assert again.status == 200
    assert "deletion_withdrawn" not in again.json()


def test_a_login_by_mail_that_keeps_the_account_says_so(phone: DeliveringPhone, later: Services) -> None:
    token = phone.sign_up()["access_token"]
    later.users.verify_email(account(later))
    assert delete(phone, token).status == 202
    attempt = phone.call("POST /login/code", {"email": EMAIL}).json()["login_token"]
    body = {"login_token": attempt, "code": mailed_login.code_for(later, attempt)}
    assert phone.call("POST /login/code/confirm", body).json()["deletion_withdrawn"] is True


def test_the_account_page_says_it_to_whom_a_login_has_led_there_and_once(
    phone: DeliveringPhone, later: Services
) -> None:
    assert delete(phone, phone.sign_up()["access_token"]).status == 202
    browser, login = Browser(phone), "/authorize/login"
    page = browser.submit(browser.get("/account?ui_locales=en"), login, **RIGHT)
    assert NOTICE in page.body
    assert account(later).delete_after == 0
    assert NOTICE not in browser.get("/account").body
    other = Browser(phone)
    assert NOTICE not in other.submit(other.get("/account"), login, **RIGHT).body


def test_a_wrong_password_learns_nothing_of_an_account_that_is_to_be_erased(
    phone: DeliveringPhone, later: Services
) -> None:
    assert delete(phone, phone.sign_up()["access_token"]).status == 202
    answers = [
        phone.call("POST /login", {"email": email, "password": "no idea"}) for email in (EMAIL, "nobody@example.com")
    ]
    assert answers[0].body == answers[1].body
    assert account(later).delete_after


@pytest.fixture
def counted() -> Iterator[None]:
    with counter.installed():
        yield


def of_both_factors(phone: Phone, uid: str, step: int, **more: object) -> dict[str, Any]:
    """A login by the password and by the factor that counts."""
    begun = phone.call("POST /login", RIGHT).json()
    proof = {"mfa_token": begun["mfa_token"], "factor": "counter", "answer": counter.code(uid, step)}
    answer = phone.call("POST /login/proof", {**proof, **more})
    assert answer.status == 200, answer
    tokens: dict[str, Any] = answer.json()
    return tokens


@pytest.mark.parametrize("days", [0, DAYS])
@pytest.mark.usefixtures("counted")
def test_a_stolen_token_and_the_password_delete_no_account_that_has_a_second_factor(
    svc: Services, phone: DeliveringPhone, clock: Clock, days: int
) -> None:
    """The token is of a session of before the factor, or of a device that is asked for none: the password proves nothing new."""
    with installed(replace(svc, settings=replace(svc.settings, deletion_seconds=days * DAY))):
        signed_up = phone.sign_up()
        uid = signed_up["user"]["sub"]
        counter.enrol(svc, uid)
        whole = of_both_factors(phone, uid, 1, remember_device=True)
        remembered = phone.call("POST /login", {**RIGHT, "device_token": whole["device_token"]}).json()
        for stolen in (signed_up["access_token"], remembered["access_token"]):
            for body in ({"password": PASSWORD}, {"password": "a guess at it"}, {}):
                assert refusal(phone.call("DELETE /me", body, token=stolen)) == (401, "login_required"), body
        # None of these was a guess, and nothing has changed.
        assert phone.call("GET /me", token=signed_up["access_token"]).json()["email"] == EMAIL
        assert account(svc).delete_after == 0
        clock.advance(6 * 60)
        token = phone.refresh(whole["refresh_token"])["access_token"]
        assert refusal(phone.call("DELETE /me", token=token)) == (401, "login_required")
        assert refusal(phone.call("DELETE /me", {"password": "no"}, token=token)) == (401, "invalid_credentials")
        assert delete(phone, token).status == (202 if days else 204)


@pytest.mark.usefixtures("counted")
def test_a_fresh_login_by_all_factors_deletes_without_the_password(svc: Services, phone: DeliveringPhone) -> None:
    uid = phone.sign_up()["user"]["sub"]
    counter.enrol(svc, uid)
    assert phone.call("DELETE /me", token=of_both_factors(phone, uid, 1)["access_token"]).status == 204
    assert items(svc) == []


@pytest.mark.usefixtures("counted")
def test_the_page_s_button_deletes_no_account_that_got_a_factor_since(svc: Services, phone: DeliveringPhone) -> None:
    uid = phone.sign_up()["user"]["sub"]
    browser = Browser(phone)
    login = "/authorize/login"
    browser.submit(browser.get(login), login, email=EMAIL, password=PASSWORD)
    page = browser.get("/account/delete")
    counter.enrol(svc, uid)
    browser.submit(page, "/account/delete", decision="delete")
    assert account(svc).uid == uid


def test_a_guest_is_gone_at_once(phone: DeliveringPhone, later: Services) -> None:
    token = phone.call("POST /signup/guest").json()["access_token"]
    assert phone.call("DELETE /me", token=token).status == 204
    assert items(later) == []


def test_a_mailbox_is_not_flooded_by_who_deletes_and_logs_in_again(
    phone: DeliveringPhone, later: Services, mailbox: Ses
) -> None:
    token, statuses = phone.sign_up()["access_token"], []
    for _ in range(11):
        statuses.append(delete(phone, token).status)
        token = phone.log_in()["access_token"]
    assert statuses == [202] * 10 + [429]
    assert account(later).delete_after == 0
    assert len(mails_of(mailbox, "deletion_scheduled")) == 10
