"""The guard: it holds the public keys and the APIs' maps, and checks access tokens with them."""

import re
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from ..config import RESOURCE_METADATA, Settings, read_json
from ..domain.authentication import levels
from ..domain.errors import InvalidToken
from ..domain.guard.routes import Route, routes
from ..domain.oauth.scopes import needed
from ..domain.oauth.tokens import VerifiedClaims, Verifier, credentials
from .scope_map import ACR, SCOPES

RELOAD_SECONDS = 60
KEEP_SECONDS = 3600  # how long a key that was withdrawn may still count in a container that goes on running
MAX_PROOFS = 10_000
BASE = re.compile(r"arn:aws[a-z-]*:execute-api:[a-z0-9-]+:[0-9]+:([A-Za-z0-9_-]+)/[A-Za-z0-9$._-]+")

Jwks = list[Mapping[str, str]]
# A token as its session or, without one, its client leaves it by now; raises InvalidToken.
InForce = Callable[[VerifiedClaims], VerifiedClaims]


class Unauthorized(Exception):
    """API Gateway answers 401 to a function that fails with exactly this message, and 500 to any other failure."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


class Api(NamedTuple):
    """An API behind the guard: its routes, and whether a token is refused once what it stands for has ended.

    `acr_map` are the levels that some lines of the scope map need.
    `cached` is whether the gateway keeps answers; `metadata` is the URL of what the API is (RFC 9728), `scopes` are all of it.
    """

    audience: str
    scope_map: Mapping[str, str]
    routes: tuple[Route, ...]
    acr_map: Mapping[str, str] = MappingProxyType({})
    checks_session: bool = False
    simple: bool = False
    dpop: bool = False
    cached: bool = True
    metadata: str = ""
    scopes: tuple[str, ...] = ()

    @property
    def acr(self) -> str:
        """The highest level that some route needs, "" where none needs one."""
        return max(self.acr_map.values(), key=levels.rank, default="")


class DpopRequest(NamedTuple):
    """A DPoP proof (RFC 9449) as it came, not verified, with the method and the URL that it has to be for."""

    unverified_proof: str
    method: str
    url: str


class Guard:
    """Decides over access tokens for all known APIs, with the public keys that it holds."""

    def __init__(
        self,
        settings: Settings,
        *,
        fetch: Callable[[str], Jwks],
        in_force: InForce,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._fetch = fetch
        self._in_force = in_force
        self._now = now
        self._own = Api(
            audience=settings.audience,
            scope_map=SCOPES,
            routes=routes(SCOPES, ACR),
            acr_map=ACR,
            metadata=settings.issuer + RESOURCE_METADATA,
            scopes=needed(SCOPES),
        )
        self._apis = _registered(settings)
        # So that an unknown key is looked up at once, and the known ones not for a while.
        self._tried_at = now() - RELOAD_SECONDS
        self._fetch_failed = False
        self._proofs: dict[tuple[str, str], float] = {}
        self._use(read_json(settings.jwks_file).get("keys", []))

    def api(self, arn: str, *, unknown_is_ours: bool = False) -> tuple[str, Api]:
        """The API that a method's or a route's ARN belongs to, and the ARN's part up to the stage; LookupError if it has none."""
        match = BASE.match(arn)
        if not match:
            raise ValueError("not an ARN of API Gateway")
        api = self._apis.get(match[1], self._own if unknown_is_ours else None)
        if api is None:
            raise LookupError(f"the API {match[1]} is not registered: `./latchkey apis add`, then deploy")
        return match[0], api

    def claims(self, api: Api, authorization: str | None, dpop_request: DpopRequest | None = None) -> VerifiedClaims:
        """The claims of the token in an Authorization header (RFC 6750 section 2.1, RFC 9449 section 7.1); raises Unauthorized.

        A token that is bound to a key is good with a proof of that key alone, and never as a bearer token.
        """
        scheme, token = credentials(authorization or "")
        if not token or scheme != ("dpop" if dpop_request else "bearer"):
            raise Unauthorized
        try:
            verified = self._verifier(api.audience, token).verify(token, now=int(self._now()))
            if dpop_request is not None:
                self._check(dpop_request, token, verified)
            elif "cnf" in verified.all:
                raise Unauthorized
            return self._in_force(verified) if api.checks_session else verified
        except InvalidToken:
            raise Unauthorized from None

    def _check(self, request: DpopRequest, token: str, verified: VerifiedClaims) -> None:
        # Here and not above: an API that takes no proofs pays nothing for them.
        from ..domain.errors import InvalidDpopProof
        from ..domain.oauth import dpop

        now = int(self._now())
        try:
            proof = dpop.verify(
                request.unverified_proof,
                method=request.method,
                url=request.url,
                now=now,
                access_token=token,
            )
        except InvalidDpopProof:
            raise Unauthorized from None
        if {"jkt": proof.jkt} != verified.all.get("cnf") or not self._is_first_use(proof.jkt, proof.jti, now):
            raise Unauthorized

    def _is_first_use(self, jkt: str, jti: str, now: int) -> bool:
        """Whether this container sees a proof for the first time, as far back as a proof can be good."""
        from ..domain.oauth import dpop

        while self._proofs:
            oldest, until = next(iter(self._proofs.items()))
            if until >= now and len(self._proofs) < MAX_PROOFS:
                break
            del self._proofs[oldest]
        if (jkt, jti) in self._proofs:
            return False
        self._proofs[jkt, jti] = now + 2 * dpop.SECONDS
        return True

    def _verifier(self, audience: str, token: str) -> Verifier:
        verifier = self._verifier_for(audience)
        now = self._now()
        if now >= self._tried_at + (RELOAD_SECONDS if not verifier.knows(token) else KEEP_SECONDS):
            self._tried_at = now
            self._reload()
            verifier = self._verifier_for(audience)
        if self._fetch_failed and not verifier.knows(token):
            # It may be a good token under a key that we could not get: no reason to end its owner's session.
            raise RuntimeError("the public keys cannot be read")
        return verifier

    def _reload(self) -> None:
        try:
            jwks = self._fetch(self._settings.jwks_url)
            usable = bool(jwks) and Verifier(jwks, issuer=self._settings.issuer, audience=self._settings.audience)
        except Exception:
            usable = False
        # Whatever came back, it must not displace keys that are good.
        if usable:
            self._use(jwks)
        self._fetch_failed = not usable

    def _use(self, jwks: Jwks) -> None:
        self._jwks = jwks
        self._verifiers: dict[str, Verifier] = {}

    def _verifier_for(self, audience: str) -> Verifier:
        if audience not in self._verifiers:
            jwt_audiences = self._settings.jwt_audiences & {audience}
            self._verifiers[audience] = Verifier(
                self._jwks, issuer=self._settings.issuer, audience=audience, jwt_audiences=jwt_audiences
            )
        return self._verifiers[audience]


def _registered(settings: Settings) -> dict[str, Api]:
    return {
        api_id: Api(
            audience=entry.get("audience") or settings.audience,
            scope_map=entry["scopes"],
            routes=routes(entry["scopes"], entry.get("acr")),
            acr_map=entry.get("acr", {}),
            checks_session=entry["revocation"] in ("bounded", "strict"),
            simple=entry.get("answer") == "simple",
            dpop=entry.get("dpop", False),
            cached=entry["revocation"] != "strict" and not entry.get("dpop"),
            metadata=f"{settings.issuer}{RESOURCE_METADATA}/{entry['name']}",
            scopes=needed(entry["scopes"]),
        )
        for api_id, entry in read_json(settings.apis_file).items()
    }
