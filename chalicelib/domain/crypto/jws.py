"""Signatures by other people's keys: what clients prove themselves with."""

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, TypeGuard

import jwt
from jwt.algorithms import OKPAlgorithm

from . import base64url, strict_json

# By kind of key. Ed25519 is RFC 9864's name for EdDSA on that curve, and new libraries write no other; PyJWT lacks it.
OF_KIND: Mapping[str, tuple[str, ...]] = {
    "EC": ("ES256",),
    "RSA": ("RS256", "PS256"),
    "OKP": ("EdDSA", "Ed25519"),
}
ALGORITHMS = tuple(name for names in OF_KIND.values() for name in names)
REQUIRED_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}
CURVES = {"EC": "P-256", "OKP": "Ed25519"}
MIN_RSA_BITS = 2048
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # RFC 7518 section 6, RFC 8037
_JWS = jwt.PyJWS()
_JWS.register_algorithm("Ed25519", OKPAlgorithm())


def names_of(algorithm: str) -> tuple[str, ...]:
    """An algorithm under all its names, one of which a header has."""
    return OF_KIND["OKP"] if algorithm in OF_KIND["OKP"] else (algorithm,)


def unverified_header(token: str) -> dict[str, Any]:
    """The header of a token; raises ValueError for a text that has none."""
    return _object(base64url.decode(token.partition(".")[0]))


def unverified_claims(token: str) -> dict[str, Any]:
    """The claims of a token, whoever signed it; raises ValueError for a text that has none."""
    _, payload, _ = token.split(".")
    return _object(base64url.decode(payload))


def verify(token: str, jwk: Mapping[str, Any]) -> dict[str, Any]:
    """The claims that this key has signed; raises ValueError for any other token.

    The algorithm is the key's; a key that names none leaves the choice among those of its kind.
    """
    try:
        return _object(_payload(token, jwk))
    except (jwt.PyJWTError, KeyError, TypeError, AttributeError) as unfit:
        raise ValueError("signature or key") from unfit


def is_public_key(jwk: Any) -> bool:
    """Whether a JWK is a public key that is long enough, of a kind that can sign, and has nothing private."""
    if not isinstance(jwk, dict) or PRIVATE_MEMBERS & set(jwk):
        return False
    kty = jwk.get("kty")
    required = REQUIRED_MEMBERS.get(kty) if isinstance(kty, str) else None
    if required is None or not all(isinstance(jwk.get(name), str) for name in required):
        return False
    try:
        return _is_strong(jwk)
    except ValueError:
        return False


def _is_strong(jwk: Mapping[str, Any]) -> bool:
    """RFC 7518 sections 3.3 and 3.4, RFC 8037, FAPI 2.0 Security Profile 5.4.1: RSA of 2048 bits, or the one curve there is."""
    if jwk["kty"] != "RSA":
        return bool(jwk["crv"] == CURVES[jwk["kty"]])
    modulus = urlsafe_b64decode(jwk["n"].encode() + b"==")  # some write padding, which the RFC has not
    return int.from_bytes(modulus).bit_length() >= MIN_RSA_BITS


def is_numeric_date(claim: object) -> TypeGuard[int | float]:
    """Whether a claim is a NumericDate, which may have a fraction (RFC 7519 section 2)."""
    return type(claim) in (int, float)


def _object(data: bytes) -> dict[str, Any]:
    value = strict_json.decode(data)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _payload(token: str, jwk: Mapping[str, Any]) -> bytes:
    algorithm = unverified_header(token)["alg"]
    edwards = jwk["kty"] == "OKP"
    if algorithm not in OF_KIND[jwk["kty"]] or (edwards and jwk["crv"] != CURVES["OKP"]):
        raise ValueError("algorithm")
    if not is_public_key(jwk):  # the set that it is of may have been registered before short keys were refused
        raise ValueError("signature or key")
    if jwk.get("alg") and jwk["alg"] != algorithm and not edwards:
        raise ValueError("algorithm of the key")
    key = jwt.PyJWK(dict(jwk), algorithm="EdDSA" if edwards else algorithm).key
    return _JWS.decode(token, key, algorithms=[algorithm])  # type: ignore[no-any-return]
