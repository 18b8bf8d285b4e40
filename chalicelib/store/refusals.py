from typing import Any

from ..domain.durations import DAY
from .aws.client import AwsClient
from .dynamo import Item, escaped, key
from .items import ONE, reader

KEPT_SECONDS = DAY
EVERY_SECONDS = 60
MOST = 1000  # what a container remembers to have written


@reader("refusals")
def _from_item(item: Item) -> dict[str, int]:
    times = {name: int(at["N"]) for name, at in item.items() if name not in ("pk", "sk", "v")}
    del times["expires_at"]
    return times


class Refusals:
    """When clients were last refused: one item a client, in it one time a cause, for a day.

    A cause of a client is written once a minute at most by one container, however often a stranger has it refused.
    """

    def __init__(self, client: AwsClient, *, grants: str) -> None:
        self._client = client
        self._grants = grants
        self._written: dict[tuple[str, str], int] = {}
        self._rests_until = 0

    def keep(self, client_id: str, cause: str, *, now: int) -> None:
        """Notes that a client was refused for a cause, unless that was written in the last minute.

        Where the write fails, nothing is tried for the next one, so that no more answers wait for it.
        """
        if now < self._rests_until or now < self._written.get((client_id, cause), 0) + EVERY_SECONDS:
            return
        if len(self._written) >= MOST:
            self._written = {each: at for each, at in self._written.items() if now < at + EVERY_SECONDS}
        if len(self._written) >= MOST:
            return
        self._written[client_id, cause] = now
        self._rests_until = now + EVERY_SECONDS
        # Whichever of two times is kept, it is of the last minute: nothing hangs on which.
        self._client.call(
            "UpdateItem",
            TableName=self._grants,
            Key=_key(client_id),
            UpdateExpression="SET #cause = :now, expires_at = :end, v = :v",
            ExpressionAttributeNames={"#cause": cause},
            ExpressionAttributeValues={
                ":now": {"N": str(now)},
                ":end": {"N": str(now + KEPT_SECONDS)},
                ":v": ONE,
            },
        )
        self._rests_until = 0

    def read(self, client_id: str, *, now: int) -> dict[str, int]:
        """When a client was last refused in the last day, in epoch seconds, by the cause."""
        answer = self._client.call("GetItem", TableName=self._grants, Key=_key(client_id), ConsistentRead=True)
        latest = _from_item(answer["Item"]) if "Item" in answer else {}
        return {cause: at for cause, at in latest.items() if now < at + KEPT_SECONDS}


def _key(client_id: str) -> dict[str, Any]:
    return key(("client", escaped(client_id)), ("refusals",))
