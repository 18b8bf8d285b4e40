"""What Chalice's SAM template lacks: tables, log retention, the gateway's answers and limits, the issuer."""

from typing import Any

from chalicelib.store import tables
from deploy import gateway_responses, mail, outbox
from deploy.stages import GUARDS, Stage

Resources = dict[str, Any]
# Chalice's logical id for the function with all routes; the others are in CamelCase.
_API_HANDLER = "APIHandler"


def merge_template(stage: Stage) -> dict[str, Any]:
    """Return the template that `chalice package --merge-template` lays over its own."""
    return {
        "Parameters": {"Issuer": _ISSUER},
        "Resources": {
            **_tables(stage),
            **_functions(stage),
            **_delivery(stage),
            **_mail_events(stage),
            "RestAPI": {"Properties": _rest_api(stage)},
        },
        "Outputs": {**_guard_arns(), "Issuer": {"Value": {"Ref": "Issuer"}}},
    }


_ISSUER = {
    "Type": "String",
    "AllowedPattern": "https?://.*[^/]",
    "Description": "The base URL that clients use, without a slash at its end: a custom domain, or this "
    "API's own URL (EndpointURL), which is known only after the first deployment.",
}


def logical_id(function: str) -> str:
    """Return the logical id that Chalice gives a function."""
    if function == "api_handler":
        return _API_HANDLER
    return "".join(part.capitalize() for part in function.split("_"))


def _tables(stage: Stage) -> Resources:
    users, grants, outbox = tables.definition(**stage.tables)
    backups = {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
    expiry = {"TimeToLiveSpecification": {"AttributeName": tables.EXPIRY, "Enabled": True}}
    return {
        # Deleting the stack must not delete the accounts.
        "UsersTable": _table({**users, **backups, **expiry}, when_deleted="Retain"),
        "GrantsTable": _table({**grants, **expiry}, when_deleted="Delete"),
        "OutboxTable": _table({**outbox, **expiry, **_stream(outbox)}, when_deleted="Delete"),
    }


def _stream(definition: dict[str, Any]) -> dict[str, Any]:
    # CloudFormation has a stream where there is a type, and knows no StreamEnabled.
    return {"StreamSpecification": {"StreamViewType": definition["StreamSpecification"]["StreamViewType"]}}


def _table(properties: dict[str, Any], *, when_deleted: str) -> dict[str, Any]:
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": when_deleted,
        "UpdateReplacePolicy": when_deleted,
        "Properties": properties,
    }


def _functions(stage: Stage) -> Resources:
    resources: Resources = {}
    for function in stage.functions:
        name = logical_id(function)
        resources[f"{name}Logs"] = {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "LogGroupName": stage.log_group(function),
                "RetentionInDays": stage.limits.log_days,
            },
        }
        resources[name] = {
            # The functions may not make log groups: theirs is there before they run.
            "DependsOn": [f"{name}Logs"],
            "Properties": {
                "FunctionName": stage.deployed_name(function),
                "Environment": {"Variables": _VARIABLES},
            },
        }
    return resources


_VARIABLES = {
    "LATCHKEY_ISSUER": {"Ref": "Issuer"},
    "LATCHKEY_USERS_TABLE": {"Ref": "UsersTable"},
    "LATCHKEY_GRANTS_TABLE": {"Ref": "GrantsTable"},
    "LATCHKEY_OUTBOX_TABLE": {"Ref": "OutboxTable"},
}


def _delivery(stage: Stage) -> Resources:
    function = logical_id(outbox.FUNCTION)
    invoke = {"PolicyName": "invoke", "PolicyDocument": outbox.policy({"Fn::GetAtt": [function, "Arn"]})}
    return {
        "OutboxSource": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "EventSourceArn": {"Fn::GetAtt": ["OutboxTable", "StreamArn"]},
                "FunctionName": {"Ref": function},
                **outbox.MAPPING,
            },
        },
        "OutboxRole": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "RoleName": outbox.role_name(stage),
                "AssumeRolePolicyDocument": outbox.trust(),
                "Policies": [invoke],
            },
        },
    }


def _mail_events(stage: Stage) -> Resources:
    if not stage.configuration_set:
        return {}
    own = {"partition": "${AWS::Partition}", "region": "${AWS::Region}", "number": "${AWS::AccountId}"}
    events = {
        "Name": mail.DESTINATION,
        "Enabled": True,
        "MatchingEventTypes": [each.lower() for each in mail.EVENT_TYPES],
        "EventBridgeDestination": {"EventBusArn": {"Fn::Sub": mail.bus_arn(**own)}},
    }
    return {
        "MailConfigurationSet": {
            "Type": "AWS::SES::ConfigurationSet",
            "Properties": {"Name": stage.configuration_set},
        },
        "MailEventDestination": {
            "Type": "AWS::SES::ConfigurationSetEventDestination",
            "Properties": {"ConfigurationSetName": {"Ref": "MailConfigurationSet"}, "EventDestination": events},
        },
    }


def _rest_api(stage: Stage) -> dict[str, Any]:
    limits = stage.limits
    return {
        "Name": f"{stage.app_name}-{stage.name}",
        "TracingEnabled": bool(stage.config.get("xray", False)),
        "MethodSettings": [
            {
                "ResourcePath": "/*",
                "HttpMethod": "*",
                "ThrottlingRateLimit": limits.rate,
                "ThrottlingBurstLimit": limits.burst,
            }
        ],
        "GatewayResponses": _gateway_responses(),
    }


def _gateway_responses() -> dict[str, Any]:
    responses: Resources = {}
    for kind, answer in gateway_responses.ANSWERS.items():
        # Without the pointer to the metadata: SAM deploys an API anew for another text of the template, not for another
        # value of the parameter Issuer, so that the pointer would lead to the first one for ever.
        headers = gateway_responses.headers(answer, metadata="", scopes=gateway_responses.OWN_SCOPES)
        responses[kind] = {
            "ResponseParameters": {"Headers": headers},
            "ResponseTemplates": gateway_responses.template(answer),
        }
        if answer.status is not None:
            responses[kind]["StatusCode"] = answer.status
    return responses


def _guard_arns() -> dict[str, Any]:
    """Other APIs in the account need these to attach the guard."""
    names = {function: logical_id(function) for function in GUARDS}
    return {f"{name}Arn": {"Value": {"Fn::GetAtt": [name, "Arn"]}} for name in names.values()}
