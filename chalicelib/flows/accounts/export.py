"""All that is kept of a person, for themselves, and for nobody who has found their token."""

from ...domain.accounts import export
from ...domain.accounts.export import Export
from ...domain.accounts.model import Session, User
from ...services import Services
from ..authentication import enrolment
from ..platform import limits

FILE = "latchkey-export.json"


def read(svc: Services, user: User, session: Session, *, auth_time: int) -> Export:
    """All of it, as of now, for who has just logged in with all factors that the account has, or is a guest.

    Raises LoginRequired, TooManyRequests.
    """
    if not user.guest:
        enrolment.check_fresh(svc, user, session, auth_time=auth_time)
    limits.export(svc, user)
    sessions = sorted(svc.sessions.of_user(user.uid), key=lambda each: (-each.created_at, each.session_id))
    devices = sorted(svc.remembered_devices.of_user(user.uid), key=lambda each: (-each.created_at, each.device_id))
    return Export(
        exported_at=svc.now(),
        account=export.account_of(user),
        factors=[export.factor_of(each) for each in svc.factors.of_user(user)],
        sessions=[export.session_of(each) for each in sessions],
        devices=[export.device_of(each) for each in devices],
        consents=export.consents_of(svc.clients.consents(user.uid)),
    )
