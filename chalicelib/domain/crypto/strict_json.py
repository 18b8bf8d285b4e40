"""JSON that others have signed or serve, decoded so that everybody who reads it reads the same."""

import json
from math import isinf
from typing import Any


def decode(data: bytes | str) -> Any:
    """The value of a JSON text in UTF-8; raises ValueError for any other.

    A text with a name twice in an object, with a number that is none or greater than any, or with half a character counts
    as malformed (RFC 8259 sections 4, 6 and 8, RFC 7493 sections 2.1 to 2.3): readers differ in what they make of it.
    """
    text = data if isinstance(data, str) else data.decode()
    try:
        value = _decoder.decode(text)
        if "\\u" in text:  # half a surrogate pair can be there as an escape alone
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("too deep") from None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name twice")
    return members


def _no_number(text: str) -> Any:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError(text)
    return number


# Made once: json.loads makes one a call where it is given a hook.
_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_number, parse_float=_finite)
