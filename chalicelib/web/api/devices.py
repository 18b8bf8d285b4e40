"""The JSON API's remembered devices: listed and forgotten."""

import msgspec

from ...domain import errors
from ...flows.sessions import remembered_devices
from ...services import Services
from ..http.routing import Api, Caller
from .caller import GUARDED, current

api = Api(__name__)


class RememberedDevice(msgspec.Struct, frozen=True):
    """A device on which further factors are not asked for; times are seconds since 1970, names "" where not known."""

    id: str
    browser: str
    system: str
    created_at: int
    last_used_at: int
    expires_at: int


class RememberedDevices(msgspec.Struct, frozen=True):
    """All of an account, the latest used first."""

    devices: list[RememberedDevice]


@api.route("GET /me/devices", answer=RememberedDevices, errors=GUARDED)
def list_devices(svc: Services, caller: Caller) -> RememberedDevices:
    """The devices on which the caller's further factors are not asked for."""
    user, _ = current(svc, caller)
    return RememberedDevices(
        [
            RememberedDevice(
                id=each.device_id,
                browser=each.browser,
                system=each.system,
                created_at=each.created_at,
                last_used_at=each.last_used_at,
                expires_at=each.expires_at,
            )
            for each in remembered_devices.list_devices(svc, user)
        ]
    )


@api.route("DELETE /me/devices", status=204, errors=GUARDED)
def forget_devices(svc: Services, caller: Caller) -> None:
    """Has every device asked for all factors again. Sessions go on."""
    user, _ = current(svc, caller)
    remembered_devices.forget_all(svc, user.uid)


@api.route("DELETE /me/devices/{device_id}", status=204, errors=(*GUARDED, errors.NotFound))
def forget_device(svc: Services, caller: Caller, device_id: str) -> None:
    """Has one device asked for all factors again. Its sessions go on."""
    user, _ = current(svc, caller)
    remembered_devices.forget(svc, user, device_id)
