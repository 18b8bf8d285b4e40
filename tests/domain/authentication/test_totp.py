"""One-time codes by the vectors of RFC 4226 and RFC 6238, and what people type for them."""

import re
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from chalicelib.domain.authentication import totp, typed_codes

SECRET = b"12345678901234567890"  # of both RFCs
# RFC 4226 appendix D.
HOTP = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
# RFC 6238 appendix B, SHA-1; of its eight digits the last six, for a code is the number modulo a power of ten.
TOTP = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}


def test_codes_are_those_of_rfc_4226() -> None:
    assert [totp.code(SECRET, step) for step in range(10)] == HOTP


@pytest.mark.parametrize(("now", "digits"), TOTP.items())
def test_codes_of_a_time_are_those_of_rfc_6238(now: int, digits: str) -> None:
    assert totp.matching_step(SECRET, digits[-6:], now=now, after=0) == now // 30


def test_a_code_is_good_one_step_before_and_one_after_its_own_and_no_longer() -> None:
    step = 1_800_000_000 // 30
    good = [
        at
        for at in range(step - 3, step + 4)
        if totp.matching_step(SECRET, totp.code(SECRET, step), now=at * 30, after=0)
    ]
    assert good == [step - 1, step, step + 1]


def test_a_code_of_a_step_that_was_used_or_of_one_before_is_none() -> None:
    now = 1_800_000_000
    step = now // 30
    for after in range(step - 3, step + 3):
        good = [
            s
            for s in (step - 1, step, step + 1)
            if totp.matching_step(SECRET, totp.code(SECRET, s), now=now, after=after)
        ]
        assert good == [s for s in (step - 1, step, step + 1) if s > after]


@pytest.mark.parametrize("digits", ["", "0", "94287082", "28708", "2870820"])
def test_what_has_not_six_digits_is_no_code(digits: str) -> None:
    assert totp.matching_step(SECRET, digits, now=59, after=0) is None


@pytest.mark.parametrize("issuer", ["Example", "Acme: Shop & Co", "متجر"])
def test_the_address_names_its_issuer_twice_and_says_what_every_app_takes_for_granted(issuer: str) -> None:
    uri = totp.uri(SECRET, issuer=issuer, account="ann+1@example.com")
    parts = urlsplit(uri)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    of_label, _, account = unquote(parts.path).removeprefix("/").partition(":")
    parameters = parse_qs(parts.query, strict_parsing=True)
    assert account == "ann+1@example.com"
    assert parameters == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": [of_label],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }
    assert ":" not in of_label
    assert uri.isascii()


@pytest.mark.parametrize(
    ("typed", "digits"),
    [
        ("123456", "123456"),
        ("Your code is 123 456!", "123456"),
        (" 123-456\r\n", "123456"),
        ("١٢٣٤٥٦", "123456"),
        ("１２３４５６", "123456"),
        ("12²³", "12"),
        ("", ""),
        ("x\U0001f511", ""),
    ],
)
def test_of_what_is_pasted_the_digits_count_whatever_their_script(typed: str, digits: str) -> None:
    assert typed_codes.digits(typed) == digits


def test_a_recovery_code_has_eighty_bits_and_no_letter_to_take_for_another() -> None:
    codes = {typed_codes.new_recovery_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert all(re.fullmatch(r"([0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}", code) for code in codes)
    assert len(typed_codes.LETTERS) ** typed_codes.CODE_LETTERS == 2**80


def test_a_recovery_code_is_the_same_however_it_is_typed_and_another_of_another_account() -> None:
    def digest(typed: str) -> str:
        return typed_codes.recovery_code_digest(typed, uid="1")

    spellings = ["0a1b-2c3d-4e5f-6g7h", "OA1B2C3D4E5F6G7H", " oaIb 2c3d_4e5f.6g7h ", "ｏalb2c3d4e5f6g7h"]
    assert len({digest(typed) for typed in spellings}) == 1
    assert digest(spellings[0]) != digest("0a1b-2c3d-4e5f-6g7j")
    assert digest(spellings[0]) != typed_codes.recovery_code_digest(spellings[0], uid="2")
