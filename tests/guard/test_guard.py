"""The two authorizers, asked with events as AWS documents them; what they answer is judged here, by an IAM of our own."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from chalicelib.config import Settings
from chalicelib.flows.platform import keys
from chalicelib.guard import functions as guard
from chalicelib.guard import scope_map
from chalicelib.guard.verifier import Guard
from chalicelib.services import Services
from tests.support import forge, wire
from tests.support.phone import Clock, Phone, installed, refusal

ACCOUNT = "123456789012"
OWN = "ownapi1234"
NOTES = {
    "GET /": "notes:read",
    "GET /notes": "notes:read",
    "POST /notes": "notes:write",
    "GET /notes/{id}": "notes:read",
    "PUT /notes/{id}": "notes:write",
    "DELETE /notes/{id}": "notes:read notes:write",
    "GET /notes/{id}/history": "notes:admin",
    "GET /files/{path+}": "notes:read",
    "GET /admin": "notes:admin",
    "GET /admin/{path+}": "notes:admin",
}
Event = dict[str, Any]
Shape = Callable[..., Event]


def arn(api: str, method: str, path: str, stage: str = "prod") -> str:
    return f"arn:aws:execute-api:eu-central-1:{ACCOUNT}:{api}/{stage}/{method}{path}"


def token_event(authorization: str | None, api: str, method: str = "GET", path: str = "/notes") -> Event:
    """TOKEN, REST APIs ("Input to an API Gateway Lambda authorizer")."""
    return {"type": "TOKEN", "authorizationToken": authorization, "methodArn": arn(api, method, path)}


def rest_event(authorization: str | None, api: str, method: str = "GET", path: str = "/notes") -> Event:
    """REQUEST, REST APIs."""
    headers = {"Accept": "*/*", "Host": "x.example"} | ({"Authorization": authorization} if authorization else {})
    identity = {"apiKey": None, "sourceIp": "198.51.100.7", "userAgent": "phone", "clientCert": None}
    return {
        "type": "REQUEST",
        "methodArn": arn(api, method, path),
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {},
        "multiValueQueryStringParameters": {},
        "pathParameters": {},
        "stageVariables": {},
        "requestContext": {
            "resourceId": "123456",
            "resourcePath": path,
            "httpMethod": method,
            "path": f"/prod{path}",
            "accountId": ACCOUNT,
            "stage": "prod",
            "requestId": "c6af9ac6",
            "identity": identity,
            "apiId": api,
        },
    }


def http_1_event(authorization: str | None, api: str, method: str = "GET", path: str = "/notes") -> Event:
    """Payload 1.0, HTTP APIs ("Working with AWS Lambda authorizers for HTTP APIs")."""
    event = rest_event(authorization, api, method, path)
    del event["multiValueHeaders"], event["multiValueQueryStringParameters"]
    return {
        "version": "1.0",
        **event,
        "identitySource": authorization,
        "authorizationToken": authorization,
    }


def http_2_event(
    authorization: str | None, api: str, method: str = "GET", path: str = "/notes", route: str | None = None
) -> Event:
    """Payload 2.0, HTTP APIs: header names in lower case, repeated headers joined with commas."""
    route_key = route or f"{method} {path}"
    headers = {"accept": "*/*", "host": "x.example"} | ({"authorization": authorization} if authorization else {})
    return {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": arn(api, method, path),
        "identitySource": [authorization, route_key],
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": api,
            "domainName": "x.example",
            "domainPrefix": "x",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "198.51.100.7",
                "userAgent": "phone",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": route_key,
            "stage": "prod",
            "time": "01/Jan/2027:00:00:00 +0000",
            "timeEpoch": 1_800_000_000_000,
        },
        "pathParameters": {},
        "stageVariables": {},
    }


SHAPES = [token_event, rest_event, http_1_event, http_2_event]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)


def allowed(policy: Mapping[str, Any], resource: str) -> bool:
    """IAM's verdict: `*` is any run of characters, `?` any one of them, and a Deny outweighs every Allow."""
    effects = set()
    for statement in policy["Statement"]:
        assert statement["Action"] == "execute-api:Invoke"
        resources = statement["Resource"]
        for pattern in [resources] if isinstance(resources, str) else resources:
            expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
            if re.fullmatch(expression, resource, re.DOTALL):
                effects.add(statement["Effect"])
    return effects == {"Allow"}


