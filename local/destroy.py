"""`python -m local.destroy`: take a stage out of the account; the users stay unless told otherwise."""

import argparse
from contextlib import suppress

import boto3

from local import stages, staging
from local.deploy import PATIENT, CannotDeployError, account, in_one_line
from local.stages import PROJECT, Stage


def destroy(stage: Stage, *, with_users: bool) -> None:
    """Delete functions, API, roles, logs, keys and sessions, and the users table only if asked to."""
    said = staging.run_chalice(PROJECT, "delete", "--stage", stage.name).strip()
    print(said or "Chalice had deployed nothing.")
    _delete_log_groups(stage)
    _delete_keys(stage)
    _delete_table(stage.grants_table)
    if with_users:
        _delete_table(stage.users_table, protected=True)
    else:
        print(f"Kept: {stage.users_table}, with every account in it.")


def _delete_log_groups(stage: Stage) -> None:
    logs = boto3.client("logs", config=PATIENT)
    for function in stage.functions:
        with suppress(logs.exceptions.ResourceNotFoundException):
            logs.delete_log_group(logGroupName=stage.log_group(function))


def _delete_keys(stage: Stage) -> None:
    ssm = boto3.client("ssm", config=PATIENT)
    pages = ssm.get_paginator("get_parameters_by_path").paginate(
        Path=stage.environment()["LATCHKEY_KEYS_PATH"], Recursive=True
    )
    for page in pages:
        # A page has ten at most, and that is what one deletion takes.
        if names := [parameter["Name"] for parameter in page["Parameters"]]:
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


def confirm(stage: Stage, given: str | None) -> None:
    """Go on only if the operator names the stage, on the command line or when asked."""
    named = given if given is not None else input(f"Type the stage's name ({stage.name}) to destroy it: ")
    if named.strip() != stage.name:
        raise CannotDeployError("Nothing was destroyed: that was not the stage's name.")


def main() -> None:
    """Read the command line, ask, and destroy."""
    parser = argparse.ArgumentParser(prog="python -m local.destroy", description=__doc__)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--confirm", help="the stage's name once more; asked for if it is not given")
    parser.add_argument("--with-users", action="store_true", help="delete the accounts too, for good")
    asked = parser.parse_args()

    def work() -> None:
        stage = stages.read(asked.stage)
        where = account()
        print(f"Account {where.number}, {where.region}, as {where.identity}.")
        confirm(stage, asked.confirm)
        destroy(stage, with_users=asked.with_users)

    in_one_line(work)


if __name__ == "__main__":
    main()
