from functools import partial

from ....domain.errors import InvalidRequest
from ....domain.oauth.client import REFRESH, Client
from ....services import Services
from ...sessions import refresh
from ...sessions.issue import TokenSet
from .. import dpop
from ..token_request import TokenRequest

GRANT_TYPE = REFRESH
PARAMETERS = frozenset({"refresh_token", "scope", "resource"})


def redeem(svc: Services, client: Client, request: TokenRequest) -> TokenSet:
    """RFC 6749 section 6."""
    params, proof = request.params, request.proof
    if "refresh_token" not in params:
        raise InvalidRequest("`refresh_token` is missing.")
    return refresh.refresh(
        svc,
        client,
        params["refresh_token"],
        scope=params.get("scope"),
        resource=params.get("resource"),
        jkt=proof.jkt,
        use_proof=partial(dpop.spend_proof, svc, proof),
    )
