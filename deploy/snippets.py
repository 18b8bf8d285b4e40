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


def rest_api(made: Attachment) -> str:
    """Every way for a REST API."""
    parts = {
        "AWS CLI": _rest_cli(made),
        "SAM": _rest_sam(made),
        "CDK": _rest_cdk(made),
        "Terraform": _rest_terraform(made),
    }
    if not made.proofs:  # Chalice's are TOKEN authorizers
        parts["Chalice"] = f'guard = CustomAuthorizer("latchkey", authorizer_uri="{made.uri}", ttl_seconds={made.ttl})'
    return _chapter(f"A REST API ({made.rest_type}, result TTL {made.ttl} s)", parts, _REST_PREFLIGHT)


def http_api(made: Attachment) -> str:
    """Every way for an HTTP API."""
    parts = {
        "AWS CLI": _http_cli(made),
        "SAM": _http_sam(made),
        "CDK": _http_cdk(made),
        "Terraform": _http_terraform(made),
    }
    sources = ", ".join(made.sources) or "no identity sources"
    answers = f"simple responses {'on' if made.simple else 'off'}"
    title = f"An HTTP API (REQUEST, {answers}, result TTL {made.ttl} s, {sources})"
    return _chapter(title, parts, _http_preflight(made))


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


def _http_preflight(made: Attachment) -> str:
    beside = "".join(
        f"\n  aws apigatewayv2 create-route --api-id {made.api_id} --route-key 'OPTIONS {path}' --authorization-type NONE"
        for path in made.any_paths
    )
    return f"""\
OPTIONS stays open: a browser's preflight carries no token. With a CORS configuration the gateway answers it by itself:
  aws apigatewayv2 update-api --api-id {made.api_id} --cors-configuration \\
    '{_CORS}'
A route ANY or $default with the authorizer asks for a token all the same, unless there is a route OPTIONS without it,
with an integration that answers 204:{beside or " OPTIONS /{proxy+} will do."}"""


def _permission(made: Attachment) -> str:
    return f"""\
aws lambda add-permission --function-name '{made.arn}' --statement-id {made.api_id} \\
  --action lambda:InvokeFunction --principal apigateway.amazonaws.com \\
  --source-arn '{made.callers}'"""


def _rest_cli(made: Attachment) -> str:
    source = "" if made.proofs else " --identity-source method.request.header.Authorization"
    return f"""\
{_permission(made)}
aws apigateway create-authorizer --rest-api-id {made.api_id} --name latchkey --type {made.rest_type}{source} \\
  --authorizer-result-ttl-in-seconds {made.ttl} \\
  --authorizer-uri '{made.uri}'
# for each guarded method, and then deploy:
aws apigateway update-method --rest-api-id {made.api_id} --resource-id '<resource>' --http-method '<method>' --patch-operations \\
  op=replace,path=/authorizationType,value=CUSTOM op=replace,path=/authorizerId,value='<authorizer>'
aws apigateway create-deployment --rest-api-id {made.api_id} --stage-name '<stage>'"""


def _http_cli(made: Attachment) -> str:
    sources = " --identity-source" + "".join(f" '{source}'" for source in made.sources) if made.sources else ""
    return f"""\
{_permission(made)}
aws apigatewayv2 create-authorizer --api-id {made.api_id} --name latchkey --authorizer-type REQUEST \\
  --authorizer-payload-format-version 2.0 --{"" if made.simple else "no-"}enable-simple-responses{sources} \\
  --authorizer-result-ttl-in-seconds {made.ttl} \\
  --authorizer-uri '{made.uri}'
# for each guarded route:
aws apigatewayv2 update-route --api-id {made.api_id} --route-id '<route>' \\
  --authorization-type CUSTOM --authorizer-id '<authorizer>'"""


def _rest_sam(made: Attachment) -> str:
    header = "" if made.proofs else "Header: Authorization, "
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
        FunctionPayloadType: {made.rest_type}
        FunctionArn: "{made.arn}"
        Identity: {{{header}ReauthorizeEvery: {made.ttl}}}"""


def _http_sam(made: Attachment) -> str:
    kept = {HEADER: "Headers: [Authorization], ", ROUTE: "Context: [routeKey], "}
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
        FunctionArn: "{made.arn}"
        EnableFunctionDefaultPermissions: true
        AuthorizerPayloadFormatVersion: "2.0"
        EnableSimpleResponses: {str(made.simple).lower()}
        Identity: {{{"".join(kept[source] for source in made.sources)}ReauthorizeEvery: {made.ttl}}}"""


