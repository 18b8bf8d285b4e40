import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..domain.model import Limit
from .dynamo import key, transact

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Attempts:
    """Counts attempts under a digest of who makes them, so that the table holds no addresses."""

    def __init__(self, client: "DynamoDBClient", *, grants: str) -> None:
        self._client = client
        self._grants = grants

    def spend(self, limits: Sequence[Limit], *, now: int) -> Limit | None:
        """Counts one attempt against all limits, or against none and says which one forbids it."""
        forbidding = transact(self._client, [self._counting(limit, now) for limit in limits])
        return limits[forbidding[0]] if forbidding else None

    def _counting(self, limit: Limit, now: int) -> Any:
        name = f"{limit.kind}\0{limit.subject}\0{limit.window(now)}"
        return {
            "Update": {
                "TableName": self._grants,
                "Key": key(("attempts", hashlib.sha256(name.encode()).hexdigest()), ("count",)),
                "UpdateExpression": "SET expires_at = :end ADD attempts :one",
                "ConditionExpression": "attribute_not_exists(attempts) OR attempts < :most",
                "ExpressionAttributeValues": {
                    ":end": {"N": str(now + limit.wait(now))},
                    ":one": {"N": "1"},
                    ":most": {"N": str(limit.most)},
                },
            }
        }
