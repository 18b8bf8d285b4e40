"""MCP clients, each with a person at its browser: the SDK's for Python, FastMCP's, and mcp-remote behind stdio."""

import asyncio
import json
import os
import subprocess
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tests.interop import javascript
from tests.interop.person import Person
from tests.interop.served import free_port

# Each worker reads this file while it collects; what takes a second to import is imported where it is used.
if TYPE_CHECKING:
    from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

SECONDS = 60
REMOTE = javascript.ROOM / "node_modules" / "mcp-remote" / "dist" / "proxy.js"


def get_when_it_listens(url: str) -> requests.Response:
    """What a server answers that is being started."""
    web = requests.Session()
    web.mount("http://127.0.0.1", HTTPAdapter(max_retries=Retry(total=60, backoff_factor=0.05, backoff_max=0.5)))
    return web.get(url, timeout=SECONDS)


@dataclass
class Outcome:
    """What a client got of the two tools, and which scopes it asked for at each login."""

    texts: list[str] = field(default_factory=list)
    scopes: list[set[str]] = field(default_factory=list)

    def note(self, address: str) -> None:
        """Notes the scopes of an authorization request."""
        self.scopes.append(set(dict(parse_qsl(urlsplit(address).query))["scope"].split()) - {"offline_access"})


@dataclass
class Store:
    """What the SDK keeps between two requests."""

    tokens: "OAuthToken | None" = None
    client: "OAuthClientInformationFull | None" = None

    async def get_tokens(self) -> "OAuthToken | None":
        """The tokens."""
        return self.tokens

    async def set_tokens(self, tokens: "OAuthToken") -> None:
        """Keeps tokens."""
        self.tokens = tokens

    async def get_client_info(self) -> "OAuthClientInformationFull | None":
        """The client's registration."""
        return self.client

    async def set_client_info(self, client_info: "OAuthClientInformationFull") -> None:
        """Keeps the client's registration."""
        self.client = client_info


def python_sdk(
    url: str, person: Person, metadata: dict[str, Any], *, document: str = "", mode: str = "auto"
) -> Outcome:
    """Calls both tools by the SDK for Python."""
    import httpx2
    from mcp.client import Client
    from mcp.client.auth import OAuthClientProvider
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata
    from pydantic import AnyUrl

    outcome, pages = Outcome(), list[str]()

    async def redirect(address: str) -> None:
        outcome.note(address)
        pages.append((await asyncio.to_thread(person.visit, address))["url"])

    async def callback() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(**dict(parse_qsl(urlsplit(pages.pop()).query)))

    redirect_uris = [AnyUrl(uri) for uri in metadata["redirect_uris"]]
    provider = OAuthClientProvider(
        url,
        OAuthClientMetadata(**{**metadata, "redirect_uris": redirect_uris}),
        Store(),
        redirect,
        callback,
        client_metadata_url=document or None,
    )

    async def calls() -> None:
        http = httpx2.AsyncClient(auth=provider)
        async with http, Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            for name, arguments in STEPS:
                outcome.texts.append((await client.call_tool(name, arguments)).content[0].text)  # type: ignore[union-attr]

    asyncio.run(asyncio.wait_for(calls(), SECONDS))
    return outcome


STEPS: list[tuple[str, dict[str, str]]] = [("list_notes", {}), ("write_note", {"text": "milk"}), ("list_notes", {})]


def fastmcp_client(url: str, person: Person, patch: pytest.MonkeyPatch) -> Outcome:
    """Calls both tools by FastMCP's client, which opens a browser and waits at a port of loopback."""
    import fastmcp
    from fastmcp.client.auth import OAuth

    outcome = Outcome()

    def browse(address: str) -> bool:
        outcome.note(address)
        # It listens at its port only after this.
        threading.Thread(target=lambda: get_when_it_listens(person.visit(address)["url"])).start()
        return True

    patch.setattr(webbrowser, "open", browse)
    oauth = OAuth(callback_port=free_port(), callback_host="127.0.0.1")

    async def calls() -> None:
        async with fastmcp.Client(url, auth=oauth) as client:
            for name, arguments in STEPS:
                outcome.texts.append((await client.call_tool(name, arguments)).content[0].text)

    asyncio.run(asyncio.wait_for(calls(), SECONDS))
    return outcome


@contextmanager
def remote(url: str, person: Person, home: Path) -> Iterator["Remote"]:
    """Runs mcp-remote, to talk to by lines of JSON."""
    assert javascript.NODE
    process = subprocess.Popen(
        [javascript.NODE, str(REMOTE), url, str(free_port()), "--host", "127.0.0.1"],
        env={
            **os.environ,
            "MCP_REMOTE_CONFIG_DIR": str(home),
            "BROWSER": "none",
            "PATH": str(Path(javascript.NODE).parent),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    patience = threading.Timer(SECONDS, process.kill)
    patience.start()
    try:
        yield Remote(process, person)
    finally:
        patience.cancel()
        process.kill()
        process.communicate()


class Remote:
    """mcp-remote between a program that speaks stdio and a server; its person goes to each address that it prints."""

    def __init__(self, process: subprocess.Popen[str], person: Person) -> None:
        self.outcome = Outcome()
        self.log: list[str] = []
        self._process, self._person, self._id = process, person, 0
        threading.Thread(target=self._browse, daemon=True).start()

    def _browse(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self.log.append(line)
            address = line.strip()
            if address.startswith(f"{self._person.issuer}/oauth/authorize?"):
                self.outcome.note(address)
                # It prints the address before it listens, which no person is quick enough to notice.
                get_when_it_listens(self._person.visit(address)["url"])

    def ask(self, method: str, **params: Any) -> Any:
        """The result of a request, or its error."""
        assert self._process.stdin
        assert self._process.stdout
        self._id += 1
        message = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        print(json.dumps(message), file=self._process.stdin)
        for line in self._process.stdout:
            reply = json.loads(line)
            if reply.get("id") == self._id:
                return reply.get("result") or reply["error"]
        raise AssertionError("".join(self.log))

    def calls(self) -> Outcome:
        """Calls both tools."""
        self.ask("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "x", "version": "1"})
        for name, arguments in STEPS:
            result = self.ask("tools/call", name=name, arguments=arguments)
            self.outcome.texts.append(result["content"][0]["text"] if "content" in result else result["message"])
        return self.outcome
