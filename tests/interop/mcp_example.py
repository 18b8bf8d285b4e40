"""`examples/mcp` behind the guard, as one of the two kinds of API that API Gateway has, beside a Latchkey that knows it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chalicelib.guard.functions import guard_request
from deploy.mcp_server import McpServer
from local import mcp
from local.api_kinds import HttpApi, Kind, RestApi
from local.gateway import Gateway
from local.integrations import Function
from local.ports import listen, url
from local.server import serving
from tests.interop.served import Served, free_port, latchkey

SCOPES = ("mcp:read", "mcp:write")
FOLDER = Path(__file__).parents[2] / "examples" / "mcp"


@dataclass(frozen=True)
class Example:
    """The issuer, the example's URL as each kind of API, and a server that is known here and does not run yet."""

    served: Served
    http: str
    rest: str
    own: McpServer


@contextmanager
def running(files: Path) -> Iterator[Example]:
    """Serves both for the length of a `with` block."""
    sockets = {"http": listen(), "rest": listen()}
    servers = {kind: McpServer(f"{url(socket)}/mcp", SCOPES) for kind, socket in sockets.items()}
    own = McpServer(f"http://127.0.0.1:{free_port()}/mcp", SCOPES)
    registry = {kind: server.entry(kind) for kind, server in {**servers, "own": own}.items()}
    (files / "apis.json").write_text(json.dumps(registry))
    settings = mcp.settings(servers["http"])
    settings["LATCHKEY_SELF_REGISTERED_RESOURCES"] = " ".join(server.url for server in (*servers.values(), own))
    with latchkey("ES256", files, **settings, LATCHKEY_LIMITS="*=1000000") as served:
        kinds: dict[str, Kind] = {
            "http": HttpApi(),
            "rest": RestApi(
                f"{served.issuer}/.well-known/oauth-protected-resource/rest", scopes=["mcp:read"], remaps=True
            ),
        }
        with (
            _gateway("http", kinds["http"], servers["http"].url, served.issuer) as http,
            _gateway("rest", kinds["rest"], servers["rest"].url, served.issuer) as rest,
            serving(http, sockets["http"]),
            serving(rest, sockets["rest"]),
        ):
            yield Example(served, servers["http"].url, servers["rest"].url, own)


@contextmanager
def _gateway(api_id: str, kind: Kind, address: str, issuer: str) -> Iterator[Gateway]:
    variables = {"MCP_URL": address, "LATCHKEY_ISSUER": issuer}
    function = Function(FOLDER, shell=variables)
    try:
        yield Gateway(function, authorizers={"latchkey": guard_request}, api_id=api_id, kind=kind)
    finally:
        function.stop()
