"""How another API attaches the guard: the text that its team copies."""

import json
import shlex
from pathlib import Path
from typing import Any

from chalicelib.config import RESOURCE_METADATA
from local import stages

# How long API Gateway may remember an answer, which is how late an ended session bites.
TTL_SECONDS = {"stateless": 300, "bounded": 60, "strict": 0}


def guard_arn(function: str, *, stage: str, project: Path) -> str:
    """Return the deployed guard's ARN, with blanks to fill in where it was not deployed from here."""
    memory = project / ".chalice" / "deployed" / f"{stage}.json"
    remembered = json.loads(memory.read_text())["resources"] if memory.exists() else []
    known = [r["lambda_arn"] for r in remembered if r["name"] == function and "lambda_arn" in r]
    name = stages.read(stage, project=project).deployed_name(function)
    return str(known[0]) if known else f"arn:aws:lambda:<region>:<account>:function:{name}"


def invocation_uri(arn: str) -> str:
    """Return what API Gateway calls an authorizer by."""
    region = arn.split(":")[3]
    return f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations"


def instructions(api_id: str, api: dict[str, Any], *, stage: str, project: Path) -> str:
    """Return the authorizer's settings and the permission that it needs."""
    ttl = TTL_SECONDS[api["revocation"]]
    request = guard_arn("guard_request", stage=stage, project=project)
    if api.get("dpop"):
        return "\n".join([_with_proofs(request, simple=api["answer"] == "simple"), permission(api_id, request)])
    if api["answer"] == "simple":
        return "\n".join([_http(request, ttl, simple=True), permission(api_id, request)])
    return "\n".join([_rest(request, ttl), "", _http(request, ttl, simple=False), "", permission(api_id, request)])


def _rest(arn: str, ttl: int) -> str:
    uri = invocation_uri(arn)
    return f"""\
A REST API (TOKEN): header Authorization, result TTL {ttl} s, URI
  {uri}
In Chalice:
  guard = CustomAuthorizer("latchkey", authorizer_uri="{uri}", ttl_seconds={ttl})"""


def challenge(api_id: str, name: str, issuer: str) -> str:
    """Return the command that has a REST API say, with its 401, where tokens for it come from (RFC 9728 section 5.1)."""
    value = f'\'Bearer error="invalid_token", resource_metadata="{issuer}{RESOURCE_METADATA}/{name}"\''
    header = json.dumps({"gatewayresponse.header.WWW-Authenticate": value})
    return f"""\
Its 401, for clients that look for the way to a token (a REST API; an HTTP API's answer is the gateway's own):
  aws apigateway put-gateway-response --rest-api-id {api_id} --response-type UNAUTHORIZED --status-code 401 \\
    --response-parameters {shlex.quote(header)}
  aws apigateway create-deployment --rest-api-id {api_id} --stage-name <stage>"""


def _http(arn: str, ttl: int, *, simple: bool) -> str:
    # A simple answer is for one route: without the route in its key the gateway would reuse it for others.
    sources = ["$request.header.Authorization", *(["$context.routeKey"] if simple else [])]
    return f"""\
An HTTP API (REQUEST): payload 2.0, simple responses {"on" if simple else "off"}, result TTL {ttl} s,
identity sources {", ".join(sources)}, URI
  {invocation_uri(arn)}"""


def _with_proofs(arn: str, *, simple: bool) -> str:
    # A proof is good once and a cache remembers its answer, so there must be none. It would serve nobody: proofs differ.
    return f"""\
A REST API (REQUEST, not TOKEN, which is not shown the DPoP header) or an HTTP API (REQUEST): payload 2.0,
simple responses {"on" if simple else "off"}, result TTL 0 s, no identity sources, URI
  {invocation_uri(arn)}
Should it ever be cached, both headers must be in the cache's key, or a thief without the key gets in:
  REST: method.request.header.Authorization, method.request.header.DPoP
  HTTP: $request.header.Authorization, $request.header.DPoP{", $context.routeKey" if simple else ""}"""


def permission(api_id: str, arn: str) -> str:
    """Return the command that lets the API call the guard."""
    _, _, _, region, account, _, name = arn.split(":")
    return f"""\
Its permission:
  aws lambda add-permission --function-name {name} --statement-id {api_id} \\
    --action lambda:InvokeFunction --principal apigateway.amazonaws.com \\
    --source-arn 'arn:aws:execute-api:{region}:{account}:{api_id}/authorizers/*'"""


def revocation(api_id: str, stage: stages.Stage) -> str:
    """Return the commands that take the permissions of one stage away."""
    names = [stage.deployed_name(guard) for guard in stages.GUARDS]
    return "\n".join(f"  aws lambda remove-permission --function-name {n} --statement-id {api_id}" for n in names)
