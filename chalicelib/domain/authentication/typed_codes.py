"""What people type or paste for a code, with whatever is around it."""

import hashlib
import secrets
import unicodedata

# Crockford's base 32: no letter that one could take for a digit.
LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
LOOK_ALIKE = str.maketrans("oil", "011")
CODE_LETTERS, GROUP = 16, 4  # 80 bits


def digits(typed: str) -> str:
    """The digits of what was typed, of whatever script: "Your code is 123 456!" is 123456."""
    return "".join(
        str(unicodedata.decimal(letter)) for letter in typed if unicodedata.decimal(letter, None) is not None
    )


def new_recovery_code() -> str:
    """A code that is good once, in groups of letters and digits, as its owner writes it down."""
    letters = [secrets.choice(LETTERS) for _ in range(CODE_LETTERS)]
    return "-".join("".join(letters[start : start + GROUP]) for start in range(0, CODE_LETTERS, GROUP))


def recovery_code_digest(typed: str, *, uid: str) -> str:
    """What is kept of a recovery code, however it was typed: nobody finds the code by it, for that is long and random."""
    folded = unicodedata.normalize("NFKC", typed).lower().translate(LOOK_ALIKE)
    letters = "".join(letter for letter in folded if letter in LETTERS)
    return hashlib.sha256(f"{uid} {letters}".encode()).hexdigest()
