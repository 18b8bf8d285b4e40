"""How another API attaches the guard: the snippets that its team copies, for its way of deploying."""

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.config import RESOURCE_METADATA
from deploy import gateway_responses, snippets, stages
from deploy.mcp_server import McpServer
from deploy.stages import GUARDS, Stage

# How long API Gateway may remember an answer, which is how late an ended session bites.
TTL_SECONDS = {"stateless": 300, "bounded": 60, "strict": 0}
AT_ONCE = Config(connect_timeout=3, read_timeout=3, retries={"total_max_attempts": 1})


@dataclass(frozen=True)
class Place:
    """An account's region, or blanks to fill in where they are not known."""

    region: str = "<region>"
    account: str = "<account>"


def place() -> Place:
    """Return where this shell's credentials lead."""
    session = boto3.Session()
    region = session.region_name or Place.region
    try:
        who = session.client("sts", config=AT_ONCE).get_caller_identity() if session.get_credentials() else {}
    except (BotoCoreError, ClientError):
        who = {}
    return Place(region, who.get("Account", Place.account))


def guard_arn(function: str, *, stage: str, project: Path) -> str:
    """Return the deployed guard's ARN; where it was not deployed from here, what it will be."""
    memory = project / ".chalice" / "deployed" / f"{stage}.json"
    remembered = json.loads(memory.read_text())["resources"] if memory.exists() else []
    arns = [r["lambda_arn"] for r in remembered if r["name"] == function and "lambda_arn" in r]
    if arns:
        return str(arns[0])
    here, name = place(), stages.read(stage, project=project).deployed_name(function)
    return f"arn:aws:lambda:{here.region}:{here.account}:function:{name}"


def invocation_uri(arn: str) -> str:
    """Return what API Gateway calls an authorizer by."""
    _, partition, _, region, *_ = arn.split(":")
    return f"arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations"


def attachment(api_id: str, api: dict[str, Any], *, stage: str, project: Path) -> snippets.Attachment:
    """Return how one API attaches the guard of a stage."""
    arn = guard_arn("guard_request", stage=stage, project=project)
    proofs = bool(api.get("dpop"))
    return snippets.Attachment(
        api_id=api_id,
        arn=arn,
        uri=invocation_uri(arn),
        # A proof is good once and a cache remembers its answer, so there must be none. It would serve nobody: proofs differ.
        ttl=0 if proofs else TTL_SECONDS[api["revocation"]],
        simple=api["answer"] == "simple",
        proofs=proofs,
        any_paths=tuple(line.removeprefix("ANY ") for line in api["scopes"] if line.startswith("ANY ")),
    )


def instructions(api_id: str, api: dict[str, Any], *, stage: str, project: Path) -> str:
    """Return the snippets that attach the guard, for every kind of API that can have the answers it is registered for."""
    attached_api = attachment(api_id, api, stage=stage, project=project)
    kinds = (
        [snippets.http_api(attached_api)]
        if attached_api.simple
        else [snippets.rest_api(attached_api), snippets.http_api(attached_api)]
    )
    return "\n\n".join([*kinds, *([_if_cached(attached_api)] if attached_api.proofs else [])])


def _if_cached(attached_api: snippets.Attachment) -> str:
    return f"""\
Proofs want time to live 0, and no identity sources. Should an answer ever be kept, both headers must be in the cache's key,
or a thief without the key gets in:
  REST: method.request.header.Authorization, method.request.header.DPoP
  HTTP: $request.header.Authorization, $request.header.DPoP{", $context.routeKey" if attached_api.simple else ""}"""


def challenge(api_id: str, name: str, issuer: str, scopes: Iterable[str]) -> str:
    """Return the commands that have a REST API say, with its 401 and its 403, how to get a token that is good for it."""
    value = gateway_responses.challenge(metadata=f"{issuer}{RESOURCE_METADATA}/{name}", scopes=scopes)
    denied = gateway_responses.ANSWERS["ACCESS_DENIED"]
    return f"""\
Its 401 and 403, for clients that look for the way to a token (a REST API; an HTTP API's answers are the gateway's own):
  aws apigateway put-gateway-response --rest-api-id {api_id} --response-type UNAUTHORIZED --status-code 401 \\
    --response-parameters {_challenged(f"'{value}'")}
  aws apigateway put-gateway-response --rest-api-id {api_id} --response-type ACCESS_DENIED --status-code 403 \\
    --response-parameters {_challenged(denied.expressions[gateway_responses.CHALLENGE])} \\
    --response-templates {shlex.quote(json.dumps(gateway_responses.template(denied)))}
  aws apigateway create-deployment --rest-api-id {api_id} --stage-name '<stage>'"""


def of_mcp(api_id: str, name: str, server: McpServer, issuer: str) -> str:
    """Return what is left to do for an MCP server that was registered: by an HTTP API, in its code, in the stage's settings."""
    place = urlsplit(server.url)
    described, own = f"{issuer}{RESOURCE_METADATA}/{name}", f"{RESOURCE_METADATA}{place.path.rstrip('/')}"
    lines = [
        f"Its clients read {place.scheme}://{place.netloc}{own} where a 401 does not say more. Have it answer there:",
        f'  in a Chalice app: challenges.serve_metadata(app, "{server.url}", issuer="{issuer}", scopes=["{server.scopes[0]}"])',
        "    (chalicelib/guard/challenges.py: copy it; it answers as well where a tool needs more, see docs/mcp.md)",
    ]
    if api_id:
        lines += [
            "  or without code, in an HTTP API, whose own 401 and 403 say nothing; a REST API has its 401, above:",
            f"  INTEGRATION=$(aws apigatewayv2 create-integration --api-id {api_id} --integration-type HTTP_PROXY \\",
            "    --integration-method GET --payload-format-version 1.0 --query IntegrationId --output text \\",
            f"    --integration-uri '{described}')",
            f"  aws apigatewayv2 create-route --api-id {api_id} --route-key 'GET {own}' --target integrations/$INTEGRATION",
        ]
    else:
        lines += [
            f"It checks tokens by itself, with the keys of {issuer}/.well-known/jwks.json: `aud` is {server.url}."
        ]
    return "\n".join(
        [
            *lines,
            "Clients with a document may come (LATCHKEY_CLIENT_DOCUMENTS); those that only register themselves, of before",
            "2026, need LATCHKEY_REGISTRATION=open in the environment of api_handler, .chalice/config.json.",
            "All of it counts from the next `make deploy` on.",
        ]
    )


def _challenged(expression: str) -> str:
    return shlex.quote(json.dumps({f"gatewayresponse.header.{gateway_responses.CHALLENGE}": expression}))


def revocation(api_id: str, stage: Stage) -> str:
    """Return the commands that take the permissions of one stage away."""
    names = [stage.deployed_name(guard) for guard in GUARDS]
    return "\n".join(f"  aws lambda remove-permission --function-name {n} --statement-id {api_id}" for n in names)
