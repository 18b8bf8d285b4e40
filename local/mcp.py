"""An MCP server of the developer's own: what the local run needs to know of it, and prints.

It checks tokens by itself, and is named by its URL; or it is a Chalice app, served here behind the guard.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy import mcp_server
from deploy.mcp_server import NAME, McpServer, NotAnMcpServer
from deploy.registered_apis import DEFAULTS, OFFERED_RESOURCES, OFFERED_SCOPES
from local import served_apis
from local.served_apis import Api, CannotServe

# What a tool asks for beside the map, unless MCP_SCOPES= says otherwise: no map names it, and examples/mcp has this.
STEP_UP = "mcp:write"


def of_the_developer(*, url: str | None, scopes: str | None) -> McpServer | None:
    """Return the developer's MCP server, if one was named by its URL; raise CannotServe where it makes no sense."""
    if url is None:
        if scopes is not None:
            raise CannotServe("MCP_SCOPES= are scopes of which MCP server? name its URL with MCP=")
        return None
    return _parse(url, scopes or "mcp")


def _parse(url: str, scopes: str) -> McpServer:
    try:
        return mcp_server.parse(url, scopes)
    except NotAnMcpServer as wrong:
        raise CannotServe(f"MCP={wrong}") from None


def of_folder(folder: str, *, scopes: str | None, port: int) -> tuple[Api, McpServer]:
    """Return an MCP server that is a Chalice app, as an API to serve on a port; its scope map says what all of it needs."""
    app = served_apis.folder_of(Path(folder))
    reading = served_apis.read(None, app)
    needed = " ".join(scope for scopes_of_route in reading.scopes.values() for scope in scopes_of_route.split())
    server = _parse(f"http://127.0.0.1:{port}/mcp", scopes or f"{needed} {STEP_UP}")
    return Api(NAME, str(app), reading.scopes, reading.public, reading.acr), server


def registry(server: McpServer | None, served: Iterable[Api]) -> dict[str, Any]:
    """Return what a deployment would ship of it as a registered API, whether it is served here or not."""
    if server is None:
        return {}
    own = next((api for api in served if api.name == NAME), None)
    return {NAME: server.entry(NAME, scope_map=own.scopes if own else None, acr=own.acr if own else None)}


def settings(server: McpServer) -> dict[str, str]:
    """Return what lets clients come to a server that nobody has registered; documents come with the entry in the register."""
    return {
        "LATCHKEY_REGISTRATION": "open",
        OFFERED_SCOPES: " ".join((*DEFAULTS[OFFERED_SCOPES], *server.scopes)),
        OFFERED_RESOURCES: server.url,
    }


def welcome(server: McpServer, issuer: str, *, algorithm: str, is_here: bool) -> str:
    """Return what to type for a client and for a deployment, and what makes a server check tokens of this run if none is here."""
    url = f"https://<host>{urlsplit(server.url).path}"
    return f"""
MCP        {server.url}   (its clients come with a document or register themselves; scopes {" ".join(server.scopes)})
{"" if is_here else _of_a_server(server, issuer, algorithm)}
Inspector: npx @modelcontextprotocol/inspector, then Streamable HTTP and {server.url}
Claude:    claude mcp add --transport http mine {server.url}
Others:    npx mcp-remote {server.url}
Deployed:  ./latchkey apis add --stage dev --mcp {url} --mcp-scopes "{" ".join(server.scopes)}"
           (with --id, if the guard is before it at a domain of its own; docs/mcp.md has the rest)
"""


def _of_a_server(server: McpServer, issuer: str, algorithm: str) -> str:
    return f"""
FastMCP (Python):
{_indented(fastmcp(server, issuer, algorithm=algorithm))}

TypeScript SDK, with Express and jose:
{_indented(typescript(server, issuer))}
"""


def fastmcp(server: McpServer, issuer: str, *, algorithm: str) -> str:
    """Return a server in Python that takes this run's tokens."""
    place = urlsplit(server.url)
    return f'''\
from fastmcp import FastMCP
from fastmcp.server.auth import RemoteAuthProvider
from fastmcp.server.auth.providers.jwt import JWTVerifier
tokens = JWTVerifier(
    jwks_uri="{issuer}/.well-known/jwks.json", issuer="{issuer}",
    audience="{server.url}", required_scopes=["{server.scopes[0]}"], algorithm="{algorithm}")
auth = RemoteAuthProvider(
    token_verifier=tokens, authorization_servers=["{issuer}"], base_url="{place.scheme}://{place.netloc}")
mcp = FastMCP("mine", auth=auth)
mcp.run(transport="http", host="{place.hostname}", port={place.port or 443}, path="{place.path or "/"}")'''


def typescript(server: McpServer, issuer: str) -> str:
    """Return the middleware of a server in TypeScript that takes this run's tokens."""
    supported = ", ".join(f"'{scope}'" for scope in server.scopes)
    return f"""\
import {{ createRemoteJWKSet, jwtVerify }} from 'jose'
import {{ InvalidTokenError }} from '@modelcontextprotocol/sdk/server/auth/errors.js'
import {{ requireBearerAuth }} from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import {{ getOAuthProtectedResourceMetadataUrl, mcpAuthMetadataRouter }} from '@modelcontextprotocol/sdk/server/auth/router.js'
const issuer = '{issuer}', url = new URL('{server.url}')
const keys = createRemoteJWKSet(new URL(issuer + '/.well-known/jwks.json'))
const wanted = {{ issuer, audience: '{server.url}', typ: 'at+jwt' }}
const verifyAccessToken = (token) => jwtVerify(token, keys, wanted).then(
  ({{ payload: {{ client_id, scope, exp }} }}) => ({{ token, clientId: client_id, scopes: scope.split(' '), expiresAt: exp }}),
  () => {{ throw new InvalidTokenError('The token is not good here.') }})
const oauthMetadata = await (await fetch(issuer + '/.well-known/oauth-authorization-server')).json()
app.use(mcpAuthMetadataRouter({{ oauthMetadata, resourceServerUrl: url, scopesSupported: [{supported}] }}))
app.use(url.pathname, requireBearerAuth({{ verifier: {{ verifyAccessToken }}, requiredScopes: ['{server.scopes[0]}'],
  resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(url) }}))"""


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
