"""Requests: forms, JSON, headers, the query and the network, or an error that says what is wrong with them."""

import ipaddress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from chalice.app import Request

from ...domain import errors
from ...domain.accounts.profile import ONE_LINE
from ...domain.errors import LatchkeyError

MAX_BODY_BYTES = 64 * 1024
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
MAX_FIELDS = 100
# API Gateway replaces bytes that are not UTF-8 with this: different passwords would become the same.
REPLACEMENT = "\ufffd".encode()
NOT_A_FORM = "Send the body as application/x-www-form-urlencoded."
NOT_JSON = "The body is not well-formed JSON in UTF-8."
SINGLE_HEADERS = ("authorization", "content-type", "origin", "dpop")


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, in their order; one may come twice."""

    pairs: tuple[tuple[str, str], ...] = ()


def refuse_doubled_headers(request: Request) -> None:
    """Refuses a request that has one of SINGLE_HEADERS twice."""
    for name, values in (request.to_original_event().get("multiValueHeaders") or {}).items():
        if len(values) > 1 and name.lower() in SINGLE_HEADERS:
            raise errors.InvalidRequest(f"The header {name.title()} was sent more than once.")


def query(request: Request) -> tuple[tuple[str, str], ...]:
    """The query, in its order; a name may come twice."""
    parameters = request.to_original_event().get("multiValueQueryStringParameters") or {}
    return tuple((name, value) for name, values in parameters.items() for value in values)


def number(text: str, *, digits: int) -> int | None:
    """The whole number in a text of so many digits at most; None for any other text, also an empty one."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None


def readable_fields(request: Request) -> tuple[tuple[str, str], ...]:
    """All fields of a query and a form that can be read, valid or not: for an error page."""
    raw = request.raw_body if isinstance(request.raw_body, bytes) else request.raw_body.encode()
    return (*query(request), *parse_qsl(raw[:MAX_BODY_BYTES].decode(errors="replace")))


def network_of_request(request: Request) -> str:
    """The network that a request comes from, as `network_of` has it."""
    return network_of(request.context.get("identity", {}).get("sourceIp") or "")


def network_of(address: str) -> str:
    """The network that rate limits count: an IPv4 address, or the /64 that an IPv6 customer usually has."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def decode_body(request: Request, body: type, *, optional: bool) -> Any:
    """The body as the type that a route declares; an optional one that did not come is the type's default."""
    raw = request.raw_body if isinstance(request.raw_body, bytes) else request.raw_body.encode()
    if len(raw) > MAX_BODY_BYTES:
        raise errors.PayloadTooLarge(f"A body has at most {MAX_BODY_BYTES} bytes.")
    if optional and not raw:
        return body()
    if body is Form:
        return _form(request, raw)
    if _media_type(request) != JSON:
        raise errors.UnsupportedMediaType()
    if REPLACEMENT in raw:
        raise errors.InvalidRequest(NOT_JSON)
    try:
        return msgspec.json.decode(raw, type=body)
    except msgspec.ValidationError as error:
        refusal: type[LatchkeyError] = getattr(body, "REFUSAL", errors.InvalidRequest)
        raise refusal(_explain(str(error), body)) from None
    except (ValueError, RecursionError):
        raise errors.InvalidRequest(NOT_JSON) from None


def _media_type(request: Request) -> str:
    """Type and subtype (RFC 9110 section 8.3.1); the charset parameter is ignored, for a body has to be UTF-8."""
    content_type: str = request.headers.get("content-type", "")
    return content_type.partition(";")[0].strip().lower()


def _form(request: Request, raw: bytes) -> Form:
    if _media_type(request) != FORM:
        raise errors.InvalidRequest(NOT_A_FORM)  # RFC 6749 section 5.2 knows no other code for it
    if raw.count(b"&") >= MAX_FIELDS:
        raise errors.InvalidRequest(f"A form has at most {MAX_FIELDS} fields.")
    try:
        return Form(tuple(parse_qsl(raw.decode(), keep_blank_values=True, errors="strict")))
    except ValueError:
        raise errors.InvalidRequest("The body is not a form in UTF-8.") from None


def _explain(validation_error: str, body: type) -> str:
    """What is wrong with a body, without a word that its sender wrote."""
    if "unknown field" in validation_error:
        fields = ", ".join(f.encode_name for f in msgspec.structs.fields(body))
        return f"The body has an unknown field: it takes {fields}."
    if "matching regex" in validation_error:
        what = "has control characters in it" if repr(ONE_LINE) in validation_error else "is not as described in /docs"
        return f"The body {what}{validation_error[validation_error.rindex(' - at') :]}."
    return f"The body is not as documented: {validation_error}."
