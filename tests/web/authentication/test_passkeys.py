"""Passkeys at the endpoints that apps use: a login of their own, a second factor, and what is refused alike."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from soft_fido2.authenticator.fido2 import Fido2Authenticator

from chalicelib.domain.accounts.model import EnrolledFactor
from chalicelib.domain.authentication import webauthn
from chalicelib.domain.authentication.attempt import Attempt
from chalicelib.flows.authentication.factors import passkey
from chalicelib.flows.authentication.factors.factor import encode as encode_record
from chalicelib.services import Services
from tests.support import counter
from tests.support.account_pages import AGENT
from tests.support.authenticator import BE, BS, SYNCED, UP, UV, Authenticator, encode
from tests.support.forge import peek
from tests.support.login_clients import LOGIN_CLIENTS, LoginClient, login_client
from tests.support.passkeys import begin, enrol, prove, withdraw
from tests.support.phone import Clock, Phone
from tests.support.wire import watched


@pytest.fixture
def uid(phone: Phone) -> str:
    uid: str = phone.sign_up()["user"]["sub"]
    return uid


@pytest.fixture
def device() -> Authenticator:
    return Authenticator()


@pytest.fixture
def kept(svc: Services, uid: str, device: Authenticator) -> EnrolledFactor:
    """The account's passkey."""
    return enrol(svc, uid, device)


@pytest.fixture(params=LOGIN_CLIENTS)
def at(request: pytest.FixtureRequest, svc: Services, phone: Phone, kept: EnrolledFactor) -> LoginClient:  # noqa: ARG001
    """Each of the clients, of whose user there is a passkey."""
    return login_client(request.param, svc, phone)


def stored(svc: Services, factor: EnrolledFactor) -> webauthn.Credential:
    """What is kept of a passkey by now."""
    user = svc.users.read(factor.uid)
    assert user
    item = svc.factors.find(user, factor.entry)
    assert item
    return passkey.credential_of(item)


# What was written once is read for ever, and this never changes.
PIN = (
    '{"v":1,"credential":{"credential_id":"AQI","public_key":"pQECAyYgASFYIA","sign_count":7,"backup_eligible":true,'
    '"backed_up":false,"user_verified":true,"aaguid":"fbfc3007-154e-4ecc-8c0b-6e020557d7bd","transports":["internal"]}}'
)


def test_a_passkey_is_written_and_read_as_it_is_pinned() -> None:
    credential = webauthn.Credential(
        credential_id="AQI",
        public_key="pQECAyYgASFYIA",
        sign_count=7,
        backup_eligible=True,
        backed_up=False,
        user_verified=True,
        aaguid="fbfc3007-154e-4ecc-8c0b-6e020557d7bd",
        transports=("internal",),
    )
    assert encode_record(passkey.Passkey(credential=credential)) == PIN
    item = EnrolledFactor(uid="0", kind="passkey", id="0", name="", created_at=0, record=PIN)
    assert passkey.credential_of(item) == credential


def test_a_passkey_alone_logs_in_with_the_level_that_resists_phishing(
    at: LoginClient, device: Authenticator, uid: str, clock: Clock
) -> None:
    token, options = begin(at)
    assert options["allowCredentials"] == []
    claims = peek(at.access_token(prove(at, token, device.get(options))))[1]
    assert (claims["sub"], claims["amr"], claims["acr"]) == (uid, ["swk", "user", "mfa"], "phr")
    assert claims["auth_time"] == clock()


def test_a_key_that_verified_nobody_is_one_factor_and_wants_the_password_beside_it(
    at: LoginClient, device: Authenticator, uid: str
) -> None:
    token, options = begin(at)
    answer = prove(at, token, device.get(options, flags=UP | BE | BS))
    assert "password" in answer.json()["factors"]
    claims = peek(at.access_token(at.prove(at.token(answer), "password", "correct horse battery staple")))[1]
    assert (claims["sub"], claims["amr"], claims["acr"]) == (uid, ["swk", "user", "pwd", "mfa"], "phr")


def test_one_that_was_made_automatically_needs_a_second_factor_until_it_verified_its_user(
    svc: Services, phone: Phone, uid: str
) -> None:
    device, at = Authenticator(flags=BE | BS), login_client("json", svc, phone)
    enrol(svc, uid, device, automatic=True)
    token, options = begin(at)
    assert at.error(prove(at, token, device.get(options, flags=UP | BE | BS))) == (401, "mfa_required")
    token, options = begin(at)
    assert peek(at.access_token(prove(at, token, device.get(options, flags=SYNCED))))[1]["acr"] == "phr"


