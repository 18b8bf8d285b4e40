"""The tour's job, done through API Gateway with the zip that deploys; each function is held to its policy.

One file, so that one worker starts one cloud for all of it.
"""

import base64
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from deploy import smoke
from local import aws
from local.cloud import Cloud
from tests.cloud import http_api
from tests.cloud.conftest import DEV, PASSWORD, RACERS, Phone, processes_of, stored_keys

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


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    payload: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return payload


@pytest.fixture(scope="session")
def account(phone: Phone) -> dict[str, Any]:
    """Someone who has signed up."""
    return phone.sign_up()


def test_cold_functions_that_start_at_the_same_moment_agree_on_the_first_keys(
    running_cloud: Cloud, first_keys: list[Any]
) -> None:
    assert processes_of(running_cloud, "api_handler") >= 2, "no two functions were cold at once"
    assert all(keys == first_keys[0] for keys in first_keys)
    assert len({key["n"] for key in first_keys[0]["keys"]}) == 1
    assert stored_keys(running_cloud) == ["/pairwise/1", "/refresh/1", "/signing/1"]


def test_the_smoke_test_of_deploying_finds_nothing(phone: Phone) -> None:
    assert smoke.failures(phone.base, patience=0) == []


def test_a_phone_signs_up_logs_in_and_sees_its_profile(phone: Phone, account: dict[str, Any]) -> None:
    tokens = phone.log_in(account["email"], "account")
    assert claims(tokens["access_token"])["iss"] == phone.base
    answer = phone.call("GET /me", token=tokens["access_token"])
    assert (answer.status, answer.body["email"]) == (200, account["email"])
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize("token", [None, "", "nonsense", "a.b.c"])
def test_a_guarded_route_answers_401_without_a_good_token(phone: Phone, token: str | None) -> None:
    answer = phone.call("GET /me", token=token)
    assert answer.refusal == (401, "invalid_token")
    pointer = f'resource_metadata="{phone.base}/.well-known/oauth-protected-resource"'
    assert answer.headers["WWW-Authenticate"] == f'Bearer scope="account", {pointer}'
    assert answer.headers["X-Request-Id"]


def test_a_good_token_without_the_scope_answers_403(phone: Phone, account: dict[str, Any]) -> None:
    tokens = phone.log_in(account["email"], "notes:read")
    answer = phone.call("GET /me", token=tokens["access_token"])
    assert answer.refusal == (403, "insufficient_scope")
    # The emulator leaves what the guard's context has as the template names it; the local gateway puts it in.
    assert "scope" in answer.body


def test_a_forged_token_answers_401(phone: Phone, account: dict[str, Any]) -> None:
    head, payload, signature = account["access_token"].split(".")
    forged = "A" if signature[0] != "A" else "B"
    answer = phone.call("GET /me", token=f"{head}.{payload}.{forged}{signature[1:]}")
    assert answer.refusal == (401, "invalid_token")


def test_a_refresh_that_is_sent_again_gets_the_same_successor(phone: Phone) -> None:
    old = phone.sign_up()["refresh_token"]
    first = phone.call("POST /refresh", {"refresh_token": old})
    again = phone.call("POST /refresh", {"refresh_token": old})
    assert (first.status, again.status) == (200, 200)
    assert first.body["refresh_token"] == again.body["refresh_token"] != old
    assert phone.call("GET /me", token=again.body["access_token"]).status == 200


def test_refreshes_in_many_processes_at_once_agree_on_the_successor(phone: Phone) -> None:
    old = phone.sign_up()["refresh_token"]
    with ThreadPoolExecutor(RACERS) as threads:
        answers = list(threads.map(lambda _: phone.call("POST /refresh", {"refresh_token": old}), range(RACERS)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body["refresh_token"] for answer in answers}) == 1


def test_a_refresh_token_two_generations_old_ends_the_session(phone: Phone) -> None:
    oldest = phone.sign_up()["refresh_token"]
    middle = phone.call("POST /refresh", {"refresh_token": oldest}).body["refresh_token"]
    newest = phone.call("POST /refresh", {"refresh_token": middle}).body["refresh_token"]
    assert phone.call("POST /refresh", {"refresh_token": oldest}).refusal == (401, "invalid_grant")
    assert phone.call("POST /refresh", {"refresh_token": newest}).refusal == (401, "invalid_grant")


def test_logging_out_ends_the_session(phone: Phone) -> None:
    token = phone.sign_up()["refresh_token"]
    assert phone.call("POST /logout", {"refresh_token": token}).status == 204
    assert phone.call("POST /refresh", {"refresh_token": token}).refusal == (401, "invalid_grant")


def messages(cloud: Cloud) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = cloud.client("dynamodb").scan(TableName=DEV.outbox_table)["Items"]
    return items


