"""A login that needs a second factor which its account has not: what it can do is add one, and nothing else."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.config import Settings
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import code_app, passkeys
from tests.support.authenticator import BE, BS, UP, UV, Authenticator, encode
from tests.support.browser import Browser, forms, register
from tests.support.code_app import CodeApp
from tests.support.forge import peek
from tests.support.login_clients import CHALLENGE_PATH, REQUEST
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal

LOGIN = {"email": EMAIL, "password": PASSWORD}
REQUIRED = (403, "enrolment_required")
EXPIRED = (401, "login_expired")


@pytest.fixture
def uid(phone: Phone) -> str:
    """An account of before the deployment demanded two factors."""
    uid: str = phone.sign_up()["user"]["sub"]
    return uid


@pytest.fixture
def demanding(svc: Services, uid: str, clock: Clock) -> Iterator[Phone]:
    """The deployment as it demands them."""
    assert uid
    with installed(replace(svc, settings=replace(svc.settings, second_factor="required"))):
        yield Phone(clock)
    import chalicelib.services

    chalicelib.services.use(svc)


def error(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error"]


def begun(phone: Phone, **fields: str) -> str:
    """The text that brings a login back which needs a factor."""
    answer = phone.call("POST /login", {**LOGIN, **fields})
    assert (error(answer), set(answer.json())) == (REQUIRED, {"error", "error_description", "mfa_token", "kinds"})
    assert "totp" in answer.json()["kinds"]
    token: str = answer.json()["mfa_token"]
    return token


def begin(phone: Phone, mfa_token: str, clock: Clock, kind: str = "totp") -> tuple[str, CodeApp]:
    answer = phone.call("POST /login/enrolment", {"mfa_token": mfa_token, "kind": kind})
    assert (answer.status, answer.header("Cache-Control")) == (200, "no-store"), answer.body
    return answer.json()["token"], CodeApp(answer.json()["challenge"]["uri"], clock)


def confirm(phone: Phone, mfa_token: str, token: str, answer: str, **fields: str) -> Answer:
    body = {"mfa_token": mfa_token, "token": token, "answer": answer, **fields}
    return phone.call("POST /login/enrolment/confirm", body)


def sessions_of(svc: Services, uid: str) -> int:
    return len([session for session in svc.sessions.of_user(uid) if not session.ended])


def factors_of(svc: Services, uid: str) -> frozenset[str]:
    user = svc.users.read(uid)
    assert user
    return user.factors


def test_a_login_adds_the_factor_and_is_one_of_two(demanding: Phone, svc: Services, uid: str, clock: Clock) -> None:
    before = sessions_of(svc, uid)
    mfa_token = begun(demanding, scope="account", device="Pixel 9")
    token, app = begin(demanding, mfa_token, clock)
    assert (sessions_of(svc, uid), factors_of(svc, uid)) == (before, frozenset())  # nothing is stored yet
    tokens = confirm(demanding, mfa_token, token, app.code(), name="My phone").json()
    claims = peek(tokens["access_token"])[1]
    assert (claims["sub"], claims["acr"], claims["amr"], tokens["scope"]) == (
        uid,
        "aal2",
        ["pwd", "otp", "mfa"],
        "account",
    )
    (factor,) = demanding.call("GET /me/factors", token=tokens["access_token"]).json()["factors"]
    assert (factor["kind"], factor["name"]) == ("totp", "My phone")
    # From now on it is asked for, and the code that added it is used up.
    again = demanding.call("POST /login", LOGIN)
    assert (error(again), again.json()["factors"]) == ((401, "mfa_required"), ["totp"])
    proof = {"mfa_token": again.json()["mfa_token"], "factor": "totp"}
    assert error(demanding.call("POST /login/proof", {**proof, "answer": app.code()})) == (401, "invalid_credentials")
    clock.advance(30)
    assert demanding.call("POST /login/proof", {**proof, "answer": app.code()}).status == 200


def test_what_is_not_complete_opens_nothing_else(demanding: Phone, svc: Services, uid: str, clock: Clock) -> None:
    """Every other route and use of the two texts: they are no access token, no refresh token and no code."""
    mfa_token = begun(demanding)
    token, app = begin(demanding, mfa_token, clock)
    for text in (mfa_token, token):
        for route in ("GET /me", "PATCH /me", "GET /me/factors", "POST /me/factors", "GET /me/sessions", "DELETE /me"):
            assert demanding.call(route, {} if route.startswith("P") else None, token=text).status == 401, route
        assert refusal(demanding.call("POST /refresh", {"refresh_token": text})) == (401, "invalid_grant")
        assert demanding.call("POST /verify", {"token": text}).json() == {"active": False}
        assert demanding.call("GET /oauth/userinfo", token=text).status == 401
        assert refusal(confirm(demanding, text, text, "000000")) == EXPIRED
    for factor in ("totp", "password", "recovery_code", "passkey"):
        step = {"mfa_token": mfa_token, "factor": factor}
        assert refusal(demanding.call("POST /login/challenge", step)) == REQUIRED
        assert refusal(demanding.call("POST /login/proof", {**step, "answer": PASSWORD})) == REQUIRED
    device = register(svc, demanding, "native", first_party=True)
    native = {"auth_session": mfa_token, "factor": "totp", "answer": app.code()}
    assert refusal(device.post(CHALLENGE_PATH, native)) == (400, "invalid_session")
    assert refusal(device.post(CHALLENGE_PATH, {**REQUEST, **LOGIN})) == (400, "redirect_to_web")
    assert factors_of(svc, uid) == frozenset()


def test_a_login_that_needs_no_factor_adds_none(svc: Services, phone: Phone, uid: str, clock: Clock) -> None:
    """Above all not one that has the password alone of an account with two: the owner's factor is asked for."""
    access = phone.log_in()["access_token"]
    code_app.enrol(phone, access, clock)
    mfa_token = phone.call("POST /login", LOGIN).json()["mfa_token"]
    assert refusal(phone.call("POST /login/enrolment", {"mfa_token": mfa_token, "kind": "totp"})) == EXPIRED
    with installed(replace(svc, settings=replace(svc.settings, second_factor="required"))):
        mfa_token = phone.call("POST /login", LOGIN).json()["mfa_token"]
        assert refusal(phone.call("POST /login/enrolment", {"mfa_token": mfa_token, "kind": "totp"})) == EXPIRED
    assert len(factors_of(svc, uid)) == 1


