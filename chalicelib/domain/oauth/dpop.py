from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ..crypto import base64url, jws
from ..crypto.keyset import thumbprint
from ..errors import InvalidDpopProof

ALGORITHMS = jws.ALGORITHMS
MAX_LENGTH = 8192
SECONDS = 60  # how far a proof's own time may lie from ours, either way


class Proof(msgspec.Struct, frozen=True):
    """A DPoP proof found good for one request: its key's thumbprint, and what tells it from others."""

    jkt: str
    jti: str
    nonce: str
    algorithm: str = ""


def verify(proof: str, *, method: str, url: str, now: int | None, access_token: str = "") -> Proof:
    """RFC 9449 section 4.3, less the nonce and the memory of jti, which need a server; raises InvalidDpopProof.

    `now` is None for whoever goes by a nonce of his own: that says when a proof was made, whatever the clock of its maker.
    """
    jwk, claims = _signed(proof)
    if claims.get("htm") != method or not _same_url(claims.get("htu"), url):
        raise InvalidDpopProof("The DPoP proof is for another request: see htm and htu.")
    iat, jti, nonce = claims.get("iat"), claims.get("jti"), claims.get("nonce", "")
    if not jws.is_numeric_date(iat):
        raise InvalidDpopProof("The DPoP proof's iat is not a time.")
    if now is not None and abs(now - iat) > SECONDS:
        raise InvalidDpopProof("The DPoP proof is too old or from the future: see iat.")
    if not isinstance(jti, str) or not 0 < len(jti) <= 256 or not isinstance(nonce, str):
        raise InvalidDpopProof("The DPoP proof's jti or nonce is not a text.")
    if access_token and claims.get("ath") != _hash(access_token):
        raise InvalidDpopProof("The DPoP proof is for another access token: see ath.")
    members = {name: jwk[name] for name in jws.REQUIRED_MEMBERS[jwk["kty"]]}
    return Proof(thumbprint(members), jti, nonce, jws.unverified_header(proof)["alg"])


def _signed(proof: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        if len(proof) > MAX_LENGTH:
            raise ValueError("length")
        header = jws.unverified_header(proof)
        jwk: dict[str, Any] = header.get("jwk", {})
        if header.get("typ") != "dpop+jwt" or not jws.is_public_key(jwk):
            raise ValueError("header")
        return jwk, jws.verify(proof, jwk)
    except ValueError:
        raise InvalidDpopProof(
            f"The DPoP proof is no dpop+jwt that the public key in its header has signed: {', '.join(ALGORITHMS)}."
        ) from None


def _same_url(htu: object, url: str) -> bool:
    """RFC 9449 section 4.3 (9): without query and fragment, and with scheme and host whatever their case."""
    if not isinstance(htu, str):
        return False
    try:
        claimed, expected = urlsplit(htu), urlsplit(url)
        ports = [part.port or {"https": 443, "http": 80}.get(part.scheme) for part in (claimed, expected)]
    except ValueError:
        return False
    return (
        claimed.scheme == expected.scheme
        and claimed.hostname == expected.hostname
        and ports[0] == ports[1]
        and (claimed.path or "/") == (expected.path or "/")
    )


def _hash(access_token: str) -> str:
    return base64url.encode(sha256(access_token.encode()).digest())
