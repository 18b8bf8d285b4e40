import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.crypto.base64url import decode, encode


@pytest.mark.parametrize(
    ("data", "text"),
    [  # RFC 4648 section 10, and RFC 7515 appendix C
        (b"", ""),
        (b"f", "Zg"),
        (b"fo", "Zm8"),
        (b"foo", "Zm9v"),
        (b"foob", "Zm9vYg"),
        (b"fooba", "Zm9vYmE"),
        (b"foobar", "Zm9vYmFy"),
        (bytes([3, 236, 255, 224, 193]), "A-z_4ME"),
    ],
)
def test_bytes_have_the_spelling_of_the_standard(data: bytes, text: str) -> None:
    assert encode(data) == text
    assert decode(text) == data


@pytest.mark.parametrize(
    "text",
    ["Zg==", "Zh", "Zm9", "Zm8=", "Z", "Zm9v\n", " Zm9v", "Zm 9v", "A+z/4ME", "Zm9v=", "Zm9vé", "\ud800abc", "===="],
)
def test_what_is_spelt_otherwise_is_nothing(text: str) -> None:
    with pytest.raises(ValueError):
        decode(text)


@given(st.binary(max_size=40), st.integers(min_value=0), st.sampled_from("AZaz09-_+/= \n\0é"))
def test_no_text_but_one_gives_the_same_bytes(data: bytes, place: int, letter: str) -> None:
    text = encode(data)
    place %= len(text) + 1
    for other in (text[:place] + letter + text[place:], text[:place] + letter + text[place + 1 :]):
        if other != text:
            try:
                assert decode(other) != data
            except ValueError:
                continue
