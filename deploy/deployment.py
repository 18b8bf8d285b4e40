"""Everything from an empty AWS account to a live issuer; safe to repeat."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3

from chalicelib import config, services
from chalicelib.flows.platform import keys
from chalicelib.store import tables
from chalicelib.store.aws import client
from deploy import custom, logs_and_gateway, mail, outbox, smoke, staging
from deploy.access import PATIENT, Account
from deploy.deployed import UNKNOWN_ISSUER, deployed_api, issuer_of
from deploy.errors import CannotDeployError
from deploy.stages import PROJECT, Stage


def refuse_a_second_api(stage: Stage) -> None:
    """Stop where the account has this deployment but we do not know its API: Chalice would make another."""
    if deployed_api(stage) is not None:
        return
    functions = boto3.client("lambda", config=PATIENT)
    name = stage.deployed_name("api_handler")
    try:
        functions.get_function_configuration(FunctionName=name)
    except functions.exceptions.ResourceNotFoundException:
        return
    raise CannotDeployError(
        f"The account has a function {name}, but .chalice/deployed/{stage.name}.json does not name its API: "
        "deploying would make a second one under another URL. Bring the file back, or pass --with-a-new-api."
    )


class _ReadNames(dict[str, str]):
    """An environment that knows which of its variables were looked for."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(environment)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


def check_settings(stage: Stage, *, project: Path = PROJECT) -> None:
    """Stop, before anything is done, for a setting that a function of the stage would not start with, or that does not exist.

    The operator's own files are settings as well.
    """
    for notice in custom.check(project):
        print(notice)
    for function in stage.functions:
        own = {"LATCHKEY_ISSUER": UNKNOWN_ISSUER, **custom.environment(project), **stage.environment(function)}
        environment = _ReadNames(own)
        try:
            config.load(environment)
        except config.WrongSetting as error:
            raise CannotDeployError(f"{function} of the stage {stage.name} would not start: {error}.") from None
        for name in sorted(name for name in environment.keys() - environment.names if name.startswith("LATCHKEY_")):
            near = difflib.get_close_matches(name, environment.names, n=1)
            hint = f": did you mean {near[0]}?" if near else "."
            raise CannotDeployError(f"{function} of the stage {stage.name} has {name}, which is no setting{hint}")


def make_storage(stage: Stage) -> list[Mapping[str, Any]]:
    """Make tables, log groups and keys where they are missing; return the public keys."""
    dynamodb = boto3.client("dynamodb", config=PATIENT)
    tables.ensure(dynamodb, **stage.tables)
    logs_and_gateway.ensure_log_groups(boto3.client("logs", config=PATIENT), stage)
    environment = {**stage.environment(), "LATCHKEY_ISSUER": issuer_of(stage) or UNKNOWN_ISSUER}
    svc = services.build(config.load(environment), seconds=client.PATIENT)
    keys.ensure(svc)
    return keys.published(svc)


def deploy(stage: Stage, *, architecture: str, smoke_test: bool) -> str:
    """Deploy one stage and return its issuer."""
    jwks = make_storage(stage)
    mail.ensure(stage)  # before the function that sends under it
    known = issuer_of(stage)
    environment = {"LATCHKEY_ISSUER": known or UNKNOWN_ISSUER}
    copy = staging.make(stage, architecture=architecture, environment=environment, jwks=jwks)
    staging.check(staging.zip_up(copy, architecture=architecture), architecture=architecture, jwks=True)
    issuer, api = _publish(stage, copy)
    if known is None:
        print(f"The issuer is not configured: it will be the API's own URL, {issuer}. Once more, with it.")
        staging.configure(copy, stage, architecture=architecture, environment={"LATCHKEY_ISSUER": issuer})
        issuer, api = _publish(stage, copy)
    outbox.ensure(stage)
    logs_and_gateway.set_gateway(boto3.client("apigateway", config=PATIENT), stage, api=api, issuer=issuer)
    if smoke_test and (problems := smoke.failures(issuer)):
        raise CannotDeployError("\n".join([f"Deployed, but {issuer} does not answer as it should:", *problems]))
    return issuer


def _publish(stage: Stage, copy: Path) -> tuple[str, str]:
    """Let Chalice deploy the copy and the zip that is made of it; return the issuer and the id of the API."""
    print(staging.run_chalice(copy, "deploy", "--stage", stage.name).strip())
    issuer, api = issuer_of(stage), deployed_api(stage)
    if issuer is None or api is None:
        raise CannotDeployError(f"Chalice left no REST API in .chalice/deployed/{stage.name}.json.")
    return issuer, api["rest_api_id"]


def announce(stage: Stage, where: Account, architecture: str) -> None:
    """Say what is going to happen before anything does."""
    print(f"Account {where.number}, {where.region}, as {where.identity}. For the stage {stage.name}:")
    print(
        f"  tables     {stage.users_table} (backups, protected), {stage.grants_table}, {stage.outbox_table} (expiring)"
    )
    print(f"  keys       {stage.environment()['LATCHKEY_KEYS_PATH']} in the parameter store, if there are none")
    print(f"  functions  {', '.join(map(stage.deployed_name, stage.functions))} ({architecture})")
    print(f"  logs       kept {stage.limits.log_days} days")
    print(f"  gateway    {stage.limits.rate} requests/s, bursts of {stage.limits.burst}, errors in our shape")
    print(f"  issuer     {issuer_of(stage) or 'the URL that API Gateway gives'}")
