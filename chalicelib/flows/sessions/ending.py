"""The end of one session for good, with its event: in one call."""

from ...domain.oauth.client import Client
from ...services import Services, Write
from ..platform import audit

LOGOUT, ENDED = "logout", "session_ended"


def end(
    svc: Services,
    uid: str,
    session_id: str,
    *also: Write,
    why: str,
    event: str = ENDED,
    owner: Client | None = None,
    by: str = "",
) -> bool:
    """Ends a session, with what is `also` written; False if there is none (of its owner's) that has not ended."""
    try:
        ending = svc.sessions.ending(uid, session_id, why=why, owner=owner)
    except ValueError:
        return False
    client, reason = owner.client_id if owner else "", "" if event == LOGOUT else why
    ended = audit.event(svc, event, session=session_id, client=client, reason=reason, by=by)
    return audit.commit(svc, uid, [ended], ending, *also) is None
