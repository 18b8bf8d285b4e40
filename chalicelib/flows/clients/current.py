"""Which client a request is of: noted where its id becomes a client, for whoever answers the request."""

from contextvars import ContextVar

from ...domain.oauth.client import Client

_noted: ContextVar[list[Client] | None] = ContextVar("client", default=None)


def note(client: Client) -> None:
    """Notes whose request it is that is answered now."""
    clients = _noted.get()
    if clients is not None:
        clients.append(client)


class CurrentClient:
    """The clients that are noted meanwhile."""

    __slots__ = ("_token",)

    def __enter__(self) -> list[Client]:
        clients: list[Client] = []
        self._token = _noted.set(clients)
        return clients

    def __exit__(self, *_: object) -> None:
        _noted.reset(self._token)