class Gate:
    """The authorizer Lambdas as API Gateway sees them: an answer, a 401, or a fault."""

    def __init__(self, phone: Phone, svc: Services, clock: Clock) -> None:
        self.phone, self.svc, self.clock = phone, svc, clock
        self.session = phone.sign_up()
        self.private = svc.keys.read(clock()).signing[0].private

    def register(self, **apis: Mapping[str, Any]) -> None:
        """Other APIs by their ids, in the operator's file."""
        usual = {"name": "notes", "revocation": "stateless", "scopes": NOTES}
        entries = {api: {**usual, **entry} for api, entry in apis.items()}
        Path(self.svc.settings.apis_file).write_text(json.dumps(entries))
        self.install()

    def install(self, settings: Settings | None = None) -> None:
        guard.use(
            Guard(
                settings or self.svc.settings,
                fetch=lambda _: keys.published(self.svc),
                in_force=guard._in_force,
                now=self.clock,
            )
        )

    def token(self, scope: str, **claims: Any) -> str:
        """A good token of the user's live session with these scopes."""
        return forge.resigned(self.session["access_token"], forge.by(self.private), scope=scope, **claims)

    def authorize(self, event: Event) -> Any:
        """What API Gateway makes of the function: its answer, 401 or 500."""
        try:
            return guard.guard_request(json.loads(json.dumps(event)), None)
        except Exception as failure:
            return 401 if str(failure) == "Unauthorized" else 500

    def policy(self, event: Event) -> dict[str, Any]:
        answer = self.authorize(event)
        assert isinstance(answer, dict), answer
        assert set(answer) == {"principalId", "policyDocument", "context"}
        policy: dict[str, Any] = answer["policyDocument"]
        assert policy["Version"] == "2012-10-17"
        return policy


@pytest.fixture
def gate(phone: Phone, svc: Services, clock: Clock) -> Gate:
    """The authorizers, with the notes API registered and a user logged in."""
    gate = Gate(phone, svc, clock)
    gate.register(notes12345={})
    return gate


def concrete(template: str) -> str:
    """A path that a template matches."""
    return template.replace("{path+}", "a/b").replace("{id}", "7").replace("{sid}", "0" * 32)


def expected_routes(scopes: set[str], scope_map: Mapping[str, str] = NOTES) -> dict[str, bool]:
    """Which routes a token with these scopes may call, by the map alone."""
    return {line: set(needed.split()) <= scopes for line, needed in scope_map.items()}


# 16, 17
@every_shape
@pytest.mark.parametrize(
    "scope",
    ["notes:read", "notes:write", "notes:read notes:write", "notes:admin", "account", "notes", "", "*", "notes:*"],
)
def test_one_policy_decides_every_route_alike_whichever_was_asked_for_first(
    gate: Gate, shape: Shape, scope: str
) -> None:
    for method, path in (("GET", "/notes"), ("GET", "/admin"), ("DELETE", "/notes/7")):
        policy = gate.policy(shape(f"Bearer {gate.token(scope)}", "notes12345", method, path))
        for line, may in expected_routes(set(scope.split())).items():
            to, _, template = line.partition(" ")
            assert allowed(policy, arn("notes12345", to, concrete(template))) is may, line


@every_shape
def test_a_policy_is_for_its_own_api_and_stage_only(gate: Gate, shape: Shape) -> None:
    policy = gate.policy(shape(f"Bearer {gate.token('notes:read')}", "notes12345"))
    assert allowed(policy, arn("notes12345", "GET", "/notes"))
    assert not allowed(policy, arn("other12345", "GET", "/notes"))
    assert not allowed(policy, arn("notes12345", "GET", "/notes", stage="dev"))
    for method in ("POST", "HEAD", "OPTIONS", "PATCH", "get"):
        assert not allowed(policy, arn("notes12345", method, "/notes"))


def test_the_built_in_authorizer_answers_as_the_request_authorizer_does(gate: Gate) -> None:
    registered = token_event(f"Bearer {gate.token('notes:read')}", "notes12345")
    assert guard.guard(registered, None) == gate.authorize(registered)
    answer = guard.guard(token_event(f"Bearer {gate.token('account')}", OWN, path="/me"), None)
    for line in scope_map.SCOPES:
        method, _, path = line.partition(" ")
        assert allowed(answer["policyDocument"], arn(OWN, method, concrete(path)))
    for method, path in (("GET", "/me/other"), ("PUT", "/me"), ("GET", "/admin"), ("DELETE", "/me/sessions/a/b")):
        assert not allowed(answer["policyDocument"], arn(OWN, method, path))
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        guard.guard(token_event("Bearer x.y.z", OWN, path="/me"), None)