def test_the_password_goes_on_to_be_enough_on_devices_without_the_passkey(at: LoginClient) -> None:
    assert peek(at.access_token(at.password()))[1]["acr"] == "aal1"


def test_beside_another_factor_it_is_one_of_the_second_factors(
    at: LoginClient, device: Authenticator, uid: str, svc: Services, kept: EnrolledFactor
) -> None:
    with counter.installed():
        counter.enrol(svc, uid)
        answer = at.password()
        assert sorted(answer.json()["factors"]) == ["counter", "passkey"]
        options = at.challenge(at.token(answer), "passkey")["publicKey"]
        assert [each["id"] for each in options["allowCredentials"]] == [stored(svc, kept).credential_id]
        assert options["userVerification"] == "preferred"
        token = at.token(answer)
        claims = peek(at.access_token(prove(at, token, device.get(options, flags=UP | BE | BS))))[1]
        assert (claims["amr"], claims["acr"]) == (["pwd", "swk", "user", "mfa"], "phr")


def test_an_account_with_two_factors_is_logged_in_to_by_a_passkey_that_is_two(
    at: LoginClient, device: Authenticator, uid: str, svc: Services
) -> None:
    with counter.installed():
        counter.enrol(svc, uid)
        token, options = begin(at)
        assert peek(at.access_token(prove(at, token, device.get(options))))[1]["acr"] == "phr"


def test_an_answer_is_good_once(at: LoginClient, device: Authenticator) -> None:
    token, options = begin(at)
    answer = device.get(options)
    assert at.access_token(prove(at, token, answer))
    assert at.error(prove(at, token, answer)) == at.over


@pytest.mark.usefixtures("kept")
def test_of_the_same_answer_sent_many_times_at_once_one_is_good(
    svc: Services,
    phone: Phone,
    device: Authenticator,
) -> None:
    at = login_client("json", svc, phone)
    token, options = begin(at)
    answer = device.get(options)
    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(lambda _: prove(at, token, answer).status, range(8)))
    assert sorted(statuses) == [200, *[401] * 7]


def test_of_two_tabs_each_has_its_own_challenge_and_both_are_good(at: LoginClient, device: Authenticator) -> None:
    first, second = begin(at), begin(at)
    assert first[1]["challenge"] != second[1]["challenge"]
    for token, options in (first, second):
        assert at.access_token(prove(at, token, device.get(options)))


def test_a_second_factor_that_is_asked_for_twice_takes_either_answer_once(
    at: LoginClient, device: Authenticator, uid: str, svc: Services
) -> None:
    with counter.installed():
        counter.enrol(svc, uid)
        token = at.token(at.password())
        first, second = (device.get(at.challenge(token, "passkey")["publicKey"]) for _ in range(2))
        assert at.access_token(prove(at, token, second))
        assert at.error(prove(at, token, first)) == at.over


def test_a_challenge_ends_with_its_attempt(at: LoginClient, device: Authenticator, clock: Clock) -> None:
    token, options = begin(at)
    clock.advance(Attempt.seconds)
    assert at.error(prove(at, token, device.get(options))) == at.over


BAD: list[dict[str, Any]] = [
    {"origin": "https://evil.example"},
    {"challenge": encode(bytes(32))},
    {"type": "webauthn.create"},
    {"crossOrigin": True},
    {"rp_id": "evil.example"},
    {"flags": UV | BE | BS},
    {"flags": UP | UV | BS},
    {"handle": ""},
    {"handle": encode(b"../users")},
]


@pytest.mark.parametrize("changes", BAD, ids=lambda changes: next(iter(changes)))
def test_what_was_signed_for_something_else_is_refused_alike_and_goes_on(
    at: LoginClient, device: Authenticator, changes: dict[str, Any]
) -> None:
    token, options = begin(at)
    answer = prove(at, token, device.get(options, **changes))
    assert at.error(answer) == at.wrong
    assert answer.json()["error_description"] == "This answer is wrong, has expired or has been used."
    assert at.access_token(prove(at, token, device.get(options)))


