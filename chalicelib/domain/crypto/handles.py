import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from ..errors import InvalidGrant
from . import base64url

# What was written can be read for ever: a new layout is a new version, never a change of an older one. Each begins with the
# version and the number of the HMAC key, and is a multiple of three bytes long, so that base64 has no bits to spare.
HEAD = struct.Struct(">BH")
# Version 1: uid, session id and generation for all to read, and an HMAC-SHA-256 over everything. No longer made.
READABLE = struct.Struct(">16s16sQ")
# Version 2: the same and a zero byte under AES-SIV (RFC 5297), with the purpose and the head as associated data. Whoever holds
# two learns nothing by them, not even that they are of one account; and the same handle is the same text.
SEALED = struct.Struct(">16s16sQx")
LENGTHS = {1: HEAD.size + READABLE.size + 32, 2: HEAD.size + 16 + SEALED.size}
VERSION = 2
KEY = b"latchkey handle\x00"
# Every kind of text has its own purpose: a code or a cookie is never a refresh token.
REFRESH, CODE, BROWSER = b"latchkey refresh token\x00", b"latchkey code\x00", b"latchkey browser\x00"
MAX_IDLE = 180 * 24 * 3600
# A key has to outlive the last text that was made with it, which may be used at the end of its idle time, and if its answer
# was lost, be presented again until the end of its successor's.
KEY_LIFE = 2 * MAX_IDLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """What an authentic text says: the session it belongs to and its place in the line."""

    uid: str
    session_id: str
    generation: int


def derive(handle: Handle, *, key_number: int, secret: bytes, purpose: bytes = REFRESH) -> str:
    """The one text of this handle under this key: the same handle always gives the same text."""
    head = HEAD.pack(VERSION, key_number)
    payload = SEALED.pack(bytes.fromhex(handle.uid), bytes.fromhex(handle.session_id), handle.generation)
    return base64url.encode(head + _cipher(secret).encrypt(payload, [purpose, head]))


def key_number(unverified_text: str) -> int:
    """The number of the HMAC key that a text claims to be made with, 0 if it cannot be one of ours."""
    try:
        _, number, _, _ = _split(unverified_text)
    except ValueError:
        return 0
    return number


def verify(unverified_text: str, secrets: Mapping[int, bytes], *, purpose: bytes = REFRESH) -> Handle:
    """The handle inside an authentic text; raises InvalidGrant for any other, before anything is read from a table."""
    try:
        version, number, head, rest = _split(unverified_text)
        secret = secrets[number]
    except (ValueError, KeyError):
        raise InvalidGrant(reason="malformed") from None
    try:
        fields = (
            _open_version_1(head, rest, secret, purpose)
            if version == 1
            else _open_version_2(head, rest, secret, purpose)
        )
    except InvalidTag:
        raise InvalidGrant(reason="forged") from None
    uid, session_id, generation = fields
    return Handle(uid=uid.hex(), session_id=session_id.hex(), generation=generation)


def _split(text: str) -> tuple[int, int, bytes, bytes]:
    """Version, key number, the head that says so, and what follows it; raises ValueError for what cannot be ours."""
    if len(text) > max(LENGTHS.values()) * 4 // 3:
        raise ValueError("length")
    raw = base64url.decode(text)
    if not raw or LENGTHS.get(raw[0]) != len(raw):
        raise ValueError("length")
    version, number = HEAD.unpack_from(raw)
    return version, number, raw[: HEAD.size], raw[HEAD.size :]


def _open_version_1(head: bytes, rest: bytes, secret: bytes, purpose: bytes) -> tuple[bytes, bytes, int]:
    payload, mac = rest[: READABLE.size], rest[READABLE.size :]
    if not hmac.compare_digest(mac, hmac.digest(secret, purpose + head + payload, "sha256")):
        raise InvalidTag
    return READABLE.unpack(payload)


def _open_version_2(head: bytes, rest: bytes, secret: bytes, purpose: bytes) -> tuple[bytes, bytes, int]:
    return SEALED.unpack(_cipher(secret).decrypt(rest, [purpose, head]))


def _cipher(secret: bytes) -> AESSIV:
    return AESSIV(hmac.digest(secret, KEY, "sha512"))
