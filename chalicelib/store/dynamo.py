import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..domain.errors import TemporarilyUnavailable
from .aws.client import AwsClient, AwsError

Item = Mapping[str, Any]

# Two transactions on one item at the same moment cancel each other, which says nothing about their conditions.
CONFLICT, TRIES = "TransactionConflict", 4
FAILED = "ConditionalCheckFailed"
# Why something optional is not there that was to be written under conditions on other items.
ABSENT = "conditions on other items"
BATCH = 25  # BatchWriteItem takes no more
# Why a part of a transaction is refused that can be tried again as it is.
THROTTLED = frozenset({"ThrottlingError", "ProvisionedThroughputExceeded"})

MAX_PARTITION_BYTES, MAX_SORT_BYTES = 2048, 1024  # DynamoDB refuses longer keys, even to look for them


def key(partition: tuple[str, str], sort: tuple[str, ...]) -> dict[str, Any]:
    """The key of an item, as `key(("user", uid), ("grant", session_id))`; raises ValueError where no item can have such a key."""
    if any("#" in part for part in (*partition, *sort)):
        raise ValueError("a part of a key contains the delimiter")
    pk, sk = "#".join(partition), "#".join(sort)
    if len(pk.encode()) > MAX_PARTITION_BYTES or len(sk.encode()) > MAX_SORT_BYTES:
        raise ValueError("a key is too long")
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def escaped(text: str) -> str:
    """Any text as a part of a key, which may not contain the delimiter."""
    return text.replace("%", "%25").replace("#", "%23")


class Contended(TemporarilyUnavailable):
    """Others write the same items too often; `places` are those of a transaction's parts that they are in."""

    def __init__(self, places: list[int], *, reason: str = "contended") -> None:
        self.places = places
        super().__init__(reason=reason)


class Spare(NamedTuple):
    """A part that is written with a transaction or by itself, and never but under these `conditions`.

    `beside` are those of them that the transaction has to have as well.
    """

    part: Any
    conditions: Sequence[Any] = ()
    beside: Sequence[Any] = ()


def transact(
    client: AwsClient, parts: Sequence[Any], *, spare: Sequence[Spare] = (), lost: dict[int, str] | None = None
) -> dict[int, Item | None]:
    """Writes all parts or none: {} for all, else the places of the parts whose conditions do not hold.

    With each place its item, for a part that asks for it by ReturnValuesOnConditionCheckFailure. The `spare` ones are
    written with them if nothing is in the way of that, else, or without parts, each by itself, if it can be; the places of
    those that cannot are in `lost`, with the reason.
    Raises TemporarilyUnavailable, Contended where others write the same items time and again.
    """
    writes = [*parts, *(part for each in spare for part in (*each.beside, each.part))]
    left: dict[int, Spare] = {}
    lost = {} if lost is None else lost
    if not parts:
        lost |= _write_each(client, dict(enumerate(spare)))
        return {}
    reasons: list[str] = []
    for _ in range(TRIES):
        try:
            # By the token DynamoDB knows what it has written, should the answer be lost and the call be sent again.
            client.call("TransactWriteItems", TransactItems=writes, ClientRequestToken=secrets.token_urlsafe(24))
        except AwsError as error:
            reasons = [reason.get("Code", "None") for reason in error.reasons]
            if len(writes) > len(parts):
                hopeless = _hopeless(spare, reasons[len(parts) :])
                left = {place: each for place, each in enumerate(spare) if reasons and place not in hopeless}
                lost |= hopeless
            writes = [*parts]
            if CONFLICT in reasons or set(reasons[len(parts) :]) - {"None"}:
                continue
            if FAILED in reasons:
                failed = [place for place, reason in enumerate(reasons) if reason == FAILED]
                return {place: error.reasons[place].get("Item") for place in failed}
            if hot := [place for place, reason in enumerate(reasons) if reason in THROTTLED]:
                raise Contended(hot, reason=error.code) from None
            raise
        lost |= _write_each(client, left)
        return {}
    raise Contended([place for place, reason in zip(range(len(parts)), reasons, strict=False) if reason == CONFLICT])


def _hopeless(spare: Sequence[Spare], reasons: Sequence[str]) -> dict[int, str]:
    """Those whose own conditions do not hold, or those that they are given under, by the reasons of all their parts."""
    hopeless, start = {}, 0
    for place, each in enumerate(spare):
        end = start + len(each.beside)
        if FAILED in reasons[start:end]:
            hopeless[place] = ABSENT
        elif FAILED in reasons[end : end + 1]:
            hopeless[place] = FAILED
        start = end + 1
    return hopeless


def _write_each(client: AwsClient, spare: Mapping[int, Spare]) -> dict[int, str]:
    """Those that could not be written, each with the reason."""
    reasons = {place: _write_alone(client, each) for place, each in spare.items()}
    return {place: reason for place, reason in reasons.items() if reason}


def _write_alone(client: AwsClient, spare: Spare) -> str:
    """Why it could not be written, "" if it was."""
    try:
        if spare.conditions:
            failed = transact(client, [*spare.conditions, spare.part])
            return "" if not failed else ABSENT if min(failed) < len(spare.conditions) else FAILED
        for kind, write in spare.part.items():
            conditionally(client, f"{kind}Item", **write)
    except ConditionFailed:
        return FAILED
    except TemporarilyUnavailable as failure:
        return failure.reason
    except AwsError as defect:  # which is ours, and no reason to fail what was written without it
        return defect.code
    return ""


def delete_all(client: AwsClient, grants: str, keys: Sequence[Any]) -> None:
    """Deletes items of that table, unconditionally; raises TemporarilyUnavailable, and then some of them are there."""
    for start in range(0, len(keys), BATCH):
        requests = [{"DeleteRequest": {"Key": item_key}} for item_key in keys[start : start + BATCH]]
        if client.call("BatchWriteItem", RequestItems={grants: requests})["UnprocessedItems"]:
            raise TemporarilyUnavailable(reason="UnprocessedItems")


class ConditionFailed(Exception):
    """A conditional write found another item than it needed; `item` is that item, None where there was none."""

    def __init__(self, item: Item | None) -> None:
        self.item = item
        super().__init__("condition failed")


def attempt() -> dict[str, str]:
    """A mark for an item, by which a call whose answer was lost, and which was sent again, knows its own work."""
    return {"S": secrets.token_urlsafe(9)}


def conditionally(client: AwsClient, operation: str, **request: Any) -> dict[str, Any]:
    """One conditional write; raises ConditionFailed with the item that stood against it."""
    try:
        return client.call(operation, **{**request, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"})
    except AwsError as error:
        if error.code != "ConditionalCheckFailedException":
            raise
        raise ConditionFailed(error.item) from None