def test_a_token_of_low_scope_cannot_warm_the_cache_for_a_guarded_route(phone: Phone) -> None:
    phone.sign_up()
    low = phone.log_in(scope="notes:read")["access_token"]
    for line in ("GET /me", "DELETE /me", "GET /me/sessions", "GET /me"):
        assert refusal(phone.call(line, token=low)) == (403, "insufficient_scope")


def test_a_cached_token_opens_all_of_its_routes_and_the_guard_is_asked_once(
    phone: Phone, svc: Services, clock: Clock
) -> None:
    access = phone.sign_up()["access_token"]
    calls: list[object] = []

    def now() -> int:
        calls.append(1)
        return clock()

    guard.use(Guard(svc.settings, fetch=lambda _: keys.published(svc), in_force=guard._in_force, now=now))
    assert phone.call("GET /me", token=access).status == 200
    once = len(calls)
    assert phone.call("GET /me/sessions", token=access).status == 200
    assert phone.call("PATCH /me", {"name": "Ann"}, token=access).status == 200
    assert phone.call("DELETE /me/sessions", token=access).status == 204
    assert len(calls) == once
    clock.advance(guard.TTL_SECONDS)
    assert phone.call("GET /me", token=access).status == 200
    assert len(calls) > once


# 18
def test_a_token_that_expires_while_its_policy_is_cached_is_refused_by_the_handler(phone: Phone, clock: Clock) -> None:
    session = phone.sign_up()
    clock.advance(session["expires_in"] - 10)
    assert phone.call("GET /me", token=session["access_token"]).status == 200
    clock.advance(9)
    assert phone.call("GET /me", token=session["access_token"]).status == 200
    clock.advance(1)
    for line in ("GET /me", "GET /me/sessions", "DELETE /me"):
        assert refusal(phone.call(line, token=session["access_token"])) == (401, "invalid_token")


def test_other_apis_are_told_the_expiry_so_that_they_can_do_the_same(gate: Gate) -> None:
    token = gate.token("notes:read")
    answer = gate.authorize(rest_event(f"Bearer {token}", "notes12345"))
    assert int(answer["context"]["exp"]) == forge.peek(token)[1]["exp"]


# 19
ODD_PATHS = [
    "/notes/*",
    "/*",
    "/notes/?",
    "/note?",
    "/notes/7/*",
    "/notes/7/history",
    "/notes/7//history",
    "/notes/*/history",
    "/notes/7/history/",
    "/notes/../admin",
    "/notes/../admin/x",
    "/notes/./7",
    "/notes/..",
    "/notes/7/..",
    "/notes/7/../../admin",
    "/notes//7",
    "//notes",
    "//admin",
    "/notes/",
    "/notes/7/",
    "/notes//",
    "/notes/7;x",
    "/notes;x/7/history",
    "/notes/7%2Fhistory",
    "/notes%2F7",
    "/notes/7%2fhistory/x",
    "/notes/%2e%2e/admin",
    "/notes/7:8",
    "/notes/a:b/c:d",
    "/notes/arn:aws:execute-api:eu-central-1:1:other/prod/GET/x",
    "/notes/7/GET/admin",
    "/notes/${aws:username}",
    "/notes/{id}",
    "/notes/{id}/history",
    "/notes/\u00e9",
    "/notes/7\n/history",
    "/notes/ ",
    "/NOTES",
    "/notes/7/History",
    "/admin/x",
    "/admin/",
    "/admin//",
    "/files",
    "/files/",
    "/files/a/../b",
    "/files/a//b",
    "/",
    "",
    "/notes/" + "x/" * 500,
    "/notes/" + "*" * 3000,
]


def route_of(method: str, path: str, *, rest: bool) -> str | None:
    """The line of the notes' map that a path falls under: a literal before {id} before {path+}, and no empty segments.

    A REST API drops one slash at the end first.
    """
    path = path[:-1] if rest and path.endswith("/") and path != "/" else path
    segments = path.split("/")[1:] if path != "/" else []
    if path == "" or "" in segments:
        return None
    matches = []
    for line in NOTES:
        to, _, template = line.partition(" ")
        parts = template.split("/")[1:] if template != "/" else []
        greedy = bool(parts) and parts[-1] == "{path+}"
        fits = len(segments) >= len(parts) if greedy else len(segments) == len(parts)
        pairs = list(zip(parts, segments, strict=False))
        if to == method and fits and all(part.startswith("{") or part == segment for part, segment in pairs):
            matches.append((tuple(part.startswith("{") for part in parts), line))
    return min(matches)[1] if matches else None


