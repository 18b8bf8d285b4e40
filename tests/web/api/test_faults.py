"""Every call of every flow fails once, before it is sent and after it was carried out; afterwards the client tries again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest

from chalicelib.config import Settings
from chalicelib.domain.accounts.passwords import HashProfile
from chalicelib.services import Services
from chalicelib.store.aws.client import Transport
from chalicelib.store.dynamo import TRIES
from local.gateway import Answer
from tests.support import wire
from tests.support.aws import container
from tests.support.phone import PASSWORD, Clock, Phone, installed, refusal
from tests.support.prepared import from_here
from tests.support.wire import CONFLICT, MODES, UNAVAILABLE, Wire, watched

NEW_PASSWORD = "an entirely other phrase 7"
_numbers = count(1)


@dataclass
class World:
    """A fresh account with two sessions, of a caller with an address of his own."""

    phone: Phone
    svc: Services
    clock: Clock
    number: int = field(default_factory=lambda: next(_numbers))
    mine: dict[str, Any] = field(default_factory=dict)
    other: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.phone.address = f"10.0.{self.number // 250}.{self.number % 250}"
        self.mine = self.phone.sign_up(self.email)
        self.other = self.phone.log_in(self.email)

    @property
    def email(self) -> str:
        return f"user{self.number}@example.com"

    def call(self, line: str, body: object = None, *, guarded: bool = False) -> Answer:
        return self.phone.call(line, body, token=self.mine["access_token"] if guarded else None)

    def login_status(self, password: str = PASSWORD) -> int:
        return self.phone.call("POST /login", {"email": self.email, "password": password}).status


def alive(world: World, session: dict[str, Any]) -> bool:
    """Whether a session goes on; its refresh token is not spent by asking, for a retry gets the same again."""
    answer = world.phone.call("POST /refresh", {"refresh_token": session["refresh_token"]})
    assert answer.status in (200, 401), answer
    return answer.status == 200


def sign_up(world: World) -> Answer:
    return world.call("POST /signup", {"email": f"new-{world.email}", "password": PASSWORD})


def signed_up(world: World, answer: Answer) -> None:
    # An account that was made although its owner was not told is his all the same.
    assert answer.status == 201 or refusal(answer) == (409, "email_taken")
    session = world.phone.log_in(f"new-{world.email}")
    assert len(listed(world, session)) in (1, 2)


def listed(world: World, session: dict[str, Any]) -> list[Any]:
    sessions: list[Any] = world.phone.call("GET /me/sessions", token=session["access_token"]).json()["sessions"]
    return sessions


def log_in(world: World) -> Answer:
    return world.call("POST /login", {"email": world.email, "password": PASSWORD})


def logged_in(world: World, answer: Answer) -> None:
    assert world.phone.call("GET /me", token=answer.json()["access_token"]).status == 200
    assert alive(world, answer.json())


def refresh(world: World) -> Answer:
    return world.call("POST /refresh", {"refresh_token": world.mine["refresh_token"]})


def refreshed(world: World, answer: Answer) -> None:
    successor = answer.json()["refresh_token"]
    assert world.phone.refresh(world.mine["refresh_token"])["refresh_token"] == successor
    world.clock.advance(60)
    assert world.phone.refresh(successor)


def replay(world: World) -> Answer:
    return refresh(world)


def replayed(world: World, answer: Answer) -> None:
    assert refusal(answer) == (401, "invalid_grant")
    assert not alive(world, world.mine["rotated"])
    assert alive(world, world.other)


def log_out(world: World) -> Answer:
    return world.call("POST /logout", {"refresh_token": world.mine["refresh_token"]})


def logged_out(world: World, answer: Answer) -> None:
    assert answer.status == 204
    assert not alive(world, world.mine)
    assert alive(world, world.other)


def verify(world: World) -> Answer:
    return world.call("POST /verify", {"token": world.mine["access_token"]})


def verified(_: World, answer: Answer) -> None:
    assert answer.json()["active"] is True


def read(world: World) -> Answer:
    return world.call("GET /me", guarded=True)


def was_read(world: World, answer: Answer) -> None:
    assert answer.json() == world.mine["user"]


def rename(world: World) -> Answer:
    return world.call("PATCH /me", {"name": "Ann"}, guarded=True)


def renamed(world: World, answer: Answer) -> None:
    assert (
        answer.json()
        == read(world).json()
        == {
            **world.mine["user"],
            "name": "Ann",
            "updated_at": world.clock(),
        }
    )


def list_sessions(world: World) -> Answer:
    return world.call("GET /me/sessions", guarded=True)


def were_listed(_: World, answer: Answer) -> None:
    assert len(answer.json()["sessions"]) == 2


def end_others(world: World) -> Answer:
    return world.call("DELETE /me/sessions", guarded=True)


def others_ended(world: World, answer: Answer) -> None:
    assert answer.status == 204
    assert not alive(world, world.other)
    assert alive(world, world.mine)


def end_one(world: World) -> Answer:
    return world.call(f"DELETE /me/sessions/{world.other['sid']}", guarded=True)


def one_ended(world: World, answer: Answer) -> None:
    assert answer.status == 204 or refusal(answer) == (404, "not_found")
    assert not alive(world, world.other)
    assert alive(world, world.mine)


def change_password(world: World) -> Answer:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    return world.call("POST /me/password", body, guarded=True)


def password_changed(world: World, answer: Answer) -> None:
    # Tried again after it was done, the old password is simply no longer the right one.
    assert answer.status == 204 or refusal(answer) == (401, "invalid_credentials")
    assert alive(world, world.mine)
    assert not alive(world, world.other)
    assert (world.login_status(), world.login_status(NEW_PASSWORD)) == (401, 200)


def delete(world: World) -> Answer:
    return world.call("DELETE /me", {"password": PASSWORD}, guarded=True)


def deleted(world: World, answer: Answer) -> None:
    # Tried again after it was done, there is nobody left who could ask.
    assert answer.status == 204 or refusal(answer) == (401, "invalid_token")
    assert not alive(world, world.mine)
    assert not alive(world, world.other)
    assert world.login_status() == 401
    assert world.svc.sessions.of_user(world.mine["user"]["sub"]) == []


Flow = tuple[Callable[[World], Answer], Callable[[World, Answer], None], tuple[str, ...]]
TRANSACT = "TransactWriteItems"
FLOWS: dict[str, Flow] = {
    "sign up": (sign_up, signed_up, (TRANSACT, TRANSACT)),
    "log in": (log_in, logged_in, (TRANSACT, "GetItem", "GetItem", TRANSACT)),
    "refresh": (refresh, refreshed, ("BatchGetItem", "UpdateItem")),
    "replay": (replay, replayed, ("BatchGetItem", TRANSACT)),
    "log out": (log_out, logged_out, (TRANSACT,)),
    "verify": (verify, verified, ("BatchGetItem",)),
    "read the profile": (read, was_read, ("BatchGetItem",)),
    "rename": (rename, renamed, ("BatchGetItem", "UpdateItem")),
    "list the sessions": (list_sessions, were_listed, ("BatchGetItem", "Query")),
    "end the other sessions": (end_others, others_ended, ("BatchGetItem", TRANSACT)),
    "end one session": (end_one, one_ended, ("BatchGetItem", TRANSACT, "Query")),
    "change the password": (change_password, password_changed, ("BatchGetItem", TRANSACT, TRANSACT, TRANSACT)),
    "delete the account": (
        delete,
        deleted,
        (
            *("BatchGetItem", TRANSACT, "Query", "Query", "BatchWriteItem", "Query"),
            *(TRANSACT, "Query", "Query", "BatchWriteItem", "Query", "Query"),
        ),
    ),
}
every_flow = pytest.mark.parametrize("name", FLOWS)


def no_half_made_user(svc: Services) -> None:
    """Every address has its user, and every user its one address."""
    stored = svc.users._client.call("Scan", TableName=svc.settings.users_table)["Items"]
    users = {item["pk"]["S"].partition("#")[2] for item in stored if item["sk"]["S"] == "profile"}
    assert sorted(item["uid"]["S"] for item in stored if item["sk"]["S"] == "user") == sorted(users)


@pytest.fixture
def worlds(phone: Phone, svc: Services, clock: Clock) -> Callable[[], World]:
    """As many fresh accounts as a test wants."""
    return lambda: World(phone, svc, clock)


@every_flow
def test_the_calls_of_every_flow_are_known(worlds: Callable[[], World], svc: Services, name: str) -> None:
    # What follows fails each of them; a call that is added to a flow must not escape.
    act, done, calls = FLOWS[name]
    world = worlds()
    prepare(name, world)
    with watched(svc) as traffic:
        answer = act(world)
    assert tuple(traffic.calls) == calls
    done(world, answer)


def prepare(name: str, world: World) -> None:
    """What a flow needs to have happened before, so that only its own calls are failed."""
    if name == "replay":
        world.mine["rotated"] = world.phone.refresh(world.phone.refresh(world.mine["refresh_token"])["refresh_token"])
    if name == "end one session":
        (world.other["sid"],) = [s["id"] for s in listed(world, world.mine) if not s["current"]]


@every_flow
@pytest.mark.parametrize("mode", MODES)
def test_a_fault_at_any_call_is_a_503_and_trying_again_works(
    worlds: Callable[[], World], svc: Services, name: str, mode: str
) -> None:
    act, done, calls = FLOWS[name]
    failure, afterwards = MODES[mode]
    prepared = worlds()
    prepare(name, prepared)
    for place, operation in enumerate(calls, start=1):
        if mode == "in conflict" and operation != TRANSACT:
            continue
        failing = Wire(fail_at=place, failure=failure, afterwards=afterwards)
        with from_here(prepared) as world:
            with watched(svc, failing):
                answer = act(world)
            assert len(failing.calls) >= place
            if mode == "in conflict":  # which a transaction tries again by itself
                assert answer.status < 300 or name == "replay"
            else:
                assert refusal(answer) == UNAVAILABLE, (place, operation)
            no_half_made_user(svc)
            done(world, act(world))
            no_half_made_user(svc)


@every_flow
@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException", "ResourceNotFoundException"])
def test_a_fault_that_trying_again_does_not_mend_is_a_500_and_blames_nobody(
    worlds: Callable[[], World], svc: Services, name: str, code: str
) -> None:
    act, done, calls = FLOWS[name]
    prepared = worlds()
    prepare(name, prepared)
    for place in range(1, len(calls) + 1):
        with from_here(prepared) as world:
            with watched(svc, Wire(fail_at=place, failure=wire.refusing(code))):
                answer = act(world)
            assert refusal(answer) == (500, "server_error"), place
            assert b"injected" not in answer.body
            no_half_made_user(svc)
            if name != "delete the account" and place == len(calls):
                done(world, act(world))


RETRYABLE = [
    "InternalServerError",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
]


@pytest.mark.parametrize("code", RETRYABLE)
def test_whatever_dynamodb_calls_it_a_passing_fault_is_a_503(
    worlds: Callable[[], World], svc: Services, code: str
) -> None:
    world = worlds()
    for act in (read, refresh, log_out, log_in):
        with watched(svc, Wire(fail_at=1, failure=wire.refusing(code))):
            assert refusal(act(world)) == UNAVAILABLE
    assert alive(world, world.mine)


@pytest.mark.parametrize(
    "reasons",
    [
        ("None", "TransactionConflict"),
        ("ThrottlingError", "None"),
        ("ProvisionedThroughputExceeded",),
        ("None", "ThrottlingError"),
    ],
    ids=str,
)
def test_a_transaction_that_is_cancelled_for_no_fault_of_the_callers_is_a_503(
    worlds: Callable[[], World], svc: Services, reasons: tuple[str, ...]
) -> None:
    cancelled = wire.refusing("TransactionCanceledException", reasons=reasons)
    for name, place in (
        ("sign up", 2),
        ("change the password", 4),
        ("delete the account", 7),
        ("end the other sessions", 2),
    ):
        act, done, _ = FLOWS[name]
        world = worlds()
        # One that others were in the way of is tried again at once, a few times; one that is throttled is not.
        with watched(svc, Wire(fail_at=place, failure=cancelled, times=TRIES)) as traffic:
            assert refusal(act(world)) == UNAVAILABLE, name
        assert len(traffic.calls) == place - 1 + (TRIES if "TransactionConflict" in reasons else 1)
        no_half_made_user(svc)
        done(world, act(world))


def test_attempts_that_stay_in_conflict_are_a_503_and_look_at_no_password(
    worlds: Callable[[], World], svc: Services
) -> None:
    world = worlds()
    with watched(svc) as traffic, wire.down(svc, "dynamodb", CONFLICT):
        answer = log_in(world)
    assert refusal(answer) == UNAVAILABLE
    assert set(traffic.calls) == {TRANSACT}
    assert log_in(world).status == 200


@pytest.mark.parametrize(
    ("act", "operation", "unprocessed"),
    [
        (read, "BatchGetItem", "UnprocessedKeys"),
        (refresh, "BatchGetItem", "UnprocessedKeys"),
        (verify, "BatchGetItem", "UnprocessedKeys"),
        (delete, "BatchWriteItem", "UnprocessedItems"),
    ],
)
def test_a_batch_that_was_done_in_part_is_a_503(
    worlds: Callable[[], World], svc: Services, act: Callable[[World], Answer], operation: str, unprocessed: str
) -> None:
    world = worlds()

    def partly(proceed: Transport, called: str, request: Mapping[str, Any]) -> Any:
        return {"Responses": {}, unprocessed: {"table": {}}} if called == operation else proceed(called, request)

    with wire.intercepted(svc.users._client, partly):
        answer = act(world)
    assert refusal(answer) == UNAVAILABLE
    assert alive(world, world.mine)


def test_a_refresh_whose_answer_was_lost_gets_the_very_same_successor(
    worlds: Callable[[], World], svc: Services
) -> None:
    world = worlds()
    with watched(svc, Wire(fail_at=2, failure=wire.timing_out, afterwards=True)):
        assert refusal(refresh(world)) == UNAVAILABLE
    (session,) = [g for g in svc.sessions.of_user(world.mine["user"]["sub"]) if g.generation == 2]
    refreshed(world, refresh(world))
    assert session.ended == ""


@pytest.mark.parametrize("mode", ["throttled", "never sent", "answer lost"])
def test_a_login_that_makes_its_hash_stronger_survives_a_fault_anywhere(svc: Services, clock: Clock, mode: str) -> None:
    calls = (TRANSACT, "GetItem", "GetItem", "UpdateItem", TRANSACT)
    raised = replace(svc, hashing=HashProfile(memory=16, passes=1, lanes=1))
    failure, afterwards = MODES[mode]
    for place in range(1, len(calls) + 1):
        with installed(svc):
            world = World(Phone(clock), svc, clock)
        failing = Wire(fail_at=place, failure=failure, afterwards=afterwards)
        with installed(raised):
            with watched(raised, failing):
                assert refusal(log_in(world)) == UNAVAILABLE
            assert tuple(failing.calls[:place]) == calls[:place]
            # A fault of ours is no guess: after it there is nothing but what gives the attempt back.
            assert set(failing.calls[place:]) <= {"UpdateItem"}
            logged_in(world, log_in(world))


# SSM, at a cold start
def cold(settings: Settings, clock: Clock) -> Services:
    return container(settings, now=clock)


COLD = (
    "GetParametersByPath",
    "GetParametersByPath",
    "PutParameter",
    "PutParameter",
    "PutParameter",
    "GetParametersByPath",
)


@pytest.mark.parametrize("mode", ["throttled", "never sent", "answer lost"])
@pytest.mark.parametrize("place", range(1, len(COLD) + 1))
def test_a_first_start_that_fails_anywhere_is_a_503_and_the_next_request_succeeds(
    settings: Settings, clock: Clock, mode: str, place: int
) -> None:
    failure, afterwards = MODES[mode]
    svc = cold(settings, clock)
    with installed(svc):
        phone = Phone(clock)
        failing = Wire(fail_at=place, failure=failure, afterwards=afterwards)
        with watched(svc, failing):
            assert refusal(phone.call("GET /.well-known/jwks.json")) == UNAVAILABLE
        assert tuple(failing.calls) == COLD[:place]
        (first,) = phone.call("GET /.well-known/jwks.json").json()["keys"]
        session = phone.sign_up()
        assert phone.call("GET /me", token=session["access_token"]).status == 200
    other = cold(settings, clock)
    with installed(other):
        assert Phone(clock).call("GET /.well-known/jwks.json").json()["keys"] == [first]
        assert Phone(clock).refresh(session["refresh_token"])


@pytest.mark.parametrize("mode", ["throttled", "never sent", "answer lost"])
@pytest.mark.parametrize(("act", "done"), [(refresh, refreshed), (log_out, logged_out), (verify, verified)])
def test_a_cold_start_without_ssm_costs_nobody_a_session(
    svc: Services, clock: Clock, mode: str, act: Callable[[World], Answer], done: Callable[[World, Answer], None]
) -> None:
    with installed(svc):
        world = World(Phone(clock), svc, clock)
    failure, afterwards = MODES[mode]
    other = cold(svc.settings, clock)
    with installed(other):
        with watched(other, Wire(fail_at=1, failure=failure, afterwards=afterwards)):
            assert refusal(act(world)) == UNAVAILABLE
        done(world, act(world))


@pytest.mark.parametrize("line", ["POST /signup", "POST /login"])
def test_a_sign_up_or_login_that_gets_no_keys_leaves_nothing_behind(svc: Services, clock: Clock, line: str) -> None:
    body = {"email": "ann@example.com", "password": PASSWORD}
    if line == "POST /login":
        with installed(svc):
            Phone(clock).sign_up(body["email"])
    other = cold(svc.settings, clock)
    with installed(other), wire.down(other, "ssm"):
        for _ in range(2):
            assert refusal(Phone(clock).call(line, body)) == UNAVAILABLE
    tables = (svc.settings.users_table, svc.settings.grants_table)
    stored = [item for table in tables for item in svc.users._client.call("Scan", TableName=table)["Items"]]
    kinds = sorted(item["sk"]["S"].partition("#")[0] for item in stored if item["sk"]["S"] not in ("count", "guesses"))
    assert kinds == ([] if line == "POST /signup" else ["event", "grant", "profile", "user"])
    with installed(other):
        assert Phone(clock).call(line, body).status in (200, 201)


def test_keys_that_cannot_be_read_again_are_used_as_they_were(
    worlds: Callable[[], World], svc: Services, clock: Clock
) -> None:
    world = worlds()
    clock.advance(601)
    with watched(svc, Wire(fail_at=1, failure=wire.refusing("ThrottlingException"))) as traffic:
        assert world.phone.call("GET /.well-known/jwks.json").status == 200
        assert refresh(world).status == 200
    assert traffic.calls == ["GetParametersByPath", "BatchGetItem", "UpdateItem"]
