"""The claims that a deployment puts into tokens beside the standard ones: templates, and what may come of them."""

import json
import re
from collections.abc import Mapping
from typing import Any

PLACE = re.compile(r"\{([a-z][a-z0-9_.]*)\}")
MAX_BYTES = 1024


def render(template: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The claims of a template; one whose place has no value is left out.

    A text that is one place alone has the value as it is; among other text a list is its words, with spaces between.
    """
    rendered = {name: _rendered(each, values) for name, each in template.items()}
    return {name: value for name, value in rendered.items() if value is not None}


def _rendered(part: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(part, dict):
        return render(part, values)
    if isinstance(part, list):
        return [value for each in part if (value := _rendered(each, values)) is not None]
    if not isinstance(part, str):
        return part
    if place := PLACE.fullmatch(part):
        return values.get(place[1])
    if any(values.get(name) is None for name in PLACE.findall(part)):
        return None
    return PLACE.sub(lambda place: _as_text(values[place[1]]), part)


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return " ".join(value) if isinstance(value, list | tuple) else json.dumps(value)


def size(claims: Mapping[str, Any]) -> int:
    """How many bytes claims take in a token; raises TypeError or ValueError for what is no JSON."""
    return len(json.dumps(claims, separators=(",", ":"), allow_nan=False)) if claims else 0
