"""Refresh tokens in the wrong hands, at the wrong time and many at once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.domain.errors import InvalidGrant
from chalicelib.flows.clients import own
from chalicelib.flows.sessions import refresh as refresh_flow
from chalicelib.services import Services
from tests.support import handles, wire
from tests.support.forge import b64, peek, unb64
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, refusal
from tests.support.staged import just_before
from tests.support.wire import watched

NEW_PASSWORD = "an entirely other phrase 7"
WINDOW = 30


def refresh(phone: Phone, token: str, **fields: Any) -> tuple[int, str]:
    """How a refusal of this refresh token reads."""
    return refusal(phone.call("POST /refresh", {"refresh_token": token, **fields}))


def dead(phone: Phone, *tokens: str) -> None:
    for token in tokens:
        assert refresh(phone, token) == (401, "invalid_grant")


def test_eight_refreshes_at_once_rotate_once_and_get_the_same_successor(phone: Phone) -> None:
    first = phone.sign_up()["refresh_token"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(phone.refresh, [first] * 8))
    (successor,) = {answer["refresh_token"] for answer in answers}
    assert successor != first
    assert phone.refresh(successor)["refresh_token"] not in (first, successor)


def test_a_refresh_overtaken_by_its_twin_gets_the_twins_successor(phone: Phone, svc: Services) -> None:
    first = phone.sign_up()["refresh_token"]
    twins: list[str] = []
    with just_before(wire.clients(svc)[0], "UpdateItem", lambda: twins.append(phone.refresh(first)["refresh_token"])):
        ours = phone.refresh(first)["refresh_token"]
    assert [ours] == twins
    phone.refresh(ours)


def test_a_refresh_overtaken_by_two_generations_ends_the_session(phone: Phone, svc: Services) -> None:
    first = phone.sign_up()["refresh_token"]
    latest: list[str] = []

    def run_ahead() -> None:
        latest.append(phone.refresh(phone.refresh(first)["refresh_token"])["refresh_token"])

    with just_before(wire.clients(svc)[0], "UpdateItem", run_ahead):
        assert refresh(phone, first) == (401, "invalid_grant")
    dead(phone, *latest)


def test_a_lost_answer_can_be_had_again_until_the_window_closes(phone: Phone, clock: Clock) -> None:
    first = phone.sign_up()["refresh_token"]
    successor = phone.refresh(first)["refresh_token"]
    for _ in range(3):
        clock.advance(WINDOW // 3)
        assert phone.refresh(first)["refresh_token"] == successor
    clock.advance(1)  # the window runs from the first use and no retry extends it
    dead(phone, first, successor)


def test_a_replay_after_the_window_ends_the_family_and_is_logged(
    phone: Phone, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    session = phone.sign_up()
    first = session["refresh_token"]
    second = phone.refresh(first)
    clock.advance(WINDOW + 1)
    capsys.readouterr()
    dead(phone, first)
    line = capsys.readouterr().out
    assert "refresh token reused: session ended" in line
    assert session["user"]["sub"] in line
    dead(phone, second["refresh_token"])
    assert refusal(phone.call("GET /me", token=second["access_token"])) == (401, "invalid_token")
    assert phone.call("POST /verify", {"token": second["access_token"]}).json() == {"active": False}


def test_a_replay_ends_its_own_family_and_no_other(phone: Phone, clock: Clock) -> None:
    first, other = phone.sign_up()["refresh_token"], phone.log_in()["refresh_token"]
    phone.refresh(first)
    clock.advance(WINDOW + 1)
    dead(phone, first)
    assert phone.refresh(other)


def test_a_token_two_generations_old_ends_the_family_even_inside_the_window(phone: Phone) -> None:
    first = phone.sign_up()["refresh_token"]
    second = phone.refresh(first)["refresh_token"]
    third = phone.refresh(second)["refresh_token"]
    dead(phone, first, second, third)


def test_the_replay_of_a_predecessor_whose_successor_was_used_ends_the_family(phone: Phone, clock: Clock) -> None:
    first = phone.sign_up()["refresh_token"]
    second = phone.refresh(first)["refresh_token"]
    clock.advance(5)
    third = phone.refresh(second)["refresh_token"]
    clock.advance(5)
    assert phone.refresh(second)["refresh_token"] == third
    dead(phone, first, third)


@pytest.mark.parametrize(
    "scope",
    [
        "admin",
        "account admin",
        "users:read",
        "account  notes:read",
        " account",
        "",
        "ACCOUNT",
        "account\n",
        "a" * 200,
        "*",
    ],
)
def test_a_wider_or_odd_scope_is_refused_and_nothing_is_spent(phone: Phone, clock: Clock, scope: str) -> None:
    first = phone.sign_up()["refresh_token"]
    assert refresh(phone, first, scope=scope) == (400, "invalid_scope")
    clock.advance(WINDOW + 1)
    assert phone.refresh(first)


def test_a_narrower_scope_is_this_access_tokens_alone(phone: Phone) -> None:
    narrowed = phone.refresh(phone.sign_up()["refresh_token"], scope="notes:read")
    assert narrowed["scope"] == peek(narrowed["access_token"])[1]["scope"] == "notes:read"
    assert refusal(phone.call("GET /me", token=narrowed["access_token"])) == (403, "insufficient_scope")
    again = phone.refresh(narrowed["refresh_token"])
    assert set(again["scope"].split()) == {"account", "notes:read", "notes:write"}
    assert phone.call("GET /me", token=again["access_token"]).status == 200


def test_a_session_of_narrow_scope_is_never_widened_by_refreshing(phone: Phone) -> None:
    phone.sign_up()
    narrow = phone.log_in(scope="notes:read")["refresh_token"]
    assert refresh(phone, narrow, scope="notes:read notes:write") == (400, "invalid_scope")
    assert phone.refresh(narrow)["scope"] == "notes:read"


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "abc"},
        {"grant_type": "authorization_code"},
        {"client_id": "other"},
        {"password": PASSWORD},
        {"uid": "0" * 32},
        {"generation": 7},
        {"device": "x"},
    ],
    ids=str,
)
def test_foreign_fields_in_a_refresh_are_refused_and_nothing_is_spent(
    phone: Phone, clock: Clock, fields: dict[str, Any]
) -> None:
    first = phone.sign_up()["refresh_token"]
    assert refresh(phone, first, **fields) == (400, "invalid_request")
    clock.advance(WINDOW + 1)
    assert phone.refresh(first)


def test_a_disabled_user_gets_nothing_more(phone: Phone, svc: Services) -> None:
    signed_up = phone.sign_up()
    svc.users.disable(signed_up["user"]["sub"])
    dead(phone, signed_up["refresh_token"])
    assert phone.call("POST /verify", {"token": signed_up["access_token"]}).json() == {"active": False}
    assert refusal(phone.call("GET /me", token=signed_up["access_token"])) == (401, "invalid_token")


def test_a_disabled_user_cannot_use_the_retry_window(phone: Phone, svc: Services) -> None:
    signed_up = phone.sign_up()
    second = phone.refresh(signed_up["refresh_token"])
    svc.users.disable(signed_up["user"]["sub"])
    dead(phone, signed_up["refresh_token"], second["refresh_token"])


def test_a_deleted_user_gets_nothing_more(phone: Phone) -> None:
    signed_up, other = phone.sign_up(), phone.log_in()
    assert phone.call("DELETE /me", {"password": PASSWORD}, token=signed_up["access_token"]).status == 204
    dead(phone, signed_up["refresh_token"], other["refresh_token"])
    assert phone.sign_up()["user"]["sub"] != signed_up["user"]["sub"]
    dead(phone, signed_up["refresh_token"], other["refresh_token"])


def test_a_changed_password_ends_what_is_retried_too(phone: Phone) -> None:
    keeper, other = phone.sign_up(), phone.log_in()
    phone.refresh(other["refresh_token"])
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert phone.call("POST /me/password", change, token=keeper["access_token"]).status == 204
    dead(phone, other["refresh_token"])
    assert phone.refresh(keeper["refresh_token"])


def test_a_password_change_just_before_the_write_leaves_no_live_session_behind(phone: Phone, svc: Services) -> None:
    keeper, other = phone.sign_up(), phone.log_in()
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}

    def overtake() -> None:
        assert phone.call("POST /me/password", change, token=keeper["access_token"]).status == 204

    with just_before(wire.clients(svc)[0], "UpdateItem", overtake):
        answer = phone.call("POST /refresh", {"refresh_token": other["refresh_token"]})
    # The refresh came first or last: whatever it was told, nothing that it got is in force.
    if answer.status == 200:
        dead(phone, answer.json()["refresh_token"])
        assert phone.call("POST /verify", {"token": answer.json()["access_token"]}).json() == {"active": False}


def test_a_logout_just_before_the_write_leaves_the_session_ended(phone: Phone, svc: Services) -> None:
    first = phone.sign_up()["refresh_token"]

    def overtake() -> None:
        assert phone.call("POST /logout", {"refresh_token": first}).status == 204

    with just_before(wire.clients(svc)[0], "UpdateItem", overtake):
        assert refresh(phone, first) == (401, "invalid_grant")
    dead(phone, first)


def test_a_refresh_just_before_a_logouts_write_does_not_outlive_it(phone: Phone, svc: Services) -> None:
    first = phone.sign_up()["refresh_token"]
    answers: list[dict[str, Any]] = []
    with just_before(wire.clients(svc)[0], "TransactWriteItems", lambda: answers.append(phone.refresh(first))):
        assert phone.call("POST /logout", {"refresh_token": first}).status == 204
    dead(phone, first, answers[0]["refresh_token"])
    assert phone.call("POST /verify", {"token": answers[0]["access_token"]}).json() == {"active": False}


def test_a_session_ended_from_the_list_just_before_the_write_is_not_resurrected(phone: Phone, svc: Services) -> None:
    keeper, other = phone.sign_up(), phone.log_in()
    sid = peek(other["access_token"])[1]["sid"]

    def overtake() -> None:
        assert phone.call(f"DELETE /me/sessions/{sid}", token=keeper["access_token"]).status == 204

    with just_before(wire.clients(svc)[0], "UpdateItem", overtake):
        dead(phone, other["refresh_token"])


def test_an_account_erased_just_before_the_write_leaves_no_session_item(phone: Phone, svc: Services) -> None:
    signed_up = phone.sign_up()

    def overtake() -> None:
        assert phone.call("DELETE /me", token=signed_up["access_token"]).status == 204

    with just_before(wire.clients(svc)[0], "UpdateItem", overtake):
        dead(phone, signed_up["refresh_token"])
    assert svc.sessions.of_user(signed_up["user"]["sub"]) == []


def test_logouts_and_refreshes_all_at_once_end_the_session(phone: Phone) -> None:
    first = phone.sign_up()["refresh_token"]
    lines = ["POST /refresh", "POST /logout"] * 4
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda line: phone.call(line, {"refresh_token": first}), lines))
    assert {answer.status for answer in answers} <= {200, 204, 401}
    dead(phone, first, *[a.json()["refresh_token"] for a in answers if a.status == 200])


def test_any_generation_of_a_refresh_token_logs_out(phone: Phone, clock: Clock) -> None:
    first = phone.sign_up()["refresh_token"]
    third = phone.refresh(phone.refresh(first)["refresh_token"])["refresh_token"]
    clock.advance(WINDOW + 1)
    assert phone.call("POST /logout", {"refresh_token": first}).status == 204
    dead(phone, third)


def forgeries(token: str) -> list[str]:
    """A good refresh token, spoilt in every way that comes to mind."""
    raw = unb64(token)
    turned = [bytes(b ^ (1 << place % 8) if i == place else b for i, b in enumerate(raw)) for place in range(len(raw))]
    versions = [bytes([version]) + raw[1:] for version in (0, 1, 3, 255)]
    moved = [raw[:3] + raw[19:] + raw[3:19], raw[:3] + raw[-16:] + raw[19:-16] + raw[3:19], raw[:43] + raw[-32:]]
    texts = [
        token[:-1],
        token[1:],
        token[:50],
        token + "A",
        token + "=",
        token + "====",
        token[:-4] + "    ",
        token * 2,
    ]
    texts += [token.swapcase(), " " + token, token + "\n", token.replace(token[5], "+", 1), "A" * len(token), "A", "."]
    texts += ["\u00e9" * len(token), "\u0661" * len(token), "-" * len(token), "null", "x" * 8192]
    return texts + [b64(each) for each in (*turned, *versions, *moved, bytes(len(raw)), bytes(75))]


def test_forged_truncated_and_bit_flipped_tokens_are_refused_without_asking_a_table(
    phone: Phone, svc: Services
) -> None:
    first = phone.sign_up()["refresh_token"]
    with watched(svc) as traffic:
        for forgery in forgeries(first):
            assert forgery != first
            assert refresh(phone, forgery) == (401, "invalid_grant"), forgery
            assert phone.call("POST /logout", {"refresh_token": forgery}).status == 204
    assert traffic.calls == []
    assert phone.refresh(first)


def by_hand(phone: Phone, svc: Services, version: int, **changes: Any) -> str:
    """The refresh token of a new session as a version has it, with the key that is in use, changed."""
    claims = peek(phone.log_in()["access_token"])[1]
    key = svc.keys.recent(svc.now()).refresh[0]
    ids = {"uid": bytes.fromhex(claims["sub"]), "session_id": bytes.fromhex(claims["sid"])}
    return handles.WRITERS[version](**{**ids, "generation": 1, "number": key.number, "secret": key.secret, **changes})


VERSIONS = pytest.mark.parametrize("version", [1, 2])


@VERSIONS
def test_a_token_under_another_deployments_key_is_refused_without_asking_a_table(
    phone: Phone, svc: Services, version: int
) -> None:
    first = phone.sign_up()["refresh_token"]
    with pytest.raises(InvalidGrant):
        refresh_flow.refresh(svc, own.json_api(svc), "A" * len(first))
    for secret in (bytes(32), b"latchkey", b""):
        forged = by_hand(phone, svc, version, secret=secret)
        with watched(svc) as traffic:
            dead(phone, forged)
        assert traffic.calls == []


@VERSIONS
def test_a_session_goes_on_from_its_token_of_any_version_with_one_of_the_newest(
    phone: Phone, svc: Services, version: int, clock: Clock
) -> None:
    phone.sign_up()
    token = by_hand(phone, svc, version)
    second = phone.refresh(token)["refresh_token"]
    assert (unb64(second)[0], phone.refresh(token)["refresh_token"]) == (2, second)
    assert phone.refresh(second)
    clock.advance(WINDOW + 1)
    dead(phone, token)
    again = by_hand(phone, svc, version)
    assert phone.call("POST /logout", {"refresh_token": again}).status == 204
    dead(phone, again)


def test_a_flood_of_unknown_refresh_keys_reads_the_store_once_an_interval(
    phone: Phone, svc: Services, clock: Clock
) -> None:
    raw = bytearray(unb64(phone.sign_up()["refresh_token"]))
    clock.advance(60)
    with watched(svc) as traffic:
        for number in range(2, 40):
            raw[1:3] = number.to_bytes(2, "big")
            dead(phone, b64(bytes(raw)))
    assert traffic.calls == ["GetParametersByPath"]


def test_a_refresh_token_of_an_unknown_key_is_not_blamed_when_the_keys_cannot_be_read(
    phone: Phone, svc: Services, clock: Clock
) -> None:
    first = phone.sign_up()["refresh_token"]
    raw = bytearray(unb64(first))
    raw[1:3] = (2).to_bytes(2, "big")
    unknown = b64(bytes(raw))
    clock.advance(61)
    failing = wire.Wire(fail_at=1, failure=wire.refusing("ThrottlingException"))
    with watched(svc, failing):
        for _ in range(2):
            assert refresh(phone, unknown) == (503, "temporarily_unavailable")
            body = {"refresh_token": unknown}
            assert refusal(phone.call("POST /logout", body)) == (503, "temporarily_unavailable")
    assert failing.calls == ["GetParametersByPath"]
    assert phone.refresh(first)


@VERSIONS
def test_a_token_of_a_generation_never_issued_does_no_harm(phone: Phone, svc: Services, version: int) -> None:
    first = phone.sign_up()["refresh_token"]
    for generation in (2, 7, 2**64 - 1):
        dead(phone, by_hand(phone, svc, version, generation=generation))
    assert phone.refresh(first)


@VERSIONS
def test_our_own_key_makes_no_refresh_token_for_another_purpose(phone: Phone, svc: Services, version: int) -> None:
    first = phone.sign_up()["refresh_token"]
    for purpose in (b"", b"code", b"browser", b"reset token"):
        dead(phone, by_hand(phone, svc, version, purpose=purpose))
    assert phone.refresh(first)


def test_someone_elses_refresh_token_ends_nobody_elses_session(phone: Phone) -> None:
    ann, ben = phone.sign_up(), phone.sign_up("ben@example.com")
    phone.call("POST /logout", {"refresh_token": ben["refresh_token"]}, token=ann["access_token"])
    assert phone.refresh(ann["refresh_token"])
    sid = peek(phone.log_in()["access_token"])[1]["sid"]
    answer = phone.call(f"DELETE /me/sessions/{sid}", token=ben["access_token"])
    assert refusal(answer)[0] in (401, 404)
    third = phone.log_in("ben@example.com")
    assert refusal(phone.call(f"DELETE /me/sessions/{sid}", token=third["access_token"])) == (404, "not_found")


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "InternalServerError", "ProvisionedThroughputExceededException"]
)
def test_a_logout_that_could_not_be_stored_is_a_503_and_works_when_tried_again(
    phone: Phone, svc: Services, code: str
) -> None:
    first = phone.sign_up()["refresh_token"]
    with watched(svc, wire.Wire(fail_at=1, failure=wire.refusing(code))):
        answer = phone.call("POST /logout", {"refresh_token": first})
    assert refusal(answer) == (503, "temporarily_unavailable")
    second = phone.refresh(first)["refresh_token"]
    assert phone.call("POST /logout", {"refresh_token": second}).status == 204
    dead(phone, second)


def test_an_idle_session_expires_and_each_use_carries_it_on(phone: Phone, clock: Clock) -> None:
    day = 24 * 3600
    first = phone.sign_up()["refresh_token"]
    clock.advance(30 * day - 1)
    second = phone.refresh(first)["refresh_token"]
    clock.advance(30 * day)
    dead(phone, second)


def test_no_session_outlives_a_year_however_often_it_is_used(phone: Phone, clock: Clock) -> None:
    token, began = phone.sign_up()["refresh_token"], clock()
    while clock() + 20 * 24 * 3600 < began + 365 * 24 * 3600:
        clock.advance(20 * 24 * 3600)
        token = phone.refresh(token)["refresh_token"]
    clock.seconds = began + 365 * 24 * 3600
    dead(phone, token)


def test_an_expired_session_that_is_not_swept_yet_is_expired(phone: Phone, svc: Services, clock: Clock) -> None:
    signed_up = phone.sign_up()
    clock.advance(30 * 24 * 3600)
    (session,) = svc.sessions.of_user(signed_up["user"]["sub"])
    assert session.expires_at <= clock()
    dead(phone, signed_up["refresh_token"])
    access = phone.log_in(EMAIL)["access_token"]
    assert len(phone.call("GET /me/sessions", token=access).json()["sessions"]) == 1


def test_answers_with_tokens_are_not_to_be_stored(phone: Phone) -> None:
    body = {"email": EMAIL, "password": PASSWORD}
    signed_up = phone.call("POST /signup", body)
    logged_in = phone.call("POST /login", body)
    refreshed = phone.call("POST /refresh", {"refresh_token": logged_in.json()["refresh_token"]})
    for answer in (signed_up, logged_in, refreshed):
        assert answer.header("Cache-Control") == "no-store"
        assert "refresh_token" in answer.json()
