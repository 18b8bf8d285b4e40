"""What Chalice's Terraform lacks or gets wrong: as for SAM, and a stage of its own for the API."""

import json
from typing import Any

from chalicelib.config import RESOURCE_METADATA
from chalicelib.store import tables
from deploy import gateway_responses, mail, outbox
from deploy.stages import API_STAGE, GUARDS, Stage

Resources = dict[str, Any]
_API = "${aws_api_gateway_rest_api.rest_api.id}"
VERSIONS = {
    # Chalice still asks for a Terraform older than 1.4 and a provider older than 5.
    # SES knows EventBridge as a destination since 5.61.
    "required_version": ">= 1.5",
    "required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 5.70, < 6.0"}},
}


def complete(document: dict[str, Any], stage: Stage) -> dict[str, Any]:
    """Return Chalice's own document, put right: `document` is what chalice.tf.json holds."""
    resource = {kind: dict(by_name) for kind, by_name in document["resource"].items()}
    _repair_functions(resource, stage)
    _repair_deployment(resource)
    _repair_schedule(resource, stage)
    _add_delivery(resource, stage)
    _add_mail_events(resource, stage)
    swagger = json.loads(document["locals"]["chalice_api_swagger"])
    swagger["x-amazon-apigateway-gateway-responses"] = _gateway_responses()
    return {
        **document,
        "resource": {**resource, **_tables(stage), **_log_groups(stage), **_api_stage(stage)},
        "locals": {"chalice_api_swagger": json.dumps(swagger)},
        "terraform": VERSIONS,
        "variable": {"issuer": _ISSUER},
        # Its only use was a provider ("null") that nobody needs to install.
        "data": {kind: by_name for kind, by_name in document["data"].items() if kind != "null_data_source"},
        "output": {**document["output"], **_outputs()},
    }


_ISSUER = {
    "type": "string",
    "description": "The base URL that clients use, without a slash at its end: a custom domain, or the "
    "output EndpointURL, which is known only after the first apply.",
}


def _repair_functions(resource: Resources, stage: Stage) -> None:
    for name, function in resource["aws_lambda_function"].items():
        function["environment"]["variables"] |= {
            "LATCHKEY_ISSUER": "${var.issuer}",
            "LATCHKEY_USERS_TABLE": "${aws_dynamodb_table.users.name}",
            "LATCHKEY_GRANTS_TABLE": "${aws_dynamodb_table.grants.name}",
            "LATCHKEY_OUTBOX_TABLE": "${aws_dynamodb_table.outbox.name}",
        }
        # The functions may not make log groups: theirs is there before they run.
        function["depends_on"] = [f"aws_cloudwatch_log_group.{name}"]
    resource["aws_api_gateway_rest_api"]["rest_api"]["name"] = f"{stage.app_name}-{stage.name}"


def _repair_deployment(resource: Resources) -> None:
    deployment = resource["aws_api_gateway_deployment"]["rest_api"]
    # A stage made by its deployment can be neither traced nor throttled.
    del deployment["stage_name"], deployment["stage_description"]
    deployment["triggers"] = {"body": "${sha1(local.chalice_api_swagger)}"}


def _repair_schedule(resource: Resources, stage: Stage) -> None:
    """Chalice names the rule the same for every stage, so a second stage in the account could not be made."""
    for name, rule in resource.get("aws_cloudwatch_event_rule", {}).items():
        rule["name"] = f"{stage.app_name}-{stage.name}-{name}"


def _add_delivery(resource: Resources, stage: Stage) -> None:
    function = f"${{aws_lambda_function.{outbox.FUNCTION}.arn}}"
    (pattern,) = outbox.FILTER["Filters"]
    resource["aws_lambda_event_source_mapping"] = {
        "outbox": {
            "event_source_arn": "${aws_dynamodb_table.outbox.stream_arn}",
            "function_name": function,
            "batch_size": outbox.MAPPING["BatchSize"],
            "starting_position": outbox.MAPPING["StartingPosition"],
            "parallelization_factor": outbox.MAPPING["ParallelizationFactor"],
            "filter_criteria": {"filter": {"pattern": pattern["Pattern"]}},
        }
    }
    role = {"name": outbox.role_name(stage), "assume_role_policy": json.dumps(outbox.trust())}
    resource["aws_iam_role"]["outbox"] = role
    resource["aws_iam_role_policy"]["outbox"] = {
        "name": "invoke",
        "role": "${aws_iam_role.outbox.id}",
        "policy": json.dumps(outbox.policy(function)),
    }


