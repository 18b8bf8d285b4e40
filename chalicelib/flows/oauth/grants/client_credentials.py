from ....domain.errors import InvalidScope
from ....domain.oauth import scopes
from ....domain.oauth.claims import OPENID_SCOPES
from ....domain.oauth.client import CLIENT_CREDENTIALS, Client
from ....services import Services
from ...sessions import issue, lifetimes, resources
from ...sessions.issue import TokenSet
from .. import dpop
from ..token_request import TokenRequest

GRANT_TYPE = CLIENT_CREDENTIALS
PARAMETERS = frozenset({"scope", "resource"})


def redeem(svc: Services, client: Client, request: TokenRequest) -> TokenSet:
    """RFC 6749 section 4.4: a token for the client itself, without a session and so without a refresh token."""
    params, proof = request.params, request.proof
    # What is of users is left out of what is asked for: some libraries always ask for openid.
    requested = " ".join(name for name in params.get("scope", "").split(" ") if name not in OPENID_SCOPES)
    scope = scopes.narrow(requested or None, allowed=tuple(s for s in client.scopes if s not in OPENID_SCOPES))
    if not scope:
        raise InvalidScope("The client has no scope of its own: its `scopes` need one that is not about users.")
    dpop.spend_proof(svc, proof)
    resource = resources.requested_resource(svc, client, params.get("resource", ""))
    lifetime = lifetimes.access_seconds(svc, client)
    claims: dict[str, object] = {"sub": client.client_id, "client_id": client.client_id, "aud": resource}
    return issue.issue_access_token(svc, client, claims, scope=scope, lifetime=lifetime, jkt=proof.jkt)
