"""Somebody else's server that vouches for users (RFC 7523 section 2.1): its key, and what it signs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from chalicelib.domain.oauth.client import JWT_BEARER
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import ISSUER, App, register
from tests.support.forge import PrivateKey, by, compact, jwk, stranger
from tests.support.phone import Phone


@dataclass
class Issuer:
    """An issuer of assertions, by its name, and its key."""

    name: str = "https://idp.example"
    key: PrivateKey = field(default_factory=lambda: stranger("ES256"))

    @property
    def jwks(self) -> dict[str, Any]:
        """Its public keys."""
        return {"keys": [{**jwk(self.key), "kid": "1", "alg": "ES256"}]}

    def entry(self, **more: Any) -> dict[str, Any]:
        """What an operator registers of it with a client that is to trust it."""
        return {self.name: {"jwks": self.jwks, **more}}

    def assertion(
        self, subject: object, *, now: int, header: Mapping[str, Any] | None = None, **changes: object
    ) -> str:
        """A good assertion about a user, changed; None leaves a claim out."""
        times = {"iat": now, "exp": now + 60}
        good = {"iss": self.name, "sub": subject, "aud": ISSUER, **times, "jti": uuid4().hex}
        claims = {name: value for name, value in {**good, **changes}.items() if value is not None}
        return compact({"alg": "ES256", "kid": "1"} if header is None else header, claims, by(self.key))


def trusting(svc: Services, phone: Phone, issuer: Issuer, **metadata: Any) -> App:
    """A new client whose operator trusts an issuer."""
    return register(svc, phone, "trusting", **{"assertion_issuers": issuer.entry(), **metadata})


def present(app: App, assertion: str, *, headers: Iterable[tuple[str, str]] = (), **fields: str) -> Answer:
    """A token request with an assertion for a grant."""
    return app.token(JWT_BEARER, headers=headers, assertion=assertion, **fields)