def _cdk_guard(made: Attachment) -> str:
    return f"""\
const guard = lambda.Function.fromFunctionAttributes(this, 'Guard', {{
  functionArn: '{made.arn}', sameEnvironment: true }});"""


def _rest_cdk(made: Attachment) -> str:
    kind, sources = ("RequestAuthorizer", "identitySources: [], ") if made.proofs else ("TokenAuthorizer", "")
    return f"""\
import {{ Duration, aws_apigateway as apigateway, aws_lambda as lambda }} from 'aws-cdk-lib';
{_cdk_guard(made)}
const authorizer = new apigateway.{kind}(this, 'Latchkey', {{
  handler: guard, {sources}resultsCacheTtl: Duration.seconds({made.ttl}) }});
new apigateway.RestApi(this, 'Api', {{ defaultMethodOptions: {{ authorizer }}, defaultCorsPreflightOptions: {{
  allowOrigins: ['https://app.example.com'], allowHeaders: ['authorization', 'content-type'] }} }});"""


def _http_cdk(made: Attachment) -> str:
    # With policies alone the CDK takes payload 1.0, which the guard understands as well.
    sources = ", ".join(f"'{source}'" for source in made.sources)
    return f"""\
import {{ Duration, aws_lambda as lambda }} from 'aws-cdk-lib';
import {{ aws_apigatewayv2 as apigateway, aws_apigatewayv2_authorizers as authorizers }} from 'aws-cdk-lib';
{_cdk_guard(made)}
const defaultAuthorizer = new authorizers.HttpLambdaAuthorizer('Latchkey', guard, {{
  responseTypes: [authorizers.HttpLambdaResponseType.{"SIMPLE" if made.simple else "IAM"}],
  identitySource: [{sources}], resultsCacheTtl: Duration.seconds({made.ttl}) }});
new apigateway.HttpApi(this, 'Api', {{ defaultAuthorizer, corsPreflight: {{
  allowOrigins: ['https://app.example.com'], allowHeaders: ['authorization', 'content-type'],
  allowMethods: [apigateway.CorsHttpMethod.GET, apigateway.CorsHttpMethod.POST] }} }});"""


def _terraform_permission(made: Attachment) -> str:
    return f"""\
resource "aws_lambda_permission" "latchkey" {{
  statement_id  = "{made.api_id}"
  action        = "lambda:InvokeFunction"
  function_name = "{made.arn}"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "{made.callers}"
}}"""


def _rest_terraform(made: Attachment) -> str:
    return f"""\
resource "aws_api_gateway_authorizer" "latchkey" {{
  rest_api_id                      = "{made.api_id}"
  name                             = "latchkey"
  type                             = "{made.rest_type}"
  authorizer_result_ttl_in_seconds = {made.ttl}
  authorizer_uri                   = "{made.uri}"
}}
{_terraform_permission(made)}
# guarded methods: authorization = "CUSTOM", authorizer_id = aws_api_gateway_authorizer.latchkey.id; OPTIONS: "NONE\""""


def _http_terraform(made: Attachment) -> str:
    sources = ", ".join(f'"{source}"' for source in made.sources)
    kept = f"\n  identity_sources                  = [{sources}]" if sources else ""
    return f"""\
resource "aws_apigatewayv2_authorizer" "latchkey" {{
  api_id                            = "{made.api_id}"
  name                              = "latchkey"
  authorizer_type                   = "REQUEST"
  authorizer_payload_format_version = "2.0"
  enable_simple_responses           = {str(made.simple).lower()}{kept}
  authorizer_result_ttl_in_seconds  = {made.ttl}
  authorizer_uri                    = "{made.uri}"
}}
{_terraform_permission(made)}
# guarded routes: authorization_type = "CUSTOM", authorizer_id = aws_apigatewayv2_authorizer.latchkey.id"""
