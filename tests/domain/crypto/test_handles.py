import hashlib
import hmac
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.accounts.model import Session
from chalicelib.domain.accounts.rotation import Use, use_of
from chalicelib.domain.crypto.handles import BROWSER, CODE, REFRESH, Handle, derive, key_number, verify
from chalicelib.domain.errors import InvalidGrant
from tests.support import handles
from tests.support.forge import b64, unb64

UID, GID = bytes(range(16)), bytes(range(16, 32))
TOKEN = Handle(uid=UID.hex(), session_id=GID.hex(), generation=7)
SECRET = bytes(range(100, 132))
# Version 1. Computed once by `openssl dgst -sha256 -mac HMAC`, over the bytes as refresh.py's comment lays them out.
FIRST = "AQADAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AAAAAAAAAB4c9WYZnXpQLb1w9F5r4OUURW3Zo4c-ABPhGlKOCh1CE"
# Version 2. Computed once by tests/support/handles.py, which does RFC 5297 step by step.
PINNED = "AgADaYLQO0VtfObhgMOH-S81cEpSYJcPIXf2VjtfcaLr31YAnzYmY3Tk-rxr94eipw0RuxTbEscvOvEQ"
PURPOSES = [(REFRESH, b"refresh token"), (CODE, b"code"), (BROWSER, b"browser")]


def by_hand(version: int, **changes: Any) -> str:
    """The handle above, changed, in one of the versions."""
    return handles.WRITERS[version](
        **{"uid": UID, "session_id": GID, "generation": 7, "number": 3, "secret": SECRET, **changes}
    )


def test_a_handle_is_made_as_it_was_made_first() -> None:
    assert derive(TOKEN, key_number=3, secret=SECRET) == PINNED == by_hand(2)


@pytest.mark.parametrize(("text", "version"), [(FIRST, 1), (PINNED, 2)])
def test_a_handle_of_whatever_version_can_be_read(text: str, version: int) -> None:
    assert text == by_hand(version)
    assert verify(text, {3: SECRET}) == TOKEN
    assert key_number(text) == 3


@pytest.mark.parametrize(("purpose", "name"), PURPOSES)
def test_each_kind_is_made_for_its_purpose_and_read_for_no_other(purpose: bytes, name: bytes) -> None:
    assert derive(TOKEN, key_number=3, secret=SECRET, purpose=purpose) == by_hand(2, purpose=name)
    for version in (1, 2):
        assert verify(by_hand(version, purpose=name), {3: SECRET}, purpose=purpose) == TOKEN
        for other in {each for each, _ in PURPOSES} - {purpose}:
            with pytest.raises(InvalidGrant):
                verify(by_hand(version, purpose=name), {3: SECRET}, purpose=other)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("number", [1, 2**15, 2**16 - 1])
def test_a_handle_names_its_key_whatever_its_number(number: int, version: int) -> None:
    assert derive(TOKEN, key_number=number, secret=SECRET) == by_hand(2, number=number)
    assert verify(by_hand(version, number=number), {number: SECRET}) == TOKEN
    assert key_number(by_hand(version, number=number)) == number


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("generation", [0, 1, 2, 2**32, 2**64 - 1])
def test_a_handle_says_its_generation_whatever_its_size(generation: int, version: int) -> None:
    token = replace(TOKEN, generation=generation)
    assert derive(token, key_number=3, secret=SECRET) == by_hand(2, generation=generation)
    assert verify(by_hand(version, generation=generation), {3: SECRET}) == token


@given(st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.integers(0, 9)), min_size=2, unique=True))
def test_handles_have_nothing_in_common_but_version_and_key(sessions: list[tuple[bytes, int]]) -> None:
    texts = [
        derive(Handle(uid=UID.hex(), session_id=session_id.hex(), generation=generation), key_number=3, secret=SECRET)
        for session_id, generation in sessions
    ]
    raws = [unb64(text) for text in texts]
    assert {raw[:3] for raw in raws} == {bytes([2, 0, 3])}
    assert len({len(raw) for raw in raws}) == 1
    pieces = [raw[at : at + 8] for raw in raws for at in range(3, len(raw) - 7)]
    assert len(set(pieces)) == len(pieces)
    assert not set(pieces) & {UID[:8], UID[8:]}


