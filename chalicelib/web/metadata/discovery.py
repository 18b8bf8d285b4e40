from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar
from urllib.parse import urlsplit

import msgspec

from ...config import RESOURCE_METADATA, Settings, registered_apis
from ...domain.crypto import algorithms
from ...domain.crypto.keyset import SigningKey, with_pss
from ...domain.errors import NotFound
from ...domain.oauth import dpop, scopes
from ...flows.platform import keys
from ...guard.scope_map import SCOPES
from ...services import Services
from ..http.answers import Answer
from ..http.routing import Api, Caller
from . import server
from .server import Metadata

api = Api(__name__)

# Keys are published a day before they sign, so minutes are safe; a key struck out in an emergency is gone as soon.
CACHED = {"Cache-Control": "public, max-age=300, stale-while-revalidate=60"}


class KeySet(msgspec.Struct, frozen=True):
    """A JWK set (RFC 7517)."""

    MEDIA_TYPE: ClassVar[str] = "application/jwk-set+json"

    keys: list[Mapping[str, str]]


KEYS_CACHED = {**CACHED, "Content-Type": KeySet.MEDIA_TYPE}


class ProtectedResource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Metadata of an API that takes our access tokens (RFC 9728); of DPoP where it takes proofs."""

    resource: str
    resource_name: str
    authorization_servers: list[str]
    scopes_supported: list[str]
    bearer_methods_supported: list[str]
    dpop_signing_alg_values_supported: list[str] | None = None
    dpop_bound_access_tokens_required: bool | None = None


@api.route("GET /.well-known/jwks.json", answer=KeySet)
def jwks(svc: Services, _: Caller) -> Answer:
    """The public keys that access tokens are signed with."""
    return Answer(body=_key_set(keys.current(svc).published(svc.now())), headers=KEYS_CACHED)


@api.route("GET /.well-known/oauth-authorization-server", answer=Metadata)
def oauth_metadata(svc: Services, _: Caller) -> Answer:
    """What this server is and does (RFC 8414)."""
    return _metadata(svc)


@api.route("GET /.well-known/openid-configuration", answer=Metadata)
def openid_metadata(svc: Services, _: Caller) -> Answer:
    """The same where OpenID Connect Discovery has it, and API Gateway's own JWT authorizer looks for it."""
    return _metadata(svc)


@api.route("GET /.well-known/oauth-authorization-server/{path}", answer=Metadata, errors=(NotFound,))
def oauth_metadata_of_path(svc: Services, _: Caller, path: str) -> Answer:
    """The same for an issuer with a path, whose metadata is asked for at the host's root (RFC 8414 section 3.1)."""
    return _metadata_of_path(svc, path)


@api.route("GET /.well-known/openid-configuration/{path}", answer=Metadata, errors=(NotFound,))
def openid_metadata_of_path(svc: Services, _: Caller, path: str) -> Answer:
    """The same again (RFC 8414 section 5)."""
    return _metadata_of_path(svc, path)


@api.route(f"GET {RESOURCE_METADATA}", answer=ProtectedResource)
def own_resource(svc: Services, _: Caller) -> Answer:
    """This server's own API as a resource (RFC 9728)."""
    return _own_resource(svc.settings)


@api.route(f"GET {RESOURCE_METADATA}/{{name}}", answer=ProtectedResource, errors=(NotFound,))
def registered_resource(svc: Services, _: Caller, name: str) -> Answer:
    """An API behind the guard as a resource (RFC 9728), by its name; or this one, by its issuer's path (section 3.1)."""
    for api in registered_apis(svc.settings.apis_file).values():
        if api["name"] == name:
            needed = sorted(scopes.needed(api["scopes"]))
            audience = api.get("audience") or svc.settings.audience
            return _resource(svc.settings, name, audience, needed, takes_proofs=api.get("dpop", False))
    if urlsplit(svc.settings.issuer).path == f"/{name}":
        return _own_resource(svc.settings)
    raise NotFound("There is no API of this name.")


def _metadata(svc: Services) -> Answer:
    return Answer(body=_encoded_metadata(svc.settings, keys.current(svc).published(svc.now())), headers=CACHED)


def _metadata_of_path(svc: Services, path: str) -> Answer:
    if urlsplit(svc.settings.issuer).path != f"/{path}":
        raise NotFound("There is no issuer at this path.")
    return _metadata(svc)


# Both are asked for more often than anything else and change with the keys alone, so their text is kept.
@lru_cache(maxsize=4)
def _key_set(published: tuple[SigningKey, ...]) -> str:
    return msgspec.json.encode(KeySet([jwk for key in published for jwk in with_pss(key.jwk)])).decode()


@lru_cache(maxsize=4)
def _encoded_metadata(settings: Settings, published: tuple[SigningKey, ...]) -> str:
    names = dict.fromkeys(name for key in published for name in algorithms.of_server(key.algorithm))
    return msgspec.json.encode(server.server_metadata(settings, algorithms=tuple(names))).decode()


def _own_resource(settings: Settings) -> Answer:
    # Its userinfo takes them.
    return _resource(settings, settings.brand.name, settings.audience, sorted(set(SCOPES.values())), takes_proofs=True)


def _resource(settings: Settings, name: str, resource: str, scopes: list[str], *, takes_proofs: bool) -> Answer:
    resource_metadata = ProtectedResource(
        resource=resource,
        resource_name=name,
        authorization_servers=[settings.issuer],
        scopes_supported=scopes,
        bearer_methods_supported=["header"],
        dpop_signing_alg_values_supported=list(dpop.ALGORITHMS) if takes_proofs else None,
        dpop_bound_access_tokens_required=False if takes_proofs else None,
    )
    return Answer(body=resource_metadata, headers=CACHED)
