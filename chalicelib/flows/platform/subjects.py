"""What a user is called in front of a client: by the account's own id, or by another in each sector (OpenID Connect Core 8).

Sessions know the account alone. A token of a pairwise client names its sector, so that whoever is shown one finds
the account again without asking which client it was.
"""

from collections.abc import Mapping
from typing import Any

from ...domain.crypto import pairwise, session_ids
from ...domain.errors import InvalidToken
from ...domain.oauth.client import Client
from ...domain.oauth.client_rules import sector
from ...domain.oauth.tokens import VerifiedClaims
from ...services import Services
from . import keys
from .ids import new_id


def subject_for(svc: Services, client: Client, identifier: str) -> str:
    """What a user is called in front of a client, or was, in older id_tokens, a browser's session."""
    if client.subject_type != pairwise.PAIRWISE:
        return identifier
    return pairwise.name(identifier, sector=sector(client), secret=keys.current(svc).pairwise)


def identifier(svc: Services, client: Client, subject: str) -> str:
    """The account that a client calls so; raises ValueError for what is no name in its sector."""
    if client.subject_type != pairwise.PAIRWISE:
        return subject
    return pairwise.identifier(subject, sector=sector(client), secret=keys.current(svc).pairwise)


def claims(svc: Services, client: Client, uid: str) -> dict[str, str]:
    """The `sub` of an access token, with its `sector` where it is pairwise."""
    sector_claim = {"sector": sector(client)} if client.subject_type == pairwise.PAIRWISE else {}
    return {"sub": subject_for(svc, client, uid), **sector_claim}


def uid(svc: Services, verified: VerifiedClaims) -> str:
    """The account that an access token is about."""
    return _uid_of(svc, verified.sub, verified)


def _uid_of(svc: Services, sub: str, verified: VerifiedClaims) -> str:
    if "sector" not in verified.all:
        return sub
    try:
        return pairwise.identifier(sub, sector=verified.all["sector"], secret=keys.current(svc).pairwise)
    except ValueError:
        raise InvalidToken(reason="pairwise subject") from None


def sid(svc: Services, verified: VerifiedClaims) -> str:
    """The session that an access token is of."""
    if not verified.sid.startswith(pairwise.LETTER):
        return verified.sid
    secret = keys.current(svc).pairwise
    try:
        return pairwise.session_identifier(verified.sid, client_id=verified.client_id, secret=secret)
    except ValueError:
        raise InvalidToken(reason="exchanged session") from None


def new_session_id(svc: Services, browser: str) -> str:
    """A new id for a session that begins in a browser's session."""
    nonce = new_id()[: session_ids.HALF]
    return session_ids.in_browser(nonce, browser=browser, secret=keys.current(svc).pairwise)


def began_in(svc: Services, session_id: str, browser: str) -> bool:
    """Whether a session of a client began in a browser's session, by its id alone."""
    return session_ids.began_in(session_id, browser=browser, secret=keys.current(svc).pairwise)


def sid_for(svc: Services, client: Client, verified: VerifiedClaims) -> str:
    """What the session of a token is called in one that a client exchanges it for: else it would tie two sectors together."""
    identifier = sid(svc, verified)
    if "sector" not in verified.all and client.subject_type != pairwise.PAIRWISE and identifier == verified.sid:
        return identifier
    return pairwise.session_name(identifier, client_id=client.client_id, secret=keys.current(svc).pairwise)


def actor(svc: Services, client: Client, act: Mapping[str, Any], verified: VerifiedClaims) -> dict[str, Any]:
    """An `act` claim (RFC 8693 section 4.1) as it stands in a token or is to, with its users as a client knows them."""
    previous = {"act": actor(svc, client, act["act"], verified)} if "act" in act else {}
    if act["sub"] == act["client_id"]:
        return {**act, **previous}
    return {**act, "sub": subject_for(svc, client, _uid_of(svc, act["sub"], verified)), **previous}
