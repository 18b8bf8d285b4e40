"""What API Gateway answers by itself, in our error shape: for the local gateway and for every deployment.

Each entry is a response type of API Gateway's with the status, code, sentence and headers we give it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from chalicelib.domain.oauth.scopes import needed
from chalicelib.guard.scope_map import SCOPES

CHALLENGE = "WWW-Authenticate"
OWN_SCOPES = needed(SCOPES)
_LATER = {"Retry-After": "2"}


@dataclass(frozen=True)
class GatewayAnswer:
    """One answer of the gateway's own; `status` None leaves the gateway's.

    `values` are more of its body, and `expressions` more headers, which API Gateway finds in the authorizer's context.
    """

    status: int | None
    error: str
    description: str
    headers: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    expressions: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, str]:
        """Return the body that a client sees, before the gateway puts values in."""
        return {"error": self.error, "error_description": self.description, **self.values}


ANSWERS: MappingProxyType[str, GatewayAnswer] = MappingProxyType(
    {
        "UNAUTHORIZED": GatewayAnswer(
            401,
            "invalid_token",
            "The access token is missing, expired or not valid; refresh it or log in.",
        ),
        "ACCESS_DENIED": GatewayAnswer(
            403,
            "insufficient_scope",
            "The access token does not carry the scope or level that this route needs.",
            values={"scope": "$context.authorizer.required_scope"},
            expressions={CHALLENGE: "context.authorizer.challenge"},
        ),
        # The gateway says 403 both for a path and for a method that it does not know.
        "MISSING_AUTHENTICATION_TOKEN": GatewayAnswer(404, "not_found", "There is no such route."),
        "RESOURCE_NOT_FOUND": GatewayAnswer(404, "not_found", "There is no such route."),
        # An unknown path with an Authorization header: the gateway takes the header for a signature.
        "INVALID_SIGNATURE": GatewayAnswer(404, "not_found", "There is no such route."),
        "BAD_REQUEST_BODY": GatewayAnswer(400, "invalid_request", "The body is not what this route takes."),
        "BAD_REQUEST_PARAMETERS": GatewayAnswer(400, "invalid_request", "A parameter is not what this route takes."),
        "REQUEST_TOO_LARGE": GatewayAnswer(413, "payload_too_large", "The request is too large."),
        "UNSUPPORTED_MEDIA_TYPE": GatewayAnswer(415, "unsupported_media_type", "Send the body as application/json."),
        "THROTTLED": GatewayAnswer(429, "too_many_requests", "Too many requests; try again shortly.", _LATER),
        "QUOTA_EXCEEDED": GatewayAnswer(429, "too_many_requests", "Too many requests; try again shortly.", _LATER),
        "WAF_FILTERED": GatewayAnswer(403, "access_denied", "The request was refused."),
        "AUTHORIZER_FAILURE": GatewayAnswer(500, "server_error", "The token could not be checked."),
        "AUTHORIZER_CONFIGURATION_ERROR": GatewayAnswer(500, "server_error", "The token could not be checked."),
        "INTEGRATION_FAILURE": GatewayAnswer(503, "temporarily_unavailable", "Try again shortly.", _LATER),
        "INTEGRATION_TIMEOUT": GatewayAnswer(503, "temporarily_unavailable", "Try again shortly.", _LATER),
        # Left for it here is, again, an unknown path with a bearer token (IncompleteSignatureException).
        "DEFAULT_4XX": GatewayAnswer(404, "not_found", "There is no such route, or it does not take this request."),
        "DEFAULT_5XX": GatewayAnswer(None, "server_error", "The request failed."),
    }
)


# These answers hold no secret and are given at every address, those that are for scripts of every origin among them.
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "X-Request-Id,Retry-After,WWW-Authenticate",
}


def challenge(*, metadata: str, scopes: Iterable[str]) -> str:
    """Return what a 401 says of the way to a token (RFC 9728 section 5.1), all of an API's scopes among it.

    The gateway has one text for all routes and all that is wrong with a token: so there is no error in it, which RFC 6750
    section 3.1 keeps for requests that came with one.
    """
    listed = " ".join(scope for scope in scopes if "'" not in scope)  # the gateway quotes its text by apostrophes
    parameters = {"scope": listed, "resource_metadata": metadata}
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in parameters.items() if value)


def headers(answer: GatewayAnswer, *, metadata: str, scopes: Iterable[str]) -> dict[str, str]:
    """Return header name to API Gateway's expression: a quoted literal, or a value of the request."""
    literal = {"Cache-Control": "no-store", **CORS, **answer.headers}
    if answer.status == HTTPStatus.UNAUTHORIZED:
        literal[CHALLENGE] = challenge(metadata=metadata, scopes=scopes)
    quoted = {name: f"'{value}'" for name, value in literal.items()}
    return {**quoted, **answer.expressions, "X-Request-Id": "context.requestId"}


def template(answer: GatewayAnswer) -> dict[str, Any]:
    """Return the response templates: JSON with nothing of the request in it, and of its token what this server signed."""
    return {"application/json": json.dumps(answer.body())}


def value(expression: str, context: Mapping[str, str]) -> str:
    """Return what API Gateway makes of an expression, by a request's context; "" for what is not in it."""
    return expression[1:-1] if expression.startswith("'") else context.get(expression.removeprefix("context."), "")
