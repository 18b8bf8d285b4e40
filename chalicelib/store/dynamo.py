import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ..domain.errors import TemporarilyUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ssm import SSMClient

Item = Mapping[str, Any]

# Short enough to answer a caller before API Gateway gives up at 29 s, whatever fails.
CONFIG = Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3})

# What a caller may simply try again. A validation or a permission error is a defect of ours and stays loud.
RETRYABLE = frozenset(
    {
        "InternalServerError",
        "InternalServerErrorException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TooManyUpdates",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)

# Two transactions on one item at the same moment cancel each other, which says nothing about their conditions.
CONFLICT, TRIES = "TransactionConflict", 4

# The calls of the request that goes on, by name: one list, to which threads add that run in a copy of its context.
round_trips: ContextVar[list[str] | None] = ContextVar("round_trips", default=None)


def dynamodb() -> "DynamoDBClient":
    """A DynamoDB client whose calls are noted in `round_trips`."""
    client = boto3.client("dynamodb", config=CONFIG)
    client.meta.events.register("before-call.dynamodb", _note)
    return client


def ssm() -> "SSMClient":
    """An SSM client."""
    return boto3.client("ssm", config=CONFIG)


def _note(model: Any, **_: Any) -> None:
    calls = round_trips.get()
    if calls is not None:
        calls.append(model.name)


MAX_PARTITION_BYTES, MAX_SORT_BYTES = 2048, 1024  # DynamoDB refuses longer keys, even to look for them


def key(partition: tuple[str, str], sort: tuple[str, ...]) -> dict[str, Any]:
    """The key of an item, as `key(("user", uid), ("grant", session_id))`; raises ValueError where no item can have such a key."""
    if any("#" in part for part in (*partition, *sort)):
        raise ValueError("a part of a key contains the delimiter")
    pk, sk = "#".join(partition), "#".join(sort)
    if len(pk.encode()) > MAX_PARTITION_BYTES or len(sk.encode()) > MAX_SORT_BYTES:
        raise ValueError("a key is too long")
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def escaped(text: str) -> str:
    """Any text as a part of a key, which may not contain the delimiter."""
    return text.replace("%", "%25").replace("#", "%23")


@contextmanager
def storage_faults() -> Iterator[None]:
    """Turns what a storage service suffers (throttling, time-outs, conflicts) into TemporarilyUnavailable."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in RETRYABLE or _conflict(error):
            raise TemporarilyUnavailable(reason=code) from None
        raise
    except BotoCoreError as error:
        raise TemporarilyUnavailable(reason=type(error).__name__) from error


def _conflict(error: ClientError) -> bool:
    return bool({CONFLICT, "ThrottlingError", "ProvisionedThroughputExceeded"} & set(_reasons(error)))


def _reasons(error: ClientError) -> list[str]:
    """Why each item of a cancelled transaction stood against it, in the transaction's order; empty for any other error."""
    reasons = error.response.get("CancellationReasons", [])
    return [reason.get("Code", "None") for reason in reasons]


class Contended(TemporarilyUnavailable):
    """Others wrote the same items time and again; `places` are those of a transaction's parts that they are in."""

    def __init__(self, places: list[int]) -> None:
        self.places = places
        super().__init__(reason="contended")


def transact(client: "DynamoDBClient", parts: Sequence[Any], *, spare: Sequence[Any] = ()) -> list[int]:
    """Writes all parts or none: [] for all, else the places of the parts whose conditions do not hold.

    The `spare` ones are written with them if nothing is in the way of that. Raises TemporarilyUnavailable, Contended where
    others write the same items time and again.
    """
    writes = [*parts, *spare]
    reasons: list[str] = []
    for _ in range(TRIES):
        with storage_faults():
            try:
                client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                reasons = _reasons(error)
                writes = [*parts]
                if CONFLICT in reasons or set(reasons[len(parts) :]) - {"None"}:
                    continue
                if "ConditionalCheckFailed" not in reasons:
                    raise
                return [place for place, reason in enumerate(reasons) if reason == "ConditionalCheckFailed"]
        return []
    raise Contended([place for place, reason in zip(range(len(parts)), reasons, strict=False) if reason == CONFLICT])


class ConditionFailed(Exception):
    """A conditional write found another item than it needed; `item` is that item, None where there was none."""

    def __init__(self, item: Item | None) -> None:
        self.item = item
        super().__init__("condition failed")


def attempt() -> dict[str, str]:
    """A mark for an item, by which a call whose answer was lost, and which botocore sent again, knows its own work."""
    return {"S": secrets.token_urlsafe(9)}


def conditionally(write: Callable[..., Any], **request: Any) -> Any:
    """One conditional write; raises ConditionFailed with the item that stood against it."""
    try:
        with storage_faults():
            return write(**request, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        raise ConditionFailed(error.response.get("Item")) from None  # type: ignore[arg-type]
