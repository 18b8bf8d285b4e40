"""Texts that browsers and apps carry for us, and that only this server can read, for a while."""

from collections.abc import Mapping
from typing import TypeVar

from ...domain import versioned
from ...domain.crypto import sealing
from ...domain.errors import NotFound, UnreadableRecord
from ...domain.versioned import SealedRecord
from ...services import Services
from . import keys

R = TypeVar("R", bound=SealedRecord)


def seal(svc: Services, record: SealedRecord) -> str:
    """A text with this record in it, good for its seconds and for its purpose alone."""
    members = {**versioned.to_members(record), "until": svc.now() + record.seconds}
    return sealing.seal(members, secret=keys.current(svc).handle_key(svc.now()).secret, purpose=record.purpose)


def unseal(svc: Services, unverified_text: str, kind: type[R]) -> R | None:
    """The record of a text whose time is not over; None for any other text, of another version too."""
    secrets = keys.current(svc).handle_secrets().values()
    members: object = sealing.unseal(unverified_text, secrets, purpose=kind.purpose)
    until = members.pop("until", None) if isinstance(members, dict) else None
    if not isinstance(until, int) or svc.now() >= until:
        return None
    try:
        return versioned.from_members(members, kind)
    except ValueError:
        return None


def unseal_link(svc: Services, unverified_text: str, kind: type[R]) -> R:
    """What the link of a mail says, which is used by nobody's reading it; raises NotFound for one that is forged or too old."""
    record = unseal(svc, unverified_text, kind)
    if record is None:
        raise NotFound("This link is not complete, or too old.")
    return record


def seal_for_good(svc: Services, fields: Mapping[str, str], *, purpose: bytes) -> str:
    """A text for our own tables, which is read for as long as it is there.

    Its key is made from the one secret that is never replaced: those of `seal` end with their time.
    """
    return sealing.seal(fields, secret=keys.current(svc).pairwise, purpose=purpose)


def unseal_for_good(svc: Services, text: str, *, purpose: bytes) -> Mapping[str, str]:
    """What is in a text that was sealed for good; raises UnreadableRecord for any other, which is a defect."""
    fields = sealing.unseal(text, [keys.current(svc).pairwise], purpose=purpose)
    if fields is None:
        raise UnreadableRecord(reason="sealed with another key")
    return fields
