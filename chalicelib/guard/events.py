"""API Gateway's shapes: the authorizer events that it sends, and the answers that it takes for them."""

from collections.abc import Mapping
from typing import Any

from ..domain.authentication import levels
from ..domain.guard.policy import document, for_rest, narrow_to_request, permissions_for
from ..domain.guard.routes import ANY, METHODS, held, route_of
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
    context = _context(claims)
    permissions = permissions_for(api.routes, held(claims.scope, context["acr"]))
    if rest:
        permissions = for_rest(permissions, base)
        context |= _refusal(api, claims, arn[len(base) + 1 :])
    if dpop_request is not None:
        permissions = narrow_to_request(permissions, arn[len(base) + 1 :])
    return {"principalId": claims.sub, "policyDocument": document(base, permissions), "context": context}


def _refusal(api: Api, claims: VerifiedClaims, resource: str) -> dict[str, str]:
    """What a REST API's 403 says (deploy/gateway_responses.py) to a token that lacks a scope or a level; nothing for any other.

    An answer that the gateway keeps is for all routes of the API, so it names all scopes, and the highest level.
    """
    route = None if api.cached else route_of(api.routes, resource)
    scopes = api.scopes if api.cached else tuple(sorted(route.scopes)) if route else ()
    acr = api.acr if api.cached else route.acr if route else ""
    acr_values = (acr,) if levels.rank(acr) > levels.rank(_acr(claims)) else ()
    if not set(scopes) <= set(claims.scope):
        challenge = challenges.insufficient_scope(claims.scope, scopes, api.metadata, acr_values)
    elif acr_values:
        challenge = challenges.insufficient_level(acr_values, api.metadata)
    else:
        return {}
    return {"challenge": challenge.headers["WWW-Authenticate"], "required_scope": challenge.body.get("scope", "")}


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
    line = _line(api.scope_map, event["routeKey"], event["requestContext"]["http"]["method"])
    return {"isAuthorized": line is not None and _opens(api, line, claims), "context": _context(claims)}


def _opens(api: Api, line: str, claims: VerifiedClaims) -> bool:
    reaches_level = levels.rank(_acr(claims)) >= levels.rank(api.acr_map.get(line, ""))
    return reaches_level and set(api.scope_map[line].split()) <= set(claims.scope)


def _line(scope_map: Mapping[str, str], route_key: str, requested_method: str) -> str | None:
    """The map's line for a route of an HTTP API, whose answer the gateway may keep for all methods of the route."""
    method, _, path = route_key.partition(" ")
    if method == ANY and {route_key, f"{requested_method} {path}"} <= scope_map.keys():
        raise RuntimeError(
            f"the map names {requested_method} {path}: make it a route of its own in the API, or take it off the map"
        )
    lines = (route_key, f"{ANY} {path}") if method in METHODS else (route_key,)
    return next((line for line in lines if line in scope_map), None)


def _acr(claims: VerifiedClaims) -> str:
    """The level of the login, "" for a token that none began, or that says something else than a level."""
    acr = claims.all.get("acr", "")
    return acr if isinstance(acr, str) else ""


def _context(claims: VerifiedClaims) -> dict[str, str]:
    return {
        "sub": claims.sub,
        "scope": " ".join(claims.scope),
        "client_id": claims.client_id,
        "sid": claims.sid,
        "roles": " ".join(claims.all.get("roles", ())),
        "exp": str(claims.exp),
        "auth_time": str(claims.all.get("auth_time", "")),
        "acr": _acr(claims),
    }
