"""A route of a scope map that needs a level (`acr`): the guard denies it to a weaker login, whatever was cached before."""

import re
from itertools import product
from typing import Any

import pytest

from chalicelib.domain.guard.problems import problems
from chalicelib.domain.guard.routes import routes
from chalicelib.services import Services
from tests.guard.test_guard import (
    Gate,
    Shape,
    allowed,
    arn,
    every_shape,
    http_2_event,
    rest_event,
    token_event,
)
from tests.support import forge
from tests.support.phone import Clock, Phone

ID = "notes12345"
SCOPES = {
    "GET /notes": "notes:read",
    "POST /notes": "notes:write",
    "GET /notes/{id}": "notes:read",
    "GET /notes/{id}/shares": "notes:read",
    "DELETE /notes/{id}": "notes:write",
    "ANY /keys": "notes:write",
}
ACR = {"POST /notes": "aal2", "GET /notes/{id}/shares": "aal2", "DELETE /notes/{id}": "phr", "ANY /keys": "aal2"}
CALLS = [
    (method, path, line)
    for line in SCOPES
    for method in ([line.split()[0]] if not line.startswith("ANY") else ["GET", "PUT"])
    for path in [line.split()[1].replace("{id}", "7")]
]
RANKS = {"": 0, "aal1": 1, "aal2": 2, "phr": 3}
EVERY_SCOPE = "notes:read notes:write"


@pytest.fixture
def gate(phone: Phone, svc: Services, clock: Clock) -> Gate:
    """The authorizers, with one API whose answers the gateway keeps and one whose answers it does not."""
    gate = Gate(phone, svc, clock)
    entry = {"scopes": SCOPES, "acr": ACR}
    gate.register(notes12345=entry, strict1234={**entry, "name": "strict", "revocation": "strict"})
    return gate


def is_enough(acr: str, line: str) -> bool:
    return RANKS[acr] >= RANKS[ACR.get(line, "")]


@every_shape
@pytest.mark.parametrize("acr", RANKS)
def test_one_policy_opens_what_the_level_reaches_whichever_route_was_asked_for_first(
    gate: Gate, shape: Shape, acr: str
) -> None:
    token = gate.token(EVERY_SCOPE, acr=acr or None)
    for method, path, _ in CALLS:
        policy = gate.policy(shape(f"Bearer {token}", ID, method, path))
        for other_method, other_path, line in CALLS:
            assert allowed(policy, arn(ID, other_method, other_path)) == is_enough(acr, line), (acr, line)


@pytest.mark.parametrize("acr", RANKS)
def test_a_simple_answer_is_by_the_level_of_its_route(gate: Gate, acr: str) -> None:
    gate.register(notes12345={"scopes": SCOPES, "acr": ACR, "answer": "simple"})
    token = gate.token(EVERY_SCOPE, acr=acr or None)
    for method, path, line in CALLS:
        route = f"{method} {path}" if line.startswith("ANY") else line
        answer = gate.authorize(http_2_event(f"Bearer {token}", ID, method, path, route))
        assert answer["isAuthorized"] == is_enough(acr, line), (acr, line)


@every_shape
@pytest.mark.parametrize(
    "acr", ["AAL2", "aal2 ", "aal", "aal3", "phrh", "urn:example", 2, True, ["aal2"], {"aal2": 1}, [], "acr aal2"]
)
def test_what_is_no_level_reaches_none(gate: Gate, shape: Shape, acr: Any) -> None:
    token = gate.token(EVERY_SCOPE, acr=acr)
    policy = gate.policy(shape(f"Bearer {token}", ID))
    assert {
        line for method, path, line in CALLS if allowed(policy, arn(ID, method, path))
    } == SCOPES.keys() - ACR.keys()


@every_shape
def test_no_scope_passes_for_a_level(gate: Gate, shape: Shape) -> None:
    for name in ("acr aal2", "acr\u00a0aal2", "acr", "aal2", "acr=aal2"):
        policy = gate.policy(shape(f"Bearer {gate.token(f'{EVERY_SCOPE} {name}')}", ID))
        assert not allowed(policy, arn(ID, "POST", "/notes"))


@every_shape
def test_a_level_that_somebody_else_signed_is_a_401(gate: Gate, shape: Shape) -> None:
    forged = forge.resigned(gate.session["access_token"], forge.by(forge.stranger("RS256")), acr="aal2")
    assert gate.authorize(shape(f"Bearer {forged}", ID, "POST", "/notes")) == 401


def named(gate: Gate, shape: Shape, scope: str, acr: str, api: str, line: str) -> dict[str, str]:
    method, _, path = line.partition(" ")
    context = gate.authorize(shape(f"Bearer {gate.token(scope, acr=acr)}", api, method, path))["context"]
    return dict(re.findall(r'([a-z_]+)="([^"]*)"', context.get("challenge", "")))


@pytest.mark.parametrize("shape", [token_event, rest_event])
def test_a_rest_apis_403_asks_for_the_level_that_is_missing(gate: Gate, shape: Shape) -> None:
    """RFC 9470 section 3. An answer that the gateway keeps is for all routes, so it names the highest level."""
    kept = named(gate, shape, EVERY_SCOPE, "aal1", ID, "GET /notes")
    assert (kept["error"], kept["acr_values"]) == ("insufficient_user_authentication", "phr")
    of_route = named(gate, shape, EVERY_SCOPE, "aal1", "strict1234", "POST /notes")
    assert (of_route["error"], of_route["acr_values"]) == ("insufficient_user_authentication", "aal2")
    assert named(gate, shape, EVERY_SCOPE, "aal2", "strict1234", "POST /notes") == {}
    assert named(gate, shape, EVERY_SCOPE, "phr", ID, "POST /notes") == {}


@pytest.mark.parametrize("shape", [token_event, rest_event])
def test_who_lacks_a_scope_as_well_learns_both_at_once(gate: Gate, shape: Shape) -> None:
    both = named(gate, shape, "notes:read", "aal1", "strict1234", "POST /notes")
    assert (both["error"], both["scope"], both["acr_values"]) == (
        "insufficient_scope",
        "notes:read notes:write",
        "aal2",
    )


@pytest.mark.parametrize(
    ("acr_map", "word"),
    [
        ({"POST /notes": "aal3"}, "aal3"),
        ({"POST /notes": "AAL2"}, "AAL2"),
        ({"POST /nothing": "aal2"}, "POST /nothing"),
        ({"post /notes": "aal2"}, "post /notes"),
    ],
)
def test_a_level_that_is_none_or_of_no_route_is_a_problem(acr_map: dict[str, str], word: str) -> None:
    assert word in problems(SCOPES, acr_map)[0]


def test_a_level_that_shuts_a_granted_route_is_found_at_registration_as_a_scope_is() -> None:
    scopes = {"GET /a/{x}": "s", "GET /{y}/b": "s"}
    assert problems(scopes) == []
    for line, acr in product(scopes, ("aal2", "phr")):
        assert problems(scopes, {line: acr}) == problems({**scopes, line: "s t"})


def test_any_gives_its_level_to_each_method() -> None:
    assert {one.acr for one in routes({"ANY /keys": "s"}, {"ANY /keys": "aal2"})} == {"aal2"}
