"""A unit of work: what several stores have to write, all of it or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .aws.client import AwsClient
from .dynamo import Item, transact


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """What one store has to write, with the conditions that go with it: made by a store, and nobody else looks into it."""

    parts: tuple[Mapping[str, Any], ...]


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
    spare = [(part, write) for write in optional for part in write.parts]
    places: dict[int, str] = {}
    failed = transact(client, parts, spare=[part for part, _ in spare], lost=places)
    if lost is not None:
        lost |= {spare[place][1]: reason for place, reason in places.items()}
    return failed
