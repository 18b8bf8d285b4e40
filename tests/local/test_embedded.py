"""The embedded AWS's own process: what it answered outlives it, and it answers nobody but its own run."""

import hashlib
import http.client
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from chalicelib.store import tables
from local import aws

TABLE = "items"
KEY = {"pk": {"S": "user#é"}, "sk": {"S": "profile"}}


def client(cloud: aws.EmbeddedAws, service: str) -> Any:
    environment = cloud.environment()
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=cloud.endpoint,
        region_name=aws.REGION,
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"max_attempts": 0}),
    )


def kill(cloud: aws.EmbeddedAws) -> None:
    assert cloud.process is not None
    os.kill(cloud.process.pid, signal.SIGKILL)
    cloud.process.wait()


def fill(cloud: aws.EmbeddedAws) -> None:
    """Write in every way that the stores do: new, conditional, counted, in a transaction, deleted."""
    dynamodb = client(cloud, "dynamodb")
    tables.ensure(dynamodb, users=TABLE, grants="others", outbox="messages")
    new = {"ConditionExpression": "attribute_not_exists(pk)"}
    dynamodb.put_item(TableName=TABLE, Item={**KEY, "bytes": {"B": b"\x00\xff\n"}, "n": {"N": "1"}}, **new)
    for _ in range(3):
        dynamodb.update_item(
            TableName=TABLE,
            Key=KEY,
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        dynamodb.put_item(TableName=TABLE, Item={**KEY, "n": {"N": "99"}}, **new)
    two = [{**KEY, "sk": {"S": sk}} for sk in ("one", "two")]
    dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": TABLE, "Item": item}} for item in two])
    dynamodb.delete_item(TableName=TABLE, Key=two[0])
    client(cloud, "ssm").put_parameter(Name="/keys/1", Value="secret", Type="SecureString")


def content(cloud: aws.EmbeddedAws) -> Any:
    """Everything that is in it."""
    dynamodb, ssm = client(cloud, "dynamodb"), client(cloud, "ssm")
    items = {name: dynamodb.scan(TableName=name)["Items"] for name in dynamodb.list_tables()["TableNames"]}
    ends = dynamodb.describe_time_to_live(TableName="others")["TimeToLiveDescription"]
    parameters = ssm.get_parameters_by_path(Path="/keys", Recursive=True, WithDecryption=True)["Parameters"]
    return items, ends, [(parameter["Name"], parameter["Value"]) for parameter in parameters]


EXPECTED = (
    {
        TABLE: [{**KEY, "bytes": {"B": b"\x00\xff\n"}, "n": {"N": "4"}}, {**KEY, "sk": {"S": "two"}}],
        "others": [],
        "messages": [],
    },
    {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"},
    [("/keys/1", "secret")],
)


def test_what_was_answered_survives_each_kill_before_and_after_a_clean_stop(tmp_path: Path) -> None:
    with aws.running(state=tmp_path) as cloud:
        fill(cloud)
        for _ in range(2):
            kill(cloud)
            cloud.start()
            assert content(cloud) == EXPECTED
    with aws.running(state=tmp_path) as cloud:
        client(cloud, "ssm").put_parameter(Name="/keys/2", Value="later", Type="String")
        kill(cloud)
        cloud.start()
        assert content(cloud) == (*EXPECTED[:2], [*EXPECTED[2], ("/keys/2", "later")])


def test_a_journal_is_done_again_once_however_far_the_saving_came(tmp_path: Path) -> None:
    """Killed while it saves, one service's state may be new and another's old."""
    with aws.running(state=tmp_path / "new") as cloud:
        fill(cloud)
        shutil.copytree(tmp_path / "new", tmp_path / "half")
    # The tables' state as it was saved at the end, beside the journal that led there; the parameters' was not reached.
    shutil.copy(tmp_path / "new" / "dynamodb.json", tmp_path / "half")
    with aws.running(state=tmp_path / "half") as cloud:
        assert content(cloud) == EXPECTED
    assert (tmp_path / "half" / "aws.log").read_text() == ""


def test_a_line_that_was_cut_off_is_dropped_and_the_next_ones_are_kept(tmp_path: Path) -> None:
    with aws.running(state=tmp_path) as cloud:
        fill(cloud)
        kill(cloud)
        with (tmp_path / "ssm.journal").open("ab") as journal:
            journal.write(b'{"headers": [["x-amz-target", "AmazonSSM.PutPar')
        for name in ("/keys/2", "/keys/3"):
            cloud.start()
            client(cloud, "ssm").put_parameter(Name=name, Value=name, Type="String")
            kill(cloud)
        cloud.start()
        assert [name for name, _ in content(cloud)[2]] == ["/keys/1", "/keys/2", "/keys/3"]


def test_a_journal_does_not_grow_for_ever(tmp_path: Path) -> None:
    with aws.running(state=tmp_path) as cloud:
        client(cloud, "ssm").put_parameter(Name="/keys/0", Value="first", Type="String")
        kill(cloud)
        begin, line = (tmp_path / "ssm.journal").read_text().splitlines()
        many = "".join(line.replace("/keys/0", f"/keys/{number}") + "\n" for number in range(1, 2000))
        (tmp_path / "ssm.journal").write_text(f"{begin}\n{line}\n{many}")
        cloud.start()
        for number in (2000, 2001):
            client(cloud, "ssm").put_parameter(Name=f"/keys/{number}", Value="later", Type="String")
        assert len((tmp_path / "ssm.journal").read_text().splitlines()) == 2
        kill(cloud)
        cloud.start()
        pages = client(cloud, "ssm").get_paginator("get_parameters_by_path").paginate(Path="/keys")
        names = {parameter["Name"] for page in pages for parameter in page["Parameters"]}
    assert names == {f"/keys/{number}" for number in range(2002)}


def test_the_journal_of_an_older_release_is_still_understood(tmp_path: Path) -> None:
    """Format 1, as it was first written; a new format gets a new number."""
    begin = {"format": 1, "since": hashlib.sha256(b"").hexdigest()}
    headers = [["x-amz-target", "AmazonSSM.PutParameter"], ["content-type", "application/x-amz-json-1.1"]]
    headers.append(["authorization", f"AWS4-HMAC-SHA256 Credential=old/20260101/{aws.REGION}/ssm/aws4_request"])
    body = json.dumps({"Name": "/keys/1", "Value": "secret", "Type": "SecureString"})
    lines = [begin, {"headers": headers, "body": body}]
    (tmp_path / "ssm.journal").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with aws.running(state=tmp_path) as cloud:
        parameter = client(cloud, "ssm").get_parameter(Name="/keys/1", WithDecryption=True)["Parameter"]
    assert parameter["Value"] == "secret"


def test_nobody_else_on_the_machine_can_read_what_is_kept(tmp_path: Path) -> None:
    with aws.running(state=tmp_path) as cloud:
        fill(cloud)
    kept = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.glob("*.j*")}
    assert {"dynamodb.json", "dynamodb.journal", "ssm.json", "ssm.journal"} <= kept.keys()
    assert set(kept.values()) == {0}


def list_tables(cloud: aws.EmbeddedAws, *, key: str, **more: str) -> tuple[int, dict[str, str], bytes]:
    """Ask for the tables' names, as little as MiniStack wants for an answer."""
    place = urlsplit(cloud.endpoint)
    scope = f"{key}/20260101/{aws.REGION}/dynamodb/aws4_request"
    headers = {
        "X-Amz-Target": "DynamoDB_20120810.ListTables",
        "Content-Type": "application/x-amz-json-1.0",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
    }
    return ask(place.port, "POST", "/", {**headers, **more}, b"{}")


def ask(
    port: int | None, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def test_its_own_key_opens_it_and_no_other_does(cloud: aws.EmbeddedAws) -> None:
    own = cloud.environment()["AWS_ACCESS_KEY_ID"]
    assert list_tables(cloud, key=own)[0] == 200
    for other in ("test", "000000000000", "AKIAIOSFODNN7EXAMPLE", own.lower(), own[:-1], f"{own}0", "ASIA"):
        status, _, answer = list_tables(cloud, key=other)
        assert (status, json.loads(answer)["__type"]) == (403, "UnrecognizedClientException"), other


@pytest.mark.parametrize("origin", ["https://attacker.example", "http://127.0.0.1:8000", "null"])
def test_a_web_page_is_refused_even_with_the_key(cloud: aws.EmbeddedAws, origin: str) -> None:
    status, headers, _ = list_tables(cloud, key=cloud.environment()["AWS_ACCESS_KEY_ID"], Origin=origin)
    assert status == 403
    assert "access-control-allow-origin" not in headers


def test_a_name_that_was_made_to_point_here_is_refused_even_with_the_key(cloud: aws.EmbeddedAws) -> None:
    port = urlsplit(cloud.endpoint).port
    for host in (f"rebound.example:{port}", "127.0.0.1", f"127.0.0.1.example:{port}", f"sub.localhost:{port}"):
        assert list_tables(cloud, key=cloud.environment()["AWS_ACCESS_KEY_ID"], Host=host)[0] == 403, host


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("OPTIONS", "/"),
        ("GET", "/"),
        ("GET", "/_ministack/health"),
        ("GET", "/_ministack/ses/messages"),
        ("POST", "/_ministack/reset"),
        ("POST", "/_ministack/config"),
        ("GET", "/restapis/x/api/_user_request_/"),
        ("GET", "/_aws/execute-api/x/api"),
    ],
)
def test_what_a_page_may_send_unasked_is_refused_and_changes_nothing(
    cloud: aws.EmbeddedAws, method: str, path: str
) -> None:
    """A preflight, a link, an image, a form: no header of its own, and on some of them no Origin."""
    port = urlsplit(cloud.endpoint).port
    client(cloud, "ssm").put_parameter(Name=f"/kept/{method}{path}", Value="x", Type="String", Overwrite=True)
    status, headers, _ = ask(port, method, path, {"Content-Type": "text/plain"}, b"{}" if method == "POST" else b"")
    assert status == 403
    assert not [name for name in headers if name.startswith("access-control-")]
    assert client(cloud, "ssm").get_parameter(Name=f"/kept/{method}{path}")


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[aws.EmbeddedAws]:
    """One that things are deployed into, as `make cloud` has it."""
    started = aws.start(
        state=tmp_path_factory.mktemp("deployed"), services=(*aws.SERVICES, "apigateway"), persist=False, policies=True
    )
    try:
        client(started, "apigateway").create_rest_api(name="kept")
        yield started
    finally:
        started.stop()


