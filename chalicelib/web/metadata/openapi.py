import inspect
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ... import __version__
from ...domain import errors
from ...domain.errors import LatchkeyError
from ...domain.oauth import authorization_request as oauth
from ...flows.oauth.grants import GRANTS
from ...guard.scope_map import ACCOUNT
from ..http.answers import ErrorBody, status_of
from ..http.decoding import Form
from ..http.routing import Operation
from . import fields
from .reference import HTML
from .server import ENDPOINTS
from .tags import OTHERS, TAGS, tag_of

FORM = "application/x-www-form-urlencoded"
ALWAYS = (errors.InvalidRequest, errors.LatchkeyError, errors.TemporarilyUnavailable)
DESCRIPTION = "Accounts, sessions and access tokens. Every refusal has the one shape of ErrorBody; a page's is a page."
FIRST_SENTENCE = re.compile(r"(?<=[.]) (?=[A-Z])|\n")
CODE_FLOW = "authorizationCode"
SCOPES = {ACCOUNT: "The user's own account."}
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
    used = {tag_of(operation) for operation in operations}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Latchkey", "version": __version__, "description": DESCRIPTION},
        "servers": [{"url": issuer}],
        "tags": [{"name": tag.name, "description": tag.description} for tag in (*TAGS, OTHERS) if tag in used],
        "paths": dict(paths),
        "components": {"schemas": _components(operations), "securitySchemes": _schemes(issuer, operations)},
    }


def _schemes(issuer: str, operations: Iterable[Operation]) -> dict[str, Any]:
    """The token of a user, and that of a client that acts for itself where some operation takes it."""
    login = {
        "authorizationUrl": issuer + ENDPOINTS["authorization_endpoint"],
        "tokenUrl": issuer + ENDPOINTS["token_endpoint"],
        "scopes": {scope: SCOPES.get(scope, "") for scope in sorted({each.scope for each in operations if each.scope})},
    }
    schemes: dict[str, Any] = {
        "login": {"type": "oauth2", "description": "Logs a user in, by code and PKCE.", "flows": {CODE_FLOW: login}},
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "at+jwt (RFC 9068)",
            "description": "An access token that is there already.",
        },
    }
    scopes = {each.scope: "" for each in operations if each.scope and each.machines}
    if scopes:
        flow = {"tokenUrl": issuer + ENDPOINTS["token_endpoint"], "scopes": scopes}
        schemes["machine"] = {"type": "oauth2", "flows": {"clientCredentials": flow}}
    return schemes


def _types(operations: Iterable[Operation]) -> list[type]:
    declared = (t for each in operations for t in (each.body, each.answer, each.accepted) if t and t is not Form)
    return list(dict.fromkeys([*declared, ErrorBody]))


def _components(operations: Iterable[Operation]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components(_types(operations), ref_template="#/components/schemas/{name}")
    fields.describe(components)
    return components


def _operation(operation: Operation) -> dict[str, Any]:
    text = inspect.cleandoc(operation.handler.__doc__ or "")
    description: dict[str, Any] = {
        "operationId": operation.handler.__name__,
        "tags": [tag_of(operation).name],
        "summary": FIRST_SENTENCE.split(text, maxsplit=1)[0],
        "description": f"{text}\n\n{_callers(operation)}",
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
        schemes = ("login", "bearer", "machine") if operation.machines else ("login", "bearer")
        description["security"] = [{scheme: [operation.scope]} for scheme in schemes]
    return description


def _callers(operation: Operation) -> str:
    """Who may call it, as a sentence."""
    if operation.scope:
        of_machine = " or of a client that acts for itself" if operation.machines else ""
        return f"Needs the scope `{operation.scope}`, of a user{of_machine}."
    if operation.logged_in:
        return "For who is logged in in the browser; anybody else logs in first."
    return "Needs no access token."


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    of_query = [] if operation.body else sorted(operation.takes)
    return [{**_parameter(operation, name), "in": "path", "required": True} for name in names] + [
        {**_parameter(operation, name), "in": "query"} for name in of_query
    ]


def _parameter(operation: Operation, name: str) -> dict[str, Any]:
    schema = _field(operation, name)
    return {"name": name, "description": schema.pop("description"), "schema": schema}


def _form(operation: Operation) -> dict[str, Any]:
    properties = {name: _field(operation, name) for name in sorted(operation.takes)}
    examples = fields.form_examples(operation.handler.__name__, properties)
    return {FORM: {"schema": {"type": "object", "properties": properties}, "examples": examples}}


def _field(operation: Operation, name: str) -> dict[str, Any]:
    schema = {"type": "string", "enum": list(CHOICES[name])} if name in CHOICES else {"type": "string"}
    return fields.described(operation.handler.__name__, name, schema)


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
            "content": {HTML: {"schema": {}}} if operation.page else _refusal(errors_of_status[0]),
        }
        for status, errors_of_status in sorted(by_status.items())
    }


def _refusal(error: type[LatchkeyError]) -> dict[str, Any]:
    (content,) = (body := _content(ErrorBody)).values()
    content["example"] = {"error": error.code, "error_description": error.default}
    return body
