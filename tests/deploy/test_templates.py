"""The templates for those who deploy with CloudFormation or Terraform."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.store import tables
from deploy import gateway_responses, stages, terraform
from deploy import sam as sam_templates

DEV = stages.read("dev")
FUNCTIONS = {
    "APIHandler": "api_handler",
    "Guard": "guard",
    "GuardRequest": "guard_request",
    "RotateKeys": "rotate_keys",
    "Deliver": "deliver",
    "MailEvents": "mail_events",
    "EraseUnverified": "erase_unverified",
}
# Where `terraform providers mirror` is commonly told to write, and where Terraform itself looks.
MIRRORS = [
    Path.home() / ".terraform.d/plugins",
    Path("/usr/share/terraform/plugins"),
    Path("/opt/tf-plugins"),
]


@pytest.fixture(scope="module")
def sam(sam_folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((sam_folder / "sam.json").read_text())
    return document


@pytest.fixture(scope="module")
def tf(packages: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((packages / "terraform" / "chalice.tf.json").read_text())
    return document


def test_cfn_lint_finds_nothing(sam_folder: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), sam_folder / "sam.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


def test_the_templates_tables_are_those_that_the_code_makes(sam: dict[str, Any]) -> None:
    users, grants, outbox = tables.definition(**DEV.tables)
    in_users, in_grants, in_outbox = (sam["Resources"][f"{name}Table"] for name in ("Users", "Grants", "Outbox"))
    assert users.items() <= in_users["Properties"].items()
    assert grants.items() <= in_grants["Properties"].items()
    assert in_users["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert in_users["Properties"]["DeletionProtectionEnabled"]
    stream = {"StreamViewType": outbox.pop("StreamSpecification")["StreamViewType"]}
    assert outbox.items() <= in_outbox["Properties"].items()
    assert in_outbox["Properties"]["StreamSpecification"] == stream
    for table in (in_users, in_grants, in_outbox):
        assert table["Properties"]["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_deleting_the_stack_keeps_the_accounts_and_drops_the_sessions(sam: dict[str, Any]) -> None:
    assert sam["Resources"]["UsersTable"]["DeletionPolicy"] == "Retain"
    assert sam["Resources"]["GrantsTable"]["DeletionPolicy"] == "Delete"


def test_every_function_logs_into_a_group_that_forgets(sam: dict[str, Any]) -> None:
    for logical, function in FUNCTIONS.items():
        resource = sam["Resources"][logical]
        group = sam["Resources"][f"{logical}Logs"]["Properties"]
        assert resource["Properties"]["FunctionName"] == DEV.deployed_name(function)
        assert group == {"LogGroupName": DEV.log_group(function), "RetentionInDays": 14}
        assert resource["DependsOn"] == [f"{logical}Logs"]


def test_the_issuer_is_a_parameter_of_every_function(sam: dict[str, Any]) -> None:
    assert "Default" not in sam["Parameters"]["Issuer"]
    for logical in FUNCTIONS:
        variables = sam["Resources"][logical]["Properties"]["Environment"]["Variables"]
        assert variables["LATCHKEY_ISSUER"] == {"Ref": "Issuer"}


def test_other_apis_find_the_guards_in_the_outputs(sam: dict[str, Any]) -> None:
    assert sam["Outputs"]["GuardArn"]["Value"] == {"Fn::GetAtt": ["Guard", "Arn"]}
    assert sam["Outputs"]["GuardRequestArn"]["Value"] == {"Fn::GetAtt": ["GuardRequest", "Arn"]}


def challenge_at(issuer: str) -> str:
    """The 401's challenge, as API Gateway takes a literal, with the pointer of RFC 9728 section 5.1."""
    return f"""'Bearer scope="account", resource_metadata="{issuer}/.well-known/oauth-protected-resource"'"""


