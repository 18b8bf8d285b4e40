"""Pairwise identifiers (OpenID Connect Core 8.1): what one user is called differs from sector to sector.

Each sector has a permutation of all 128-bit ids of its own: AES under a key that only this server can derive. So no two
users share a name, nobody else can tell which names belong together, and we get from a name to its user without a table.
"""

import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

PAIRWISE = "pairwise"
PURPOSE = b"latchkey pairwise\x00"
# No sector is called so, and no id begins so.
SESSION, LETTER = "session\x00", "x"


def name(identifier: str, *, sector: str, secret: bytes) -> str:
    """What a user or a session, given by its 32 hexadecimal digits, is called in a sector: 32 others."""
    # A single block, and every plain text is another id: ECB shows no pattern here, and a nonce would make new names.
    encryptor = _cipher(sector, secret).encryptor()
    return (encryptor.update(_block(identifier)) + encryptor.finalize()).hex()


def identifier(name: str, *, sector: str, secret: bytes) -> str:
    """The user or session behind a name in a sector; raises ValueError for what cannot be a name."""
    decryptor = _cipher(sector, secret).decryptor()
    return (decryptor.update(_block(name)) + decryptor.finalize()).hex()


def session_name(identifier: str, *, client_id: str, secret: bytes) -> str:
    """What a session of another client is called in a client's exchanged token: no one's id, and told from one by its letter."""
    return LETTER + name(identifier, sector=f"{SESSION}{client_id}", secret=secret)


def session_identifier(name: str, *, client_id: str, secret: bytes) -> str:
    """The session of such a name; raises ValueError for what cannot be one."""
    return identifier(name.removeprefix(LETTER), sector=f"{SESSION}{client_id}", secret=secret)


def _cipher(sector: str, secret: bytes) -> Cipher[modes.ECB]:
    key = hmac.digest(secret, PURPOSE + sector.encode(), "sha256")
    return Cipher(algorithms.AES256(key), modes.ECB())  # noqa: S305 - see `name`


def _block(text: str) -> bytes:
    raw = bytes.fromhex(text)
    if len(raw) != 16 or raw.hex() != text:
        raise ValueError("not an id of 32 hexadecimal digits")
    return raw
