import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

EXPIRY = "expires_at"


def definition(*, users: str, grants: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """CreateTable's arguments for both tables: `users` is durable, `grants` is swept by its time to live."""
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
    )


def ensure(client: "DynamoDBClient", *, users: str, grants: str, pause: Callable[[float], None] = time.sleep) -> None:
    """Both tables, made where they are missing, with backups on the one and expiry on the other; safe to repeat."""
    for table in definition(users=users, grants=grants):
        with suppress(client.exceptions.ResourceInUseException):
            client.create_table(**table)
        client.get_waiter("table_exists").wait(TableName=table["TableName"], WaiterConfig={"Delay": 1})
    expiry = client.describe_time_to_live(TableName=grants)["TimeToLiveDescription"]
    if expiry.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
        client.update_time_to_live(TableName=grants, TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRY})
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
