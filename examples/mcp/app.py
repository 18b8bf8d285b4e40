"""An MCP server as a Lambda function behind Latchkey's guard: two tools, of which one needs more than the server itself.

It knows no token. The guard lets in whoever has `mcp:read`, and tells in `requestContext.authorizer` who that is and what
the token is good for; a call of the tool that writes is challenged here. Nothing is kept between two requests, so it speaks
MCP's revision 2026-07-28, and the `initialize` of those before it without a session.
"""

import os
import time
from collections import defaultdict
from typing import Any

from chalice.app import BadRequestError, Chalice, CustomAuthorizer, Response

from chalicelib import challenges  # type: ignore[attr-defined]  # a copy of Latchkey's chalicelib/guard/challenges.py

# Its own URL is the audience of its tokens.
URL = os.environ.get("MCP_URL", "http://127.0.0.1:8003/mcp")
ISSUER = os.environ.get("LATCHKEY_ISSUER", "http://localhost:8000")
VERSION = "2026-07-28"
EARLIER = ("2025-11-25", "2025-06-18", "2025-03-26")
ITSELF = {"name": "notes", "version": "1.0.0"}
CAPABILITIES: dict[str, Any] = {"tools": {}}
META = "io.modelcontextprotocol"
SCOPES = {"write_note": "mcp:write"}
TOOLS = [
    {
        "name": "list_notes",
        "description": "The user's notes, oldest first.",
        "inputSchema": {"type": "object", "properties": {}},
    },
    {
        "name": "write_note",
        "description": "Keeps a new note of the user's.",
        "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    },
]
METHOD_NOT_FOUND, INVALID_REQUEST, INVALID_PARAMS = -32601, -32600, -32602
HEADER_MISMATCH, UNSUPPORTED_VERSION = -32020, -32022

app = Chalice(app_name="mcp")
guard = CustomAuthorizer("latchkey", authorizer_uri=os.environ.get("LATCHKEY_GUARD_URI", "no guard"))
METADATA = challenges.serve_metadata(app, URL, issuer=ISSUER, scopes=["mcp:read"])

# Gone with the process, and not shared between two. A real server has a table, with `sub` as its partition key.
notes_of: dict[str, list[str]] = defaultdict(list)


class RpcError(Exception):
    """An error of JSON-RPC, and the HTTP status that goes with it."""

    def __init__(self, code: int, message: str, *, status: int = 400, data: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, **({"data": data} if data else {})}


@app.route("/mcp", methods=["POST"], authorizer=guard)
def mcp() -> Response:
    """Answer one message."""
    request: Any = app.current_request
    # An HTTP API has it one level deeper in payload 2.0.
    context = request.context["authorizer"].get("lambda", request.context["authorizer"])
    # API Gateway remembers the guard's answer for some minutes, and a token may expire meanwhile.
    if int(context["exp"]) <= time.time():
        return as_response(challenges.without_token("mcp:read", resource_metadata=METADATA))
    if "origin" in request.headers:  # no page of a browser calls it, whatever name it has for this machine
        return Response({"error": "forbidden_origin"}, status_code=403)
    try:
        message = request.json_body
    except RecursionError:
        raise BadRequestError("The JSON is nested too deeply.") from None
    if challenge := challenges.for_tools(message, context, SCOPES, resource_metadata=METADATA):
        return as_response(challenge)
    return answer(message, request.headers, context["sub"])


@app.route("/mcp", methods=["GET", "DELETE"])
def no_stream() -> Response:
    """There is nothing to listen to, and no session to end."""
    return Response("", {"Allow": "POST"}, 405)


def as_response(challenge: Any) -> Response:
    """Return a challenge as Chalice has it."""
    return Response(challenge.body, dict(challenge.headers), challenge.status)


def answer(message: Any, headers: Any, user: str) -> Response:
    """Return the answer to a message of JSON-RPC: a result, an error, or nothing to a notification."""
    if not isinstance(message, dict) or not isinstance(message.get("method"), str):
        return _rpc(None, 400, error={"code": INVALID_REQUEST, "message": "One request of JSON-RPC a time."})
    if "id" not in message:
        return Response("", status_code=202)
    params = message.get("params")
    params = params if isinstance(params, dict) else {}
    try:
        return _rpc(message["id"], 200, result=result(message["method"], params, headers, user))
    except RpcError as error:
        return _rpc(message["id"], error.status, error=error.body)


def _rpc(id: Any, status: int, **outcome: Any) -> Response:  # noqa: A002 - as in the message
    return Response({"jsonrpc": "2.0", "id": id, **outcome}, {"Content-Type": "application/json"}, status)


def result(method: str, params: dict[str, Any], headers: Any, user: str) -> dict[str, Any]:
    """Return what a method gives, in the words of the revision that the client speaks; raise RpcError."""
    meta = params.get("_meta")
    version = meta.get(f"{META}/protocolVersion") if isinstance(meta, dict) else None
    if version is None:
        return earlier_result(method, params, user)
    _check(method, params, headers, version)
    complete = {"resultType": "complete", "_meta": {f"{META}/serverInfo": ITSELF}}
    caching = {"ttlMs": 3_600_000, "cacheScope": "public"}
    if method == "server/discover":
        return {**complete, **caching, "supportedVersions": [VERSION], "capabilities": CAPABILITIES}
    if method == "tools/list":
        return {**complete, **caching, "tools": TOOLS}
    return {**complete, **tool_result(method, params, user, unknown=404)}


def _check(method: str, params: dict[str, Any], headers: Any, version: str) -> None:
    if version != VERSION:
        data = {"supported": [VERSION], "requested": version}
        raise RpcError(UNSUPPORTED_VERSION, "This revision is not spoken here.", data=data)
    expected = {"mcp-protocol-version": version, "mcp-method": method}
    if method == "tools/call":
        expected["mcp-name"] = str(params.get("name"))
    if wrong := [name for name, value in expected.items() if headers.get(name) != value]:
        raise RpcError(HEADER_MISMATCH, f"The header {wrong[0]} is not what the message says.")


def earlier_result(method: str, params: dict[str, Any], user: str) -> dict[str, Any]:
    """Return the same for revisions that begin with `initialize`."""
    if method == "initialize":
        requested = params.get("protocolVersion")
        version = requested if requested in EARLIER else EARLIER[0]
        return {"protocolVersion": version, "capabilities": CAPABILITIES, "serverInfo": ITSELF}
    if method == "ping":
        return {}
    if method == "tools/list":
        return {"tools": TOOLS}
    return tool_result(method, params, user, unknown=200)


def tool_result(method: str, params: dict[str, Any], user: str, *, unknown: int) -> dict[str, Any]:
    """Return what a tool gives."""
    arguments = params.get("arguments") or {}
    match method, params.get("name"), arguments:
        case "tools/call", "list_notes", _:
            text = "\n".join(notes_of[user]) or "No notes yet."
        case "tools/call", "write_note", {"text": str(note)} if 0 < len(note) <= 2000:
            notes_of[user].append(note)
            text = "Kept."
        case "tools/call", _, _:
            raise RpcError(INVALID_PARAMS, "There is no such tool, or it does not take this.", status=200)
        case _:
            raise RpcError(METHOD_NOT_FOUND, "There is no such method.", status=unknown)
    return {"content": [{"type": "text", "text": text}]}
