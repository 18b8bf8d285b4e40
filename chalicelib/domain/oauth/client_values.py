"""What a single value of a client's metadata may be."""

import re
from collections.abc import Mapping
from typing import Any

from ..crypto import jws

HTTPS = re.compile(r"https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?([/?].*)?")
MAX_KEYS = 20
MAX_URI = 2000
PRINTABLE = re.compile(r"[\x21-\x7e]+")


def is_https(uri: str) -> bool:
    """Whether a text is an https URI that can be fetched or linked: without a fragment, and short."""
    return len(uri) <= MAX_URI and bool(PRINTABLE.fullmatch(uri) and HTTPS.fullmatch(uri)) and not set("#\\") & set(uri)


def are_public_keys(jwks: Mapping[str, Any]) -> bool:
    """Whether a JWK set has a public key for signatures, nothing private, and not too much.

    Keys of other kinds may be beside it (RFC 7517 section 5).
    """
    keys = jwks.get("keys")
    if not isinstance(keys, list) or len(keys) > MAX_KEYS or not all(isinstance(key, dict) for key in keys):
        return False
    return any(map(jws.is_public_key, keys)) and not any(jws.PRIVATE_MEMBERS & set(key) for key in keys)
