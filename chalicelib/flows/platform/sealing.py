"""Texts that browsers and apps carry for us, and that only this server can read, for a while."""

from collections.abc import Mapping
from typing import Any, TypeVar

from ...domain import versioned
from ...domain.crypto import sealing
from ...domain.versioned import SealedRecord
from ...services import Services
from . import keys

R = TypeVar("R", bound=SealedRecord)


def seal(svc: Services, record: SealedRecord) -> str:
    """A text with this record in it, good for its seconds and for its purpose alone."""
    return seal_fields(svc, versioned.to_members(record), purpose=record.purpose, seconds=record.seconds)


def unseal(svc: Services, unverified_text: str, kind: type[R]) -> R | None:
    """The record of a text whose time is not over; None for any other text, of another version too."""
    fields = unseal_fields(svc, unverified_text, purpose=kind.purpose)
    try:
        return versioned.from_members(fields, kind)
    except ValueError:
        return None


def seal_fields(svc: Services, fields: Mapping[str, Any], *, purpose: bytes, seconds: int) -> str:
    """A text with these fields, good for so many seconds and for this purpose alone."""
    secret = keys.current(svc).handle_key(svc.now()).secret
    return sealing.seal({**fields, "until": svc.now() + seconds}, secret=secret, purpose=purpose)


def unseal_fields(svc: Services, unverified_text: str, *, purpose: bytes) -> dict[str, Any] | None:
    """The fields of a text whose time is not over; None for any other."""
    fields: object = sealing.unseal(unverified_text, keys.current(svc).handle_secrets().values(), purpose=purpose)
    until = fields.pop("until", None) if isinstance(fields, dict) else None
    return fields if isinstance(fields, dict) and isinstance(until, int) and svc.now() < until else None
