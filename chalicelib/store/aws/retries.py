"""When a call is sent again: which failures, how soon, and how many at all.

It is the AWS SDKs' standard mode, with the numbers of its revision of 2026, which botocore has since 1.44.
"""

from collections.abc import Callable
from threading import Lock
from typing import NamedTuple

from .answers import Unanswered
from .client import THROTTLING_CODES, TRANSIENT_CODES, AwsError

TRANSIENT_STATUSES = frozenset({500, 502, 503, 504})
# How often a call is sent at most, and the seconds that its first wait is at most, if it was not throttled.
ATTEMPTS, BASE = {"dynamodb": 4, "ssm": 3}, {"dynamodb": 0.025, "ssm": 0.05}
THROTTLED_BASE, LONGEST = 1.0, 20.0
CAPACITY, RETRY_COST, THROTTLED_COST, GAIN = 500, 14, 5, 1


class Retry(NamedTuple):
    """The seconds until a call is sent again, and what that costs of what all calls together may spend."""

    wait: float
    cost: int


# What a call has that needed none; it brings a little back of what others have spent.
NO_RETRY = Retry(0.0, GAIN)


class Retries:
    """The retries of one service: what all calls together may spend on them, so that they do not add to an outage."""

    def __init__(self, service: str, *, jitter: Callable[[], float]) -> None:
        self._attempts, self._base = ATTEMPTS[service], BASE[service]
        self._jitter = jitter
        self._capacity = CAPACITY
        self._lock = Lock()

    def after(self, failure: AwsError | Unanswered, attempt: int) -> Retry:
        """The retry of a call that has failed for this time, counted from 1; NO_RETRY if it is not to be sent again."""
        throttled = _throttled(failure)
        cost = THROTTLED_COST if throttled else RETRY_COST
        if attempt >= self._attempts or not (throttled or _transient(failure)) or not self._spend(cost):
            return NO_RETRY
        base = THROTTLED_BASE if throttled else self._base
        return Retry(self._jitter() * min(base * 2.0 ** (attempt - 1), LONGEST), cost)

    def succeed(self, retry: Retry) -> None:
        """Gives back what a call's last retry has cost."""
        if self._capacity < CAPACITY:
            with self._lock:
                self._capacity = min(CAPACITY, self._capacity + retry.cost)

    def _spend(self, cost: int) -> bool:
        with self._lock:
            enough = cost <= self._capacity
            self._capacity -= cost if enough else 0
        return enough


def _throttled(failure: AwsError | Unanswered) -> bool:
    return isinstance(failure, AwsError) and (failure.code in THROTTLING_CODES or failure.status == 429)


def _transient(failure: AwsError | Unanswered) -> bool:
    return isinstance(failure, Unanswered) or failure.code in TRANSIENT_CODES or failure.status in TRANSIENT_STATUSES