def test_the_api_is_throttled_traced_and_answers_in_our_shape(sam: dict[str, Any]) -> None:
    api = sam["Resources"]["RestAPI"]["Properties"]
    assert api["TracingEnabled"] is True
    assert api["EndpointConfiguration"] == "REGIONAL"
    (settings,) = api["MethodSettings"]
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (50, 100)
    assert api["GatewayResponses"].keys() == gateway_responses.ANSWERS.keys()
    unauthorized = api["GatewayResponses"]["UNAUTHORIZED"]
    assert unauthorized["StatusCode"] == 401
    challenge = unauthorized["ResponseParameters"]["Headers"]["WWW-Authenticate"]
    assert challenge == """'Bearer scope="account"'"""
    assert set(json.loads(unauthorized["ResponseTemplates"]["application/json"])) == {
        "error",
        "error_description",
    }


def test_scripts_of_every_origin_may_read_the_gateways_own_answers_and_when_to_come_again() -> None:
    for answer in gateway_responses.ANSWERS.values():
        headers = gateway_responses.headers(answer, metadata="https://id.example/m", scopes=())
        assert headers["Access-Control-Allow-Origin"] == "'*'"
        assert "Retry-After" in headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in headers


def test_terraform_makes_the_same_tables(tf: dict[str, Any]) -> None:
    made = tf["resource"]["aws_dynamodb_table"]
    for name, definition in zip(("users", "grants", "outbox"), tables.definition(**DEV.tables), strict=True):
        table = made[name]
        assert table["name"] == definition["TableName"]
        assert table["billing_mode"] == definition["BillingMode"]
        keys = {key["KeyType"]: key["AttributeName"] for key in definition["KeySchema"]}
        assert (table["hash_key"], table["range_key"]) == (keys["HASH"], keys["RANGE"])
        assert table["deletion_protection_enabled"] is definition.get("DeletionProtectionEnabled", False)
    assert made["users"]["lifecycle"] == {"prevent_destroy": True}
    for name in ("users", "grants", "outbox"):
        assert made[name]["ttl"] == {"attribute_name": "expires_at", "enabled": True}
    assert (made["outbox"]["stream_enabled"], made["outbox"]["stream_view_type"]) == (True, "KEYS_ONLY")


def test_the_outboxs_stream_starts_the_delivery_of_new_messages_alone(sam: dict[str, Any], tf: dict[str, Any]) -> None:
    source = sam["Resources"]["OutboxSource"]["Properties"]
    assert source["EventSourceArn"] == {"Fn::GetAtt": ["OutboxTable", "StreamArn"]}
    assert source["FunctionName"] == {"Ref": "Deliver"}
    of_terraform = tf["resource"]["aws_lambda_event_source_mapping"]["outbox"]
    assert of_terraform["event_source_arn"] == "${aws_dynamodb_table.outbox.stream_arn}"
    (pattern,) = source["FilterCriteria"]["Filters"]
    for each in (pattern["Pattern"], of_terraform["filter_criteria"]["filter"]["pattern"]):
        assert json.loads(each) == {"eventName": ["INSERT"]}
    sizes = (source["BatchSize"], source["StartingPosition"], source["ParallelizationFactor"])
    terraform_sizes = (of_terraform[name] for name in ("batch_size", "starting_position", "parallelization_factor"))
    assert tuple(terraform_sizes) == sizes


def test_the_scheduler_may_call_that_function_and_no_other(sam: dict[str, Any], tf: dict[str, Any]) -> None:
    role = sam["Resources"]["OutboxRole"]["Properties"]
    assert role["RoleName"] == tf["resource"]["aws_iam_role"]["outbox"]["name"] == "latchkey-dev-deliver-schedule"
    (statement,) = role["Policies"][0]["PolicyDocument"]["Statement"]
    assert statement["Action"] == "lambda:InvokeFunction"
    assert statement["Resource"] == {"Fn::GetAtt": ["Deliver", "Arn"]}
    (of_terraform,) = json.loads(tf["resource"]["aws_iam_role_policy"]["outbox"]["policy"])["Statement"]
    assert (of_terraform["Action"], of_terraform["Resource"]) == (
        statement["Action"],
        "${aws_lambda_function.deliver.arn}",
    )


