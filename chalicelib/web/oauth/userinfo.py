"""The user behind an access token (OpenID Connect Core 5.3)."""

from typing import Any

from ...domain import errors
from ...domain.oauth.dpop import ALGORITHMS
from ...flows.oauth import dpop, userinfo
from ...services import Services
from ..http import request_log
from ..http.answers import Answer, resource_metadata, status_of
from ..http.routing import Api, Caller
from .error_answers import PROOF_ERRORS, error_answer

api = Api(__name__)

# RFC 9449 section 7.1: at a protected resource a bad proof is a 401.
STATUSES = {each.code: 401 for each in PROOF_ERRORS}
OPERATION: dict[str, Any] = {
    "media": ("application/json", "application/jwt"),
    "verified_scope": "openid",
    "statuses": STATUSES,
    "errors": (errors.InvalidToken, errors.InsufficientScope, *PROOF_ERRORS),
}


@api.route("GET /oauth/userinfo", **OPERATION)
def read_userinfo(svc: Services, caller: Caller) -> Answer:
    """The user behind an access token (OpenID Connect Core 5.3)."""
    return _userinfo(svc, caller, "GET")


@api.route("POST /oauth/userinfo", **OPERATION)
def post_userinfo(svc: Services, caller: Caller) -> Answer:
    """The same by POST."""
    return _userinfo(svc, caller, "POST")


def _userinfo(svc: Services, caller: Caller, method: str) -> Answer:
    authorization, proof = caller.headers.get("authorization", ""), caller.headers.get("dpop", "")
    nonce_header = {"DPoP-Nonce": dpop.nonce(svc)} if proof else {}
    try:
        user, claims = userinfo.read(
            svc, authorization=authorization, proof=proof, method=method, path="/oauth/userinfo"
        )
    except (*PROOF_ERRORS, errors.InvalidToken, errors.InsufficientScope) as refusal:
        status = status_of(refusal.code, STATUSES)
        return error_answer(refusal, status, {**nonce_header, "WWW-Authenticate": _challenge(refusal, authorization)})
    request_log.set_user(user.uid)
    signed = {"Content-Type": "application/jwt"} if isinstance(claims, str) else {}
    return Answer(body=claims, headers={**nonce_header, **signed})


def _challenge(refusal: errors.LatchkeyError, authorization: str) -> str:
    """RFC 6750 section 3, RFC 9449 section 7.1 and RFC 9728 section 5.1, in the scheme that was tried or is needed."""
    dpop_bound = isinstance(refusal, (*PROOF_ERRORS, errors.UnprovedToken)) or authorization[:5].lower() == "dpop "
    parameters = [f'algs="{" ".join(ALGORITHMS)}"'] if dpop_bound else []
    if authorization:  # without a token there is no error to name (RFC 6750 section 3.1)
        parameters.append(f'error="{refusal.code}"')
    if isinstance(refusal, errors.InsufficientScope):
        parameters.append('scope="openid"')
    return f"{'DPoP' if dpop_bound else 'Bearer'} {', '.join([*parameters, resource_metadata()])}"