def test_what_a_thief_began_is_over_once_the_owner_has_a_factor(
    demanding: Phone, svc: Services, uid: str, clock: Clock
) -> None:
    stolen = begun(demanding)
    thief_token, thief_app = begin(demanding, stolen, clock)
    mfa_token = begun(demanding)
    token, app = begin(demanding, mfa_token, clock)
    assert confirm(demanding, mfa_token, token, app.code()).status == 200
    assert refusal(confirm(demanding, stolen, thief_token, thief_app.code())) == EXPIRED
    assert refusal(demanding.call("POST /login/enrolment", {"mfa_token": stolen, "kind": "totp"})) == EXPIRED
    assert len(factors_of(svc, uid)) == 1


def test_of_two_at_once_one_adds_its_own(demanding: Phone, svc: Services, uid: str, clock: Clock) -> None:
    logins = [begun(demanding) for _ in range(4)]
    ready = [(mfa_token, *begin(demanding, mfa_token, clock)) for mfa_token in logins]
    before = sessions_of(svc, uid)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda one: confirm(demanding, one[0], one[1], one[2].code()), ready))
    assert sorted(answer.status for answer in answers)[0] == 200
    assert [answer.status for answer in answers].count(200) == 1
    assert (sessions_of(svc, uid), len(factors_of(svc, uid))) == (before + 1, 1)


def test_an_enrolment_is_confirmed_in_its_own_login_alone(
    demanding: Phone, svc: Services, uid: str, clock: Clock
) -> None:
    first, second = begun(demanding), begun(demanding)
    token, app = begin(demanding, first, clock)
    assert refusal(confirm(demanding, second, token, app.code())) == EXPIRED
    bob = "bob@example.com"
    assert error(demanding.call("POST /signup", {"email": bob, "password": PASSWORD})) == REQUIRED
    other = begun(demanding, email=bob)
    assert refusal(confirm(demanding, other, token, app.code())) == EXPIRED
    other_token, other_app = begin(demanding, other, clock)
    assert refusal(confirm(demanding, first, other_token, other_app.code())) == EXPIRED
    assert factors_of(svc, uid) == frozenset()


