"""What a client's present registration leaves of an access token that was issued to it."""

from ..errors import InvalidToken, UnauthorizedClient
from . import scopes, uris
from .client import CLIENT_CREDENTIALS, Client
from .tokens import VerifiedClaims

NO_RESOURCE = "`resource` is none of the client's `resources`, the APIs that it may have tokens for."


def check_grant_type(client: Client, grant_type: str) -> None:
    """Raises UnauthorizedClient where a client is not registered for a grant type (RFC 6749 sections 4.1.2.1, 5.2)."""
    if grant_type not in client.grant_types:
        raise UnauthorizedClient(
            f"The client is not registered for grant_type {grant_type}: add it to `grant_types`.", reason="grant type"
        )


def may_have_tokens_for(client: Client, api: str, *, own_audience: str) -> bool:
    """Whether an API, in any equivalent spelling, is our own or one of the client's `resources`."""
    apis = (own_audience, *client.resources)
    return uris.registered_spelling(api, apis) in apis


def narrow(claims: VerifiedClaims, client: Client, *, own_audience: str) -> VerifiedClaims:
    """The claims with the scopes that their client may still have; raises InvalidToken where nothing is left.

    A token of before `client` was made was issued to another client of its id.
    """
    if claims.all["iat"] < client.created_at:
        raise InvalidToken(reason="client gone")
    scope = scopes.common(claims.scope, client.scopes)
    is_permitted = any(may_have_tokens_for(client, api, own_audience=own_audience) for api in claims.audiences)
    if not is_permitted or (claims.scope and not scope):
        raise InvalidToken(reason="taken from its client")
    if not claims.sid and CLIENT_CREDENTIALS not in client.grant_types:
        raise InvalidToken(reason="its client may not act for itself any more")
    return claims._replace(scope=scope, all={**claims.all, "scope": " ".join(scope)})
