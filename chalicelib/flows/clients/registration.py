"""Clients that register themselves, and look after their registration (RFC 7591, RFC 7592)."""

import hmac
import secrets

import msgspec

from ...domain.errors import AccessDenied, InvalidClientMetadata, InvalidToken, TemporarilyUnavailable
from ...domain.oauth import registration
from ...domain.oauth.client import Client
from ...domain.oauth.client_rules import check, check_sector
from ...domain.oauth.registration import ClientMetadata
from ...services import Services
from ..platform import limits
from . import manage, sectors
from .authenticate import digest_of

BASIC = "client_secret_basic"  # RFC 7591 section 2


class RegisteredClient(msgspec.Struct, frozen=True):
    """A client with what only its owner is told: a secret if it has a new one, and the token of its registration."""

    client: Client
    secret: str
    token: str


def register(svc: Services, metadata: ClientMetadata, *, initial_token: str, network: str) -> RegisteredClient:
    """A new client, for whoever has an initial access token, or for all where registration is open."""
    without_token = not _is_one_of(initial_token, svc.settings.registration_tokens)
    if without_token and not svc.settings.registration_open:
        raise InvalidToken("Registration needs an initial access token (RFC 7591 section 3).")
    fields = registration.fields(metadata, offered=svc.settings.self_registered_scopes, default_method=BASIC)
    token = secrets.token_urlsafe(32)
    # Whoever has a token is expected; anybody else has to show a user first.
    expires_at = svc.now() + svc.settings.unused_registration_seconds if without_token else 0
    client = Client(client_id="", registration_token=digest_of(token), expires_at=expires_at, **fields)
    client, secret = manage.draft(svc, client)
    # What is refused is no registration: whoever mends a mistake has lost nothing by it.
    if without_token:
        limits.registration(svc, network=network)
    manage.add(svc, sectors.check(svc, client, network=network))
    return RegisteredClient(client, secret, token)


def authorized_client(svc: Services, client_id: str, token: str) -> Client:
    """The client that a registration access token is for; raises InvalidToken, whether there is such a client or not."""
    client = svc.clients.read(client_id)
    registered = client.registration_token if client else ""
    if client is None or client.has_expired(svc.now()) or not _is_one_of(token, {registered}):
        raise InvalidToken("The registration access token is not this client's.")
    return client


def change(svc: Services, client_id: str, token: str, metadata: ClientMetadata, *, network: str) -> RegisteredClient:
    """A client with all its own metadata replaced (RFC 7592 section 2.2); what an operator has set stays."""
    old = authorized_client(svc, client_id, token)
    if metadata.client_id != client_id:
        raise InvalidClientMetadata("`client_id` must be the client's own.")
    if metadata.client_secret and not _is_one_of(metadata.client_secret, old.secrets):
        raise InvalidClientMetadata("`client_secret` is not the client's: a client does not choose its secret.")
    offered = tuple(dict.fromkeys((*svc.settings.self_registered_scopes, *old.scopes)))
    fields = registration.fields(metadata, offered=offered, default_method=BASIC)
    new, secret = manage.with_secret(registration.apply_metadata(old, metadata, **fields))
    check_sector(old, check(new))
    limits.registration_change(svc, client_id=client_id)
    return RegisteredClient(manage.replace_by(svc, old, new, network=network), secret, token)


def delete(svc: Services, client_id: str, token: str) -> None:
    """The client gone for good (RFC 7592 section 2.3); raises AccessDenied where an operator vouches for it."""
    client = authorized_client(svc, client_id, token)
    if client.privileged:
        raise AccessDenied("An operator vouches for this client, and only an operator deletes it.")
    # As it was read: an operator may come to vouch for it just now.
    if not svc.clients.delete(client.client_id, version=client.version):
        raise TemporarilyUnavailable(reason="client changed meanwhile")


def _is_one_of(secret: str, digests: frozenset[str] | set[str] | tuple[str, ...]) -> bool:
    digest = digest_of(secret)
    return True in [hmac.compare_digest(digest, registered) for registered in digests]