@pytest.mark.parametrize("text", ["{}", "[]", "null", "x", '{"id": "AA", "type": "public-key", "response": {}}'])
def test_what_is_no_answer_is_refused_alike(at: LoginClient, text: str) -> None:
    token, _ = begin(at)
    assert at.error(at.prove(token, "passkey", text)) == at.wrong


def test_another_s_key_under_a_known_id_is_refused(at: LoginClient, device: Authenticator) -> None:
    thief = dataclasses.replace(device, key=Authenticator().key)
    token, options = begin(at)
    assert at.error(prove(at, token, thief.get(options))) == at.wrong


def test_an_answer_for_another_login_is_refused(at: LoginClient, device: Authenticator) -> None:
    token, _ = begin(at)
    _, others = begin(at)
    assert at.error(prove(at, token, device.get(others))) == at.wrong


def test_a_second_factor_of_another_account_is_refused(at: LoginClient, uid: str, svc: Services, phone: Phone) -> None:
    bobs = Authenticator()
    enrol(svc, phone.sign_up("bob@example.com")["user"]["sub"], bobs)
    with counter.installed():
        counter.enrol(svc, uid)
        token = at.token(at.password())
        options = at.challenge(token, "passkey")["publicKey"]
        for handle in (bobs.handle, encode(uid.encode()), ""):
            assert at.error(prove(at, token, bobs.get(options, handle=handle))) == at.wrong


@pytest.mark.parametrize("second", [False, True])
def test_one_that_is_removed_between_challenge_and_answer_is_refused(
    at: LoginClient, device: Authenticator, uid: str, svc: Services, kept: EnrolledFactor, second: bool
) -> None:
    with counter.installed():
        counter.enrol(svc, uid)
        token, options = begin(at)
        if second:
            token = at.token(at.password())
            options = at.challenge(token, "passkey")["publicKey"]
        withdraw(svc, kept)
        assert at.error(prove(at, token, device.get(options)))[0] in (400, 401, 403)
        assert "access_token" not in prove(at, token, device.get(options)).json()


@pytest.mark.usefixtures("kept")
def test_a_new_password_ends_a_login_that_waits_for_a_passkey_s_second_factor(
    svc: Services,
    phone: Phone,
    uid: str,
    device: Authenticator,
) -> None:
    at = login_client("json", svc, phone)
    token, options = begin(at)
    waiting = at.token(prove(at, token, device.get(options, flags=UP | BE | BS)))
    svc.users.disable(uid)
    assert at.error(at.prove(waiting, "password", "correct horse battery staple")) == at.over


@pytest.mark.usefixtures("kept")
def test_a_disabled_account_says_so_to_its_own_passkey_alone(
    svc: Services,
    phone: Phone,
    uid: str,
    device: Authenticator,
) -> None:
    at = login_client("json", svc, phone)
    svc.users.disable(uid)
    token, options = begin(at)
    assert at.error(prove(at, token, device.get(options))) == (403, "account_disabled")
    thief = dataclasses.replace(device, key=Authenticator().key)
    assert at.error(prove(at, token, thief.get(options))) == at.wrong


def test_only_a_clean_miss_is_told_to_be_forgotten(
    svc: Services, phone: Phone, uid: str, device: Authenticator, kept: EnrolledFactor
) -> None:
    at = login_client("json", svc, phone)
    token, options = begin(at)
    stranger = dataclasses.replace(device, credential_id=b"another")
    assert at.error(prove(at, token, stranger.get(options))) == (401, "unknown_passkey")
    gone = encode(b"0" * 32)
    assert at.error(prove(at, token, device.get(options, handle=gone))) == (401, "unknown_passkey")
    for changes in BAD[:-2]:
        if "flags" not in changes and "rp_id" not in changes:
            assert at.error(prove(at, token, stranger.get(options, **changes))) == at.wrong
    withdraw(svc, kept)
    assert at.error(prove(at, token, device.get(options))) == (401, "unknown_passkey")
    assert uid


def test_a_count_that_fell_is_reported_and_lets_its_user_in(
    svc: Services, phone: Phone, uid: str, capsys: pytest.CaptureFixture[str]
) -> None:
    device, at = Authenticator(flags=UP | UV, count=5), login_client("json", svc, phone)
    kept = enrol(svc, uid, device)
    reported = []
    for device.count in (6, 6, 0, 0):
        token, options = begin(at)
        capsys.readouterr()
        assert at.access_token(prove(at, token, device.get(options)))
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        reported.append([(line["event"], line["uid"]) for line in lines if "passkey" in line.get("event", "")])
        assert stored(svc, kept).sign_count == device.count
    fell = [("passkey_sign_count_fell", uid)]
    assert reported == [[], fell, fell, []]