@pytest.mark.parametrize("text", [FIRST, PINNED])
def test_a_turned_bit_anywhere_is_a_forgery(text: str) -> None:
    raw, secrets = unb64(text), dict.fromkeys(range(0x10000), SECRET)
    for position in range(len(raw) * 8):
        turned = bytearray(raw)
        turned[position // 8] ^= 1 << position % 8
        with pytest.raises(InvalidGrant):
            verify(b64(bytes(turned)), secrets)


@pytest.mark.parametrize("text", [FIRST, PINNED])
def test_a_handle_has_one_spelling(text: str) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=~ \n\0é"
    for position, letter in enumerate(text):
        for other in set(alphabet) - {letter}:
            with pytest.raises(InvalidGrant):
                verify(text[:position] + other + text[position + 1 :], {3: SECRET})


@pytest.mark.parametrize("good", [FIRST, PINNED])
@pytest.mark.parametrize("spoilt", ["{}AAAA", "{}=", "{}====", "{}\n", " {}", "{}{}", "{}A"])
def test_a_text_of_another_length_is_refused_and_names_no_key(good: str, spoilt: str) -> None:
    for text in (spoilt.format(good, good), good[:-4], good[:-1], good[4:]):
        assert key_number(text) == 0
        with pytest.raises(InvalidGrant):
            verify(text, {3: SECRET})


@pytest.mark.parametrize("text", ["", "A", "A" * 80, "A" * 100, "é" * 80, "é" * 100, "\ud800" * 80, "x" * 100_000])
def test_a_text_that_cannot_be_ours_is_refused_and_names_no_key(text: str) -> None:
    assert key_number(text) == 0
    with pytest.raises(InvalidGrant):
        verify(text, dict.fromkeys(range(0x10000), SECRET))


def test_another_version_key_or_secret_is_refused() -> None:
    swapped = [b64(bytes([3 - version]) + unb64(by_hand(version))[1:]) for version in (1, 2)]
    others = [
        by_hand(v, **change) for v in (1, 2) for change in ({"number": 4}, {"secret": bytes(32)}, {"secret": b""})
    ]
    raised = [b64(bytes([version]) + unb64(text)[1:]) for version in (0, 3, 255) for text in (FIRST, PINNED)]
    for text in (*swapped, *others, *raised):
        with pytest.raises(InvalidGrant):
            verify(text, {3: SECRET})


def test_what_was_made_with_the_key_for_no_purpose_is_refused() -> None:
    payload = unb64(FIRST)[:43]
    bare = hmac.new(SECRET, payload, hashlib.sha256).digest()
    ciphertext = AESSIV(handles.siv_key(SECRET)).encrypt(UID + GID + bytes(9), None)
    for text in (b64(payload + bare), b64(bytes([2, 0, 3]) + ciphertext)):
        with pytest.raises(InvalidGrant):
            verify(text, {3: SECRET})


def test_rfc_5297s_own_example_comes_out_as_there() -> None:
    # Appendix A.1.
    key = bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    header = bytes.fromhex("101112131415161718191a1b1c1d1e1f2021222324252627")
    expected = "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"
    assert handles.siv(key, [header], bytes.fromhex("112233445566778899aabbccddee")).hex() == expected


LIVE = Session(
    uid=TOKEN.uid,
    session_id=TOKEN.session_id,
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
    assert use_of(LIVE, generation, jkt="", now=now, retry_window=30) is expected


@pytest.mark.parametrize("generation", [3, 4, 5, 6])
@pytest.mark.parametrize("session", [None, replace(LIVE, ended="logout")])
def test_a_grant_that_is_gone_or_ended_has_no_use_left(session: Session | None, generation: int) -> None:
    assert use_of(session, generation, jkt="", now=1000, retry_window=30) is Use.DEAD


@pytest.mark.parametrize(
    ("generation", "jkt", "expected"),
    [
        (5, "ours", Use.CURRENT),
        (4, "ours", Use.RETRY),
        (5, "", Use.DEAD),  # handed out bound, and of no use to who has no key
        (4, "another", Use.DEAD),
        (3, "ours", Use.REUSE),
        (3, "", Use.REUSE),  # handed out before there was a key: its owner's or a thief's
        (3, "another", Use.REUSE),
        (1, "", Use.REUSE),
        (6, "", Use.DEAD),
    ],
)
def test_what_presenting_a_generation_of_a_session_that_was_bound_later_means(
    generation: int, jkt: str, expected: Use
) -> None:
    session = replace(LIVE, jkt="ours", unbound_until=3)
    assert use_of(session, generation, jkt=jkt, now=1000, retry_window=30) is expected
