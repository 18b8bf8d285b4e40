import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from . import algorithms, base64url

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class State(Enum):
    """Where a signing key is in its life; published in every state but the last."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRING = "retiring"
    SPENT = "spent"


class SigningKey(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A private key and the moment (epoch seconds) from which it signs. Immutable: its state is a matter of the clock."""

    number: int
    algorithm: str
    active_at: int
    private: PrivateKey
    jwk: Mapping[str, str]

    @property
    def kid(self) -> str:
        return self.jwk["kid"]

    def pss(self) -> "SigningKey":
        """The same key for PS256, under a kid of its own, if it is one for RS256; else this key."""
        *_, newest = with_pss(self.jwk)
        return self if newest is self.jwk else msgspec.structs.replace(self, algorithm=algorithms.PSS, jwk=newest)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandleKey:
    """An HMAC key for refresh tokens and the moment (epoch seconds) from which it makes them."""

    number: int
    active_at: int
    secret: bytes


class RetiredKey(msgspec.Struct, frozen=True, kw_only=True):
    """The public half of a signing key that is gone. It is for old id_tokens as hints, `until` none matters any more."""

    jwk: Mapping[str, str]
    until: int


class KeySet(msgspec.Struct, frozen=True):
    """All keys that exist, by number. `token_life` is how long, in seconds, the longest-lived signed token is good.

    `pairwise` is what pairwise subjects are derived with. It never changes: with another one every user would be another.
    """

    signing: tuple[SigningKey, ...]
    refresh: tuple[HandleKey, ...]
    token_life: int
    pairwise: bytes = b""
    retired: tuple[RetiredKey, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether there is one of each kind."""
        return bool(self.signing and self.refresh and self.pairwise)

    def state(self, key: SigningKey, now: int) -> State:
        """The state of one key at one moment."""
        if key.active_at > now:
            return State.NEXT
        replaced_at = self.replaced_at(key, now)
        if replaced_at is None:
            return State.ACTIVE
        return State.RETIRING if now < replaced_at + self.token_life else State.SPENT

    def replaced_at(self, key: SigningKey, now: int) -> int | None:
        """When a key signed for the last time; None of one that has not been followed by another."""
        return next((k.active_at for k in self.signing if k.number > key.number and k.active_at <= now), None)

    def signer(self, now: int) -> SigningKey:
        """The active key; of a set whose keys all lie in the future, the first."""
        return next((k for k in reversed(self.signing) if k.active_at <= now), self.signing[0])

    def published(self, now: int) -> tuple[SigningKey, ...]:
        """The keys whose public halves a verifier must know now: next, active and retiring."""
        *older, newest = self.signing  # which has no successor, and so is never spent
        return (*[key for key in older if self.state(key, now) is not State.SPENT], newest)

    def hint_keys(self, now: int) -> list[Mapping[str, str]]:
        """The public keys of all that has been signed and can still be shown as a hint, published or not."""
        jwks = [*(key.jwk for key in self.signing), *(key.jwk for key in self.retired if now < key.until)]
        return [each for jwk in jwks for each in with_pss(jwk)]

    def handle_key(self, now: int) -> HandleKey:
        """The HMAC key that makes refresh tokens now."""
        return next((k for k in reversed(self.refresh) if k.active_at <= now), self.refresh[0])

    def handle_secrets(self) -> dict[int, bytes]:
        """Every HMAC key by its number, for verifying."""
        return {key.number: key.secret for key in self.refresh}


def with_pss(jwk: Mapping[str, str]) -> tuple[Mapping[str, str], ...]:
    """A public key, and if it is for RS256 the same for PS256: verifiers find the algorithm by the kid."""
    pss = {**jwk, "alg": algorithms.PSS, "kid": f"{jwk['kid']}-{algorithms.PSS}"}
    return (jwk, pss) if jwk["alg"] == "RS256" else (jwk,)


def generate(algorithm: str) -> str:
    """A new private key for a JWS algorithm (RFC 7518, RFC 8037), as PKCS #8 PEM."""
    key: PrivateKey
    if algorithm == "RS256":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    elif algorithm == "ES256":
        key = ec.generate_private_key(ec.SECP256R1())
    elif algorithm == "EdDSA":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        raise ValueError(f"unknown algorithm {algorithm}: one of {', '.join(algorithms.SIGNING)}")
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def signing_key(*, number: int, algorithm: str, active_at: int, pem: str) -> SigningKey:
    """A key as it was generated; `pem` must come from our own store, for its RSA arithmetic is not checked again."""
    # Checking an RSA key's primes costs 35 ms at every cold start; ours were checked when we made them.
    private = serialization.load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise ValueError("not a signing key")
    return SigningKey(
        number=number,
        algorithm=algorithm,
        active_at=active_at,
        private=private,
        jwk=_public_jwk(private, algorithm),
    )


def _public_jwk(private: PrivateKey, algorithm: str) -> dict[str, str]:
    public = private.public_key()
    jwk: dict[str, Any]
    if isinstance(public, rsa.RSAPublicKey):
        jwk = RSAAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        jwk = ECAlgorithm.to_jwk(public, as_dict=True)
    else:
        jwk = OKPAlgorithm.to_jwk(public, as_dict=True)
    members: dict[str, str] = {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in jwk}
    return {**members, "use": "sig", "alg": algorithm, "kid": thumbprint(members)}


def thumbprint(members: Mapping[str, str]) -> str:
    """The JWK thumbprint of a public key's required members (RFC 7638), base64url."""
    canonical = json.dumps(dict(members), sort_keys=True, separators=(",", ":")).encode()
    return base64url.encode(hashlib.sha256(canonical).digest())
