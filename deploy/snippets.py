"""An authorizer as each way of deploying writes it, the values filled in, and how a browser's preflight gets past it."""

from dataclasses import dataclass
from textwrap import indent

HEADER, ROUTE = "$request.header.Authorization", "$context.routeKey"


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """What an API has to be told to ask the guard."""

    api_id: str
    arn: str
    uri: str
    ttl: int
    simple: bool
    proofs: bool
    any_paths: tuple[str, ...] = ()

    @property
    def rest_type(self) -> str:
        """A TOKEN authorizer is not shown the header DPoP."""
        return "REQUEST" if self.proofs else "TOKEN"

    @property
    def sources(self) -> tuple[str, ...]:
        """What an HTTP API keeps answers by: a simple one is for one route and must not be reused for others."""
        if self.proofs:
            return ()
        return (HEADER, ROUTE) if self.simple else (HEADER,)

    @property
    def callers(self) -> str:
        """The ARN of the API's authorizers, which alone may call the guard."""
        _, partition, _, region, account, *_ = self.arn.split(":")
        return f"arn:{partition}:execute-api:{region}:{account}:{self.api_id}/authorizers/*"


def rest_api(api: Attachment) -> str:
    """Every way for a REST API."""
    parts = {
        "AWS CLI": _rest_cli(api),
        "SAM": _rest_sam(api),
        "CDK": _rest_cdk(api),
        "Terraform": _rest_terraform(api),
    }
    if not api.proofs:  # Chalice's are TOKEN authorizers
        parts["Chalice"] = f'guard = CustomAuthorizer("latchkey", authorizer_uri="{api.uri}", ttl_seconds={api.ttl})'
    return _chapter(f"A REST API ({api.rest_type}, result TTL {api.ttl} s)", parts, _REST_PREFLIGHT)


def http_api(api: Attachment) -> str:
    """Every way for an HTTP API."""
    parts = {
        "AWS CLI": _http_cli(api),
        "SAM": _http_sam(api),
        "CDK": _http_cdk(api),
        "Terraform": _http_terraform(api),
    }
    sources = ", ".join(api.sources) or "no identity sources"
    answers = f"simple responses {'on' if api.simple else 'off'}"
    title = f"An HTTP API (REQUEST, {answers}, result TTL {api.ttl} s, {sources})"
    return _chapter(title, parts, _http_preflight(api))


def _chapter(title: str, parts: dict[str, str], preflight: str) -> str:
    sections = [f"  {name}:\n{indent(text, '    ')}" for name, text in parts.items()]
    return "\n\n".join([f"== {title}", *sections, indent(preflight, "  ")])


_REST_PREFLIGHT = """\
OPTIONS stays open: a browser's preflight carries no token. Give the method OPTIONS of each resource the authorization
NONE and a MOCK integration that answers with the CORS headers; a method ANY with the authorizer covers OPTIONS too,
unless the resource has an OPTIONS of its own. In SAM and CDK the lines on CORS above do that, in Chalice `cors=`."""


_CORS = (
    '{"AllowOrigins": ["https://app.example.com"], "AllowMethods": ["GET", "POST"], '
    '"AllowHeaders": ["authorization", "content-type"]}'
)


def _http_preflight(api: Attachment) -> str:
    beside = "".join(
        f"\n  aws apigatewayv2 create-route --api-id {api.api_id} --route-key 'OPTIONS {path}' --authorization-type NONE"
        for path in api.any_paths
    )
    return f"""\
OPTIONS stays open: a browser's preflight carries no token. With a CORS configuration the gateway answers it by itself:
  aws apigatewayv2 update-api --api-id {api.api_id} --cors-configuration \\
    '{_CORS}'
A route ANY or $default with the authorizer asks for a token all the same, unless there is a route OPTIONS without it,
with an integration that answers 204:{beside or " OPTIONS /{proxy+} will do."}"""


def _permission(api: Attachment) -> str:
    return f"""\
aws lambda add-permission --function-name '{api.arn}' --statement-id {api.api_id} \\
  --action lambda:InvokeFunction --principal apigateway.amazonaws.com \\
  --source-arn '{api.callers}'"""


def _rest_cli(api: Attachment) -> str:
    source = "" if api.proofs else " --identity-source method.request.header.Authorization"
    return f"""\
{_permission(api)}
aws apigateway create-authorizer --rest-api-id {api.api_id} --name latchkey --type {api.rest_type}{source} \\
  --authorizer-result-ttl-in-seconds {api.ttl} \\
  --authorizer-uri '{api.uri}'
# for each guarded method, and then deploy:
aws apigateway update-method --rest-api-id {api.api_id} --resource-id '<resource>' --http-method '<method>' --patch-operations \\
  op=replace,path=/authorizationType,value=CUSTOM op=replace,path=/authorizerId,value='<authorizer>'
aws apigateway create-deployment --rest-api-id {api.api_id} --stage-name '<stage>'"""


def _http_cli(api: Attachment) -> str:
    sources = " --identity-source" + "".join(f" '{source}'" for source in api.sources) if api.sources else ""
    return f"""\
{_permission(api)}
aws apigatewayv2 create-authorizer --api-id {api.api_id} --name latchkey --authorizer-type REQUEST \\
  --authorizer-payload-format-version 2.0 --{"" if api.simple else "no-"}enable-simple-responses{sources} \\
  --authorizer-result-ttl-in-seconds {api.ttl} \\
  --authorizer-uri '{api.uri}'
# for each guarded route:
aws apigatewayv2 update-route --api-id {api.api_id} --route-id '<route>' \\
  --authorization-type CUSTOM --authorizer-id '<authorizer>'"""


