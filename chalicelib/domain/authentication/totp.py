"""Time-based one-time codes (RFC 6238), with the parameters that every app for codes takes: SHA-1, six digits, 30 seconds."""

import hmac
from base64 import b32encode
from urllib.parse import quote

SECRET_BYTES, DIGITS, SECONDS = 20, 6, 30  # RFC 4226 section 4: 160 bits
SKEW = 1  # steps either side, for clocks that are not right (RFC 6238 section 5.2)


def code(secret: bytes, step: int) -> str:
    """The code of a step (RFC 4226 section 5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def matching_step(secret: bytes, digits: str, *, now: int, after: int) -> int | None:
    """The step whose code somebody has typed, of those that are good now and later than the last one that was used."""
    current = now // SECONDS
    steps = [step for step in range(current - SKEW, current + SKEW + 1) if step > after]
    matching = [step for step in steps if hmac.compare_digest(code(secret, step).encode(), digits.encode())]
    return matching[0] if matching else None


def text(secret: bytes) -> str:
    """A secret as one types it into an app: base32 without padding."""
    return b32encode(secret).decode().rstrip("=")


def uri(secret: bytes, *, issuer: str, account: str) -> str:
    """The address that apps for codes read from a QR code; the issuer is in it twice, as all of them have it."""
    issuer = issuer.replace(":", " ")  # which parts it from the account
    label = f"{quote(issuer, safe='')}:{quote(account, safe='@')}"
    # Some apps show wrong codes without a word where these are others, or missing.
    parameters = f"issuer={quote(issuer, safe='')}&algorithm=SHA1&digits={DIGITS}&period={SECONDS}"
    return f"otpauth://totp/{label}?secret={text(secret)}&{parameters}"
