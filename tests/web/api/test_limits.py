"""What is counted, for whom, and what a deployment may choose of it."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.config import LIMITS, load
from chalicelib.flows.oauth import authorize_challenge as first_party
from chalicelib.flows.platform import limits
from chalicelib.services import Services
from chalicelib.store.dynamo import TRIES
from tests.support import wire
from tests.support.browser import ISSUER, Browser, register
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal
from tests.support.staged import just_before

DOCUMENTS = Path(__file__).parents[3] / "docs"
TOO_MANY = (429, "too_many_requests")
GOOD = {"redirect_uris": ["https://app.example/cb"]}
UNITS = {"min": 60, "h": 3600}


def limited(svc: Services, setting: str) -> Services:
    """The same services with other limits."""
    return replace(
        svc, settings=replace(svc.settings, limits=load({"LATCHKEY_ISSUER": ISSUER, "LATCHKEY_LIMITS": setting}).limits)
    )


def test_the_table_of_limits_is_the_one_in_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) (min|h) \| \w", (DOCUMENTS / "operations.md").read_text(), re.M)
    assert {name: (int(most), int(number) * UNITS[unit]) for name, most, number, unit in rows} == dict(LIMITS)


def test_every_limit_is_used_under_its_name() -> None:
    source = Path(limits.__file__).read_text()
    assert set(re.findall(r'_(?:limit|backoff)\(svc, "(\w+)"', source)) == set(LIMITS)


def test_a_deployment_chooses_numbers_by_name_and_all_others_at_once() -> None:
    def numbers(setting: str) -> dict[str, int]:
        settings = load({"LATCHKEY_ISSUER": ISSUER, "LATCHKEY_LIMITS": setting})
        assert {name: seconds for name, (_, seconds) in settings.limits.items()} == {
            name: seconds for name, (_, seconds) in LIMITS.items()
        }
        return {name: most for name, (most, _) in settings.limits.items()}

    usual = {name: most for name, (most, _) in LIMITS.items()}
    assert numbers("") == usual
    assert numbers("sign_up_network=7") == {**usual, "sign_up_network": 7}
    everything = dict.fromkeys(LIMITS, 1000)
    assert numbers("*=1000") == everything
    for both in ("*=1000 fetch_host=3", " fetch_host=3  *=1000 "):
        assert numbers(both) == {**everything, "fetch_host": 3}


@pytest.mark.parametrize(
    "setting",
    [
        "passwords=3",
        "sign_up_network",
        "sign_up_network=",
        "sign_up_network=0",
        "sign_up_network=-1",
        "*=many",
        "=3",
        "*",
        "*=1e3",
        "*=٣",
    ],
)
def test_a_limit_that_cannot_be_is_refused_with_what_there_is(setting: str) -> None:
    with pytest.raises(ValueError, match=r"^LATCHKEY_LIMITS ") as error:
        load({"LATCHKEY_ISSUER": ISSUER, "LATCHKEY_LIMITS": setting})
    name = setting.partition("=")[0]
    if name not in ("*", *LIMITS):
        assert all(limit in str(error.value) for limit in LIMITS)


def test_a_chosen_number_holds_and_its_refusal_says_when_and_logs_which(
    svc: Services, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with installed(limited(svc, "*=1000 sign_up_network=2")):
        phone = Phone(clock)
        phone.sign_up("one@example.com")
        phone.sign_up("two@example.com")
        answer = phone.call("POST /signup", {"email": "three@example.com", "password": PASSWORD})
        assert refusal(answer) == TOO_MANY
        assert '"reason":"sign_up_network"' in capsys.readouterr().out
        clock.advance(int(answer.header("Retry-After") or 0))
        phone.sign_up("three@example.com")


# What was refused is not counted as done
def test_a_registration_that_is_refused_is_no_registration(svc: Services, clock: Clock) -> None:
    with installed(replace(svc, settings=replace(svc.settings, registration_open=True))):
        phone = Phone(clock)
        for wrong in ({"redirect_uris": ["http://app.example/cb"]}, {}, {**GOOD, "grant_types": ["password"]}) * 7:
            assert phone.call("POST /oauth/register", wrong).status == 400
        assert [phone.call("POST /oauth/register", GOOD).status for _ in range(21)] == [201] * 20 + [429]


def test_a_change_of_a_registration_that_is_refused_is_no_change(svc: Services, clock: Clock) -> None:
    with installed(replace(svc, settings=replace(svc.settings, registration_open=True))):
        phone = Phone(clock)
        registration = phone.call("POST /oauth/register", GOOD).json()
        line, token = f"PUT /oauth/register/{registration['client_id']}", registration["registration_access_token"]
        for _ in range(21):
            assert phone.call(line, {"client_id": registration["client_id"]}, token=token).status == 400
        assert phone.call(line, {**GOOD, "client_id": registration["client_id"]}, token=token).status == 200


def test_a_pushed_request_that_is_refused_is_not_counted_with_those_that_are_kept(
    svc: Services, phone: Phone, clock: Clock
) -> None:
    app = register(svc, phone, "spa")
    with installed(limited(svc, "pushed_request_network=2")):
        app.phone = Phone(clock)
        for wrong in ({"redirect_uri": "https://evil.example/"}, {"scope": "admin"}, {"response_type": "token"}):
            assert app.post("/oauth/par", app.request(**wrong)).status == 400
        assert [app.post("/oauth/par", app.request()).status for _ in range(3)] == [201, 201, 429]


# Devices
def test_a_network_has_codes_for_so_many_devices_of_clients_that_prove_nothing(
    svc: Services, phone: Phone, clock: Clock
) -> None:
    television = register(svc, phone, "television")
    assert [television.post("/oauth/device", {}).status for _ in range(101)] == [200] * 100 + [429]
    with wire.watched(svc) as traffic:
        assert television.post("/oauth/device", {}).json()["error"] == "too_many_requests"
    assert "PutItem" not in traffic.calls
    for wrong in ({"scope": "admin"}, {"resource": "https://other.example"}):
        assert television.post("/oauth/device", wrong).status == 400
    television.phone = Phone(clock, address="203.0.113.9")
    assert television.post("/oauth/device", {}).status == 200


def test_a_device_that_asks_without_end_is_told_so_without_a_write(svc: Services, phone: Phone, clock: Clock) -> None:
    television = register(svc, phone, "television")
    codes = television.post("/oauth/device", {}).json()

    def poll() -> Any:
        return television.token("urn:ietf:params:oauth:grant-type:device_code", device_code=codes["device_code"])

    assert poll().json()["error"] == "authorization_pending"
    for _ in range(20):
        assert poll().json()["error"] == "slow_down"
    with wire.watched(svc) as traffic:
        assert {poll().json()["error"] for _ in range(20)} == {"slow_down"}
    assert set(traffic.calls) == {"GetItem"}
    clock.advance(60)
    assert poll().json()["error"] == "authorization_pending"


# Failures are counted, not successes
WRONG = {"email": EMAIL, "password": "not my password"}
RIGHT = {"email": EMAIL, "password": PASSWORD}
TRANSACT = "TransactWriteItems"


def wrong(phone: Phone, times: int) -> list[int]:
    return [phone.call("POST /login", WRONG).status for _ in range(times)]


def counts(svc: Services) -> list[int]:
    """What is counted at all, after a look that none of it is below zero or without an end."""
    client, table = svc.users._client, svc.settings.grants_table
    counters = [
        item for item in client.call("Scan", TableName=table)["Items"] if item["pk"]["S"].startswith("attempts#")
    ]
    assert all(int(item["attempts"]["N"]) >= 0 and int(item["expires_at"]["N"]) > 0 for item in counters)
    return [int(item["attempts"]["N"]) for item in counters if item["attempts"]["N"] != "0"]


def by_json(phone: Phone, _: Services) -> None:
    phone.log_in()


def by_page(phone: Phone, svc: Services) -> None:
    browser, app = Browser(phone), register(svc, phone, first_party=True)
    for _ in range(2):  # the second raises the session of the first
        browser.code(app, prompt="login")


def by_challenge(phone: Phone, svc: Services) -> None:
    app = register(svc, phone, "native", first_party=True)
    fields = {**app.request(), "email": EMAIL, "password": PASSWORD}
    answer = app.post("/oauth/authorize-challenge", {name: v for name, v in fields.items() if name in CHALLENGE})
    assert answer.status == 200, answer


def by_new_password(phone: Phone, _: Services) -> None:
    access = phone.log_in()["access_token"]
    change = {"current_password": PASSWORD, "new_password": PASSWORD}
    assert phone.call("POST /me/password", change, token=access).status == 204


def by_end_of_account(phone: Phone, _: Services) -> None:
    access = phone.log_in()["access_token"]
    assert phone.call("DELETE /me", {"password": PASSWORD}, token=access).status == 204


CHALLENGE = first_party.PARAMETERS | {"client_id", "client_secret"}
WAYS_IN = (by_json, by_page, by_challenge, by_new_password, by_end_of_account)


@pytest.mark.parametrize("log_in", WAYS_IN)
def test_a_right_password_counts_for_nothing_and_forgives_no_wrong_one(
    svc: Services, phone: Phone, log_in: Callable[[Phone, Services], None]
) -> None:
    phone.sign_up()
    before = sorted(counts(svc))
    assert wrong(phone, 2) == [401] * 2
    log_in(phone, svc)
    new_passwords = [1] if log_in is by_new_password else []  # which are mails
    assert sorted(counts(svc)) == sorted([*before, *new_passwords, 2, 2, 2])


def test_a_family_a_test_suite_and_an_office_log_in_as_often_as_they_like(phone: Phone) -> None:
    phone.sign_up()
    for _ in range(4):
        assert wrong(phone, 1) == [401]
        phone.log_in()
        phone.log_in()
    assert wrong(phone, 2) == [401, 429]
    # A right password lets nobody into an account that is shut, or it could be told from a wrong one.
    assert phone.call("POST /login", RIGHT).status == 429


def test_a_new_password_that_is_too_weak_is_no_wrong_one(phone: Phone) -> None:
    access = phone.sign_up()["access_token"]
    change = {"current_password": PASSWORD, "new_password": "password1"}
    assert {phone.call("POST /me/password", change, token=access).status for _ in range(12)} == {422}
    assert phone.log_in()


def test_a_weak_password_at_sign_up_is_no_account_and_has_a_limit_of_its_own(phone: Phone, clock: Clock) -> None:
    weak = {"email": "new@example.com", "password": "password1"}
    assert {phone.call("POST /signup", weak).status for _ in range(25)} == {422}
    phone.sign_up("first@example.com")
    assert [phone.call("POST /signup", weak).status for _ in range(76)] == [422] * 74 + [429] * 2
    clock.advance(3600)
    account = {"email": "first@example.com", "password": PASSWORD}
    assert [phone.call("POST /signup", account).status for _ in range(21)] == [409] * 20 + [429]


def test_codes_that_are_typed_right_count_for_nothing(svc: Services, phone: Phone) -> None:
    phone.sign_up()
    browser, television = Browser(phone), register(svc, phone, "television")
    browser.code(register(svc, phone, first_party=True))
    before = sorted(counts(svc))
    for _ in range(3):
        assert television.post("/oauth/device", {}).status == 200
        page = browser.submit(browser.get("/device"), "/device", user_code="BBBB-BBBB")
        codes = television.post("/oauth/device", {}).json()
        page = browser.submit(browser.get("/device"), "/device", user_code=codes["user_code"])
        assert browser.submit(page, "/device", decision="allow").status == 200
    assert sorted(counts(svc)) == sorted([*before, 3, 6])  # codes typed wrong; codes asked for


# What happens between the count and its return
def test_a_count_whose_window_has_ended_is_not_taken_from_the_next_one(
    svc: Services, phone: Phone, clock: Clock
) -> None:
    phone.sign_up()
    clock.advance(3600)

    def an_hour_later() -> None:
        clock.advance(3600)
        assert wrong(Phone(clock), 1) == [401]

    with just_before(svc.users._client, "GetItem", an_hour_later):
        phone.log_in()
    assert wrong(phone, 5) == [401] * 4 + [429]
    counts(svc)


def test_a_count_that_was_swept_meanwhile_does_not_come_back(svc: Services, phone: Phone) -> None:
    phone.sign_up()
    client, table = svc.users._client, svc.settings.grants_table

    def sweep() -> None:
        for item in client.call("Scan", TableName=table)["Items"]:
            if item["pk"]["S"].startswith("attempts#"):
                client.call("DeleteItem", TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})

    with just_before(client, "GetItem", sweep):
        assert phone.log_in()["access_token"]
    assert counts(svc) == []


@pytest.mark.parametrize("place", [2, 3, 4])
def test_whoever_floods_an_account_does_not_turn_its_owners_login_into_a_fault(
    svc: Services, phone: Phone, place: int
) -> None:
    phone.sign_up()
    before = counts(svc)
    reasons = ["None"] * 6
    reasons[place] = "TransactionConflict"
    conflict = wire.refusing("TransactionCanceledException", reasons=tuple(reasons))
    with wire.watched(svc, wire.Wire(fail_at=4, failure=conflict)) as traffic:
        session = phone.log_in()
    # What could not be given back with the session is given back by itself, and the event is written by itself too.
    assert traffic.calls == [TRANSACT, "GetItem", "GetItem", TRANSACT, TRANSACT, *["UpdateItem"] * 3, TRANSACT]
    assert phone.refresh(session["refresh_token"])
    assert sorted(counts(svc)) == sorted(before)


def test_an_account_whose_count_is_written_too_often_for_one_key_is_open_to_its_owner(
    svc: Services, phone: Phone
) -> None:
    phone.sign_up()
    hot = wire.refusing("TransactionCanceledException", reasons=("None", "None", "ThrottlingError"))
    with wire.watched(svc, wire.Wire(fail_at=1, failure=hot)) as traffic:
        phone.log_in()
    assert traffic.calls == [TRANSACT, TRANSACT, "GetItem", "GetItem", TRANSACT]
    throttled = wire.refusing("TransactionCanceledException", reasons=("ThrottlingError", "None", "None"))
    with wire.watched(svc, wire.Wire(fail_at=1, failure=throttled)):
        assert phone.call("POST /login", RIGHT).status == 503  # its own network's count


def test_whoever_floods_an_account_does_not_keep_its_owner_from_being_counted(svc: Services, phone: Phone) -> None:
    phone.sign_up()
    conflict = wire.refusing("TransactionCanceledException", reasons=("None", "None", "TransactionConflict"))
    with wire.watched(svc, wire.Wire(fail_at=1, failure=conflict, times=TRIES)) as traffic:
        phone.log_in()
    assert traffic.calls == [TRANSACT] * (TRIES + 1) + ["GetItem", "GetItem", TRANSACT]
    for _ in range(3):
        with wire.watched(svc, wire.Wire(fail_at=1, failure=conflict, times=TRIES)):
            assert wrong(phone, 1) == [401]
    with wire.watched(svc, wire.Wire(fail_at=1, failure=conflict, times=TRIES)):
        assert wrong(phone, 1) == [429]


def test_guesses_at_once_that_are_all_right_are_still_no_more_than_the_limit_at_any_moment(
    svc: Services, phone: Phone
) -> None:
    phone.sign_up()
    wrong(phone, 4)
    with just_before(svc.users._client, "GetItem", lambda: wrong(phone, 1)):
        phone.log_in()
    assert wrong(phone, 1) == [429]
