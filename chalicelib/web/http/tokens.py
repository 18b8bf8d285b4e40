from typing import Annotated

import msgspec
from msgspec import Meta

from ...flows.sessions.issue import TokenSet
from . import request_log


class Tokens(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 6749 section 5.1: the answer to every kind of login, refresh and exchange, on every door."""

    access_token: str
    token_type: str
    expires_in: Annotated[int, Meta(description="Seconds.")]
    scope: str
    refresh_token: str = ""
    id_token: Annotated[str, Meta(description="Where the scope openid was granted.")] = ""
    issued_token_type: Annotated[str, Meta(description="RFC 8693 section 2.2.1, after a token exchange.")] = ""


def tokens_of(issued: TokenSet) -> Tokens:
    """The answer for what was issued; notes whose it is."""
    request_log.set_user(issued.uid)
    return Tokens(
        access_token=issued.access_token,
        token_type=issued.token_type,
        expires_in=issued.expires_in,
        scope=" ".join(issued.scope),
        refresh_token=issued.refresh_token,
        id_token=issued.id_token,
        issued_token_type=issued.issued_token_type,
    )
