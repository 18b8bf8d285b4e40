"""zxcvbn, which takes longer than all else of a sign-up: it judges a password once, for most tests sign up with one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import zxcvbn

REAL = zxcvbn.zxcvbn


@lru_cache(maxsize=1000)
def _judgement(password: str, about: tuple[str, ...]) -> Any:
    return REAL(password, user_inputs=about)


def _remembered(password: str, user_inputs: Sequence[str] = ()) -> Any:
    return _judgement(password, tuple(user_inputs))


@contextmanager
def judged_once() -> Iterator[None]:
    """Remembers what zxcvbn has said of each password, for the length of a `with` block."""
    zxcvbn.zxcvbn = _remembered  # type: ignore[assignment]
    yield
    zxcvbn.zxcvbn = REAL
