import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ..domain.errors import TemporarilyUnavailable
from ..domain.model import Limit
from .dynamo import key, reasons, storage_faults

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TRIES = 4  # two attempts at the same moment cancel each other's transaction, which says nothing about the limit


class Attempts:
    """Counts attempts under a digest of who makes them, so that the table holds no addresses."""

    def __init__(self, client: "DynamoDBClient", *, grants: str) -> None:
        self._client = client
        self._grants = grants

    def spend(self, limits: Sequence[Limit], *, now: int) -> Limit | None:
        """Counts one attempt against all limits, or against none and says which one forbids it."""
        for _ in range(TRIES):
            try:
                with storage_faults():
                    self._client.transact_write_items(TransactItems=[self._counting(limit, now) for limit in limits])
                return None
            except TemporarilyUnavailable as busy:
                if busy.reason != "TransactionCanceledException":
                    raise
            except ClientError as error:
                forbidding = [i for i, why in enumerate(reasons(error)) if why == "ConditionalCheckFailed"]
                if not forbidding:
                    raise
                return limits[forbidding[0]]
        raise TemporarilyUnavailable(reason="attempts contended")

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
