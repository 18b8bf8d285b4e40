"""Registering another API: its routes come from a scope map or an OpenAPI document, and what cannot be kept is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from local import apis, openapi_scopes
from local.stages import PROJECT

SCOPES = {"GET /notes": "notes:read", "POST /notes": "notes:write", "GET /notes/{id}": "notes:read"}


@pytest.fixture
def register(tmp_path: Path) -> apis.Register:
    (tmp_path / "chalicelib").mkdir()
    shutil.copytree(PROJECT / ".chalice", tmp_path / ".chalice", ignore=shutil.ignore_patterns("deploy*"))
    register = apis.Register(tmp_path)
    register.write({})
    return register


def written(tmp_path: Path, document: Any, name: str = "scopes.json") -> str:
    path = tmp_path / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


def add(register: apis.Register, file: str, *more: str, revocation: str = "stateless") -> None:
    base = ["add", "--id", "abc123", "--name", "notes", "--file", file, "--revocation", revocation]
    apis.main([*base, *more], register=register)


def guard_policies(register: apis.Register) -> set[str]:
    config = json.loads((register.project / ".chalice" / "config.json").read_text())
    return {
        part["lambda_functions"][guard]["iam_policy_file"]
        for part in config["stages"].values()
        for guard in ("guard", "guard_request")
    }


def openapi(security: Any, *, default: Any = None) -> dict[str, Any]:
    operation = {} if security is None else {"security": security}
    top = {} if default is None else {"security": default}
    return {"openapi": "3.1.0", "paths": {"/notes": {"get": operation, "parameters": []}}, **top}


def test_a_scope_map_is_registered_as_it_stands(register: apis.Register, tmp_path: Path) -> None:
    add(register, written(tmp_path, SCOPES), "--audience", "https://notes.example")
    assert register.read() == {
        "abc123": {
            "name": "notes",
            "audience": "https://notes.example",
            "revocation": "stateless",
            "answer": "policy",
            "scopes": SCOPES,
        }
    }


def test_adding_again_replaces_and_removing_forgets(register: apis.Register, tmp_path: Path) -> None:
    add(register, written(tmp_path, SCOPES))
    add(register, written(tmp_path, {"GET /other": "other"}))
    assert register.read()["abc123"]["scopes"] == {"GET /other": "other"}
    apis.main(["remove", "--id", "abc123"], register=register)
    assert register.read() == {}


def test_removing_what_is_not_registered_says_so(register: apis.Register) -> None:
    with pytest.raises(SystemExit, match="No API 'zzz' is registered"):
        apis.main(["remove", "--id", "zzz"], register=register)


def test_the_list_shows_what_is_registered(
    register: apis.Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(register, written(tmp_path, SCOPES), revocation="strict")
    capsys.readouterr()
    apis.main(["list"], register=register)
    assert capsys.readouterr().out == "abc123  notes  strict  policy  3 routes\n"


@pytest.mark.parametrize("revocation", ["bounded", "strict"])
def test_the_guards_may_read_sessions_only_while_some_api_asks_for_it(
    register: apis.Register, tmp_path: Path, revocation: str
) -> None:
    original = (register.project / ".chalice" / "config.json").read_text()
    logs_only = {f"policy-{g}-{s}.json" for g in ("guard", "guard_request") for s in ("dev", "prod")}
    assert guard_policies(register) == logs_only
    add(register, written(tmp_path, SCOPES), revocation=revocation)
    named = guard_policies(register)
    assert named == {f"policy-{g}-sessions-{s}.json" for g in ("guard", "guard_request") for s in ("dev", "prod")}
    assert all((register.project / ".chalice" / policy).exists() for policy in named)
    apis.main(["remove", "--id", "abc123"], register=register)
    assert (register.project / ".chalice" / "config.json").read_text() == original


def test_an_openapi_document_gives_the_scopes_of_its_operations(register: apis.Register, tmp_path: Path) -> None:
    document = """
openapi: 3.1.0
security: [{latchkey: ['notes:read']}]
paths:
  /notes:
    get: {}
    post: {security: [{latchkey: ['notes:write', 'notes:read']}]}
  /health:
    get: {security: []}
"""
    add(register, written(tmp_path, document, "openapi.yaml"))
    assert register.read()["abc123"]["scopes"] == {
        "GET /notes": "notes:read",
        "POST /notes": "notes:write notes:read",
    }


def test_schemes_that_are_needed_together_add_their_scopes() -> None:
    reading = openapi_scopes.read(openapi([{"a": ["one", "two"], "b": ["two", "three"]}]))
    assert reading.scopes == {"GET /notes": "one two three"}


@pytest.mark.parametrize("document", [openapi(None), openapi([]), openapi([], default=[{"a": ["one"]}])])
def test_an_operation_that_asks_for_no_token_is_left_out_and_named(document: dict[str, Any]) -> None:
    assert openapi_scopes.read(document) == openapi_scopes.Reading(scopes={}, public=("GET /notes",))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (openapi([{"a": ["one"]}, {"b": ["two"]}]), "GET /notes: alternatives"),
        (openapi([{}, {"a": ["one"]}]), "GET /notes: alternatives"),
        (openapi([{"a": []}]), "GET /notes: `security` names no scope"),
        ({"openapi": "3.1.0", "paths": {"/x": {"x-amazon-apigateway-any-method": {}}}}, "/x: 'x-amazon-"),
        ({"openapi": "3.1.0", "paths": {"/x": {"$ref": "other.json"}}}, r"/x: '\$ref' is not a method"),
        ({"openapi": "3.1.0", "paths": {}}, "nothing to guard"),
        ({"GET notes": "a"}, "not a method and a path template"),
        ({"GET /notes": ""}, "names no scope"),
        ({"GET /notes": 7}, "must be like"),
        (["GET /notes"], "neither a scope map nor"),
        ("{", "cannot be read"),
        ({f"GET /{'x' * 90}{n}": "one" for n in range(80)}, "over 7500 bytes"),
    ],
)
def test_what_a_policy_cannot_say_is_refused_with_a_reason_and_nothing_is_written(
    register: apis.Register, tmp_path: Path, document: Any, reason: str
) -> None:
    with pytest.raises(SystemExit, match=reason):
        add(register, written(tmp_path, document))
    assert register.read() == {}


def test_the_consumer_is_told_how_to_attach_the_guard(
    register: apis.Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(register, written(tmp_path, SCOPES), revocation="strict")
    told = capsys.readouterr().out
    arn = "arn:aws:lambda:<region>:<account>:function:latchkey-dev-guard"
    assert f"lambda:path/2015-03-31/functions/{arn}/invocations" in told
    assert "execute-api:<region>:<account>:abc123/authorizers/*" in told
    assert "ttl_seconds=0" in told


def test_the_instructions_name_the_deployed_guard_where_it_is_known(
    register: apis.Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:latchkey-dev-guard"
    (register.project / ".chalice" / "deployed").mkdir()
    memory = {"resources": [{"name": "guard", "resource_type": "lambda_function", "lambda_arn": arn}]}
    (register.project / ".chalice" / "deployed" / "dev.json").write_text(json.dumps(memory))
    add(register, written(tmp_path, SCOPES))
    told = capsys.readouterr().out
    assert f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{arn}/invocations" in told
    assert "arn:aws:execute-api:eu-west-1:123456789012:abc123/authorizers/*" in told


def test_simple_answers_are_keyed_by_their_route(
    register: apis.Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(register, written(tmp_path, SCOPES), "--answer", "simple")
    assert "$request.header.Authorization, $context.routeKey" in capsys.readouterr().out
