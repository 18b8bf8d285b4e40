"""The Lambda authorizers, for this API and for every API that is registered with us.

They start in a container of their own that never loads app.py, and boto3 only for an API that wants revocations to bite.
"""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chalice.app import AuthRequest, Blueprint

from ..config import Settings, check_at_start, load, read_json
from ..domain.errors import InvalidToken
from ..domain.guard.policy import ANY, METHODS, Route, document, for_rest, narrowed, opening, routes
from ..domain.oauth.tokens import VerifiedClaims, Verifier, credentials
from .scope_map import SCOPES

check_at_start(os.environ)

bp = Blueprint(__name__)

RELOAD_SECONDS = 60
KEEP_SECONDS = 3600  # how long a key that was struck out may still count in a container that goes on running
MAX_JWKS_BYTES = 64 * 1024
TTL_SECONDS = 300
MAX_PROOFS = 10_000
BASE = re.compile(r"arn:aws[a-z-]*:execute-api:[a-z0-9-]+:[0-9]+:([A-Za-z0-9_-]+)/[A-Za-z0-9$._-]+")

Jwks = list[Mapping[str, str]]
Session = Callable[[VerifiedClaims], bool]


class Unauthorized(Exception):
    """API Gateway answers 401 to a function that fails with exactly this message, and 500 to any other failure."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """An API behind the guard: its routes and how late a revocation may bite on it."""

    audience: str
    scope_map: Mapping[str, str]
    routes: tuple[Route, ...]
    asks_session: bool = False
    simple: bool = False
    dpop: bool = False


@dataclass(frozen=True, slots=True)
class DpopRequest:
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
        in_force: Session,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._fetch = fetch
        self._in_force = in_force
        self._now = now
        self._own = Api(audience=settings.audience, scope_map=SCOPES, routes=routes(SCOPES))
        self._apis = _registered(settings)
        # So that an unknown key is looked up at once, and the known ones not for a while.
        self._tried_at = now() - RELOAD_SECONDS
        self._fetch_failed = False
        self._proofs: dict[tuple[str, str], float] = {}
        self._use(read_json(settings.jwks_file).get("keys", []))

    def api(self, arn: str, *, unknown_is_ours: bool = False) -> tuple[str, Api]:
        """The API that a method's or a route's ARN belongs to, and the ARN's part up to the stage; LookupError if it has none."""
        found = BASE.match(arn)
        if not found:
            raise ValueError("not an ARN of API Gateway")
        api = self._apis.get(found[1], self._own if unknown_is_ours else None)
        if api is None:
            raise LookupError(f"the API {found[1]} is not registered: `python -m local.apis add`, then deploy")
        return found[0], api

    def claims(self, api: Api, authorization: str | None, shown: DpopRequest | None = None) -> VerifiedClaims:
        """The claims of the token in an Authorization header (RFC 6750 section 2.1, RFC 9449 section 7.1); raises Unauthorized.

        A token that is bound to a key is good with a proof of that key alone, and never as a bearer token.
        """
        scheme, token = credentials(authorization or "")
        if not token or scheme != ("dpop" if shown else "bearer"):
            raise Unauthorized
        try:
            verified = self._verifier(api.audience, token).verify(token, now=int(self._now()))
        except InvalidToken:
            raise Unauthorized from None
        if shown is not None:
            self._check(shown, token, verified)
        elif "cnf" in verified.all:
            raise Unauthorized
        # A client that acts for itself is in no session that could have ended.
        if api.asks_session and verified.sid and not self._in_force(verified):
            raise Unauthorized
        return verified

    def _check(self, shown: DpopRequest, token: str, verified: VerifiedClaims) -> None:
        # Here and not above: an API that takes no proofs pays nothing for them.
        from ..domain.errors import InvalidDpopProof
        from ..domain.oauth import dpop

        now = int(self._now())
        try:
            proof = dpop.verify(shown.unverified_proof, method=shown.method, url=shown.url, now=now, access_token=token)
        except InvalidDpopProof:
            raise Unauthorized from None
        if {"jkt": proof.jkt} != verified.all.get("cnf") or not self._first(proof.jkt, proof.jti, now):
            raise Unauthorized

    def _first(self, jkt: str, jti: str, now: int) -> bool:
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
        verifier = self._for(audience)
        now = self._now()
        if now >= self._tried_at + (RELOAD_SECONDS if not verifier.knows(token) else KEEP_SECONDS):
            self._tried_at = now
            self._reload()
            verifier = self._for(audience)
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

    def _for(self, audience: str) -> Verifier:
        if audience not in self._verifiers:
            self._verifiers[audience] = Verifier(self._jwks, issuer=self._settings.issuer, audience=audience)
        return self._verifiers[audience]


