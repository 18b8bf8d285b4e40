import hashlib
import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from . import base64url
from .errors import InvalidGrant
from .model import Grant

# version, number of the HMAC key, uid, gid, generation. What was written can be read for ever: a new layout is a new
# version, never a change of this one. 43 + 32 bytes are a multiple of three, so the base64 has no spare bits and one
# token has exactly one spelling.
LAYOUT = struct.Struct(">BH16s16sQ")
VERSION = 1
# Every kind of text has its own purpose inside the MAC: a code or a cookie is never a refresh token.
REFRESH, CODE, BROWSER = b"latchkey refresh token\x00", b"latchkey code\x00", b"latchkey browser\x00"
MAX_IDLE = 180 * 24 * 3600
# A key has to outlive the last text that was made with it, which may be used at the end of its idle time, and if its answer
# was lost, be presented again until the end of its successor's.
KEY_LIFE = 2 * MAX_IDLE
LENGTH = (LAYOUT.size + hashlib.sha256().digest_size) // 3 * 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """What an authentic text says: the grant it belongs to and its place in the line."""

    uid: str
    gid: str
    generation: int


class Use(Enum):
    """What presenting a refresh token means for its grant at one moment."""

    CURRENT = "current"
    RETRY = "retry"
    REUSE = "reuse"
    DEAD = "dead"


def _mac(secret: bytes, purpose: bytes, payload: bytes) -> bytes:
    return hmac.digest(secret, purpose + payload, "sha256")


def derive(handle: Handle, *, key_number: int, secret: bytes, purpose: bytes = REFRESH) -> str:
    """The one text of this handle under this key: the same handle always gives the same text."""
    payload = LAYOUT.pack(VERSION, key_number, bytes.fromhex(handle.uid), bytes.fromhex(handle.gid), handle.generation)
    return base64url.encode(payload + _mac(secret, purpose, payload))


def key_number(unverified_text: str) -> int:
    """The number of the HMAC key that a text claims to be made with, 0 if it cannot be one of ours."""
    try:
        version, number = struct.unpack_from(">BH", _decoded(unverified_text))
    except (ValueError, struct.error):
        return 0
    return int(number) if version == VERSION else 0


def verify(unverified_text: str, secrets: Mapping[int, bytes], *, purpose: bytes = REFRESH) -> Handle:
    """The handle inside an authentic text; raises InvalidGrant for any other, before anything is read from a table."""
    try:
        raw = _decoded(unverified_text)
        payload, mac = raw[: LAYOUT.size], raw[LAYOUT.size :]
        version, number, uid, gid, generation = LAYOUT.unpack(payload)
        secret = secrets[number]
    except (ValueError, KeyError, struct.error):
        raise InvalidGrant(reason="malformed") from None
    if version != VERSION or not hmac.compare_digest(mac, _mac(secret, purpose, payload)):
        raise InvalidGrant(reason="forged")
    return Handle(uid=uid.hex(), gid=gid.hex(), generation=generation)


def _decoded(text: str) -> bytes:
    if len(text) != LENGTH:
        raise ValueError("length")
    return base64url.decode(text)


def use_of(grant: Grant | None, generation: int, *, now: int, retry_window: int) -> Use:
    """Judges a presented generation: the current one, its immediate predecessor tried again within `retry_window` seconds
    of its first use, or a reuse that must end the grant (RFC 9700 section 4.14.2)."""
    if grant is None or not grant.alive(now) or generation > grant.generation:
        return Use.DEAD
    if generation == grant.generation:
        return Use.CURRENT
    if generation == grant.generation - 1 and now <= grant.rotated_at + retry_window:
        return Use.RETRY
    return Use.REUSE
