"""What a password may cost: the longest to normalise, the hardest for zxcvbn to judge, against the 50 ms that a request may cost.

Both are made to be costly, within what is let through.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress

from benchmarks.rounds import Comparison, cpu_seconds, of_pairs
from chalicelib.domain.accounts import passwords
from chalicelib.domain.errors import LatchkeyError

AT_MOST_MS = 50
ROUNDS = 15
# The worst of a search among symbols that zxcvbn reads as letters; and combining marks in the wrong order.
JUDGED = "016+9361[8$2<|%(@1@9<13<255%1+(%+0|63<3["
NORMALISED = "\u0301\u0316" * (passwords.MAX_BYTES // 4)


def measure() -> Iterator[Comparison]:
    """Both in milliseconds of CPU, against the 50 that a stranger may cost."""
    for name, work in (
        (
            "the worst password to judge",
            lambda: passwords.check_strength(JUDGED, about=("ann", "example.com"), score=3),
        ),
        ("the worst password to normalise", lambda: passwords.normalise(NORMALISED)),
    ):
        yield _against_the_clock(name, work)


def _against_the_clock(name: str, work: Callable[[], object]) -> Comparison:
    def ours() -> None:
        with suppress(LatchkeyError):
            work()

    ours()
    pairs = [(cpu_seconds(ours, 1), AT_MOST_MS / 1000) for _ in range(ROUNDS)]
    return of_pairs(name, pairs, at_most=1, unit="µs", scale=1e6)
