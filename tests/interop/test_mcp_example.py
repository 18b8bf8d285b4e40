"""`examples/mcp`, an MCP server behind the guard, as clients find it that know its URL alone: to a tool that needs more."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from local import mcp
from tests.interop import javascript, mcp_clients, mcp_example
from tests.interop.javascript import run
from tests.interop.mcp_example import Example
from tests.support.internet import Page

javascript.needed()
ROOT = Path(__file__).parents[2]
REDIRECT = "http://127.0.0.1:49152/callback"
METADATA = {
    "client_name": "Assistant",
    "redirect_uris": [REDIRECT],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
    "application_type": "native",
}
# Version 1 of the SDK refreshes before it asks for more, which widens nothing: a client of it steps up without refresh tokens.
WITHOUT_REFRESH = {**METADATA, "grant_types": ["authorization_code"]}
DOCUMENTS = {"https://app.example/1.json": WITHOUT_REFRESH, "https://app.example/2.json": METADATA}
NEWEST = "2026-07-28"


@pytest.fixture(scope="module")
def example(aws: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:  # noqa: ARG001 - the AWS that it runs on
    with mcp_example.running(tmp_path_factory.mktemp("example")) as running:
        for address, metadata in DOCUMENTS.items():
            document = Page(json.dumps({**metadata, "client_id": address}).encode())
            running.served.internet.pages[address] = document
        yield running


def typescript(example: Example, server: str, sdk: int, *, by_document: bool, version: str = "") -> dict[str, Any]:
    document, metadata = list(DOCUMENTS.items())[sdk - 1]
    params: dict[str, Any] = {"sdk": sdk, "server": server, "redirect_uri": REDIRECT, "metadata": metadata}
    params |= {"document": document} if by_document else {}
    params |= {"version": version} if version else {}
    answer: dict[str, Any] = run("mcp/tools.mjs", params, example.served.person())
    assert answer["tools"] == ["list_notes", "write_note"]
    assert answer["before"] == "No notes yet."
    assert (answer["client"]["client_id"] == document) is by_document
    return answer


@pytest.mark.parametrize(
    ("sdk", "by_document", "version"), [(1, False, ""), (1, True, ""), (2, False, ""), (2, True, NEWEST)]
)
def test_a_typescript_client_logs_in_and_once_more_where_a_tool_needs_more(
    example: Example, sdk: int, by_document: bool, version: str
) -> None:
    """An HTTP API: its 401 says nothing, so the client looks for the metadata below the server's own host."""
    answer = typescript(example, example.http, sdk, by_document=by_document, version=version)
    assert (answer["kept"], answer["after"]) == ("Kept.", "milk")
    first, second = (set(scope.split()) - {"offline_access"} for scope in answer["scopes"])
    assert (first, second) == ({"mcp:read"}, {"mcp:read", "mcp:write"})
    assert {"mcp:read", "mcp:write"} <= set(answer["granted"].split())


@pytest.mark.parametrize("sdk", [1, 2])
def test_behind_a_rest_api_it_logs_in_by_the_gateways_challenge_and_a_tools_is_lost(example: Example, sdk: int) -> None:
    answer = typescript(example, example.rest, sdk, by_document=True)
    assert len(answer["scopes"]) == 1
    assert answer["refused"]
    assert "write" not in answer["granted"]


STEPPED_UP = [{"mcp:read"}, {"mcp:read", "mcp:write"}]
WROTE = ["No notes yet.", "Kept.", "milk"]


@pytest.mark.parametrize(("document", "mode"), [("", "legacy"), ("https://app.example/2.json", "auto")])
def test_a_python_client_logs_in_and_once_more_where_a_tool_needs_more(
    example: Example, document: str, mode: str
) -> None:
    outcome = mcp_clients.python_sdk(example.http, example.served.person(), METADATA, document=document, mode=mode)
    assert (outcome.texts, outcome.scopes) == (WROTE, STEPPED_UP)


