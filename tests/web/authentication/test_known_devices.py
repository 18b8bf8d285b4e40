"""A device that an account knows: strangers cannot keep it out, and what it has is worth a few guesses and nothing more."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.config import load
from chalicelib.domain import versioned
from chalicelib.domain.authentication.known_device import MAX_ACCOUNTS, KnownDevice
from chalicelib.domain.crypto import sealing as crypto_sealing
from chalicelib.flows.platform import keys, sealing
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import ISSUER, Browser, register
from tests.support.login_clients import REQUEST
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal
from tests.support.wire import watched

OTHER = "ben@example.com"
NEW_PASSWORD = "an entirely other phrase 7"
COOKIE = "__Host-latchkey-device"
STRANGERS = "203.0.113.66"
FEW = "password_account_network=2 password_account=2 password_account_network_slow=1 password_device=3"


@pytest.fixture
def svc(svc: Services) -> Services:
    """A deployment with few guesses."""
    limits = load({"LATCHKEY_ISSUER": ISSUER, "LATCHKEY_LIMITS": FEW}).limits
    return replace(svc, settings=replace(svc.settings, limits=limits))


@pytest.fixture(autouse=True)
def _services(svc: Services) -> Any:
    with installed(svc):
        yield


def use_up(phone: Phone, email: str = EMAIL) -> None:
    """Guesses as somebody in the owner's own network, and elsewhere, until a stranger there has none left."""
    here = phone.address
    for network in (STRANGERS, here):
        phone.address = network
        for _ in range(4):
            guess(phone, email=email)
    phone.address = here
    assert refusal(guess(phone, PASSWORD, email=email)) == (429, "too_many_requests")


def guess(phone: Phone, password: str = "a wrong one", *, email: str = EMAIL, **fields: str) -> Answer:
    """One login of the JSON API."""
    return phone.call("POST /login", {"email": email, "password": password, **fields})


def test_a_known_device_logs_in_where_strangers_have_used_up_all_limits(phone: Phone) -> None:
    known = phone.sign_up()["device_token"]
    use_up(phone)
    answer = guess(phone, PASSWORD, device_token=known)
    assert answer.status == 200
    assert guess(phone, PASSWORD, device_token=answer.json()["device_token"]).status == 200


def test_a_browser_that_the_account_knows_logs_in_all_the_same(phone: Phone) -> None:
    phone.sign_up()
    known, stranger = Browser(phone), Browser(phone)
    log_in(known)
    lines = [line for line in known.set_cookies if line.startswith(COOKIE)]
    assert lines
    assert all("HttpOnly; SameSite=Lax; Secure" in line and "Max-Age=34560000" in line for line in lines)
    del known.cookies["__Host-latchkey-session"]
    use_up(phone)
    assert b"too many" in log_in(stranger).body
    assert COOKIE not in stranger.cookies
    assert b"too many" not in log_in(known).body
    assert "__Host-latchkey-session" in known.cookies


def log_in(browser: Browser, email: str = EMAIL, password: str = PASSWORD) -> Answer:
    """The login form, and the page that it leads to."""
    return browser.submit(browser.get("/authorize/login"), "/authorize/login", email=email, password=password)


def test_a_first_party_app_that_the_account_knows_logs_in_all_the_same(phone: Phone, svc: Services) -> None:
    phone.sign_up()
    app = register(svc, phone, "native", first_party=True)
    fields = {**REQUEST, "email": EMAIL, "password": PASSWORD}
    known = app.post("/oauth/authorize-challenge", fields).json()["device_token"]
    use_up(phone)
    assert refusal(app.post("/oauth/authorize-challenge", fields)) == (429, "too_many_requests")
    answer = app.post("/oauth/authorize-challenge", {**fields, "device_token": known})
    assert set(answer.json()) == {"authorization_code", "device_token"}


def test_its_own_count_ends_too_and_then_it_is_a_stranger(phone: Phone, clock: Clock) -> None:
    known = phone.sign_up()["device_token"]
    use_up(phone)
    for _ in range(3):
        assert refusal(guess(phone, device_token=known)) == (401, "invalid_credentials")
    assert refusal(guess(phone, PASSWORD, device_token=known)) == (429, "too_many_requests")
    clock.advance(15 * 60)
    assert guess(phone, PASSWORD, device_token=known).status == 200


def test_who_uses_up_the_count_of_a_stolen_one_keeps_nobody_out(phone: Phone) -> None:
    known = phone.sign_up()["device_token"]
    thief = replace_address(phone, STRANGERS)
    for _ in range(3):
        assert refusal(guess(thief, device_token=known)) == (401, "invalid_credentials")
    assert guess(phone, PASSWORD, device_token=known).status == 200


def replace_address(phone: Phone, address: str) -> Phone:
    """Another phone, elsewhere."""
    other = Phone.__new__(Phone)
    other.gateway, other.address = phone.gateway, address
    return other


def test_a_right_password_gives_its_count_back(phone: Phone) -> None:
    known = phone.sign_up()["device_token"]
    use_up(phone)
    for _ in range(5):
        assert guess(phone, PASSWORD, device_token=known).status == 200


def of_another_account(phone: Phone, _: str, __: Services) -> str:
    other: str = phone.sign_up(OTHER)["device_token"]
    return other


