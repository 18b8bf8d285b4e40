"""A login of an account with a second factor, at the endpoints that apps use: nothing before both are proved, and all once."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.config import Settings, load
from chalicelib.domain.authentication.attempt import Attempt
from chalicelib.flows.authentication import api_login, attempts
from chalicelib.flows.clients import own
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import counter, wire
from tests.support.aws import container
from tests.support.browser import App, register
from tests.support.forge import peek
from tests.support.login_clients import CHALLENGE_PATH, LOGIN_CLIENTS, REQUEST, FirstParty, LoginClient, login_client
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal
from tests.support.prover import Prover
from tests.support.records import plaintext_of, sealed_by_hand

NEW_PASSWORD = "an entirely other phrase 7"


@pytest.fixture(autouse=True)
def _second_factor() -> Iterator[None]:
    """The factor that is made for tests."""
    with counter.installed():
        yield


@pytest.fixture
def uid(svc: Services, phone: Phone) -> str:
    """An account with two factors."""
    uid: str = phone.sign_up()["user"]["sub"]
    counter.enrol(svc, uid)
    return uid


@pytest.fixture(params=LOGIN_CLIENTS)
def at(request: pytest.FixtureRequest, svc: Services, phone: Phone) -> LoginClient:
    """Each of the clients."""
    return login_client(request.param, svc, phone)


def sessions_of(svc: Services, uid: str) -> int:
    return len([session for session in svc.sessions.of_user(uid) if not session.ended])


def test_the_password_alone_gives_nothing_and_with_the_other_factor_a_session_of_two(
    at: LoginClient, uid: str, svc: Services, clock: Clock
) -> None:
    before = sessions_of(svc, uid)
    first_answer = at.password()
    assert first_answer.json()["factors"] == ["counter"]
    assert set(first_answer.json()) == {"error", "error_description", "factors", at.member}
    assert sessions_of(svc, uid) == before
    clock.advance(60)
    claims = peek(at.access_token(at.prove(at.token(first_answer), "counter", counter.code(uid, 1))))[1]
    assert (claims["sub"], claims["amr"], claims["acr"]) == (uid, ["pwd", "otp", "mfa"], "aal2")
    assert claims["auth_time"] == clock()


def test_an_account_without_the_factor_logs_in_by_its_password(at: LoginClient, phone: Phone) -> None:
    phone.sign_up()
    assert peek(at.access_token(at.password()))[1]["acr"] == "aal1"


def test_a_wrong_password_says_no_word_of_factors(at: LoginClient, uid: str) -> None:  # noqa: ARG001 - the account
    answer = at.password(password="a wrong one")
    assert at.error(answer) == at.wrong
    assert not answer.json().get("factors")


def test_scope_and_device_of_the_first_step_are_those_of_the_session(phone: Phone, uid: str) -> None:
    at_login = {"email": EMAIL, "password": PASSWORD, "scope": "account", "device": "Pixel 9"}
    token = phone.call("POST /login", at_login).json()["mfa_token"]
    body = {"mfa_token": token, "factor": "counter", "answer": counter.code(uid, 1)}
    tokens = phone.call("POST /login/proof", body).json()
    assert tokens["scope"] == "account"
    (current, _) = phone.call("GET /me/sessions", token=tokens["access_token"]).json()["sessions"]
    assert current["device"] == "Pixel 9"


def test_a_wrong_answer_is_refused_and_the_login_goes_on(at: LoginClient, uid: str, clock: Clock) -> None:
    token = at.token(at.password())
    other = counter.code("0" * 32, 1)
    for answer in ("x", other, counter.code(uid, 2)[:-1], PASSWORD, "1-", "²-x", "\U0001f511"):
        clock.advance(8)
        assert at.error(at.prove(token, "counter", answer)) == at.wrong
    clock.advance(8)
    assert at.access_token(at.prove(token, "counter", counter.code(uid, 1)))


def test_a_code_that_was_used_is_good_in_no_other_login(at: LoginClient, uid: str) -> None:
    first, second = at.token(at.password()), at.token(at.password())
    assert at.access_token(at.prove(first, "counter", counter.code(uid, 5)))
    for step in (5, 4):
        assert at.error(at.prove(second, "counter", counter.code(uid, step))) == at.wrong
    assert at.access_token(at.prove(second, "counter", counter.code(uid, 6)))


def test_a_login_that_is_complete_begins_no_second_session(at: LoginClient, uid: str, svc: Services) -> None:
    token = at.token(at.password())
    assert at.access_token(at.prove(token, "counter", counter.code(uid, 1)))
    before = sessions_of(svc, uid)
    assert at.error(at.prove(token, "counter", counter.code(uid, 2))) == at.over
    assert sessions_of(svc, uid) == before


def test_of_two_right_answers_at_once_one_begins_a_session(at: LoginClient, uid: str, svc: Services) -> None:
    token, before = at.token(at.password()), sessions_of(svc, uid)

    def prove(step: int) -> Answer:
        return at.prove(token, "counter", counter.code(uid, step))

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(prove, range(1, 5)))
    assert [answer.status for answer in answers].count(200) == 1
    assert sessions_of(svc, uid) == before + 1


def test_guesses_are_counted_before_they_are_looked_at_and_a_right_answer_gives_its_own_back(
    at: LoginClient, uid: str, svc: Services
) -> None:
    most, _ = svc.settings.limits["factor_account_network"]
    for step in range(1, 4):
        assert at.access_token(at.prove(at.token(at.password()), "counter", counter.code(uid, step)))
    token = at.token(at.password())
    for _ in range(most):
        assert at.error(at.prove(token, "counter", "x")) == at.wrong
    with wire.watched(svc) as traffic:
        answer = at.prove(token, "counter", counter.code(uid, 9))
    assert at.error(answer) == (429, "too_many_requests")
    assert "UpdateItem" not in traffic.calls  # the code is not even used up
    # A new login gives no new guesses, and neither does the other client.
    for name in LOGIN_CLIENTS:
        other = login_client(name, svc, at.phone)
        assert other.error(other.prove(other.token(other.password()), "counter", "x")) == (429, "too_many_requests")
    elsewhere = login_client("json", svc, Phone(svc.now, address="203.0.113.5"))  # type: ignore[arg-type]
    assert elsewhere.access_token(
        elsewhere.prove(elsewhere.token(elsewhere.password()), "counter", counter.code(uid, 9))
    )


def test_guesses_from_everywhere_leave_each_network_few_and_no_owner_without(
    uid: str, svc: Services, clock: Clock
) -> None:
    most, _ = svc.settings.limits["factor_account"]
    slow, _ = svc.settings.limits["factor_account_network_slow"]
    usual, _ = svc.settings.limits["factor_account_network"]
    for number in range(most // usual):
        thief = login_client("json", svc, Phone(clock, address=f"203.0.113.{number}"))
        token = thief.token(thief.password())
        assert {thief.error(thief.prove(token, "counter", "x"))[0] for _ in range(usual)} == {401}
    owner = login_client("json", svc, Phone(clock, address="198.51.100.99"))
    token = owner.token(owner.password())
    for _ in range(slow - 1):
        assert owner.error(owner.prove(token, "counter", "x")) == owner.wrong
    assert owner.access_token(owner.prove(token, "counter", counter.code(uid, 1)))


def test_guesses_have_an_end_whatever_the_networks_until_there_is_a_new_password(
    settings: Settings, clock: Clock
) -> None:
    few = "factor_password=6 factor_account=3 factor_account_network=2 factor_account_network_slow=1"
    limits = load({"LATCHKEY_ISSUER": settings.issuer, "LATCHKEY_LIMITS": few}).limits
    svc = container(replace(settings, limits=limits), now=clock)
    with installed(svc):
        account = Phone(clock).sign_up()
        uid = account["user"]["sub"]
        counter.enrol(svc, uid)
        statuses = []
        for number in range(12):
            thief = login_client("json", svc, Phone(clock, address=f"2001:db8:0:{number}::1"))
            statuses.append(thief.prove(thief.token(thief.password()), "counter", "x").status)
        assert statuses == [401] * 6 + [429] * 6
        owner = login_client("json", svc, Phone(clock, address="198.51.100.99"))
        answer = owner.prove(owner.token(owner.password()), "counter", counter.code(uid, 1))
        assert owner.error(answer) == (429, "too_many_requests")
        assert ended_all_sessions(owner.phone, account["access_token"]).status == 204  # which a stolen session can do
        assert thief.prove(thief.token(thief.password()), "counter", "x").status == 429
        assert changed_password(owner.phone, account["access_token"]).status == 204
        token = owner.token(owner.password(password=NEW_PASSWORD))
        assert owner.access_token(owner.prove(token, "counter", counter.code(uid, 1)))
        assert thief.error(thief.password()) == thief.wrong


def test_a_login_whose_missing_factor_was_taken_from_the_account_is_over(
    at: LoginClient, uid: str, svc: Services
) -> None:
    token = at.token(at.password())
    counter.withdraw(svc, uid)
    assert at.error(at.prove(token, "counter", counter.code(uid, 1))) == at.over
    assert at.access_token(at.password())


@pytest.mark.parametrize("factor", ["password", "", "no such", "counter ", "COUNTER"])
def test_a_factor_that_is_not_missing_cannot_be_proved_or_shown(at: LoginClient, uid: str, factor: str) -> None:
    token = at.token(at.password())
    answer = at.prove(token, factor, PASSWORD)
    empty_parameter = not factor and isinstance(at, FirstParty)  # as good as none (RFC 6749 section 3.1)
    assert at.error(answer) == (at.more if empty_parameter else (400, "invalid_request"))
    assert at.challenge(token, factor) == {}
    assert at.access_token(at.prove(token, "counter", counter.code(uid, 1)))


def test_a_factor_that_the_account_has_not_is_not_offered(at: LoginClient, phone: Phone, svc: Services) -> None:
    uid = phone.sign_up()["user"]["sub"]
    with counter.installed("other"):
        counter.enrol(svc, uid, "other")
        first_answer = at.password()
        assert first_answer.json()["factors"] == ["other"]
        assert at.error(at.prove(at.token(first_answer), "counter", counter.code(uid, 1))) == (400, "invalid_request")


def test_a_factor_that_shows_something_first_shows_it_for_this_login_and_account(at: LoginClient, uid: str) -> None:
    with counter.installed(challenges=True):
        token = at.token(at.password())
        hint = at.challenge(token, "counter")["hint"]
        assert EMAIL in hint
        assert hint.endswith(f" from {at.phone.address}")  # against which what is sent is counted
        assert at.access_token(at.prove(token, "counter", counter.code(uid, 1)))
    with counter.installed():
        assert at.challenge(at.token(at.password()), "counter") == {}


def test_a_login_is_over_after_ten_minutes_however_often_it_was_tried(at: LoginClient, uid: str, clock: Clock) -> None:
    token = at.token(at.password())
    clock.advance(300)
    wrong = at.prove(token, "counter", "x")
    token = wrong.json().get(at.member, token)
    clock.advance(299)
    assert at.error(at.prove(token, "counter", "x")) == at.wrong
    clock.advance(1)
    assert at.error(at.prove(token, "counter", counter.code(uid, 1))) == at.over


def changed_password(phone: Phone, access_token: str) -> Answer:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    return phone.call("POST /me/password", body, token=access_token)


def ended_all_sessions(phone: Phone, access_token: str) -> Answer:
    return phone.call("DELETE /me/sessions", token=access_token)


def deleted(phone: Phone, access_token: str) -> Answer:
    """By a login with all factors, which that takes."""
    begun = phone.call("POST /login", {"email": EMAIL, "password": PASSWORD}).json()
    answer = counter.code(peek(access_token)[1]["sub"], 7)
    proof = {"mfa_token": begun["mfa_token"], "factor": "counter", "answer": answer}
    tokens = phone.call("POST /login/proof", proof).json()
    return phone.call("DELETE /me", {"password": PASSWORD}, token=tokens["access_token"])


@pytest.mark.parametrize("change", [changed_password, ended_all_sessions, deleted])
def test_whatever_ends_an_accounts_sessions_ends_its_logins_too(
    at: LoginClient, phone: Phone, svc: Services, change: Callable[[Phone, str], Answer]
) -> None:
    account = phone.sign_up()
    counter.enrol(svc, account["user"]["sub"])
    token = at.token(at.password())
    assert change(phone, account["access_token"]).status == 204
    assert at.error(at.prove(token, "counter", counter.code(account["user"]["sub"], 1))) == at.over
    assert at.challenge(token, "counter") == {}


def test_a_disabled_account_goes_on_with_no_login(at: LoginClient, uid: str, svc: Services) -> None:
    token = at.token(at.password())
    svc.users.disable(uid)
    assert at.error(at.prove(token, "counter", counter.code(uid, 1))) == at.over


def test_an_answer_of_one_account_is_none_in_the_login_of_another(
    at: LoginClient, uid: str, phone: Phone, svc: Services
) -> None:
    other = phone.sign_up("bob@example.com")["user"]["sub"]
    counter.enrol(svc, other)
    token = at.token(at.password("bob@example.com"))
    assert at.error(at.prove(token, "counter", counter.code(uid, 1))) == at.wrong
    assert peek(at.access_token(at.prove(token, "counter", counter.code(other, 1))))[1]["sub"] == other


def forged(token: str) -> list[str]:
    middle = len(token) // 2
    flipped = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]
    return ["x", token[:-8], token[8:], flipped, token + "A", token[::-1], "A" * 400, "=", "\u00e9"]


def test_a_forged_or_truncated_login_is_none_and_costs_no_call(at: LoginClient, uid: str, svc: Services) -> None:
    token = at.token(at.password())
    known = ["GetItem"] if isinstance(at, FirstParty) else []  # the client's
    for text in forged(token):
        with wire.watched(svc) as traffic:
            assert at.error(at.prove(text, "counter", counter.code(uid, 1))) == at.over, text
        assert traffic.calls == known


def test_a_login_of_one_flow_is_none_in_another(uid: str, svc: Services, phone: Phone) -> None:
    clients = [login_client(name, svc, phone) for name in LOGIN_CLIENTS]
    for one, other in (clients, clients[::-1]):
        token = one.token(one.password())
        assert other.error(other.prove(token, "counter", counter.code(uid, 1))) == other.over


def test_no_other_text_of_ours_is_a_login_nor_a_login_another_text(at: LoginClient, uid: str, phone: Phone) -> None:
    token = at.token(at.password())
    tokens = phone.sign_up("bob@example.com")
    for text in (tokens["access_token"], tokens["refresh_token"]):
        assert at.error(at.prove(text, "counter", counter.code(uid, 1))) == at.over
    assert refusal(phone.call("POST /refresh", {"refresh_token": token})) == (401, "invalid_grant")
    assert phone.call("POST /verify", {"token": token}).json() == {"active": False}
    assert phone.call("GET /me", token=token).status == 401


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": None},
        {"id": 7},
        {"proofs": [{"factor": "password"}]},
        {"more": "x"},
        {"uid": None},
        {"request": []},
    ],
    ids=str,
)
def test_a_login_of_another_version_or_shape_is_none(
    uid: str, svc: Services, phone: Phone, change: dict[str, Any]
) -> None:
    at = login_client("json", svc, phone)
    members = json.loads(plaintext_of(svc, Attempt.purpose, at.token(at.password())))
    text = sealed_by_hand(svc, Attempt.purpose, json.dumps({**members, **change}))
    assert at.error(at.prove(text, "counter", counter.code(uid, 1))) == at.over


def test_a_login_without_a_user_proves_nothing_by_a_factor(svc: Services, phone: Phone, uid: str) -> None:
    at = login_client("first-party", svc, phone)
    assert isinstance(at, FirstParty)
    begun = at.send(**REQUEST).json()["auth_session"]
    assert at.error(at.prove(begun, "counter", counter.code(uid, 1))) == at.over
    empty = attempts.seal(
        svc, attempts.begin(svc, api_login.FLOW, own.json_api(svc), request={"scope": "", "device": ""})
    )
    assert refusal(login_client("json", svc, phone).prove(empty, "counter", counter.code(uid, 1))) == (
        401,
        "login_expired",
    )


def test_factor_and_answer_cannot_come_without_a_login(svc: Services, phone: Phone, uid: str) -> None:
    at = login_client("first-party", svc, phone)
    assert isinstance(at, FirstParty)
    answer = at.send(**REQUEST, email=EMAIL, password=PASSWORD, factor="counter", answer=counter.code(uid, 1))
    assert at.error(answer) == at.over


def test_an_auth_session_with_a_proof_is_for_its_own_client_and_key(svc: Services, phone: Phone, uid: str) -> None:
    at = login_client("first-party", svc, phone)
    assert isinstance(at, FirstParty)
    other = register(svc, phone, "native", first_party=True)
    right = {"factor": "counter", "answer": counter.code(uid, 1)}
    token = at.token(at.password())
    assert at.error(other.post(CHALLENGE_PATH, {"auth_session": token, **right})) == at.over
    owner, thief = provers(at.app, svc)
    bound = at.app.post(
        CHALLENGE_PATH, {**REQUEST, "email": EMAIL, "password": PASSWORD}, headers=owner.headers(CHALLENGE_PATH)
    )
    fields = {"auth_session": bound.json()["auth_session"], **right}
    assert at.error(at.app.post(CHALLENGE_PATH, fields)) == at.over
    assert at.error(at.app.post(CHALLENGE_PATH, fields, headers=thief.headers(CHALLENGE_PATH))) == at.over
    answer = at.app.post(CHALLENGE_PATH, fields, headers=owner.headers(CHALLENGE_PATH))
    tokens = at.app.redeem(answer.json()["authorization_code"], redirect_uri=None, headers=owner.headers()).json()
    assert peek(tokens["access_token"])[1]["cnf"] == {"jkt": owner.thumbprint}


def provers(app: App, svc: Services) -> tuple[Prover, Prover]:
    owner = Prover(svc.now)
    nonce = app.post(CHALLENGE_PATH, REQUEST, headers=owner.headers(CHALLENGE_PATH)).header("DPoP-Nonce") or ""
    owner.nonce = nonce
    return owner, Prover(svc.now, nonce=nonce)


@pytest.mark.parametrize("change", [{"scope": "openid"}, {"acr_values": "phr"}], ids=str)
def test_the_request_cannot_change_between_the_steps(
    svc: Services, phone: Phone, uid: str, change: dict[str, str]
) -> None:
    at = login_client("first-party", svc, phone)
    assert isinstance(at, FirstParty)
    token = at.token(at.password())
    answer = at.send(auth_session=token, factor="counter", answer=counter.code(uid, 1), **change)
    assert at.error(answer) == at.over


def test_the_password_at_a_later_step_begins_the_proofs_anew(svc: Services, phone: Phone, uid: str) -> None:
    bob = phone.sign_up("bob@example.com")["user"]["sub"]
    counter.enrol(svc, bob)
    at = login_client("first-party", svc, phone)
    assert isinstance(at, FirstParty)
    token = at.token(at.password())
    again = at.send(auth_session=token, email="bob@example.com", password=PASSWORD)
    claims = peek(at.access_token(at.prove(at.token(again), "counter", counter.code(bob, 1))))[1]
    assert (claims["sub"], claims["acr"]) == (bob, "aal2")
    assert at.error(at.prove(at.token(again), "counter", counter.code(uid, 1))) == at.wrong


def test_a_level_that_is_wanted_and_can_be_had_is_asked_for(svc: Services, phone: Phone, uid: str) -> None:
    at = login_client("first-party", svc, phone)
    assert isinstance(at, FirstParty)
    with counter.installed("key", ("hwk",)):
        counter.enrol(svc, uid, "key")
        wanting = {**REQUEST, "acr_values": "phr", "email": EMAIL, "password": PASSWORD}
        first_answer = at.send(**wanting)
        assert first_answer.json()["factors"] == ["key"]
        claims = peek(at.access_token(at.prove(at.token(first_answer), "key", counter.code(uid, 1))))[1]
        assert (claims["acr"], claims["amr"]) == ("phr", ["pwd", "hwk", "mfa"])


def test_an_essential_level_that_the_account_cannot_give_is_unmet_and_a_wish_is_not(
    svc: Services, phone: Phone
) -> None:
    phone.sign_up()
    at = login_client("first-party", svc, phone)
    assert isinstance(at, FirstParty)
    right = {**REQUEST, "email": EMAIL, "password": PASSWORD}
    essential = '{"id_token": {"acr": {"essential": true, "value": "aal2"}}}'
    assert at.error(at.send(**right, claims=essential)) == (400, "unmet_authentication_requirements")
    assert peek(at.access_token(at.send(**right, acr_values="aal2")))[1]["acr"] == "aal1"


def test_any_of_several_factors_completes_a_login(at: LoginClient, phone: Phone, svc: Services) -> None:
    uid = phone.sign_up()["user"]["sub"]
    counter.enrol(svc, uid)
    with counter.installed("key", ("hwk",)):
        counter.enrol(svc, uid, "key")
        assert at.password().json()["factors"] == ["counter", "key"]
        assert peek(at.access_token(at.prove(at.token(at.password()), "key", counter.code(uid, 1))))[1]["acr"] == "phr"


def test_the_budget_of_a_second_step_is_two_reads_and_what_the_factor_writes(
    uid: str, svc: Services, phone: Phone
) -> None:
    at = login_client("json", svc, phone)
    token = at.token(at.password())
    with wire.watched(svc) as traffic:
        assert at.access_token(at.prove(token, "counter", counter.code(uid, 1)))
    # The account, which names its factors, the count of guesses, the factor and its own write, and the session with the login
    # that is used up.
    assert traffic.calls == ["GetItem", "TransactWriteItems", "Query", "UpdateItem", "TransactWriteItems"]


def test_no_code_and_no_login_is_logged(at: LoginClient, uid: str, capsys: pytest.CaptureFixture[str]) -> None:
    token = at.token(at.password())
    right = counter.code(uid, 1)
    at.prove(token, "counter", "my-wrong-guess")
    at.access_token(at.prove(token, "counter", right))
    logged = capsys.readouterr().out
    assert at.more[1] in logged
    assert not any(secret in logged for secret in (token, right, "my-wrong-guess", PASSWORD, EMAIL))


def test_a_sign_up_needs_no_second_factor_for_there_is_none(phone: Phone) -> None:
    assert peek(phone.sign_up()["access_token"])[1]["amr"] == ["pwd"]
