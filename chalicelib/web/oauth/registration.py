from typing import Any

from ...domain import errors
from ...domain.oauth import registration, tokens
from ...domain.oauth.registration import ClientMetadata
from ...flows.clients import registration as client_registration
from ...flows.clients.registration import RegisteredClient
from ...services import Services
from ..http.routing import INITIAL, REGISTRATION, Api, Caller

api = Api(__name__)

REFUSALS = (errors.InvalidClientMetadata, errors.InvalidRedirectUri)
PATH = "/oauth/register"


class ClientInformation(ClientMetadata, frozen=True, kw_only=True, omit_defaults=True):
    """A registered client (RFC 7591 section 3.2.1); its secret is told once, when it is new."""

    client_id: str
    client_id_issued_at: int
    registration_access_token: str
    registration_client_uri: str
    client_secret_expires_at: int | None = None


@api.route(
    f"POST {PATH}",
    status=201,
    body=ClientMetadata,
    answer=ClientInformation,
    errors=(*REFUSALS, errors.InvalidToken, errors.TooManyRequests),
    credentials=INITIAL,
)
def register_client(svc: Services, caller: Caller, metadata: ClientMetadata) -> ClientInformation:
    """Registers a client at its own request (RFC 7591)."""
    registered = client_registration.register(svc, metadata, initial_token=_bearer(caller), network=caller.network)
    return _information(svc, registered)


@api.route(
    f"GET {PATH}/{{client_id}}",
    answer=ClientInformation,
    errors=(errors.InvalidToken,),
    credentials=REGISTRATION,
)
def read_client(svc: Services, caller: Caller, client_id: str) -> ClientInformation:
    """A client's registration, for the client itself (RFC 7592)."""
    token = _bearer(caller)
    return _information(svc, RegisteredClient(client_registration.authorized_client(svc, client_id, token), "", token))


@api.route(
    f"PUT {PATH}/{{client_id}}",
    body=ClientMetadata,
    answer=ClientInformation,
    errors=(*REFUSALS, errors.InvalidToken, errors.TooManyRequests),
    credentials=REGISTRATION,
)
def change_client(svc: Services, caller: Caller, metadata: ClientMetadata, client_id: str) -> ClientInformation:
    """Replaces what a client says of itself (RFC 7592 section 2.2)."""
    changed = client_registration.change(svc, client_id, _bearer(caller), metadata, network=caller.network)
    return _information(svc, changed)


@api.route(
    f"DELETE {PATH}/{{client_id}}",
    status=204,
    errors=(errors.InvalidToken, errors.AccessDenied),
    statuses={errors.AccessDenied.code: 403},
    credentials=REGISTRATION,
)
def delete_client(svc: Services, caller: Caller, client_id: str) -> None:
    """Deletes a client at its own request (RFC 7592 section 2.3)."""
    client_registration.delete(svc, client_id, _bearer(caller))


def _bearer(caller: Caller) -> str:
    scheme, token = tokens.credentials(caller.headers.get("authorization", ""))
    return token if scheme == "bearer" else ""


def _information(svc: Services, registered: RegisteredClient) -> ClientInformation:
    secret: dict[str, Any] = (
        {"client_secret": registered.secret, "client_secret_expires_at": 0} if registered.secret else {}
    )
    return ClientInformation(
        **registration.metadata_of(registered.client),
        **secret,
        client_id_issued_at=registered.client.created_at,
        # As it was presented: only its digest is kept here (RFC 7592 section 3 has it in every answer).
        registration_access_token=registered.token,
        registration_client_uri=f"{svc.settings.issuer}{PATH}/{registered.client.client_id}",
    )
