"""The devices that accounts know. Nothing is stored of them: each carries, sealed, which accounts have logged in on it."""

from ...domain.accounts.model import User
from ...domain.authentication.known_device import KnownDevice
from ...domain.authentication.user_agent import UserAgent
from ...services import Services
from ..platform import sealing
from ..platform.ids import new_id


def of_user_agent(svc: Services, agent: UserAgent) -> KnownDevice:
    """The device that a login is made on; a new one for a token that is forged, too old, or not there."""
    known = sealing.unseal(svc, agent.device_token, KnownDevice) if agent.device_token else None
    return known or KnownDevice(id=new_id(), accounts=())


def token(svc: Services, device: KnownDevice, user: User) -> str:
    """What a device has from now on, on which this user has logged in."""
    return sealing.seal(svc, device.after_login(user))
