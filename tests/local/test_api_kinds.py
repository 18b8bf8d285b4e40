"""What a REST API and an HTTP API do differently, for a client that looks for its way to a token."""

from typing import Any

import pytest
from chalice.app import Chalice, CustomAuthorizer, Response

from local.api_kinds import HttpApi, Kind, RestApi
from local.gateway import Answer, Gateway
from tests.local.test_authorizers import allow, deny, policy

METADATA = "https://id.example/.well-known/oauth-protected-resource/notes"
TOKEN = {"Authorization": "Bearer good"}
STEP_UP = 'Bearer error="insufficient_scope", scope="notes:write"'


class Notes:
    """A guarded API of a kind, whose handler challenges; the events of its authorizer and its function are kept."""

    def __init__(self, kind: Kind, answer: Any = None) -> None:
        self.answer = answer or policy(allow())
        self.questions: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        app = Chalice("notes")
        guard = CustomAuthorizer("guard", authorizer_uri="arn:guard", ttl_seconds=300)

        @app.route("/notes/{id}", methods=["POST"], authorizer=guard)
        def write(id: str) -> Response:  # noqa: A002 - as in the path
            self.events.append(app.current_request.context)  # type: ignore[union-attr]
            return Response({"id": id}, {"WWW-Authenticate": STEP_UP}, 403)

        self.gateway = Gateway(app, authorizers={"guard": self.ask}, kind=kind, api_id="api1", stage="dev")

    def ask(self, event: dict[str, Any], _context: Any) -> Any:
        self.questions.append(event)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def post(self, headers: dict[str, str] | None = None, path: str = "/notes/7") -> Answer:
        return self.gateway.handle("POST", path, TOKEN if headers is None else headers)


def rest(answer: Any = None) -> Notes:
    return Notes(RestApi(METADATA, scopes=["notes:read", "notes:write"], remaps=True), answer)


def http(answer: Any = None) -> Notes:
    return Notes(HttpApi(), answer)


def test_a_rest_api_renames_a_handlers_challenge_and_an_http_api_does_not() -> None:
    renamed, kept = rest().post(), http().post()
    assert renamed.header("WWW-Authenticate") is None
    assert renamed.header("x-amzn-Remapped-WWW-Authenticate") == STEP_UP
    assert kept.header("WWW-Authenticate") == STEP_UP
    assert renamed.status == kept.status == 403


def test_a_rest_api_says_with_its_own_401_what_is_needed_and_an_http_api_says_nothing() -> None:
    assert rest().post({}).header("WWW-Authenticate") == (
        f'Bearer scope="notes:read notes:write", resource_metadata="{METADATA}"'
    )
    silent = http().post({})
    assert (silent.status, silent.json(), silent.header("WWW-Authenticate")) == (401, {"message": "Unauthorized"}, None)


def test_a_rest_api_puts_the_authorizers_word_into_its_403_and_an_http_api_does_not() -> None:
    refused = policy(deny("*"), context={"challenge": STEP_UP, "required_scope": "notes:write"})
    denied = rest(refused).post()
    assert (denied.status, denied.header("WWW-Authenticate"), denied.json()["scope"]) == (403, STEP_UP, "notes:write")
    silent = http(refused).post()
    assert (silent.status, silent.json(), silent.header("WWW-Authenticate")) == (403, {"message": "Forbidden"}, None)


def test_without_the_authorizers_word_a_403_has_no_challenge() -> None:
    denied = rest(policy(deny("*"))).post()
    assert (denied.header("WWW-Authenticate"), denied.json()["scope"]) == (None, "")


@pytest.mark.parametrize(
    ("answer", "path", "status", "message"),
    [
        (Exception("Unauthorized"), "/notes/7", 401, "Unauthorized"),
        (Exception("broken"), "/notes/7", 500, "Internal Server Error"),
        (None, "/nowhere", 404, "Not Found"),
    ],
)
def test_an_http_api_answers_in_words_of_its_own(answer: Any, path: str, status: int, message: str) -> None:
    refused = http(answer).post(path=path)
    assert (refused.status, refused.json()) == (status, {"message": message})


def test_an_http_api_asks_with_a_request_event_and_calls_with_payload_one() -> None:
    """AWS: "Working with AWS Lambda authorizers for HTTP APIs", payload 2.0."""
    notes = http(policy(allow(), context={"sub": "me"}))
    notes.post()
    (question,) = notes.questions
    arn = "arn:aws:execute-api:us-east-1:000000000000:api1/dev/POST/notes/7"
    assert (question["version"], question["type"], question["routeArn"]) == ("2.0", "REQUEST", arn)
    assert (question["routeKey"], question["identitySource"]) == ("POST /notes/{id}", ["Bearer good"])
    assert question["headers"]["authorization"] == "Bearer good"
    assert question["requestContext"]["http"]["path"] == "/notes/7"
    assert notes.events[0]["authorizer"]["sub"] == "me"
