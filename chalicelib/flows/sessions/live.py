"""What an access token is worth at this moment: as its user, its session and its client's registration are by now."""

import msgspec

from ...domain.accounts.model import Session, User, in_force
from ...domain.errors import InvalidToken
from ...domain.oauth import claims as claim
from ...domain.oauth import client_rights
from ...domain.oauth.client import Client
from ...domain.oauth.tokens import VerifiedClaims
from ...services import Services
from ..clients import documents as client_documents
from ..clients import offer, own
from ..platform import subjects
from . import verify


class LiveToken(msgspec.Struct, frozen=True):
    """An access token in force, with the scopes that its client may still have; no user and session where it has none."""

    claims: VerifiedClaims
    client: Client
    user: User | None = None
    session: Session | None = None

    def userinfo_claims(self) -> list[str]:
        """The single claims that the token's client requested from userinfo."""
        # One that exchanged its token has the scopes alone.
        if self.session is None or self.session.client_id != self.claims.client_id:
            return []
        return claim.requested_claims(self.session, "userinfo", scope=self.claims.scope, client=self.client)


def read(svc: Services, unverified_token: str, *, any_audience: bool = False) -> LiveToken:
    """An access token in force (one read); raises InvalidToken for any other."""
    claims = verify.verify_access_token(svc, unverified_token, any_audience=any_audience)
    if not claims.sid:
        client = svc.clients.read(claims.client_id)
        return LiveToken(*_as_registered(svc, claims, client))
    uid = subjects.uid(svc, claims)
    user, session, client = svc.sessions.with_user_and_client(uid, subjects.sid(svc, claims), claims.client_id)
    live = in_force(user, session, svc.now())
    if live is None:
        raise InvalidToken(reason="session ended", uid=uid)
    claims, client = _as_registered(svc, claims, client)
    if live[1].client_id == client.client_id and not client.owns(live[1]):
        raise InvalidToken(reason="of another client of this id", uid=uid)
    return LiveToken(claims, client, *live)


def _as_registered(svc: Services, claims: VerifiedClaims, stored: Client | None) -> tuple[VerifiedClaims, Client]:
    client = offer.as_offered(svc, stored) if stored else _unregistered(svc, claims.client_id)
    if client is None:
        raise InvalidToken(reason="client gone")
    return client_rights.narrow(claims, client, own_audience=svc.settings.audience), client


def _unregistered(svc: Services, client_id: str) -> Client | None:
    """What a client that is in no table may have: the JSON API, or one with a document, which is not asked for here."""
    settings = svc.settings
    if client_id == settings.client_id:
        return own.json_api(svc)
    if not settings.client_documents or not client_documents.is_address(client_id):
        return None
    return offer.as_offered(svc, Client(client_id=client_id))
