"""The end of a session as whoever has the mail about its login stands before it."""

from chalicelib.domain.accounts.model import User
from chalicelib.domain.records.sealed import SealedSessionEnd
from chalicelib.flows.platform import sealing
from chalicelib.services import Services


def session_end_link(svc: Services, user: User) -> str:
    """The token of the mail about a login of an account: its latest session's."""
    session = max(svc.sessions.of_user(user.uid), key=lambda each: each.created_at)
    return sealing.seal(svc, SealedSessionEnd(uid=user.uid, email=user.email, session_id=session.session_id))
