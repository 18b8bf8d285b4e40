from ...domain import errors
from ...domain.accounts.model import Session, User
from ...flows.sessions import manage
from ...services import Services
from ..http.routing import Caller

GUARDED = (errors.InvalidToken, errors.InsufficientScope)


def current(svc: Services, caller: Caller) -> tuple[User, Session]:
    """The user and session of a caller that the guard let through; raises InvalidToken if they have ended since."""
    return manage.current(svc, uid=caller.uid, sid=caller.sid)
