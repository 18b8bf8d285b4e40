"""The Lambda authorizers, for this API and for every API that is registered with us.

They start in a container of their own that never loads app.py, and boto3 only for an API that wants revocations to bite.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chalice.app import AuthRequest, Blueprint

from ..config import Settings, load
from ..domain.errors import InvalidToken
from ..domain.policy import Route, document, opening, routes
from ..domain.tokens import VerifiedClaims, Verifier
from .scope_map import SCOPES

bp = Blueprint(__name__)

RELOAD_SECONDS = 60
MAX_JWKS_BYTES = 64 * 1024
TTL_SECONDS = 300
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
    routes: tuple[Route, ...]
    asks_session: bool = False
    simple: bool = False


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
        self._own = Api(audience=settings.audience, routes=routes(SCOPES))
        self._apis = _registered(settings)
        self._tried_at = 0.0
        self._fetch_failed = False
        self._use(_shipped(settings))

    def api(self, arn: str) -> tuple[str, Api]:
        """The API that a method's or a route's ARN belongs to, and the ARN's part up to the stage."""
        found = BASE.match(arn)
        if not found:
            raise ValueError("not an ARN of API Gateway")
        return found[0], self._apis.get(found[1], self._own)

    def claims(self, api: Api, authorization: str | None) -> VerifiedClaims:
        """The claims of the bearer token in an Authorization header (RFC 6750 section 2.1); raises Unauthorized."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized
        try:
            verified = self._verifier(api.audience, token).verify(token, now=int(self._now()))
        except InvalidToken:
            raise Unauthorized from None
        if api.asks_session and not self._in_force(verified):
            raise Unauthorized
        return verified

    def _verifier(self, audience: str, token: str) -> Verifier:
        verifier = self._for(audience)
        if verifier.knows(token):
            return verifier
        now = self._now()
        if now >= self._tried_at + RELOAD_SECONDS:
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


def _shipped(settings: Settings) -> Jwks:
    found: dict[str, Jwks] = _read(settings.jwks_file)
    return found.get("keys", [])


def _registered(settings: Settings) -> dict[str, Api]:
    return {
        api_id: Api(
            audience=entry.get("audience") or settings.audience,
            routes=routes(entry["scopes"]),
            asks_session=entry["revocation"] in ("bounded", "strict"),
            simple=entry.get("answer") == "simple",
        )
        for api_id, entry in _read(settings.apis_file).items()
    }


def _read(file: str) -> Any:
    try:
        with open(file, encoding="utf-8") as opened:  # noqa: PTH123 - see config.py
            return json.load(opened)
    except FileNotFoundError:
        return {}


def _fetch(url: str) -> Jwks:
    import urllib.request

    with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - the URL is our own configuration
        keys: Jwks = json.loads(answer.read(MAX_JWKS_BYTES))["keys"]
    return keys


def _in_force(claims: VerifiedClaims) -> bool:
    # Here and not above: this drags in boto3, which most guards never need.
    from ..domain.model import in_force
    from ..services import services

    svc = services()
    return in_force(*svc.grants.with_user(claims.sub, claims.sid), svc.now())


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
    """Chalice's built-in TOKEN authorizer: the policy of a good token, or the failure `Unauthorized`."""
    return policy(the_guard(), arn=request.method_arn, authorization=request.token)


@bp.lambda_function(name="guard_request")
def guard_request(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """A REQUEST authorizer for REST APIs and for HTTP APIs of payload 1.0 and 2.0; TOKEN events are understood as well."""
    return decide(the_guard(), event)


def decide(guard: Guard, event: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to an authorizer event of any of API Gateway's shapes."""
    if event.get("type") == "TOKEN":
        return policy(guard, arn=event["methodArn"], authorization=event["authorizationToken"])
    authorization = _authorization(event)
    arn = event.get("routeArn") or event["methodArn"]
    _, api = guard.api(arn)
    if event.get("version") == "2.0" and api.simple:
        return _simple(guard, api, event, authorization)
    return policy(guard, arn=arn, authorization=authorization)


def _authorization(event: Mapping[str, Any]) -> str | None:
    """The one Authorization header; a request with two of them has none."""
    many = event.get("multiValueHeaders") or {}
    values = [v for name, vs in many.items() if name.lower() == "authorization" for v in vs]
    if not many:
        headers = event.get("headers") or {}
        values = [value for name, value in headers.items() if name.lower() == "authorization"]
    return values[0] if len(values) == 1 else None


def policy(guard: Guard, *, arn: str, authorization: str | None) -> dict[str, Any]:
    """What a token opens on the API of `arn`, for all of that API's routes at once; raises Unauthorized."""
    base, api = guard.api(arn)
    claims = guard.claims(api, authorization)
    return {
        "principalId": claims.sub,
        "policyDocument": document(base, opening(api.routes, frozenset(claims.scope))),
        "context": _context(claims),
    }


def _simple(guard: Guard, api: Api, event: Mapping[str, Any], authorization: str | None) -> dict[str, Any]:
    route_key = event["routeKey"]
    if route_key not in event["identitySource"]:
        # The gateway would keep this answer for the token's other routes as well.
        raise RuntimeError(
            "add $context.routeKey to this authorizer's identity sources, or register the API for policies"
        )
    claims = guard.claims(api, authorization)
    needed = _needed(api.routes, route_key)
    return {
        "isAuthorized": needed is not None and needed <= set(claims.scope),
        "context": _context(claims),
    }


def _needed(all_routes: Iterable[Route], route_key: str) -> frozenset[str] | None:
    for route in all_routes:
        if f"{route.method} /{'/'.join(route.segments)}" == route_key:
            return route.scopes
    return None


def _context(claims: VerifiedClaims) -> dict[str, str]:
    return {
        "sub": claims.sub,
        "scope": " ".join(claims.scope),
        "client_id": claims.client_id,
        "sid": claims.sid,
        "roles": " ".join(claims.all.get("roles", ())),
        "exp": str(claims.exp),
    }
