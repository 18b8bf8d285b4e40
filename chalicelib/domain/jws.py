"""Signatures by other people's keys: what clients prove themselves with."""

from collections.abc import Mapping
from typing import Any

import jwt
from jwt.algorithms import OKPAlgorithm

# By kind of key. Ed25519 is RFC 9864's name for EdDSA on that curve, and new libraries write no other; PyJWT lacks it.
OF_KIND: Mapping[str, tuple[str, ...]] = {
    "EC": ("ES256",),
    "RSA": ("RS256", "PS256"),
    "OKP": ("EdDSA", "Ed25519"),
}
ALGORITHMS = tuple(name for names in OF_KIND.values() for name in names)
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # RFC 7518 section 6, RFC 8037
_JWS = jwt.PyJWS()
_JWS.register_algorithm("Ed25519", OKPAlgorithm())


def payload(token: str, jwk: Mapping[str, Any]) -> bytes:
    """What this key has signed. Raises PyJWTError, ValueError, KeyError or TypeError for any other token.

    The algorithm is the key's; a key that names none leaves the choice among those of its kind.
    """
    algorithm = jwt.get_unverified_header(token)["alg"]
    edwards = jwk["kty"] == "OKP"
    if algorithm not in OF_KIND[jwk["kty"]] or (edwards and jwk["crv"] != "Ed25519"):
        raise ValueError("algorithm")
    if jwk.get("alg") and jwk["alg"] != algorithm and not edwards:
        raise ValueError("algorithm of the key")
    key = jwt.PyJWK(dict(jwk), algorithm="EdDSA" if edwards else algorithm).key
    return _JWS.decode(token, key, algorithms=[algorithm])  # type: ignore[no-any-return]
