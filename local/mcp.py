"""An MCP server of the developer's own, which checks tokens by itself: what the local run needs to know of it, and prints."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from chalicelib import config
from chalicelib.domain.oauth import scopes as scopes_domain
from deploy import registered_apis
from local.served_apis import CannotServe

NAME = "mcp"


@dataclass(frozen=True)
class McpServer:
    """Its URL, which is the audience of its tokens, and the scopes that its tools need; the first is for all of them."""

    url: str
    scopes: tuple[str, ...]

    def settings(self) -> dict[str, str]:
        """Return what lets clients come to it that nobody has registered."""
        offered = config.load({"LATCHKEY_ISSUER": "http://localhost"}).self_registered_scopes
        return {
            "LATCHKEY_REGISTRATION": "open",
            "LATCHKEY_CLIENT_DOCUMENTS": "on",
            "LATCHKEY_SELF_REGISTERED_SCOPES": " ".join((*offered, *self.scopes)),
            "LATCHKEY_SELF_REGISTERED_RESOURCES": self.url,
        }

    def registry(self) -> dict[str, Any]:
        """Return what a deployment would ship of it as a registered API."""
        route = f"POST {urlsplit(self.url).path or '/'}"
        api = registered_apis.entry(
            name=NAME,
            scopes={route: " ".join(self.scopes)},
            revocation="stateless",
            answer="policy",
            audience=self.url,
        )
        return {NAME: api}


def of_the_developer(*, url: str | None, scopes: str | None) -> McpServer | None:
    """Return the developer's MCP server, if one was named; raise CannotServe where it makes no sense."""
    if url is None:
        if scopes is not None:
            raise CannotServe("MCP_SCOPES= are scopes of which MCP server? name its URL with MCP=")
        return None
    place = urlsplit(url)
    if place.scheme not in {"http", "https"} or not place.hostname or place.query or place.fragment or " " in url:
        raise CannotServe(f"MCP={url} is not the URL of an MCP server, like http://127.0.0.1:9000/mcp")
    names = tuple(dict.fromkeys((scopes or "mcp").split()))
    if not names or not all(
        re.fullmatch(scopes_domain.TOKEN, name) and not re.search(r"[\\'\"]", name) for name in names
    ):
        raise CannotServe(f'MCP_SCOPES={scopes} are not scopes, like "mcp:read mcp:write"')
    return McpServer(url, names)


def welcome(server: McpServer, issuer: str) -> str:
    """Return the lines that make a server check tokens of this run, and what to type for a client and a deployment."""
    place = urlsplit(server.url)
    return f"""
MCP        {server.url}   (its clients register themselves; scopes {" ".join(server.scopes)})

FastMCP (Python):
{_indented(fastmcp(server, issuer))}

TypeScript SDK, with Express and jose:
{_indented(typescript(server, issuer))}

Inspector: npx @modelcontextprotocol/inspector, then Streamable HTTP and {server.url}
Deployed:  ./latchkey apis add --stage dev --name {NAME} --audience https://<host>{place.path} --id … --file … \\
             --revocation stateless      (docs/mcp.md has the rest)
"""


def fastmcp(server: McpServer, issuer: str) -> str:
    """Return a server in Python that takes this run's tokens."""
    place = urlsplit(server.url)
    return f'''\
from fastmcp import FastMCP
from fastmcp.server.auth import RemoteAuthProvider
from fastmcp.server.auth.providers.jwt import JWTVerifier
tokens = JWTVerifier(
    jwks_uri="{issuer}/.well-known/jwks.json", issuer="{issuer}",
    audience="{server.url}", required_scopes=["{server.scopes[0]}"])
auth = RemoteAuthProvider(
    token_verifier=tokens, authorization_servers=["{issuer}"], base_url="{place.scheme}://{place.netloc}")
mcp = FastMCP("mine", auth=auth)
mcp.run(transport="http", host="{place.hostname}", port={place.port or 443}, path="{place.path or "/"}")'''


def typescript(server: McpServer, issuer: str) -> str:
    """Return the middleware of a server in TypeScript that takes this run's tokens."""
    supported = ", ".join(f"'{scope}'" for scope in server.scopes)
    return f"""\
import {{ createRemoteJWKSet, jwtVerify }} from 'jose'
import {{ requireBearerAuth }} from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import {{ getOAuthProtectedResourceMetadataUrl, mcpAuthMetadataRouter }} from '@modelcontextprotocol/sdk/server/auth/router.js'
const issuer = '{issuer}', url = new URL('{server.url}')
const keys = createRemoteJWKSet(new URL(issuer + '/.well-known/jwks.json'))
const verifyAccessToken = async (token) => {{
  const {{ payload }} = await jwtVerify(token, keys, {{ issuer, audience: '{server.url}', typ: 'at+jwt' }})
  return {{ token, clientId: payload.client_id, scopes: payload.scope.split(' '), expiresAt: payload.exp }} }}
const oauthMetadata = await (await fetch(issuer + '/.well-known/oauth-authorization-server')).json()
app.use(mcpAuthMetadataRouter({{ oauthMetadata, resourceServerUrl: url, scopesSupported: [{supported}] }}))
app.use(url.pathname, requireBearerAuth({{ verifier: {{ verifyAccessToken }}, requiredScopes: ['{server.scopes[0]}'],
  resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(url) }}))"""


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
