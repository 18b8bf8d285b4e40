"""A client's own token in the guards of other APIs: judged by what the client is by now, where the API asked for that."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.oauth.client import CODE
from chalicelib.flows.clients import manage
from tests.guard.test_guard import Event, Gate, Shape, allowed, arn, every_shape, gate, http_2_event, rest_event
from tests.support import forge, wire
from tests.support.browser import API, App, register, token_response
from tests.support.phone import Clock

__all__ = ["gate"]

ID = "notes12345"
every_revocation = pytest.mark.parametrize("revocation", ["stateless", "bounded", "strict"])
asking = pytest.mark.parametrize("revocation", ["bounded", "strict"])


@pytest.fixture
def machine(gate: Gate) -> App:
    return register(gate.svc, gate.phone, "machine")


def token_of(machine: App, scope: str = "notes:read notes:write", **fields: Any) -> str:
    access_token: str = token_response(machine.token("client_credentials", scope=scope, **fields))["access_token"]
    return access_token


def change(machine: App, **metadata: Any) -> None:
    present = machine.svc.clients.read(machine.id)
    assert present
    manage.change(machine.svc, present, replace(present, **metadata))


def event_of(machine: App) -> Event:
    return rest_event(f"Bearer {token_of(machine)}", ID)


@every_shape
@every_revocation
def test_an_api_is_told_that_it_is_a_client_which_acts_for_itself(
    gate: Gate, machine: App, shape: Shape, revocation: str
) -> None:
    scopes = {"GET /notes": "notes:read"}
    gate.register(notes12345={"revocation": revocation, "scopes": scopes})
    token = token_of(machine, "notes:read")
    answer = gate.authorize(shape(f"Bearer {token}", ID))
    assert answer["principalId"] == machine.id
    assert answer["context"] == {
        "sub": machine.id,
        "scope": "notes:read",
        "client_id": machine.id,
        "sid": "",
        "roles": "",
        "exp": str(forge.peek(token)[1]["exp"]),
        "auth_time": "",
        "acr": "",
    }
    assert allowed(answer["policyDocument"], arn(ID, "GET", "/notes"))
    assert not allowed(answer["policyDocument"], arn(ID, "POST", "/notes"))


@pytest.mark.parametrize(("revocation", "calls"), [("stateless", 0), ("bounded", 1), ("strict", 1)])
def test_a_deleted_clients_token_is_refused_where_the_api_asked_for_that_at_one_read(
    gate: Gate, machine: App, clock: Clock, revocation: str, calls: int
) -> None:
    gate.register(notes12345={"revocation": revocation})
    event = event_of(machine)
    gate.authorize(event)  # the keys are read
    with wire.watched(gate.svc) as seen:
        assert gate.policy(event)
    assert seen.calls == ["GetItem"] * calls
    manage.delete(gate.svc, machine.id)
    assert (gate.authorize(event) == 401) is (revocation != "stateless")
    clock.advance(1)
    manage.create(gate.svc, replace(machine.client, secrets=()))  # another client of this id
    assert (gate.authorize(event) == 401) is (revocation != "stateless")


@asking
def test_a_scope_that_was_taken_opens_nothing_any_more_and_the_last_one_ends_the_token(
    gate: Gate, machine: App, revocation: str
) -> None:
    gate.register(notes12345={"revocation": revocation})
    event = event_of(machine)
    assert allowed(gate.policy(event), arn(ID, "POST", "/notes"))
    change(machine, scopes=("notes:read",))
    answer = gate.authorize(event)
    assert answer["context"]["scope"] == "notes:read"
    assert allowed(answer["policyDocument"], arn(ID, "GET", "/notes"))
    assert not allowed(answer["policyDocument"], arn(ID, "POST", "/notes"))
    change(machine, scopes=("files:read",))
    assert gate.authorize(event) == 401


@asking
def test_a_client_that_may_not_act_for_itself_any_more_is_refused(gate: Gate, machine: App, revocation: str) -> None:
    gate.register(notes12345={"revocation": revocation})
    event = event_of(machine)
    assert gate.policy(event)
    change(machine, grant_types=(CODE,), redirect_uris=("https://app.example/cb",))
    assert gate.authorize(event) == 401


@asking
def test_a_client_that_an_api_was_taken_from_is_refused_there(gate: Gate, revocation: str) -> None:
    machine = register(gate.svc, gate.phone, "machine", resources=(API,))
    gate.register(notes12345={"revocation": revocation, "audience": API})
    event = rest_event(f"Bearer {token_of(machine, resource=API)}", ID)
    assert gate.policy(event)
    change(machine, resources=())
    assert gate.authorize(event) == 401


@asking
@pytest.mark.parametrize("claims", [{"sid": None}, {"sid": ""}], ids=str)
def test_a_users_token_without_its_session_is_refused_and_reads_nothing(
    gate: Gate, revocation: str, claims: dict[str, Any]
) -> None:
    gate.register(notes12345={"revocation": revocation})
    event = http_2_event(f"Bearer {gate.token('notes:read', **claims)}", ID)
    gate.authorize(event)
    with wire.watched(gate.svc) as seen:
        assert gate.authorize(event) == 401
    assert seen.calls == []


@asking
def test_a_client_that_never_was_is_refused(gate: Gate, revocation: str) -> None:
    gate.register(notes12345={"revocation": revocation})
    for made_up in ("nobody", "latchkey", "browser", "https://app.example/client.json", "x" * 3000, "\ud7ff#"):
        token = gate.token("notes:read", sid=None, sub=made_up, client_id=made_up)
        assert gate.authorize(rest_event(f"Bearer {token}", ID)) == 401, made_up


@pytest.mark.parametrize("failure", [wire.refusing("ThrottlingException"), wire.timing_out], ids=["throttled", "lost"])
def test_a_store_that_does_not_say_what_the_client_is_now_is_a_fault_and_never_a_policy(
    gate: Gate, machine: App, failure: Any
) -> None:
    gate.register(notes12345={"revocation": "strict"})
    event = event_of(machine)
    gate.authorize(event)
    with wire.watched(gate.svc, wire.Wire(fail_at=1, failure=failure)):
        assert gate.authorize(event) == 500
    assert gate.policy(event)
