"""The applications that somebody has allowed to use their account: listed, and taken back."""

import hashlib
from collections.abc import Callable

import msgspec

from ...domain.accounts.model import Consent, Session, User, api_digest
from ...domain.errors import NotFound, TemporarilyUnavailable
from ...domain.oauth.claims import OPENID_SCOPES
from ...domain.oauth.client import Client, host_of
from ...services import Services
from ..clients import documents
from ..platform import audit
from ..sessions import back_channel

REVOKED = "access taken back"


class Allowed(msgspec.Struct, frozen=True):
    """What an application may do at one API: "" for our own, None for one that nothing here knows any more."""

    resource: str | None
    scopes: tuple[str, ...]


class App(msgspec.Struct, frozen=True):
    """An application with what it may do, our own API first, and when its user agreed to that last.

    `last_used_at` is when it last got tokens for that, as far as its sessions are still known; 0 where none is.
    """

    client_id: str
    name: str
    allowed: tuple[Allowed, ...]
    agreed_at: int
    last_used_at: int = 0

    @property
    def scopes(self) -> tuple[str, ...]:
        """All that it may do, at whichever API."""
        return tuple(sorted({scope for each in self.allowed for scope in each.scopes}))

    @property
    def id(self) -> str:
        """What a path can name it by: a client's id can be a URL."""
        return _id_of(self.client_id)


def list_apps(svc: Services, user: User) -> list[App]:
    """What a user has agreed to that counts, by the application, the latest first."""
    consents = svc.clients.consents(user.uid)
    clients = svc.clients.read_all([each.client_id for each in consents])
    sessions = svc.sessions.of_user(user.uid) if consents else []
    apps = []
    for client_id in dict.fromkeys(each.client_id for each in consents):
        client = clients.get(client_id)
        if client is None and not documents.is_address(client_id):
            continue  # it is gone, and what was allowed with it
        since = client.created_at if client else 0
        own = [each for each in consents if each.client_id == client_id and each.agreed_at >= since]
        if own:
            apps.append(_app(svc, client_id, client, own, sessions))
    return sorted(apps, key=lambda app: (-app.agreed_at, app.client_id))


def _app(svc: Services, client_id: str, client: Client | None, consents: list[Consent], sessions: list[Session]) -> App:
    # A document is not fetched for its name: its host vouches for it anyway.
    name = client.client_name or client_id if client else host_of(client_id)
    used = [
        each.last_used_at
        for each in sessions
        if not each.waiting and (client.owns(each) if client else each.client_id == client_id)
    ]
    return App(
        client_id=client_id,
        name=name,
        allowed=tuple(
            Allowed(_resource_of(svc, client, each), _in_order(each.scopes))
            for each in sorted(consents, key=lambda consent: consent.api)
        ),
        agreed_at=max(each.agreed_at for each in consents),
        last_used_at=max(used, default=0),
    )


def _in_order(scopes: frozenset[str]) -> tuple[str, ...]:
    """Those first that open the account itself, as consent pages mostly have them."""
    known = [each for each in OPENID_SCOPES if each in scopes]
    return (*known, *sorted(scopes.difference(known)))


def _resource_of(svc: Services, client: Client | None, consent: Consent) -> str | None:
    # A consent keeps no more than a digest of it.
    resources = ("", *svc.settings.audiences, *(client.resources if client else ()))
    return next((each for each in resources if api_digest(each) == consent.api), None)


def revoke(svc: Services, user: User, client_id: str, *, network: str) -> None:
    """Takes back what a client may do, ends its sessions and has it notified; raises NotFound where there is no consent.

    The consent goes last: should anything fail before, its user still sees the application and can try again.
    """
    _revoke(svc, user, lambda consent: consent.client_id == client_id, network=network)


def revoke_by_id(svc: Services, user: User, app_id: str, *, network: str) -> None:
    """The same by the id that `App` has."""
    _revoke(svc, user, lambda consent: _id_of(consent.client_id) == app_id, network=network)


def _revoke(svc: Services, user: User, is_meant: Callable[[Consent], bool], *, network: str) -> None:
    consents = [each for each in svc.clients.consents(user.uid) if is_meant(each)]
    if not consents:
        raise NotFound("You have allowed no such application.", uid=user.uid)
    client_id = consents[0].client_id
    _end_sessions(svc, user, client_id)
    # Those of an earlier try too, whose notice was never written; to be told of one twice does no harm.
    ended = [each for each in _sessions(svc, user, client_id) if each.ended == REVOKED and not each.waiting]
    notices = back_channel.client_sessions_ended(svc, ended, network=network)
    deletions = [svc.clients.consent_deletion(user.uid, each) for each in consents]
    events = [audit.event(svc, "consent_revoked", client=client_id)]
    if audit.commit(svc, user.uid, events, *deletions, *notices) is not None:
        raise TemporarilyUnavailable(reason="consent changed meanwhile", uid=user.uid)
    _end_sessions(svc, user, client_id)  # what began between the two


def _id_of(client_id: str) -> str:
    return hashlib.sha256(client_id.encode()).hexdigest()


def _end_sessions(svc: Services, user: User, client_id: str) -> None:
    for session in _sessions(svc, user, client_id):
        if not session.ended:
            svc.sessions.end(user.uid, session.session_id, why=REVOKED)


def _sessions(svc: Services, user: User, client_id: str) -> list[Session]:
    return [each for each in svc.sessions.of_user(user.uid) if each.client_id == client_id]
