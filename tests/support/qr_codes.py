"""QR codes with the first of their eight masks: to look for the best takes longer than all else of an enrolment."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import segno

REAL = segno.make


@contextmanager
def drawn_at_once() -> Iterator[None]:
    """Has segno draw each QR code with one mask and try no other, for the length of a `with` block; any reader reads it."""
    segno.make = partial(REAL, mask=0)
    yield
    segno.make = REAL
