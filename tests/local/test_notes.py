"""The notes example alone: what it does with what the guard tells it. With the real guard it is in test_serve."""

import json
import runpy
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
from chalice.config import Config
from chalice.local import LocalGateway

from local.gateway import Answer, Gateway

NOTES = Path(__file__).parents[2] / "examples" / "notes"


class Notes:
    """The example behind an authorizer that lets in whoever is named as the token."""

    def __init__(self) -> None:
        self.app = runpy.run_path(str(NOTES / "app.py"), run_name="notes")["app"]
        self.expires = int(time.time()) + 900
        self.gateway = Gateway(self.app, authorizers={"latchkey": self.let_in})

    def let_in(self, event: dict[str, Any], _context: Any) -> dict[str, Any]:
        sub = event["authorizationToken"]
        statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
        context = {"sub": sub, "exp": str(self.expires)}
        return {"principalId": sub, "policyDocument": {"Statement": [statement]}, "context": context}

    def call(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        known = {"Authorization": "me", "Content-Type": "application/json"}
        return self.gateway.handle(method, path, known | headers, body)


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Notes:
    monkeypatch.setenv("LATCHKEY_GUARD_URI", "arn:guard")
    return Notes()


def test_the_registered_scope_map_names_each_route_of_the_app_and_no_other(notes: Notes) -> None:
    declared = {f"{method} {path}" for path, methods in notes.app.routes.items() for method in methods}
    assert declared == json.loads((NOTES / "scopes.json").read_text()).keys()


def test_every_route_stands_behind_the_guard(notes: Notes) -> None:
    guards = {entry.authorizer for methods in notes.app.routes.values() for entry in methods.values()}
    assert [guard.name for guard in guards] == ["latchkey"]


def test_a_token_that_expired_while_its_policy_was_remembered_is_refused(notes: Notes) -> None:
    notes.expires = int(time.time()) - 1
    answer = notes.call("POST", "/notes", b'{"text": "late"}')
    assert (answer.status, answer.json()["error"]) == (401, "invalid_token")
    assert answer.header("WWW-Authenticate") == 'Bearer error="invalid_token"'


def test_started_alone_it_says_what_is_missing_and_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `chalice local` calls it: it asks no authorizer of others, and lets everybody in."""
    monkeypatch.delenv("LATCHKEY_GUARD_URI", raising=False)
    app = runpy.run_path(str(NOTES / "app.py"), run_name="notes")["app"]
    with warnings.catch_warnings(action="ignore"):
        answer = LocalGateway(app, Config()).handle_request("GET", "/notes", {}, b"")
    body = json.loads(answer["body"])
    assert (answer["statusCode"], body["error"]) == (500, "server_error")
    assert "make serve APP=" in body["error_description"]


def test_a_note_is_kept_for_its_owner_until_it_is_deleted(notes: Notes) -> None:
    note = notes.call("POST", "/notes", b'{"text": "milk"}').json()
    assert notes.call("GET", "/notes").json() == {"notes": [note]}
    assert notes.call("GET", f"/notes/{note['id']}").json() == note
    assert notes.call("GET", "/notes", Authorization="you").json() == {"notes": []}
    assert notes.call("DELETE", f"/notes/{note['id']}", Authorization="you").status == 404
    assert notes.call("DELETE", f"/notes/{note['id']}").status == 204
    assert notes.call("DELETE", f"/notes/{note['id']}").status == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff",
        b"[]",
        b"null",
        b"{}",
        b'{"text": 1}',
        b'{"text": ""}',
        b'{"text": "a", "owner": "you"}',
        json.dumps({"text": "x" * 2001}).encode(),
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_note_is_a_400_in_the_shape_of_every_error(notes: Notes, body: bytes) -> None:
    answer = notes.call("POST", "/notes", body)
    assert (answer.status, answer.json()["error"]) == (400, "invalid_request")
    assert notes.call("GET", "/notes").json() == {"notes": []}


def test_another_type_of_body_is_415(notes: Notes) -> None:
    answer = notes.call("POST", "/notes", b"text=a", **{"Content-Type": "application/x-www-form-urlencoded"})
    assert (answer.status, answer.json()["error"]) == (415, "unsupported_media_type")
