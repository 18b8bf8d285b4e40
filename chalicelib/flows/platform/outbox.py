"""What has to be told to somebody outside: written with what it tells, delivered by a job, tried again until it was."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ...domain.durations import HOUR
from ...domain.errors import LatchkeyError, UnreadableRecord
from ...domain.records.outbox import Message, OutboxItem
from ...services import Services, Write
from .ids import new_id

# Seconds from one failure to the next try; after the last of them a try a day.
DELAYS = (60, 5 * 60, 30 * 60, 2 * HOUR, 8 * HOUR, 24 * HOUR)
MAX_WRITES = 100  # of one transaction

# Delivers a message, or takes it apart into others, by their ids, which are delivered instead; raises NotDelivered.
Delivery = Callable[[Services, str, Any], Mapping[str, Message]]
# Sees to it that a message is delivered again at a time; raises where it cannot.
Retry = Callable[[OutboxItem, int], None]


class NotDelivered(Exception):
    """A receiver did not take a message, for a reason that is for the log."""

    def __init__(self, receiver: str, reason: str) -> None:
        self.receiver = receiver
        self.reason = reason
        super().__init__(reason)


class FailedDelivery(msgspec.Struct, frozen=True):
    """A delivery that failed, for the log; `retry_at` is when it is tried again, 0 for never."""

    message_id: str
    kind: str
    receiver: str
    reason: str
    retry_at: int


def message(svc: Services, message: Message) -> Write:
    """A message to be delivered once it is written; whoever gets it drops a second copy by its id."""
    return svc.outbox.creation(message, new_id(), now=svc.now())


def deliver(
    svc: Services, message_id: str, kind: str, deliveries: Mapping[str, Delivery], retry: Retry
) -> FailedDelivery | None:
    """Delivers a message that is there still, at least once; a failure is tried again while the message is of use.

    Raises only where neither can be had: whoever calls then calls again.
    """
    try:
        item = svc.outbox.read(message_id, kind, now=svc.now())
    except UnreadableRecord as unreadable:  # it stays for its operator
        return FailedDelivery(message_id, kind, "", unreadable.reason, retry_at=0)
    failure = _deliver(svc, item, deliveries) if item else None
    return _try_again(svc, item, failure, retry) if item and failure else None


def _deliver(svc: Services, item: OutboxItem, deliveries: Mapping[str, Delivery]) -> NotDelivered | None:
    try:
        parts = deliveries[item.kind](svc, item.message_id, item.message)
    except NotDelivered as failure:
        return failure
    except LatchkeyError as refusal:
        return NotDelivered("", refusal.reason or refusal.code)
    except Exception as defect:  # whose message is not in the way of others, and is delivered once it is mended
        return NotDelivered("", type(defect).__name__)
    _finish(svc, item, parts)
    return None


def _finish(svc: Services, item: OutboxItem, parts: Mapping[str, Message]) -> None:
    if not parts:
        svc.outbox.delete(item.message_id, item.kind)
        return
    writes = svc.outbox.replacement(item, parts, now=svc.now())
    for start in range(0, len(writes), MAX_WRITES):
        svc.transactions.commit(*writes[start : start + MAX_WRITES])


def _try_again(svc: Services, item: OutboxItem, failure: NotDelivered, retry: Retry) -> FailedDelivery:
    retry_at = svc.now() + DELAYS[min(item.failures, len(DELAYS) - 1)]
    if retry_at < item.useful_until:
        retry(item, retry_at)  # before it is noted: a retry too many does no harm, and one too few would
    else:
        retry_at = 0
    svc.outbox.note_failure(item, reason=failure.reason, retry_at=retry_at)
    return FailedDelivery(item.message_id, item.kind, failure.receiver, failure.reason, retry_at)
