"""What a request object (RFC 9101) that a client has signed has to say, and the request that is in it."""

import json
from collections.abc import Mapping
from typing import Any

from ..crypto import jws
from ..errors import InvalidRequestObject
from .client import Client
from .parameters import AUTHORIZATION_REQUEST

TYPE = "oauth-authz-req+jwt"
TYPES = (TYPE, "jwt", "")
MAX_SECONDS = 3600  # how far ahead one may end, and how long ago it may have begun
CLOCK_SKEW = 60
# What no request object has (RFC 9101 section 4): a second one, or what would make it an assertion of the client.
FORBIDDEN = ("request", "request_uri", "sub")


def media_type(header: Mapping[str, Any]) -> str:
    """The `typ` of a header in lower case, without what may be left out (RFC 7515 section 4.1.9)."""
    return str(header.get("typ", "")).lower().removeprefix("application/")


def parameters(claims: Mapping[str, Any], client: Client, *, issuer: str, now: int) -> dict[str, str]:
    """The authorization request in a request object with these verified claims; raises InvalidRequestObject.

    It is all that counts (RFC 9101 section 6.3).
    """
    problems = {
        "`client_id` and `iss` of the request object are the client's id.": (
            claims.get("client_id") == claims.get("iss") == client.client_id
        ),
        f"`aud` of the request object is {issuer}.": claims.get("aud")
        in (issuer, *([] if client.fapi else [[issuer]])),
        "`exp` of the request object is a time within the next hour.": _is_within(
            claims.get("exp"), now, now + MAX_SECONDS
        ),
        "`nbf` of the request object is a time within the last hour.": (
            "nbf" not in claims or _is_within(claims["nbf"], now - MAX_SECONDS, now)
        ),
        "`iat` of the request object is not in the future.": _is_within(claims.get("iat", 0), 0, now),
        f"A request object has no {', '.join(FORBIDDEN)}.": not set(FORBIDDEN) & set(claims),
    }
    for problem, holds in problems.items():
        if not holds:
            raise InvalidRequestObject(problem)
    return {
        name: _text(name, value)
        for name, value in claims.items()
        if name in AUTHORIZATION_REQUEST and value not in (None, "")
    }


def _is_within(moment: object, first: int, last: int) -> bool:
    return jws.is_numeric_date(moment) and first - CLOCK_SKEW <= moment <= last + CLOCK_SKEW


def _text(name: str, value: Any) -> str:
    """A parameter as a request without an object has it (RFC 9101 section 4): numbers and objects are values of their own."""
    if name == "claims" and isinstance(value, dict):
        return json.dumps(value)
    if name == "max_age" and type(value) is int:
        return str(value)
    if not isinstance(value, str) or "\x00" in value:
        raise InvalidRequestObject(f"`{name}` in the request object is not as it can be.")
    return value
