"""Sessions as their user sees them: the one that asks, the others, and their end."""

from ...domain.accounts.model import Session, User, in_force
from ...domain.crypto import handles
from ...domain.errors import InvalidGrant, InvalidToken
from ...domain.oauth.client import Client
from ...services import Services
from . import ending, session_handles


def current(svc: Services, *, uid: str, sid: str) -> tuple[User, Session]:
    """The user and session behind a request that the guard let through; raises InvalidToken if they have ended since."""
    live = in_force(*svc.sessions.with_user(uid, sid), svc.now())
    if live is None:
        raise InvalidToken("This session has ended: log in again.", reason="session ended", uid=uid)
    return live


def list_sessions(svc: Services, user: User, current: Session) -> list[Session]:
    """The user's live sessions: the one that is `current`, then the latest used, and of those the newest, first."""
    live = [
        session
        for session in svc.sessions.of_user(user.uid)
        if not session.waiting and in_force(user, session, svc.now())
    ]
    return sorted(
        live, key=lambda session: (session.session_id != current.session_id, -session.last_used_at, -session.created_at)
    )


def revoke(svc: Services, client: Client, unverified_token: str) -> str:
    """Ends the session of the client's own refresh token, of whatever generation, and says whose it was; "" for any other."""
    try:
        _, handle = session_handles.decode_handle(svc, unverified_token, handles.REFRESH)
    except InvalidGrant:
        return ""
    ended = ending.end(svc, handle.uid, handle.session_id, why="logout", event=ending.LOGOUT, owner=client)
    return handle.uid if ended else ""
