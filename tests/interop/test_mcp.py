"""The Model Context Protocol's own client: from an MCP server's address alone to a call of its tool."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.registered_apis import entry
from tests.interop import javascript, mcp_server
from tests.interop.javascript import run
from tests.interop.mcp_server import McpServer
from tests.interop.served import Served, latchkey
from tests.support.internet import Page

javascript.needed()
ALGORITHM = "ES256"
REDIRECT = "http://127.0.0.1:49152/callback"
METADATA = {
    "client_name": "Assistant",
    "redirect_uris": [REDIRECT],
    "grant_types": ["authorization_code", "refresh_token"],
}


@pytest.fixture(scope="module")
def server() -> Iterator[McpServer]:
    """An MCP server, which knows its issuer once there is one."""
    with mcp_server.serving() as running:
        yield running


@pytest.fixture(scope="module")
def served(server: McpServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Have Latchkey know the MCP server as one of its APIs, and let any client register itself for it."""
    files = tmp_path_factory.mktemp("served")
    api = entry(
        name="whoami", scopes={"POST /mcp": "notes:read"}, revocation="stateless", answer="simple", audience=server.url
    )
    (files / "apis.json").write_text(json.dumps({"0123456789": api}))
    settings = {
        "LATCHKEY_REGISTRATION": "open",
        "LATCHKEY_SELF_REGISTERED_SCOPES": "notes:read",
        "LATCHKEY_SELF_REGISTERED_RESOURCES": server.url,
    }
    with latchkey(ALGORITHM, files, **settings) as running:
        server.issuer = running.issuer
        server.metadata = f"{running.issuer}/.well-known/oauth-protected-resource/whoami"
        yield running


def check(served: Served, server: McpServer, answer: dict[str, Any]) -> None:
    """Asserts that the tool was called for a user, with tokens for this server that were refreshed in between."""
    assert answer["authorization"]["resource"] == server.url
    assert answer["state"] == "a state"
    for claims in (answer["first"], answer["second"]):
        assert (claims["iss"], claims["aud"], claims["scope"]) == (served.issuer, server.url, "notes:read")
        assert claims["client_id"] == answer["client"]["client_id"]
    assert answer["first"]["jti"] != answer["second"]["jti"]


@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
def test_an_mcp_client_registers_itself_and_calls_a_tool_for_its_user(
    served: Served, server: McpServer, method: str
) -> None:
    params = {
        "server": server.url,
        "redirect_uri": REDIRECT,
        "metadata": {**METADATA, "token_endpoint_auth_method": method},
    }
    answer = run("mcp/client.mjs", params, served.person())
    check(served, server, answer)
    assert answer["client"]["token_endpoint_auth_method"] == method


def test_an_mcp_client_is_known_by_its_document_and_calls_a_tool_for_its_user(
    served: Served, server: McpServer
) -> None:
    address = "https://app.example/assistant.json"
    document = {**METADATA, "client_id": address, "token_endpoint_auth_method": "none"}
    served.internet.pages[address] = Page(json.dumps(document).encode())
    params = {"server": server.url, "redirect_uri": REDIRECT, "metadata": METADATA, "document": address}
    answer = run("mcp/client.mjs", params, served.person())
    check(served, server, answer)
    assert answer["client"]["client_id"] == address
