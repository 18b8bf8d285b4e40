"""What attempts are counted against, as a deployment's limits have it: decided here, kept in store/attempts.py."""

import msgspec


class Counted(msgspec.Struct, frozen=True):
    """One subject's attempts of a kind, which are counted."""

    kind: str
    subject: str

    @property
    def contended(self) -> str:
        """The reason in the log where too many requests count at once."""
        return f"{self.kind} contended"


class Limit(Counted, frozen=True):
    """At most `most` attempts by one subject in each window of `seconds`."""

    most: int
    seconds: int

    def window(self, now: int) -> int:
        """The number of the window that `now` lies in."""
        return now // self.seconds

    def wait(self, now: int) -> int:
        """Seconds until the next window."""
        return self.seconds - now % self.seconds


class SingleUse(Limit, frozen=True):
    """What is good once, and is forgotten once it is too old: one window for all its time."""

    def window(self, now: int) -> int:  # noqa: ARG002
        """The one that there is."""
        return 0

    def wait(self, now: int) -> int:  # noqa: ARG002
        """Seconds until it is too old at the latest."""
        return self.seconds


class Backoff(Counted, frozen=True):
    """Guesses by one subject: `free` wrong ones, then a wait that doubles with each, from a second to `longest`.

    Twice as many as are free may be made at the same moment, for nobody knows yet which of them are right; one at a time
    after that. `blocked_until` is when the next may be made, where that was looked up.
    """

    free: int
    longest: int
    blocked_until: int = 0

    @property
    def most_at_once(self) -> int:
        """How many guesses of which nobody knows whether they are right may be on their way."""
        return 2 * self.free

    @property
    def forgotten_after(self) -> int:
        """Seconds without a guess after which all are free again: once more than the longest wait, or that would end all."""
        return 2 * self.longest

    @property
    def waits(self) -> tuple[int, ...]:
        """Seconds after each failure from the last free one on; the last is for all that follow."""
        doubling = tuple(1 << power for power in range(self.longest.bit_length()))
        return (*(seconds for seconds in doubling if seconds < self.longest), self.longest)

    def wait(self, now: int) -> int:
        """Seconds until the next guess."""
        return max(1, self.blocked_until - now)

    def blocked(self, *, failures: int, failed_at: int) -> "Backoff":
        """The same, with the end of the wait after so many failures, the latest at this time."""
        beyond = min(failures - self.free, len(self.waits) - 1)
        until = failed_at + self.waits[beyond] if beyond >= 0 else 0
        return msgspec.structs.replace(self, blocked_until=until)


class Spent(msgspec.Struct, frozen=True):
    """What an attempt was counted against, and when: what a right answer gives back."""

    limits: tuple[Limit | Backoff, ...]
    at: int


NOTHING_SPENT = Spent((), 0)
