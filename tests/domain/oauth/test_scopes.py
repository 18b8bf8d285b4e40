import pytest

from chalicelib.domain.errors import InvalidScope
from chalicelib.domain.oauth.scopes import narrow, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("account", ("account",)),
        ("b a", ("b", "a")),
        ("a b a", ("a", "b")),
        ("https://api.example/notes.read", ("https://api.example/notes.read",)),
        ("x" * 128, ("x" * 128,)),
        (" ".join(map(str, range(50))), tuple(map(str, range(50)))),
    ],
)
def test_a_scope_list_is_read_each_once_in_order(text: str, expected: tuple[str, ...]) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        " ",
        " a",
        "a ",
        "a  b",
        "a\tb",
        "a\nb",
        'a"b',
        "a\\b",
        "é",
        "a\0",
        "a\n",
        "x" * 129,
        " ".join(map(str, range(51))),
    ],
)
def test_a_list_that_rfc_6749_does_not_allow_is_refused(text: str) -> None:
    with pytest.raises(InvalidScope):
        parse(text)


def test_a_scope_is_of_the_letters_of_rfc_6749_appendix_a_4_but_for_the_dollar_sign() -> None:
    letters = {chr(code) for code in (0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F))} - {"$"}
    for letter in map(chr, range(0x21, 0x180)):
        if letter in letters:
            assert parse(letter) == (letter,)
        else:
            with pytest.raises(InvalidScope):
                parse(letter)


def test_nothing_asked_for_is_all_that_is_allowed() -> None:
    assert narrow(None, allowed=("a", "b")) == ("a", "b")


def test_all_or_a_part_of_what_is_allowed_can_be_asked_for() -> None:
    assert narrow("b a", allowed=("a", "b")) == ("b", "a")
    assert narrow("b", allowed=("a", "b")) == ("b",)


@pytest.mark.parametrize("requested", ["", "c", "a c", "A", "a:b"])
def test_nothing_beyond_what_is_allowed_is_granted(requested: str) -> None:
    with pytest.raises(InvalidScope):
        narrow(requested, allowed=("a", "b"))
