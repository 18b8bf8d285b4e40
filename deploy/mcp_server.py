"""An MCP server as an API that is registered here: what follows from its URL and from the scopes of its tools."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from chalicelib.domain.oauth import scopes as scopes_domain
from deploy import registered_apis

NAME = "mcp"
# Without what would end a text in the programs that it is printed into.
URL = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~%/+:@-]*)?", re.IGNORECASE)
GATEWAY = re.compile(r"([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")


class NotAnMcpServer(ValueError):
    """A URL or scopes that no MCP server could have; the message says which, as a sentence goes on after it."""


@dataclass(frozen=True)
class McpServer:
    """Its URL, which is the audience of its tokens, and its scopes: the first is for all of it, the others for some tools."""

    url: str
    scopes: tuple[str, ...]

    @property
    def api_id(self) -> str:
        """Its id in API Gateway, as far as the URL tells it; "" where it does not."""
        gateway = GATEWAY.fullmatch(urlsplit(self.url).hostname or "")
        return gateway[1] if gateway else ""

    @property
    def route(self) -> str:
        """Its one route; on the gateway's own host the path may begin with the stage, which routes do not have."""
        path = urlsplit(self.url).path.rstrip("/")
        if self.api_id and path.count("/") > 1:
            path = path[path.index("/", 1) :]
        return f"POST {path or '/'}"

    def entry(self, name: str, *, scope_map: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """Return its entry in the register; raise CannotRegisterError as `registered_apis.entry` does."""
        scopes = scope_map or {self.route: self.scopes[0]}
        options = {"revocation": "stateless", "answer": "policy", "audience": self.url, **more}
        in_map = scopes_domain.needed(scopes)
        step_up = [scope for scope in self.scopes if scope not in in_map]
        return registered_apis.entry(name=name, scopes=scopes, step_up_scopes=step_up, mcp=True, **options)


def parse(url: str, scopes: str) -> McpServer:
    """Return the server of a URL; raise NotAnMcpServer."""
    if not URL.fullmatch(url):
        raise NotAnMcpServer(f"{url} is not the URL of an MCP server, like http://127.0.0.1:9000/mcp")
    names = tuple(dict.fromkeys(scopes.split()))
    if not names or not all(
        re.fullmatch(scopes_domain.TOKEN, name) and not re.search(r"[\\'\"]", name) for name in names
    ):
        raise NotAnMcpServer(f'{scopes} are not scopes, like "mcp:read mcp:write"')
    return McpServer(url, names)