@every_shape
def test_an_odd_path_neither_widens_the_policy_nor_breaks_it(gate: Gate, shape: Shape) -> None:
    authorization = f"Bearer {gate.token('notes:read')}"
    usual = gate.policy(shape(authorization, "notes12345", "GET", "/notes"))
    for path, method in product(ODD_PATHS, ("GET", "POST", "PUT", "DELETE")):
        assert gate.policy(shape(authorization, "notes12345", method, path)) == usual
        if allowed(usual, arn("notes12345", method, path)):
            route = route_of(method, path, rest=shape in (token_event, rest_event))
            assert route is not None, (method, path)
            assert expected_routes({"notes:read"})[route], (method, path, route)


@pytest.mark.parametrize("shape", [token_event, rest_event], ids=lambda shape: shape.__name__)
@pytest.mark.parametrize("scope", ["notes:read", "notes:write", "notes:admin", "notes:read notes:write", "account"])
def test_a_slash_at_the_end_is_the_route_that_a_rest_api_sends_it_to(gate: Gate, shape: Shape, scope: str) -> None:
    policy = gate.policy(shape(f"Bearer {gate.token(scope)}", "notes12345", "GET", "/notes/"))
    for line, may in expected_routes(set(scope.split())).items():
        method, _, template = line.partition(" ")
        if template != "/":
            assert allowed(policy, arn("notes12345", method, concrete(template) + "/")) is may, line
            assert not allowed(policy, arn("notes12345", method, concrete(template) + "//")), line


@pytest.mark.parametrize("shape", [http_1_event, http_2_event], ids=lambda shape: shape.__name__)
def test_a_slash_at_the_end_is_no_route_of_an_http_api(gate: Gate, shape: Shape) -> None:
    policy = gate.policy(shape(f"Bearer {gate.token('notes:read')}", "notes12345"))
    assert allowed(policy, arn("notes12345", "GET", "/notes"))
    assert not allowed(policy, arn("notes12345", "GET", "/notes/"))


def test_our_own_endpoint_takes_a_slash_at_the_end_as_api_gateway_does(phone: Phone) -> None:
    session = phone.sign_up()
    other = phone.log_in()["access_token"]
    sid = forge.peek(other)[1]["sid"]
    access = session["access_token"]
    assert phone.call("GET /me/", token=access).status == 200
    assert phone.call("GET /me/sessions/", token=access).status == 200
    assert phone.call(f"DELETE /me/sessions/{sid}/", token=access).status == 204
    low = phone.log_in(scope="notes:read")["access_token"]
    assert refusal(phone.call("GET /me/", token=low)) == (403, "insufficient_scope")


@pytest.mark.parametrize(
    "path",
    [
        "/me/",
        "/me//",
        "//me",
        "/me/../me",
        "/me;x",
        "/me%2F",
        "/ME",
        "/me/sessions/",
        "/me/sessions/a/b",
        "/me/sessions/*",
    ],
)
def test_an_odd_path_at_our_own_endpoint_is_answered_in_the_one_shape_and_deletes_nothing(
    phone: Phone, path: str
) -> None:
    access = phone.sign_up()["access_token"]
    answer = phone.call(f"GET {path}", token=access)
    assert answer.status == 200 or refusal(answer)[0] in (401, 403, 404), answer
    if path != "/me/":  # the gateway drops one slash at the end
        assert phone.call(f"DELETE {path}", token=access).status in (204, 401, 403, 404)
        assert phone.call("GET /me", token=access).status == 200


# 20
def event_with(event: Event, **changes: Any) -> Event:
    return {name: value for name, value in {**event, **changes}.items() if value is not ...}


@pytest.mark.parametrize(
    "where",
    [
        ...,
        "",
        "*",
        "arn:aws:execute-api:eu-central-1:123456789012:notes12345",
        "arn:aws:execute-api:eu-central-1:123456789012:notes12345/",
        "arn:aws:lambda:eu-central-1:123456789012:function:x",
        "arn:aws:execute-api:*:*:*/*/GET/notes",
        "arn:aws:execute-api:eu-central-1:123456789012:notes12345/*/GET/notes",
        "arn:aws:execute-api:eu-central-1:123456789012:*/prod/GET/notes",
        None,
        7,
        [],
        {},
    ],
    ids=repr,
)
def test_an_event_for_no_api_is_a_fault_and_never_a_policy(gate: Gate, where: object) -> None:
    for shape in SHAPES:
        event = shape(f"Bearer {gate.token('notes:read')}", "notes12345")
        name = "routeArn" if "routeArn" in event else "methodArn"
        assert gate.authorize(event_with(event, **{name: where})) == 500


