"""One request, and the event that a Lambda proxy integration of a REST API makes of it."""

import base64
import time
import uuid
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

REGION = "us-east-1"
ACCOUNT = "000000000000"
# What a real event has for callers that sign their requests, which ours never do.
NO_IAM_CALLER = dict.fromkeys(
    [
        "accessKey",
        "accountId",
        "caller",
        "cognitoAuthenticationProvider",
        "cognitoAuthenticationType",
        "cognitoIdentityId",
        "cognitoIdentityPoolId",
        "principalOrgId",
        "user",
        "userArn",
    ]
)


@dataclass(frozen=True)
class Api:
    """An API's id and stage, as they stand in its events and ARNs."""

    id: str
    stage: str

    def method_arn(self, method: str, path: str) -> str:
        """Return the ARN that a policy is judged against: the path as it was asked for."""
        return f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{self.id}/{self.stage}/{method}{path}"


@dataclass(frozen=True)
class Call:
    """One request as it reached the gateway; its event, its answer and its log line share its id."""

    method: str
    path: str
    query: str
    headers: dict[str, list[str]]
    body: bytes
    source_ip: str
    at: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def header(self, name: str) -> str | None:
        """Return a header's values joined: of a doubled one, neither value is taken for the header's."""
        return ",".join(self.headers.get(_spelling(self.headers, name), [])) or None


def gathered(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Gather each header's values under the first spelling of its name."""
    headers: dict[str, list[str]] = {}
    for name, value in pairs:
        headers.setdefault(_spelling(headers, name), []).append(value)
    return headers


def proxy_event(
    call: Call, api: Api, *, pattern: str, parameters: Mapping[str, str], binary_types: Collection[str]
) -> dict[str, Any]:
    """Return the event for a call of the resource `pattern`."""
    headers = _with_forwarded_for(call)
    query = parse_qs(call.query, keep_blank_values=True)
    binary = "*/*" in binary_types or (call.header("Content-Type") or "").split(";")[0].strip() in binary_types
    # The real one spoils a body that is neither declared binary nor UTF-8 in just this way.
    body = base64.b64encode(call.body).decode() if binary else call.body.decode(errors="replace")
    return {
        "resource": pattern,
        "path": call.path,
        "httpMethod": call.method,
        "headers": _last(headers),
        "multiValueHeaders": headers,
        "queryStringParameters": _last(query) or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(parameters) or None,
        "stageVariables": None,
        "requestContext": _request_context(call, api, pattern),
        "body": body or None,
        "isBase64Encoded": binary and bool(body),
    }


def _request_context(call: Call, api: Api, pattern: str) -> dict[str, Any]:
    return {
        "resourceId": format(zlib.crc32(pattern.encode()), "08x"),
        "resourcePath": pattern,
        "httpMethod": call.method,
        "extendedRequestId": call.id,
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(call.at)),
        "path": call.path,
        "accountId": ACCOUNT,
        "protocol": "HTTP/1.1",
        "stage": api.stage,
        "domainPrefix": api.id,
        "requestTimeEpoch": int(call.at * 1000),
        "requestId": call.id,
        "identity": {**NO_IAM_CALLER, "sourceIp": call.source_ip, "userAgent": call.header("User-Agent")},
        "domainName": f"{api.id}.execute-api.{REGION}.amazonaws.com",
        "apiId": api.id,
    }


def authorizer_request(call: Call, api: Api, *, pattern: str, token: str) -> dict[str, Any]:
    """Return what a REQUEST authorizer of an HTTP API gets, whose cache goes by the token alone (payload 2.0)."""
    arn = api.method_arn(call.method, call.path)
    http = {"method": call.method, "path": call.path, "protocol": "HTTP/1.1", "sourceIp": call.source_ip}
    return {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": arn,
        "identitySource": [token],
        "routeKey": f"{call.method} {pattern}",
        "rawPath": call.path,
        "rawQueryString": call.query,
        "headers": {name.lower(): ",".join(values) for name, values in call.headers.items()},
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": api.id,
            "domainName": f"{api.id}.execute-api.{REGION}.amazonaws.com",
            "http": http,
            "requestId": call.id,
            "routeKey": f"{call.method} {pattern}",
            "stage": api.stage,
        },
    }


def _with_forwarded_for(call: Call) -> dict[str, list[str]]:
    # What the client claims stays in front; the gateway adds whom it really saw.
    name = _spelling(call.headers, "X-Forwarded-For")
    return {**call.headers, name: [", ".join([*call.headers.get(name, []), call.source_ip])]}


def _last(values: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: several[-1] for name, several in values.items()}


def _spelling(headers: Mapping[str, Any], name: str) -> str:
    return next((known for known in headers if known.lower() == name.lower()), name)
