"""The headers of answers, as the OpenAPI document describes them: once each, and which answer has which."""

from collections.abc import Collection, Mapping
from typing import Any

from ...domain import errors
from ...domain.errors import LatchkeyError
from ..http.routing import Operation

REQUEST_ID, CACHE, WAIT, CHALLENGE, NONCE = (
    "X-Request-Id",
    "Cache-Control",
    "Retry-After",
    "WWW-Authenticate",
    "DPoP-Nonce",
)
# Those that not every answer has that may have one are not `required`.
COMPONENTS: Mapping[str, dict[str, Any]] = {
    REQUEST_ID: {
        "description": "The id of the request, which the log has: quote it where something went wrong.",
        "required": True,
        "schema": {"type": "string", "examples": ["b7a1c2d4-5e6f-4a8b-9c0d-1e2f3a4b5c6d"]},
    },
    CACHE: {
        "description": "`no-store` where an answer is for its caller alone, else for how long it may be kept.",
        "required": True,
        "schema": {"type": "string", "examples": ["no-store"]},
    },
    WAIT: {
        "description": "After how many seconds to try again.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9]+$", "examples": ["30"]},
    },
    CHALLENGE: {
        "description": "What kind of credentials are missing or wrong (RFC 9110 section 11.6.1, RFC 6750, RFC 9449).",
        "schema": {"type": "string", "examples": ['Bearer realm="latchkey", error="invalid_token"']},
    },
    NONCE: {
        "description": "The `nonce` of the next DPoP proof (RFC 9449 section 8), where one was sent.",
        "schema": {"type": "string", "examples": ["oS7Vq2bX1nT0uFh3kZ9pLw"]},
    },
}


def headers(operation: Operation, status: int, refused: Collection[type[LatchkeyError]] = ()) -> dict[str, Any]:
    """The headers of an answer with a status, of a refusal with what may be `refused` by it; a page has none of interest."""
    if operation.page:
        return {}
    names = [REQUEST_ID] if refused else [REQUEST_ID, CACHE]  # a refusal is never kept
    names += [WAIT] if status in (429, 503) else []
    names += [CHALLENGE] if status == 401 or errors.InsufficientScope in refused else []
    with_nonce = errors.UseDpopNonce in refused if refused else errors.UseDpopNonce in operation.errors
    names += [NONCE] if with_nonce else []
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