@pytest.mark.parametrize(
    "event", [{}, {"type": "TOKEN"}, {"type": "REQUEST"}, {"version": "2.0"}, {"type": None}], ids=str
)
def test_an_event_of_no_known_shape_is_a_fault_and_never_a_policy(gate: Gate, event: Event) -> None:
    assert gate.authorize(event) == 500


@pytest.mark.parametrize(
    "spoilt",
    [
        None,
        "",
        " ",
        "Bearer",
        "Bearer ",
        "{token}",
        "Basic {token}",
        "Basic YW5uOnBhc3N3b3Jk",
        "DPoP {token}",
        "Token {token}",
        "Bearer={token}",
        "Bearer:{token}",
        "Bearer\t{token}",
        " Bearer {token}",
        "Bearer {token} ",
        "Bearer {token},Bearer {token}",
        "Bearer {token}, Bearer x",
        "Bearer x, Bearer {token}",
        "Bearer {token},",
        "Bearer null",
        "Bearer undefined",
        'Bearer "{token}"',
        "BearerBearer {token}",
    ],
    ids=repr,
)
def test_what_is_no_single_bearer_token_is_unauthorized(gate: Gate, spoilt: str | None) -> None:
    token = gate.token("notes:read")
    authorization = spoilt.replace("{token}", token) if spoilt else spoilt
    for shape in SHAPES:
        assert gate.authorize(shape(authorization, "notes12345")) == 401


@every_shape
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_schemes_case_does_not_matter(gate: Gate, shape: Shape, scheme: str) -> None:
    assert gate.policy(shape(f"{scheme} {gate.token('notes:read')}", "notes12345"))
    assert gate.policy(shape(f"{scheme}   {gate.token('notes:read')}", "notes12345"))  # RFC 6750 section 2.1: 1*SP


def test_two_authorization_headers_are_none(gate: Gate) -> None:
    good, other = f"Bearer {gate.token('notes:read')}", f"Bearer {gate.token('notes:admin')}"
    for several in ({"Authorization": [good, other]}, {"Authorization": [good, good]}):
        event = rest_event(good, "notes12345")
        event["multiValueHeaders"].update(several)
        assert gate.authorize(event) == 401
    event = rest_event(good, "notes12345")
    event["multiValueHeaders"]["authorization"] = [other]
    assert gate.authorize(event) == 401
    event = http_1_event(good, "notes12345")
    event["headers"]["authorization"] = other
    assert gate.authorize(event) == 401


def test_the_headers_name_may_be_in_any_case(gate: Gate) -> None:
    for name in ("authorization", "AUTHORIZATION", "aUtHoRiZaTiOn"):
        event = rest_event(None, "notes12345")
        event["headers"] = {name: f"Bearer {gate.token('notes:read')}"}
        event["multiValueHeaders"] = {name: [f"Bearer {gate.token('notes:read')}"]}
        assert gate.policy(event)


def test_a_token_in_the_query_or_in_a_cookie_counts_for_nothing(gate: Gate) -> None:
    token = gate.token("notes:read")
    event = rest_event(None, "notes12345")
    event["queryStringParameters"] = {"access_token": token, "Authorization": f"Bearer {token}"}
    event["headers"]["Cookie"] = f"access_token={token}"
    event["headers"]["X-Authorization"] = f"Bearer {token}"
    event["multiValueHeaders"] = {name: [value] for name, value in event["headers"].items()}
    assert gate.authorize(event) == 401


@every_shape
@pytest.mark.parametrize("headers", [None, {}, ...])
def test_a_request_without_headers_is_unauthorized(gate: Gate, shape: Shape, headers: object) -> None:
    event = shape(None, "notes12345")
    if shape is not token_event:
        assert gate.authorize(event_with(event, headers=headers, multiValueHeaders=headers)) == 401


# Sessions
@pytest.mark.parametrize(("revocation", "calls"), [("stateless", 0), ("bounded", 1), ("strict", 1)])
def test_an_ended_session_is_refused_where_the_api_asked_for_that_at_one_read(
    gate: Gate, revocation: str, calls: int
) -> None:
    gate.register(notes12345={"revocation": revocation})
    event = rest_event(f"Bearer {gate.token('notes:read')}", "notes12345")
    gate.authorize(event)  # the keys are read
    with wire.watched(gate.svc) as traffic:
        assert gate.policy(event)
        assert traffic.calls == ["BatchGetItem"] * calls
        assert gate.authorize(rest_event("Bearer x.y.z", "notes12345")) == 401
        assert traffic.calls == ["BatchGetItem"] * calls
    gate.phone.call("POST /logout", {"refresh_token": gate.session["refresh_token"]})
    assert (gate.authorize(event) == 401) is (revocation != "stateless")


