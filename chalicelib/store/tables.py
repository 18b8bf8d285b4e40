import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

EXPIRY = "expires_at"


def definition(*, users: str, grants: str, outbox: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """CreateTable's arguments for the tables: `users` is durable, the others are swept by their time to live.

    That of `users` is for clients that registered themselves and by which nobody has ever logged in.

    The stream of `outbox` starts the function that delivers.
    """
    shape: dict[str, Any] = {
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }
    return (
        {"TableName": users, "DeletionProtectionEnabled": True, **shape},
        {"TableName": grants, **shape},
        {
            "TableName": outbox,
            # The keys alone: a message is read when it is delivered, and is gone once it was.
            "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
            **shape,
        },
    )


def ensure(
    client: "DynamoDBClient", pause: Callable[[float], None] = time.sleep, /, *, users: str, grants: str, outbox: str
) -> None:
    """The tables, made where they are missing, with backups on the first and expiry on all; safe to repeat."""
    for table in definition(users=users, grants=grants, outbox=outbox):
        with suppress(client.exceptions.ResourceInUseException):
            client.create_table(**table)
        client.get_waiter("table_exists").wait(TableName=table["TableName"], WaiterConfig={"Delay": 1})
    for name in (users, grants, outbox):
        expiry = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        if expiry.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
            client.update_time_to_live(
                TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRY}
            )
    _keep_backups(client, users, pause)


def _keep_backups(client: "DynamoDBClient", table: str, pause: Callable[[float], None]) -> None:
    # A table that has just been made is not ready for backups at once.
    for seconds in (1, 2, 4, 8, 16, 0):
        try:
            client.update_continuous_backups(
                TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
            )
            return
        except client.exceptions.ContinuousBackupsUnavailableException:
            if not seconds:
                raise
            pause(seconds)
