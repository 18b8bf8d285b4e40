"""What a user has just done on one of our pages, handed from the form's answer to the page that follows."""

import hashlib

import msgspec

from ...domain.records.once import SpentInteraction
from ...domain.records.sealed import SealedInteraction
from ...services import Services
from ..platform import sealing
from ..platform.ids import new_id
from ..sessions.browser import Browser


class Interaction(msgspec.Struct, frozen=True):
    """One action, with the scopes or the user code that its page showed; all actions for one outcome have the same `id`."""

    action: str
    detail: str = ""
    id: str = msgspec.field(default_factory=new_id)


def encode(svc: Services, browser: Browser, to: str, interaction: Interaction) -> str:
    """A text that says for minutes, in this session and at this address, what was done."""
    record = SealedInteraction(
        action=interaction.action,
        detail=interaction.detail,
        id=interaction.id,
        sid=browser.session.session_id,
        to=digest_of(to),
    )
    return sealing.seal(svc, record)


def decode(svc: Services, unverified_text: str, browser: Browser, to: str) -> Interaction | None:
    """What a text says was done; None for any other text, session, address or time."""
    record = sealing.unseal(svc, unverified_text, SealedInteraction)
    if record is None or (record.sid, record.to) != (browser.session.session_id, digest_of(to)):
        return None
    return Interaction(record.action, record.detail, record.id)


def spend(svc: Services, interaction: Interaction) -> bool:
    """Uses it up for one outcome; a button that is pressed twice in short order has the same outcome."""
    now = svc.now()
    spent = SpentInteraction(until=now + svc.settings.retry_window_seconds)
    if svc.once.put_if_absent(spent, interaction.id, expires_at=now + SealedInteraction.seconds, now=now):
        return True
    item = svc.once.read(SpentInteraction, interaction.id, now=now)
    return item is not None and now <= item.record.until


def digest_of(to: str) -> str:
    """What stands for where a form leads in a sealed text, however long that is."""
    return hashlib.sha256(to.encode()).hexdigest()
