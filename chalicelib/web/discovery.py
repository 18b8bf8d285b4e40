from functools import lru_cache
from typing import Any, ClassVar

import msgspec

from ..config import Settings
from ..flows import keys
from ..services import Services
from . import account, openapi
from .door import Answer, Caller, Door

bp = Door(__name__)

# Keys are published a day before they sign, so minutes are safe; a key struck out in an emergency is gone as soon.
CACHED = {"Cache-Control": "public, max-age=300, stale-while-revalidate=60"}


class KeySet(msgspec.Struct, frozen=True):
    """A JWK set (RFC 7517)."""

    MEDIA_TYPE: ClassVar[str] = "application/jwk-set+json"

    keys: list[dict[str, str]]


class Metadata(msgspec.Struct, frozen=True):
    """Server metadata (RFC 8414), as far as it is true of this server."""

    issuer: str
    jwks_uri: str
    scopes_supported: list[str]
    response_types_supported: list[str]
    grant_types_supported: list[str]
    service_documentation: str


@bp.serves("GET /.well-known/jwks.json", answer=KeySet)
def jwks(svc: Services, _: Caller) -> Answer:
    """The public keys that access tokens are signed with."""
    return Answer(
        body=KeySet([dict(jwk) for jwk in keys.published(svc)]),
        headers={**CACHED, "Content-Type": KeySet.MEDIA_TYPE},
    )


@bp.serves("GET /.well-known/oauth-authorization-server", answer=Metadata)
def oauth_metadata(svc: Services, _: Caller) -> Answer:
    """What this server is and does (RFC 8414)."""
    return _metadata(svc.settings)


@bp.serves("GET /.well-known/openid-configuration", answer=Metadata)
def openid_metadata(svc: Services, _: Caller) -> Answer:
    """The same where API Gateway's own JWT authorizer looks for it."""
    return _metadata(svc.settings)


@bp.serves("GET /openapi.json")
def openapi_document(svc: Services, _: Caller) -> Answer:
    """This API as an OpenAPI 3.1 document."""
    return Answer(body=msgspec.json.encode(_document(svc.settings.issuer)).decode(), headers=CACHED)


@bp.serves("GET /docs")
def docs(svc: Services, _: Caller) -> Answer:
    """The same for people."""
    return Answer(body=_page(svc.settings.issuer), headers={**CACHED, **openapi.PAGE_HEADERS})


def _metadata(settings: Settings) -> Answer:
    return Answer(
        body=Metadata(
            issuer=settings.issuer,
            jwks_uri=f"{settings.issuer}/.well-known/jwks.json",
            scopes_supported=list(settings.scopes),
            response_types_supported=[],
            grant_types_supported=[],
            service_documentation=f"{settings.issuer}/docs",
        ),
        headers=CACHED,
    )


@lru_cache(maxsize=4)
def _document(issuer: str) -> dict[str, Any]:
    return openapi.document(issuer, [*account.bp.operations, *bp.operations])


@lru_cache(maxsize=4)
def _page(issuer: str) -> str:
    return openapi.page(_document(issuer))
