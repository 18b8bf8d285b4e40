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
from ..http.answers import ErrorBody, status_of
from ..http.decoding import Form
from ..http.routing import Operation
from . import answer_headers, fields, security
from .reference import HTML
from .tags import OTHERS, TAGS, Tag, callers_of, tag_of

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
ALWAYS = (errors.InvalidRequest, errors.LatchkeyError, errors.TemporarilyUnavailable)
DESCRIPTION = (
    "Accounts, sessions and access tokens. For an app of your own, begin with App accounts and App login; with a library "
    "that speaks OAuth or OpenID Connect, with OAuth clients. Every refusal has the one shape of ErrorBody; a page's is a page."
)
FIRST_SENTENCE = re.compile(r"(?<=[.]) (?=[A-Z])|\n")
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
        "x-tagGroups": _groups(used),
        "paths": dict(paths),
        "components": {
            "schemas": _components(operations),
            "headers": dict(answer_headers.COMPONENTS),
            "securitySchemes": security.schemes(issuer, operations),
        },
    }


def _groups(used: Iterable[Tag]) -> list[dict[str, Any]]:
    """The tags by who calls what they have, which some renderers know."""
    groups: dict[str, list[str]] = defaultdict(list)
    for tag in (*TAGS, OTHERS):
        if tag in used:
            groups[callers_of(tag)].append(tag.name)
    return [{"name": name, "tags": tags} for name, tags in groups.items()]


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
        "summary": FIRST_SENTENCE.split(text, maxsplit=1)[0].replace("`", ""),  # no markup is known there
        "description": f"{text}\n\n{security.callers(operation)}",
        "responses": {**_answers(operation), **_refusals(operation)},
    }
    if parameters := _parameters(operation):
        description["parameters"] = parameters
    if operation.body:
        description["requestBody"] = {
            "required": not operation.body_optional,
            "content": _form(operation) if operation.body is Form else _content(operation.body),
        }
    if requirements := security.requirements(operation):
        description["security"] = requirements
    return description


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
    if headers := answer_headers.headers(operation, operation.status):
        responses[str(operation.status)]["headers"] = headers
    if operation.accepted:
        description = (operation.accepted.__doc__ or "").strip()
        responses["202"] = {
            "description": description,
            "headers": answer_headers.headers(operation, 202),
            "content": _content(operation.accepted),
        }
    if operation.page and HTML in (operation.media or (HTML,)):
        responses["303"] = {
            "description": "On to the next page, or back to the client.",
            "headers": {"Location": {"required": True, "schema": {"type": "string", "format": "uri"}}},
        }
    return responses


def _answer(operation: Operation) -> dict[str, Any]:
    if operation.answer:
        return {"description": (operation.answer.__doc__ or "").strip(), "content": _content(operation.answer)}
    media = operation.media or ((HTML,) if operation.page and operation.status != 204 else ())
    response: dict[str, Any] = {"description": "The document." if media else "Done."}
    if media:
        response["content"] = {name: {"schema": {}} for name in media}
        if members := fields.answer(operation.handler.__name__):
            response["content"][JSON] = members
    return response


def _content(shape: type) -> dict[str, Any]:
    media_type = getattr(shape, "MEDIA_TYPE", JSON)
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
            **(
                {"content": {HTML: {"schema": {}}}} if operation.page else _refusal(operation, status, errors_of_status)
            ),
        }
        for status, errors_of_status in sorted(by_status.items())
    }


def _refusal(operation: Operation, status: str, errors_of_status: Sequence[type[LatchkeyError]]) -> dict[str, Any]:
    error = errors_of_status[0]
    (content,) = (body := _content(ErrorBody)).values()
    content["example"] = {"error": error.code, "error_description": error.default}
    return {"headers": answer_headers.headers(operation, int(status), errors_of_status), "content": body}
