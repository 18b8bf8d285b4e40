"""A device that an account remembers, without a login on it."""

from chalicelib.domain.accounts.remembered_device import RememberedDevice
from chalicelib.services import Services

DEVICE_ID = "0" * 32


def remember(svc: Services, uid: str) -> None:
    """Has an account remember the device with this id, as it is now."""
    user, now = svc.users.read(uid), svc.now()
    assert user
    device = RememberedDevice(
        uid=uid,
        device_id=DEVICE_ID,
        token_version=user.token_version,
        factors=user.factors,
        created_at=now,
        last_used_at=now,
        expires_at=now + 1000,
    )
    assert svc.transactions.commit(svc.remembered_devices.creation(device)) is None
