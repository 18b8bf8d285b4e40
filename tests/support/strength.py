"""zxcvbn, which takes longer than all else of a sign-up: it judges a password once, for most tests sign up with one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import zxcvbn
from zxcvbn.matching import L33T_TABLE

REAL = zxcvbn.zxcvbn


@lru_cache(maxsize=1000)
def _judgement(password: str, about: tuple[str, ...]) -> Any:
    return REAL(password, user_inputs=about)


def judgement(password: str, user_inputs: Sequence[str] = ()) -> Any:
    """What zxcvbn says of a password, asked once for all the users of whom it has nothing in it."""
    return _judgement(password, _within_reach(password, user_inputs))


def _within_reach(password: str, about: Sequence[str]) -> tuple[str, ...]:
    """What is known of a user, without what no part of the password can spell, however its signs are read as letters."""
    letters = {*password.lower()}
    letters |= {letter for letter, signs in L33T_TABLE.items() if letters.intersection(signs)}
    # The place of a text says how soon it is guessed, so nothing is left out, and no part of a password is empty.
    return tuple(text if letters.issuperset(text.lower()) else "" for text in about)


@contextmanager
def judged_once() -> Iterator[None]:
    """Remembers what zxcvbn has said of each password, for the length of a `with` block."""
    zxcvbn.zxcvbn = judgement  # type: ignore[assignment]
    yield
    zxcvbn.zxcvbn = REAL