@pytest.mark.parametrize("revocation", ["bounded", "strict"])
def test_a_disabled_users_token_is_refused_where_the_api_asked_for_that(gate: Gate, revocation: str) -> None:
    gate.register(notes12345={"revocation": revocation})
    event = http_2_event(f"Bearer {gate.token('notes:read')}", "notes12345")
    assert gate.policy(event)
    gate.svc.users.disable(gate.session["user"]["sub"])
    assert gate.authorize(event) == 401


@pytest.mark.parametrize("revocation", ["bounded", "strict"])
@pytest.mark.parametrize(("days", "status"), [(0, 204), (14, 202)], ids=["at once", "later"])
def test_a_deleted_users_token_is_refused_where_the_api_asked_for_that(
    gate: Gate, revocation: str, days: int, status: int
) -> None:
    gate.register(notes12345={"revocation": revocation})
    event = rest_event(f"Bearer {gate.token('notes:read')}", "notes12345")
    assert gate.policy(event)
    with installed(replace(gate.svc, settings=replace(gate.svc.settings, deletion_seconds=days * 24 * 3600))):
        assert gate.phone.call("DELETE /me", token=gate.session["access_token"]).status == status
        gate.register(notes12345={"revocation": revocation})
        assert gate.authorize(event) == 401


@pytest.mark.parametrize("claim", ["sub", "sid"])
def test_a_session_that_never_was_is_refused_where_the_api_asked_for_that(gate: Gate, claim: str) -> None:
    gate.register(notes12345={"revocation": "strict"})
    assert gate.authorize(rest_event(f"Bearer {gate.token('notes:read', **{claim: '0' * 32})}", "notes12345")) == 401


@pytest.mark.parametrize("failure", [wire.refusing("ThrottlingException"), wire.timing_out])
def test_a_store_that_cannot_be_asked_is_a_fault_and_never_a_policy(gate: Gate, failure: Any) -> None:
    gate.register(notes12345={"revocation": "strict"})
    event = rest_event(f"Bearer {gate.token('notes:read')}", "notes12345")
    gate.authorize(event)
    with wire.watched(gate.svc, wire.Wire(fail_at=1, failure=failure)):
        assert gate.authorize(event) == 500
    assert gate.policy(event)


# Audiences
def test_an_api_with_an_audience_of_its_own_takes_that_one_only(gate: Gate) -> None:
    gate.register(notes12345={"audience": "https://notes.example"}, files12345={})
    ours, theirs = gate.token("notes:read"), gate.token("notes:read", aud="https://notes.example")
    both = gate.token("notes:read", aud=["https://notes.example", "https://id.example"])
    for api, token, expected in (
        ("notes12345", ours, False),
        ("notes12345", theirs, True),
        ("files12345", ours, True),
        ("files12345", theirs, False),
        ("notes12345", both, True),
        ("files12345", both, True),
    ):
        answer = gate.authorize(rest_event(f"Bearer {token}", api))
        assert isinstance(answer, dict) if expected else answer == 401
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        guard.guard(token_event(f"Bearer {theirs}", OWN, path="/me"), None)


@every_shape
@pytest.mark.parametrize("good", [True, False])
def test_an_api_that_nobody_registered_is_a_fault_that_says_so_and_never_our_own(
    gate: Gate, shape: Shape, good: bool
) -> None:
    token = gate.token("account notes:read notes:write notes:admin") if good else "x.y.z"
    with pytest.raises(LookupError, match="stranger12 is not registered"):
        guard.guard_request(shape(f"Bearer {token}", "stranger12", path="/me"), None)
    assert gate.authorize(shape(f"Bearer {token}", "stranger12", path="/me")) == 500


def test_a_registered_api_that_attached_the_function_of_our_own_keeps_its_own_map(gate: Gate) -> None:
    token = gate.token("account notes:read")
    answer = guard.guard(token_event(f"Bearer {token}", "notes12345", path="/me"), None)
    assert allowed(answer["policyDocument"], arn("notes12345", "GET", "/notes"))
    assert not allowed(answer["policyDocument"], arn("notes12345", "GET", "/me"))


@pytest.mark.parametrize(
    "rubbish",
    [
        "",
        "[]",
        "null",
        "{",
        '{"notes12345": {}}',
        '{"notes12345": {"revocation": "strict"}}',
        '{"notes12345": {"revocation": "strict", "scopes": {"notes": "x"}}}',
        '{"notes12345": {"revocation": "strict", "scopes": {"GET /notes": ""}}}',
        '{"notes12345": {"revocation": "strict", "scopes": ["GET /notes"]}}',
    ],
)
def test_a_register_that_cannot_be_read_starts_no_guard(gate: Gate, rubbish: str) -> None:
    Path(gate.svc.settings.apis_file).write_text(rubbish)
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        gate.install()


