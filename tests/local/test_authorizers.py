"""What API Gateway makes of a Lambda authorizer's answers; `chalice local` gets every one of these wrong."""

from collections.abc import Callable
from typing import Any

import pytest
from chalice.app import AuthResponse, Chalice, CustomAuthorizer, IAMAuthorizer

from local.api_kinds import RestApi
from local.gateway import Answer, Gateway

TOKEN = {"Authorization": "Bearer some-token"}
ANYTHING = "arn:aws:execute-api:*:*:*/*/*/*"


class Clock:
    """A clock that a test sets."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Guarded:
    """Two guarded routes behind one authorizer, whose answer is what a test says; its events are kept."""

    def __init__(self, answer: Callable[[dict[str, Any]], Any], *, ttl_seconds: int = 300) -> None:
        app = Chalice("guarded")
        guard = CustomAuthorizer("guard", authorizer_uri="arn:guard", ttl_seconds=ttl_seconds)
        app.route("/one", authorizer=guard)(lambda: context_of(app))
        app.route("/two/{name}", authorizer=guard)(lambda name: {"name": name})
        self.answer = answer
        self.events: list[dict[str, Any]] = []
        self.clock = Clock()
        kind = RestApi(scopes=["mine"])
        self.gateway = Gateway(
            app, authorizers={"guard": self.ask}, kind=kind, now=self.clock, api_id="api1", stage="dev"
        )

    def ask(self, event: dict[str, Any], _context: Any) -> Any:
        self.events.append(event)
        return self.answer(event)

    def get(self, path: str, headers: dict[str, str] = TOKEN) -> Answer:
        return self.gateway.handle("GET", path, headers)


def context_of(app: Chalice) -> dict[str, Any]:
    request: Any = app.current_request
    return dict(request.context["authorizer"])


def policy(*statements: dict[str, Any], context: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = {"principalId": "me", "policyDocument": {"Version": "2012-10-17", "Statement": list(statements)}}
    return answer if context is None else {**answer, "context": context}


def allow(resource: Any = ANYTHING, action: Any = "execute-api:Invoke") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def deny(resource: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": resource}


def raising(error: Exception) -> Callable[[Any], Any]:
    def answer(_event: Any) -> Any:
        raise error

    return answer


def test_unauthorized_raised_by_an_authorizer_is_401() -> None:
    answer = Guarded(raising(Exception("Unauthorized"))).get("/one")
    assert answer.status == 401
    assert answer.json()["error"] == "invalid_token"
    assert answer.header("WWW-Authenticate") == 'Bearer scope="mine"'


@pytest.mark.parametrize("error", [Exception("unauthorized"), ValueError("no"), KeyError("Unauthorized"), Exception()])
def test_anything_else_raised_by_an_authorizer_is_500(error: Exception) -> None:
    answer = Guarded(raising(error)).get("/one")
    assert (answer.status, answer.json()["error"]) == (500, "server_error")


@pytest.mark.parametrize(
    "returned",
    [
        None,
        {},
        "Allow",
        {"policyDocument": {"Statement": [allow()]}},
        {"principalId": "me", "policyDocument": {}},
        policy({"Effect": "allow", "Action": "execute-api:Invoke", "Resource": ANYTHING}),
        policy({**allow(), "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}),
        policy({"Effect": "Allow", "Action": "execute-api:Invoke", "NotResource": ANYTHING}),
        policy(allow(), context={"scopes": ["a", "b"]}),
        policy(allow(), context={"nested": {"a": 1}}),
    ],
)
def test_an_answer_that_is_no_usable_policy_is_500_and_never_lets_in(returned: Any) -> None:
    assert Guarded(lambda _: returned).get("/one").status == 500


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}, {"X-Token": "some-token"}])
def test_without_a_token_it_is_401_and_the_authorizer_is_not_asked(headers: dict[str, str]) -> None:
    guarded = Guarded(lambda _: policy(allow()))
    assert guarded.get("/one", headers).status == 401
    assert guarded.events == []


def test_an_authorizer_is_told_the_token_and_the_method_arn_and_nothing_else() -> None:
    guarded = Guarded(lambda _: policy(allow()))
    guarded.get("/two/x?y=z")
    arn = "arn:aws:execute-api:us-east-1:000000000000:api1/dev/GET/two/x"
    assert guarded.events == [{"type": "TOKEN", "methodArn": arn, "authorizationToken": "Bearer some-token"}]


def test_a_doubled_header_is_neither_of_its_values() -> None:
    guarded = Guarded(lambda _: policy(allow()))
    guarded.gateway.handle("GET", "/one", [("Authorization", "Bearer a"), ("authorization", "Bearer b")])
    assert guarded.events[0]["authorizationToken"] == "Bearer a,Bearer b"


def test_a_policy_is_remembered_per_token_until_its_time_is_up() -> None:
    guarded = Guarded(lambda _: policy(allow()), ttl_seconds=60)
    for after in (0, 59.9):
        guarded.clock.now = 1_000_000 + after
        assert guarded.get("/one").status == 200
    assert len(guarded.events) == 1
    guarded.get("/one", {"Authorization": "Bearer other"})
    assert len(guarded.events) == 2
    guarded.clock.now = 1_000_060
    guarded.get("/one")
    assert len(guarded.events) == 3


def test_a_time_of_nought_remembers_nothing() -> None:
    guarded = Guarded(lambda _: policy(allow()), ttl_seconds=0)
    guarded.get("/one")
    guarded.get("/one")
    assert len(guarded.events) == 2


def test_a_policy_for_the_asked_route_alone_bites_on_the_next_route_because_it_is_remembered() -> None:
    guarded = Guarded(lambda event: policy(allow(event["methodArn"])))
    assert guarded.get("/one").status == 200
    assert guarded.get("/two/x").status == 403


def test_a_refusal_is_not_remembered() -> None:
    guarded = Guarded(raising(Exception("Unauthorized")))
    assert guarded.get("/one").status == 401
    guarded.answer = lambda _: policy(allow())
    assert guarded.get("/one").status == 200


def test_deny_wins_over_allow() -> None:
    guarded = Guarded(lambda _: policy(allow(), deny("arn:aws:execute-api:*:*:*/*/GET/two/*")))
    assert guarded.get("/one").status == 200
    answer = guarded.get("/two/x")
    assert (answer.status, answer.json()["error"]) == (403, "insufficient_scope")


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        (allow("arn:aws:execute-api:us-east-1:000000000000:api1/dev/GET/one"), 200),
        (allow(["arn:aws:execute-api:*:*:*/*/POST/*", "arn:aws:execute-api:*:*:api1/dev/GET/on?"]), 200),
        (allow("*"), 200),
        (allow(action=["execute-api:Invoke"]), 200),
        (allow(action="execute-api:*"), 200),
        (allow(action="s3:GetObject"), 403),
        (allow("arn:aws:execute-api:*:*:api1/dev/GET/one/more"), 403),
        (allow("arn:aws:execute-api:*:*:api2/*"), 403),
        (allow([]), 403),
    ],
)
def test_a_statement_lets_in_just_what_it_names(statement: dict[str, Any], status: int) -> None:
    assert Guarded(lambda _: policy(statement)).get("/one").status == status


def test_a_single_statement_need_not_be_in_a_list() -> None:
    answer = {"principalId": "me", "policyDocument": {"Version": "2012-10-17", "Statement": allow()}}
    assert Guarded(lambda _: answer).get("/one").status == 200


def test_the_context_reaches_the_function_as_strings() -> None:
    context = {"sub": "me", "exp": 1_700_000_000, "rate": 0.5, "admin": True, "robot": False}
    assert Guarded(lambda _: policy(allow(), context=context)).get("/one").json() == {
        "principalId": "me",
        "sub": "me",
        "exp": "1700000000",
        "rate": "0.5",
        "admin": "true",
        "robot": "false",
    }


def test_an_answer_without_context_is_complete() -> None:
    assert Guarded(lambda _: policy(allow())).get("/one").json() == {"principalId": "me"}


def test_what_a_function_does_to_its_context_is_gone_at_the_next_request() -> None:
    app = Chalice("guarded")
    guard = CustomAuthorizer("guard", authorizer_uri="arn:guard")

    @app.route("/", authorizer=guard)
    def index() -> Any:
        request: Any = app.current_request
        request.context["authorizer"]["admin"] = request.context["authorizer"].get("admin", "") + "!"
        return request.context["authorizer"]

    gateway = Gateway(app, authorizers={"guard": lambda _event, _context: policy(allow())})
    assert [gateway.handle("GET", "/", TOKEN).json() for _ in range(2)] == [{"principalId": "me", "admin": "!"}] * 2


def test_a_built_in_authorizer_is_asked_with_its_own_header_and_time_to_live() -> None:
    app = Chalice("guarded")
    tokens = []

    @app.authorizer(ttl_seconds=0, header="X-Token")
    def guard(request: Any) -> AuthResponse:
        tokens.append(request.token)
        return AuthResponse(routes=["/one"], principal_id="me")

    app.route("/one", authorizer=guard)(dict)
    app.route("/two", authorizer=guard)(dict)
    gateway = Gateway(app)

    assert gateway.handle("GET", "/one", {"Authorization": "secret"}).status == 401
    assert gateway.handle("GET", "/one", {"x-token": "secret"}).status == 200
    assert gateway.handle("GET", "/two", {"X-Token": "secret"}).status == 403
    assert tokens == ["secret", "secret"]


@pytest.mark.parametrize("authorizer", [IAMAuthorizer(), CustomAuthorizer("unknown", authorizer_uri="arn:x")])
def test_an_authorizer_that_cannot_be_asked_stops_the_gateway_before_it_serves(authorizer: Any) -> None:
    app = Chalice("guarded")
    app.route("/", authorizer=authorizer)(dict)
    with pytest.raises(ValueError, match="authorizer"):
        Gateway(app)
