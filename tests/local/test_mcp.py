"""`make serve MCP=…`: what lets a newcomer's MCP server and its clients find each other."""

import ast
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.config import load
from chalicelib.flows.clients import authenticate as clients
from chalicelib.services import Services
from deploy.mcp_server import McpServer
from local import mcp, serve
from local.served_apis import CannotServe
from tests.support.browser import App, Browser
from tests.support.forge import peek
from tests.support.phone import NETWORK, Clock, Phone, installed

ISSUER = "http://localhost:8000"
URL = "http://127.0.0.1:9000/mcp"
SERVER = McpServer(URL, ("mcp:read", "mcp:write"))
# What the SDK for TypeScript registers that knows the scope of its first challenge.
METADATA = {
    "client_name": "Assistant",
    "redirect_uris": ["http://127.0.0.1:49152/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
    "scope": "mcp:read",
}


def test_a_client_registers_itself_gets_a_token_for_the_server_and_steps_up(
    svc: Services, clock: Clock, tmp_path: Path
) -> None:
    file = tmp_path / "apis.json"
    file.write_text(json.dumps(mcp.registry(SERVER, [])))
    made = load({"LATCHKEY_ISSUER": ISSUER, "LATCHKEY_APIS_FILE": str(file), **mcp.settings(SERVER)})
    names = (
        "registration_open",
        "client_documents",
        "self_registered_scopes",
        "self_registered_resources",
        "apis_file",
    )
    settings = replace(svc.settings, **{name: getattr(made, name) for name in names})
    svc = replace(svc, settings=settings)
    with installed(svc):
        phone = Phone(clock)
        phone.sign_up()
        described = phone.call("GET /.well-known/oauth-protected-resource/mcp").json()
        assert (described["resource"], described["scopes_supported"]) == (URL, ["mcp:read"])
        client = clients.find(svc, phone.call("POST /oauth/register", METADATA).json()["client_id"], network=NETWORK)
        assert client
        app, browser = App(phone, svc, client), Browser(phone)
        for scope in ("mcp:read", "mcp:read mcp:write offline_access"):
            tokens = app.tokens(browser, scope=scope, resource=URL)
            assert tokens["scope"] == scope
            assert peek(tokens["access_token"])[1]["aud"] == URL


def test_what_is_printed_is_python_that_names_issuer_audience_and_scope() -> None:
    program = mcp.fastmcp(SERVER, ISSUER, algorithm="RS256")
    literals = {node.value for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Constant)}
    assert {f"{ISSUER}/.well-known/jwks.json", ISSUER, URL, "mcp:read", "127.0.0.1", 9000, "/mcp"} <= literals


def test_what_is_printed_for_typescript_imports_what_the_sdk_has() -> None:
    sdk = Path(__file__).parents[1] / "interop" / "node_modules" / "@modelcontextprotocol" / "sdk"
    program = mcp.typescript(SERVER, ISSUER)
    imports = re.findall(r"import \{ ([^}]+) \} from '@modelcontextprotocol/sdk/([^']+)'", program)
    assert len(imports) == 3
    for names, module in imports if sdk.exists() else ():
        declared = (sdk / "dist" / "esm" / module).with_suffix(".d.ts").read_text()
        assert [name for name in names.split(", ") if not re.search(rf"(function|class) {name}\b", declared)] == []
    assert f"audience: '{URL}'" in program


def test_each_line_fits_a_page_and_names_the_server() -> None:
    printed = mcp.welcome(SERVER, ISSUER, algorithm="RS256", is_here=False)
    assert [line for line in printed.splitlines() if len(line) > 130] == []
    assert printed.count(URL) >= 4


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--mcp-scopes=mcp:read"], "name its URL with MCP="),
        (["--mcp=127.0.0.1:9000/mcp"], "is not the URL of an MCP server"),
        (["--mcp=ftp://127.0.0.1/mcp"], "is not the URL of an MCP server"),
        (["--mcp=http:///mcp"], "is not the URL of an MCP server"),
        ([f"--mcp={URL}#x"], "is not the URL of an MCP server"),
        ([f"--mcp={URL}", "--mcp-scopes= "], "are not scopes"),
        ([f"--mcp={URL}", '--mcp-scopes=mcp"read'], "are not scopes"),
        ([f"--mcp={URL}", "--mcp-scopes=mcp'read"], "are not scopes"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], why: str
) -> None:
    assert serve.main(arguments) == 1
    assert why in capsys.readouterr().err


def test_without_it_nothing_is_opened() -> None:
    assert mcp.of_the_developer(url=None, scopes=None) is None
    with pytest.raises(CannotServe):
        mcp.of_the_developer(url=None, scopes="mcp:read")
