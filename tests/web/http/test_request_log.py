"""One JSON line a request, with what an operator needs and nothing that a caller would not want to read there."""

import io
import json
import logging
import re
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any
from uuid import UUID

import pytest
from chalice.config import Config
from chalice.local import LocalGateway

from app import app
from chalicelib.guard import functions as guard
from chalicelib.guard.verifier import Unauthorized
from chalicelib.services import Services
from tests.support import wire
from tests.support.browser import Browser, register, token_response
from tests.support.forge import peek
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, refusal

FIELDS = {"request_id", "route", "status", "outcome", "ms", "dynamodb_calls"}
SECRETS = {
    "email": "marked.address@example.com",
    "password": "marked password battery staple",
    "new password": "marked other phrase 7 staple",
    "wrong password": "marked guess battery staple",
    "name": "Marked Name",
    "device": "Marked Device",
    "query": "marked-query",
    "header": "marked-header",
    "network": "198.51.100.77",
}


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The requests' own lines since the last look; all that is written must be JSON."""
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in written if "event" not in line]


def test_every_request_leaves_one_line_with_the_usual_fields(phone: Phone, capsys: pytest.CaptureFixture[str]) -> None:
    session = phone.sign_up()
    access, uid = session["access_token"], session["user"]["sub"]
    lines(capsys)
    sid = peek(access)[1]["sid"]
    requests: list[tuple[str, Any, bool, int, str, str, str]] = [
        ("POST /login", {"email": EMAIL, "password": PASSWORD}, False, 200, "ok", uid, ""),
        ("POST /login", {"email": EMAIL, "password": "x"}, False, 401, "invalid_credentials", uid, "wrong password"),
        (
            "POST /login",
            {"email": "x@y.example", "password": "x"},
            False,
            401,
            "invalid_credentials",
            "",
            "unknown user",
        ),
        ("POST /refresh", {"refresh_token": session["refresh_token"]}, False, 200, "ok", uid, ""),
        ("POST /refresh", {"refresh_token": "x"}, False, 401, "invalid_grant", "", "malformed"),
        ("POST /verify", {"token": access}, False, 200, "ok", uid, ""),
        ("POST /verify", {"token": "x"}, False, 200, "ok", "", ""),
        ("GET /me", None, True, 200, "ok", uid, ""),
        (f"DELETE /me/sessions/{'0' * 32}", None, True, 404, "not_found", uid, ""),
        # The account is not read for it, so the line cannot know that it is there.
        ("PATCH /me", {"name": 7}, True, 400, "invalid_request", "", ""),
        ("POST /logout", {"refresh_token": session["refresh_token"]}, False, 204, "ok", uid, ""),
        (f"DELETE /me/sessions/{sid}", None, True, 401, "invalid_token", uid, "session ended"),
        ("GET /.well-known/jwks.json", None, False, 200, "ok", "", ""),
        ("OPTIONS /me", None, False, 204, "ok", "", ""),
    ]
    for line, body, guarded, status, outcome, who, reason in requests:
        answer = phone.call(line, body, token=access if guarded else None)
        (logged,) = lines(capsys)
        assert logged["request_id"] == answer.header("X-Request-Id"), line
        assert logged["route"] == re.sub("[0-9a-f]{32}", "{sid}", line)
        assert (logged["status"], logged["outcome"]) == (answer.status, outcome) == (status, outcome), line
        assert (logged.get("uid", ""), logged.get("reason", "")) == (who, reason), line
        assert logged["ms"] >= 0
        assert isinstance(logged["dynamodb_calls"], int)
        assert FIELDS <= set(logged) <= FIELDS | {"uid", "reason"}


def test_nothing_of_a_request_is_left_in_the_context_of_the_next_one(phone: Phone, svc: Services) -> None:
    before = dict(copy_context())
    phone.sign_up()
    with wire.down(svc, "dynamodb", wire.refusing("AccessDeniedException")):
        assert phone.call("POST /login", {"email": EMAIL, "password": PASSWORD}).status == 500
    assert dict(copy_context()) == before


