"""A unit of work: what several stores have to write, all of it or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .aws.client import AwsClient
from .dynamo import Item, Spare, transact


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """What one store has to write, with the conditions that go with it: made by a store, and nobody else looks into it.

    `conditions` are those on other items, for what is optional: with the rest they count where that has none on the same
    item, and where it is written by itself always.
    """

    parts: tuple[Mapping[str, Any], ...]
    conditions: tuple[Mapping[str, Any], ...] = ()

    def only_if(self, condition: "Write") -> "Write":
        """The same on another's conditions, if it is optional; `ABSENT` is then the reason where these do not hold."""
        return Write(self.parts, condition.parts)


class Transactions:
    """Commits writes that stores have made."""

    def __init__(self, client: AwsClient) -> None:
        self._client = client

    def commit(
        self, *writes: Write, optional: Sequence[Write] = (), lost: dict[Write, str] | None = None
    ) -> Write | None:
        """Writes everything or nothing: None once it is written, else the first write whose conditions do not hold.

        What is `optional` is written with the rest if nothing is in the way of that, else part by part by itself, if it can
        be; those that cannot are in `lost` then, with DynamoDB's reason. Raises TemporarilyUnavailable.
        """
        parts = [(part, write) for write in writes for part in write.parts]
        failed = with_optional(self._client, [part for part, _ in parts], optional, lost)
        return parts[min(failed)][1] if failed else None


def with_optional(
    client: AwsClient, parts: Sequence[Any], optional: Sequence[Write], lost: dict[Write, str] | None
) -> dict[int, Item | None]:
    """`transact` of parts, with writes that are `optional`, and in `lost` those that are left out."""
    places: dict[int, str] = {}
    items = [_item(part) for part in parts]
    spare = [
        # No transaction takes two parts on one item.
        (Spare(part, write.conditions, tuple(each for each in write.conditions if _item(each) not in items)), write)
        for write in optional
        for part in write.parts
    ]
    failed = transact(client, parts, spare=[each for each, _ in spare], lost=places)
    if lost is not None:
        lost |= {spare[place][1]: reason for place, reason in places.items()}
    return failed


def _item(part: Mapping[str, Any]) -> tuple[str, Any]:
    """The table and the key of the item that a part is about."""
    ((kind, request),) = part.items()
    item = request["Item" if kind == "Put" else "Key"]
    return request["TableName"], (item["pk"], item["sk"])
