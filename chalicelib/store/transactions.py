"""A unit of work: what several stores have to write, all of it or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .aws.client import AwsClient
from .dynamo import transact


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """What one store has to write, with the conditions that go with it: made by a store, and nobody else looks into it."""

    parts: tuple[Mapping[str, Any], ...]


class Transactions:
    """Commits writes that stores have made."""

    def __init__(self, client: AwsClient) -> None:
        self._client = client

    def commit(self, *writes: Write, optional: Sequence[Write] = ()) -> Write | None:
        """Writes everything or nothing: None once it is written, else the first write whose conditions do not hold.

        What is `optional` is written with the rest if nothing is in the way of that, else part by part by itself, if it can
        be. Raises TemporarilyUnavailable.
        """
        parts = [(part, write) for write in writes for part in write.parts]
        spare = [part for write in optional for part in write.parts]
        failed = transact(self._client, [part for part, _ in parts], spare=spare)
        return parts[min(failed)][1] if failed else None
