"""What a handler behind the guard answers where one of its operations needs more than its route."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from chalice.app import Chalice

from chalicelib.guard import challenges
from local.gateway import Gateway

METADATA = "https://id.example/.well-known/oauth-protected-resource/notes"
CONTEXT = {"sub": "u", "scope": "mcp:read openid", "auth_time": "1800000000"}


def parameters(challenge: challenges.Challenge | None) -> dict[str, str]:
    assert challenge
    header = challenge.headers["WWW-Authenticate"]
    assert header.startswith("Bearer ")
    return dict(re.findall(r'([a-z_]+)="([^"\\]*)"', header))


def test_a_token_with_all_the_scopes_is_let_through() -> None:
    assert challenges.for_scopes(CONTEXT, "mcp:read") is None
    assert challenges.for_scopes(CONTEXT) is None


def test_one_without_is_told_what_to_ask_for_and_loses_nothing_by_it() -> None:
    """RFC 6750 section 3.1, and the MCP specification's step-up: the old scopes are in the challenge as well."""
    challenge = challenges.for_scopes(CONTEXT, "mcp:read", "mcp:write", resource_metadata=METADATA)
    assert challenge
    assert (challenge.status, challenge.body["error"]) == (403, "insufficient_scope")
    assert parameters(challenge) == {
        "error": "insufficient_scope",
        "error_description": "The access token does not carry the scope that this needs.",
        "scope": "mcp:read openid mcp:write",
        "resource_metadata": METADATA,
    }
    answer = challenge.as_proxy_answer()
    assert answer["statusCode"] == 403
    assert json.loads(str(answer["body"])) == challenge.body


@pytest.mark.parametrize("context", [{}, {"scope": ""}, {"scope": "mcp:writes mcp"}, {"scope": "xmcp:write"}])
def test_nothing_is_let_through_by_a_part_of_a_name_or_by_nothing(context: dict[str, str]) -> None:
    assert parameters(challenges.for_scopes(context, "mcp:write"))["error"] == "insufficient_scope"


def test_an_old_login_or_none_has_its_user_log_in_again() -> None:
    """RFC 9470 section 3."""
    at = {"max_age": 300, "acr_values": ("phr", "aal2")}
    assert challenges.for_login(CONTEXT, now=1_800_000_300, **at) is None  # type: ignore[arg-type]
    for context, now in ((CONTEXT, 1_800_000_301), ({}, 0), ({"auth_time": ""}, 0), ({"auth_time": "-1"}, 0)):
        challenge = challenges.for_login(context, now=now, **at)  # type: ignore[arg-type]
        assert challenge
        assert challenge.status == 401
        named = parameters(challenge)
        assert (named["error"], named["acr_values"], named["max_age"]) == (
            "insufficient_user_authentication",
            "phr aal2",
            "300",
        )


@pytest.mark.parametrize(
    ("acr", "acr_values", "is_enough"),
    [
        ("aal1", ("aal2",), False),
        ("aal2", ("aal2",), True),
        ("phr", ("aal2",), True),
        ("aal2", ("phr",), False),
        ("aal2", ("phr", "aal2"), True),
        ("", ("aal1",), False),
        ("AAL2", ("aal2",), False),
        ("aal2 ", ("aal2",), False),
        ("urn:mace:incommon:iap:silver", ("aal1",), False),
        ("phr", ("urn:mace:incommon:iap:silver",), False),
    ],
)
def test_a_login_of_a_lower_level_gives_one_proof_more(acr: str, acr_values: tuple[str, ...], is_enough: bool) -> None:
    """RFC 9470 section 3; a level that nobody knows is reached by none and reaches none."""
    challenge = challenges.for_level({**CONTEXT, "acr": acr}, *acr_values, resource_metadata=METADATA)
    assert (challenge is None) == is_enough
    if challenge:
        assert (challenge.status, parameters(challenge)["error"]) == (401, "insufficient_user_authentication")
        assert parameters(challenge)["acr_values"] == " ".join(acr_values)


def test_a_context_that_says_no_level_has_none() -> None:
    assert challenges.for_level({}, "aal1")
    assert challenges.for_level({}) is None


@pytest.mark.parametrize("hostile", ['x", error="none', "x\r\nSet-Cookie: a=b", "x\\", "é"])
def test_no_scope_ends_the_header_or_its_quotation(hostile: str) -> None:
    challenge = challenges.for_scopes({"scope": hostile}, "mcp:write")
    assert challenge
    header = challenge.headers["WWW-Authenticate"]
    assert re.fullmatch(r'Bearer error="[^"]*", error_description="[^"]*", scope="[ -!#-\[\]-~]*"', header)


def test_the_file_runs_by_itself(tmp_path: Path) -> None:
    copy = tmp_path / "challenges.py"
    copy.write_text(Path(challenges.__file__).read_text())
    program = "import challenges, sys; sys.exit(challenges.for_scopes({}, 'x').status != 403)"
    assert (
        subprocess.run(
            [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; {program}"], check=False
        ).returncode
        == 0
    )


CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "write", "arguments": {}}}
TOOLS = {"write": "mcp:write", "erase": "mcp:write mcp:erase"}


def test_a_call_of_a_tool_is_challenged_for_all_that_the_tool_needs_at_once() -> None:
    for name, needed in TOOLS.items():
        message = {**CALL, "params": {"name": name}}
        challenge = challenges.for_tools(message, CONTEXT, TOOLS, resource_metadata=METADATA)
        assert parameters(challenge)["scope"] == f"mcp:read openid {needed}"
    enough = {"scope": "mcp:write mcp:erase"}
    assert challenges.for_tools([CALL, CALL], enough, TOOLS) is None


