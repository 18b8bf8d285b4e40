"""What each field of the OpenAPI document means, with an example of it.

A name means the same wherever it is, so fields.json has it once; `Schema.name` or `operation.name` is for where it differs.
What a type says of its own field comes first. A field of other schemas has no example of its own: it is made of theirs.
`bodies` are examples of a whole, where one of all its fields would be none. `answers` names the members of an answer that
has no type of its own.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("fields.json")
REFERENCE = "#/components/schemas/"


def describe(schemas: Mapping[str, dict[str, Any]]) -> None:
    """Gives the fields of all schemas their descriptions and examples, and each schema an example of its own."""
    for name, schema in schemas.items():
        for field, field_schema in schema.get("properties", {}).items():
            schema["properties"][field] = described(name, field, field_schema)
    for name, schema in schemas.items():
        schema["examples"] = [example(schemas, name)]


def described(owner: str, name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A field of a schema or of an operation, with its description and its example."""
    own_words = [schema, *schema.get("anyOf", ())]
    description = next((each["description"] for each in own_words if "description" in each), None)
    text, *examples = _known(owner, name)
    extra = {"examples": examples} if examples else {}
    return {**schema, "description": description or text, **extra}


def example(schemas: Mapping[str, Any], name: str) -> Any:
    """An example of a schema: what it needs, or all of it where it needs nothing."""
    whole = _file()["bodies"].get(name)
    return whole if whole is not None else _of_schema(schemas, schemas[name])


def form_examples(operation: str, fields: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Examples of a form, by what they are for."""
    every_field = {name: field["examples"][0] for name, field in fields.items() if field.get("examples")}
    bodies = _file()["bodies"].get(operation) or {"every field": every_field}
    return {name: {"value": body} for name, body in bodies.items()}


def answer(operation: str) -> dict[str, Any]:
    """The members of an answer that has no type of its own, and an example of it; nothing for any other operation."""
    names = _file()["answers"].get(operation, ())
    members = {name: described(operation, name, {}) for name in names}
    if not members:
        return {}
    examples = {name: member["examples"][0] for name, member in members.items()}
    return {"schema": {"type": "object", "properties": members}, "example": examples}


def _of_schema(schemas: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        return example(schemas, schema["$ref"].removeprefix(REFERENCE))
    if examples := schema.get("examples"):
        return examples[0]
    if schema.get("type") == "array":
        return [_of_schema(schemas, schema["items"])]
    properties = schema.get("properties", {})
    names = schema.get("required") or [name for name, each in properties.items() if _has_example(each)]
    return {name: _of_schema(schemas, properties[name]) for name in names}


def _has_example(schema: Mapping[str, Any]) -> bool:
    return bool(schema.get("examples")) or "$ref" in schema


def _known(owner: str, name: str) -> list[Any]:
    fields = _file()["fields"]
    known: list[Any] = fields.get(f"{owner}.{name}") or fields.get(name) or [""]
    return known


@lru_cache(maxsize=1)
def _file() -> dict[str, dict[str, Any]]:
    texts: dict[str, dict[str, Any]] = json.loads(FILE.read_text())
    return texts
