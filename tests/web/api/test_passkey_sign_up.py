"""An account that was made with a passkey, by its owner alone, and that is like any other from then on."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.config import LIMITS
from chalicelib.flows.accounts import mailed_signup, recovery
from chalicelib.services import Services
from tests.support import passkey_sign_up as sign_up
from tests.support import passkeys
from tests.support.authenticator import BE, BS, UP, UV, Authenticator, encode
from tests.support.forge import peek
from tests.support.login_clients import Json, login_client
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal

CREDENTIALS = {"email": EMAIL, "password": PASSWORD}


@pytest.fixture
def device() -> Authenticator:
    return Authenticator()


@pytest.fixture
def at(svc: Services, phone: Phone) -> Json:
    client = login_client("json", svc, phone)
    assert isinstance(client, Json)
    return client


def logged_in(at: Json, device: Authenticator) -> str:
    """The subject of a login by the device's passkey, or the error code."""
    token, options = passkeys.begin(at)
    answer = passkeys.prove(at, token, device.get(options))
    return str(peek(at.access_token(answer))[1]["sub"]) if answer.status == 200 else str(answer.json()["error"])


def test_the_passkey_that_was_made_logs_in_from_then_on(phone: Phone, at: Json, device: Authenticator) -> None:
    tokens = sign_up.sign_up(phone, device, name="Ann")
    profile = phone.call("GET /me", token=tokens["access_token"]).json()
    assert (profile["email"], profile["email_verified"], profile["name"]) == (EMAIL, False, "Ann")
    claims = peek(tokens["access_token"])[1]
    assert (claims["amr"], claims["acr"]) == (["swk", "user", "mfa"], "phr")
    assert logged_in(at, device) == claims["sub"] == tokens["user"]["sub"]
    (factor,) = phone.call("GET /me/factors", token=tokens["access_token"]).json()["factors"]
    assert (factor["kind"], factor["name"]) == ("passkey", "Apple Passwords")


def test_the_device_is_asked_to_keep_it_and_to_verify_its_user(phone: Phone) -> None:
    _, options = sign_up.begin(phone, name="Ann")
    assert options["authenticatorSelection"] == {
        "residentKey": "required", "requireResidentKey": True, "userVerification": "required",
    }  # fmt: skip
    assert (options["user"]["name"], options["user"]["displayName"]) == (EMAIL, "Ann")


def test_the_account_has_the_user_handle_of_its_passkey_for_good(phone: Phone, device: Authenticator, at: Json) -> None:
    access = sign_up.sign_up(phone, device)["access_token"]
    begun = phone.call("POST /me/factors", {"kind": "passkey"}, token=access).json()["challenge"]["publicKey"]
    assert begun["user"]["id"] == device.handle
    assert [each["id"] for each in begun["excludeCredentials"]] == [encode(device.credential_id)]
    assert logged_in(at, device)


@pytest.mark.parametrize(
    "changes",
    [{"origin": "https://evil.example"}, {"challenge": encode(bytes(32))}, {"type": "webauthn.get"},
     {"rp_id": "evil.example"}, {"flags": UV | BE | BS}, {"flags": UP | BE | BS}, {"crossOrigin": True}],
    ids=lambda changes: "-".join(map(str, *changes.items())),
)  # fmt: skip
def test_what_was_made_for_something_else_makes_no_account(
    phone: Phone, svc: Services, changes: dict[str, Any]
) -> None:
    token, options = sign_up.begin(phone)
    answer = sign_up.confirm(phone, token, Authenticator().create(options, **changes))
    assert refusal(answer) == (401, "invalid_credentials")
    assert svc.users.find(EMAIL) is None


def test_an_answer_is_good_for_the_sign_up_that_it_was_made_for_alone(phone: Phone, svc: Services) -> None:
    mine, options = sign_up.begin(phone)
    others, others_options = sign_up.begin(phone, "bob@example.com")
    for token, foreign in ((mine, others_options), (others, options)):
        assert refusal(sign_up.confirm(phone, token, Authenticator().create(foreign))) == (401, "invalid_credentials")
    assert svc.users.find(EMAIL) is svc.users.find("bob@example.com") is None


def test_nobody_s_address_or_account_can_be_named_beside_the_answer(phone: Phone, device: Authenticator) -> None:
    token, options = sign_up.begin(phone)
    answer = device.create(options)
    for name in ("email", "sub", "uid", "email_verified", "holder", "link"):
        assert refusal(sign_up.confirm(phone, token, answer, **{name: "bob@example.com"})) == (400, "invalid_request")


