"""All that is kept of a person, for themselves, and for nobody who has found their token."""

from ...domain.accounts import export
from ...domain.accounts.export import Export
from ...domain.accounts.model import Session, User
from ...services import Services
from ..authentication import enrolment
from ..platform import audit, limits

FILE = "latchkey-export.json"
MOST_EVENTS = 5000  # and the rest of their hour: an answer of Lambda has 6 MB


def read(svc: Services, user: User, session: Session, *, auth_time: int) -> Export:
    """All of it, as of now, for who has just logged in with all factors that the account has, or is a guest.

    Of very many events it has the latest, and says what the others are before, as their list takes it.

    Raises LoginRequired, TooManyRequests.
    """
    if not user.guest:
        enrolment.check_fresh(svc, user, session, auth_time=auth_time)
    limits.export(svc, user)
    sessions = sorted(svc.sessions.of_user(user.uid), key=lambda each: (-each.created_at, each.session_id))
    devices = sorted(svc.remembered_devices.of_user(user.uid), key=lambda each: (-each.created_at, each.device_id))
    events, earlier = svc.events.of_user(user.uid, before=svc.now() + 1, since=0, least=MOST_EVENTS)
    exported = Export(
        exported_at=svc.now(),
        account=export.account_of(user),
        factors=[export.factor_of(each) for each in svc.factors.of_user(user)],
        sessions=[export.session_of(each) for each in sessions],
        devices=[export.device_of(each) for each in devices],
        consents=export.consents_of(svc.clients.consents(user.uid)),
        events=[export.event_of(each) for each in events],
        events_before=earlier,
    )
    audit.record(svc, user.uid, audit.event(svc, "data_exported"))
    return exported