@pytest.mark.parametrize("path", ["/restapis/x/api/_user_request_", "/_aws/execute-api/x/api/"])
@pytest.mark.parametrize("key", ["", "test", "ASIA0000000000000000"])
def test_what_is_deployed_is_for_everybody_and_is_no_way_to_anything_else(
    deployed: aws.EmbeddedAws, path: str, key: str
) -> None:
    port = urlsplit(deployed.endpoint).port
    other = {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"}
    credential = f"{key}/20260101/{aws.REGION}/dynamodb/aws4_request" if key else ""
    for headers in ({}, other, {**other, "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}"}):
        for where in (path, f"{path}?Action=ListUsers&Version=2010-05-08", f"{path}?X-Amz-Credential={credential}"):
            status, _, answer = ask(port, "POST", where, headers, b"{}")
            assert status in {400, 403, 404}  # 400 is its word for a session that it does not know
            assert b"TableNames" not in answer
            assert b"Users" not in answer
    assert ask(port, "GET", path, {"Host": f"rebound.example:{port}"})[0] == 403
    assert ask(port, "GET", path, {"Origin": "https://a.example"})[0] == 404  # no such API


@pytest.mark.parametrize("origin", [{}, {"Origin": "https://attacker.example"}])
def test_what_manages_the_apis_wants_the_key(deployed: aws.EmbeddedAws, origin: dict[str, str]) -> None:
    port = urlsplit(deployed.endpoint).port
    (api,) = client(deployed, "apigateway").get_rest_apis()["items"]
    for path in (
        "/restapis",
        f"/restapis/{api['id']}",
        f"/restapis/{api['id']}/_user_request_",
        "/restapis/../restapis",
    ):
        for method in ("GET", "DELETE", "OPTIONS"):
            assert ask(port, method, path, origin)[0] == 403, path
    status, _, _ = ask(port, "POST", "/_ministack/reset", {"Authorization": "Credential=ASIA0000000000000000/"})
    assert status == 403
    assert client(deployed, "apigateway").get_rest_apis()["items"] == [api]


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[aws.EmbeddedAws]:
    with aws.running(state=tmp_path) as cloud:
        kill(cloud)
        yield cloud


def test_who_asks_while_it_is_down_waits_for_it(stopped: aws.EmbeddedAws) -> None:
    port = urlsplit(stopped.endpoint).port
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", "/_ministack/health")
        stopped.start()
        assert connection.getresponse().status == 403
