"""What a user has just done on a page of ours, as the page's form tells it to the address that it leads to."""

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
    """One thing done, after `shown` was shown; all that is done for one outcome has the same `id`."""

    did: str
    shown: str = ""
    id: str = field(default_factory=new_id)


def encode(svc: Services, browser: Browser, to: str, done: Interaction) -> str:
    """A text that says for minutes, in this session and at this address, what was done."""
    told = {
        "did": done.did,
        "shown": done.shown,
        "id": done.id,
        "sid": browser.session.session_id,
        "to": _digest(to),
    }
    return sealing.seal(svc, told, purpose=PURPOSE, seconds=SECONDS)


def decode(svc: Services, unverified_text: str, browser: Browser, to: str) -> Interaction | None:
    """What a text says was done; None for any other text, session, address or time."""
    told = sealing.unseal(svc, unverified_text, purpose=PURPOSE)
    if told is None or (told["sid"], told["to"]) != (browser.session.session_id, _digest(to)):
        return None
    return Interaction(told["did"], told["shown"], told["id"])


def spend(svc: Services, done: Interaction) -> bool:
    """Uses it up for one outcome; a button that its user presses twice in short order has the same one."""
    now = svc.now()
    value = {"until": now + svc.settings.retry_window_seconds}
    if svc.once.put_if_absent("interaction", done.id, value=value, expires_at=now + SECONDS, now=now):
        return True
    stored = svc.once.read("interaction", done.id, now=now)
    return stored is not None and now <= int(stored["until"])


def _digest(to: str) -> str:
    return hashlib.sha256(to.encode()).hexdigest()