@pytest.mark.parametrize("text", ["", "x" * 400, "{}"])
def test_a_text_that_is_not_ours_makes_no_account(phone: Phone, device: Authenticator, text: str) -> None:
    _, options = sign_up.begin(phone)
    answer = sign_up.confirm(phone, text, device.create(options))
    assert refusal(answer) in ((400, "invalid_request"), (401, "login_expired"))


@pytest.mark.parametrize("answer", ["{}", "[]", "x", "null"])
def test_what_is_no_answer_is_refused_and_costs_no_write(phone: Phone, svc: Services, answer: str) -> None:
    token, _ = sign_up.begin(phone)
    before = svc.users._client.call("Scan", TableName=svc.settings.grants_table)["Count"]
    assert refusal(phone.call(sign_up.CONFIRM, {"token": token, "answer": answer})) == (401, "invalid_credentials")
    assert svc.users._client.call("Scan", TableName=svc.settings.grants_table)["Count"] == before


def test_an_answer_comes_within_an_hour(phone: Phone, clock: Clock, device: Authenticator) -> None:
    token, options = sign_up.begin(phone)
    clock.advance(3600)
    assert refusal(sign_up.confirm(phone, token, device.create(options))) == (401, "login_expired")


def test_an_answer_makes_one_account_even_when_that_is_erased(phone: Phone, device: Authenticator) -> None:
    token, options = sign_up.begin(phone)
    answer = device.create(options)
    access = sign_up.confirm(phone, token, answer).json()["access_token"]
    assert refusal(sign_up.confirm(phone, token, answer)) == (409, "email_taken")
    assert phone.call("DELETE /me", token=access).status == 204
    assert refusal(sign_up.confirm(phone, token, answer)) == (409, "email_taken")


def test_a_taken_address_is_answered_as_at_a_sign_up_with_a_password(
    phone: Phone, device: Authenticator, at: Json
) -> None:
    phone.sign_up()
    token, options = sign_up.begin(phone, EMAIL.upper())
    passwords = phone.call("POST /signup", CREDENTIALS)
    answer = sign_up.confirm(phone, token, device.create(options))
    assert (answer.status, answer.json()) == (passwords.status, passwords.json())
    assert logged_in(at, device) == "unknown_passkey"
    assert phone.log_in()


def test_of_parallel_sign_ups_with_one_address_one_makes_the_account(phone: Phone, at: Json) -> None:
    devices = [Authenticator() for _ in range(6)]
    begun = [sign_up.begin(phone) for _ in devices]
    answers = [(token, each.create(options)) for each, (token, options) in zip(devices, begun, strict=True)]
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda each: sign_up.confirm(phone, *each), answers))
    assert sorted(each.status for each in made) == [201, *[409] * 5]
    (sub,) = (each.json()["user"]["sub"] for each in made if each.status == 201)
    assert sorted(logged_in(at, each) for each in devices) == sorted([sub, *["unknown_passkey"] * 5])


def test_the_credential_of_another_account_under_one_s_own_key_opens_one_s_own_account_alone(
    phone: Phone, at: Json, device: Authenticator
) -> None:
    ann = sign_up.sign_up(phone, device)["user"]["sub"]
    thief = Authenticator(credential_id=device.credential_id)
    eve = sign_up.sign_up(phone, thief, "eve@example.com")["user"]["sub"]
    assert (logged_in(at, device), logged_in(at, thief)) == (ann, eve)
    thief.handle = device.handle
    assert logged_in(at, thief) == "invalid_credentials"


def test_without_a_password_a_login_by_one_answers_like_a_wrong_one(phone: Phone, device: Authenticator) -> None:
    sign_up.sign_up(phone, device)
    phone.sign_up("bob@example.com")
    answers = [
        phone.call("POST /login", {"email": email, "password": password})
        for email, password in ((EMAIL, PASSWORD), (EMAIL, ""), ("bob@example.com", "a wrong one"))
    ]
    assert [each.status for each in answers] == [401, 400, 401]
    assert answers[0].json() == answers[2].json()


def test_the_last_passkey_is_not_removed(phone: Phone, device: Authenticator) -> None:
    access = sign_up.sign_up(phone, device)["access_token"]
    (factor,) = phone.call("GET /me/factors", token=access).json()["factors"]
    assert refusal(phone.call(f"DELETE /me/factors/{factor['id']}", token=access)) == (409, "last_factor")


