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
from local.server import listen, serving, url
from tests.interop.served import Served, latchkey

FOLDER = Path(__file__).parents[2] / "examples" / "mcp"


@dataclass(frozen=True)
class Example:
    """The issuer, and the example's URL as each kind of API."""

    served: Served
    http: str
    rest: str


@contextmanager
def running(files: Path) -> Iterator[Example]:
    """Serves both for the length of a `with` block."""
    sockets = {"http": listen(), "rest": listen()}
    servers = {kind: McpServer(f"{url(socket)}/mcp", ("mcp:read", "mcp:write")) for kind, socket in sockets.items()}
    registry = {kind: server.entry(kind) for kind, server in servers.items()}
    (files / "apis.json").write_text(json.dumps(registry))
    settings = mcp.settings(servers["http"])
    settings["LATCHKEY_SELF_REGISTERED_RESOURCES"] = " ".join(server.url for server in servers.values())
    with latchkey("ES256", files, **settings, LATCHKEY_LIMITS="*=1000000") as served:
        kinds: dict[str, Kind] = {
            "http": HttpApi(),
            "rest": RestApi(
                f"{served.issuer}/.well-known/oauth-protected-resource/rest", scopes=["mcp:read"], remaps=True
            ),
        }
        gateways = {kind: _gateway(kind, kinds[kind], servers[kind].url, served.issuer) for kind in kinds}
        with serving(gateways["http"], sockets["http"]), serving(gateways["rest"], sockets["rest"]):
            yield Example(served, servers["http"].url, servers["rest"].url)


def _gateway(api_id: str, kind: Kind, address: str, issuer: str) -> Gateway:
    variables = {"MCP_URL": address, "LATCHKEY_ISSUER": issuer}
    function = Function(FOLDER, shell=variables)
    return Gateway(function, authorizers={"latchkey": guard_request}, api_id=api_id, kind=kind)
