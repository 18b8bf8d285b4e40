"""What Chalice does not set on a deployment: the gateway's answers and limits, and how long logs are kept."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from chalicelib.config import RESOURCE_METADATA
from deploy import gateway_responses
from deploy.stages import API_STAGE, Stage

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_apigateway.type_defs import PatchOperationTypeDef


def ensure_log_groups(logs: Any, stage: Stage) -> None:
    """Make each function's log group, kept as long as the stage says; the functions may not make one."""
    for function in stage.functions:
        group = stage.log_group(function)
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=group)
        logs.put_retention_policy(logGroupName=group, retentionInDays=stage.limits.log_days)


def set_gateway(gateway: "APIGatewayClient", stage: Stage, *, api: str, issuer: str) -> None:
    """Set the gateway's own answers, its limits and its tracing, and put them into force."""
    for kind, answer in gateway_responses.ANSWERS.items():
        headers = gateway_responses.headers(
            answer, metadata=issuer + RESOURCE_METADATA, scopes=gateway_responses.OWN_SCOPES
        )
        _put_answer(gateway, api, kind, answer, headers)
    # An answer counts from the next deployment on; Chalice's own wiped those of the one before.
    gateway.create_deployment(restApiId=api, stageName=API_STAGE, description="The gateway's own answers")
    gateway.update_stage(restApiId=api, stageName=API_STAGE, patchOperations=_limits(stage))


def _put_answer(
    gateway: "APIGatewayClient",
    api: str,
    kind: str,
    answer: gateway_responses.GatewayAnswer,
    headers: dict[str, str],
) -> None:
    status = {} if answer.status is None else {"statusCode": str(answer.status)}
    gateway.put_gateway_response(
        restApiId=api,
        responseType=kind,  # type: ignore[arg-type]
        responseParameters={f"gatewayresponse.header.{name}": value for name, value in headers.items()},
        responseTemplates=gateway_responses.template(answer),
        **status,
    )


def _limits(stage: Stage) -> "list[PatchOperationTypeDef]":
    traced = bool(stage.config.get("xray", False))
    return [
        {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": str(stage.limits.rate)},
        {"op": "replace", "path": "/*/*/throttling/burstLimit", "value": str(stage.limits.burst)},
        {"op": "replace", "path": "/tracingEnabled", "value": str(traced).lower()},
    ]
