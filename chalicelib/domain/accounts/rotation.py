from enum import Enum

from .model import Grant


class Use(Enum):
    """What presenting a refresh token means for its grant at one moment."""

    CURRENT = "current"
    RETRY = "retry"
    REUSE = "reuse"
    DEAD = "dead"


def use_of(grant: Grant | None, generation: int, *, jkt: str, now: int, retry_window: int) -> Use:
    """Judges a generation presented with a proof of the key `jkt`, "" for none: the current one, its immediate predecessor
    tried again within `retry_window` seconds of its first use, or a reuse that must end the grant (RFC 9700 section 4.14.2).

    One that was handed out before the grant was bound, and comes without that key, is in two hands: a reuse. One that was
    bound from the first on is of no use to whoever has it without the key, and ends nothing.
    """
    if grant is None or not grant.alive(now) or generation > grant.generation:
        return Use.DEAD
    if grant.jkt not in ("", jkt):
        return Use.REUSE if generation <= grant.unbound_until else Use.DEAD
    if generation == grant.generation:
        return Use.CURRENT
    if generation == grant.generation - 1 and now <= grant.rotated_at + retry_window:
        return Use.RETRY
    return Use.REUSE
