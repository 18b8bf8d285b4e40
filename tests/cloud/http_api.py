"""An HTTP API of another team's, with our guard as its REQUEST authorizer, payload 2.0."""

from deploy import attaching
from local import aws
from local.cloud import ACCOUNT, Cloud
from tests.cloud.conftest import DEV, Phone

ROUTES = ("GET /notes", "POST /notes", "GET /notes/{id}", "DELETE /notes/{id}")
GUARD = f"arn:aws:lambda:{aws.REGION}:{ACCOUNT}:function:{DEV.deployed_name('guard_request')}"
HEADER, ROUTE = "$request.header.Authorization", "$context.routeKey"


def attach(cloud: Cloud, api: str, *, simple: bool, ttl: int) -> Phone:
    """Make the API as `./latchkey apis add` tells its team to; behind it is the notes example."""
    gateway = cloud.client("apigatewayv2")
    gateway.create_api(Name=api, ProtocolType="HTTP", Tags={"ms-custom-id": api})
    authorizer = gateway.create_authorizer(
        ApiId=api,
        Name="latchkey",
        AuthorizerType="REQUEST",
        AuthorizerUri=attaching.invocation_uri(GUARD),
        AuthorizerPayloadFormatVersion="2.0",
        EnableSimpleResponses=simple,
        AuthorizerResultTtlInSeconds=ttl,
        IdentitySource=[HEADER, ROUTE] if simple else [HEADER],
    )["AuthorizerId"]
    behind = gateway.create_integration(
        ApiId=api,
        IntegrationType="HTTP_PROXY",
        IntegrationMethod="GET",
        # The emulator adds the request's path to it, where AWS wants the path written out.
        IntegrationUri=cloud.notes_url,
        PayloadFormatVersion="1.0",
    )["IntegrationId"]
    for route in ROUTES:
        gateway.create_route(
            ApiId=api,
            RouteKey=route,
            Target=f"integrations/{behind}",
            AuthorizationType="CUSTOM",
            AuthorizerId=authorizer,
        )
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    cloud.client("lambda").add_permission(
        FunctionName=GUARD,
        StatementId=api,
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{aws.REGION}:{ACCOUNT}:{api}/authorizers/*",
    )
    return Phone(f"{cloud.endpoint}/_aws/execute-api/{api}/$default")
