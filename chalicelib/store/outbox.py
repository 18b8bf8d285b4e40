import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..domain import versioned
from ..domain.durations import DAY
from ..domain.records.outbox import Message, OutboxItem
from .aws.client import AwsClient
from .dynamo import ConditionFailed, Item, conditionally, key
from .items import VERSION, reader
from .transactions import Write

KEPT_SECONDS = 30 * DAY  # what was never delivered is there for its operator to see


class Outbox:
    """Messages that have to be delivered, one item each until it was. Whatever is created here starts its delivery."""

    def __init__(self, client: AwsClient, *, outbox: str) -> None:
        self._client = client
        self._outbox = outbox

    def creation(self, message: Message, message_id: str, *, now: int) -> Write:
        """A message to be delivered once it is written."""
        useful_until = now + message.seconds
        item = {
            **_key(message_id, message.kind),
            **VERSION,
            "value": {"S": json.dumps(versioned.to_members(message))},
            "useful_until": {"N": str(useful_until)},
            "expires_at": {"N": str(useful_until + KEPT_SECONDS)},
        }
        return Write(({"Put": {"TableName": self._outbox, "Item": item}},))

    def read(self, message_id: str, kind: str, *, now: int) -> OutboxItem | None:
        """A message, as of now; None once it was delivered."""
        answer = self._client.call("GetItem", TableName=self._outbox, Key=_key(message_id, kind), ConsistentRead=True)
        item = from_item(answer["Item"]) if "Item" in answer else None
        return item if item and item.expires_at > now else None

    def delete(self, message_id: str, kind: str) -> None:
        """Deletes a message: it was delivered, or is not to be."""
        self._client.call("DeleteItem", TableName=self._outbox, Key=_key(message_id, kind))

    def replacement(self, item: OutboxItem, parts: Mapping[str, Message], *, now: int) -> list[Write]:
        """Messages by their ids in the place of one; the last of these writes is its deletion."""
        deletion = {"TableName": self._outbox, "Key": _key(item.message_id, item.kind)}
        created = [self.creation(part, part_id, now=now) for part_id, part in parts.items()]
        return [*created, Write(({"Delete": deletion},))]

    def note_failure(self, item: OutboxItem, *, reason: str, retry_at: int) -> None:
        """Notes that a delivery has failed and when the next is due, 0 for never, unless one has failed since it was read."""
        before = {":before": {"N": str(item.failures)}} if item.failures else {}
        unchanged = "failures = :before" if before else "attribute_exists(pk) AND attribute_not_exists(failures)"
        values = {
            ":failures": {"N": str(item.failures + 1)},
            ":reason": {"S": reason},
            ":at": {"N": str(retry_at)},
            **before,
        }
        try:
            conditionally(
                self._client,
                "UpdateItem",
                TableName=self._outbox,
                Key=_key(item.message_id, item.kind),
                UpdateExpression="SET failures = :failures, reason = :reason, retry_at = :at",
                ConditionExpression=unchanged,
                ExpressionAttributeValues=values,
            )
        except ConditionFailed:
            return  # it was delivered meanwhile, or the other has noted it

    def undelivered(self) -> Iterator[OutboxItem]:
        """All messages that are there: for an operator, and on no request's path."""
        for page in self._client.pages("Scan", TableName=self._outbox, ConsistentRead=True):
            yield from map(from_item, page["Items"])


def _key(message_id: str, kind: str) -> dict[str, Any]:
    return key(("message", message_id), (kind,))


@reader("message")
def from_item(item: Item) -> OutboxItem:
    """The message in a stored item."""
    return OutboxItem(
        message_id=item["pk"]["S"].partition("#")[2],
        kind=item["sk"]["S"],
        stored=item["value"]["S"],
        useful_until=int(item["useful_until"]["N"]),
        expires_at=int(item["expires_at"]["N"]),
        failures=int(item.get("failures", {"N": "0"})["N"]),
        reason=item.get("reason", {"S": ""})["S"],
        retry_at=int(item.get("retry_at", {"N": "0"})["N"]),
    )
