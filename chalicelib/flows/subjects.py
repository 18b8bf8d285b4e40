"""What a user is called in front of a client: by the account's own id, or by another in each sector (OpenID Connect Core 8).

Grants and sessions know the account alone. A token of a pairwise client names its sector, so that whoever is shown one finds
the account again without asking which client it was.
"""

from ..domain import pairwise
from ..domain.client import Client, sector
from ..domain.errors import InvalidToken
from ..domain.tokens import VerifiedClaims
from ..services import Services
from . import keys


def shown(svc: Services, client: Client, identifier: str) -> str:
    """What a user, or a browser session, is called in front of a client."""
    if client.subject_type != pairwise.PAIRWISE:
        return identifier
    return pairwise.name(identifier, sector=sector(client), secret=keys.current(svc).pairwise)


def claims(svc: Services, client: Client, uid: str) -> dict[str, str]:
    """The `sub` of an access token, with its `sector` where it is pairwise."""
    mark = {"sector": sector(client)} if client.subject_type == pairwise.PAIRWISE else {}
    return {"sub": shown(svc, client, uid), **mark}


def uid(svc: Services, verified: VerifiedClaims) -> str:
    """The account that an access token is about."""
    if "sector" not in verified.all:
        return verified.sub
    try:
        return pairwise.identifier(verified.sub, sector=verified.all["sector"], secret=keys.current(svc).pairwise)
    except ValueError:
        raise InvalidToken(reason="pairwise subject") from None
