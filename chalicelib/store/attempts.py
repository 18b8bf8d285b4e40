import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ..domain.accounts.model import Limit, Spent
from ..domain.errors import TemporarilyUnavailable
from .aws.client import AwsClient
from .dynamo import ConditionFailed, Contended, conditionally, key, transact
from .items import ONE
from .transactions import Write


class Attempts:
    """Counts attempts under a digest of who makes them, so that the table holds no addresses."""

    def __init__(self, client: AwsClient, *, grants: str) -> None:
        self._client = client
        self._grants = grants

    def spend(self, limits: Sequence[Limit], *, now: int) -> Limit | None:
        """Counts one attempt against all limits, or against none and says which one forbids it.

        Raises TemporarilyUnavailable, with a limit's `contended` as its reason where too many count against that at once.
        """
        try:
            forbidding = transact(self._client, [self._counting(limit, now) for limit in limits])
        except Contended as busy:
            raise TemporarilyUnavailable(reason=", ".join(limits[place].contended for place in busy.places)) from None
        return limits[forbidding[0]] if forbidding else None

    def refund(self, spent: Spent | None, *, now: int) -> Write:
        """An attempt given back, nothing for None: from every window that is not over."""
        if spent is None:
            return Write(())
        limits = [limit for limit in spent.limits if limit.window(now) == limit.window(spent.at)]
        return Write(tuple(self._refund(limit, spent.at) for limit in limits))

    def give_back(self, spent: Spent, *, now: int) -> None:
        """Takes an attempt back by itself; whoever was right is not refused where that cannot be done."""
        for part in self.refund(spent, now=now).parts:
            with suppress(ConditionFailed, TemporarilyUnavailable):
                conditionally(self._client, "UpdateItem", **{**part["Update"], "TableName": self._grants})

    def _counting(self, limit: Limit, now: int) -> Any:
        return {
            "Update": {
                "TableName": self._grants,
                "Key": _key(limit, now),
                "UpdateExpression": "SET expires_at = :end, v = :v ADD attempts :one",
                "ConditionExpression": "attribute_not_exists(attempts) OR attempts < :most",
                "ExpressionAttributeValues": {
                    ":end": {"N": str(now + limit.wait(now))},
                    ":one": {"N": "1"},
                    ":v": ONE,
                    ":most": {"N": str(limit.most)},
                },
            }
        }

    def _refund(self, limit: Limit, at: int) -> Any:
        return {
            "Update": {
                "TableName": self._grants,
                "Key": _key(limit, at),
                "UpdateExpression": "ADD attempts :less",
                # Never below zero, and never an item that was swept meanwhile, which would have no end.
                "ConditionExpression": "attempts > :zero",
                "ExpressionAttributeValues": {":less": {"N": "-1"}, ":zero": {"N": "0"}},
            }
        }


def _key(limit: Limit, at: int) -> dict[str, Any]:
    name = f"{limit.kind}\0{limit.subject}\0{limit.window(at)}"
    return key(("attempts", hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()), ("count",))
