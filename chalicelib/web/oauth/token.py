"""The token endpoint (RFC 6749 section 3.2)."""

from ...domain import errors
from ...domain.oauth import parameters
from ...flows.oauth import dpop, grants
from ...services import Services
from ..http.answers import Answer
from ..http.decoding import Form
from ..http.routing import Api, Caller
from ..http.tokens import Tokens, tokens_of
from .client_credentials import authorization_header
from .error_answers import CLIENT_ERRORS, PROOF_ERRORS, STATUSES

api = Api(__name__)


@api.route(
    "POST /oauth/token",
    body=Form,
    takes=grants.PARAMETERS,
    answer=Tokens,
    statuses=STATUSES,
    errors=(
        *CLIENT_ERRORS,
        errors.InvalidGrant,
        errors.UnsupportedGrantType,
        errors.InvalidTarget,
        *PROOF_ERRORS,
        errors.AuthorizationPending,
        errors.SlowDown,
        errors.ExpiredToken,
        errors.AccessDenied,
        errors.TooManyRequests,
    ),
)
def token(svc: Services, caller: Caller, form: Form) -> Answer:
    """Exchanges a grant for tokens (RFC 6749 section 3.2)."""
    params = parameters.parse(form.pairs, known=grants.PARAMETERS)
    proof = dpop.verify(svc, caller.headers.get("dpop", ""), method="POST", path="/oauth/token")
    token_set = grants.redeem(
        svc, params, authorization=authorization_header(caller), proof=proof, network=caller.network
    )
    return Answer(body=tokens_of(token_set), headers={"DPoP-Nonce": dpop.nonce(svc)} if proof.jkt else {})
