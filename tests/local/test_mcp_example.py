"""`examples/mcp` behind the guard, with tokens that are not good enough and messages that are not what they seem."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.mcp_server import McpServer
from local import mcp, serve
from local.api_kinds import HttpApi
from local.gateway import Answer, Gateway
from local.integrations import Function
from local.served_apis import CannotServe

EXAMPLE = Path(__file__).parents[2] / "examples" / "mcp"
URL = "https://mcp.example/mcp"
ISSUER = "https://id.example"
METADATA = "https://mcp.example/.well-known/oauth-protected-resource/mcp"
NEVER = 4_000_000_000
VERSION = "io.modelcontextprotocol/protocolVersion"


class Server:
    """The example behind an authorizer that knows one token for each user, good for what a test says."""

    def __init__(self) -> None:
        self.context = {"sub": "ann", "scope": "mcp:read", "exp": str(NEVER)}
        variables = {"MCP_URL": URL, "LATCHKEY_ISSUER": ISSUER}
        function = Function(EXAMPLE, shell=variables)
        self.function = function
        self.gateway = Gateway(
            function,
            authorizers={"latchkey": self.authorize},
            kind=HttpApi(),
        )

    def authorize(self, event: dict[str, Any], _context: object) -> dict[str, Any]:
        """Lets all in that the route's scope is enough for, as the guard does."""
        statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": event["routeArn"]}
        return {"principalId": "ann", "policyDocument": {"Statement": [statement]}, "context": self.context}

    def post(self, body: object, *, method: str = "POST", **headers: str) -> Answer:
        """One message, with a token of its own, so that nothing is remembered of another."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        token = f"Bearer {id(content)}-{self.context}"
        names = {"Authorization": token, "Content-Type": "application/json"}
        return self.gateway.handle(method, "/mcp", {**names, **headers}, content)


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    server = Server()
    yield server
    server.function.stop()


@pytest.fixture
def server(running: Server) -> Server:
    """The one server of all tests, for a user who may read."""
    running.context = {"sub": "ann", "scope": "mcp:read", "exp": str(NEVER)}
    return running


def call(name: str, **arguments: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


def test_a_tool_that_needs_more_is_not_called_and_the_client_is_told_what_to_ask_for(server: Server) -> None:
    answer = server.post(call("write_note", text="milk"))
    assert answer.status == 403
    challenge = answer.header("WWW-Authenticate") or ""
    assert 'scope="mcp:read mcp:write"' in challenge
    assert f'resource_metadata="{METADATA}"' in challenge
    assert server.post(call("list_notes")).json()["result"]["content"][0]["text"] == "No notes yet."


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([call("list_notes"), call("write_note", text="x")], 403),
        ([call("list_notes")], 400),
        (b"{", 400),
        (b"[" * 100_000, 400),
        ("tools/call", 400),
        (None, 400),
        ({"method": 7}, 400),
        ({**call("write_note", text="x"), "id": None}, 403),
        ({"method": "tools/call", "params": {"name": "write_note", "arguments": {"text": "x"}}}, 403),
        (b'{"id": 1, "method": "ping", "method": "tools/call", "params": {"name": "write_note"}}', 403),
        ({**call("write_note"), "params": {"name": ["write_note"], "arguments": {"text": "x"}}}, 200),
    ],
)
def test_no_message_writes_in_another_guise(server: Server, body: object, status: int) -> None:
    answer = server.post(body)
    assert answer.status == status, answer
    assert server.post(call("list_notes")).json()["result"]["content"][0]["text"] == "No notes yet."


def test_a_token_that_expired_while_the_gateway_remembered_it_is_refused(server: Server) -> None:
    server.context["exp"] = "1"
    answer = server.post(call("list_notes"))
    assert (answer.status, answer.header("WWW-Authenticate")) == (
        401,
        f'Bearer scope="mcp:read", resource_metadata="{METADATA}"',
    )


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:9000", "null", ""])
def test_no_page_of_a_browser_reaches_it(server: Server, origin: str) -> None:
    assert server.post(call("list_notes"), Origin=origin).status == 403


def test_without_a_token_nobody_gets_further_than_its_description(server: Server) -> None:
    assert server.gateway.handle("POST", "/mcp", {}, b"{}").status == 401
    described = server.gateway.handle("GET", METADATA.removeprefix("https://mcp.example")).json()
    assert (described["resource"], described["authorization_servers"]) == (URL, [ISSUER])
    for method in ("GET", "DELETE"):  # no stream and no session, whoever asks
        assert server.gateway.handle(method, "/mcp").status == 405


def test_each_user_has_notes_of_their_own(server: Server) -> None:
    server.context |= {"sub": "eve", "scope": "mcp:read mcp:write"}
    assert server.post(call("write_note", text="eve's")).json()["result"]["content"][0]["text"] == "Kept."
    server.context |= {"sub": "ann"}
    assert server.post(call("list_notes")).json()["result"]["content"][0]["text"] == "No notes yet."


@pytest.mark.parametrize(
    ("version", "headers", "status", "code"),
    [
        (
            "2026-07-28",
            {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "list_notes"},
            200,
            None,
        ),
        (
            "2026-07-28",
            {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "x"},
            400,
            -32020,
        ),
        ("2026-07-28", {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}, 400, -32020),
        ("2026-07-28", {}, 400, -32020),
        ("2031-01-01", {}, 400, -32022),
    ],
)
def test_headers_that_say_another_thing_than_the_message_are_refused(
    server: Server, version: str, headers: dict[str, str], status: int, code: int | None
) -> None:
    """MCP 2026-07-28, Streamable HTTP: a gateway may have gone by the headers."""
    message = call("list_notes")
    message["params"]["_meta"] = {VERSION: version}
    answer = server.post(message, **headers)
    assert (answer.status, answer.json().get("error", {}).get("code")) == (status, code)


def test_it_is_served_by_its_folder_as_an_http_api_unless_another_is_chosen() -> None:
    for arguments, kind in ((["--gateway=rest"], "rest"), ([], "http")):
        options = serve._options([f"--mcp={EXAMPLE}", "--api-port=8007", *arguments])
        (_, api), known = serve._served(options)
        assert (api.name, api.target, options.gateway) == ("mcp", str(EXAMPLE), kind)
        assert known == McpServer("http://127.0.0.1:8007/mcp", ("mcp:read", "mcp:write"))
        (entry,) = mcp.registry(known, [api]).values()
        assert (entry["scopes"], entry["step_up_scopes"]) == ({"POST /mcp": "mcp:read"}, ["mcp:write"])


def test_there_is_room_for_one_api() -> None:
    with pytest.raises(CannotServe, match="room for one"):
        serve._served(serve._options([f"--mcp={EXAMPLE}", "--app=examples/notes"]))
    with pytest.raises(CannotServe, match="is not the URL"):
        serve._served(serve._options(["--mcp=examples/nothing"]))
