"""The outbox's stream, in a test's own hands: what was written is delivered when the test, or its phone, says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3

from chalicelib.domain.records.outbox import OutboxItem
from chalicelib.services import services
from chalicelib.web.jobs import outbox_delivery
from local.gateway import Answer
from tests.support.phone import Phone

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:latchkey-dev-deliver"


@dataclass(frozen=True)
class Context:
    """What Lambda tells a function of itself, as far as this one asks."""

    invoked_function_arn: str = ARN


def stream_event(*items: OutboxItem, event_name: str = "INSERT") -> dict[str, Any]:
    """The event with which the stream starts the function."""
    keys = [{"pk": {"S": f"message#{item.message_id}"}, "sk": {"S": item.kind}} for item in items]
    return {"Records": [{"eventName": event_name, "dynamodb": {"Keys": each}} for each in keys]}


def waiting() -> list[OutboxItem]:
    """The messages that are in the outbox of the services of this process."""
    return list(services().outbox.undelivered())


def deliver() -> None:
    """The first try of every message that had none, also of those that are written meanwhile."""
    while new := [item for item in waiting() if not item.failures]:
        outbox_delivery.deliver(stream_event(*new), Context())


@cache
def moto_scheduler() -> Any:
    """The client of its scheduler; the test has the fixture `aws`."""
    return boto3.client("scheduler")


def schedules() -> dict[str, Mapping[str, Any]]:
    """What the scheduler has been asked for by now, by its names."""
    client = moto_scheduler()
    names = [each["Name"] for each in client.list_schedules()["Schedules"]]
    return {name: client.get_schedule(Name=name) for name in names}


class DeliveringPhone(Phone):
    """A phone behind whose every call the stream has started the function, and that has ended, unless it is told otherwise."""

    delivers = True

    def call(self, *arguments: Any, **more: Any) -> Answer:
        """One request, and the delivery of all that it wrote."""
        answer = super().call(*arguments, **more)
        if self.delivers:
            deliver()
        return answer
