"""Clients as their operator, or whoever registers them, makes, changes and deletes them, and their secrets."""

import secrets
from collections.abc import Collection, Mapping
from dataclasses import replace

from ...domain.crypto import algorithms
from ...domain.errors import InvalidClientMetadata, InvalidRequest, NotFound, TemporarilyUnavailable, UnauthorizedClient
from ...domain.oauth import client_rules
from ...domain.oauth.client import CALLED_URIS, SELF_REGISTRABLE, Client
from ...services import Services
from ..platform import limits
from ..platform.ids import new_id
from . import sectors
from .authenticate import digest_of, is_reserved


def create(svc: Services, client: Client, *, secret: str = "") -> tuple[Client, str]:
    """A new client with a fresh id unless it brings one, and its secret if it has one, which is told this once.

    A `secret` that somebody chose is for a demo alone: one that is made here has full entropy.
    """
    client, secret = draft(svc, client, secret=secret)
    sectors.check(svc, client, network=limits.OPERATORS)
    add(svc, client)
    return client, secret


def draft(svc: Services, client: Client, *, secret: str = "") -> tuple[Client, str]:
    """A client that can be made, with its secret if it has one; not yet written anywhere."""
    client, secret = with_secret(replace(client, secrets=()), secret=secret)
    # No two clients begin with the same version: what was read of one is never written over another of its id.
    first_version = secrets.randbits(32)
    client = replace(client, client_id=client.client_id or new_id(), created_at=svc.now(), version=first_version)
    check(svc, client)
    return client, secret


def check(svc: Services, client: Client) -> None:
    """Raises InvalidRedirectUri or InvalidClientMetadata for a client that may not be registered as it is."""
    _check(svc, client)
    _check_called_uris(svc, _called_uris(client))


def _called_uris(client: Client) -> dict[str, str]:
    """What this server itself asks for a client, by what it is called in an error."""
    own_uris = {f"`{name}`": getattr(client, name) for name in CALLED_URIS}
    issuers = {f"The `jwks_uri` of {name}": each.get("jwks_uri", "") for name, each in client.assertion_issuers.items()}
    return {name: uri for name, uri in {**own_uris, **issuers}.items() if uri}


def _check_called_uris(svc: Services, uris: Mapping[str, str]) -> None:
    """Raises InvalidClientMetadata for an address that this server will never call: else that fails later, and silently."""
    for name, uri in uris.items():
        why = svc.fetch.why_never(uri)
        if why:
            raise InvalidClientMetadata(
                f"{name} cannot be called from here: {why}. It is https, at a public name or address, at port "
                f"{' or '.join(map(str, sorted(svc.settings.outbound_ports)))} (LATCHKEY_OUTBOUND_PORTS)."
            )


def add(svc: Services, client: Client) -> None:
    """Writes a new client; raises InvalidRequest if its id is reserved, or another's."""
    if is_reserved(svc, client.client_id):
        raise InvalidRequest(
            f"The client id {client.client_id} is reserved: it would be taken for a part of this server."
        )
    if not svc.clients.create(client):
        raise InvalidRequest(f"The client id {client.client_id} is taken.")


def _check(svc: Services, client: Client) -> Client:
    return client_rules.check(client, local=svc.settings.local, signing=algorithms.of_server(svc.settings.algorithm))


def with_secret(client: Client, *, secret: str = "") -> tuple[Client, str]:
    """A client with as many secrets as its way to authenticate needs: none, or those it has, or a new one, which is told."""
    if not client.token_endpoint_auth_method.startswith("client_secret"):
        return replace(client, secrets=()), ""
    if client.secrets:
        return client, ""
    secret = secret or _new_secret()
    return replace(client, secrets=(digest_of(secret),)), secret


def _new_secret() -> str:
    return secrets.token_urlsafe(32)


def change(svc: Services, old: Client, new: Client, *, named: Collection[str] = ()) -> Client:
    """A client as its operator changes it, which lasts. What they set, by another value or by name, is not its own any more."""
    new = replace(new, expires_at=0)
    if old.registration_token and new.operator_set == old.operator_set:
        set_now = [n for n in (*SELF_REGISTRABLE, "resources") if n in named or getattr(old, n) != getattr(new, n)]
        new = replace(new, operator_set=tuple(dict.fromkeys((*old.operator_set, *set_now))))
    return replace_by(svc, old, new, network=limits.OPERATORS)


def replace_by(svc: Services, old: Client, new: Client, *, network: str) -> Client:
    """A client with other metadata; raises TemporarilyUnavailable if it changed meanwhile."""
    new = replace(_check(svc, new), version=old.version + 1)
    before = _called_uris(old)
    _check_called_uris(svc, {name: uri for name, uri in _called_uris(new).items() if uri != before.get(name)})
    if (new.sector_identifier_uri, new.redirect_uris) != (old.sector_identifier_uri, old.redirect_uris):
        sectors.check(svc, new, network=network)
    if not svc.clients.replace(old, new):
        raise TemporarilyUnavailable(reason="client changed meanwhile")
    return new


def rotate_secret(svc: Services, client: Client, *, keep_old: bool) -> str:
    """A new secret for a client, beside the old one until the next rotation if that is to be kept."""
    if not client.secrets:
        raise UnauthorizedClient("This client has no secret.")
    secret = _new_secret()
    old_secrets = client.secrets[:1] if keep_old else ()
    change(svc, client, replace(client, secrets=(digest_of(secret), *old_secrets)))
    return secret


def delete(svc: Services, client_id: str) -> None:
    """A client gone for good. Its sessions end with their next refresh, which needs the client."""
    if not svc.clients.delete(client_id):
        raise NotFound()
