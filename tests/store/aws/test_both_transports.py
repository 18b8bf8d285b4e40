"""Whichever client carries a call, its answer and its errors are the same."""

import ssl
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

from chalicelib.domain.errors import TemporarilyUnavailable
from chalicelib.store.aws.boto3_transport import boto3_transport
from chalicelib.store.aws.client import USUAL, AwsClient, AwsError
from chalicelib.store.aws.http_transport import HttpTransport
from tests.support.scripted import ScriptedAws, Step, answer, error, http, scripted_aws, sent

ITEM = {"pk": {"S": "a"}, "sk": {"S": "b"}, "n": {"N": "12345678901234567890"}, "set": {"SS": ["é", "☃"]}}
REASONS = [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Message": "no", "Item": ITEM}]


@pytest.fixture
def aws() -> Iterator[ScriptedAws]:
    with scripted_aws() as running:
        yield running


@pytest.fixture(params=["ours", "boto3"])
def client(request: pytest.FixtureRequest, aws: ScriptedAws, monkeypatch: pytest.MonkeyPatch) -> AwsClient:
    """A client of the scripted AWS that does not wait between its attempts."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    if request.param == "ours":
        trust = ssl.create_default_context
        transport = HttpTransport(
            "dynamodb", trust=trust, environ=aws.environ, pause=lambda _: None, jitter=lambda: 0.0
        )
        return AwsClient(transport)
    monkeypatch.setattr("chalicelib.store.aws.boto3_transport.RETRIES", {"mode": "standard"})
    return AwsClient(boto3_transport("dynamodb", endpoint_url=aws.environ["AWS_ENDPOINT_URL"]))


def outcome(client: AwsClient, operation: str) -> Any:
    """What comes of a call: its members, its refusal, or that it may be tried again."""
    request: Mapping[str, Any] = {"Item": ITEM} if operation == "PutItem" else {"Key": {"pk": {"S": "a"}}}
    try:
        members = client.call(operation, TableName="users", **request)
    except AwsError as refusal:
        return refusal.code, refusal.item, list(refusal.reasons)
    except TemporarilyUnavailable:
        return "try again"
    return {name: value for name, value in members.items() if name != "ResponseMetadata"}


TIMES = 4
OUTCOMES: Mapping[str, tuple[list[Step], Any]] = {
    "an item": ([answer(members={"Item": ITEM})], {"Item": ITEM}),
    "no item": ([answer()], {}),
    "after two throttlings": ([error("ThrottlingException")] * 2 + [answer(members={"Item": ITEM})], {"Item": ITEM}),
    "after a lost answer": ([sent(b"", closed=True), answer(members={"Item": ITEM})], {"Item": ITEM}),
    "after a wrong checksum": ([answer(x_amz_crc32="1"), answer(members={"Item": ITEM})], {"Item": ITEM}),
    "throttled": ([error("ProvisionedThroughputExceededException")] * TIMES, "try again"),
    "damaged": ([answer(members={"Item": ITEM}, x_amz_crc32="1")] * TIMES, "try again"),
    "broken": ([error("InternalServerError", 500)] * TIMES, "try again"),
    "without a body": ([sent(http(503, b""))] * TIMES, "try again"),
    "cut": ([sent(http(body=b'{"Item": {}}', x_amz_crc32="2687618661")[:-3], closed=True)] * TIMES, "try again"),
    "in conflict": ([error("TransactionConflictException")], "try again"),
    "a condition": (
        [error("ConditionalCheckFailedException", Item=ITEM)],
        ("ConditionalCheckFailedException", ITEM, []),
    ),
    "refused": ([error("ValidationException", message="no")], ("ValidationException", None, [])),
    "forbidden": ([error("AccessDeniedException")], ("AccessDeniedException", None, [])),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_an_answer_or_an_error_is_the_same_by_either_client(aws: ScriptedAws, client: AwsClient, name: str) -> None:
    steps, expected = OUTCOMES[name]
    aws.steps[:] = steps
    # The item that a condition has found is in the answers to writes alone.
    assert outcome(client, "PutItem" if name == "a condition" else "GetItem") == expected
    assert len(aws.requests) == len(steps)


UNREADABLE = {
    "no JSON": http(body=b"<html>"),
    "nothing": http(body=b""),
    "cut": http(body=b'{"Item": {}}')[:-3],
    "cut in a chunk": b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{"Item"\r\n',
    "of no length and cut": b'HTTP/1.1 200 OK\r\n\r\n{"Item": ',
}


@pytest.mark.parametrize("form", UNREADABLE)
def test_what_cannot_be_read_is_never_that_there_is_no_item_even_without_a_checksum(
    aws: ScriptedAws, client: AwsClient, form: str
) -> None:
    aws.steps[:] = [sent(UNREADABLE[form], closed=True)] * TIMES
    assert outcome(client, "GetItem") == "try again"


def test_amazons_client_waits_no_longer_than_ours_for_an_answer_and_asks_three_times(aws: ScriptedAws) -> None:
    aws.steps[:] = [aws.silent] * 9
    seconds = USUAL._replace(attempt=0.3)
    send = boto3_transport("dynamodb", seconds=seconds, endpoint_url=aws.environ["AWS_ENDPOINT_URL"])
    with pytest.raises(TemporarilyUnavailable) as refusal:
        send("GetItem", {"TableName": "users", "Key": {"pk": {"S": "a"}}})
    assert refusal.value.reason == "ReadTimeoutError"
    assert len(aws.requests) == 3


def test_what_amazons_client_finds_wrong_with_a_request_is_loud_for_to_try_again_is_no_use(aws: ScriptedAws) -> None:
    send = boto3_transport("dynamodb", endpoint_url=aws.environ["AWS_ENDPOINT_URL"])
    with pytest.raises(ParamValidationError):
        send("GetItem", {"TableName": "users", "Key": {"pk": {"S": 1}}})
    assert aws.requests == []


def test_the_reasons_of_a_cancelled_transaction_are_the_same_by_either_client(
    aws: ScriptedAws, client: AwsClient
) -> None:
    aws.steps[:] = [error("TransactionCanceledException", CancellationReasons=REASONS)]
    with pytest.raises(AwsError) as refusal:
        client.call("TransactWriteItems", TransactItems=[{"Put": {"TableName": "users", "Item": ITEM}}])
    assert (refusal.value.code, list(refusal.value.reasons)) == ("TransactionCanceledException", REASONS)


def test_a_long_list_is_read_in_all_its_parts_by_either_client(aws: ScriptedAws, client: AwsClient) -> None:
    last = {"pk": {"S": "a"}, "sk": {"S": "b"}}
    aws.steps[:] = [answer(members={"Items": [ITEM], "LastEvaluatedKey": last}), answer(members={"Items": []})]
    pages = list(client.pages("Query", TableName="users", KeyConditionExpression="pk = :a"))
    assert [page["Items"] for page in pages] == [[ITEM], []]
    assert b"ExclusiveStartKey" not in aws.requests[0].body
    assert b"ExclusiveStartKey" in aws.requests[1].body
