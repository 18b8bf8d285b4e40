"""id_tokens as a relying party checks them (OpenID Connect Core 3.1.3.7), from the published keys alone."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.support.browser import ISSUER
from tests.support.forge import b64, peek, unb64


def verified(
    id_token: str, jwks: Iterable[Mapping[str, str]], *, audience: str, now: int | None = None
) -> dict[str, Any]:
    """The claims of an id_token in force for a client; ES256, as the tests' server signs."""
    header, claims = peek(id_token)
    (key,) = [key for key in jwks if key["kid"] == header["kid"]]
    assert header["alg"] == key["alg"] == "ES256"
    assert signed_by(key, id_token)
    assert claims["iss"] == ISSUER
    assert claims["aud"] == audience
    assert claims["exp"] > claims["iat"]
    assert now is None or claims["iat"] <= now < claims["exp"]
    return claims


def signed_by(key: Mapping[str, str], token: str) -> bool:
    """Whether a token bears the ES256 signature of a public JWK (RFC 7518 section 3.4)."""
    x, y = (int.from_bytes(unb64(key[name])) for name in ("x", "y"))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    signing_input, _, signature = token.rpartition(".")
    raw = unb64(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    try:
        public.verify(der, signing_input.encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def half_hash(text: str) -> str:
    """at_hash for an algorithm that uses SHA-256 (OpenID Connect Core 3.1.3.6)."""
    return b64(hashlib.sha256(text.encode()).digest()[:16])
