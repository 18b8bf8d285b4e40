import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from . import base64url

NONCE_BYTES = 12  # what AES-GCM takes (NIST SP 800-38D)


def seal(fields: Mapping[str, Any], *, secret: bytes, purpose: bytes) -> str:
    """A text that only this server can read or make, and for this purpose alone."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return _padded(base64url.encode(nonce + _cipher(secret, purpose).encrypt(nonce, json.dumps(fields).encode(), None)))


def unseal(unverified_text: str, all_secrets: Iterable[bytes], *, purpose: bytes) -> dict[str, Any] | None:
    """What is in a sealed text; None for any other."""
    try:
        bare = unverified_text.rstrip("=")
        raw = base64url.decode(bare)
    except ValueError:
        return None
    if unverified_text != _padded(bare):
        return None
    for secret in all_secrets:
        try:
            fields: dict[str, Any] = json.loads(
                _cipher(secret, purpose).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], None)
            )
        except (InvalidTag, ValueError):
            continue
        return fields
    return None


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)


def _cipher(secret: bytes, purpose: bytes) -> AESGCM:
    return AESGCM(hmac.digest(secret, purpose, "sha256"))