def _add_mail_events(resource: Resources, stage: Stage) -> None:
    if not stage.configuration_set:
        return
    # Chalice's own document has these two, for the policies of the functions.
    own = {"region": "${data.aws_region.chalice.name}", "number": "${data.aws_caller_identity.chalice.account_id}"}
    bus = mail.bus_arn(partition="${data.aws_partition.chalice.partition}", **own)
    resource["aws_sesv2_configuration_set"] = {"mail": {"configuration_set_name": stage.configuration_set}}
    resource["aws_sesv2_configuration_set_event_destination"] = {
        "mail": {
            "configuration_set_name": "${aws_sesv2_configuration_set.mail.configuration_set_name}",
            "event_destination_name": mail.DESTINATION,
            "event_destination": {
                "enabled": True,
                "matching_event_types": list(mail.EVENT_TYPES),
                "event_bridge_destination": {"event_bus_arn": bus},
            },
        }
    }


def _tables(stage: Stage) -> Resources:
    users, grants, outbox = tables.definition(**stage.tables)
    expiry = {"ttl": {"attribute_name": tables.EXPIRY, "enabled": True}}
    return {
        "aws_dynamodb_table": {
            "users": {
                **_table(users),
                "point_in_time_recovery": {"enabled": True},
                **expiry,
                "lifecycle": {"prevent_destroy": True},
            },
            "grants": {**_table(grants), **expiry},
            "outbox": {**_table(outbox), **expiry, **_stream(outbox)},
        }
    }


def _table(definition: dict[str, Any]) -> dict[str, Any]:
    keys = {key["KeyType"]: key["AttributeName"] for key in definition["KeySchema"]}
    return {
        "name": definition["TableName"],
        "billing_mode": definition["BillingMode"],
        "hash_key": keys["HASH"],
        "range_key": keys["RANGE"],
        "attribute": [
            {"name": a["AttributeName"], "type": a["AttributeType"]} for a in definition["AttributeDefinitions"]
        ],
        "deletion_protection_enabled": definition.get("DeletionProtectionEnabled", False),
    }


def _stream(definition: dict[str, Any]) -> dict[str, Any]:
    stream = definition["StreamSpecification"]
    return {"stream_enabled": stream["StreamEnabled"], "stream_view_type": stream["StreamViewType"]}


def _log_groups(stage: Stage) -> Resources:
    groups = {
        function: {"name": stage.log_group(function), "retention_in_days": stage.limits.log_days}
        for function in stage.functions
    }
    return {"aws_cloudwatch_log_group": groups}


def _api_stage(stage: Stage) -> Resources:
    limits = stage.limits
    return {
        "aws_api_gateway_stage": {
            "rest_api": {
                "rest_api_id": _API,
                "deployment_id": "${aws_api_gateway_deployment.rest_api.id}",
                "stage_name": API_STAGE,
                "xray_tracing_enabled": bool(stage.config.get("xray", False)),
            }
        },
        "aws_api_gateway_method_settings": {
            "rest_api": {
                "rest_api_id": _API,
                "stage_name": "${aws_api_gateway_stage.rest_api.stage_name}",
                "method_path": "*/*",
                "settings": {
                    "throttling_rate_limit": limits.rate,
                    "throttling_burst_limit": limits.burst,
                },
            }
        },
    }


def _gateway_responses() -> dict[str, Any]:
    """In the API's own document, so that they are in every deployment of it."""
    responses: Resources = {}
    for kind, answer in gateway_responses.ANSWERS.items():
        metadata = f"${{var.issuer}}{RESOURCE_METADATA}"
        headers = gateway_responses.headers(answer, metadata=metadata, scopes=gateway_responses.OWN_SCOPES)
        responses[kind] = {
            "responseParameters": {f"gatewayresponse.header.{k}": v for k, v in headers.items()},
            "responseTemplates": gateway_responses.template(answer),
        }
        if answer.status is not None:
            responses[kind]["statusCode"] = str(answer.status)
    return responses


def _outputs() -> Resources:
    arns = {f"{name}_arn": {"value": f"${{aws_lambda_function.{name}.arn}}"} for name in GUARDS}
    return {
        "EndpointURL": {"value": "${aws_api_gateway_stage.rest_api.invoke_url}"},
        "issuer": {"value": "${var.issuer}"},
        **arns,
    }
