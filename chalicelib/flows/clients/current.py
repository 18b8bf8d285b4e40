"""Which client a request is of: noted where its id becomes a client, for whoever answers the request."""

from contextvars import ContextVar

from ...domain.oauth.client import Client

_client: ContextVar[Client | None] = ContextVar("client", default=None)


def note(client: Client) -> None:
    """Notes whose request it is that is answered now."""
    _client.set(client)


def take() -> Client | None:
    """The client that was noted last, of a request that ends with this: for the next one there is none."""
    client = _client.get()
    if client is not None:
        _client.set(None)
    return client
