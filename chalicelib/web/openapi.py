from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from ..domain import errors
from ..domain.errors import LatchkeyError
from .door import STATUS, ErrorBody, Operation

VERSION = "0.1.0"
ROOM = Path(__file__).parent
STYLE = (ROOM / "static" / "docs.css").read_text()
STYLE_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
PAGE_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
WITH_BODY = (errors.InvalidRequest, errors.PayloadTooLarge, errors.UnsupportedMediaType)
ALWAYS = (errors.InvalidRequest, errors.LatchkeyError, errors.TemporarilyUnavailable)
DESCRIPTION = "Accounts, sessions and access tokens. Every refusal has the one shape of ErrorBody."


def document(issuer: str, operations: Sequence[Operation]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of these operations, from the types that check their bodies and shape their answers."""
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for operation in operations:
        paths[operation.path][operation.method.lower()] = _operation(operation)
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "at+jwt (RFC 9068)"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Latchkey", "version": VERSION, "description": DESCRIPTION},
        "servers": [{"url": issuer}],
        "paths": dict(paths),
        "components": {"schemas": _components(operations), "securitySchemes": {"bearer": bearer}},
    }


def page(doc: dict[str, Any]) -> str:
    """The document as a page to read."""
    # Here and not above: no other request needs it, and it doubles the cost of starting.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    env = Environment(loader=FileSystemLoader(ROOM / "templates"), autoescape=True, undefined=StrictUndefined)
    return env.get_template("docs.html").render(doc=doc, style=STYLE)


def _types(operations: Iterable[Operation]) -> list[type]:
    named = (t for operation in operations for t in (operation.body, operation.answer) if t)
    return list(dict.fromkeys([*named, ErrorBody]))


def _components(operations: Iterable[Operation]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components(_types(operations), ref_template="#/components/schemas/{name}")
    return components


def _operation(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.story.__name__,
        "summary": (operation.story.__doc__ or "").strip(),
        "responses": {str(operation.status): _answer(operation), **_refusals(operation)},
    }
    parameters = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    if parameters:
        found["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in parameters
        ]
    if operation.body:
        found["requestBody"] = {
            "required": not operation.body_optional,
            "content": _content(operation.body),
        }
    if operation.scope:
        found["security"] = [{"bearer": [operation.scope]}]
    return found


def _answer(operation: Operation) -> dict[str, Any]:
    if operation.answer is None:
        return {"description": "Done." if operation.status == 204 else "The document."}
    return {"description": (operation.answer.__doc__ or "").strip(), "content": _content(operation.answer)}


def _content(shape: type) -> dict[str, Any]:
    media_type = getattr(shape, "MEDIA_TYPE", "application/json")
    return {media_type: {"schema": {"$ref": f"#/components/schemas/{shape.__name__}"}}}


def _refusals(operation: Operation) -> dict[str, Any]:
    by_status: dict[str, list[type[LatchkeyError]]] = defaultdict(list)
    for error in dict.fromkeys((*operation.errors, *(WITH_BODY if operation.body else ()), *ALWAYS)):
        by_status[str(STATUS[error.code])].append(error)
    return {
        status: {
            "description": " ".join(f"`{error.code}`: {error.default}" for error in found),
            "content": _content(ErrorBody),
        }
        for status, found in sorted(by_status.items())
    }
