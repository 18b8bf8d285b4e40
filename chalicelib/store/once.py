import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .dynamo import ConditionFailed, attempt, conditionally, key, storage_faults

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Once:
    """What is good once or for a short time, under a digest of its secret text, so that the table holds no secrets.

    A `kind` keeps the texts of different uses apart. Expiry (epoch seconds) is compared here: the table sweeps late.
    """

    def __init__(self, client: "DynamoDBClient", *, grants: str) -> None:
        self._client = client
        self._grants = grants

    def put_if_absent(
        self, kind: str, text: str, *, expires_at: int, now: int, value: Mapping[str, Any] | None = None
    ) -> bool:
        """Keeps a value under a text that is not in use; False if it is, as when an assertion is replayed."""
        attempt_id = attempt()
        try:
            conditionally(
                self._client.put_item,
                TableName=self._grants,
                Item={
                    **_key(kind, text),
                    "expires_at": {"N": str(expires_at)},
                    "value": {"S": json.dumps(value or {})},
                    "kept_by": attempt_id,
                },
                ConditionExpression="attribute_not_exists(pk) OR expires_at <= :now",
                ExpressionAttributeValues={":now": {"N": str(now)}},
            )
        except ConditionFailed as failed:
            return failed.item is not None and failed.item.get("kept_by") == attempt_id
        return True

    def read(self, kind: str, text: str, *, now: int) -> dict[str, Any] | None:
        """The value under a text, as of now."""
        with storage_faults():
            answer = self._client.get_item(TableName=self._grants, Key=_key(kind, text), ConsistentRead=True)
        item = answer.get("Item")
        if item is None or int(item["expires_at"]["N"]) <= now:
            return None
        value: dict[str, Any] = json.loads(item["value"]["S"])
        return value

    def change(
        self,
        kind: str,
        text: str,
        *,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        now: int,
        expires_at: int | None = None,
    ) -> bool:
        """Replaces a value that has not changed since it was read, and its expiry if one is given; False if it has."""
        change = _change(kind, text, old=old, new=new, now=now, expires_at=expires_at)
        try:
            conditionally(self._client.update_item, TableName=self._grants, **change)
        except ConditionFailed:
            return False
        return True

    def changing(
        self, kind: str, text: str, *, old: Mapping[str, Any], new: Mapping[str, Any], now: int
    ) -> dict[str, Any]:
        """The replacing of an unchanged value, as one part of another verb's transaction."""
        change = _change(kind, text, old=old, new=new, now=now, expires_at=None)
        return {"Update": {"TableName": self._grants, **change}}

    def spending(self, kind: str, text: str, *, old: Mapping[str, Any], now: int) -> dict[str, Any]:
        """The using up of an unchanged value, as one part of another verb's transaction."""
        return {
            "Delete": {
                "TableName": self._grants,
                "Key": _key(kind, text),
                "ConditionExpression": "#value = :old AND expires_at > :now",
                "ExpressionAttributeNames": {"#value": "value"},
                "ExpressionAttributeValues": {":old": {"S": json.dumps(old)}, ":now": {"N": str(now)}},
            }
        }


def _key(kind: str, text: str) -> dict[str, Any]:
    # Whatever a stranger made of a text, it has a digest: half a surrogate pair as well.
    digest = hashlib.sha256(f"{kind}\0{text}".encode(errors="surrogatepass")).hexdigest()
    return key(("once", digest), (kind,))


def _change(
    kind: str, text: str, *, old: Mapping[str, Any], new: Mapping[str, Any], now: int, expires_at: int | None
) -> dict[str, Any]:
    end = {":end": {"N": str(expires_at)}} if expires_at is not None else {}
    return {
        "Key": _key(kind, text),
        "UpdateExpression": "SET #value = :new" + (", expires_at = :end" if end else ""),
        "ConditionExpression": "#value = :old AND expires_at > :now",
        "ExpressionAttributeNames": {"#value": "value"},
        "ExpressionAttributeValues": {
            ":new": {"S": json.dumps(new)},
            ":old": {"S": json.dumps(old)},
            ":now": {"N": str(now)},
            **end,
        },
    }
