"""What starts the delivery of messages: the outbox's stream, and for one more try the scheduler, under a role of its own."""

import json
from contextlib import suppress
from typing import Any

import boto3

from deploy.access import PATIENT
from deploy.stages import Stage

FUNCTION = "deliver"
# New messages alone: what a delivery itself changes and deletes starts nothing.
FILTER = {"Filters": [{"Pattern": json.dumps({"eventName": ["INSERT"]})}]}
MAPPING: dict[str, Any] = {
    "BatchSize": 10,
    "StartingPosition": "TRIM_HORIZON",
    "ParallelizationFactor": 10,  # of a shard: a receiver that hangs holds up few others
    "FilterCriteria": FILTER,
}


def role_name(stage: Stage) -> str:
    """Return the role under which the scheduler calls the function; the function finds it by this name."""
    return f"{stage.deployed_name(FUNCTION)}-schedule"


def trust() -> dict[str, Any]:
    """Return who may take that role."""
    may = {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [may]}


def policy(function_arn: Any) -> dict[str, Any]:
    """Return what may be done under it."""
    may = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function_arn}
    return {"Version": "2012-10-17", "Statement": [may]}


def ensure(stage: Stage) -> None:
    """Make role and event source where they are missing; safe to repeat."""
    functions = boto3.client("lambda", config=PATIENT)
    name = stage.deployed_name(FUNCTION)
    arn = functions.get_function_configuration(FunctionName=name)["FunctionArn"]
    _ensure_role(role_name(stage), arn)
    stream = boto3.client("dynamodb", config=PATIENT).describe_table(TableName=stage.outbox_table)["Table"]
    source: Any = {"EventSourceArn": stream["LatestStreamArn"], "FunctionName": name}
    known = functions.list_event_source_mappings(**source)["EventSourceMappings"]
    if known:
        settings = {key: value for key, value in MAPPING.items() if key != "StartingPosition"}
        functions.update_event_source_mapping(UUID=known[0]["UUID"], FunctionName=name, **settings)
    else:
        functions.create_event_source_mapping(**source, **MAPPING)


def _ensure_role(role: str, function_arn: str) -> None:
    iam = boto3.client("iam", config=PATIENT)
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust()))
    iam.put_role_policy(RoleName=role, PolicyName="invoke", PolicyDocument=json.dumps(policy(function_arn)))


def delete(stage: Stage) -> None:
    """Delete event source, role and the retries that are still to come."""
    functions = boto3.client("lambda", config=PATIENT)
    name = stage.deployed_name(FUNCTION)
    for mapping in functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]:
        functions.delete_event_source_mapping(UUID=mapping["UUID"])
    scheduler: Any = boto3.client("scheduler", config=PATIENT)
    for page in scheduler.get_paginator("list_schedules").paginate(NamePrefix=f"{name}-"):
        for schedule in page["Schedules"]:
            scheduler.delete_schedule(Name=schedule["Name"])
    iam = boto3.client("iam", config=PATIENT)
    with suppress(iam.exceptions.NoSuchEntityException):
        iam.delete_role_policy(RoleName=role_name(stage), PolicyName="invoke")
    with suppress(iam.exceptions.NoSuchEntityException):
        iam.delete_role(RoleName=role_name(stage))