# Simple answers
@pytest.fixture
def simple(gate: Gate) -> Gate:
    """The notes API as an HTTP API that wants simple answers."""
    gate.register(notes12345={"answer": "simple"})
    return gate


@pytest.mark.parametrize("scope", ["notes:read", "notes:write", "notes:read notes:write", "account", ""])
def test_a_simple_answer_is_for_the_route_and_follows_the_map(simple: Gate, scope: str) -> None:
    authorization = f"Bearer {simple.token(scope)}"
    for line, may in expected_routes(set(scope.split())).items():
        method, _, template = line.partition(" ")
        answer = simple.authorize(http_2_event(authorization, "notes12345", method, concrete(template), route=line))
        assert set(answer) == {"isAuthorized", "context"}
        assert answer["isAuthorized"] is may, line


@pytest.mark.parametrize(
    "route", ["$default", "ANY /notes", "GET /other", "GET /{proxy+}", "GET /notes/{other}", "get /notes"]
)
def test_a_route_that_the_map_does_not_name_is_not_authorized(simple: Gate, route: str) -> None:
    authorization = f"Bearer {simple.token('notes:read notes:write notes:admin')}"
    answer = simple.authorize(http_2_event(authorization, "notes12345", route=route))
    assert answer["isAuthorized"] is False


@pytest.mark.parametrize("sources", [None, [], ["Bearer"], ..., ["GET"], ["/notes"], ["198.51.100.7"]], ids=repr)
def test_a_simple_answer_that_the_gateway_would_keep_for_other_routes_is_not_given(simple: Gate, sources: Any) -> None:
    authorization = f"Bearer {simple.token('notes:read')}"
    event = event_with(http_2_event(authorization, "notes12345"), identitySource=sources)
    assert simple.authorize(event) == 500


def test_a_bad_token_is_unauthorized_for_simple_answers_too(simple: Gate) -> None:
    assert simple.authorize(http_2_event("Bearer x.y.z", "notes12345")) == 401
    assert simple.authorize(http_2_event(None, "notes12345")) == 401
    simple.clock.advance(900)
    assert simple.authorize(http_2_event(f"Bearer {simple.session['access_token']}", "notes12345")) == 401


@pytest.mark.parametrize("shape", [token_event, rest_event, http_1_event], ids=lambda shape: shape.__name__)
def test_an_api_of_simple_answers_gets_a_policy_where_simple_answers_do_not_exist(simple: Gate, shape: Shape) -> None:
    policy = simple.policy(shape(f"Bearer {simple.token('notes:read')}", "notes12345"))
    assert allowed(policy, arn("notes12345", "GET", "/notes"))
    assert not allowed(policy, arn("notes12345", "POST", "/notes"))


ANYTHING = {"ANY /things": "things:all", "GET /things": "things:read", "ANY /things/{id}": "things:all"}


def test_an_any_route_of_an_http_api_is_open_to_who_has_its_scope(gate: Gate) -> None:
    gate.register(notes12345={"answer": "simple", "scopes": ANYTHING})
    for scope, route, method, may in (
        ("things:all", "ANY /things", "POST", True),
        ("things:all", "ANY /things", "OPTIONS", True),
        ("things:read", "ANY /things", "POST", False),
        ("things:read", "GET /things", "GET", True),
        ("things:all", "GET /things", "GET", False),
        ("things:all", "ANY /things/{id}", "GET", True),
        ("things:all", "DELETE /things/{id}", "DELETE", True),
        ("things:all", "ANY /other", "GET", False),
        ("things:all", "TRACE /things/{id}", "TRACE", False),
        ("things:all", "$default", "GET", False),
    ):
        event = http_2_event(f"Bearer {gate.token(scope)}", "notes12345", method, "/things", route=route)
        assert gate.authorize(event)["isAuthorized"] is may, (scope, route, method)


def test_an_any_route_is_no_way_around_a_method_that_the_map_names_for_itself(gate: Gate) -> None:
    gate.register(notes12345={"answer": "simple", "scopes": ANYTHING})
    authorization = f"Bearer {gate.token('things:all')}"
    assert gate.authorize(http_2_event(authorization, "notes12345", "GET", "/things", route="ANY /things")) == 500


