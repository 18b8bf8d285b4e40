"""Texts that only this server can make, and so knows again: message authentication codes under its own keys."""

import hmac

from ...domain.crypto import base64url
from ...services import Services
from . import keys

PREFIX = b"latchkey form\x00"


def mac(svc: Services, *parts: str) -> str:
    """A text that only this server can make for these parts. Forms carry one, so that no other site's form counts."""
    key = keys.current(svc).handle_key(svc.now())
    return _mac(key.secret, parts)


def verify_mac(svc: Services, text: str, *parts: str) -> bool:
    """Whether a text is the MAC of these parts under any of the keys."""
    macs = [_mac(secret, parts) for secret in keys.current(svc).handle_secrets().values()]
    return True in [hmac.compare_digest(text.encode(), mac.encode()) for mac in macs]


def _mac(secret: bytes, parts: tuple[str, ...]) -> str:
    # Lengths before the parts: no two lists of parts come out as the same bytes.
    message = PREFIX + b"".join(len(p.encode()).to_bytes(4, "big") + p.encode() for p in parts)
    return base64url.encode(hmac.digest(secret, message, "sha256"))
