"""The link of the mail about a login on a new device: it ends the session that the login began."""

from ...domain.records.outbox import NewDeviceMail
from ...domain.records.sealed import SealedSessionEnd
from ...services import Services
from ..platform import sealing
from . import logout, remembered_devices


def link(svc: Services, mail: NewDeviceMail) -> str:
    """The text in the address of the page that ends the session, good for a week."""
    record = SealedSessionEnd(uid=mail.uid, email=mail.to, session_id=mail.session_id, device_id=mail.device_id)
    return sealing.seal(svc, record)


def read_link(svc: Services, unverified_text: str) -> SealedSessionEnd:
    """What a link says, which ends nothing by being read; raises NotFound for one that is forged or too old."""
    return sealing.unseal_link(svc, unverified_text, SealedSessionEnd)


def end(svc: Services, unverified_text: str, *, network: str) -> None:
    """Ends the session of a link with all that began in it, and forgets its device; raises NotFound as `read_link` does."""
    record = read_link(svc, unverified_text)
    user = svc.users.read(record.uid)
    if user:
        logout.end_strangers(svc, user, sid=record.session_id, network=network)
        if record.device_id:
            remembered_devices.forget_if_remembered(svc, user, record.device_id)
