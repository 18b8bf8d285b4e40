"""The code of a device in what somebody typed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.oauth import user_codes


def test_a_code_has_no_vowel_and_no_digit_and_is_shown_in_two_groups() -> None:
    for _ in range(100):
        assert re.fullmatch("[BCDFGHJKLMNPQRSTVWXZ]{8}", code := user_codes.new())
        assert user_codes.display(code) == f"{code[:4]}-{code[4:]}"


@pytest.mark.parametrize(
    "typed",
    # RFC 8628 section 6.1 has the first.
    ["WDJB-MJHT", "wdjbmjht", " WDJB MJHT ", "W-D-J-B-M-J-H-T", "WDJB\u2014MJHT", "Your code is WDJB-MJHT!",
     "Type WDJBMJHT, then wait", "your code:\nwdjb mjht\n", "WDJB-MJHT (again: WDJB-MJHT)"],
)  # fmt: skip
def test_the_code_is_found_in_what_was_typed_or_pasted(typed: str) -> None:
    assert user_codes.read(typed) == "WDJBMJHT"


@pytest.mark.parametrize(
    "typed", ["", "WDJB-MJH", "WDJB-MJHTB", "WDJB-MJHT or BBBB-BBBB", "XWDJB-MJHT", "it is WDJB and MJHT", "W" * 65]
)
def test_what_is_no_code_or_more_than_one_is_none(typed: str) -> None:
    assert user_codes.read(typed) == ""


@given(st.text())
def test_whatever_is_typed_is_a_code_or_none(typed: str) -> None:
    assert re.fullmatch("([BCDFGHJKLMNPQRSTVWXZ]{8})?", user_codes.read(typed))
