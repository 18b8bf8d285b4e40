"""What a deployment keeps of its users beside the standard claims: its values, by the kinds that it has declared."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from ..errors import InvalidRequest
from ..versioned import Record
from .profile import ONE_LINE

PERSON = "person"
MAX_NUMBER = 2**53  # beyond it JSON's readers disagree
MAX_TEXTS = 50
Value = str | bool | int | float | list[str]


class Definition(NamedTuple):
    """The kind of an attribute, who sets it, and how many bytes of JSON its value has at most."""

    kind: str
    set_by: str
    most: int


Definitions = Mapping[str, Definition]


class Attribute(Record, frozen=True):
    """A value as it is stored."""

    value: Value


def changes(values: Mapping[str, Any], definitions: Definitions, *, by_person: bool) -> dict[str, str]:
    """What is to be stored for new values, "" where None takes one away; raises InvalidRequest for what may not be set so."""
    for name in values:
        definition = definitions.get(name)
        if definition is None:
            known = ", ".join(definitions) or "none"
            raise InvalidRequest(f"`attributes` has a name that is not declared here; those that are: {known}.")
        if by_person and definition.set_by != PERSON:
            raise InvalidRequest(f"`attributes.{name}` is set by an administrator alone.")
        if values[name] is not None and not _fits(values[name], definition):
            raise InvalidRequest(f"`attributes.{name}` is a {definition.kind} of {definition.most} bytes at most.")
    return {name: "" if value is None else encode(value) for name, value in values.items()}


def of(stored: Mapping[str, Any], names: Iterable[str], definitions: Definitions) -> dict[str, Value]:
    """What is stored under these names, as far as it is declared by now and of the kind that it is declared as."""
    readable = [name for name in names if name in definitions and name in stored]
    return {name: stored[name] for name in readable if _fits(stored[name], definitions[name])}


def decode(text: str) -> Value | None:
    """The value in a stored text; None for one of another version than this release knows."""
    try:
        return msgspec.json.decode(text, type=Attribute).value
    except msgspec.MsgspecError:
        return None


def encode(value: Value) -> str:
    """A value as it is stored."""
    return msgspec.json.encode(Attribute(value)).decode()


def _fits(value: object, definition: Definition) -> bool:
    return _is_of_kind(value, definition.kind) and len(json.dumps(value)) <= definition.most


def _is_of_kind(value: object, kind: str) -> bool:
    match kind, value:
        case "boolean", bool():
            return True
        case "number", bool():
            return False
        case "number", int() | float():
            return -MAX_NUMBER <= value <= MAX_NUMBER  # which no infinity and no NaN is
        case "string", str():
            return _is_line(value)
        case "strings", list():
            return len(value) <= MAX_TEXTS and all(isinstance(each, str) and _is_line(each) for each in value)
    return False


def _is_line(text: str) -> bool:
    return re.search(ONE_LINE, text) is not None