def test_request_ids_are_each_requests_own(phone: Phone, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(5):
        phone.call("GET /.well-known/jwks.json", headers={"X-Request-Id": "chosen-by-the-caller"})
    ids = [line["request_id"] for line in lines(capsys)]
    assert len(set(ids)) == 5
    assert "chosen-by-the-caller" not in ids


@pytest.mark.usefixtures("phone")
def test_where_the_gateway_gives_no_request_id_each_request_gets_one(capsys: pytest.CaptureFixture[str]) -> None:
    local = LocalGateway(app, Config())  # Chalice's own, behind `chalice local`
    request_ids = [
        local.handle_request("GET", "/.well-known/jwks.json", {}, None)["headers"]["X-Request-Id"] for _ in "12"
    ]
    assert [line["request_id"] for line in lines(capsys)] == request_ids
    assert len({str(UUID(each)) for each in request_ids}) == 2


def test_a_line_cannot_be_broken_or_added_to_by_a_caller(phone: Phone, capsys: pytest.CaptureFixture[str]) -> None:
    access = phone.sign_up()["access_token"]
    lines(capsys)
    for line in ('DELETE /me/sessions/x"%0A{"outcome":"ok"}', "DELETE /me/sessions/%0D%0A%7B%7D", "GET /me?a=%0A{}"):
        phone.call(line, token=access, headers={"User-Agent": '"\n{"outcome": "ok"}', "Origin": '"\n{}'})
        (logged,) = lines(capsys)
        assert logged["route"] in ("DELETE /me/sessions/{sid}", "GET /me")


@pytest.mark.usefixtures("phone")
def test_what_chalice_answers_by_itself_leaves_a_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    event = {
        "resource": "/me",
        "path": "/me",
        "httpMethod": "PUT",
        "headers": {},
        "multiValueHeaders": {},
        "requestContext": {"httpMethod": "PUT", "resourcePath": "/me", "requestId": "request-1", "identity": {}},
        "pathParameters": None,
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
    }
    lines(capsys)
    app(event, None)
    (logged,) = lines(capsys)
    assert (logged["request_id"], logged["status"], logged["outcome"]) == ("request-1", 405, "method_not_allowed")


def test_a_fault_leaves_what_and_where_and_the_503_its_reason(
    phone: Phone, svc: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    session = phone.sign_up()
    lines(capsys)
    with wire.down(svc, "dynamodb", wire.refusing("AccessDeniedException")):
        answer = phone.call("GET /me", token=session["access_token"])
    assert refusal(answer) == (500, "server_error")
    fault, logged = lines(capsys)
    assert fault["level"] == "error"
    assert fault["request_id"] == logged["request_id"] == answer.header("X-Request-Id")
    assert fault["fault"]
    assert any("sessions.py" in place for place in fault["where"])
    assert "injected" not in json.dumps(fault)
    assert (logged["status"], logged["outcome"], logged["dynamodb_calls"]) == (500, "server_error", 1)
    with wire.down(svc, "dynamodb", wire.refusing("ThrottlingException")):
        phone.call("GET /me", token=session["access_token"])
    (logged,) = lines(capsys)
    assert (logged["status"], logged["outcome"], logged["reason"]) == (
        503,
        "temporarily_unavailable",
        "ThrottlingException",
    )


# boto3's own loggers write whole requests at DEBUG, which nobody turns on in production and which is theirs to fix.
NOT_OURS = ("boto3", "botocore", "urllib3", "s3transfer", "responses", "moto")


@pytest.fixture
def everything(capfd: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """All that is written from now on: standard output and error, and every logger of ours, or of no name, at DEBUG."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.addFilter(lambda record: not record.name.startswith(NOT_OURS))
    root = logging.getLogger()
    before = {logger: logger.level for logger in [root, *loggers()]}
    for logger in before:
        logger.setLevel(logging.DEBUG)
    root.addHandler(handler)
    capfd.readouterr()

    def output() -> str:
        captured = capfd.readouterr()
        return log.getvalue() + captured.out + captured.err

    yield output
    root.removeHandler(handler)
    for logger, level in before.items():
        logger.setLevel(level)


def loggers() -> list[logging.Logger]:
    """Every named logger that is not boto3's."""
    every = [logging.getLogger(name) for name in logging.root.manager.loggerDict]
    return [logger for logger in every if not logger.name.startswith(NOT_OURS)]


class Marked:
    """A caller whose every secret would be known again."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        phone.address = SECRETS["network"]
        self.tokens: set[str] = set()

    def call(self, line: str, body: object = None, *, token: str | None = None, raw: bytes | None = None) -> Any:
        headers = {"User-Agent": SECRETS["header"], "Cookie": SECRETS["header"], "X-Forwarded-For": SECRETS["header"]}
        answer = self.phone.call(f"{line}?q={SECRETS['query']}", body, token=token, headers=headers, raw=raw)
        response = json.loads(answer.body) if answer.body.startswith(b"{") else {}
        self.tokens |= {response[name] for name in ("access_token", "refresh_token") if name in response}
        return answer

    def everything(self, svc: Services) -> None:
        """Every route, well and badly used, in calm and in faults."""
        who = {"email": SECRETS["email"], "password": SECRETS["password"]}
        described = {"name": SECRETS["name"], "device": SECRETS["device"]}
        session = self.call("POST /signup", {**who, **described}).json()
        self.call("POST /signup", {**who, **described})
        self.call("POST /signup", {**who, "password": "weakmarked"})
        other = self.call("POST /login", {**who, "device": SECRETS["device"]}).json()
        self.call("POST /login", {**who, "password": SECRETS["wrong password"]})
        self.call("POST /login", {**who, "email": "x" + SECRETS["email"]})
        self.call("POST /login", {**who, SECRETS["name"]: SECRETS["name"]})
        self.call("POST /login", {**who, "email": [SECRETS["email"]]})
        self.call("POST /login", raw=json.dumps(who).encode()[:-3])
        self.call("POST /login", raw=json.dumps(who).encode() + b"\xff")
        refreshed = self.call("POST /refresh", {"refresh_token": session["refresh_token"]}).json()
        for token in (session["refresh_token"][:-4] + "AAAA", session["access_token"]):
            self.call("POST /refresh", {"refresh_token": token})
        access = refreshed["access_token"]
        for token in (access, access[:-4], other["refresh_token"]):
            self.call("POST /verify", {"token": token})
            self.call("GET /me", token=token)
        self.call("PATCH /me", {"name": SECRETS["name"] + " II"}, token=access)
        self.call("GET /me/sessions", token=access)
        self.faults(svc, who, session, access)
        change = {"current_password": SECRETS["password"], "new_password": SECRETS["new password"]}
        self.call("POST /me/password", {**change, "current_password": SECRETS["wrong password"]}, token=access)
        self.call("POST /me/password", change, token=access)
        self.call("POST /logout", {"refresh_token": other["refresh_token"]})
        self.call("DELETE /me", {"password": SECRETS["wrong password"]}, token=access)
        self.call("DELETE /me", {"password": SECRETS["new password"]}, token=access)

    def faults(self, svc: Services, who: dict[str, str], session: dict[str, str], access: str) -> None:
        for failure in (None, wire.refusing("ValidationException"), wire.refusing("ThrottlingException")):
            with wire.down(svc, "dynamodb", failure):
                self.call("POST /login", who)
                self.call("POST /signup", who)
                self.call("POST /refresh", {"refresh_token": session["refresh_token"]})
                self.call("POST /logout", {"refresh_token": session["refresh_token"]})
                self.call("GET /me", token=access)
                self.call("POST /verify", {"token": access})


def test_nothing_secret_is_ever_written(phone: Phone, svc: Services, everything: Any) -> None:
    marked = Marked(phone)
    marked.everything(svc)
    with pytest.raises(Unauthorized):
        guard.guard({"type": "TOKEN", "methodArn": ARN, "authorizationToken": "Bearer marked"}, None)
    output = everything()
    assert output.count("request_id") > 30
    assert len(marked.tokens) >= 6
    own = "".join(line for line in output.splitlines() if '"event"' not in line)
    for what, secret in SECRETS.items():
        # A security event has the network that it came from.
        assert secret.lower() not in (own if what == "network" else output).lower(), what
    assert "marked" not in output.lower()
    for token in marked.tokens:
        # Of a JWT the payload and the signature: the header alone is no secret.
        assert not any(part[:24] in output for part in token.split(".")[-2:])
    (private,) = svc.keys.read(svc.now()).refresh
    assert private.secret.hex() not in output
    assert "PRIVATE KEY" not in output
    assert "$argon2" not in output


def test_a_code_that_comes_again_or_too_late_is_logged_with_whose_it_was(
    phone: Phone, svc: Services, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    uid = phone.sign_up()["user"]["sub"]
    client, browser = register(svc, phone), Browser(phone)
    first, late = browser.code(client), browser.code(client)
    token_response(client.redeem(first))
    lines(capsys)
    client.redeem(first)
    clock.advance(60)
    client.redeem(late)
    outcomes = [(line["outcome"], line.get("reason", ""), line["uid"]) for line in lines(capsys)]
    assert outcomes == [("invalid_grant", "code replayed: session ended", uid), ("invalid_grant", "code expired", uid)]


ARN = "arn:aws:execute-api:eu-central-1:123456789012:api1234567/prod/GET/me"


def test_a_refusal_repeats_nothing_that_was_sent(phone: Phone) -> None:
    for body in (
        {"email": SECRETS["email"], "password": SECRETS["password"]},
        {"email": SECRETS["email"], "password": 7},
        {"email": SECRETS["email"], "password": "marked", "marked": "marked"},
        {"email": "marked", "password": SECRETS["password"]},
        {"marked": {"marked": ["marked"]}},
    ):
        for line in ("POST /login", "POST /refresh", "POST /signup", "POST /verify"):
            answer = phone.call(line, body)
            if answer.status >= 400:
                assert b"marked" not in answer.body.lower()
                assert not any("marked" in value.lower() for _, value in answer.headers)
