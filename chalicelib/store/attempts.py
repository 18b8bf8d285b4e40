import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from ..domain.accounts.limits import Backoff, Limit, Spent
from ..domain.errors import TemporarilyUnavailable
from .aws.client import AwsClient
from .dynamo import ConditionFailed, Contended, Item, conditionally, key, transact
from .items import ONE, reader
from .transactions import Write

ZERO = {"N": "0"}


class Attempts:
    """Counts attempts under a digest of who makes them, so that the table holds no addresses."""

    def __init__(self, client: AwsClient, *, grants: str) -> None:
        self._client = client
        self._grants = grants

    def spend(self, limits: Sequence[Limit | Backoff], *, now: int) -> Limit | Backoff | None:
        """Counts one attempt against all limits, or against none and says which one forbids it, and until when.

        Raises TemporarilyUnavailable, with a limit's `contended` as its reason where too many count against that at once.
        """
        forgotten = frozenset[int]()
        while failed := self._count(limits, now, forgotten):
            # What the table still has of guesses that are forgotten by now: nobody has swept it yet.
            stale = frozenset(place for place, item in failed.items() if _forgotten(limits[place], item, now))
            if not stale ^ forgotten:
                place = min(failed)
                return _as_it_is(limits[place], failed[place])
            forgotten = stale
        return None

    def _count(self, limits: Sequence[Limit | Backoff], now: int, forgotten: frozenset[int]) -> dict[int, Item | None]:
        parts = [
            self._counting(limit, now) if isinstance(limit, Limit) else self._guessing(limit, now, place in forgotten)
            for place, limit in enumerate(limits)
        ]
        try:
            return transact(self._client, parts)
        except Contended as busy:
            raise TemporarilyUnavailable(reason=", ".join(limits[place].contended for place in busy.places)) from None

    def refund(self, spent: Spent, *, now: int) -> Write:
        """An attempt given back, from every count that is not over."""
        limits = [limit for limit in spent.limits if _still_counts(limit, spent.at, now)]
        return Write(tuple(self._refund(limit, spent.at) for limit in limits))

    def give_back(self, spent: Spent, *, now: int) -> None:
        """Takes an attempt back by itself; whoever was right is not refused where that cannot be done."""
        with suppress(TemporarilyUnavailable):  # which the next call would meet as well, and each takes its time
            for part in self.refund(spent, now=now).parts:
                with suppress(ConditionFailed):
                    conditionally(self._client, "UpdateItem", **part["Update"])

    def fail(self, spent: Spent, *, now: int) -> None:
        """Keeps that an attempt was wrong, from which the wait for the next one follows."""
        for limit in spent.limits:
            if isinstance(limit, Backoff):
                self._client.call(
                    "UpdateItem",
                    TableName=self._grants,
                    Key=_key(limit, now),
                    UpdateExpression="SET failed_at = :now, expires_at = :end, v = :v ADD failures :one",
                    ExpressionAttributeValues={
                        ":now": {"N": str(now)},
                        ":end": {"N": str(now + limit.forgotten_after)},
                        ":v": ONE,
                        ":one": ONE,
                    },
                )

    def _counting(self, limit: Limit, now: int) -> Any:
        return {
            "Update": {
                "TableName": self._grants,
                "Key": _key(limit, now),
                "UpdateExpression": "SET expires_at = :end, v = :v ADD attempts :one",
                "ConditionExpression": "attribute_not_exists(attempts) OR attempts < :most",
                "ExpressionAttributeValues": {
                    ":end": {"N": str(now + limit.wait(now))},
                    ":one": ONE,
                    ":v": ONE,
                    ":most": {"N": str(limit.most)},
                },
            }
        }

    def _guessing(self, limit: Backoff, now: int, forgotten: bool) -> Any:
        values = {":now": {"N": str(now)}, ":end": {"N": str(now + limit.forgotten_after)}, ":one": ONE, ":v": ONE}
        if forgotten:
            change = {
                "UpdateExpression": "SET expires_at = :end, v = :v, attempts = :one, failures = :zero",
                "ConditionExpression": "expires_at <= :now",
                "ExpressionAttributeValues": {**values, ":zero": ZERO},
            }
        else:
            change = {
                "UpdateExpression": "SET expires_at = :end, v = :v, failures = if_not_exists(failures, :zero)"
                " ADD attempts :one",
                "ConditionExpression": _permission(limit.waits),
                "ExpressionAttributeValues": {**values, ":zero": ZERO, **_bounds(limit, now)},
            }
        key = {"TableName": self._grants, "Key": _key(limit, now)}
        return {"Update": {**key, **change, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}}

    def _refund(self, limit: Limit | Backoff, at: int) -> Any:
        return {
            "Update": {
                "TableName": self._grants,
                "Key": _key(limit, at),
                "UpdateExpression": "ADD attempts :less",
                # Never below what is known to be wrong, and never an item that was swept meanwhile, which would have no end.
                "ConditionExpression": "attempts > :zero" if isinstance(limit, Limit) else "attempts > failures",
                "ExpressionAttributeValues": {
                    ":less": {"N": "-1"},
                    **({":zero": ZERO} if isinstance(limit, Limit) else {}),
                },
            }
        }


@lru_cache(maxsize=4)
def _permission(waits: tuple[int, ...]) -> str:
    """When a guess may be made: with failures that are free, or once the wait is over that the number of failures says."""
    waited = [f"failures < :f{place} AND failed_at <= :t{place}" for place in range(len(waits) - 1)]
    last = f"failed_at <= :t{len(waits) - 1}"
    over = " OR ".join(f"({clause})" for clause in [*waited, last])
    return (
        "attribute_not_exists(attempts) OR attempts = :zero OR expires_at > :now AND "
        f"(failures < :free AND attempts < :most OR attempts = failures AND ({over}))"
    )


def _bounds(limit: Backoff, now: int) -> dict[str, Any]:
    values = {":free": limit.free, ":most": limit.most_at_once}
    values |= {f":f{place}": limit.free + place + 1 for place in range(len(limit.waits) - 1)}
    values |= {f":t{place}": now - seconds for place, seconds in enumerate(limit.waits)}
    return {name: {"N": str(number)} for name, number in values.items()}


@reader("guesses")
def _guesses(item: Item) -> tuple[int, int, int]:
    failed_at = int(item["failed_at"]["N"]) if "failed_at" in item else 0
    return int(item["failures"]["N"]), failed_at, int(item["expires_at"]["N"])


def _forgotten(limit: Limit | Backoff, item: Item | None, now: int) -> bool:
    return isinstance(limit, Backoff) and item is not None and _guesses(item)[2] <= now


def _as_it_is(limit: Limit | Backoff, item: Item | None) -> Limit | Backoff:
    if isinstance(limit, Limit) or item is None:
        return limit
    failures, failed_at, _ = _guesses(item)
    return limit.blocked(failures=failures, failed_at=failed_at)


def _still_counts(limit: Limit | Backoff, at: int, now: int) -> bool:
    if isinstance(limit, Limit):
        return limit.window(now) == limit.window(at)
    return now < at + limit.forgotten_after


def _key(limit: Limit | Backoff, at: int) -> dict[str, Any]:
    parts: Iterable[str] = (limit.kind, limit.subject)
    if isinstance(limit, Limit):
        parts = (*parts, str(limit.window(at)))
    digest = hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()
    return key(("attempts", digest), ("count" if isinstance(limit, Limit) else "guesses",))
