"""An account that is to be erased, and whose owner has logged in before its time came: they keep it."""

from dataclasses import replace

import msgspec

from ...domain.authentication.model import Authenticated
from ...domain.errors import TemporarilyUnavailable
from ...services import Services
from ..platform import audit, mails

MAIL = "deletion_withdrawn"


def keep(svc: Services, login: Authenticated) -> Authenticated:
    """A login that has begun its session, with the erasure taken back that its account waits for, if it does.

    Not before: a login that is used up begins none, and is nobody's word. The session is in force from here on. The owner
    is mailed. Raises TemporarilyUnavailable where the account is not as it was read: it may be gone.
    """
    user = login.user
    if not user.delete_after:
        return login
    language = login.agent.language if login.agent else user.claims.get("locale", "")
    mail = mails.mail(svc, MAIL, user, language=language)
    kept = replace(user, delete_after=0)
    events = [audit.event(svc, "deletion_cancelled")]
    if audit.commit(svc, user.uid, events, svc.users.deletion_withdrawal(user), *mail) is not None:
        now = svc.users.read(user.uid)
        # Another login may have taken it back in this moment; what the session needs is a condition of its own.
        if now is None or now.delete_after or now.token_version != user.token_version:
            raise TemporarilyUnavailable(reason="account changed meanwhile", uid=user.uid)
    return msgspec.structs.replace(login, user=kept)
