"""All that is kept of a person, for themselves, and for nobody who has found their token."""

from ...domain.accounts import export
from ...domain.accounts.export import Export
from ...domain.accounts.model import Session, User
from ...services import Services
from ..authentication import enrolment
from ..platform import audit, limits

FILE = "latchkey-export.json"
HOUR, ALL = 3600, 10**6  # more events than an account can have


def read(svc: Services, user: User, session: Session, *, auth_time: int) -> Export:
    """All of it, as of now, for who has just logged in with all factors that the account has, or is a guest.

    Raises LoginRequired, TooManyRequests.
    """
    if not user.guest:
        enrolment.check_fresh(svc, user, session, auth_time=auth_time)
    limits.export(svc, user)
    sessions = sorted(svc.sessions.of_user(user.uid), key=lambda each: (-each.created_at, each.session_id))
    devices = sorted(svc.remembered_devices.of_user(user.uid), key=lambda each: (-each.created_at, each.device_id))
    events, _ = svc.events.of_user(user.uid, before=svc.now() + HOUR, since=0, least=ALL)
    exported = Export(
        exported_at=svc.now(),
        account=export.account_of(user),
        factors=[export.factor_of(each) for each in svc.factors.of_user(user)],
        sessions=[export.session_of(each) for each in sessions],
        devices=[export.device_of(each) for each in devices],
        consents=export.consents_of(svc.clients.consents(user.uid)),
        events=[export.event_of(each) for each in events],
    )
    audit.record(svc, user.uid, audit.event(svc, "data_exported"))
    return exported
