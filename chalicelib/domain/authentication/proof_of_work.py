"""Work that a stranger does before we do ours: a number that gives a text a digest which begins with so many zero bits."""

import hashlib

MAX_NUMBER = 20  # digits


def is_done(challenge: str, number: str, *, bits: int) -> bool:
    """Whether the SHA-256 of `challenge.number` begins with so many zero bits."""
    if not (number.isascii() and number.isdecimal() and len(number) <= MAX_NUMBER):
        return False
    digest = hashlib.sha256(f"{challenge}.{number}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest) >> (256 - bits) == 0
