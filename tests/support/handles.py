"""Refresh tokens, codes and cookies of every version, written by hand."""

import hashlib
import hmac
import struct
from collections.abc import Callable, Iterable, Mapping

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from chalicelib.domain.accounts.model import Session
from chalicelib.domain.crypto.keyset import HandleKey
from tests.support.forge import b64


def first(
    *, uid: bytes, session_id: bytes, generation: int, number: int, secret: bytes, purpose: bytes = b"refresh token"
) -> str:
    """Version 1: all of it readable, with an HMAC."""
    payload = struct.pack(">BH", 1, number) + uid + session_id + struct.pack(">Q", generation)
    return b64(payload + hmac.new(secret, b"latchkey " + purpose + b"\0" + payload, hashlib.sha256).digest())


def second(
    *, uid: bytes, session_id: bytes, generation: int, number: int, secret: bytes, purpose: bytes = b"refresh token"
) -> str:
    """Version 2: under AES-SIV but for version and key number."""
    head = struct.pack(">BH", 2, number)
    plain = uid + session_id + struct.pack(">Q", generation) + b"\0"
    return b64(head + siv(siv_key(secret), [b"latchkey " + purpose + b"\0", head], plain))


def first_of(session: Session, key: HandleKey, *, purpose: bytes) -> str:
    """The text of a grant at its generation as it was made before there was version 2."""
    ids = {"uid": bytes.fromhex(session.uid), "session_id": bytes.fromhex(session.session_id)}
    return first(**ids, generation=session.generation, number=key.number, secret=key.secret, purpose=purpose)


WRITERS: Mapping[int, Callable[..., str]] = {1: first, 2: second}


def siv_key(secret: bytes) -> bytes:
    """The AES-SIV key that belongs to an HMAC key."""
    return hmac.new(secret, b"latchkey handle\0", hashlib.sha512).digest()


def siv(key: bytes, headers: Iterable[bytes], plain: bytes) -> bytes:
    """AES-SIV (RFC 5297 sections 2.4 to 2.6)."""
    first_half, second_half = key[: len(key) // 2], key[len(key) // 2 :]
    state = _cmac(first_half, bytes(16))
    for header in headers:
        state = _xor(_doubled(state), _cmac(first_half, header))
    if len(plain) >= 16:
        last = plain[:-16] + _xor(plain[-16:], state)
    else:
        last = _xor(_doubled(state), plain + b"\x80" + bytes(15 - len(plain)))
    vector = _cmac(first_half, last)
    counter = int.from_bytes(vector, "big") & ~(1 << 63 | 1 << 31)
    encryptor = Cipher(algorithms.AES(second_half), modes.CTR(counter.to_bytes(16, "big"))).encryptor()
    return vector + encryptor.update(plain) + encryptor.finalize()


def _cmac(key: bytes, data: bytes) -> bytes:
    mac = CMAC(algorithms.AES(key))
    mac.update(data)
    return mac.finalize()


def _doubled(block: bytes) -> bytes:
    number = int.from_bytes(block, "big") << 1
    return ((number & (1 << 128) - 1) ^ (0x87 if number >> 128 else 0)).to_bytes(16, "big")


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