def test_what_the_outbox_has_is_delivered_by_the_function_that_its_stream_starts(
    running_cloud: Cloud, phone: Phone
) -> None:
    token = phone.sign_up()["access_token"]
    assert phone.call("DELETE /me/sessions", token=token).status == 204

    def delivered() -> bool:
        """The emulator notes a process once it has ended its work."""
        return messages(running_cloud) == [] and processes_of(running_cloud, "deliver") >= 1

    until = time.monotonic() + 60
    while not delivered():
        assert time.monotonic() < until
        threading.Event().wait(0.1)  # to ask all the while would take the time that the function needs to start


def test_devices_are_listed_and_ended_one_by_one_and_together(phone: Phone) -> None:
    here = phone.sign_up()
    there, elsewhere = (phone.log_in(here["email"], "account") for _ in range(2))
    token = here["access_token"]
    sessions = phone.call("GET /me/sessions", token=token).body["sessions"]
    assert len(sessions) == 3
    sid = claims(there["access_token"])["sid"]
    assert phone.call(f"DELETE /me/sessions/{sid}", token=token).status == 204
    assert phone.call("POST /refresh", {"refresh_token": there["refresh_token"]}).status == 401
    assert phone.call("DELETE /me/sessions", token=token).status == 204
    assert phone.call("POST /refresh", {"refresh_token": elsewhere["refresh_token"]}).status == 401
    assert phone.call("POST /refresh", {"refresh_token": here["refresh_token"]}).status == 200


def test_a_password_is_changed_and_an_account_deleted(phone: Phone) -> None:
    someone = phone.sign_up()
    token = someone["access_token"]
    change = {"current_password": PASSWORD, "new_password": "another horse, another battery"}
    assert phone.call("POST /me/password", change, token=token).status == 204
    assert phone.call("PATCH /me", {"name": "Ann"}, token=token).body["name"] == "Ann"
    assert phone.call("DELETE /me", {"password": change["new_password"]}, token=token).status == 204
    login = {"email": someone["email"], "password": change["new_password"]}
    assert phone.call("POST /login", login).refusal == (401, "invalid_credentials")


@pytest.mark.parametrize("line", ["GET /no-such-route", "DELETE /login", "GET /me/nothing"])
def test_what_api_gateway_answers_by_itself_has_our_shape(phone: Phone, line: str) -> None:
    answer = phone.call(line)
    assert answer.status == 404
    assert answer.refusal == (404, "not_found")


@pytest.mark.parametrize(
    ("line", "scope", "status"),
    [
        ("GET /notes", "notes:read", 200),
        ("GET /notes", "notes:write", 403),
        ("POST /notes", "notes:write", 201),
        ("POST /notes", "notes:read", 403),
        ("GET /notes", "account", 403),
        ("GET /notes", None, 401),
    ],
)
def test_another_api_is_protected_by_the_same_guard(
    phone: Phone, notes: Phone, account: dict[str, Any], line: str, scope: str | None, status: int
) -> None:
    token = None if scope is None else phone.log_in(account["email"], scope)["access_token"]
    body = {"text": "bread"} if line.startswith("POST") else None
    assert notes.call(line, body, token=token).status == status


def test_a_cached_decision_neither_widens_nor_narrows_what_a_token_opens(
    phone: Phone, notes: Phone, account: dict[str, Any]
) -> None:
    token = phone.log_in(account["email"], "notes:read")["access_token"]
    lines = ["GET /notes", "POST /notes", "GET /notes/1", "DELETE /notes/1", "GET /notes"]
    answers = [notes.call(line, {"text": "x"} if "POST" in line else None, token=token).status for line in lines]
    assert answers == [200, 403, 404, 403, 200]


@cache
def in_the_role_of(cloud: Cloud, function: str, service: str) -> Any:
    role = cloud.client("lambda").get_function_configuration(FunctionName=DEV.deployed_name(function))["Role"]
    assumed = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return boto3.client(  # type: ignore[call-overload]
        service,
        aws_access_key_id=assumed["AccessKeyId"],
        aws_secret_access_key=assumed["SecretAccessKey"],
        aws_session_token=assumed["SessionToken"],
        region_name=aws.REGION,
        endpoint_url=cloud.endpoint,
    )


@pytest.fixture(scope="session")
def simple(running_cloud: Cloud) -> Phone:
    """A phone at an HTTP API with simple answers where a revocation bites at once."""
    return http_api.attach(running_cloud, "simple", simple=True, ttl=0)


@pytest.fixture(scope="session")
def policies(running_cloud: Cloud) -> Phone:
    """A phone at an HTTP API with policies that are kept for a minute."""
    return http_api.attach(running_cloud, "policies", simple=False, ttl=60)


