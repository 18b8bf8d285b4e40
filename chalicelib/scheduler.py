"""One-time schedules of EventBridge, by which a function has itself called again. For jobs alone: boto3 is slow to start."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any


@cache
def _client() -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client("scheduler", config=Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard"}))


def call_again(function_arn: str, event: Mapping[str, str], *, name: str, at: int) -> None:
    """Has a function called with an event at a time (epoch seconds), once for each `name`.

    The role by which the scheduler may call it has the function's name and `-schedule`.
    """
    _, partition, _, _, account, _, function = function_arn.split(":")[:7]
    client = _client()
    try:
        client.create_schedule(
            Name=f"{function}-{name}",
            ScheduleExpression=f"at({datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target={
                "Arn": ":".join(function_arn.split(":")[:7]),
                "RoleArn": f"arn:{partition}:iam::{account}:role/{function}-schedule",
                "Input": json.dumps(event),
            },
        )
    except client.exceptions.ConflictException:
        return  # it is called already, by a copy of this call
