"""The id of a client's session, which says to this server alone in which browser's session it began.

So an id_token of weeks ago is known to be of a browser, though the table has deleted its session; and nobody else can tell
which ids belong together.
"""

import hmac

PURPOSE = b"latchkey session id\x00"
HALF = 16  # hexadecimal digits


def in_browser(nonce: str, *, browser: str, secret: bytes) -> str:
    """The id of a session that began in a browser's session: 16 new digits, and 16 that only this server can make of them."""
    return nonce + hmac.digest(secret, PURPOSE + f"{nonce}\0{browser}".encode(), "sha256").hex()[:HALF]


def began_in(session_id: str, *, browser: str, secret: bytes) -> bool:
    """Whether a session of this id began in a browser's session."""
    expected = in_browser(session_id[:HALF], browser=browser, secret=secret)
    return hmac.compare_digest(expected.encode(), session_id.encode())
