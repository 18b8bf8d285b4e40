import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.crypto.sealing import seal, unseal
from tests.support.forge import b64, unb64

SECRET, OTHER = bytes(range(32)), bytes(32)
PURPOSE = b"for a test\x00"
CLAIMS = {"scope": "openid", "until": 1}


@given(st.dictionaries(st.text(), st.text()))
def test_what_was_sealed_comes_out_again_under_any_of_the_keys(claims: dict[str, str]) -> None:
    assert unseal(seal(claims, secret=SECRET, purpose=PURPOSE), [OTHER, SECRET], purpose=PURPOSE) == claims


def test_a_text_is_sealed_by_aes_gcm_with_a_nonce_of_96_bits_before_it() -> None:
    cipher = AESGCM(hmac.new(SECRET, PURPOSE, hashlib.sha256).digest())
    by_hand = bytes(range(12)) + cipher.encrypt(bytes(range(12)), json.dumps(CLAIMS).encode(), None)  # NIST SP 800-38D
    assert unseal(b64(by_hand) + "=" * (-len(b64(by_hand)) % 4), [SECRET], purpose=PURPOSE) == CLAIMS
    raw = unb64(seal(CLAIMS, secret=SECRET, purpose=PURPOSE).rstrip("="))
    assert json.loads(cipher.decrypt(raw[:12], raw[12:], None)) == CLAIMS


def test_a_seal_is_for_its_secret_and_its_purpose_alone() -> None:
    text = seal(CLAIMS, secret=SECRET, purpose=PURPOSE)
    assert unseal(text, [OTHER], purpose=PURPOSE) is None
    assert unseal(text, [SECRET], purpose=b"another\x00") is None


def test_nothing_can_be_read_in_it_and_no_two_are_the_same() -> None:
    texts = {seal(CLAIMS, secret=SECRET, purpose=PURPOSE) for _ in range(8)}
    assert len(texts) == 8
    assert not any(b"openid" in unb64(text) for text in texts)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=63))
def test_a_changed_letter_spoils_it(place: int, step: int) -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    text = seal({"text": json.dumps(CLAIMS)}, secret=SECRET, purpose=PURPOSE).rstrip("=")
    place %= len(text) - 1  # the last letter has bits to spare
    changed = letters[(letters.index(text[place]) + step) % 64]
    spoilt = text[:place] + changed + text[place + 1 :]
    assert unseal(spoilt + "=" * (-len(spoilt) % 4), [SECRET], purpose=PURPOSE) is None


@pytest.mark.parametrize("length", range(3))
def test_a_sealed_text_has_one_spelling(length: int) -> None:
    claims = {"text": "x" * length}
    text = seal(claims, secret=SECRET, purpose=PURPOSE)
    bare = text.rstrip("=")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    padding = text.removeprefix(bare)
    spellings = {
        bare,
        f"{bare}=",
        f"{bare}==",
        f"{bare}====",
        f"{text}\n",
        f" {text}",
        f"{text}!",
        f"{text[:8]}\n{text[8:]}",
    }
    spellings |= {bare[:-1] + letter + padding for letter in letters}
    spellings |= {text.replace("-", "+"), text.replace("_", "/")}
    assert [each for each in spellings | {text} if unseal(each, [SECRET], purpose=PURPOSE) == claims] == [text]


@pytest.mark.parametrize("text", ["", "x", "é", "AAAA", "A" * 100, "=", "x" * 8000])
def test_any_other_text_is_none(text: str) -> None:
    assert unseal(text, [SECRET], purpose=PURPOSE) is None
