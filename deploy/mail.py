"""What tells a stage of mails that came back or were unwanted: a configuration set of Amazon SES, and EventBridge."""

from contextlib import suppress
from typing import Any

import boto3

from deploy.access import PATIENT, account
from deploy.stages import Stage

DESTINATION = "problems"
EVENT_TYPES = ("BOUNCE", "COMPLAINT")


def bus_arn(*, partition: str, region: str, number: str) -> str:
    """Return the one bus of an account that SES sends events to."""
    return f"arn:{partition}:events:{region}:{number}:event-bus/default"


def ensure(stage: Stage) -> None:
    """Make the configuration set of a stage that sends mail, and where its events go; safe to repeat."""
    if not stage.configuration_set:
        return
    ses: Any = boto3.client("sesv2", config=PATIENT)
    name = {"ConfigurationSetName": stage.configuration_set}
    with suppress(ses.exceptions.AlreadyExistsException):
        ses.create_configuration_set(**name)
    where = account()
    partition = boto3.Session().get_partition_for_region(where.region)
    bus = bus_arn(partition=partition, region=where.region, number=where.number)
    events = {"Enabled": True, "MatchingEventTypes": EVENT_TYPES, "EventBridgeDestination": {"EventBusArn": bus}}
    destination = {**name, "EventDestinationName": DESTINATION, "EventDestination": events}
    try:
        ses.create_configuration_set_event_destination(**destination)
    except ses.exceptions.AlreadyExistsException:
        ses.update_configuration_set_event_destination(**destination)


def delete(stage: Stage) -> None:
    """Delete the configuration set."""
    if not stage.configuration_set:
        return
    ses: Any = boto3.client("sesv2", config=PATIENT)
    with suppress(ses.exceptions.NotFoundException):
        ses.delete_configuration_set(ConfigurationSetName=stage.configuration_set)
