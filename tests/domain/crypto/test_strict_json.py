"""JSON of strangers: what RFC 8259 and RFC 7493 (I-JSON) leave no doubt about, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.crypto import strict_json


def is_json(text: bytes | str) -> bool:
    try:
        strict_json.decode(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 1}',
        '{"a": 1, "\\u0061": 2}',
        '[{"x": {"a": 1, "b": 2, "a": 3}}]',
        '"\\ud800"',
        '"\\uDFFF and more"',
        '["\\ude00\\ud83d"]',
        '{"\\ud800": 1}',
        "NaN",
        "[-Infinity]",
        "[" * 100_000,
        '{"a":' * 100_000,
        "1" * 5000,
        "1e999",
        '{"a": [-1.5e400]}',
        "",
        "{} {}",
        "\x00",
        b"\xff",
        b'"\xed\xa0\x80"',
        '"a"'.encode("utf-16"),
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_what_readers_could_differ_about_is_no_json(text: bytes | str) -> None:
    assert not is_json(text)


@pytest.mark.parametrize(
    "text", ['"\\ud83d\\ude00"', '"\\u0000"', '"\\\\ud800"', '{"a": {"a": 1}}', '[{"a": 1}, {"a": 1}]']
)
def test_whole_characters_and_names_of_several_objects_are_fine(text: str) -> None:
    assert strict_json.decode(text) == strict_json.decode(text.encode()) == json.loads(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(VALUES, st.booleans())
def test_every_value_that_json_has_comes_out_as_it_went_in(value: Any, ascii_only: bool) -> None:
    assert strict_json.decode(json.dumps(value, ensure_ascii=ascii_only).encode()) == value
