"""The copy of all that is kept of somebody: what is in it, what is not, and who gets it."""

import inspect
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.accounts.events import Event
from chalicelib.domain.accounts.model import Consent, EnrolledFactor, Session, User
from chalicelib.domain.accounts.remembered_device import RememberedDevice
from chalicelib.services import Services
from tests.support import code_app, lived, ses
from tests.support.browser import Browser, register, token_response
from tests.support.delivery import DeliveringPhone
from tests.support.forge import peek
from tests.support.lived import Life
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal
from tests.support.ses import Ses

LINE, PAGE = "GET /me/export", "/account/export"
# What is kept of somebody, by the record: under which name the copy has it, or why it has it not. Whoever adds a member to
# a record decides here.
ID, PROTOCOL, SECRET, COUNTS = (
    "it is the person's id already",
    "their protocol's",
    "it opens something",
    "counts sessions",
)
DECISIONS: dict[type, dict[str, tuple[str] | str]] = {
    User: {
        "uid": ("sub",),
        "email": ("email",),
        "password_hash": SECRET,
        "previous_password_hashes": SECRET,
        "created_at": ("created_at",),
        "name": ("name",),
        "email_verified": ("email_verified",),
        "disabled": "who is disabled gets no copy",
        "token_version": COUNTS,
        "roles": ("roles",),
        "claims": ("claims",),
        "attributes": ("attributes",),
        "updated_at": ("updated_at",),
        "email_changed_at": ("email_changed_at",),
        "previous_email": ("previous_email",),
        "previous_email_until": ("previous_email_until",),
        "pending_email": ("pending_email",),
        "pending_email_until": ("pending_email_until",),
        "pending_email_version": COUNTS,
        "email_problem": ("email_problem",),
        "guest": ("guest",),
        "factors": "the list of factors has them",
        "delete_after": "who logs in for the copy keeps the account",
    },
    EnrolledFactor: {
        "uid": ID,
        "kind": ("kind",),
        "id": ("id",),
        "name": ("name",),
        "created_at": ("created_at",),
        "record": SECRET,
        "last_used_at": ("last_used_at",),
        "counter": SECRET,
        "codes": SECRET,
    },
    Session: {
        "uid": ID,
        "session_id": ("id",),
        "client_id": ("client_id",),
        "scope": ("scope",),
        "token_version": COUNTS,
        "amr": ("methods",),
        "auth_time": ("auth_time",),
        "created_at": ("created_at",),
        "last_used_at": ("last_used_at",),
        "expires_at": ("expires_at",),
        "ends_at": PROTOCOL,
        "generation": SECRET,
        "rotated_at": PROTOCOL,
        "device": ("device",),
        "ended": ("ended",),
        "redirect_uri": PROTOCOL,
        "challenge": SECRET,
        "nonce": PROTOCOL,
        "resource": ("resource",),
        "jkt": PROTOCOL,
        "unbound_until": PROTOCOL,
        "browser": "it is another session's id",
        "claims": PROTOCOL,
        "logout_participants": "the list of sessions has them",
        "client_since": PROTOCOL,
    },
    RememberedDevice: {
        "uid": ID,
        "device_id": ("id",),
        "token_version": COUNTS,
        "factors": "the list of factors has them",
        "created_at": ("created_at",),
        "last_used_at": ("last_used_at",),
        "expires_at": ("expires_at",),
        "browser": ("browser",),
        "system": ("system",),
    },
    Event: {
        "id": ("id",),
        "type": ("type",),
        "at": ("at",),
        "session": ("session",),
        "client": ("client_id",),
        "network": ("network",),
        "browser": ("browser",),
        "system": ("system",),
        "device": ("device",),
        "amr": ("amr",),
        "factor": ("factor",),
        "reason": ("reason",),
        "by": ("by",),
    },
    Consent: {
        "client_id": ("client_id",),
        "scopes": ("scopes",),
        "agreed_at": ("agreed_at",),
        "api": ("api",),
    },
}


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ses]:
    with ses.running(monkeypatch) as running:
        yield running


@pytest.fixture
def rich(svc: Services) -> Iterator[Services]:
    """Services of a deployment in which most can happen."""
    services = replace(svc, settings=lived.where_most_can_happen(svc.settings))
    with installed(services):
        yield services


@pytest.fixture
def life(rich: Services, clock: Clock, mailbox: Ses) -> Life:
    life = Life(rich, DeliveringPhone(clock), mailbox, clock)
    lived.live(life)
    return life


def export(phone: Phone, token: str) -> dict[str, Any]:
    answer = phone.call(LINE, token=token)
    assert answer.status == 200, answer.body
    exported: dict[str, Any] = answer.json()
    return exported


