"""base64url without padding, as RFC 7515 has it for all that goes into a token."""

from base64 import urlsafe_b64decode, urlsafe_b64encode


def encode(data: bytes) -> str:
    """The one spelling of these bytes."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes behind a text that `encode` could have made; raises ValueError for any other."""
    raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    # Python's decoder takes `+` for `-` as well, passes over what is no base64 at all, and drops spare bits.
    if encode(raw) != text:
        raise ValueError("spelling")
    return raw
