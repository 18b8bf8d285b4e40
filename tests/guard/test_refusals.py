"""What a REST API's 403 says, by what the guard puts into its context: which scopes to ask for (RFC 6750 section 3.1)."""

import re

import pytest

from chalicelib.services import Services
from deploy.gateway_responses import OWN_SCOPES
from local.api_kinds import RestApi
from tests.guard.test_guard import NOTES, Gate, Shape, every_shape, http_1_event, http_2_event, rest_event, token_event
from tests.support.phone import Clock, Phone, refusal

METADATA = "https://id.example/.well-known/oauth-protected-resource"


@pytest.fixture
def gate(phone: Phone, svc: Services, clock: Clock) -> Gate:
    """The authorizers, with one API whose answers the gateway keeps and one whose answers it does not."""
    gate = Gate(phone, svc, clock)
    gate.register(notes12345={}, strict1234={"name": "strict", "revocation": "strict"})
    return gate


def challenge(
    gate: Gate, shape: Shape, scope: str, api: str = "notes12345", line: str = "GET /admin"
) -> dict[str, str]:
    """The parameters of the challenge in the context for a request; none where there is no challenge."""
    method, _, path = line.partition(" ")
    context = gate.authorize(shape(f"Bearer {gate.token(scope)}", api, method, path))["context"]
    header = context.get("challenge", "")
    named = dict(re.findall(r'([a-z_]+)="([^"\\]*)"', header))
    assert not header or re.fullmatch(r'Bearer [a-z_]+="[^"\\]*"(, [a-z_]+="[^"\\]*")*', header)
    assert context.get("required_scope") == named.get("scope")
    return named


@pytest.mark.parametrize("shape", [token_event, rest_event])
@pytest.mark.parametrize("line", ["GET /notes", "GET /admin", "GET /nowhere"])
def test_an_answer_that_is_kept_names_all_scopes_whichever_route_was_asked_for(
    gate: Gate, shape: Shape, line: str
) -> None:
    named = challenge(gate, shape, "openid offline_access notes:read", line=line)
    assert (named["error"], named["resource_metadata"]) == ("insufficient_scope", f"{METADATA}/notes")
    # What it had is in it, for some clients ask for just this; offline_access is no scope of an API's (MCP, Refresh Tokens).
    assert named["scope"].split() == ["openid", "notes:read", "notes:write", "notes:admin"]


@pytest.mark.parametrize("shape", [token_event, rest_event])
@pytest.mark.parametrize(
    ("line", "scope"),
    [
        ("GET /admin", "notes:read notes:admin"),
        ("GET /admin/", "notes:read notes:admin"),
        ("GET /admin/a/b", "notes:read notes:admin"),
        ("GET /notes/7/history", "notes:read notes:admin"),
        ("DELETE /notes/7", "notes:read notes:write"),
        ("GET /notes/7", None),
        ("GET /", None),
        ("GET /nowhere", None),
        ("GET /notes/7/history/8", None),
        ("GET //admin", None),
    ],
)
def test_one_that_is_not_kept_names_what_the_route_needs(
    gate: Gate, shape: Shape, line: str, scope: str | None
) -> None:
    assert challenge(gate, shape, "notes:read", "strict1234", line).get("scope") == scope


@every_shape
def test_a_token_that_lacks_nothing_has_no_challenge_for_no_other_token_would_do_better(
    gate: Gate, shape: Shape
) -> None:
    scope = " ".join(NOTES.values())
    assert challenge(gate, shape, scope) == challenge(gate, shape, scope, "strict1234") == {}


@pytest.mark.parametrize("shape", [http_1_event, http_2_event])
def test_an_http_api_cannot_say_it_and_its_function_is_not_told(gate: Gate, shape: Shape) -> None:
    context = gate.authorize(shape(f"Bearer {gate.token('notes:read')}", "notes12345"))["context"]
    assert not {"challenge", "required_scope"} & context.keys()


@pytest.mark.parametrize("scope", ['x", error="none', "x\r\nSet-Cookie: a=b", "x\\", "é"])
def test_no_scope_of_a_token_ends_the_header_or_its_quotation(gate: Gate, scope: str) -> None:
    assert challenge(gate, rest_event, scope)["error"] == "insufficient_scope"


def test_the_gateway_says_it_in_header_and_body(phone: Phone) -> None:
    phone.sign_up()
    low = phone.log_in(scope="notes:read")["access_token"]
    answer = phone.call("GET /me", token=low)
    assert refusal(answer) == (403, "insufficient_scope")
    assert answer.json()["scope"] == "notes:read account"
    named = dict(re.findall(r'([a-z_]+)="([^"]*)"', answer.header("WWW-Authenticate") or ""))
    assert (named["scope"], named["resource_metadata"]) == ("notes:read account", METADATA)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x.y.z"}])
def test_a_401_names_the_scopes_and_no_error(phone: Phone, headers: dict[str, str]) -> None:
    """RFC 6750 section 3.1: the gateway has one text for requests with a token and without."""
    phone.gateway._kind = RestApi(METADATA, scopes=OWN_SCOPES)
    answer = phone.call("GET /me", headers=headers)
    assert refusal(answer) == (401, "invalid_token")
    assert answer.header("WWW-Authenticate") == f'Bearer scope="account", resource_metadata="{METADATA}"'