@pytest.mark.parametrize("kind", DECISIONS, ids=lambda kind: kind.__name__)
def test_of_each_member_that_is_kept_somebody_has_decided_whether_it_is_in_the_copy(kind: type) -> None:
    names: Iterable[str] = Event.__struct_fields__ if kind is Event else inspect.get_annotations(kind)
    assert set(names) == set(DECISIONS[kind])


def test_what_is_decided_to_be_in_it_is_in_it_as_it_is_kept(life: Life, rich: Services) -> None:
    user = life.user()
    kept: dict[str, list[Any]] = {
        "account": [user],
        "factors": rich.factors.of_user(user),
        "sessions": rich.sessions.of_user(user.uid),
        "devices": rich.remembered_devices.of_user(user.uid),
        "consents": rich.clients.consents(user.uid),
        "events": rich.events.of_user(user.uid, before=life.clock() + 3600, since=0, least=10**6)[0],
    }
    exported = export(life.phone, life.access_token)  # which is an event itself, of after that
    assert set(exported) == {*kept, "format", "version", "exported_at", "events_before"}
    for part, records in kept.items():
        copies = [exported["account"]] if part == "account" else exported[part]
        assert len(copies) == len(records) > 0, part
        names = {name: place[0] for name, place in DECISIONS[type(records[0])].items() if isinstance(place, tuple)}
        of_records = [_plain({copy: getattr(each, name) for name, copy in names.items()}) for each in records]
        own = {"account": {"has_password"}, "events": {"outcome"}}.get(part, set())
        of_copies = [{name: value for name, value in each.items() if name not in own} for each in copies]
        assert sorted(map(in_order, of_copies)) == sorted(map(in_order, of_records)), part


