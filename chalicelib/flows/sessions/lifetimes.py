"""How long what a client gets is good: its own setting, else the deployment's."""

from ...domain.crypto import handles
from ...domain.oauth import tokens
from ...domain.oauth.client import Client
from ...services import Services

FAPI_CODE_SECONDS = 60  # FAPI 2.0 Security Profile 5.3.2.1


def of_client(svc: Services, client: Client) -> dict[str, int]:
    """All lifetimes of a client, by the names of its metadata."""
    return {
        "access_seconds": access_seconds(svc, client),
        "id_token_seconds": id_token_seconds(svc, client),
        "refresh_idle_seconds": idle_seconds(svc, client),
        "refresh_absolute_seconds": absolute_seconds(svc, client),
    }


def absolute_seconds(svc: Services, client: Client) -> int:
    """How long a session of this client lives at most."""
    return client.refresh_absolute_seconds or svc.settings.refresh_absolute_seconds


def idle_seconds(svc: Services, client: Client) -> int:
    """How long a session of this client lives unused."""
    return min(client.refresh_idle_seconds or svc.settings.refresh_idle_seconds, handles.MAX_IDLE)


def code_seconds(svc: Services, client: Client) -> int:
    """How long a code of this client is good."""
    return min(svc.settings.code_seconds, FAPI_CODE_SECONDS) if client.fapi else svc.settings.code_seconds


def access_seconds(svc: Services, client: Client) -> int:
    """How long an access token of this client is good."""
    return min(client.access_seconds or svc.settings.access_seconds, tokens.MAX_LIFETIME)


def id_token_seconds(svc: Services, client: Client) -> int:
    """How long an id_token is good: as the access token beside it, so that who goes by either refreshes in time."""
    return client.id_token_seconds or access_seconds(svc, client)
