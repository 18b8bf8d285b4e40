"""Take a stage out of the account; the users stay unless told otherwise."""

from contextlib import suppress

import boto3

from deploy import mail, outbox, registered_apis, staging
from deploy.access import PATIENT
from deploy.deployed import issuer_of
from deploy.errors import CannotDeployError
from deploy.stages import PROJECT, Stage

# What users are known by; the stage's next deployment goes on with it.
KEPT_KEYS = "pairwise"


def announce(stage: Stage, *, with_users: bool) -> None:
    """Say what will be lost and what is kept, before anything happens."""
    issuer = issuer_of(stage)
    again = (
        "again at the next deployment" if stage.environment().get("LATCHKEY_ISSUER") else "the next one has another URL"
    )
    others = [f"{api['name']} ({api_id})" for api_id, api in registered_apis.Register().read().items()]
    users = {
        stage.users_table: "every account, client and consent",
        f"{stage.environment()['LATCHKEY_KEYS_PATH']}/{KEPT_KEYS}": "what users are called at pairwise clients",
    }
    lost = {
        ", ".join(map(stage.deployed_name, stage.functions)): "the functions, with their roles and logs",
        issuer or "the API": f"the issuer: {again}",
        stage.grants_table: "every session: everybody logs in again",
        stage.outbox_table: "what was not delivered yet",
        stage.environment()["LATCHKEY_KEYS_PATH"]: "signing and refresh keys: no token is good any more",
        **dict.fromkeys(others, "an API that asks this guard: it will refuse everybody"),
        **(users if with_users else {}),
    }
    print(f"Destroying the stage {stage.name} loses")
    print("".join(f"  {what}   ({why})\n" for what, why in lost.items()), end="")
    if not with_users:
        print("and keeps, for its next deployment,")
        print("".join(f"  {what}   ({why})\n" for what, why in users.items()), end="")


def destroy(stage: Stage, *, with_users: bool) -> None:
    """Delete functions, API, roles, logs, keys and sessions, and what the users need only if asked to."""
    outbox.delete(stage)
    try:
        output = staging.run_chalice(PROJECT, "delete", "--stage", stage.name).strip()
    except staging.CannotPackageError as error:
        raise CannotDeployError(f"Chalice could not delete it: {str(error).splitlines()[-1]}") from None
    print(output or "Chalice had deployed nothing.")
    mail.delete(stage)
    _delete_log_groups(stage)
    _delete_keys(stage, with_users=with_users)
    _delete_table(stage.grants_table)
    _delete_table(stage.outbox_table)
    if with_users:
        _delete_table(stage.users_table, protected=True)
    else:
        print(f"Kept: {stage.users_table} and {stage.environment()['LATCHKEY_KEYS_PATH']}/{KEPT_KEYS}.")


def _delete_log_groups(stage: Stage) -> None:
    logs = boto3.client("logs", config=PATIENT)
    for function in stage.functions:
        with suppress(logs.exceptions.ResourceNotFoundException):
            logs.delete_log_group(logGroupName=stage.log_group(function))


def _delete_keys(stage: Stage, *, with_users: bool) -> None:
    ssm = boto3.client("ssm", config=PATIENT)
    path = stage.environment()["LATCHKEY_KEYS_PATH"]
    kept = () if with_users else f"{path}/{KEPT_KEYS}/"
    for page in ssm.get_paginator("get_parameters_by_path").paginate(Path=path, Recursive=True):
        names = [each["Name"] for each in page["Parameters"] if not each["Name"].startswith(kept)]
        # A page has ten at most, and that is what one deletion takes.
        if names:
            ssm.delete_parameters(Names=names)


def _delete_table(name: str, *, protected: bool = False) -> None:
    dynamodb = boto3.client("dynamodb", config=PATIENT)
    try:
        if protected:
            dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
            dynamodb.get_waiter("table_exists").wait(TableName=name)
        dynamodb.delete_table(TableName=name)
    except dynamodb.exceptions.ResourceNotFoundException:
        return
    dynamodb.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 2})
    print(f"Deleted: {name}")


def confirm(stage: Stage, confirmation: str | None) -> None:
    """Go on only if the operator names the stage, on the command line or when asked."""
    try:
        answer = (
            confirmation if confirmation is not None else input(f"Type the stage's name ({stage.name}) to destroy it: ")
        )
    except EOFError:
        answer = ""
    if answer.strip() != stage.name:
        raise CannotDeployError("Nothing was destroyed: that was not the stage's name.")
