"""Texts that browsers and apps carry for us, and that only this server can read, for a while."""

from collections.abc import Mapping
from typing import Any

from ...domain.crypto import sealing
from ...services import Services
from . import keys


def seal(svc: Services, fields: Mapping[str, Any], *, purpose: bytes, seconds: int) -> str:
    """A text with these fields, good for so many seconds and for this purpose alone."""
    secret = keys.current(svc).handle_key(svc.now()).secret
    return sealing.seal({**fields, "until": svc.now() + seconds}, secret=secret, purpose=purpose)


def unseal(svc: Services, unverified_text: str, *, purpose: bytes) -> dict[str, Any] | None:
    """The fields of a text whose time is not over; None for any other."""
    fields = sealing.unseal(unverified_text, keys.current(svc).handle_secrets().values(), purpose=purpose)
    return fields if fields and svc.now() < fields["until"] else None