def test_one_that_was_begun_in_a_session_is_not_confirmed_in_a_login(
    svc: Services, phone: Phone, uid: str, clock: Clock
) -> None:
    access = phone.log_in()["access_token"]
    token, app = code_app.begin(phone, access, clock)
    with installed(replace(svc, settings=replace(svc.settings, second_factor="required"))):
        assert refusal(confirm(phone, begun(phone), token, app.code())) == EXPIRED
        in_login, its_app = begin(phone, begun(phone), clock)
        body = {"token": in_login, "answer": its_app.code(), "name": ""}
        assert refusal(phone.call("POST /me/factors/confirm", body, token=access)) == EXPIRED
    assert factors_of(svc, uid) == frozenset()


def test_wrong_codes_are_counted_and_the_login_goes_on(demanding: Phone, svc: Services, uid: str, clock: Clock) -> None:
    mfa_token = begun(demanding)
    token, app = begin(demanding, mfa_token, clock)
    assert refusal(confirm(demanding, mfa_token, token, "000000" if app.code() != "000000" else "111111")) == (
        401,
        "invalid_credentials",
    )
    clock.advance(2)
    assert confirm(demanding, mfa_token, token, app.code()).status == 200
    assert sessions_of(svc, uid) >= 1


@pytest.mark.parametrize("change", ["password", "disabled", "late", "policy"])
def test_it_ends_with_what_it_stands_on(demanding: Phone, svc: Services, uid: str, clock: Clock, change: str) -> None:
    mfa_token = begun(demanding)
    token, app = begin(demanding, mfa_token, clock)
    user = svc.users.read(uid)
    assert user
    if change == "disabled":
        svc.users.disable(uid)
    elif change == "late":
        clock.advance(600)
    elif change == "password":
        svc.users._client.call(
            "UpdateItem",
            TableName=svc.settings.users_table,
            Key={"pk": {"S": f"user#{uid}"}, "sk": {"S": "profile"}},
            UpdateExpression="ADD token_version :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
    before = sessions_of(svc, uid)
    if change == "policy":
        # It has to reach what it had to reach when it began.
        with installed(svc):
            assert confirm(demanding, mfa_token, token, app.code()).status == 200
        return
    assert refusal(confirm(demanding, mfa_token, token, app.code())) == EXPIRED
    assert (sessions_of(svc, uid), factors_of(svc, uid)) == (before, frozenset())


def test_a_kind_that_does_not_reach_the_level_or_is_none_is_refused(demanding: Phone) -> None:
    mfa_token = begun(demanding)
    for kind in ("recovery_code", "password", "nothing", ""):
        body = {"mfa_token": mfa_token, "kind": kind}
        assert refusal(demanding.call("POST /login/enrolment", body)) == (400, "invalid_request"), kind


# A passkey
def begin_passkey(phone: Phone, mfa_token: str) -> tuple[str, dict[str, Any]]:
    begun = phone.call("POST /login/enrolment", {"mfa_token": mfa_token, "kind": "passkey"}).json()
    return begun["token"], begun["challenge"]["publicKey"]


@pytest.mark.parametrize("verified", [UV, 0])
def test_a_passkey_is_added_beside_the_password(demanding: Phone, svc: Services, uid: str, verified: int) -> None:
    device = Authenticator(flags=UP | BE | BS | verified)
    mfa_token = begun(demanding)
    token, options = begin_passkey(demanding, mfa_token)
    tokens = confirm(demanding, mfa_token, token, json.dumps(device.create(options))).json()
    claims = peek(tokens["access_token"])[1]
    assert (claims["acr"], set(claims["amr"])) == ("phr", {"pwd", "swk", "user", "mfa"})
    assert len(factors_of(svc, uid)) == 1
    again = demanding.call("POST /login", LOGIN)
    assert (error(again), again.json()["factors"]) == ((401, "mfa_required"), ["passkey"])


@pytest.mark.parametrize(
    "changes",
    [{"origin": "https://evil.example"}, {"challenge": encode(bytes(32))}, {"rp_id": "evil.example"}, {"flags": UV}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_passkey_that_was_made_for_something_else_is_not_added(
    demanding: Phone, svc: Services, uid: str, changes: dict[str, Any]
) -> None:
    mfa_token = begun(demanding)
    token, options = begin_passkey(demanding, mfa_token)
    answer = json.dumps(Authenticator().create(options, **changes))
    assert refusal(confirm(demanding, mfa_token, token, answer)) == (401, "invalid_credentials")
    assert factors_of(svc, uid) == frozenset()


def test_a_passkey_of_another_login_is_added_to_neither(demanding: Phone, svc: Services, uid: str) -> None:
    first, second = begun(demanding), begun(demanding)
    token, options = begin_passkey(demanding, first)
    other_token, _ = begin_passkey(demanding, second)
    answer = json.dumps(Authenticator().create(options))
    assert refusal(confirm(demanding, second, token, answer)) == EXPIRED
    assert refusal(confirm(demanding, second, other_token, answer)) == (401, "invalid_credentials")
    assert factors_of(svc, uid) == frozenset()


def test_a_stolen_password_of_an_account_with_a_passkey_changes_no_factor_where_two_are_demanded(
    svc: Services, phone: Phone, browser: Browser, clock: Clock
) -> None:
    """At every endpoint: neither the passkey's owner's factors, nor one of the thief's own."""
    access = phone.log_in()["access_token"]
    uid = str(svc.users.find(EMAIL))
    factor = passkeys.enrol(svc, uid, Authenticator())
    clock.advance(svc.settings.fresh_login_seconds + 1)
    with installed(replace(svc, settings=replace(svc.settings, second_factor="required"))):
        answer = phone.call("POST /login", LOGIN)
        assert (error(answer), answer.json()["factors"]) == ((401, "mfa_required"), ["passkey"])
        mfa_token = answer.json()["mfa_token"]
        for kind in ("totp", "passkey"):
            body = {"mfa_token": mfa_token, "kind": kind}
            assert refusal(phone.call("POST /login/enrolment", body)) == EXPIRED
        page = browser.submit(browser.get("/authorize/login"), "/authorize/login", **LOGIN)
        assert set(forms(page)) == {"/authorize/proof"}
        for path in ("/authorize/enrol", "/account/add-factor", "/account/add-passkey", "/account/factors"):
            assert set(forms(browser.get(path))) <= {"/authorize/login", "/authorize/passkey", "/authorize/proof"}, path
        # A session of before that has gone stale.
        assert refusal(phone.call("POST /me/factors", {"kind": "totp"}, token=access)) == (401, "login_required")
        assert refusal(phone.call(f"DELETE /me/factors/{factor.id}", token=access)) == (401, "login_required")
    assert factors_of(svc, uid) == {factor.entry}


# Sign-up
def test_a_sign_up_makes_the_account_and_no_session_before_it_has_a_factor(
    demanding: Phone, svc: Services, clock: Clock
) -> None:
    bob = {"email": "bob@example.com", "password": PASSWORD}
    answer = demanding.call("POST /signup", {**bob, "name": "Bob", "device": "Pixel 9"})
    assert error(answer) == REQUIRED
    uid = str(svc.users.find("bob@example.com"))
    assert sessions_of(svc, uid) == 0
    mfa_token = answer.json()["mfa_token"]
    token, app = begin(demanding, mfa_token, clock)
    tokens = confirm(demanding, mfa_token, token, app.code()).json()
    assert peek(tokens["access_token"])[1]["acr"] == "aal2"
    (session,) = demanding.call("GET /me/sessions", token=tokens["access_token"]).json()["sessions"]
    assert session["device"] == "Pixel 9"
    assert refusal(demanding.call("POST /signup", bob)) == (409, "email_taken")


def test_a_sign_up_that_was_refused_makes_nothing(demanding: Phone, svc: Services) -> None:
    assert refusal(demanding.call("POST /signup", {"email": EMAIL, "password": PASSWORD})) == (409, "email_taken")
    weak = demanding.call("POST /signup", {"email": "bob@example.com", "password": "password"})
    assert weak.status == 422
    assert svc.users.find("bob@example.com") is None


def test_for_scopes_alone_a_login_may_go_without(svc: Services, phone: Phone, uid: str, clock: Clock) -> None:
    settings: Settings = replace(svc.settings, aal2_scopes=frozenset({"notes:write"}))
    with installed(replace(svc, settings=settings)):
        assert phone.log_in()["scope"] == "account notes:read"
        mfa_token = begun(phone, scope="notes:write")
        token, app = begin(phone, mfa_token, clock)
        assert confirm(phone, mfa_token, token, app.code()).json()["scope"] == "notes:write"
    assert uid
