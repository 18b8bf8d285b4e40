from typing import Annotated

import msgspec
from msgspec import Meta

from ...flows.sessions.issue import TokenSet
from . import request_log


class Tokens(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 6749 section 5.1: the answer to every kind of login, refresh and exchange, at every endpoint."""

    access_token: str
    token_type: str
    expires_in: Annotated[int, Meta(description="Seconds.")]
    scope: str
    refresh_token: str = ""
    id_token: Annotated[str, Meta(description="Where the scope openid was granted.")] = ""
    issued_token_type: Annotated[str, Meta(description="RFC 8693 section 2.2.1, after a token exchange.")] = ""


class LoginTokens(Tokens, frozen=True, omit_defaults=True):
    """The same after a login, with what the device has from now on."""

    device_token: Annotated[
        str, Meta(description="To keep on this device, and to send with its next login: the account knows it then.")
    ] = ""
    deletion_withdrawn: bool = False


def login_tokens_of(token_set: TokenSet) -> LoginTokens:
    """The answer to a login."""
    tokens = msgspec.structs.asdict(tokens_of(token_set))
    return LoginTokens(**tokens, device_token=token_set.device_token, deletion_withdrawn=token_set.deletion_withdrawn)


def tokens_of(token_set: TokenSet) -> Tokens:
    """The answer for a set of tokens; sets the user of the request's log line, and what was waived."""
    request_log.set_user(token_set.uid)
    request_log.set_waived(token_set.waived)
    return Tokens(
        access_token=token_set.access_token,
        token_type=token_set.token_type,
        expires_in=token_set.expires_in,
        scope=" ".join(token_set.scope),
        refresh_token=token_set.refresh_token,
        id_token=token_set.id_token,
        issued_token_type=token_set.issued_token_type,
    )
