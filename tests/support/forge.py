"""JSON Web Tokens made by hand, from the RFCs and `cryptography` alone: what an attacker sends, and what a peer would."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

Signer = Callable[[bytes], bytes]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def b64(data: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The bytes behind base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def segment(value: object) -> str:
    """A header or a payload as it stands in a token; a text is taken as it is."""
    return b64((value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))).encode())


def peek(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims of a token, unchecked."""
    header, payload, _ = token.split(".")
    return json.loads(unb64(header)), json.loads(unb64(payload))


def compact(header: object, claims: object, sign: Signer) -> str:
    """A JWS in compact form (RFC 7515 section 7.1)."""
    signing_input = f"{segment(header)}.{segment(claims)}"
    return f"{signing_input}.{b64(sign(signing_input.encode()))}"


def resigned(token: str, sign: Signer, *, header: Any = None, **claims: Any) -> str:
    """A token with other claims (None: without that claim) or another header, signed as if it were ours."""
    old_header, old = peek(token)
    new = {name: value for name, value in {**old, **claims}.items() if value is not None}
    return compact(old_header if header is None else header, new, sign)


def by_hmac(secret: bytes) -> Signer:
    """HS256 (RFC 7518 section 3.2)."""
    return lambda signing_input: hmac.new(secret, signing_input, hashlib.sha256).digest()


def by(key: PrivateKey) -> Signer:
    """RS256, ES256 or EdDSA, as is usual for this kind of key (RFC 7518 section 3, RFC 8037)."""
    if isinstance(key, rsa.RSAPrivateKey):
        return lambda signing_input: key.sign(signing_input, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return lambda signing_input: _raw(key.sign(signing_input, ec.ECDSA(hashes.SHA256())), (key.key_size + 7) // 8)
    return key.sign


def _raw(der: bytes, size: int) -> bytes:
    r, s = decode_dss_signature(der)
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def stranger(algorithm: str, *, rsa_bits: int = 2048) -> PrivateKey:
    """A new key that nobody trusts, of the kind that an algorithm takes."""
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)
    return ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else ed25519.Ed25519PrivateKey.generate()


def jwk(key: PrivateKey) -> dict[str, str]:
    """The public half as a JWK (RFC 7518 section 6, RFC 8037 section 2)."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": b64(_big(numbers.n)), "e": b64(_big(numbers.e))}
    if isinstance(public, ec.EllipticCurvePublicKey):
        point = public.public_numbers()
        return {
            "kty": "EC",
            "crv": "P-256",
            "x": b64(point.x.to_bytes(32, "big")),
            "y": b64(point.y.to_bytes(32, "big")),
        }
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw())}


def _big(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