@every_shape
def test_any_opens_every_other_method_of_a_path(gate: Gate, shape: Shape) -> None:
    gate.register(notes12345={"scopes": ANYTHING})
    policy = gate.policy(shape(f"Bearer {gate.token('things:all')}", "notes12345", "POST", "/things"))
    for method in ("POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"):
        assert allowed(policy, arn("notes12345", method, "/things"))
    assert not allowed(policy, arn("notes12345", "GET", "/things"))
    assert allowed(policy, arn("notes12345", "GET", "/things/7"))


# What the protected handler is told
@every_shape
@pytest.mark.parametrize("roles", [None, [], ["admin", "editor"]], ids=repr)
def test_the_context_is_all_strings_and_says_who_and_what(gate: Gate, shape: Shape, roles: Any) -> None:
    token = gate.token("notes:read notes:write", roles=roles)
    answer = gate.authorize(shape(f"Bearer {token}", "notes12345"))
    _, claims = forge.peek(token)
    assert answer["principalId"] == gate.session["user"]["sub"]
    refusal_of_rest = {"challenge", "required_scope"}  # tests/guard/test_refusals.py
    assert {name: value for name, value in answer["context"].items() if name not in refusal_of_rest} == {
        "sub": claims["sub"],
        "scope": "notes:read notes:write",
        "client_id": claims["client_id"],
        "sid": claims["sid"],
        "roles": " ".join(roles or []),
        "exp": str(claims["exp"]),
        "auth_time": str(claims["auth_time"]),
        "acr": "aal1",
    }
    assert all(type(value) is str for value in answer["context"].values())


# Size
@pytest.mark.parametrize("verbs_granted", [1, 2, 3])
def test_the_policy_of_sixty_routes_stays_under_8_kb(gate: Gate, verbs_granted: int) -> None:
    names = [f"collection-{number:02}" for number in range(12)]
    scopes: dict[str, str] = {}
    for name in names:
        scopes |= {f"GET /api/{name}": f"{name}:read", f"POST /api/{name}": f"{name}:write"}
        scopes |= {
            f"{method} /api/{name}/{{id}}": f"{name}:{verb}"
            for method, verb in (("GET", "read"), ("PUT", "write"), ("DELETE", "delete"))
        }
    assert len(scopes) == 60
    gate.register(notes12345={"scopes": scopes})
    verbs = ("read", "write", "delete")[:verbs_granted]
    token = gate.token(" ".join(f"{name}:{verb}" for name in names for verb in verbs))
    policy = gate.policy(rest_event(f"Bearer {token}", "notes12345"))
    assert len(json.dumps(policy)) < 8 * 1024
    for line, needed in scopes.items():
        method, _, template = line.partition(" ")
        may = needed.partition(":")[2] in verbs
        assert allowed(policy, arn("notes12345", method, concrete(template))) is may, line


# The weight of its import
def test_the_guard_starts_without_boto3_and_without_the_app() -> None:
    program = "import sys, chalicelib.guard.functions as g; print(sorted(sys.modules))"
    root = Path(__file__).parents[2]
    process = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    modules = set(json.loads(process.stdout.replace("'", '"')))
    assert "chalicelib.guard.functions" in modules
    for module in (
        "app",
        "boto3",
        "botocore",
        "msgspec",
        "chalicelib.services",
        "chalicelib.web",
    ):
        assert module not in modules


def test_a_guard_decides_without_boto3_for_a_stateless_api(settings: Settings, gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [dict(jwk) for jwk in keys.published(gate.svc)]}))
    far_off = replace(settings, jwks_file=str(tmp_path / "jwks.json"))
    program = (
        "import json, sys; from chalicelib.config import load; from chalicelib.guard import events, functions as guard\n"
        "from chalicelib.guard.verifier import Guard\n"
        "event = json.load(sys.stdin)\n"
        "g = Guard(load(event['env']), fetch=guard._fetch, in_force=guard._in_force, now=lambda: event['now'])\n"
        "answer = events.decide(g, event['event'])\n"
        "print(json.dumps([answer['principalId'], [m for m in ('boto3', 'botocore', 'app') if m in sys.modules]]))\n"
    )
    env = {
        "LATCHKEY_ISSUER": far_off.issuer,
        "LATCHKEY_JWKS_FILE": far_off.jwks_file,
        "LATCHKEY_APIS_FILE": far_off.apis_file,
    }
    event = rest_event(f"Bearer {gate.token('notes:read')}", "notes12345")
    process = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps({"env": env, "event": event, "now": gate.clock()}),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(process.stdout) == [gate.session["user"]["sub"], []]