def _registered(settings: Settings) -> dict[str, Api]:
    return {
        api_id: Api(
            audience=entry.get("audience") or settings.audience,
            scope_map=entry["scopes"],
            routes=routes(entry["scopes"]),
            asks_session=entry["revocation"] in ("bounded", "strict"),
            simple=entry.get("answer") == "simple",
            dpop=entry.get("dpop", False),
        )
        for api_id, entry in read_json(settings.apis_file).items()
    }


def _fetch(url: str) -> Jwks:
    import urllib.request

    with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - the URL is our own configuration
        keys: Jwks = json.loads(answer.read(MAX_JWKS_BYTES))["keys"]
    return keys


def _in_force(claims: VerifiedClaims) -> bool:
    # Here and not above: this drags in boto3, which most guards never need.
    from ..domain.accounts.model import in_force
    from ..domain.crypto import pairwise
    from ..services import services

    svc = services()
    uid, sid = claims.sub, claims.sid
    if "sector" in claims.all:
        uid = pairwise.identifier(uid, sector=claims.all["sector"], secret=svc.keys.pairwise_alone())
    if sid.startswith(pairwise.LETTER):
        secret = svc.keys.pairwise_alone()
        sid = pairwise.session_identifier(sid, client_id=claims.client_id, secret=secret)
    return in_force(*svc.grants.with_user(uid, sid), svc.now()) is not None


_of_this_container: list[Guard] = []


def the_guard() -> Guard:
    """This container's guard, made from its environment on first use."""
    if not _of_this_container:
        _of_this_container.append(Guard(load(os.environ), fetch=_fetch, in_force=_in_force))
    return _of_this_container[0]


def use(guard: Guard) -> None:
    """Makes this the container's guard: for a process that brings its own clock or keys."""
    _of_this_container[:] = [guard]


@bp.authorizer(ttl_seconds=TTL_SECONDS)
def guard(request: AuthRequest) -> dict[str, Any]:
    """The TOKEN authorizer that Chalice attaches to our own API: the policy of a good token, or the failure `Unauthorized`.

    Our API's id is not known when this is packaged, so whatever is not registered is ours. Registered APIs, which may have
    attached it before there was `guard_request` for them, keep their own map here.
    """
    held = the_guard()
    base, api = held.api(request.method_arn, unknown_is_ours=True)
    return policy(held, base, api, arn=request.method_arn, authorization=request.token)


