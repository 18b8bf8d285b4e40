import hmac
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.crypto import pairwise

SECRET = bytes(range(32))
UID = "00112233445566778899aabbccddeeff"
ids = st.binary(min_size=16, max_size=16).map(bytes.hex)


@given(ids, st.text())
def test_a_name_leads_back_to_its_user(uid: str, sector: str) -> None:
    name = pairwise.name(uid, sector=sector, secret=SECRET)
    assert pairwise.identifier(name, sector=sector, secret=SECRET) == uid
    assert len(name) == 32


@given(ids, ids)
def test_two_users_never_share_a_name(one: str, other: str) -> None:
    names = {pairwise.name(uid, sector="a.example", secret=SECRET) for uid in (one, other)}
    assert len(names) == len({one, other})


def test_sectors_and_secrets_give_other_names() -> None:
    names = {
        UID,
        pairwise.name(UID, sector="a.example", secret=SECRET),
        pairwise.name(UID, sector="b.example", secret=SECRET),
        pairwise.name(UID, sector="a.example", secret=bytes(32)),
    }
    assert len(names) == 4


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl to compare with")
def test_a_name_is_what_openssl_makes_of_the_same_key_and_block() -> None:
    key = hmac.new(SECRET, b"latchkey pairwise\x00a.example", "sha256").hexdigest()
    command = ["openssl", "enc", "-aes-256-ecb", "-nopad", "-K", key]
    run = subprocess.run(command, input=bytes.fromhex(UID), capture_output=True, check=True)
    assert pairwise.name(UID, sector="a.example", secret=SECRET) == run.stdout.hex()


@pytest.mark.parametrize("text", ["", "x" * 32, UID[:-2], UID + "00", UID.upper(), f" {UID[1:]}", "é" * 32])
def test_what_cannot_be_a_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        pairwise.identifier(text, sector="a.example", secret=SECRET)
