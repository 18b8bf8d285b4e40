"""The AWS of this process: no network, nothing to encode, and each of its calls is atomic across threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3

from chalicelib.config import Settings
from chalicelib.domain.accounts.passwords import CHEAPEST_ONLY_FOR_TESTS
from chalicelib.services import Services, build
from chalicelib.store import tables
from chalicelib.store.aws.boto3_transport import boto3_transport
from chalicelib.store.aws.client import Transport
from tests.support.dynamodb import DynamoDB
from tests.support.ssm import ParameterStore

DYNAMODB, SSM = DynamoDB(), ParameterStore()


def transport(service: str) -> Transport:
    """The way to `dynamodb` or `ssm` in this process."""
    ways: dict[str, Transport] = {"dynamodb": DYNAMODB, "ssm": SSM}
    return ways[service]


def container(settings: Settings, **more: Any) -> Services:
    """Services on a deployment in this process, as each of its containers has its own; passwords cost next to nothing."""
    return build(settings, **{"hashing": CHEAPEST_ONLY_FOR_TESTS, "transport": transport, **more})


def on_moto(settings: Settings, **more: Any) -> Services:
    """Services on tables that boto3 finds by itself, for what asks it; the test has the fixture `aws`."""
    for table in tables.definition(**settings.tables):
        boto3.client("dynamodb").create_table(**table)
    return container(settings, transport=boto3_transport, **more)


def deploy(settings: Settings) -> None:
    """Makes the tables of a deployment."""
    for table in tables.definition(**settings.tables):
        DYNAMODB("CreateTable", table)


@contextmanager
def undone(settings: Settings) -> Iterator[None]:
    """Undoes what is written into the tables of a deployment within a `with` block, so that many tests begin with the same."""
    with DYNAMODB.undone(table["TableName"] for table in tables.definition(**settings.tables)):
        yield


def undeploy(settings: Settings) -> None:
    """Forgets all that a deployment has kept, so that thousands of them fit into memory."""
    for table in tables.definition(**settings.tables):
        DYNAMODB("DeleteTable", {"TableName": table["TableName"]})
    SSM.forget(settings.keys_path)
