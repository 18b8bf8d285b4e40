"""A passkey is added through the JSON API by whoever is freshly logged in, and by nobody else's answer."""

import json
from typing import Any

import pytest

from chalicelib.services import Services
from local.gateway import Answer
from tests.support import passkeys
from tests.support.authenticator import BE, BS, UP, UV, Authenticator, encode
from tests.support.forge import peek
from tests.support.login_clients import login_client
from tests.support.phone import Clock, Phone, refusal


@pytest.fixture
def token(phone: Phone) -> str:
    """The access token of who has just signed up."""
    token: str = phone.sign_up(name="Ann")["access_token"]
    return token


def begin(phone: Phone, token: str) -> tuple[str, dict[str, Any]]:
    begun = phone.call("POST /me/factors", {"kind": "passkey"}, token=token).json()
    return begun["token"], begun["challenge"]["publicKey"]


def confirm(phone: Phone, token: str, text: str, answer: object, **more: str) -> Answer:
    body = {"token": text, "answer": json.dumps(answer), "name": "", **more}
    return phone.call("POST /me/factors/confirm", body, token=token)


def listed(phone: Phone, token: str) -> list[dict[str, Any]]:
    factors: list[dict[str, Any]] = phone.call("GET /me/factors", token=token).json()["factors"]
    return factors


def test_a_passkey_that_was_added_logs_in(phone: Phone, token: str, svc: Services) -> None:
    device = Authenticator()
    text, options = begin(phone, token)
    assert confirm(phone, token, text, device.create(options)).status == 201
    assert [(each["kind"], each["name"]) for each in listed(phone, token)] == [("passkey", "Apple Passwords")]
    at = login_client("json", svc, phone)
    login, request = passkeys.begin(at)
    assert peek(at.access_token(passkeys.prove(at, login, device.get(request))))[1]["sub"] == peek(token)[1]["sub"]


def test_a_device_that_has_one_is_asked_for_no_second(phone: Phone, token: str) -> None:
    device = Authenticator()
    text, options = begin(phone, token)
    assert options["excludeCredentials"] == []
    assert confirm(phone, token, text, device.create(options), name="My phone").status == 201
    _, options = begin(phone, token)
    assert [each["id"] for each in options["excludeCredentials"]] == [encode(device.credential_id)]
    assert listed(phone, token)[0]["name"] == "My phone"


@pytest.mark.parametrize(
    "changes",
    [{"origin": "https://evil.example"}, {"challenge": encode(bytes(32))}, {"type": "webauthn.get"},
     {"rp_id": "evil.example"}, {"flags": UV | BE | BS}, {"flags": UP | BS}, {"crossOrigin": True}],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_what_was_made_for_something_else_is_not_added(phone: Phone, token: str, changes: dict[str, Any]) -> None:
    text, options = begin(phone, token)
    assert refusal(confirm(phone, token, text, Authenticator().create(options, **changes))) == (
        401,
        "invalid_credentials",
    )
    assert listed(phone, token) == []


@pytest.mark.parametrize("answer", ["{}", "[]", "x", "null"])
def test_what_is_no_answer_is_refused(phone: Phone, token: str, answer: str) -> None:
    text, _ = begin(phone, token)
    body = {"token": text, "answer": answer, "name": ""}
    assert refusal(phone.call("POST /me/factors/confirm", body, token=token)) == (401, "invalid_credentials")


def test_an_answer_for_another_account_is_not_added_to_this_one(phone: Phone, token: str) -> None:
    others = phone.sign_up("bob@example.com")["access_token"]
    text, options = begin(phone, token)
    bobs_text, bobs_options = begin(phone, others)
    assert confirm(phone, others, text, Authenticator().create(options)).status == 401
    assert confirm(phone, others, bobs_text, Authenticator().create(options)).status == 401
    assert confirm(phone, token, text, Authenticator().create(bobs_options)).status == 401
    assert listed(phone, token) == listed(phone, others) == []


def test_an_answer_adds_one_passkey_however_often_it_is_sent(phone: Phone, token: str) -> None:
    text, options = begin(phone, token)
    answer = Authenticator().create(options)
    assert confirm(phone, token, text, answer).status == 201
    assert confirm(phone, token, text, answer).status == 401
    assert len(listed(phone, token)) == 1


def test_an_answer_comes_within_ten_minutes(phone: Phone, token: str, clock: Clock) -> None:
    text, options = begin(phone, token)
    clock.advance(601)
    assert confirm(phone, token, text, Authenticator().create(options)).status == 401


def test_a_stale_login_adds_none(phone: Phone, token: str, clock: Clock) -> None:
    clock.advance(301)
    assert refusal(phone.call("POST /me/factors", {"kind": "passkey"}, token=token)) == (401, "login_required")


def test_an_account_has_ten_passkeys_at_most(phone: Phone, token: str) -> None:
    for _ in range(10):
        text, options = begin(phone, token)
        answer = confirm(phone, token, text, Authenticator().create(options))
        assert answer.status == 201, answer.body
    assert refusal(phone.call("POST /me/factors", {"kind": "passkey"}, token=token)) == (409, "too_many_factors")


@pytest.mark.parametrize("verified", [0, UV])
def test_the_session_that_adds_one_stays_what_its_login_was(
    phone: Phone, token: str, svc: Services, verified: int
) -> None:
    text, options = begin(phone, token)
    assert confirm(phone, token, text, Authenticator().create(options, flags=UP | BE | BS | verified)).status == 201
    (session,) = svc.sessions.of_user(peek(token)[1]["sub"])
    assert session.amr == ("pwd",)


def test_one_that_is_removed_logs_in_no_more(phone: Phone, token: str, svc: Services) -> None:
    device = Authenticator()
    text, options = begin(phone, token)
    confirm(phone, token, text, device.create(options))
    (factor,) = listed(phone, token)
    assert phone.call(f"DELETE /me/factors/{factor['id']}", token=token).status == 204
    at = login_client("json", svc, phone)
    login, request = passkeys.begin(at)
    assert at.error(passkeys.prove(at, login, device.get(request))) == (401, "unknown_passkey")
