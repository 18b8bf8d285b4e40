"""The devices that somebody has had remembered: there the password alone logs in to an account with further factors.

Such a login is of the password alone, and its tokens say so: whoever wants the factors proved asks for them all the same.
"""

from ...domain.accounts.model import User
from ...domain.accounts.remembered_device import RememberedDevice
from ...domain.authentication import levels
from ...domain.authentication.known_device import KnownDevice
from ...domain.authentication.model import Authenticated
from ...domain.durations import DAY
from ...domain.errors import NotFound
from ...services import Services, Write
from ..platform import audit

FORGOTTEN = "device_forgotten"
MAX_WRITES = 99  # of one transaction, beside its event


def find(svc: Services, device: KnownDevice, user: User) -> RememberedDevice | None:
    """The record by which a device need not prove further factors of an account; None without a read where it is not known."""
    if not svc.settings.remembered_device_days or not device.is_known_to(user):
        return None
    remembered = svc.remembered_devices.read(user.uid, device.id)
    return remembered if remembered and remembered.in_force(user, svc.now()) else None


def writes(svc: Services, login: Authenticated) -> list[Write]:
    """What a login writes of its device: that it was used, or that it is to be remembered, if all was proved on it."""
    now, days, agent, device = svc.now(), svc.settings.remembered_device_days, login.agent, login.device
    if login.remembered:
        return [svc.remembered_devices.use(login.remembered, now=now)]
    if agent is None or device is None or not is_new(svc, login):
        return []
    remembered = RememberedDevice(
        uid=login.user.uid,
        device_id=device.id,
        token_version=login.user.token_version,
        factors=login.user.factors,
        created_at=now,
        last_used_at=now,
        expires_at=now + days * DAY,
        browser=agent.browser,
        system=agent.system,
    )
    return [svc.remembered_devices.creation(remembered)]


def is_new(svc: Services, login: Authenticated) -> bool:
    """Whether a login has its device remembered from now on."""
    if login.remembered or login.agent is None or login.device is None:
        return False
    is_requested = login.agent.remember and svc.settings.remembered_device_days and login.user.factors
    return bool(is_requested) and levels.reaches(login.amr, (levels.AAL2,))


def list_devices(svc: Services, user: User) -> list[RememberedDevice]:
    """The devices of an account that count, the latest used first; no read where there can be none."""
    stored = svc.remembered_devices.of_user(user.uid) if user.factors else []
    in_force = [each for each in stored if each.in_force(user, svc.now())]
    return sorted(in_force, key=lambda each: (-each.last_used_at, -each.created_at, each.device_id))


def forget(svc: Services, user: User, device_id: str) -> None:
    """Has a device asked for everything again; raises NotFound if it is not one of the account's."""
    if device_id not in [each.device_id for each in svc.remembered_devices.of_user(user.uid)]:
        raise NotFound("You have no such device.", uid=user.uid)
    forget_if_remembered(svc, user, device_id)


def forget_if_remembered(svc: Services, user: User, device_id: str) -> None:
    """The same for whoever does not know whether it is one; raises ValueError where none has such an id."""
    events = [audit.event(svc, FORGOTTEN)]
    audit.commit(svc, user.uid, events, svc.remembered_devices.deletion(user.uid, device_id))


def forget_all(svc: Services, uid: str, *, by: str = "") -> None:
    """Has every device of an account asked for everything again."""
    stored = svc.remembered_devices.of_user(uid)
    deletions = [svc.remembered_devices.deletion(uid, each.device_id) for each in stored]
    for start in range(0, len(deletions), MAX_WRITES):
        events = [] if start else [audit.event(svc, FORGOTTEN, reason="all", by=by)]
        audit.commit(svc, uid, events, *deletions[start : start + MAX_WRITES])


def erase(svc: Services, uid: str) -> None:
    """Forgets the devices of an account that is gone."""
    for device in svc.remembered_devices.of_user(uid):
        svc.remembered_devices.delete(uid, device.device_id)
