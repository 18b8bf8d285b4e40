"""An MCP server with one tool, which tells whose access token it was called with; as little of the protocol as that takes."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.jwk import KeySet


class McpServer(ThreadingHTTPServer):
    """Takes tokens of an issuer; where strangers read who that is, it is told as `metadata`."""

    issuer: str
    metadata: str

    @property
    def url(self) -> str:
        """Its address, which is the audience of its tokens."""
        return f"http://127.0.0.1:{self.server_address[1]}/mcp"

    def claims(self, authorization: str) -> dict[str, Any] | None:
        """What an access token says, if it is one for this server, by Authlib's reading of RFC 9068."""
        validator = JWTBearerTokenValidator(self.issuer, self.url)
        validator.get_jwks = self._keys
        try:
            token = validator.authenticate_token(authorization.removeprefix("Bearer "))
            validator.validate_token(token, ["notes:read"], None)
        except OAuth2Error:
            return None
        return dict(token)

    def _keys(self) -> KeySet:
        return KeySet.import_key_set(requests.get(f"{self.issuer}/.well-known/jwks.json", timeout=10).json())


class _Handler(BaseHTTPRequestHandler):
    server: McpServer

    def do_GET(self) -> None:
        self._answer(405)  # it has nothing to say by itself

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        claims = self.server.claims(self.headers.get("Authorization", ""))
        if claims is None:
            self._answer(401, **{"WWW-Authenticate": f'Bearer resource_metadata="{self.server.metadata}"'})
        elif "id" not in message:
            self._answer(202)
        else:
            result = _result(message["method"], message.get("params", {}), claims)
            self._answer(200, {"jsonrpc": "2.0", "id": message["id"], "result": result})

    def _answer(self, status: int, body: object = None, **headers: str) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def _result(method: str, params: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any]:
    if method == "initialize":
        itself = {"name": "whoami", "version": "1.0.0"}
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": itself}
    return {"content": [{"type": "text", "text": json.dumps(claims)}]}


@contextmanager
def serving() -> Iterator[McpServer]:
    """Serves it on a free port of loopback, for the length of a `with` block."""
    server = McpServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
