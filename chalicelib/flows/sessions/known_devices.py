"""The devices that accounts know. Nothing is stored of them: each carries, sealed, which accounts have logged in on it."""

from ...domain.accounts.model import Session, User
from ...domain.authentication.known_device import KnownDevice
from ...domain.authentication.model import Authenticated
from ...domain.authentication.user_agent import UserAgent
from ...domain.records.outbox import NewDeviceMail
from ...services import Services, Write
from ..platform import outbox, sealing
from ..platform.ids import new_id

MAIL = "new_device"


def of_user_agent(svc: Services, agent: UserAgent) -> KnownDevice:
    """The device that a login is made on; a new one for a token that is forged, too old, or not there."""
    known = sealing.unseal(svc, agent.device_token, KnownDevice) if agent.device_token else None
    return known or KnownDevice(id=new_id(), accounts=())


def token(svc: Services, device: KnownDevice, user: User) -> str:
    """What a device has from now on, on which this user has logged in."""
    return sealing.seal(svc, device.after_login(user))


def new_device_mail(svc: Services, login: Authenticated, session: Session) -> tuple[Write, ...]:
    """The mail about a login, to be written with its session; none where the device is known, or nobody would read it.

    An address that is not verified may be somebody else's.
    """
    user, agent, device = login.user, login.agent, login.device
    if agent is None or device is None or device.is_known_to(user):
        return ()
    if not (svc.settings.mail_from and svc.settings.new_device_mail and user.email_verified):
        return ()
    message = NewDeviceMail(
        name=MAIL,
        uid=user.uid,
        to=user.email,
        language=agent.language,
        session_id=session.session_id,
        device_id=device.id,
        browser=agent.browser,
        system=agent.system,
        network=agent.network,
        at=svc.now(),
    )
    return (outbox.message(svc, message),)