def sending(stage: stages.Stage) -> stages.Stage:
    """The stage as one that sends mail."""
    variables = {**stage.environment(), "LATCHKEY_MAIL_FROM": "login@example.com"}
    return replace(stage, config={**stage.config, "environment_variables": variables})


def test_what_ses_says_of_mails_goes_to_the_bus_whose_rule_starts_the_function(
    sam: dict[str, Any], tf: dict[str, Any]
) -> None:
    pattern = {"source": ["aws.ses"], "detail-type": ["Email Bounced", "Email Complaint Received"]}
    (rule,) = sam["Resources"]["MailEvents"]["Properties"]["Events"].values()
    assert rule["Properties"]["Pattern"] == pattern
    rules = tf["resource"]["aws_cloudwatch_event_rule"].values()
    assert pattern in [json.loads(each["event_pattern"]) for each in rules if "event_pattern" in each]
    made = sam_templates.merge_template(sending(DEV))["Resources"]
    assert made["MailConfigurationSet"]["Properties"] == {"Name": "latchkey-dev"}
    events = made["MailEventDestination"]["Properties"]["EventDestination"]
    assert events["MatchingEventTypes"] == ["bounce", "complaint"]
    bus = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"
    assert events["EventBridgeDestination"] == {"EventBusArn": {"Fn::Sub": bus}}


def test_a_stage_that_sends_no_mail_has_no_configuration_set(sam: dict[str, Any], tf: dict[str, Any]) -> None:
    assert "MailConfigurationSet" not in sam["Resources"]
    assert "aws_sesv2_configuration_set" not in tf["resource"]


def test_terraform_sets_what_chalice_leaves_out(tf: dict[str, Any]) -> None:
    resource = tf["resource"]
    assert resource["aws_api_gateway_stage"]["rest_api"]["xray_tracing_enabled"] is True
    throttling = resource["aws_api_gateway_method_settings"]["rest_api"]["settings"]
    assert throttling == {"throttling_rate_limit": 50, "throttling_burst_limit": 100}
    groups = resource["aws_cloudwatch_log_group"]
    assert {group["retention_in_days"] for group in groups.values()} == {14}
    assert groups.keys() == resource["aws_lambda_function"].keys() == set(FUNCTIONS.values())
    answers = json.loads(tf["locals"]["chalice_api_swagger"])["x-amazon-apigateway-gateway-responses"]
    assert answers.keys() == gateway_responses.ANSWERS.keys()
    challenge = answers["UNAUTHORIZED"]["responseParameters"]["gatewayresponse.header.WWW-Authenticate"]
    assert challenge == challenge_at("${var.issuer}")


def test_two_stages_can_live_in_one_account_under_terraform(tf: dict[str, Any]) -> None:
    names = [rule["name"] for rule in tf["resource"]["aws_cloudwatch_event_rule"].values()]
    jobs = ("erase_unverified", "mail_events", "rotate_keys")
    assert sorted(names) == [f"latchkey-dev-{job}-event" for job in jobs]


def test_terraform_asks_for_no_provider_but_aws(tf: dict[str, Any]) -> None:
    assert tf["terraform"] == terraform.VERSIONS
    assert "null_data_source" not in tf["data"]


def run_terraform(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [shutil.which("terraform") or "", *arguments, "-no-color"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_terraform_validates(packages: Path, tmp_path: Path) -> None:
    mirror = next((m for m in MIRRORS if list(m.glob("*/hashicorp/aws"))), None)
    if mirror is None:
        pytest.skip("no mirror with Terraform's aws provider: run `terraform init && terraform validate` by hand")
    folder = shutil.copytree(packages / "terraform", tmp_path / "terraform")
    run_terraform(folder, "init", "-input=false", f"-plugin-dir={mirror}")
    verdict = json.loads(run_terraform(folder, "validate", "-json"))
    assert verdict["valid"]
    assert verdict["diagnostics"] == []
