"""The emulator holds each function to its own policy: what the whole job needs is there, and what is not is refused."""

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local import aws
from local.cloud import Cloud
from tests.cloud.conftest import DEV, Phone, stored_keys

pytestmark = pytest.mark.xdist_group("cloud")

SCHEDULED = {
    "version": "0",
    "id": "1",
    "account": "000000000000",
    "region": "us-east-1",
    "time": "2026-01-01T00:00:00Z",
    "source": "aws.events",
    "detail-type": "Scheduled Event",
    "resources": [],
    "detail": {},
}
USER = {"pk": {"S": "user#1"}, "sk": {"S": "profile"}}


def in_the_role_of(cloud: Cloud, function: str, service: str) -> Any:
    role = cloud.client("lambda").get_function_configuration(FunctionName=DEV.deployed_name(function))["Role"]
    assumed = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    session = boto3.Session(
        aws_access_key_id=assumed["AccessKeyId"],
        aws_secret_access_key=assumed["SecretAccessKey"],
        aws_session_token=assumed["SessionToken"],
        region_name=aws.REGION,
    )
    return session.client(service, endpoint_url=cloud.endpoint)  # type: ignore[call-overload]


@pytest.mark.usefixtures("phone")
def test_the_scheduled_function_runs_under_its_own_policy(running_cloud: Cloud) -> None:
    answer = running_cloud.client("lambda").invoke(
        FunctionName=DEV.deployed_name("rotate_keys"), Payload=json.dumps(SCHEDULED)
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert stored_keys(running_cloud) == ["/refresh/1", "/signing/1"]


@pytest.mark.parametrize(
    ("function", "service", "operation", "arguments"),
    [
        ("guard", "dynamodb", "get_item", {"TableName": DEV.users_table, "Key": USER}),
        ("guard", "ssm", "get_parameter", {"Name": "/latchkey/dev/keys/signing/1"}),
        ("api_handler", "dynamodb", "scan", {"TableName": DEV.users_table}),
        ("api_handler", "dynamodb", "delete_table", {"TableName": DEV.users_table}),
        ("api_handler", "ssm", "delete_parameter", {"Name": "/latchkey/dev/keys/signing/1"}),
        ("api_handler", "ssm", "put_parameter", {"Name": "/other", "Value": "x", "Type": "String"}),
        ("rotate_keys", "dynamodb", "get_item", {"TableName": DEV.users_table, "Key": USER}),
    ],
)
def test_a_role_refuses_what_its_function_does_not_do(
    running_cloud: Cloud, function: str, service: str, operation: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        getattr(in_the_role_of(running_cloud, function, service), operation)(**arguments)


def test_a_role_allows_what_its_function_does(running_cloud: Cloud, phone: Phone) -> None:
    dynamodb = in_the_role_of(running_cloud, "api_handler", "dynamodb")
    assert "Item" not in dynamodb.get_item(TableName=DEV.users_table, Key=USER)
    assert phone.call("GET /.well-known/jwks.json").status == 200


def test_only_the_two_apis_have_leave_to_call_the_guard(running_cloud: Cloud) -> None:
    name = DEV.deployed_name("guard")
    policy = json.loads(running_cloud.client("lambda").get_policy(FunctionName=name)["Policy"])
    sources = [statement["Condition"]["ArnLike"]["AWS:SourceArn"] for statement in policy["Statement"]]
    callers = {source.split(":")[5].split("/")[0] for source in sources}
    assert callers == {running_cloud.latchkey, running_cloud.notes}
