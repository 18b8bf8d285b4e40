"""What apps, browsers and password managers look for at a domain whose passkeys they use."""

from typing import Annotated

import msgspec
from msgspec import Meta

from ...domain.authentication import associations
from ...domain.errors import NotFound
from ...flows.platform import passkey_domain
from ...services import Services
from ..http.answers import Answer
from ..http.routing import Api, Caller
from ..pages.passkey_offer import ADD as ADD_PASSKEY
from .discovery import CACHED

api = Api(__name__)


class AppleAssociation(msgspec.Struct, frozen=True):
    """Apple's `apple-app-site-association`."""

    webcredentials: dict[str, list[str]]


class RelatedOrigins(msgspec.Struct, frozen=True):
    """The origins that may ask for passkeys of this domain (WebAuthn level 3, section 5.11)."""

    origins: Annotated[list[str], Meta(description="Beside the issuer's own.")]


class PasskeyEndpoints(msgspec.Struct, frozen=True):
    """Where a password manager sends people to add a passkey, or to see to theirs."""

    enroll: str
    manage: str


@api.route("GET /.well-known/passkey-endpoints", answer=PasskeyEndpoints)
def passkey_endpoints(svc: Services, _: Caller) -> Answer:
    """The pages for passkeys."""
    page = f"{svc.settings.issuer}/{ADD_PASSKEY}"
    return Answer(body=PasskeyEndpoints(enroll=page, manage=page), headers=CACHED)


@api.route(f"GET {associations.APPLE}", answer=AppleAssociation, errors=(NotFound,))
def apple_association(svc: Services, _: Caller) -> Answer:
    """The operator's apps on Apple's devices, which may use this domain's passkeys."""
    return _document(svc, associations.APPLE)


@api.route(f"GET {associations.ANDROID}", media=("application/json",), errors=(NotFound,))
def asset_links(svc: Services, _: Caller) -> Answer:
    """The operator's apps on Android, each with the certificates that it is signed by."""
    return _document(svc, associations.ANDROID)


@api.route(f"GET {associations.ORIGINS}", answer=RelatedOrigins, errors=(NotFound,))
def related_origins(svc: Services, _: Caller) -> Answer:
    """The other websites that may use this domain's passkeys."""
    return _document(svc, associations.ORIGINS)


def _document(svc: Services, path: str) -> Answer:
    document = passkey_domain.documents(svc).get(path)
    if document is None:
        raise NotFound("Nothing of this kind is configured here.")
    return Answer(body=msgspec.json.encode(document).decode(), headers=CACHED)
