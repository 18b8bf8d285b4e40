"""`python -m local.cloud`: the real zip, through CloudFormation, in an AWS on this machine; the notes example beside it.

Each function runs in a process of its own under its own role, and the emulator holds it to its policy.
"""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3

from cli.errors import in_one_line
from deploy import attaching, bytecode, logs_and_gateway, package, registered_apis, stages, staging, vendor
from deploy.access import PATIENT
from deploy.deployed import UNKNOWN_ISSUER
from deploy.errors import CannotDeployError
from deploy.stages import API_STAGE, PROJECT
from local import aws, demo

SERVICES = (
    *("apigateway", "cloudformation", "dynamodb", "dynamodbstreams", "events", "iam", "lambda"),
    *("logs", "s3", "scheduler", "ssm", "sts"),
)
STAGE = "dev"
BUCKET = "latchkey-packages"
ACCOUNT = "000000000000"
CAPABILITIES = ("CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
EXAMPLE = PROJECT / "examples" / "notes"


@dataclass(frozen=True)
class Cloud:
    """An AWS on this machine, and the ids of the two APIs in it."""

    emulator: aws.EmbeddedAws
    latchkey: str
    notes: str

    @property
    def endpoint(self) -> str:
        """Where the emulator answers."""
        return self.emulator.endpoint

    @property
    def issuer(self) -> str:
        """Latchkey's base URL."""
        return base_url(self.endpoint, self.latchkey)

    @property
    def notes_url(self) -> str:
        """The notes example's base URL."""
        return base_url(self.endpoint, self.notes)

    def client(self, service: str) -> Any:
        """Return a client with the rights of the account's owner."""
        return client(self.emulator, service)


def base_url(endpoint: str, api: str) -> str:
    """Return where the emulator serves an API."""
    return f"{endpoint}/restapis/{api}/{API_STAGE}/_user_request_"


@cache
def client(emulator: aws.EmbeddedAws, service: str) -> Any:
    """Return the client of the emulator's, with the rights of the account's owner; each is made once, for that takes long."""
    owner = emulator.environment()
    return boto3.client(  # type: ignore[call-overload]
        service,
        aws_access_key_id=owner["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=owner["AWS_SECRET_ACCESS_KEY"],
        region_name=aws.REGION,
        endpoint_url=emulator.endpoint,
        config=PATIENT,
    )


@contextmanager
def running(*, project: Path = PROJECT, build: Path = staging.BUILD) -> Iterator[Cloud]:
    """Have it for the length of a `with` block; nothing of it stays."""
    _same_python()
    with tempfile.TemporaryDirectory(prefix="latchkey-cloud-") as state:
        emulator = aws.start(state=Path(state), services=SERVICES, persist=False, policies=True)
        try:
            yield fill(emulator, project=project, build=build)
        finally:
            emulator.stop()


def _same_python() -> None:
    """The emulator runs the functions under its own Python, and our wheels and byte code are for ours."""
    ask = [str(aws.PYTHON), "-c", "import sys; print(sys.implementation.cache_tag)"]
    theirs = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()
    if theirs != bytecode.TAG:
        raise CannotDeployError(f".venv-aws has {theirs or 'no Python'}, .venv has {bytecode.TAG}: make both anew.")


def fill(emulator: aws.EmbeddedAws, *, project: Path, build: Path) -> Cloud:
    """Deploy notes, then Latchkey with notes on its register, and let the one call the other's guard."""
    client(emulator, "s3").create_bucket(Bucket=BUCKET)
    stage = stages.read(STAGE, project=project)
    guard = f"arn:aws:lambda:{aws.REGION}:{ACCOUNT}:function:{stage.deployed_name('guard_request')}"
    notes = _deploy_notes(emulator, guard=guard, build=build)
    latchkey = _deploy_latchkey(emulator, notes=notes, project=project, build=build)
    cloud = Cloud(emulator, notes=notes, latchkey=latchkey)
    # As with a real API's own URL: it is known now, and the stack is told.
    update_stack(emulator, "latchkey", parameters={"Issuer": cloud.issuer})
    # The emulator leaves out the gateway's answers that the template has.
    logs_and_gateway.set_gateway(cloud.client("apigateway"), stage, api=cloud.latchkey, issuer=cloud.issuer)
    allow(cloud, guard=guard, api=notes)
    return cloud


def _deploy_notes(emulator: aws.EmbeddedAws, *, guard: str, build: Path) -> str:
    copy, out = build / "cloud" / "notes-project", build / "cloud" / "notes"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__", "deploy*"))
    # For the authorizer in the swagger, and for the function, which imports the same app.py.
    uri = {"LATCHKEY_GUARD_URI": attaching.invocation_uri(guard)}
    config = copy / ".chalice" / "config.json"
    settings = json.loads(config.read_text())
    settings["stages"]["dev"] |= {
        "environment_variables": uri,
        "lambda_architecture": vendor.of_this_machine(),
    }
    config.write_text(json.dumps(settings))
    staging.run_chalice(copy, "package", "--stage", "dev", str(out), environment=uri)
    return create_stack(emulator, "notes", out / "sam.json", parameters={})


def _deploy_latchkey(emulator: aws.EmbeddedAws, *, notes: str, project: Path, build: Path) -> str:
    scopes = registered_apis.scope_map(EXAMPLE / "scopes.json").scopes
    entry = registered_apis.entry(name="notes", scopes=scopes, revocation="stateless", answer="policy", audience=None)
    template = package.package(
        stages.read(STAGE, project=project),
        form="sam",
        out=build / "cloud" / "latchkey",
        architecture=vendor.of_this_machine(),
        registry={**registered_apis.Register(project).read(), notes: entry},
        project=project,
        build=build,
    )
    return create_stack(emulator, "latchkey", template, parameters={"Issuer": UNKNOWN_ISSUER})


def allow(cloud: Cloud, *, guard: str, api: str) -> None:
    """Let another API's authorizers call the guard: the one thing that Chalice does not do for it."""
    cloud.client("lambda").add_permission(
        FunctionName=guard,
        StatementId=api,
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{aws.REGION}:{ACCOUNT}:{api}/authorizers/*",
    )


def create_stack(emulator: aws.EmbeddedAws, name: str, template: Path, *, parameters: Mapping[str, str]) -> str:
    """Upload a package as `aws cloudformation package` would, create its stack, and return the API's id."""
    key = f"{name}.zip"
    client(emulator, "s3").upload_file(str(template.with_name("deployment.zip")), BUCKET, key)
    document = json.loads(template.read_text())
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": BUCKET, "Key": key}
        if resource["Type"] == "AWS::IAM::Role":
            _let_read_by_path(resource["Properties"]["Policies"])
    formation = client(emulator, "cloudformation")
    # Past 51,200 bytes CloudFormation takes a template from a bucket only.
    client(emulator, "s3").put_object(Bucket=BUCKET, Key=f"{name}.json", Body=json.dumps(document).encode())
    formation.create_stack(StackName=name, TemplateURL=f"{emulator.endpoint}/{BUCKET}/{name}.json", **_with(parameters))
    formation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    (stack,) = formation.describe_stacks(StackName=name)["Stacks"]
    outputs: dict[str, str] = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
    return outputs["RestAPIId"]


def _let_read_by_path(policies: list[dict[str, Any]]) -> None:
    """Widen one right for the emulator, which takes a look below a path for a look at everything."""
    for policy in policies:
        statements = policy["PolicyDocument"]["Statement"]
        if any("ssm:GetParametersByPath" in statement["Action"] for statement in statements):
            statements.append({"Effect": "Allow", "Action": "ssm:GetParametersByPath", "Resource": "*"})


def update_stack(emulator: aws.EmbeddedAws, name: str, *, parameters: Mapping[str, str]) -> None:
    """Give a stack other parameters."""
    formation = client(emulator, "cloudformation")
    formation.update_stack(StackName=name, UsePreviousTemplate=True, **_with(parameters))
    formation.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig={"Delay": 1})


def _with(parameters: Mapping[str, str]) -> dict[str, Any]:
    listed = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    return {"Parameters": listed, "Capabilities": list(CAPABILITIES)}


def _add_user(cloud: Cloud) -> None:
    """Sign the demo user up, as an app would."""
    who = json.dumps({"email": demo.ADDRESS, "password": demo.PASSWORD}).encode()
    request = urllib.request.Request(f"{cloud.issuer}/signup", data=who, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()


def _welcome(cloud: Cloud) -> str:
    who = json.dumps({"email": demo.ADDRESS, "password": demo.PASSWORD})
    owner = cloud.emulator.environment()
    return f"""
Latchkey   {cloud.issuer}
Notes      {cloud.notes_url}
AWS        {cloud.endpoint}   ({aws.REGION}, key {owner["AWS_ACCESS_KEY_ID"]}, secret {owner["AWS_SECRET_ACCESS_KEY"]})
Demo user  {demo.ADDRESS}, password {demo.PASSWORD}

curl -s {cloud.issuer}/login -H 'Content-Type: application/json' -d '{who}'

Ctrl-C stops it, and nothing of it stays.
"""


def _leave(*_: object) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # one is enough, and leaving takes a moment
    sys.exit(0)


def main() -> None:
    """Bring it up, say where it is, and keep it until Ctrl-C or SIGTERM."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)

    with in_one_line(), suppress(KeyboardInterrupt), running() as cloud:
        _add_user(cloud)
        print(_welcome(cloud), flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
