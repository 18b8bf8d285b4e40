"""How a session begins: drafted, then written with what has to be true at that moment."""

from ...domain.accounts.model import Created, Session, Spent, User
from ...domain.errors import LoginRequired, TemporarilyUnavailable
from ...domain.oauth.client import Client
from ...services import Services
from ..platform.ids import new_id
from . import lifetimes


def draft(
    svc: Services, user: User, client: Client, *, scope: tuple[str, ...], device: str = "", amr: tuple[str, ...]
) -> Session:
    """A session that begins now and is not yet written anywhere."""
    now, settings = svc.now(), svc.settings
    ends_at = now + (client.refresh_absolute_seconds or settings.refresh_absolute_seconds)
    return Session(
        uid=user.uid,
        session_id=new_id(),
        client_id=client.client_id,
        client_since=client.created_at,
        scope=scope,
        token_version=user.token_version,
        amr=amr,
        auth_time=now,
        created_at=now,
        last_used_at=now,
        expires_at=min(now + lifetimes.idle_seconds(svc, client), ends_at),
        ends_at=ends_at,
        device=device,
    )


def create(svc: Services, session: Session, *, spent: Spent | None = None) -> None:
    """Writes a drafted session; raises LoginRequired if what it was to begin from has ended since: the browser's session.

    It gives back what the login `spent`, which was no failure.
    Raises TemporarilyUnavailable if only its user is no longer as they were read: whoever tries again is told why.
    """
    if svc.sessions.create(session, spare=svc.attempts.giving_back(spent, now=svc.now())) is not Created.DONE:
        if session.browser:
            raise LoginRequired("The user has logged out meanwhile.", uid=session.uid)
        raise TemporarilyUnavailable(reason="account changed meanwhile", uid=session.uid)
