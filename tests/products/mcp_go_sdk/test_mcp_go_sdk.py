"""The MCP SDK for Go, with a client that has a secret."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop import mcp_server
from tests.interop.mcp_server import McpServer
from tests.products.product import Product

NEEDS = ("go",)
URL = "http://localhost:8080"  # nobody listens there: the client is told where its browser was sent


@pytest.fixture
def server(product: Product) -> Iterator[McpServer]:
    """An MCP server that is registered as an API."""
    with mcp_server.serving() as running:
        api = {"whoami": {"audience": running.url, "scopes": {"POST /mcp": "notes:read"}}}
        product.register(api)
        running.issuer = product.served.issuer
        running.metadata = f"{running.issuer}/.well-known/oauth-protected-resource/whoami"
        yield running


def test_a_client_with_a_secret_calls_a_tool_for_its_user(product: Product, server: McpServer) -> None:
    program = product.go_project(Path(__file__).parent)
    connection = product.connect(URL, resources=server.url, scopes="notes:read offline_access")
    connection.write(product.folder)

    came_to = product.conversation([program, product.folder / "client.json", server.url], product.person())

    claims = json.loads(came_to["tool"])
    assert (claims["client_id"], claims["aud"]) == (connection.client_id, server.url)
