"""The entry points of the Lambda authorizers, for this API and for every API that is registered with us, and their guard.

They start in a container of their own that never loads app.py, and boto3 only for an API whose tokens end with their session.
"""

import json
import os
from typing import TYPE_CHECKING, Any

from chalice.app import AuthRequest, Blueprint

from ..config import check_at_start, load
from ..domain.errors import InvalidToken
from ..domain.oauth.tokens import VerifiedClaims
from .events import decide, policy
from .verifier import Guard, Jwks

if TYPE_CHECKING:
    from ..services import Services

check_at_start(os.environ)

functions = Blueprint(__name__)

MAX_JWKS_BYTES = 64 * 1024
TTL_SECONDS = 300


def _fetch(url: str) -> Jwks:
    import urllib.request

    with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - the URL is our own configuration
        keys: Jwks = json.loads(answer.read(MAX_JWKS_BYTES))["keys"]
    return keys


def _in_force(claims: VerifiedClaims) -> VerifiedClaims:
    # Here and not above: this loads boto3, which most guards never need.
    from ..services import services

    svc = services()
    if not claims.sid:
        return _as_registered(svc, claims)
    if not _has_session(svc, claims):
        raise InvalidToken(reason="session ended")
    return claims


def _as_registered(svc: "Services", claims: VerifiedClaims) -> VerifiedClaims:
    from ..domain.oauth import client_rights

    client = svc.clients.read(claims.client_id)
    if client is None:
        raise InvalidToken(reason="client gone")
    return client_rights.narrow(claims, client, own_audience=svc.settings.audience)


def _has_session(svc: "Services", claims: VerifiedClaims) -> bool:
    from ..domain.accounts.model import in_force
    from ..domain.crypto import pairwise

    uid, sid = claims.sub, claims.sid
    if "sector" in claims.all:
        uid = pairwise.identifier(uid, sector=claims.all["sector"], secret=svc.keys.pairwise_alone())
    if sid.startswith(pairwise.LETTER):
        secret = svc.keys.pairwise_alone()
        sid = pairwise.session_identifier(sid, client_id=claims.client_id, secret=secret)
    return in_force(*svc.sessions.with_user(uid, sid), svc.now()) is not None


_of_this_container: list[Guard] = []


def the_guard() -> Guard:
    """This container's guard, made from its environment on first use."""
    if not _of_this_container:
        _of_this_container.append(Guard(load(os.environ), fetch=_fetch, in_force=_in_force))
    return _of_this_container[0]


def use(guard: Guard) -> None:
    """Makes this the container's guard: for a process that brings its own clock or keys."""
    _of_this_container[:] = [guard]


@functions.authorizer(ttl_seconds=TTL_SECONDS)
def guard(request: AuthRequest) -> dict[str, Any]:
    """The TOKEN authorizer that Chalice attaches to our own API: the policy of a good token, or the failure `Unauthorized`.

    Our API's id is not known when this is packaged, so whatever is not registered is ours. Registered APIs, which may have
    attached it before there was `guard_request` for them, keep their own map here.
    """
    this_guard = the_guard()
    base, api = this_guard.api(request.method_arn, unknown_is_ours=True)
    return policy(this_guard, base, api, arn=request.method_arn, authorization=request.token)


@functions.lambda_function(name="guard_request")
def guard_request(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """The authorizer for every other API: TOKEN and REQUEST of REST APIs, payload 1.0 and 2.0 of HTTP APIs.

    An API that is not registered is a fault, with the reason in the log, and never ours.
    """
    return decide(the_guard(), event)
