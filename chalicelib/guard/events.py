"""API Gateway's shapes: the authorizer events that it sends, and the answers that it takes for them."""

from collections.abc import Mapping
from typing import Any

from ..domain.guard.policy import document, for_rest, narrow_to_request, permissions_for
from ..domain.guard.routes import ANY, METHODS, route_of
from ..domain.oauth.tokens import VerifiedClaims
from . import challenges
from .verifier import Api, DpopRequest, Guard, Unauthorized


def decide(guard: Guard, event: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to an authorizer event of any of API Gateway's shapes, for a registered API."""
    arn = event.get("routeArn") or event["methodArn"]
    base, api = guard.api(arn)
    if event.get("type") == "TOKEN":
        return policy(guard, base, api, arn=arn, authorization=event["authorizationToken"])
    authorization = _header(event, "authorization")
    dpop_request = _dpop_request(event) if api.dpop and (authorization or "").lower().startswith("dpop ") else None
    version = event.get("version")  # only HTTP APIs have one
    if version == "2.0" and api.simple:
        return _simple(guard, api, event, authorization, dpop_request)
    return policy(
        guard, base, api, arn=arn, authorization=authorization, dpop_request=dpop_request, rest=version is None
    )


def _header(event: Mapping[str, Any], header: str) -> str | None:
    """The one header of a name; a request with two of them has none."""
    many = event.get("multiValueHeaders") or {}
    values = [v for name, vs in many.items() if name.lower() == header for v in vs]
    if not many:
        headers = event.get("headers") or {}
        values = [value for name, value in headers.items() if name.lower() == header]
    return values[0] if len(values) == 1 else None


def _dpop_request(event: Mapping[str, Any]) -> DpopRequest:
    proof = _header(event, "dpop")
    if proof is None:
        raise Unauthorized
    # An HTTP API says what its cache goes by (none, if it keeps nothing); a REST API does not: see deploy/attaching.py.
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
    dpop_request: DpopRequest | None = None,
    rest: bool = True,
) -> dict[str, Any]:
    """What a token opens on an API, for all of that API's routes at once; raises Unauthorized.

    With a proof it is for the one request of `arn`, as the proof is: whoever replays both must not get elsewhere by the cache.
    """
    claims = guard.claims(api, authorization, dpop_request)
    permissions, context = permissions_for(api.routes, frozenset(claims.scope)), _context(claims)
    if rest:
        permissions = for_rest(permissions, base)
        context |= _refusal(api, claims, arn[len(base) + 1 :])
    if dpop_request is not None:
        permissions = narrow_to_request(permissions, arn[len(base) + 1 :])
    return {"principalId": claims.sub, "policyDocument": document(base, permissions), "context": context}


def _refusal(api: Api, claims: VerifiedClaims, resource: str) -> dict[str, str]:
    """What a REST API's 403 says (deploy/gateway_responses.py) to a token that lacks a scope; nothing for any other.

    An answer that the gateway keeps is for all routes of the API, so it names all scopes.
    """
    needed = api.scopes if api.cached else _route_scopes(api, resource)
    if set(needed) <= set(claims.scope):
        return {}
    challenge = challenges.insufficient_scope(claims.scope, needed, api.metadata)
    return {"challenge": challenge.headers["WWW-Authenticate"], "required_scope": challenge.body.get("scope", "")}


def _route_scopes(api: Api, resource: str) -> tuple[str, ...]:
    route = route_of(api.routes, resource)
    return tuple(sorted(route.scopes)) if route else ()


def _simple(
    guard: Guard, api: Api, event: Mapping[str, Any], authorization: str | None, dpop_request: DpopRequest | None
) -> dict[str, Any]:
    sources = event.get("identitySource") or ()
    # Without identity sources an HTTP API keeps nothing, which is how one that takes DPoP proofs has to be.
    if (sources or not api.dpop) and event["routeKey"] not in sources:
        # The gateway would keep this answer for the token's other routes as well.
        raise RuntimeError(
            "add $context.routeKey to this authorizer's identity sources, or register the API for policies"
        )
    claims = guard.claims(api, authorization, dpop_request)
    needed_scopes = _needed_scopes(api.scope_map, event["routeKey"], event["requestContext"]["http"]["method"])
    return {
        "isAuthorized": needed_scopes is not None and set(needed_scopes.split()) <= set(claims.scope),
        "context": _context(claims),
    }


def _needed_scopes(scope_map: Mapping[str, str], route_key: str, requested_method: str) -> str | None:
    """What the map asks of a route of an HTTP API, whose answer the gateway may keep for all methods of the route."""
    method, _, path = route_key.partition(" ")
    if method == ANY and {route_key, f"{requested_method} {path}"} <= scope_map.keys():
        raise RuntimeError(
            f"the map names {requested_method} {path}: make it a route of its own in the API, or take it off the map"
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
        "auth_time": str(claims.all.get("auth_time", "")),
    }
