"""Registering another API: its routes come from a scope map or an OpenAPI document, and what cannot be kept is refused."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from deploy import openapi_scopes
from deploy.registered_apis import Register
from deploy.stages import PROJECT
from tests.support.commands import remember_guard, run

SCOPES = {"GET /notes": "notes:read", "POST /notes": "notes:write", "GET /notes/{id}": "notes:read"}


@pytest.fixture
def register(tmp_path: Path, aws: None) -> Register:  # noqa: ARG001 - credentials that lead to an account
    (tmp_path / "chalicelib").mkdir()
    shutil.copytree(PROJECT / ".chalice", tmp_path / ".chalice", ignore=shutil.ignore_patterns("deploy*"))
    remember_guard(tmp_path)
    register = Register(tmp_path)
    register.write({})
    return register


def written(tmp_path: Path, document: Any, name: str = "scopes.json") -> str:
    path = tmp_path / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


def add(register: Register, file: str, *more: str, revocation: str = "stateless") -> None:
    base = ["add", "--id", "abc123", "--name", "notes", "--file", file, "--revocation", revocation]
    run("apis", *base, *more, on=register)


def guard_policies(register: Register) -> set[str]:
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


def test_a_scope_map_is_registered_as_it_stands(register: Register, tmp_path: Path) -> None:
    add(register, written(tmp_path, SCOPES), "--audience", "https://notes.example")
    assert register.read() == {
        "abc123": {
            "name": "notes",
            "audience": "https://notes.example",
            "revocation": "stateless",
            "answer": "policy",
            "scopes": SCOPES,
            "login_scopes": {"dev": []},
        }
    }


def test_an_api_may_want_tokens_of_its_own_kind_and_the_cost_is_said(
    register: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, own = written(tmp_path, SCOPES), ("--audience", "https://notes.example")
    add(register, file, *own, "--typ", "JWT", "--claim", "groups", "--claim", "email", "--claim", "email")
    entry = register.read()["abc123"]
    assert (entry["typ"], entry["access_token_claims"]) == ("JWT", ["email", "groups"])
    assert "cannot tell them apart" in capsys.readouterr().out
    add(register, file, *own)
    assert not {"typ", "access_token_claims"} & set(register.read()["abc123"])


def test_tokens_for_latchkey_itself_are_of_no_other_kind(register: Register, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="--audience of the API's own"):
        add(register, written(tmp_path, SCOPES), "--typ", "JWT")
    assert register.read() == {}


@pytest.mark.parametrize("option", [("--typ", "JWT"), ("--claim", "email")])
def test_two_apis_of_one_audience_have_the_same_tokens(
    register: Register, tmp_path: Path, option: tuple[str, str]
) -> None:
    file, own = written(tmp_path, SCOPES), ("--audience", "https://notes.example")
    add(register, file, *own)
    again = ["add", "--id", "def456", "--name", "more", "--file", file, "--revocation", "stateless", *own]
    with pytest.raises(SystemExit, match="the same audience, so the same tokens"):
        run("apis", *again, *option, on=register)
    run("apis", *again, on=register)
    assert set(register.read()) == {"abc123", "def456"}


@pytest.mark.parametrize("scope", ['notes:"read"', "notes\\read", "nötes:read", "n" * 129])
def test_a_scope_that_no_token_could_have_is_refused_and_nothing_is_written(
    register: Register, tmp_path: Path, scope: str
) -> None:
    config = register.project / ".chalice" / "config.json"
    before = config.read_text()
    with pytest.raises(SystemExit, match="is no scope that a token could have"):
        add(register, written(tmp_path, {"GET /notes": f"notes:read {scope}"}))
    assert (register.read(), config.read_text()) == ({}, before)


@pytest.mark.parametrize("name", ["my notes", 'notes"', "a/b", "", "ملاحظات"])
def test_a_name_that_no_url_has_is_refused_as_the_apis_metadata_are_at_it(
    register: Register, tmp_path: Path, name: str
) -> None:
    arguments = ["add", "--id", "abc123", "--file", written(tmp_path, SCOPES), "--revocation", "strict", "--name", name]
    with pytest.raises(SystemExit, match="cannot be its name, which is in a URL"):
        run("apis", *arguments, on=register)
    assert register.read() == {}


def test_adding_again_replaces_and_removing_forgets(register: Register, tmp_path: Path) -> None:
    add(register, written(tmp_path, SCOPES))
    add(register, written(tmp_path, {"GET /other": "other"}))
    assert register.read()["abc123"]["scopes"] == {"GET /other": "other"}
    run("apis", "remove", "--id", "abc123", on=register)
    assert register.read() == {}


def test_removing_what_is_not_registered_says_so(register: Register) -> None:
    with pytest.raises(SystemExit, match="No API 'zzz' is registered"):
        run("apis", "remove", "--id", "zzz", on=register)


def test_the_list_shows_what_is_registered(
    register: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(register, written(tmp_path, SCOPES), revocation="strict")
    capsys.readouterr()
    run("apis", "list", on=register)
    assert capsys.readouterr().out == "abc123  notes  strict  policy  3 routes\n"


@pytest.mark.parametrize("revocation", ["bounded", "strict"])
def test_the_guards_may_read_sessions_only_while_some_api_asks_for_it(
    register: Register, tmp_path: Path, revocation: str
) -> None:
    original = (register.project / ".chalice" / "config.json").read_text()
    logs_only = {f"policy-{g}-{s}.json" for g in ("guard", "guard_request") for s in ("dev", "prod")}
    assert guard_policies(register) == logs_only
    add(register, written(tmp_path, SCOPES), revocation=revocation)
    named = guard_policies(register)
    assert named == {f"policy-{g}-sessions-{s}.json" for g in ("guard", "guard_request") for s in ("dev", "prod")}
    assert all((register.project / ".chalice" / policy).exists() for policy in named)
    run("apis", "remove", "--id", "abc123", on=register)
    assert (register.project / ".chalice" / "config.json").read_text() == original


def test_an_openapi_document_gives_the_scopes_of_its_operations(register: Register, tmp_path: Path) -> None:
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


def test_the_any_method_of_api_gateways_extensions_is_any_in_the_map() -> None:
    item = {"x-amazon-apigateway-any-method": {"security": [{"a": ["all"]}]}, "get": {"security": [{"a": ["read"]}]}}
    reading = openapi_scopes.read({"openapi": "3.1.0", "paths": {"/notes": item}})
    assert reading.scopes == {"ANY /notes": "all", "GET /notes": "read"}


def test_schemes_that_are_needed_together_add_their_scopes() -> None:
    reading = openapi_scopes.read(openapi([{"a": ["one", "two"], "b": ["two", "three"]}]))
    assert reading.scopes == {"GET /notes": "one two three"}


def test_a_line_with_a_level_is_registered_with_it(register: Register, tmp_path: Path) -> None:
    needs = {"scope": "notes:share", "acr": "aal2"}
    add(register, written(tmp_path, {**SCOPES, "POST /notes/{id}/shares": needs}))
    entry = register.read()["abc123"]
    assert entry["scopes"] == {**SCOPES, "POST /notes/{id}/shares": "notes:share"}
    assert entry["acr"] == {"POST /notes/{id}/shares": "aal2"}
    add(register, written(tmp_path, SCOPES))
    assert "acr" not in register.read()["abc123"]


SCHEME: dict[str, Any] = {
    "type": "oauth2",
    "flows": {"authorizationCode": {"scopes": {"one": " First\nmore ", "two": "", "x": "X"}}},
}


@pytest.mark.parametrize(
    "schemes",
    [
        {"components": {"securitySchemes": {"a": SCHEME, "b": {"type": "http", "scheme": "bearer"}}}},
        {"securityDefinitions": {"a": {"type": "oauth2", "flow": "implicit", **SCHEME["flows"]["authorizationCode"]}}},
    ],
    ids=["OpenAPI", "Swagger"],
)
def test_what_an_openapi_document_says_of_its_scopes_is_registered_for_people_to_read(
    register: Register, tmp_path: Path, schemes: dict[str, Any]
) -> None:
    add(register, written(tmp_path, {**openapi([{"a": ["one", "two"]}]), **schemes}))
    assert register.read()["abc123"]["scope_descriptions"] == {"one": "First"}
    add(register, written(tmp_path, SCOPES))
    assert "scope_descriptions" not in register.read()["abc123"]


def test_a_description_that_fills_no_line_is_cut() -> None:
    long = {"components": {"securitySchemes": {"a": {"flows": {"implicit": {"scopes": {"one": "x" * 300}}}}}}}
    assert openapi_scopes.read({**openapi([{"a": ["one"]}]), **long}).descriptions == {"one": "x" * 200}


def test_an_operation_of_openapi_says_its_level_by_an_extension() -> None:
    document = openapi([{"a": ["one"]}])
    document["paths"]["/notes"]["get"]["x-acr"] = "aal2"
    reading = openapi_scopes.read(document)
    assert (reading.scopes, reading.acr) == ({"GET /notes": "one"}, {"GET /notes": "aal2"})


@pytest.mark.parametrize(
    "needs",
    [
        {"scope": "notes:share", "acr": "aal3"},
        {"scope": "", "acr": "aal2"},
        {"acr": "aal2"},
        {"scope": "notes:share"},
        {"scope": "notes:share", "acr": "aal2", "max_age": 60},
        {"scope": ["notes:share"], "acr": "aal2"},
        ["notes:share", "aal2"],
        None,
    ],
)
def test_a_line_that_says_a_level_in_another_way_is_refused_whole(
    register: Register, tmp_path: Path, needs: Any
) -> None:
    with pytest.raises(SystemExit, match=r"must be like|names no scope|which is none"):
        add(register, written(tmp_path, {**SCOPES, "POST /notes/{id}/shares": needs}))
    assert register.read() == {}


@pytest.mark.parametrize("document", [openapi(None), openapi([]), openapi([], default=[{"a": ["one"]}])])
def test_an_operation_that_asks_for_no_token_is_left_out_and_named(document: dict[str, Any]) -> None:
    assert openapi_scopes.read(document) == openapi_scopes.Reading(scopes={}, public=("GET /notes",))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (openapi([{"a": ["one"]}, {"b": ["two"]}]), "GET /notes: alternatives"),
        (openapi([{}, {"a": ["one"]}]), "GET /notes: alternatives"),
        (openapi([{"a": []}]), "GET /notes: `security` names no scope"),
        ({"openapi": "3.1.0", "paths": {"/x": {"x-amazon-apigateway-integration": {}}}}, "/x: 'x-amazon-"),
        ({"openapi": "3.1.0", "paths": {"/x": {"$ref": "other.json"}}}, r"/x: '\$ref' is not a method"),
        ({"openapi": "3.1.0", "paths": {"/x": {"get": {"security": [], "x-acr": "aal2"}}}}, "GET /x: `x-acr`"),
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
    register: Register, tmp_path: Path, document: Any, reason: str
) -> None:
    with pytest.raises(SystemExit, match=reason):
        add(register, written(tmp_path, document))
    assert register.read() == {}


def test_the_consumer_is_told_how_to_attach_the_guard(
    register: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(register.project / ".chalice" / "deployed")
    add(register, written(tmp_path, SCOPES), revocation="strict")
    output = capsys.readouterr().out
    arn = "arn:aws:lambda:eu-central-1:123456789012:function:latchkey-dev-guard_request"
    assert f"lambda:path/2015-03-31/functions/{arn}/invocations" in output
    assert "execute-api:eu-central-1:123456789012:abc123/authorizers/*" in output
    assert "ttl_seconds=0" in output


def test_the_commands_for_the_apis_own_401_and_403_have_its_challenges_once_a_shell_has_read_them(
    register: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(register, written(tmp_path, SCOPES))
    words = shlex.split(capsys.readouterr().out.rpartition("Its 401")[2].partition("\n")[2])
    unauthorized, denied, body = [json.loads(word) for word in words if word.startswith("{")]
    assert unauthorized == {
        "gatewayresponse.header.WWW-Authenticate": '\'Bearer scope="notes:read notes:write", '
        'resource_metadata="<issuer>/.well-known/oauth-protected-resource/notes"\''
    }
    assert denied == {"gatewayresponse.header.WWW-Authenticate": "context.authorizer.challenge"}
    assert json.loads(body["application/json"])["scope"] == "$context.authorizer.required_scope"
    assert words[words.index("--rest-api-id") + 1] == "abc123"


def test_the_instructions_name_the_deployed_guard_where_it_is_known(
    register: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:latchkey-dev-guard_request"
    remember_guard(register.project, region="eu-west-1")
    add(register, written(tmp_path, SCOPES))
    output = capsys.readouterr().out
    assert f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{arn}/invocations" in output
    assert "arn:aws:execute-api:eu-west-1:123456789012:abc123/authorizers/*" in output


def test_simple_answers_are_keyed_by_their_route(
    register: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(register, written(tmp_path, SCOPES), "--answer", "simple")
    assert "--identity-source '$request.header.Authorization' '$context.routeKey'" in capsys.readouterr().out


def removal(register: Register, capsys: pytest.CaptureFixture[str], *stage: str) -> list[str]:
    """Return the names of the functions that the instructions take the permission from."""
    capsys.readouterr()
    run("apis", *stage, "remove", "--id", "abc123", on=register)
    return re.findall(r"remove-permission --function-name (\S+) --statement-id abc123", capsys.readouterr().out)


def test_a_removal_names_the_guards_of_every_stage_or_of_the_one_asked_for(
    register: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    everywhere = [f"latchkey-{stage}-{guard}" for stage in ("dev", "prod") for guard in ("guard", "guard_request")]
    add(register, written(tmp_path, SCOPES))
    assert removal(register, capsys) == everywhere
    add(register, written(tmp_path, SCOPES))
    assert removal(register, capsys, "--stage", "prod") == everywhere[2:]


@pytest.mark.parametrize("command", ["add", "remove"])
def test_a_stage_that_is_not_there_is_one_clear_line_and_changes_nothing(
    register: Register, tmp_path: Path, command: str
) -> None:
    file = written(tmp_path, SCOPES)
    add(register, file)
    before = register.read()
    more = ["--name", "new", "--file", file, "--revocation", "strict"] if command == "add" else []
    for first, last in ((["--stage", "staging"], []), ([], ["--stage", "staging"])):
        with pytest.raises(SystemExit, match="no stage 'staging'"):
            run("apis", *first, command, "--id", "abc123", *more, *last, on=register)
    assert register.read() == before


def told_of(register: Register, file: str, capsys: pytest.CaptureFixture[str], *more: str, stage: str) -> str:
    arguments = ["--stage", stage, "add", "--id", "abc123", "--name", "notes", "--file", file, "--revocation", "strict"]
    run("apis", *arguments, *more, on=register)
    return capsys.readouterr().out


def test_a_scope_that_no_login_of_the_stage_can_ask_for_is_told_in_one_line(
    register: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, {**SCOPES, "DELETE /notes": "notes:write account"})
    assert "LATCHKEY_SCOPES" not in told_of(register, file, capsys, stage="dev")
    output = told_of(register, file, capsys, "--keep-scopes", stage="prod")
    (line,) = [line for line in output.splitlines() if "LATCHKEY_SCOPES" in line]
    assert line.startswith("No login can ask for notes:read, notes:write in the stage prod:")


def test_an_audience_of_its_own_is_told_to_keep_other_tokens_away(
    register: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, SCOPES)
    add(register, file)
    assert "`aud`" not in capsys.readouterr().out
    add(register, file, "--audience", "https://notes.example")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "`aud`" in line]
    assert "https://notes.example" in line
    assert "LATCHKEY_AUDIENCE" in line


def test_an_api_that_takes_proofs_is_told_never_to_cache_and_which_authorizer_sees_them(
    register: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(register, written(tmp_path, SCOPES), "--dpop")
    output = capsys.readouterr().out
    assert register.read()["abc123"]["dpop"] is True
    assert "result TTL 0 s, no identity sources" in output
    assert "method.request.header.DPoP" in output
    assert "guard_request" in output
    assert "CustomAuthorizer" not in output  # Chalice's are TOKEN authorizers
    add(register, written(tmp_path, SCOPES))
    assert "dpop" not in register.read()["abc123"]


def test_an_api_that_takes_proofs_answers_simply_if_asked(
    register: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(register, written(tmp_path, SCOPES), "--dpop", "--answer", "simple")
    output = capsys.readouterr().out
    assert "simple responses on" in output
    assert "$request.header.DPoP, $context.routeKey" in output