@pytest.mark.filterwarnings("ignore:Using in-memory token storage")
def test_fastmcps_client_does_the_same(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = mcp_clients.fastmcp_client(example.http, example.served.person(), monkeypatch)
    assert (outcome.texts, outcome.scopes) == (WROTE, STEPPED_UP)


def test_mcp_remote_does_the_same_for_a_program_that_speaks_stdio(example: Example, tmp_path: Path) -> None:
    with mcp_clients.remote(example.http, example.served.person(), tmp_path) as client:
        outcome = client.calls()
    assert (outcome.texts, outcome.scopes) == (WROTE, STEPPED_UP), "".join(client.log)


TOOLS = """
from starlette.middleware import Middleware
from chalicelib.guard.challenges import ToolScopes
notes = []
@mcp.tool
def list_notes() -> str:
    return "\\n".join(notes) or "No notes yet."
@mcp.tool
def write_note(text: str) -> str:
    notes.append(text)
    return "Kept."
step_up = Middleware(ToolScopes, tools={"write_note": "mcp:write"}, resource_metadata="{metadata}")
"""


@pytest.fixture
def fastmcp_server(example: Example) -> Iterator[str]:
    """The server that `make serve` prints, with two tools and the middleware; its URL once it listens."""
    host = example.own.url.removesuffix("/mcp")
    metadata = f"{host}/.well-known/oauth-protected-resource/mcp"
    program, _, last = mcp.fastmcp(example.own, example.served.issuer, algorithm="ES256").rpartition("\n")
    last = last.replace("mcp.run(", "mcp.run(middleware=[step_up], show_banner=False, ")
    text = "\n".join([program, TOOLS.replace("{metadata}", metadata), last])
    process = subprocess.Popen([sys.executable, "-c", text], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        assert mcp_clients.get_when_it_listens(metadata).json()["authorization_servers"] == [example.served.issuer]
        yield example.own.url
    finally:
        process.kill()
        process.wait()


def test_a_tool_of_a_fastmcp_server_that_checks_tokens_itself_asks_for_more(
    example: Example, fastmcp_server: str
) -> None:
    assert requests.post(fastmcp_server, json={}, timeout=10).status_code == 401
    outcome = mcp_clients.python_sdk(fastmcp_server, example.served.person(), METADATA)
    assert (outcome.texts, outcome.scopes) == (WROTE, STEPPED_UP)


TYPESCRIPT = """
import express from 'express'
import { z } from 'zod'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
const app = express(), notes = [], text = (text) => ({ content: [{ type: 'text', text }] })
app.use(express.json())
{program}
app.post(url.pathname, async (request, response) => {
  const server = new McpServer({ name: 'mine', version: '1.0.0' })
  server.registerTool('list_notes', {}, () => text(notes.join() || 'No notes yet.'))
  server.registerTool('write_note', { inputSchema: { text: z.string() } }, (given) => (notes.push(given.text), text('Kept.')))
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined })
  await server.connect(transport)
  await transport.handleRequest(request, response, request.body)
})
app.listen(url.port, url.hostname)
"""


@pytest.fixture
def typescript_server(example: Example) -> Iterator[str]:
    """A server with the middleware that `make serve` prints; its URL once it listens."""
    assert javascript.NODE
    text = TYPESCRIPT.replace("{program}", mcp.typescript(example.own, example.served.issuer))
    command = [javascript.NODE, "--input-type=module", "--eval", text]
    process = subprocess.Popen(command, cwd=javascript.ROOM, stderr=subprocess.DEVNULL)
    try:
        host = example.own.url.removesuffix("/mcp")
        mcp_clients.get_when_it_listens(f"{host}/.well-known/oauth-protected-resource/mcp")
        yield example.own.url
    finally:
        process.kill()
        process.wait()


def test_a_typescript_server_with_what_is_printed_takes_the_runs_tokens(
    example: Example, typescript_server: str
) -> None:
    for headers in ({}, {"Authorization": "Bearer no.such.token"}):
        refused = requests.post(typescript_server, json={}, headers=headers, timeout=10)
        assert (refused.status_code, "resource_metadata=" in refused.headers["WWW-Authenticate"]) == (401, True)
    outcome = mcp_clients.python_sdk(typescript_server, example.served.person(), METADATA, mode="legacy")
    assert outcome.texts == WROTE
