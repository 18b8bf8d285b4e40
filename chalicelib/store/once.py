import hashlib
import json
from typing import Any, TypeVar

from ..domain import versioned
from ..domain.records.once import OnceItem, OnceRecord
from .aws.client import AwsClient
from .dynamo import ConditionFailed, attempt, conditionally, key
from .transactions import Write

R = TypeVar("R", bound=OnceRecord)

UNCHANGED = "#value = :old AND expires_at > :now"


class Once:
    """What is good once or for a short time, under a digest of its secret text, so that the table holds no secrets.

    Expiry (epoch seconds) is compared here: the table sweeps late.
    """

    def __init__(self, client: AwsClient, *, grants: str) -> None:
        self._client = client
        self._grants = grants

    def put_if_absent(self, record: OnceRecord, text: str, *, expires_at: int, now: int) -> bool:
        """Keeps a record under a text that is not in use; False if it is, as when an assertion is replayed."""
        attempt_id = attempt()
        item = {
            **_key(type(record), text),
            "expires_at": {"N": str(expires_at)},
            "value": {"S": _encode(record)},
            "kept_by": attempt_id,
        }
        try:
            conditionally(
                self._client,
                "PutItem",
                TableName=self._grants,
                Item=item,
                ConditionExpression="attribute_not_exists(pk) OR expires_at <= :now",
                ExpressionAttributeValues={":now": {"N": str(now)}},
            )
        except ConditionFailed as failed:
            return failed.item is not None and failed.item.get("kept_by") == attempt_id
        return True

    def read(self, kind: type[R], text: str, *, now: int) -> OnceItem[R] | None:
        """The record under a text, as of now; none that this release cannot read, as if it had expired."""
        answer = self._client.call("GetItem", TableName=self._grants, Key=_key(kind, text), ConsistentRead=True)
        item = answer.get("Item")
        try:
            if item is None or int(item["expires_at"]["N"]) <= now:
                return None
            stored = item["value"]["S"]
            return OnceItem(text, versioned.from_members(json.loads(stored), kind), stored)
        except (LookupError, ValueError):
            return None

    def change(self, item: OnceItem[R], new: R, *, now: int, expires_at: int | None = None) -> OnceItem[R] | None:
        """Replaces a record that has not changed since it was read, and its expiry if one is given; None if it has."""
        stored = _encode(new)
        end = {":end": {"N": str(expires_at)}} if expires_at is not None else {}
        try:
            conditionally(self._client, "UpdateItem", **self._update(item, stored, now, end))
        except ConditionFailed:
            return None
        return OnceItem(item.text, new, stored)

    def creation(self, record: OnceRecord, text: str, *, expires_at: int, now: int) -> Write:
        """A record kept under a text that is not in use."""
        part = {
            "TableName": self._grants,
            "Item": {
                **_key(type(record), text),
                "expires_at": {"N": str(expires_at)},
                "value": {"S": _encode(record)},
            },
            "ConditionExpression": "attribute_not_exists(pk) OR expires_at <= :now",
            "ExpressionAttributeValues": {":now": {"N": str(now)}},
        }
        return Write(({"Put": part},))

    def replacement(self, item: OnceItem[R], new: R, *, now: int) -> Write:
        """Another record instead of one that has not changed since it was read."""
        return Write(({"Update": self._update(item, _encode(new), now, {})},))

    def deletion(self, item: OnceItem[R], *, now: int) -> Write:
        """A record used up that has not changed since it was read."""
        part = {
            "TableName": self._grants,
            "Key": _key(type(item.record), item.text),
            "ConditionExpression": UNCHANGED,
            "ExpressionAttributeNames": {"#value": "value"},
            "ExpressionAttributeValues": {":old": {"S": item.stored}, ":now": {"N": str(now)}},
        }
        return Write(({"Delete": part},))

    def _update(self, item: OnceItem[Any], stored: str, now: int, end: dict[str, Any]) -> dict[str, Any]:
        return {
            "TableName": self._grants,
            "Key": _key(type(item.record), item.text),
            "UpdateExpression": "SET #value = :new" + (", expires_at = :end" if end else ""),
            "ConditionExpression": UNCHANGED,
            "ExpressionAttributeNames": {"#value": "value"},
            "ExpressionAttributeValues": {
                ":new": {"S": stored},
                ":old": {"S": item.stored},
                ":now": {"N": str(now)},
                **end,
            },
        }


def _encode(record: OnceRecord) -> str:
    # As json.dumps has always written it: a container of the release before compares what it reads with what it would write.
    return json.dumps(versioned.to_members(record))


def _key(kind: type[OnceRecord], text: str) -> dict[str, Any]:
    # Whatever a stranger made of a text, it has a digest: half a surrogate pair as well.
    digest = hashlib.sha256(f"{kind.kind}\0{text}".encode(errors="surrogatepass")).hexdigest()
    return key(("once", digest), (kind.kind,))
