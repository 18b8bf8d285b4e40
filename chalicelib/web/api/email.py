"""The JSON API's mails: an address is verified by what was mailed to it, and a forgotten password replaced."""

from typing import Annotated

from msgspec import Meta

from ...domain import errors
from ...flows.accounts import recovery, verification
from ...services import Services
from ..http.routing import Api, Caller
from .bodies import Body, Email, Password, Token
from .caller import GUARDED, current

api = Api(__name__)


class Code(Body, frozen=True):
    """The code of a mail, with whatever was pasted around it."""

    code: Annotated[str, Meta(min_length=1, max_length=100)]


class ResetRequest(Body, frozen=True):
    """The address of the account."""

    email: Email


class Reset(Body, frozen=True):
    """The token in the address that was mailed, and the new password."""

    token: Token
    new_password: Password


@api.route("POST /me/email/verification", status=204, errors=(*GUARDED, errors.NotFound, errors.TooManyRequests))
def request_verification(svc: Services, caller: Caller) -> None:
    """Mails a link and a code to the account's address once more, unless it is verified."""
    user, _ = current(svc, caller)
    verification.request(svc, user, network=caller.network, language=caller.language)


@api.route(
    "POST /me/email/verification/code",
    status=204,
    body=Code,
    errors=(*GUARDED, errors.InvalidCredentials, errors.TooManyRequests),
)
def verify_by_code(svc: Services, caller: Caller, body: Code) -> None:
    """Verifies the account's address by the code of the latest mail."""
    user, _ = current(svc, caller)
    verification.confirm_code(svc, user, body.code, network=caller.network)


@api.route("POST /password/reset", status=204, body=ResetRequest, errors=(errors.NotFound, errors.TooManyRequests))
def request_reset(svc: Services, caller: Caller, body: ResetRequest) -> None:
    """Mails a link for a new password to the account with this address. Says the same whether there is one or not."""
    recovery.request(svc, address=body.email, network=caller.network, language=caller.language)


@api.route("POST /password/reset/confirm", status=204, body=Reset, errors=(errors.NotFound, errors.WeakPassword))
def reset_password(svc: Services, caller: Caller, body: Reset) -> None:
    """Sets the new password by a link, once, and ends all sessions. Logs nobody in."""
    recovery.reset(svc, body.token, new_password=body.new_password, network=caller.network, language=caller.language)
