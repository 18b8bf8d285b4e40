"""The token endpoint (RFC 6749 section 3.2)."""

from ...domain import errors
from ...domain.oauth import authorization_request as oauth
from ...flows.oauth import dpop, grants
from ...services import Services
from ..http.answers import Answer
from ..http.decoding import Form
from ..http.routing import Api, Caller
from ..http.tokens import Tokens, tokens_of
from .shared import PROOFS, REFUSALS, RFC6749, credentials

api = Api(__name__)


@api.route(
    "POST /oauth/token",
    body=Form,
    takes=grants.KNOWN,
    answer=Tokens,
    statuses=RFC6749,
    errors=(
        *REFUSALS,
        errors.InvalidGrant,
        errors.UnsupportedGrantType,
        errors.InvalidTarget,
        *PROOFS,
        errors.AuthorizationPending,
        errors.SlowDown,
        errors.ExpiredToken,
        errors.AccessDenied,
        errors.TooManyRequests,
    ),
)
def token(svc: Services, caller: Caller, form: Form) -> Answer:
    """Exchanges a grant for tokens (RFC 6749 section 3.2)."""
    params = oauth.parse_parameters(form.pairs, known=grants.KNOWN)
    proof = dpop.verify(svc, caller.headers.get("dpop", ""), method="POST", path="/oauth/token")
    issued = grants.redeem(svc, params, authorization=credentials(caller), proof=proof, network=caller.network)
    return Answer(body=tokens_of(issued), headers={"DPoP-Nonce": dpop.nonce(svc)} if proof.jkt else {})
