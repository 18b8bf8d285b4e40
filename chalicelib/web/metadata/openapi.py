from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from ... import __version__
from ...domain import errors
from ...domain.errors import LatchkeyError
from ...domain.oauth import authorization_request as oauth
from ...flows.oauth.grants import GRANTS
from ..http.answers import ErrorBody, status_of
from ..http.decoding import Form
from ..http.routing import Operation
from ..pages import html
from .server import ENDPOINTS

STYLE = (html.DIRECTORY / "static" / "docs.css").read_text()
STYLE_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
FORM, HTML = "application/x-www-form-urlencoded", "text/html; charset=utf-8"
PAGE_HEADERS = {
    "Content-Type": HTML,
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
ALWAYS = (errors.InvalidRequest, errors.LatchkeyError, errors.TemporarilyUnavailable)
DESCRIPTION = "Accounts, sessions and access tokens. Every refusal has the one shape of ErrorBody; a page's is a page."
# Fields of which only these values mean something.
CHOICES: Mapping[str, Sequence[str]] = {
    "grant_type": tuple(GRANTS),
    "response_type": ("code",),
    "response_mode": oauth.RESPONSE_MODES,
    "code_challenge_method": ("S256",),
    "decision": ("allow", "deny", "switch"),
}


def document(issuer: str, operations: Sequence[Operation]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of these operations, from the types that check their bodies and shape their answers."""
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for operation in operations:
        paths[operation.path][operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Latchkey", "version": __version__, "description": DESCRIPTION},
        "servers": [{"url": issuer}],
        "paths": dict(paths),
        "components": {"schemas": _components(operations), "securitySchemes": _schemes(issuer, operations)},
    }


def _schemes(issuer: str, operations: Iterable[Operation]) -> dict[str, Any]:
    """The token of a user, and that of a client that acts for itself where some operation takes it."""
    schemes: dict[str, Any] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "at+jwt (RFC 9068)"}}
    scopes = {each.scope: "" for each in operations if each.scope and each.machines}
    if scopes:
        flow = {"tokenUrl": issuer + ENDPOINTS["token_endpoint"], "scopes": scopes}
        schemes["machine"] = {"type": "oauth2", "flows": {"clientCredentials": flow}}
    return schemes


def page(doc: dict[str, Any]) -> str:
    """The document as a page to read."""
    return html.templates().get_template("docs.html").render(doc=doc, style=STYLE)


def _types(operations: Iterable[Operation]) -> list[type]:
    declared = (t for each in operations for t in (each.body, each.answer, each.accepted) if t and t is not Form)
    return list(dict.fromkeys([*declared, ErrorBody]))


def _components(operations: Iterable[Operation]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components(_types(operations), ref_template="#/components/schemas/{name}")
    return components


def _operation(operation: Operation) -> dict[str, Any]:
    description: dict[str, Any] = {
        "operationId": operation.handler.__name__,
        "summary": (operation.handler.__doc__ or "").strip(),
        "responses": {**_answers(operation), **_refusals(operation)},
    }
    if parameters := _parameters(operation):
        description["parameters"] = parameters
    if operation.body:
        description["requestBody"] = {
            "required": not operation.body_optional,
            "content": _form(operation) if operation.body is Form else _content(operation.body),
        }
    if operation.scope:
        schemes = ("bearer", "machine") if operation.machines else ("bearer",)
        description["security"] = [{scheme: [operation.scope]} for scheme in schemes]
    return description


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    of_path = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    of_query = [] if operation.body else sorted(operation.takes)
    return of_path + [{"name": name, "in": "query", "schema": _field(name)} for name in of_query]


def _form(operation: Operation) -> dict[str, Any]:
    fields = {name: _field(name) for name in sorted(operation.takes)}
    return {FORM: {"schema": {"type": "object", "properties": fields}}}


def _field(name: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(CHOICES[name])} if name in CHOICES else {"type": "string"}


def _answers(operation: Operation) -> dict[str, Any]:
    responses = {str(operation.status): _answer(operation)}
    if operation.accepted:
        description = (operation.accepted.__doc__ or "").strip()
        responses["202"] = {"description": description, "content": _content(operation.accepted)}
    if operation.page and not operation.media:
        responses["303"] = {
            "description": "On to the next page, or back to the client.",
            "headers": {"Location": {"required": True, "schema": {"type": "string", "format": "uri"}}},
        }
    return responses


def _answer(operation: Operation) -> dict[str, Any]:
    if operation.answer:
        return {"description": (operation.answer.__doc__ or "").strip(), "content": _content(operation.answer)}
    media = operation.media or ((HTML,) if operation.page else ())
    response: dict[str, Any] = {"description": "The document." if media else "Done."}
    if media:
        response["content"] = {name: {"schema": {}} for name in media}
    return response


def _content(shape: type) -> dict[str, Any]:
    media_type = getattr(shape, "MEDIA_TYPE", "application/json")
    return {media_type: {"schema": {"$ref": f"#/components/schemas/{shape.__name__}"}}}


def _refusals(operation: Operation) -> dict[str, Any]:
    by_status: dict[str, list[type[LatchkeyError]]] = defaultdict(list)
    possible: list[type[LatchkeyError]] = [*operation.errors, *ALWAYS]
    if operation.scope and not operation.machines:
        possible.append(errors.UserRequired)
    if operation.body:
        possible.append(errors.PayloadTooLarge)
        possible += [errors.UnsupportedMediaType] if operation.body is not Form else []
    for error in dict.fromkeys(possible):
        by_status[str(status_of(error.code, operation.statuses))].append(error)
    return {
        status: {
            "description": " ".join(f"`{error.code}`: {error.default}" for error in errors_of_status),
            "content": {HTML: {"schema": {}}} if operation.page else _content(ErrorBody),
        }
        for status, errors_of_status in sorted(by_status.items())
    }
