"""What a client's present registration leaves of an access token that was issued to it."""

from dataclasses import replace

from ..errors import InvalidToken
from . import scopes, uris
from .client import CLIENT_CREDENTIALS, Client
from .tokens import VerifiedClaims


def narrow(claims: VerifiedClaims, client: Client, *, own_audience: str) -> VerifiedClaims:
    """The claims with the scopes that their client may still have; raises InvalidToken where nothing is left.

    A token of before `client` was made was issued to another client of its id.
    """
    if claims.all["iat"] < client.created_at:
        raise InvalidToken(reason="client gone")
    scope = scopes.common(claims.scope, client.scopes)
    apis = (own_audience, *client.resources)
    is_permitted = any(uris.registered_spelling(api, apis) in apis for api in claims.audiences)
    if not is_permitted or (claims.scope and not scope):
        raise InvalidToken(reason="taken from its client")
    if not claims.sid and CLIENT_CREDENTIALS not in client.grant_types:
        raise InvalidToken(reason="its client may not act for itself any more")
    return replace(claims, scope=scope, all={**claims.all, "scope": " ".join(scope)})
