"""A session's id says to who has the key, and to nobody else, in which browser's session it began."""

import hashlib
import hmac

import pytest

from chalicelib.domain.crypto.session_ids import began_in, in_browser

SECRET, OTHER = b"k" * 32, b"o" * 32
BROWSER, NONCE = "b" * 32, "0123456789abcdef"


def test_an_id_is_what_hmac_makes_of_it() -> None:
    message = b"latchkey session id\x00" + f"{NONCE}\0{BROWSER}".encode()
    expected = NONCE + hmac.new(SECRET, message, hashlib.sha256).hexdigest()[:16]
    assert in_browser(NONCE, browser=BROWSER, secret=SECRET) == expected
    assert len(expected) == 32
    assert began_in(expected, browser=BROWSER, secret=SECRET)


@pytest.mark.parametrize(
    "other", ["", "0" * 32, NONCE, NONCE + "0" * 16, "f" + in_browser(NONCE, browser=BROWSER, secret=SECRET)[1:], "é"]
)
def test_no_other_text_is_an_id_of_that_browser(other: str) -> None:
    assert not began_in(other, browser=BROWSER, secret=SECRET)


def test_an_id_is_of_one_browser_under_one_key() -> None:
    session_id = in_browser(NONCE, browser=BROWSER, secret=SECRET)
    assert not began_in(session_id, browser="c" * 32, secret=SECRET)
    assert not began_in(session_id, browser=BROWSER, secret=OTHER)
    # What is one text of nonce and browser together is not the other.
    assert not began_in(session_id, browser=f"{NONCE[-1]}\0{BROWSER}", secret=SECRET)