def test_a_tool_in_a_batch_is_found_wherever_it_is() -> None:
    batch = [{**CALL, "method": "ping"}, {**CALL, "params": {"name": "read"}}, {**CALL, "params": {"name": "erase"}}]
    assert parameters(challenges.for_tools(batch, CONTEXT, TOOLS))["scope"].split()[-2:] == ["mcp:write", "mcp:erase"]


@pytest.mark.parametrize(
    "message",
    [
        None,
        "tools/call",
        7,
        [],
        {},
        [None, "x"],
        {"method": "tools/call"},
        {"method": "tools/call", "params": None},
        {"method": "tools/call", "params": ["write"]},
        {"method": "tools/call", "params": {"name": ["write"]}},
        {"method": "tools/list", "params": {"name": "write"}},
        {"method": "tools/call", "params": {"name": "WRITE"}},
    ],
)
def test_what_calls_no_tool_of_these_is_left_to_the_server(message: object) -> None:
    assert challenges.for_tools(message, {}, TOOLS) is None


def test_an_api_describes_itself_where_rfc_9728_section_3_looks_for_it() -> None:
    app = Chalice("mcp")
    address = challenges.serve_metadata(
        app, "https://mcp.example/v1/mcp", issuer="https://id.example", scopes=["mcp:read"]
    )
    assert address == "https://mcp.example/.well-known/oauth-protected-resource/v1/mcp"
    answer = Gateway(app).handle("GET", address.removeprefix("https://mcp.example"))
    assert (answer.status, answer.header("Access-Control-Allow-Origin")) == (200, "*")
    assert answer.json() == {
        "resource": "https://mcp.example/v1/mcp",
        "authorization_servers": ["https://id.example"],
        "scopes_supported": ["mcp:read"],
        "bearer_methods_supported": ["header"],
    }
    for root in ("https://mcp.example", "https://mcp.example/"):
        at_root = challenges.serve_metadata(Chalice("mcp"), root, issuer="https://id.example", scopes=[])
        assert at_root == "https://mcp.example/.well-known/oauth-protected-resource"


class Asgi:
    """A server behind the middleware, and what a request of it is answered."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.app = challenges.ToolScopes(self.serve, tools=TOOLS, resource_metadata=METADATA)

    async def serve(self, _scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def post(self, *parts: bytes, method: str = "POST", **scope: Any) -> tuple[int, dict[bytes, bytes]]:
        pending, sent = list(parts), []

        async def receive() -> dict[str, Any]:
            part = pending.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(pending)}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asyncio.run(self.app({"type": "http", "method": method, **scope}, receive, send))
        return sent[0]["status"], dict(sent[0]["headers"])


def by_the_guard(context: Mapping[str, str], *, http_api: bool) -> dict[str, Any]:
    """The scope of an ASGI request as Mangum makes it of Lambda's event."""
    authorizer = {"lambda": context} if http_api else context
    return {"aws.event": {"requestContext": {"authorizer": authorizer}}}


def by_starlette(scopes: list[str] | None) -> dict[str, Any]:
    """The same as Starlette's AuthenticationMiddleware leaves it, where the server has checked a token, or has seen none."""
    return {"user": SimpleNamespace(is_authenticated=scopes is not None), "auth": SimpleNamespace(scopes=scopes or [])}


@pytest.mark.parametrize("http_api", [False, True])
def test_the_middleware_goes_by_what_the_guard_passed_on(http_api: bool) -> None:
    body, asgi = json.dumps(CALL).encode(), Asgi()
    status, headers = asgi.post(body[:9], body[9:], **by_the_guard(CONTEXT, http_api=http_api))
    assert (status, asgi.bodies) == (403, [])
    assert b'scope="mcp:read openid mcp:write"' in headers[b"www-authenticate"]
    assert asgi.post(body[:9], body[9:], **by_the_guard({"scope": "mcp:write"}, http_api=http_api)) == (200, {})
    assert asgi.bodies == [body]


def test_the_middleware_goes_by_the_token_that_the_server_has_checked() -> None:
    body, asgi = json.dumps(CALL).encode(), Asgi()
    assert asgi.post(body, **by_starlette(["mcp:read"]))[0] == 403
    assert asgi.post(body, **by_starlette(["mcp:write"]))[0] == 200
    # RFC 6750 section 3.1: no error for who came without a token.
    nobody: list[dict[str, Any]] = [by_starlette(None), {}, {"aws.event": {}}, by_the_guard({}, http_api=False)]
    for stranger in nobody:
        status, headers = asgi.post(body, **stranger)
        assert (status, headers[b"www-authenticate"]) == (
            401,
            f'Bearer scope="mcp:write", resource_metadata="{METADATA}"'.encode(),
        )
    assert len(asgi.bodies) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"a=b", b"\xff", json.dumps({**CALL, "method": "ping"}).encode()])
def test_the_middleware_leaves_everything_else_to_the_server(body: bytes) -> None:
    asgi = Asgi()
    assert asgi.post(body, **by_starlette(None))[0] == 200
    assert asgi.post(json.dumps(CALL).encode(), method="GET")[0] == 200
    assert asgi.bodies[0] == body


def test_a_call_that_is_nested_too_deeply_to_be_read_here_reaches_no_server() -> None:
    asgi = Asgi()
    deep = f'{{{json.dumps(CALL)[1:-1]}, "deep": {"[" * 100_000}{"]" * 100_000}}}'.encode()
    for scope in (by_starlette(None), by_starlette(["mcp:write"]), by_the_guard(CONTEXT, http_api=True)):
        status, headers = asgi.post(deep, **scope)
        assert (status, b"invalid_request" in headers[b"www-authenticate"]) == (400, True)
    assert asgi.bodies == []
