"""The most sessions that an account has at once: the one that was unused the longest ends for a new one.

It is looked at after a login, by a message that is written with its session, so that no request waits for it, and two at
once end no more than they have to: each keeps the latest used.
"""

from collections.abc import Mapping

from ...domain.accounts.model import in_force
from ...domain.records.outbox import Message, SessionCap
from ...services import Services
from . import logout


def end_oldest(svc: Services, _: str, message: SessionCap) -> Mapping[str, Message]:
    """Ends the sessions that an account has beyond the cap, each with what began in it, and has the clients notified."""
    user, cap = svc.users.read(message.uid), svc.settings.sessions_per_account
    if user is None or not cap:
        return {}
    # What began in a browser's session is a part of that.
    logins = [
        session
        for session in svc.sessions.of_user(user.uid)
        if session.logged_in and not session.browser and in_force(user, session, svc.now())
    ]
    latest_first = sorted(logins, key=lambda each: (-each.last_used_at, -each.created_at, each.session_id))
    for session in latest_first[cap:]:
        logout.end_excess(svc, user, sid=session.session_id, network=message.network)
    return {}