def _rest_sam(api: Attachment) -> str:
    header = "" if api.proofs else "Header: Authorization, "
    return f"""\
Type: AWS::Serverless::Api
Properties:
  StageName: prod
  Cors: {{AllowOrigin: "'https://app.example.com'", AllowMethods: "'GET,POST'", AllowHeaders: "'authorization,content-type'"}}
  Auth:
    DefaultAuthorizer: Latchkey
    AddDefaultAuthorizerToCorsPreflight: false
    Authorizers:
      Latchkey:
        FunctionPayloadType: {api.rest_type}
        FunctionArn: "{api.arn}"
        Identity: {{{header}ReauthorizeEvery: {api.ttl}}}"""


def _http_sam(api: Attachment) -> str:
    sources_line = {HEADER: "Headers: [Authorization], ", ROUTE: "Context: [routeKey], "}
    return f"""\
Type: AWS::Serverless::HttpApi
Properties:
  CorsConfiguration:
    AllowOrigins: ["https://app.example.com"]
    AllowMethods: [GET, POST]
    AllowHeaders: [authorization, content-type]
  Auth:
    DefaultAuthorizer: Latchkey
    Authorizers:
      Latchkey:
        FunctionArn: "{api.arn}"
        EnableFunctionDefaultPermissions: true
        AuthorizerPayloadFormatVersion: "2.0"
        EnableSimpleResponses: {str(api.simple).lower()}
        Identity: {{{"".join(sources_line[source] for source in api.sources)}ReauthorizeEvery: {api.ttl}}}"""


def _cdk_guard(api: Attachment) -> str:
    return f"""\
const guard = lambda.Function.fromFunctionAttributes(this, 'Guard', {{
  functionArn: '{api.arn}', sameEnvironment: true }});"""


def _rest_cdk(api: Attachment) -> str:
    kind, sources = ("RequestAuthorizer", "identitySources: [], ") if api.proofs else ("TokenAuthorizer", "")
    return f"""\
import {{ Duration, aws_apigateway as apigateway, aws_lambda as lambda }} from 'aws-cdk-lib';
{_cdk_guard(api)}
const authorizer = new apigateway.{kind}(this, 'Latchkey', {{
  handler: guard, {sources}resultsCacheTtl: Duration.seconds({api.ttl}) }});
new apigateway.RestApi(this, 'Api', {{ defaultMethodOptions: {{ authorizer }}, defaultCorsPreflightOptions: {{
  allowOrigins: ['https://app.example.com'], allowHeaders: ['authorization', 'content-type'] }} }});"""


def _http_cdk(api: Attachment) -> str:
    # With policies alone the CDK takes payload 1.0, which the guard understands as well.
    sources = ", ".join(f"'{source}'" for source in api.sources)
    return f"""\
import {{ Duration, aws_lambda as lambda }} from 'aws-cdk-lib';
import {{ aws_apigatewayv2 as apigateway, aws_apigatewayv2_authorizers as authorizers }} from 'aws-cdk-lib';
{_cdk_guard(api)}
const defaultAuthorizer = new authorizers.HttpLambdaAuthorizer('Latchkey', guard, {{
  responseTypes: [authorizers.HttpLambdaResponseType.{"SIMPLE" if api.simple else "IAM"}],
  identitySource: [{sources}], resultsCacheTtl: Duration.seconds({api.ttl}) }});
new apigateway.HttpApi(this, 'Api', {{ defaultAuthorizer, corsPreflight: {{
  allowOrigins: ['https://app.example.com'], allowHeaders: ['authorization', 'content-type'],
  allowMethods: [apigateway.CorsHttpMethod.GET, apigateway.CorsHttpMethod.POST] }} }});"""


def _terraform_permission(api: Attachment) -> str:
    return f"""\
resource "aws_lambda_permission" "latchkey" {{
  statement_id  = "{api.api_id}"
  action        = "lambda:InvokeFunction"
  function_name = "{api.arn}"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "{api.callers}"
}}"""


def _rest_terraform(api: Attachment) -> str:
    return f"""\
resource "aws_api_gateway_authorizer" "latchkey" {{
  rest_api_id                      = "{api.api_id}"
  name                             = "latchkey"
  type                             = "{api.rest_type}"
  authorizer_result_ttl_in_seconds = {api.ttl}
  authorizer_uri                   = "{api.uri}"
}}
{_terraform_permission(api)}
# guarded methods: authorization = "CUSTOM", authorizer_id = aws_api_gateway_authorizer.latchkey.id; OPTIONS: "NONE\""""


def _http_terraform(api: Attachment) -> str:
    sources = ", ".join(f'"{source}"' for source in api.sources)
    sources_line = f"\n  identity_sources                  = [{sources}]" if sources else ""
    return f"""\
resource "aws_apigatewayv2_authorizer" "latchkey" {{
  api_id                            = "{api.api_id}"
  name                              = "latchkey"
  authorizer_type                   = "REQUEST"
  authorizer_payload_format_version = "2.0"
  enable_simple_responses           = {str(api.simple).lower()}{sources_line}
  authorizer_result_ttl_in_seconds  = {api.ttl}
  authorizer_uri                    = "{api.uri}"
}}
{_terraform_permission(api)}
# guarded routes: authorization_type = "CUSTOM", authorizer_id = aws_apigatewayv2_authorizer.latchkey.id"""
