"""`apis add --mcp`: one URL says all of an MCP server, and what clients of it need that nobody has registered."""

import json
import shlex
from pathlib import Path

import pytest

from chalicelib.config import Settings, load
from deploy.mcp_server import McpServer
from deploy.registered_apis import CannotRegisterError, Register
from tests.cli.test_apis import register as register
from tests.cli.test_apis import written
from tests.support.commands import run

URL = "https://mcp.example/mcp"
GATEWAY = "https://abc123.execute-api.eu-central-1.amazonaws.com"
SCOPES = "mcp:read mcp:write"


def add(register: Register, url: str = URL, *more: str) -> None:
    run("apis", "add", "--mcp", url, "--mcp-scopes", SCOPES, *more, on=register)


def settings(register: Register, stage: str = "dev") -> Settings:
    """What the deployment would start with."""
    part = json.loads((register.project / ".chalice" / "config.json").read_text())["stages"][stage]
    own = part["lambda_functions"]["api_handler"].get("environment_variables", {})
    here = {"LATCHKEY_ISSUER": "https://id.example", "LATCHKEY_APIS_FILE": str(register.file)}
    return load({**part.get("environment_variables", {}), **own, **here})


def test_its_url_and_scopes_are_all_that_is_said(register: Register, capsys: pytest.CaptureFixture[str]) -> None:
    before = settings(register)
    add(register)
    assert register.read() == {
        "mcp": {
            "name": "mcp",
            "audience": URL,
            "revocation": "stateless",
            "answer": "policy",
            "scopes": {"POST /mcp": "mcp:read"},
            "step_up_scopes": ["mcp:write"],
            "mcp": True,
        }
    }
    now = settings(register)
    assert (before.client_documents, now.client_documents) == (False, True)
    assert now.self_registered_resources == (URL,)
    assert now.self_registered_scopes == (*before.self_registered_scopes, "mcp:read", "mcp:write")
    # Neither open registration nor the JSON login's scopes: nobody asked for those.
    assert (now.registration_open, now.scopes) == (False, before.scopes)
    assert settings(register, "prod").self_registered_resources == ()
    printed = capsys.readouterr().out
    assert "https://mcp.example/.well-known/oauth-protected-resource/mcp" in printed
    assert "keys of" in printed
    assert "create-authorizer" not in printed


def test_the_operators_no_to_documents_stays(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    add(register)
    monkeypatch.setenv("LATCHKEY_CLIENT_DOCUMENTS", "off")
    here = {"LATCHKEY_ISSUER": "https://id.example", "LATCHKEY_APIS_FILE": str(register.file)}
    assert load({**here, "LATCHKEY_CLIENT_DOCUMENTS": "off"}).client_documents is False
    assert load(here).client_documents is True


def test_behind_the_guard_it_is_told_how_to_attach_and_where_to_describe_itself(
    register: Register, capsys: pytest.CaptureFixture[str]
) -> None:
    add(register, f"{GATEWAY}/mcp")
    printed = capsys.readouterr().out
    assert "create-authorizer" in printed
    words = shlex.split(printed[printed.index("INTEGRATION=") :].replace("$(", "").replace(")", ""))
    assert words[words.index("--api-id") + 1] == "abc123"
    assert words[words.index("--integration-uri") + 1].endswith("/.well-known/oauth-protected-resource/mcp")
    assert words[words.index("--route-key") + 1] == "GET /.well-known/oauth-protected-resource/mcp"
    assert "No login can ask" not in printed
    assert [line for line in printed.splitlines() if line.startswith("Its clients read")]


@pytest.mark.parametrize(
    ("url", "api_id", "route"),
    [
        (f"{GATEWAY}/mcp", "abc123", "POST /mcp"),
        (f"{GATEWAY}/api/mcp", "abc123", "POST /mcp"),
        (f"{GATEWAY}/api/mcp/", "abc123", "POST /mcp"),
        (GATEWAY, "abc123", "POST /"),
        ("https://mcp.example/tenant/mcp", "", "POST /tenant/mcp"),
        ("https://abc123.execute-api.eu-central-1.amazonaws.com.evil.example/mcp", "", "POST /mcp"),
    ],
)
def test_id_and_route_follow_from_the_gateways_own_host(url: str, api_id: str, route: str) -> None:
    server = McpServer(url, ("mcp",))
    assert (server.api_id, server.route) == (api_id, route)


def test_a_map_and_an_id_may_say_otherwise(register: Register, tmp_path: Path) -> None:
    file = written(tmp_path, {"POST /v1/mcp": "mcp:read mcp:basic"})
    add(register, URL, "--file", file, "--id", "xyz789", "--name", "notes", "--revocation", "strict")
    (entry,) = register.read().values()
    assert (list(register.read()), entry["name"], entry["revocation"]) == (["xyz789"], "notes", "strict")
    assert (entry["scopes"], entry["step_up_scopes"]) == ({"POST /v1/mcp": "mcp:read mcp:basic"}, ["mcp:write"])


def test_removing_it_takes_back_what_it_alone_had(register: Register) -> None:
    before = settings(register)
    add(register)
    add(register, "https://other.example/mcp", "--id", "other", "--name", "other")
    run("apis", "remove", "--id", "other", "--stage", "dev", on=register)
    assert settings(register).self_registered_resources == (URL,)
    assert {"mcp:read", "mcp:write"} <= set(settings(register).self_registered_scopes)
    run("apis", "remove", "--id", "mcp", "--stage", "dev", on=register)
    after = settings(register)
    assert after.self_registered_scopes == before.self_registered_scopes
    assert (after.self_registered_resources, after.client_documents) == ((), False)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--mcp", "mcp.example/mcp"], "is not the URL of an MCP server"),
        (["--mcp", f"{URL}#x"], "is not the URL of an MCP server"),
        (["--mcp", f"{URL}?x"], "is not the URL of an MCP server"),
        (["--mcp", "https://mcp.example/m\ncp"], "is not the URL of an MCP server"),
        (["--mcp", "https://mcp.example/'+x+'"], "is not the URL of an MCP server"),
        (["--mcp", "https://somebody@mcp.example/mcp"], "is not the URL of an MCP server"),
        (["--mcp", "https://mcp.example:port/mcp"], "is not the URL of an MCP server"),
        (["--mcp", URL, "--mcp-scopes", 'a"b'], "are not scopes"),
        (["--mcp", URL, "--name", "a/b"], "cannot be its name"),
        (["--mcp", URL, "--id", "a/b"], "is not the id of an API"),
        (["--mcp", URL, "--typ", "JWT", "--claim", "nothing"], "nothing"),
        (["--name", "notes", "--file", "x", "--revocation", "strict"], "--id is missing"),
        (["--id", "abc"], "--name is missing"),
    ],
)
def test_what_makes_no_sense_is_said_and_changes_nothing(
    register: Register, arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (register.project / ".chalice" / "config.json").read_text()
    with pytest.raises((CannotRegisterError, SystemExit)) as refusal:
        run("apis", "add", *arguments, on=register)
    assert why in f"{refusal.value} {capsys.readouterr().err}"
    assert register.read() == {}
    assert (register.project / ".chalice" / "config.json").read_text() == before