@pytest.mark.parametrize("kind", ["simple", "policies"])
def test_http_apis_are_protected_by_the_same_guard(
    request: pytest.FixtureRequest, phone: Phone, account: dict[str, Any], kind: str
) -> None:
    api: Phone = request.getfixturevalue(kind)
    token = phone.log_in(account["email"], "notes:read")["access_token"]
    lines = ["GET /notes", "POST /notes", "GET /notes/1", "DELETE /notes/1", "GET /notes"]
    assert [api.call(line, token=token).status for line in lines] == [200, 403, 404, 403, 200]
    assert api.call("GET /notes").status == 401


def test_a_strict_api_refuses_an_ended_session_at_once(phone: Phone, simple: Phone) -> None:
    someone = phone.sign_up()
    tokens = phone.log_in(someone["email"], "notes:read")
    assert simple.call("GET /notes", token=tokens["access_token"]).status == 200
    assert phone.call("POST /logout", {"refresh_token": tokens["refresh_token"]}).status == 204
    assert simple.call("GET /notes", token=tokens["access_token"]).status != 200


def test_a_bounded_api_keeps_its_answer_for_as_long_as_it_was_told(phone: Phone, policies: Phone) -> None:
    someone = phone.sign_up()
    first, second = (phone.log_in(someone["email"], "notes:read") for _ in range(2))
    assert policies.call("GET /notes", token=first["access_token"]).status == 200
    for tokens in (first, second):
        assert phone.call("POST /logout", {"refresh_token": tokens["refresh_token"]}).status == 204
    assert policies.call("GET /notes", token=first["access_token"]).status == 200
    assert policies.call("GET /notes", token=second["access_token"]).status != 200


@pytest.mark.usefixtures("phone")
def test_the_scheduled_function_runs_under_its_own_policy(running_cloud: Cloud) -> None:
    answer = running_cloud.client("lambda").invoke(
        FunctionName=DEV.deployed_name("rotate_keys"), Payload=json.dumps(SCHEDULED)
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert stored_keys(running_cloud) == ["/pairwise/1", "/refresh/1", "/signing/1"]


def test_a_bounce_is_noted_by_the_function_that_hears_of_it(running_cloud: Cloud, phone: Phone) -> None:
    someone = phone.sign_up()
    mail = {"destination": [someone["email"]], "tags": {"ses:configuration-set": ["latchkey-dev"]}}
    event = {
        **SCHEDULED,
        "source": "aws.ses",
        "detail-type": "Email Bounced",
        "detail": {"mail": mail, "bounce": {"bounceType": "Permanent", "bounceSubType": "General"}},
    }
    answer = running_cloud.client("lambda").invoke(
        FunctionName=DEV.deployed_name("mail_events"), Payload=json.dumps(event)
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert phone.call("GET /me", token=someone["access_token"]).body["email_problem"] == "bounce"


@pytest.mark.parametrize(
    ("function", "service", "operation", "arguments"),
    [
        ("guard", "dynamodb", "get_item", {"TableName": DEV.grants_table, "Key": USER}),
        ("guard_request", "dynamodb", "put_item", {"TableName": DEV.users_table, "Item": USER}),
        ("guard", "ssm", "get_parameter", {"Name": "/latchkey/dev/keys/signing/1"}),
        ("api_handler", "dynamodb", "scan", {"TableName": DEV.users_table}),
        ("api_handler", "dynamodb", "delete_table", {"TableName": DEV.users_table}),
        ("api_handler", "ssm", "delete_parameter", {"Name": "/latchkey/dev/keys/signing/1"}),
        ("api_handler", "ssm", "put_parameter", {"Name": "/other", "Value": "x", "Type": "String"}),
        ("rotate_keys", "dynamodb", "get_item", {"TableName": DEV.users_table, "Key": USER}),
        ("mail_events", "dynamodb", "put_item", {"TableName": DEV.users_table, "Item": USER}),
        ("mail_events", "ssm", "get_parameter", {"Name": "/latchkey/dev/keys/signing/1"}),
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


def callers(cloud: Cloud, function: str) -> set[str]:
    policy = json.loads(cloud.client("lambda").get_policy(FunctionName=DEV.deployed_name(function))["Policy"])
    sources = [statement["Condition"]["ArnLike"]["AWS:SourceArn"] for statement in policy["Statement"]]
    return {source.split(":")[5].split("/")[0] for source in sources}


def test_our_own_api_alone_has_leave_to_call_the_guard_that_takes_unknown_apis_for_ours(running_cloud: Cloud) -> None:
    assert callers(running_cloud, "guard") == {running_cloud.latchkey}
    assert running_cloud.notes in callers(running_cloud, "guard_request")
