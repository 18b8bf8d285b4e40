"""Texts that only this server can make, and so knows again: message authentication codes under its own keys."""

import hmac

from ...domain.authentication import typed_codes
from ...domain.crypto import base64url
from ...services import Services
from . import keys

FORM, CODE = b"latchkey form\x00", b"latchkey code\x00"
DIGITS = 6
CODE_SECONDS = 30 * 60  # a code is good for as long at least, and for twice as long at most


def mac(svc: Services, *parts: str) -> str:
    """A text that only this server can make for these parts. Forms carry one, so that no other site's form counts."""
    key = keys.current(svc).handle_key(svc.now())
    return base64url.encode(_mac(key.secret, FORM, parts))


def verify_mac(svc: Services, text: str, *parts: str) -> bool:
    """Whether a text is the MAC of these parts under any of the keys."""
    macs = [base64url.encode(_mac(secret, FORM, parts)) for secret in keys.current(svc).handle_secrets().values()]
    return True in [hmac.compare_digest(text.encode(), mac.encode()) for mac in macs]


def code(svc: Services, *parts: str, at: int) -> str:
    """Six digits that only this server can make for these parts, by the key of that time: for a mail, to be typed elsewhere."""
    # Of one key alone: a guess would be right once for each that is kept.
    secret = keys.current(svc).handle_key(at).secret
    return f"{int.from_bytes(_mac(secret, CODE, parts), 'big') % 10**DIGITS:0{DIGITS}}"


def codes(svc: Services, *parts: str) -> list[str]:
    """The code of this half hour for these parts, and that of the half hour before."""
    window = svc.now() // CODE_SECONDS
    return [code(svc, *parts, str(each), at=each * CODE_SECONDS) for each in (window, window - 1)]


def verify_code(svc: Services, typed: str, *parts: str) -> bool:
    """Whether the digits of what was typed are one of those codes."""
    return matches(typed, *codes(svc, *parts))


def matches(typed: str, *right_codes: str) -> bool:
    """Whether the digits of what was typed are one of these codes."""
    digits = typed_codes.digits(typed)
    return True in [hmac.compare_digest(digits, each) for each in right_codes]


def _mac(secret: bytes, purpose: bytes, parts: tuple[str, ...]) -> bytes:
    # Lengths before the parts: no two lists of parts come out as the same bytes.
    message = purpose + b"".join(len(p.encode()).to_bytes(4, "big") + p.encode() for p in parts)
    return hmac.digest(secret, message, "sha256")
