"""RFC 3986 section 6: which URIs are the same, and which are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.oauth.uris import normalise, registered_spelling

API = "https://mcp.example"

SAME = [
    ("https://mcp.example/", API),  # 6.2.3
    ("https://mcp.example:443", API),
    ("https://mcp.example:443/", API),
    ("https://mcp.example:/", API),
    ("http://mcp.example:80/x", "http://mcp.example/x"),
    ("HTTPS://MCP.Example", API),  # 6.2.2.1
    ("https://mcp.example/a%2fb", "https://mcp.example/a%2Fb"),
    ("https://mcp.example/%7Ejo", "https://mcp.example/~jo"),  # 6.2.2.2
    ("https://m%63p.example/", API),
    ("https://m%43p.example/", API),
    ("https://mcp.example/a/../b/./c", "https://mcp.example/b/c"),  # 6.2.2.3
    ("https://mcp.example/a/%2E%2e/b", "https://mcp.example/b"),
    ("https://mcp.example/a/.", "https://mcp.example/a/"),
    ("https://mcp.example?x=%41", "https://mcp.example/?x=A"),
    # the RFC's own, 6.2.2 and 6.2.3
    ("eXAMPLE://a/./b/../b/%63/%7bfoo%7d", "example://a/b/c/%7Bfoo%7D"),
    ("http://example.com:80/", "http://example.com"),
    ("HTTP://www.EXAMPLE.com/", "http://www.example.com/"),
    ("https://[2001:DB8::1]:443/", "https://[2001:db8::1]"),
]

DIFFERENT = [
    ("https://mcp.example/x", "https://mcp.example/x/"),
    ("https://mcp.example/x", "https://mcp.example/X"),
    ("https://mcp.example/a%2Fb", "https://mcp.example/a/b"),
    ("https://mcp.example", "http://mcp.example"),
    ("https://mcp.example:80", API),
    ("http://mcp.example:443", "http://mcp.example"),
    ("https://mcp.example:8443", API),
    ("https://mcp.example.", API),
    ("https://mcp.example?", API),
    ("https://mcp.example#", API),
    ("https://mcp.example?a", "https://mcp.example?A"),
    ("https://user@mcp.example", API),
    ("https://mcp.example@evil.example", API),
    ("https://mcp.example%2F", API),
    ("https://mcp.example\\", API),
    (" https://mcp.example", API),
    ("https://mcp.example\n", API),
    ("https:mcp.example", API),
    ("//mcp.example", API),
    ("https://mcp.example/%", "https://mcp.example/%25"),
    ("urn:example:api", "URN:EXAMPLE:API"),
    ("notes", "Notes"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equivalent_spellings_are_the_same(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)
    assert registered_spelling(one, ("https://other.example", other)) == other


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_only_looks_alike_is_another(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)
    assert registered_spelling(one, (other,)) == one


def test_of_two_that_are_equivalent_the_one_that_was_written_is_meant() -> None:
    assert registered_spelling("https://mcp.example/", (API, "https://mcp.example/")) == "https://mcp.example/"


@pytest.mark.parametrize("more", ["/." * 2000, "/a/.." * 1000, "/%2e" * 1000, "/" + "%61" * 1000])
def test_what_is_longer_than_any_uri_here_is_only_itself(more: str) -> None:
    # To compare it costs more the longer it is, and whoever is a stranger may ask for that.
    assert normalise(API + more) == API + more
    assert registered_spelling(API + more, (API, f"{API}/a", f"{API}/" + "a" * 1000)) == API + more
    assert registered_spelling(API + more, (API, API + more)) == API + more


@given(st.text() | st.from_regex(r"https?://[a-zA-Z%0-9.:@/?#~-]{0,30}", fullmatch=True))
def test_the_normal_spelling_is_its_own(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


def test_an_escape_is_spelled_in_upper_case() -> None:
    # RFC 3986 section 6.2.2.1
    assert normalise("https://mcp.example/%c3%a4") == "https://mcp.example/%C3%A4"