def test_the_last_use_is_kept(
    svc: Services, phone: Phone, kept: EnrolledFactor, device: Authenticator, clock: Clock
) -> None:
    at = login_client("json", svc, phone)
    token, options = begin(at)
    clock.advance(30)
    access = at.access_token(prove(at, token, device.get(options)))
    (listed,) = phone.call("GET /me/factors", token=access).json()["factors"]
    assert (listed["id"], listed["last_used_at"], listed["name"]) == (kept.id, clock(), "Apple Passwords")


@pytest.mark.usefixtures("kept")
def test_scope_and_device_of_the_first_step_are_those_of_the_session(
    svc: Services,
    phone: Phone,
    device: Authenticator,
) -> None:
    at = login_client("json", svc, phone)
    token, options = begin(at, scope="account", device="Pixel 9")
    tokens = prove(at, token, device.get(options)).json()
    assert tokens["scope"] == "account"
    (session,) = [
        each
        for each in phone.call("GET /me/sessions", token=tokens["access_token"]).json()["sessions"]
        if each["device"] == "Pixel 9"
    ]
    assert session["current"]


@pytest.mark.usefixtures("kept")
def test_a_request_for_a_level_asks_the_key_to_verify_its_user(svc: Services, phone: Phone) -> None:
    at = login_client("first-party", svc, phone)
    assert begin(at)[1]["userVerification"] == "preferred"
    assert begin(at, acr_values="phr")[1]["userVerification"] == "required"


def test_a_login_of_another_account_s_handle_is_that_account_s(
    svc: Services, phone: Phone, uid: str, kept: EnrolledFactor, device: Authenticator
) -> None:
    at, bob = login_client("json", svc, phone), phone.sign_up("bob@example.com")["user"]["sub"]
    token, options = begin(at)
    answer = device.get(options, handle=encode(bob.encode()))
    assert at.error(prove(at, token, answer)) == (401, "unknown_passkey")
    assert (kept.uid, bob != uid) == (uid, True)


def test_nobody_is_known_before_the_answer_so_no_other_factor_can_be_proved(at: LoginClient) -> None:
    token, _ = begin(at)
    assert at.error(at.prove(token, "password", "correct horse battery staple")) == at.over
    assert at.challenge(token, "password") == {}


@pytest.mark.usefixtures("kept")
def test_junk_costs_no_call_and_a_stranger_s_answer_no_write(
    svc: Services,
    phone: Phone,
    device: Authenticator,
) -> None:
    at = login_client("json", svc, phone)
    token, options = begin(at)
    stranger = dataclasses.replace(device, credential_id=b"another")
    for answer, calls in (
        ("junk", []),
        (device.get(options, origin="https://evil.example"), []),
        (stranger.get(options), ["GetItem"]),
        (dataclasses.replace(device, key=stranger.key).get(options, flags=UP | UV | BS), ["GetItem", "GetItem"]),
    ):
        with watched(svc) as traffic:
            assert prove(at, token, answer).status == 401
        assert traffic.calls == calls
    with watched(svc) as traffic:
        token, options = begin(at)
        assert at.access_token(prove(at, token, device.get(options)))
    assert traffic.calls == ["GetItem", "GetItem", "UpdateItem", "TransactWriteItems"]


def test_another_implementation_s_passkey_logs_in(svc: Services, phone: Phone, uid: str) -> None:
    authenticator, at = Fido2Authenticator(), login_client("json", svc, phone)
    user = svc.users.read(uid)
    assert user
    state, challenge = passkey.begin(svc, user, AGENT)
    answer = authenticator.credential_create(challenge["publicKey"], atteStmtFmt="packed-self")
    factor, _ = passkey.finish(svc, user, state, json.dumps(answer))
    assert svc.transactions.commit(svc.factors.enrolment(user, factor)) is None
    token, options = begin(at)
    claims = peek(at.access_token(prove(at, token, authenticator.credential_request(options))))[1]
    assert (claims["amr"], claims["acr"]) == (["hwk", "user", "mfa"], "phr")
