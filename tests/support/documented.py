"""Answers held against our own OpenAPI document."""

import re
from collections.abc import Mapping
from typing import Any

from openapi_schema_validator import OAS31Validator

from local.gateway import Answer


def operation(document: Mapping[str, Any], line: str) -> tuple[str, dict[str, Any]]:
    """The operation that `"METHOD /path"` belongs to, with its path as the document has it."""
    method, _, path = line.partition(" ")
    for template, item in sorted(document["paths"].items(), key=lambda each: "{" in each[0]):
        if method.lower() in item and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return f"{method} {template}", item[method.lower()]
    raise AssertionError(f"{line} is not in the document")


def required_headers(document: Mapping[str, Any], response: Mapping[str, Any]) -> list[str]:
    """The headers that a described answer always has."""
    headers = response.get("headers", {})
    own = {name: document["components"]["headers"][name] if "$ref" in each else each for name, each in headers.items()}
    return [name for name, each in own.items() if each.get("required")]


def check(document: Mapping[str, Any], line: str, answer: Answer) -> str:
    """Asserts that an answer is one that the document describes; gives its operation's line."""
    line_of_operation, described = operation(document, line)
    assert str(answer.status) in described["responses"], (line, answer)
    response = described["responses"][str(answer.status)]
    for header in required_headers(document, response):
        assert answer.header(header), (line, header)
    content = response.get("content")
    if content is None:
        assert answer.body == b"", (line, answer)
        return line_of_operation
    media_type = answer.header("Content-Type") or ""
    assert media_type in content, (line, media_type, list(content))
    if "json" in media_type:
        schema = {**content[media_type]["schema"], "components": document["components"]}
        OAS31Validator(schema).validate(answer.json())
    return line_of_operation
