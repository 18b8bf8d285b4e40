"""The codes that a device shows its user (RFC 8628 section 6.1), and what of a text that somebody typed is one."""

import re
import secrets

# No vowels, so no words, and nothing that looks like another: 20^8 codes, each good for minutes.
LETTERS, LENGTH, GROUP = "BCDFGHJKLMNPQRSTVWXZ", 8, 4
MAX_TYPED = 64  # a code, with spaces or hyphens, or with the sentence that it was copied with
IN_TEXT = re.compile(rf"(?<![A-Z])([{LETTERS}]{{{GROUP}}})[^A-Z0-9]{{0,3}}([{LETTERS}]{{{GROUP}}})(?![A-Z])")


def new() -> str:
    """A code as it is kept."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


def display(code: str) -> str:
    """A code as it is shown, in two groups."""
    return f"{code[:GROUP]}-{code[GROUP:]}"


def read(typed: str) -> str:
    """The code in a text, as it is kept: its letters alone, or the one in a sentence; "" if there is none, or not one."""
    if len(typed) > MAX_TYPED:
        return ""
    letters = "".join(letter for letter in typed.upper() if letter in LETTERS)
    if len(letters) == LENGTH:
        return letters
    codes = {"".join(groups) for groups in IN_TEXT.findall(typed.upper())}
    return codes.pop() if len(codes) == 1 else ""
