import hashlib
import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace

import pytest

from chalicelib.domain.errors import InvalidGrant
from chalicelib.domain.model import Grant
from chalicelib.domain.refresh import BROWSER, CODE, Handle, Use, derive, key_number, use_of, verify

UID, GID = bytes(range(16)), bytes(range(16, 32))
TOKEN = Handle(uid=UID.hex(), gid=GID.hex(), generation=7)
SECRET = bytes(range(100, 132))
# Computed once by `openssl dgst -sha256 -mac HMAC`, over the bytes as refresh.py's comment lays them out.
PINNED = "AQADAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AAAAAAAAAB4c9WYZnXpQLb1w9F5r4OUURW3Zo4c-ABPhGlKOCh1CE"


def by_hand(
    *, version: int = 1, number: int = 3, generation: int = 7, secret: bytes = SECRET, purpose: bytes = b"refresh token"
) -> str:
    payload = struct.pack(">BH", version, number) + UID + GID + struct.pack(">Q", generation)
    mac = hmac.new(secret, b"latchkey " + purpose + b"\0" + payload, hashlib.sha256).digest()
    return urlsafe_b64encode(payload + mac).decode()


def test_a_token_is_written_as_it_was_written_first() -> None:
    assert derive(TOKEN, key_number=3, secret=SECRET) == PINNED == by_hand()


def test_a_token_that_was_written_once_can_be_read() -> None:
    assert verify(PINNED, {3: SECRET}) == TOKEN
    assert key_number(PINNED) == 3


@pytest.mark.parametrize(("purpose", "name"), [(CODE, b"code"), (BROWSER, b"browser")])
def test_codes_and_cookies_are_written_as_they_were_written_first(purpose: bytes, name: bytes) -> None:
    assert derive(TOKEN, key_number=3, secret=SECRET, purpose=purpose) == by_hand(purpose=name)
    assert verify(by_hand(purpose=name), {3: SECRET}, purpose=purpose) == TOKEN


@pytest.mark.parametrize("number", [1, 2**15, 2**16 - 1])
def test_a_token_names_its_key_whatever_its_number(number: int) -> None:
    assert derive(TOKEN, key_number=number, secret=SECRET) == by_hand(number=number)
    assert verify(by_hand(number=number), {number: SECRET}) == TOKEN
    assert key_number(by_hand(number=number)) == number


@pytest.mark.parametrize("generation", [1, 2, 2**32, 2**64 - 1])
def test_a_token_says_its_generation_whatever_its_size(generation: int) -> None:
    token = replace(TOKEN, generation=generation)
    assert derive(token, key_number=3, secret=SECRET) == by_hand(generation=generation)
    assert verify(by_hand(generation=generation), {3: SECRET}) == token


def test_a_turned_bit_anywhere_is_a_forgery() -> None:
    raw = bytearray(urlsafe_b64decode(PINNED))
    for position in range(len(raw) * 8):
        turned = bytearray(raw)
        turned[position // 8] ^= 1 << position % 8
        with pytest.raises(InvalidGrant):
            verify(urlsafe_b64encode(turned).decode(), dict.fromkeys(range(0x10000), SECRET))


def test_a_token_has_one_spelling() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=~ \n\0é"
    for position, letter in enumerate(PINNED):
        for other in set(alphabet) - {letter}:
            with pytest.raises(InvalidGrant):
                verify(PINNED[:position] + other + PINNED[position + 1 :], {3: SECRET})


@pytest.mark.parametrize(
    "text", ["", PINNED[:-4], PINNED + "AAAA", PINNED + "=", PINNED + "\n", f" {PINNED}", "A" * 100]
)
def test_a_text_of_another_length_or_origin_is_refused(text: str) -> None:
    with pytest.raises(InvalidGrant):
        verify(text, {3: SECRET})
    assert key_number(text) in (0, 3)


@pytest.mark.parametrize(
    "text", [by_hand(version=2), by_hand(version=0), by_hand(number=4), by_hand(secret=bytes(32)), by_hand(secret=b"")]
)
def test_another_version_key_or_secret_is_refused(text: str) -> None:
    with pytest.raises(InvalidGrant):
        verify(text, {3: SECRET})


def test_a_mac_made_for_another_purpose_is_refused() -> None:
    payload = urlsafe_b64decode(PINNED)[:43]
    bare = hmac.new(SECRET, payload, hashlib.sha256).digest()
    with pytest.raises(InvalidGrant):
        verify(urlsafe_b64encode(payload + bare).decode(), {3: SECRET})


@pytest.mark.parametrize("text", ["", "A" * 100, "é" * 100, by_hand(version=2), PINNED[:-4], PINNED + "AAAA"])
def test_a_text_that_cannot_be_ours_names_no_key(text: str) -> None:
    assert key_number(text) == 0


LIVE = Grant(
    uid=TOKEN.uid,
    gid=TOKEN.gid,
    client_id="latchkey",
    scope=("account",),
    token_version=1,
    amr=("pwd",),
    auth_time=0,
    created_at=0,
    last_used_at=1000,
    expires_at=2000,
    ends_at=9000,
    generation=5,
    rotated_at=1000,
)


@pytest.mark.parametrize(
    ("generation", "now", "expected"),
    [
        (5, 1000, Use.CURRENT),
        (5, 1999, Use.CURRENT),
        (5, 2000, Use.DEAD),  # the grant expires at 2000
        (4, 1000, Use.RETRY),
        (4, 1030, Use.RETRY),  # 30 s after its first use
        (4, 1031, Use.REUSE),
        (4, 1999, Use.REUSE),
        (4, 2000, Use.DEAD),
        (3, 1000, Use.REUSE),  # two generations old: no window for it
        (0, 1000, Use.REUSE),
        (6, 1000, Use.DEAD),  # one that was never issued: an older state of the table, or a stolen key
        (2**64 - 1, 1000, Use.DEAD),
    ],
)
def test_what_presenting_a_generation_means(generation: int, now: int, expected: Use) -> None:
    assert use_of(LIVE, generation, now=now, retry_window=30) is expected


@pytest.mark.parametrize("generation", [3, 4, 5, 6])
@pytest.mark.parametrize("grant", [None, replace(LIVE, ended="logout")])
def test_a_grant_that_is_gone_or_ended_has_no_use_left(grant: Grant | None, generation: int) -> None:
    assert use_of(grant, generation, now=1000, retry_window=30) is Use.DEAD
