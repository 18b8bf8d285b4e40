"""What a user has just done on one of our pages, handed from the form's answer to the page that follows."""

import hashlib
from dataclasses import dataclass, field

from ...services import Services
from ..platform import sealing
from ..platform.ids import new_id
from ..sessions.browser import Browser

PURPOSE = b"latchkey interaction\x00"
SECONDS = 300


@dataclass(frozen=True, slots=True)
class Interaction:
    """One action, with the scopes or the user code that its page showed; all actions for one outcome have the same `id`."""

    action: str
    detail: str = ""
    id: str = field(default_factory=new_id)


def encode(svc: Services, browser: Browser, to: str, interaction: Interaction) -> str:
    """A text that says for minutes, in this session and at this address, what was done."""
    content = {
        "did": interaction.action,
        "shown": interaction.detail,
        "id": interaction.id,
        "sid": browser.session.session_id,
        "to": _digest(to),
    }
    return sealing.seal(svc, content, purpose=PURPOSE, seconds=SECONDS)


def decode(svc: Services, unverified_text: str, browser: Browser, to: str) -> Interaction | None:
    """What a text says was done; None for any other text, session, address or time."""
    content = sealing.unseal(svc, unverified_text, purpose=PURPOSE)
    if content is None or (content["sid"], content["to"]) != (browser.session.session_id, _digest(to)):
        return None
    return Interaction(content["did"], content["shown"], content["id"])


def spend(svc: Services, interaction: Interaction) -> bool:
    """Uses it up for one outcome; a button that is pressed twice in short order has the same outcome."""
    now = svc.now()
    value = {"until": now + svc.settings.retry_window_seconds}
    if svc.once.put_if_absent("interaction", interaction.id, value=value, expires_at=now + SECONDS, now=now):
        return True
    stored = svc.once.read("interaction", interaction.id, now=now)
    return stored is not None and now <= int(stored["until"])


def _digest(to: str) -> str:
    return hashlib.sha256(to.encode()).hexdigest()
