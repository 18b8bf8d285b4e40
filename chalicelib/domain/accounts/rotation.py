from enum import Enum

from .model import Session


class Use(Enum):
    """What presenting a refresh token means for its session at one moment."""

    CURRENT = "current"
    RETRY = "retry"
    REUSE = "reuse"
    DEAD = "dead"


def use_of(session: Session | None, generation: int, *, jkt: str, now: int, retry_window: int) -> Use:
    """Judges a generation presented with a proof of the key `jkt`, "" for none: the current one, its immediate predecessor
    tried again within `retry_window` seconds of its first use, or a reuse that must end the session (RFC 9700 section 4.14.2).

    One that was handed out before the session was bound, and comes without that key, is in two hands: a reuse. One that was
    bound from the first on is of no use to whoever has it without the key, and ends nothing.
    """
    if session is None or not session.alive(now) or generation > session.generation:
        return Use.DEAD
    if session.jkt not in ("", jkt):
        return Use.REUSE if generation <= session.unbound_until else Use.DEAD
    if generation == session.generation:
        return Use.CURRENT
    if generation == session.generation - 1 and now <= session.rotated_at + retry_window:
        return Use.RETRY
    return Use.REUSE