def in_order(copy: dict[str, Any]) -> str:
    return json.dumps(copy, sort_keys=True)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Values as JSON has them."""
    plain = {name: sorted(each) if isinstance(each, frozenset) else each for name, each in values.items()}
    if "scope" in plain:
        plain["scope"] = " ".join(plain["scope"])
    as_json: dict[str, Any] = json.loads(json.dumps(plain))
    return as_json


def test_it_has_what_its_reader_knows_of_themselves_and_its_shape_has_a_version(life: Life) -> None:
    exported = export(life.phone, life.access_token)
    assert (exported["format"], exported["version"], exported["exported_at"]) == ("latchkey-export", 1, life.clock())
    account = exported["account"]
    assert (account["email"], account["name"], account["previous_email"]) == (lived.EMAIL, lived.NAME, lived.OLD)
    assert account["attributes"] == {"plan": "garden", "internal": "a note of an administrator"}
    assert account["claims"] == {"given_name": "Annabel", "birthdate": "1990-04-17"}
    assert {each["kind"] for each in exported["factors"]} == {"totp", "recovery_code", "email_code", "passkey"}
    assert {each["client_id"] for each in exported["sessions"]} >= {"latchkey", "browser"}


def test_nothing_in_it_opens_anything(life: Life, rich: Services) -> None:
    text = life.phone.call(LINE, token=life.access_token).body.decode()
    user = life.user()
    hashes = [user.password_hash, *user.previous_password_hashes]
    records = [each.record for each in rich.factors.of_user(user)]
    codes = [code for each in rich.factors.of_user(user) for code in each.codes]
    assert len(life.secrets) > 15
    for secret in (*life.secrets, *hashes, *codes, *filter(lambda each: len(each) > 20, records)):
        assert secret
        assert secret not in text
        assert json.dumps(secret)[1:-1] not in text
    assert "$argon2" not in text


def test_it_is_for_who_has_just_logged_in(phone: Phone, clock: Clock) -> None:
    token = phone.sign_up()["access_token"]
    clock.advance(5 * 60)
    assert export(phone, token)["account"]["email"] == EMAIL
    clock.advance(1)
    assert refusal(phone.call(LINE, token=token)) == (401, "login_required")
    assert export(phone, phone.log_in()["access_token"])


def test_a_refreshed_token_is_no_fresh_login(phone: Phone, clock: Clock) -> None:
    tokens = phone.sign_up()
    clock.advance(301)
    assert refusal(phone.call(LINE, token=phone.refresh(tokens["refresh_token"])["access_token"])) == (
        401,
        "login_required",
    )


def test_who_has_a_second_factor_shows_it_first(phone: Phone, svc: Services, clock: Clock) -> None:
    weak, token = phone.sign_up()["access_token"], phone.log_in()["access_token"]
    app = code_app.enrol(phone, token, clock)
    assert refusal(phone.call(LINE, token=weak)) == (401, "login_required")
    clock.advance(60)
    assert export(phone, code_app.log_in(phone, "totp", app.code()))
    assert svc.users.find(EMAIL)


def test_a_token_that_somebody_else_got_for_the_user_gets_none(phone: Phone, svc: Services) -> None:
    phone.sign_up()
    app = register(svc, phone, scopes=("openid", "account"))
    exchanger = register(svc, phone, "exchanger", scopes=("account",))
    subject = app.tokens(Browser(phone), scope="openid account")["access_token"]
    exchanged = token_response(
        exchanger.token(
            "urn:ietf:params:oauth:grant-type:token-exchange",
            subject_token=subject,
            subject_token_type="urn:ietf:params:oauth:token-type:access_token",
        )
    )["access_token"]
    assert refusal(phone.call(LINE, token=exchanged)) == (401, "login_required")
    without = app.tokens(Browser(phone), scope="openid")["access_token"]
    assert phone.call(LINE, token=without).status == 403


def test_a_guest_has_one_too(phone: Phone, svc: Services, clock: Clock) -> None:
    with installed(replace(svc, settings=replace(svc.settings, guests=True))):
        token = phone.call("POST /signup/guest", {"name": "Ann"}).json()["access_token"]
        clock.advance(600)
        account = export(phone, token)["account"]
    assert (account["guest"], account["name"], account["email"], account["has_password"]) == (True, "Ann", "", False)


def test_whoever_asks_a_hundred_times_is_told_when_to_ask_again(phone: Phone, clock: Clock) -> None:
    token = phone.sign_up()["access_token"]
    answers = [phone.call(LINE, token=token) for _ in range(100)]
    assert [answer.status for answer in answers] == [200] * 10 + [429] * 90
    wait = int(answers[-1].header("Retry-After") or 0)
    assert 0 < wait <= 3600
    clock.advance(wait)
    assert export(phone, phone.log_in()["access_token"])


def test_who_logs_in_all_day_gets_a_copy_that_lambda_can_answer_and_the_rest_of_the_events_by_their_list(
    phone: Phone, svc: Services, clock: Clock
) -> None:
    """AWS: an answer of a function has 6 MB at most. Without a bound nobody with such an account had a copy ever."""
    token, now = phone.sign_up()["access_token"], clock()
    uid = peek(token)[1]["sub"]
    for hour in range(1, 241):
        logins = tuple(
            Event(
                id=f"{hour:05}-{place:05}",
                type="login",
                at=now - hour * 3600,
                session="5" * 32,
                client="https://app.example/client",
                network="2001:db8:1234:5678::/64",
                browser="Firefox",
                system="Windows",
                device="known",
                amr=("pwd", "otp", "mfa"),
            )
            for place in range(50)
        )
        addition = svc.events.addition(uid, logins, seconds=90 * 86400, now=now - hour * 3600)
        assert svc.transactions.commit(addition) is None
    answer = phone.call(LINE, token=token)
    exported = answer.json()
    assert len(answer.body) < 4_000_000
    assert len(exported["events"]) >= 5000
    rest = phone.call(f"GET /me/activity?before={exported['events_before']}", token=token).json()["events"]
    ids = [each["id"] for each in exported["events"] if each["type"] == "login"]
    assert int(ids[-1][:5]) + 1 == int(rest[0]["id"][:5])


def test_it_is_a_file_that_no_cache_keeps(phone: Phone) -> None:
    answer = phone.call(LINE, token=phone.sign_up()["access_token"])
    assert answer.header("Content-Disposition") == 'attachment; filename="latchkey-export.json"'
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Content-Type") == "application/json"


# On the page.


@pytest.fixture
def ann(phone: Phone) -> Browser:
    phone.sign_up(name="Ann <b>")
    browser = Browser(phone)
    browser.submit(browser.get("/authorize/login"), "/authorize/login", email=EMAIL, password=PASSWORD)
    return browser


def test_the_page_s_file_is_the_same(ann: Browser, phone: Phone) -> None:
    answer = ann.submit(ann.get(PAGE), PAGE)
    assert answer.header("Content-Disposition") == 'attachment; filename="latchkey-export.json"'
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("X-Content-Type-Options") == "nosniff"
    exported = json.loads(answer.body)
    own = {name: exported[name] for name in ("sessions", "events")}  # which a login and a copy each add to
    assert exported == {**export(phone, phone.log_in()["access_token"]), **own}
    assert exported["account"]["name"] == "Ann <b>"
    assert "browser" in {each["client_id"] for each in exported["sessions"]}


def test_whoever_logged_in_minutes_ago_does_so_once_more(ann: Browser, clock: Clock) -> None:
    page = ann.get(PAGE)
    clock.advance(301)
    for later in (ann.get(PAGE), ann.submit(page, PAGE)):
        assert b"/authorize/login" in later.body
        assert b"latchkey-export" not in later.body


def test_who_asks_too_often_reads_it_on_the_page(ann: Browser) -> None:
    page = ann.get(PAGE)
    for _ in range(10):
        assert ann.submit(page, PAGE).header("Content-Disposition")
    refused = ann.submit(page, PAGE)
    assert (refused.status, refused.header("Content-Disposition")) == (200, None)
    assert b'role="alert"' in refused.body
