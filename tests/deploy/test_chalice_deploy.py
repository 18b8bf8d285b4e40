"""`make deploy` and `make destroy` from end to end, on a copy of the project, against moto's server."""

import dataclasses
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import boto3
import pytest

from deploy import bundle, deployed, gateway_responses, outbox, stages
from deploy.stages import PROJECT
from tests.support.resident import Resident, resident

DEV = stages.read("dev")
REGION = "eu-west-1"


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("moto") / "log"
    with socket.create_server(("127.0.0.1", 0)) as listening, log.open("wb") as lines:
        fd = listening.fileno()
        program = [sys.executable, str(Path(__file__).with_name("chalice_on_moto.py")), str(fd)]
        server = subprocess.Popen(program, pass_fds=(fd,), stdout=lines, stderr=lines)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        # Who comes before it is up waits in the queue of its socket.
        urllib.request.urlopen(f"{url}/moto-api/", timeout=60).close()
        yield url
    except OSError as error:
        raise AssertionError(log.read_text()) from error
    finally:
        server.terminate()
        server.wait()


class Operator:
    """Someone with a checkout and an account."""

    def __init__(self, project: Path, endpoint: str, commands: Resident) -> None:
        self.project = project
        self.endpoint = endpoint
        self.commands = commands
        self.clients: dict[str, Any] = {}
        self.credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

    def environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LATCHKEY_"))}
        aws = {"AWS_ENDPOINT_URL": self.endpoint, "AWS_DEFAULT_REGION": REGION, **self.credentials}
        return {**own, **aws, "AWS_EC2_METADATA_DISABLED": "true"}

    def runs(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.commands.run(command, "--stage", "dev", *arguments, environment=self.environment())

    def deploys(self) -> str:
        done = self.runs("deploy", "--without-smoke-test")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def deploys_by_itself(self) -> str:
        """By the very program that is `./latchkey`."""
        done = subprocess.run(
            [sys.executable, "-m", "cli", "deploy", "--stage", "dev", "--without-smoke-test"],
            cwd=self.project,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def client(self, service: str) -> Any:
        if service not in self.clients:  # each reads megabytes of what the service is
            session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
            self.clients[service] = session.client(service, endpoint_url=self.endpoint)  # type: ignore[call-overload]
        return self.clients[service]

    def functions(self) -> dict[str, dict[str, Any]]:
        listing = self.client("lambda").list_functions()["Functions"]
        return {f["FunctionName"]: f for f in listing if f["FunctionName"].startswith("latchkey-dev")}

    def apis(self) -> list[str]:
        return [api["id"] for api in self.client("apigateway").get_rest_apis()["items"]]

    def state(self) -> dict[str, Any]:
        """All that a deployment leaves behind, as far as a second one could change it."""
        keys = self.client("ssm").get_parameters_by_path(Path="/latchkey/dev/keys", Recursive=True)
        environments = {name: f["Environment"]["Variables"] for name, f in self.functions().items()}
        return {
            "apis": self.apis(),
            "code": {name: f["CodeSha256"] for name, f in self.functions().items()},
            "environments": environments,
            "sources": [m["UUID"] for m in self.client("lambda").list_event_source_mappings()["EventSourceMappings"]],
            "tables": sorted(self.client("dynamodb").list_tables()["TableNames"]),
            "keys": [(key["Name"], key["Version"], key["Value"]) for key in keys["Parameters"]],
            "remembered": json.loads((self.project / ".chalice/deployed/dev.json").read_text()),
        }

    def zipped(self) -> Path:
        (archive,) = (self.project / "build" / "dev" / ".chalice" / "deployments").glob("*.zip")
        return archive


@pytest.fixture(scope="module")
def operator(moto: str, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    project = tmp_path_factory.mktemp("project")
    left_out = shutil.ignore_patterns("__pycache__", "deployed", "deployments", "*.orig")
    for folder in ("chalicelib", "deploy", "cli", ".chalice"):
        shutil.copytree(PROJECT / folder, project / folder, ignore=left_out)
    for file in ("app.py", "requirements.txt"):
        shutil.copy(PROJECT / file, project / file)
    (project / "build").mkdir()
    (project / "build" / "vendor").symlink_to(wheels)
    with resident(project) as commands:
        yield Operator(project, moto, commands)


@pytest.fixture(scope="module")
def output(operator: Operator) -> str:
    """What the first deployment, from an empty account, printed."""
    return operator.deploys_by_itself()


def api_of(operator: Operator) -> str:
    (api,) = operator.apis()
    return api


def test_the_first_deployment_finds_its_issuer_and_prints_it(operator: Operator, output: str) -> None:
    issuer = f"https://{api_of(operator)}.execute-api.{REGION}.amazonaws.com/api"
    assert output.splitlines()[-1] == f"The issuer is {issuer}"
    for function in operator.functions().values():
        assert function["Environment"]["Variables"]["LATCHKEY_ISSUER"] == issuer


def test_a_configured_issuer_is_the_issuer_wherever_the_api_lives() -> None:
    issuer = {"environment_variables": {"LATCHKEY_ISSUER": "https://auth.example.com"}}
    configured = dataclasses.replace(DEV, config={**DEV.config, **issuer})
    assert deployed.issuer_of(configured) == "https://auth.example.com"


def test_it_says_what_it_will_do_before_it_does(output: str) -> None:
    plan, _, doing = output.partition("Creating IAM role")
    assert "Account 123456789012, eu-west-1" in plan
    assert "latchkey-dev-users" in plan
    assert doing


@pytest.mark.usefixtures("output")
def test_each_function_runs_under_its_own_policy(operator: Operator) -> None:
    iam = operator.client("iam")
    for name in DEV.functions:
        role = f"latchkey-dev-{name}"
        (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
        written = json.loads((PROJECT / ".chalice" / f"policy-{name}-dev.json").read_text())
        assert iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"] == written
        function = operator.functions()[DEV.deployed_name(name)]
        assert function["Role"].endswith(f"/{role}")
        assert function["MemorySize"] == DEV.config["lambda_functions"][name]["lambda_memory_size"]
        assert function["Runtime"] == "python{}.{}".format(*sys.version_info)
        assert function["Architectures"] == ["arm64"]


@pytest.mark.usefixtures("output")
def test_the_deployed_zip_is_the_checked_one_and_holds_the_public_keys(operator: Operator) -> None:
    zipped = operator.zipped()
    requirements = PROJECT / "requirements.txt"
    assert bundle.problems(zipped, architecture="arm64", requirements=requirements, jwks=True) == []
    digest = b64encode(hashlib.sha256(zipped.read_bytes()).digest()).decode()
    assert {f["CodeSha256"] for f in operator.functions().values()} == {digest}
    with ZipFile(zipped) as archive:
        keys = json.loads(archive.read("chalicelib/jwks.json"))["keys"]
    assert not any("d" in key for key in keys)
    assert [key["alg"] for key in keys] == ["RS256", "PS256"]
    assert len({key["n"] for key in keys}) == 1


@pytest.mark.usefixtures("output")
def test_the_accounts_are_backed_up_and_protected_and_the_sessions_expire(operator: Operator) -> None:
    dynamodb = operator.client("dynamodb")
    backups = dynamodb.describe_continuous_backups(TableName="latchkey-dev-users")
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    assert dynamodb.describe_table(TableName="latchkey-dev-users")["Table"]["DeletionProtectionEnabled"]
    for table in ("users", "grants"):
        expiry = dynamodb.describe_time_to_live(TableName=f"latchkey-dev-{table}")["TimeToLiveDescription"]
        assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}


@pytest.mark.usefixtures("output")
def test_the_private_keys_are_encrypted_parameters(operator: Operator) -> None:
    kept = operator.client("ssm").get_parameters_by_path(Path="/latchkey/dev/keys", Recursive=True)
    assert {p["Type"] for p in kept["Parameters"]} == {"SecureString"}
    assert len(kept["Parameters"]) == 3  # to sign, to derive refresh tokens, to name users in each sector


def check_gateway(operator: Operator) -> None:
    gateway = operator.client("apigateway")
    api = api_of(operator)
    own = {r["responseType"]: r for r in gateway.get_gateway_responses(restApiId=api)["items"]}
    assert own.keys() == gateway_responses.ANSWERS.keys()
    unauthorized = own["UNAUTHORIZED"]
    assert unauthorized["statusCode"] == "401"
    challenge = unauthorized["responseParameters"]["gatewayresponse.header.WWW-Authenticate"]
    assert challenge.endswith("/.well-known/oauth-protected-resource\"'")
    stage = gateway.get_stage(restApiId=api, stageName="api")
    settings = stage["methodSettings"]["*/*"]
    assert (settings["throttlingRateLimit"], settings["throttlingBurstLimit"]) == (50.0, 100)
    assert stage["tracingEnabled"] is True


@pytest.mark.usefixtures("output")
def test_the_gateways_own_answers_limits_and_tracing_are_set(operator: Operator) -> None:
    check_gateway(operator)


@pytest.mark.usefixtures("output")
def test_every_function_logs_into_a_group_that_forgets(operator: Operator) -> None:
    groups = operator.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/latchkey-dev")
    retention = {g["logGroupName"]: g["retentionInDays"] for g in groups["logGroups"]}
    assert retention == {DEV.log_group(function): 14 for function in DEV.functions}


@pytest.mark.usefixtures("output")
def test_new_messages_in_the_outbox_start_their_delivery_and_the_scheduler_may_start_it_again(
    operator: Operator,
) -> None:
    (source,) = operator.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    table = operator.client("dynamodb").describe_table(TableName="latchkey-dev-outbox")["Table"]
    assert source["EventSourceArn"] == table["LatestStreamArn"]
    assert source["FunctionArn"] == operator.functions()["latchkey-dev-deliver"]["FunctionArn"]
    iam = operator.client("iam")
    role = "latchkey-dev-deliver-schedule"
    assert iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"] == outbox.trust()
    policy = iam.get_role_policy(RoleName=role, PolicyName="invoke")["PolicyDocument"]
    assert policy == outbox.policy(source["FunctionArn"])


@pytest.mark.usefixtures("output")
def test_deploying_again_changes_nothing(operator: Operator) -> None:
    before = operator.state()
    operator.deploys()
    assert operator.state() == before
    check_gateway(operator)


@pytest.mark.usefixtures("output")
def test_a_lost_memory_of_the_deployment_is_noticed_before_a_second_api_is_made(operator: Operator) -> None:
    memory = operator.project / ".chalice/deployed/dev.json"
    kept = memory.read_text()
    memory.unlink()
    try:
        done = operator.runs("deploy", "--without-smoke-test")
    finally:
        memory.write_text(kept)
    assert done.returncode == 1
    assert "would make a second one" in done.stderr
    assert len(operator.apis()) == 1


def test_bad_credentials_get_one_clear_line(operator: Operator) -> None:
    stranger = Operator(operator.project, operator.endpoint, operator.commands)
    stranger.credentials = {}
    done = stranger.runs("deploy", "--without-smoke-test")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"No AWS credentials: set AWS_PROFILE, [^\n]+\n", done.stderr)


def parameters(operator: Operator) -> dict[str, str]:
    answer = operator.client("ssm").get_parameters_by_path(Path="/latchkey/dev", Recursive=True, WithDecryption=True)
    return {parameter["Name"]: parameter["Value"] for parameter in answer["Parameters"]}


def deploy_issuer(operator: Operator) -> str:
    remembered = json.loads((operator.project / ".chalice/deployed/dev.json").read_text())["resources"]
    (api,) = [resource for resource in remembered if resource["resource_type"] == "rest_api"]
    url: str = api["rest_api_url"]
    return url.rstrip("/")


@pytest.mark.usefixtures("output")
def test_destroying_wants_the_stages_name(operator: Operator) -> None:
    before = parameters(operator)
    for answer in (["--confirm", "prod"], []):  # the second one is asked, and hangs up
        done = operator.runs("destroy", *answer)
        assert done.returncode == 1
        assert "Nothing was destroyed" in done.stderr
        lost, _, kept = done.stdout.partition("and keeps")
        assert {"latchkey-dev-grants", "/latchkey/dev/keys", deploy_issuer(operator)} <= set(
            re.findall(r"^  (\S+)", lost, re.M)
        )
        assert re.findall(r"^  (\S+)", kept, re.M) == ["latchkey-dev-users", "/latchkey/dev/keys/pairwise"]
    assert len(operator.functions()) == 7
    assert parameters(operator) == before


@pytest.mark.usefixtures("output")
def test_destroying_leaves_the_accounts_and_nothing_else(operator: Operator) -> None:
    before = parameters(operator)
    others = "latchkey-develop-deliver-1-1"
    for name in ("latchkey-dev-deliver-1-1", others):
        target = {
            "Arn": "arn:aws:lambda:eu-west-1:123456789012:function:x",
            "RoleArn": "arn:aws:iam::123456789012:role/x",
        }
        schedule = {"Name": name, "ScheduleExpression": "at(2099-01-01T00:00:00)", "Target": target}
        operator.client("scheduler").create_schedule(**schedule, FlexibleTimeWindow={"Mode": "OFF"})
    done = operator.runs("destroy", "--confirm", "dev")
    assert done.returncode == 0, done.stderr
    assert operator.functions() == {}
    assert operator.apis() == []
    assert operator.client("dynamodb").list_tables()["TableNames"] == ["latchkey-dev-users"]
    # With another secret, every user would be a stranger to the pairwise clients.
    subjects = "/latchkey/dev/keys/pairwise/1"
    assert parameters(operator) == {subjects: before[subjects]}
    groups = operator.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/latchkey-dev")
    assert groups["logGroups"] == []
    assert operator.client("lambda").list_event_source_mappings()["EventSourceMappings"] == []
    assert [role["RoleName"] for role in operator.client("iam").list_roles()["Roles"]] == []
    assert [each["Name"] for each in operator.client("scheduler").list_schedules()["Schedules"]] == [others]


@pytest.mark.usefixtures("output")
def test_the_accounts_go_only_when_asked_for(operator: Operator) -> None:
    done = operator.runs("destroy", "--confirm", "dev", "--with-users")
    assert done.returncode == 0, done.stderr
    assert operator.client("dynamodb").list_tables()["TableNames"] == []
    assert parameters(operator) == {}
