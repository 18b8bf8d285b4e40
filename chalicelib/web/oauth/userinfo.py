"""The user behind an access token (OpenID Connect Core 5.3)."""

from typing import Any

from ...domain import errors
from ...domain.oauth.dpop import ALGORITHMS
from ...flows.oauth import dpop, userinfo
from ...services import Services
from ..http import request_log
from ..http.answers import Answer, resource_metadata, status_of
from ..http.routing import Api, Caller
from .shared import PROOFS, refused_with

api = Api(__name__)

# RFC 9449 section 7.1: here a bad proof is a bad credential.
AT_RESOURCE = {each.code: 401 for each in PROOFS}
DECLARED: dict[str, Any] = {
    "media": ("application/json",),
    "statuses": AT_RESOURCE,
    "errors": (errors.InvalidToken, errors.InsufficientScope, *PROOFS),
}


@api.route("GET /oauth/userinfo", **DECLARED)
def read_userinfo(svc: Services, caller: Caller) -> Answer:
    """The user behind an access token (OpenID Connect Core 5.3)."""
    return _userinfo(svc, caller, "GET")


@api.route("POST /oauth/userinfo", **DECLARED)
def post_userinfo(svc: Services, caller: Caller) -> Answer:
    """The same by POST."""
    return _userinfo(svc, caller, "POST")


def _userinfo(svc: Services, caller: Caller, method: str) -> Answer:
    authorization, proof = caller.headers.get("authorization", ""), caller.headers.get("dpop", "")
    fresh = {"DPoP-Nonce": dpop.nonce(svc)} if proof else {}
    try:
        user, told = userinfo.read(svc, authorization=authorization, proof=proof, method=method, path="/oauth/userinfo")
    except (*PROOFS, errors.InvalidToken, errors.InsufficientScope) as refusal:
        status = status_of(refusal.code, AT_RESOURCE)
        return refused_with(refusal, status, {**fresh, "WWW-Authenticate": _challenge(refusal, authorization)})
    request_log.set_user(user.uid)
    return Answer(body=told, headers=fresh)


def _challenge(refusal: errors.LatchkeyError, authorization: str) -> str:
    """RFC 6750 section 3, RFC 9449 section 7.1 and RFC 9728 section 5.1, in the scheme that was tried or is needed."""
    bound = isinstance(refusal, (*PROOFS, errors.UnprovedToken)) or authorization[:5].lower() == "dpop "
    told = [f'algs="{" ".join(ALGORITHMS)}"'] if bound else []
    if authorization:  # who came without a token is told of no error (RFC 6750 section 3.1)
        told.append(f'error="{refusal.code}"')
    if isinstance(refusal, errors.InsufficientScope):
        told.append('scope="openid"')
    return f"{'DPoP' if bound else 'Bearer'} {', '.join([*told, resource_metadata()])}"
