import os
import re
import unicodedata
from base64 import b64encode

import msgspec
from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from ..errors import LongPassword, WeakPassword
from .password_advice import ADVICE

MIN_LENGTH, MAX_LENGTH = 8, 256
# A character has at most 4 bytes, and three times as many when it is decomposed (Unicode Standard Annex 15, expansion factors).
MAX_BYTES = 12 * MAX_LENGTH
# What is beside a password's parts that are from its owner's profile: a year, as in ann1987, or less is too little.
MAX_BESIDE_PROFILE = 4
# zxcvbn looks up every part of a password once for each way to read its symbols as letters: 0.1 ms for 32 characters read in
# one way, a second for those with 700 ways. Ways times the square of the length is what it costs; no random password of
# 20 characters comes near, and what is made of symbols alone is judged by its first 10 at least.
JUDGED_LENGTH, MAX_LOOKUPS = 20, 1 << 14


class HashProfile(msgspec.Struct, frozen=True):
    """What one password hash costs: Argon2id memory in KiB, passes and lanes (RFC 9106)."""

    memory: int
    passes: int
    lanes: int

    def prefix(self) -> str:
        """How a PHC string made with this profile begins."""
        return f"$argon2id$v=19$m={self.memory},t={self.passes},p={self.lanes}$"


OWASP_19_MIB = HashProfile(memory=19456, passes=2, lanes=1)
CHEAPEST_ONLY_FOR_TESTS = HashProfile(memory=8, passes=1, lanes=1)


def check_length(password: str) -> None:
    """Raises LongPassword for what is none however it is normalised, which costs more the longer it is."""
    if len(password) > MAX_BYTES or len(password.encode(errors="surrogatepass")) > MAX_BYTES:
        raise LongPassword()


def normalise(password: str) -> str:
    """A password as it is hashed (NFC, as RFC 8265 has it); raises LongPassword over 256 characters."""
    check_length(password)
    text = unicodedata.normalize("NFC", password)
    if len(text) > MAX_LENGTH:
        raise LongPassword()
    return text


def check_strength(password: str, *, about: tuple[str, ...], score: int) -> None:
    """Raises WeakPassword for one under 8 characters, made of what is known `about` its owner, or easy to guess.

    A long one is judged by how it begins; `score` is what zxcvbn has to give it at least, 0 for anything.
    """
    if len(password) < MIN_LENGTH:
        raise WeakPassword(f"A password needs at least {MIN_LENGTH} characters.", rule="short")
    if _beside_profile(password, about) <= MAX_BESIDE_PROFILE:
        raise WeakPassword("This password is hardly more than the address or the name.", rule="profile")
    if not score:
        return
    from zxcvbn import zxcvbn

    estimate = zxcvbn(_estimated_part(password), user_inputs=[text for text in about if text])
    if estimate["score"] < score:
        advice = [text for text in (estimate["feedback"]["warning"], *estimate["feedback"]["suggestions"]) if text]
        description = " ".join(["This password is too easy to guess.", *advice])
        codes = tuple(ADVICE[text] for text in advice if text in ADVICE)
        raise WeakPassword(description, score=estimate["score"], advice=codes)


def _beside_profile(password: str, about: tuple[str, ...]) -> int:
    """How many letters and digits a password has besides the words of its owner's profile."""
    words = {word.casefold() for text in about for word in (text, *re.split(r"[\W_]+", text)) if len(word) >= 3}
    rest = password.casefold()
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word, "")
    # Symbols alone are no word's, and are counted where nothing was taken away.
    return len(rest) if rest == password.casefold() else len(re.sub(r"[\W_]+", "", rest))


def _estimated_part(password: str) -> str:
    """The beginning of a password that zxcvbn can judge in bounded time."""
    from zxcvbn.matching import L33T_TABLE, enumerate_l33t_subs, relevant_l33t_subtable

    length = min(len(password), MIN_LENGTH)
    while length < min(len(password), JUDGED_LENGTH):
        longer = length + 1
        ways = len(enumerate_l33t_subs(relevant_l33t_subtable(password[:longer], L33T_TABLE)))
        if ways * longer**2 > MAX_LOOKUPS:
            break
        length = longer
    return password[:length]


def hash_password(password: str, *, profile: HashProfile) -> str:
    """A PHC string of a normalised password."""
    return _argon2id(profile, os.urandom(16)).derive_phc_encoded(password.encode())


def verify_password(password: str, *, stored: str) -> bool:
    """Whether a normalised password is the one behind a stored PHC string."""
    if not stored.startswith("$argon2id$"):
        return False
    try:
        Argon2id.verify_phc_encoded(password.encode(), stored)
    except InvalidKey:
        return False
    return True


def needs_rehash(stored: str, *, profile: HashProfile) -> bool:
    """Whether a stored hash was made otherwise than this profile would."""
    return not stored.startswith(profile.prefix())


def unknown_users_hash(profile: HashProfile) -> str:
    """A PHC string that no password matches and that costs as much to check as a real one."""
    filler = [b64encode(bytes(length)).rstrip(b"=").decode() for length in (16, 32)]
    return profile.prefix() + "$".join(filler)


def _argon2id(profile: HashProfile, salt: bytes) -> Argon2id:
    return Argon2id(salt=salt, length=32, iterations=profile.passes, lanes=profile.lanes, memory_cost=profile.memory)
