"""The domain that this deployment's passkeys belong to, and who else may use them there."""

import re
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from ...domain.authentication import associations
from ...domain.authentication.webauthn import RelyingParty
from ...services import Services


def relying_party(svc: Services) -> RelyingParty:
    """Whom passkeys are for here: the issuer's host, for pages of the issuer, related origins and the operator's apps."""
    settings = svc.settings
    certificates = tuple(each for fingerprints in settings.android_apps.values() for each in fingerprints)
    return _relying_party(settings.issuer, settings.brand.name, settings.passkey_origins, certificates)


def is_name(svc: Services) -> bool:
    """Whether the issuer's host has a name: a browser makes no passkey for an IP address."""
    return not re.fullmatch(r"[0-9.]+|.*:.*", relying_party(svc).id)


def documents(svc: Services) -> dict[str, Any]:
    """What has to lie at the root of that domain, by its paths."""
    settings = svc.settings
    return associations.documents(
        apple_apps=settings.apple_apps, android_apps=settings.android_apps, origins=settings.passkey_origins
    )


@lru_cache(maxsize=4)
def _relying_party(issuer: str, name: str, origins: tuple[str, ...], certificates: tuple[str, ...]) -> RelyingParty:
    place = urlsplit(issuer)
    own = f"{place.scheme}://{place.netloc}"
    android = map(associations.android_origin, certificates)
    return RelyingParty(place.hostname or "", name, frozenset({own, *origins, *android}))
