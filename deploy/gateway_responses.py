"""What API Gateway answers by itself, in our error shape: for the local gateway and for every deployment.

Each entry is a response type of API Gateway's with the status, code, sentence and headers we give it.
"""

import json
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_UNAUTHORIZED = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
_LATER = {"Retry-After": "2"}


@dataclass(frozen=True)
class GatewayAnswer:
    """One answer of the gateway's own; `status` None leaves the gateway's."""

    status: int | None
    error: str
    description: str
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, str]:
        """Return the body that a client sees."""
        return {"error": self.error, "error_description": self.description}


ANSWERS: MappingProxyType[str, GatewayAnswer] = MappingProxyType(
    {
        "UNAUTHORIZED": GatewayAnswer(
            401,
            "invalid_token",
            "The access token is missing, expired or not valid; refresh it or log in.",
            _UNAUTHORIZED,
        ),
        "ACCESS_DENIED": GatewayAnswer(
            403,
            "insufficient_scope",
            "The access token does not carry the scope that this route needs.",
            {"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
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


def literal_headers(answer: GatewayAnswer, *, metadata: str) -> dict[str, str]:
    """Return the headers whose values are known beforehand; `metadata` is the URL of the API's own (RFC 9728 section 5.1)."""
    literal = {"Cache-Control": "no-store", **CORS, **answer.headers}
    if metadata and "WWW-Authenticate" in literal:
        literal["WWW-Authenticate"] += f', resource_metadata="{metadata}"'
    return literal


def headers(answer: GatewayAnswer, *, metadata: str) -> dict[str, str]:
    """Return header name to API Gateway's expression: a quoted literal, or a value of the request."""
    literal = literal_headers(answer, metadata=metadata)
    return {**{name: f"'{value}'" for name, value in literal.items()}, "X-Request-Id": "context.requestId"}


def template(answer: GatewayAnswer) -> dict[str, Any]:
    """Return the response templates: JSON without any variable, so nothing of the request is echoed."""
    return {"application/json": json.dumps(answer.body())}
