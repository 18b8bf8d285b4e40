"""One file a grant type, one line in GRANTS. The checks that every grant needs are here, before any of them runs."""

from collections.abc import Callable, Mapping

import msgspec

from ....domain.errors import InvalidRequest, Refused, UnsupportedGrantType
from ....domain.oauth import client_rights, scopes
from ....domain.oauth.claims import OPENID_SCOPES
from ....domain.oauth.client import Client
from ....domain.oauth.dpop import Proof
from ....services import Services
from ...clients import authenticate as clients
from ...sessions.issue import TokenSet
from .. import dpop
from ..refusals import access_denied
from ..token_request import TokenRequest
from . import authorization_code, client_credentials, device_code, jwt_bearer, refresh_token, token_exchange


class GrantType(msgspec.Struct, frozen=True):
    """A grant type: the parameters that it takes, and what it does for a client that has proved itself.

    It uses up the DPoP proof before its own first write, and after every check that only the right sender passes. Anybody
    knows the id of a public client, so there that check is of the code or the refresh token.
    """

    parameters: frozenset[str]
    redeem: Callable[[Services, Client, TokenRequest], TokenSet]


GRANTS: Mapping[str, GrantType] = {
    each.GRANT_TYPE: GrantType(each.PARAMETERS, each.redeem)
    for each in (authorization_code, refresh_token, client_credentials, device_code, token_exchange, jwt_bearer)
}
PARAMETERS = (
    frozenset({"grant_type"}) | clients.CREDENTIALS | frozenset().union(*(g.parameters for g in GRANTS.values()))
)


def redeem(svc: Services, params: Mapping[str, str], *, authorization: str, proof: Proof, network: str) -> TokenSet:
    """Answers a token request (RFC 6749 section 3.2); with a DPoP proof, for its key."""
    if not params.get("grant_type"):
        raise InvalidRequest("`grant_type` is missing.")
    client = clients.authenticate(svc, params, authorization, network=network)
    grant = GRANTS.get(params["grant_type"])
    if grant is None:
        raise UnsupportedGrantType()
    client_rights.check_grant_type(client, params["grant_type"])
    if client.must_bind and not proof.jkt:
        raise InvalidRequest(
            "This client is registered for DPoP-bound tokens: send a DPoP proof.", reason="no DPoP proof"
        )
    dpop.check_algorithm(client, proof)
    # Parameters of other grants are ignored, as RFC 6749 section 3.2 has it for all that a server does not know.
    grant_params = {name: value for name, value in params.items() if name in grant.parameters}
    if "scope" in grant_params:
        known = svc.settings.known_scopes.union(OPENID_SCOPES, client.scopes)
        grant_params["scope"] = scopes.without_unknown(grant_params["scope"], known=known)
    try:
        return grant.redeem(svc, client, TokenRequest(grant_params, proof, network))
    except Refused as refused:
        raise access_denied(refused) from None