def made_by_hand(_: Phone, known: str, svc: Services) -> str:
    """Another record of ours with the account in it, under another purpose's key."""
    record = sealing.unseal(svc, known, KnownDevice)
    secret = keys.current(svc).handle_key(svc.now()).secret
    members = {**versioned.to_members(record), "until": svc.now() + 1000} if record else {}
    return crypto_sealing.seal(members, secret=secret, purpose=b"latchkey interaction\x00")


def cut_short(_: Phone, known: str, __: Services) -> str:
    return known[: len(known) // 2]


def of_before_a_new_password(phone: Phone, known: str, _: Services) -> str:
    tokens = phone.log_in(device_token=known)
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert phone.call("POST /me/password", body, token=tokens["access_token"]).status == 204
    return known


def of_before_all_others_were_ended(phone: Phone, known: str, _: Services) -> str:
    tokens = phone.log_in(device_token=known)
    assert phone.call("DELETE /me/sessions", token=tokens["access_token"]).status == 204
    return known


WORTHLESS: list[Callable[[Phone, str, Services], str]] = [
    of_another_account,
    made_by_hand,
    cut_short,
    of_before_a_new_password,
    of_before_all_others_were_ended,
]


@pytest.mark.parametrize("make", WORTHLESS)
def test_what_is_no_device_of_this_account_counts_as_a_stranger(
    phone: Phone, svc: Services, make: Callable[[Phone, str, Services], str]
) -> None:
    worthless = make(phone, phone.sign_up()["device_token"], svc)
    use_up(phone)
    assert refusal(guess(phone, PASSWORD, device_token=worthless)) == (429, "too_many_requests")
    assert refusal(guess(phone, NEW_PASSWORD, device_token=worthless)) == (429, "too_many_requests")


def test_one_that_is_too_old_counts_as_a_stranger(phone: Phone, clock: Clock) -> None:
    known = phone.sign_up()["device_token"]
    clock.advance(400 * 24 * 3600)
    use_up(phone)
    assert refusal(guess(phone, PASSWORD, device_token=known)) == (429, "too_many_requests")


def test_it_logs_nobody_in(phone: Phone) -> None:
    known = phone.sign_up()["device_token"]
    assert refusal(guess(phone, "", device_token=known))[0] == 400
    assert refusal(guess(phone, device_token=known)) == (401, "invalid_credentials")
    assert refusal(phone.call("POST /refresh", {"refresh_token": known})) == (401, "invalid_grant")
    assert refusal(phone.call("GET /me", token=known)) == (401, "invalid_token")
    proof = {"mfa_token": known, "factor": "password", "answer": PASSWORD}
    assert refusal(phone.call("POST /login/proof", proof)) == (401, "login_expired")
    browser = Browser(phone)
    browser.cookies = {COOKIE: known, "__Host-latchkey-session": known}
    assert b"/oauth/logout" not in browser.get("/").body


def test_a_device_is_known_to_each_of_the_last_accounts_that_logged_in_on_it(phone: Phone) -> None:
    emails = [f"user{number}@example.com" for number in range(MAX_ACCOUNTS + 1)]
    known = ""
    for email in emails:
        known = phone.sign_up(email, device_token=known)["device_token"]
    for email in emails:
        use_up(phone, email)
    statuses = [guess(phone, PASSWORD, email=email, device_token=known).status for email in emails]
    assert statuses == [429] + [200] * MAX_ACCOUNTS


def test_the_accounts_of_one_device_have_a_count_each(phone: Phone) -> None:
    known = phone.sign_up(OTHER, device_token=phone.sign_up()["device_token"])["device_token"]
    for email in (EMAIL, OTHER):
        use_up(phone, email)
    for _ in range(3):
        assert guess(phone, email=EMAIL, device_token=known).status == 401
    assert guess(phone, email=EMAIL, device_token=known).status == 429
    assert guess(phone, PASSWORD, email=OTHER, device_token=known).status == 200


def test_a_login_makes_three_calls_before_the_hash_and_one_after_with_any_device(phone: Phone, svc: Services) -> None:
    known = phone.sign_up()["device_token"]
    others = phone.sign_up(OTHER)["device_token"]
    before = {
        "": ["TransactWriteItems", "GetItem", "GetItem"],
        "forged" * 20: ["TransactWriteItems", "GetItem", "GetItem"],
    }
    before |= {
        known: ["GetItem", "GetItem", "TransactWriteItems"],
        others: ["GetItem", "TransactWriteItems", "GetItem"],
    }
    for device_token, calls in before.items():
        with watched(svc) as traffic:
            assert guess(phone, PASSWORD, device_token=device_token).status == 200
        assert traffic.calls == [*calls, "TransactWriteItems"], device_token


def test_a_known_device_does_not_tell_which_other_addresses_have_an_account(phone: Phone, svc: Services) -> None:
    known = phone.sign_up()["device_token"]
    phone.sign_up(OTHER)
    answers = []
    for email in (OTHER, "nobody@example.com"):
        with watched(svc) as traffic:
            answer = guess(phone, email=email, device_token=known)
        answers.append((answer.status, answer.body, traffic.calls))
    assert answers[0] == answers[1]