def test_whoever_signed_up_with_somebody_s_address_has_nothing_of_the_account_once_its_owner_comes(
    phone: Phone, svc: Services, at: Json, device: Authenticator
) -> None:
    tokens = sign_up.sign_up(phone, device)
    user = svc.users.read(tokens["user"]["sub"])
    assert user
    body = {"token": recovery.link(svc, user), "new_password": PASSWORD}
    assert phone.call("POST /password/reset/confirm", body).status == 204
    assert phone.log_in()
    assert logged_in(at, device) == "unknown_passkey"
    assert phone.call("POST /refresh", {"refresh_token": tokens["refresh_token"]}).status == 401


def test_it_counts_as_a_sign_up_does(phone: Phone, svc: Services) -> None:
    most = LIMITS["sign_up_network"][0]
    for number in range(most):
        sign_up.sign_up(phone, Authenticator(), f"{number}@example.com")
    token, options = sign_up.begin(phone)
    assert refusal(sign_up.confirm(phone, token, Authenticator().create(options))) == (429, "too_many_requests")
    assert phone.call("POST /signup", CREDENTIALS).status == 429
    assert svc.users.find(EMAIL) is None


def test_a_deployment_that_asks_for_two_factors_is_content_with_one_passkey(
    phone: Phone, svc: Services, device: Authenticator
) -> None:
    with installed(replace(svc, settings=replace(svc.settings, second_factor="required"))):
        assert sign_up.sign_up(phone, device)["access_token"]


@pytest.mark.parametrize("policy", ["closed", "invitation"])
def test_where_nobody_may_sign_up_nobody_does(phone: Phone, svc: Services, policy: str) -> None:
    token, options = sign_up.begin(phone)
    with installed(replace(svc, settings=replace(svc.settings, sign_up=policy))):
        assert refusal(phone.call(sign_up.BEGIN, {"email": EMAIL})) == (403, "sign_up_closed")
        answer = sign_up.confirm(phone, token, Authenticator().create(options))
        assert refusal(answer) == (403, "sign_up_closed")


def test_a_domain_that_is_refused_is_refused_at_both_steps(phone: Phone, svc: Services) -> None:
    token, options = sign_up.begin(phone)
    with installed(replace(svc, settings=replace(svc.settings, refused_mail_domains=("example.com",)))):
        assert phone.call(sign_up.BEGIN, {"email": EMAIL}).json()["error"] == "email_domain_refused"
        answer = sign_up.confirm(phone, token, Authenticator().create(options))
        assert answer.json()["error"] == "email_domain_refused"


def test_where_a_mail_comes_first_only_its_link_makes_the_account_and_once(
    phone: Phone, svc: Services, device: Authenticator, at: Json
) -> None:
    begun = sign_up.begin(phone)
    settings = replace(svc.settings, sign_up="verified", mail_from="login@id.example")
    with installed(replace(svc, settings=settings)):
        assert phone.call(sign_up.BEGIN, {"email": EMAIL}).json() == {"expires_in": 24 * 3600}
        answer = sign_up.confirm(phone, begun[0], Authenticator().create(begun[1]))
        assert refusal(answer) == (403, "sign_up_closed")
        link = mailed_signup.link(svc, EMAIL)
        first, second = (sign_up.begin_by_link(phone, link, name="Ann") for _ in range(2))
        made = sign_up.confirm(phone, first[0], device.create(first[1])).json()["user"]
        assert (made["email"], made["email_verified"], made["name"]) == (EMAIL, True, "Ann")
        again = sign_up.confirm(phone, second[0], Authenticator().create(second[1]))
        assert refusal(again) == (404, "not_found")
        assert logged_in(at, device) == made["sub"]


@pytest.mark.parametrize("link", ["x", "x" * 400])
def test_a_link_that_is_not_ours_begins_nothing(phone: Phone, link: str) -> None:
    assert refusal(phone.call(sign_up.BEGIN, {"token": link})) == (404, "not_found")


@pytest.mark.parametrize("body", [{}, {"email": EMAIL, "token": "x"}, {"email": "no address"}])
def test_what_names_no_address_begins_nothing(phone: Phone, body: dict[str, str]) -> None:
    assert refusal(phone.call(sign_up.BEGIN, body)) == (400, "invalid_request")