@bp.lambda_function(name="guard_request")
def guard_request(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """The authorizer for every other API: TOKEN and REQUEST of REST APIs, payload 1.0 and 2.0 of HTTP APIs.

    An API that is not registered is a fault, with the reason in the log, and never ours.
    """
    return decide(the_guard(), event)


def decide(guard: Guard, event: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to an authorizer event of any of API Gateway's shapes, for a registered API."""
    arn = event.get("routeArn") or event["methodArn"]
    base, api = guard.api(arn)
    if event.get("type") == "TOKEN":
        return policy(guard, base, api, arn=arn, authorization=event["authorizationToken"])
    authorization = _header(event, "authorization")
    shown = _shown(event) if api.dpop and (authorization or "").lower().startswith("dpop ") else None
    version = event.get("version")  # only HTTP APIs have one
    if version == "2.0" and api.simple:
        return _simple(guard, api, event, authorization, shown)
    return policy(guard, base, api, arn=arn, authorization=authorization, shown=shown, rest=version is None)


def _header(event: Mapping[str, Any], wanted: str) -> str | None:
    """The one header of a name; a request with two of them has none."""
    many = event.get("multiValueHeaders") or {}
    values = [v for name, vs in many.items() if name.lower() == wanted for v in vs]
    if not many:
        headers = event.get("headers") or {}
        values = [value for name, value in headers.items() if name.lower() == wanted]
    return values[0] if len(values) == 1 else None


def _shown(event: Mapping[str, Any]) -> DpopRequest:
    proof = _header(event, "dpop")
    if proof is None:
        raise Unauthorized
    # An HTTP API says what its cache goes by (none, if it keeps nothing); a REST API does not: see local/attaching.py.
    sources = event.get("identitySource")
    if sources and proof not in (sources.split(",") if isinstance(sources, str) else sources):
        raise RuntimeError("this authorizer must not be cached without $request.header.DPoP: set TTL 0 and no sources")
    context = event["requestContext"]
    http = context.get("http") or {"method": event.get("httpMethod"), "path": context.get("path")}
    # The name that the gateway found the API by and the path as it was asked for; never the Host header.
    return DpopRequest(proof, http["method"], f"https://{context['domainName']}{http['path']}")


def policy(
    guard: Guard,
    base: str,
    api: Api,
    *,
    arn: str,
    authorization: str | None,
    shown: DpopRequest | None = None,
    rest: bool = True,
) -> dict[str, Any]:
    """What a token opens on an API, for all of that API's routes at once; raises Unauthorized.

    With a proof it is for the one request of `arn`, as the proof is: whoever replays both must not get elsewhere by the cache.
    """
    claims = guard.claims(api, authorization, shown)
    opened = opening(api.routes, frozenset(claims.scope))
    if rest:
        opened = for_rest(opened, base)
    if shown is not None:
        opened = narrowed(opened, arn[len(base) + 1 :])
    return {"principalId": claims.sub, "policyDocument": document(base, opened), "context": _context(claims)}


def _simple(
    guard: Guard, api: Api, event: Mapping[str, Any], authorization: str | None, shown: DpopRequest | None
) -> dict[str, Any]:
    sources = event.get("identitySource") or ()
    # Without identity sources an HTTP API keeps nothing, which is how one that takes DPoP proofs has to be.
    if (sources or not api.dpop) and event["routeKey"] not in sources:
        # The gateway would keep this answer for the token's other routes as well.
        raise RuntimeError(
            "add $context.routeKey to this authorizer's identity sources, or register the API for policies"
        )
    claims = guard.claims(api, authorization, shown)
    needed = _needed(api.scope_map, event["routeKey"], event["requestContext"]["http"]["method"])
    return {
        "isAuthorized": needed is not None and set(needed.split()) <= set(claims.scope),
        "context": _context(claims),
    }


def _needed(scope_map: Mapping[str, str], route_key: str, asked: str) -> str | None:
    """What the map asks of a route of an HTTP API, whose answer the gateway may keep for all methods of the route."""
    method, _, path = route_key.partition(" ")
    if method == ANY and {route_key, f"{asked} {path}"} <= scope_map.keys():
        raise RuntimeError(
            f"the map names {asked} {path}: make it a route of its own in the API, or take it off the map"
        )
    every_method = scope_map.get(f"{ANY} {path}") if method in METHODS else None
    return scope_map.get(route_key, every_method)


def _context(claims: VerifiedClaims) -> dict[str, str]:
    return {
        "sub": claims.sub,
        "scope": " ".join(claims.scope),
        "client_id": claims.client_id,
        "sid": claims.sid,
        "roles": " ".join(claims.all.get("roles", ())),
        "exp": str(claims.exp),
    }
