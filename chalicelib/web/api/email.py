"""The JSON API's mails: an address is verified or changed by what was mailed to it, and a forgotten password replaced."""

from typing import Annotated

from msgspec import Meta, Struct

from ...domain import errors
from ...domain.accounts.model import User
from ...flows.accounts import email_change, recovery, verification
from ...services import Services
from ..http import request_log
from ..http.routing import Api, Caller
from .bodies import Body, Challenge, Email, FactorAnswer, FactorName, Password, Token
from .caller import GUARDED, current

api = Api(__name__)


class Code(Body, frozen=True):
    """The code of a mail, with whatever was pasted around it."""

    code: Annotated[str, Meta(min_length=1, max_length=100)]


class EmailChange(Body, frozen=True):
    """The address that the account is to have, and its password, unless it is a guest's."""

    email: Email
    password: Password | None = None


class EmailChangeRequested(Struct, frozen=True):
    """What the code of the mail is sent back with."""

    token: str


class EmailChangeCode(Code, frozen=True, kw_only=True):
    """The code of a mail to the new address, and the token of the request that it was mailed for."""

    token: Token


class ResetRequest(Body, frozen=True):
    """The address of the account."""

    email: Email


class Reset(Body, frozen=True):
    """The token in the address that was mailed, the new password, and the answer for a factor where that is asked for."""

    token: Token
    new_password: Password
    factor: FactorName | None = None
    answer: FactorAnswer | None = None


class BeginResetProof(Body, frozen=True):
    """The token in the address that was mailed, and the factor to prove."""

    token: Token
    factor: FactorName


@api.route(
    "POST /me/email/verification",
    status=204,
    errors=(*GUARDED, errors.GuestAccount, errors.NotFound, errors.TooManyRequests),
)
def request_verification(svc: Services, caller: Caller) -> None:
    """Mails a link and a code to the account's address once more, unless it is verified."""
    user, _ = current(svc, caller)
    verification.request(svc, user, network=caller.network, language=caller.language)


@api.route(
    "POST /me/email/verification/code",
    status=204,
    body=Code,
    errors=(*GUARDED, errors.GuestAccount, errors.InvalidCredentials, errors.TooManyRequests),
)
def verify_by_code(svc: Services, caller: Caller, body: Code) -> None:
    """Verifies the account's address by the code of the latest mail."""
    user, _ = current(svc, caller)
    verification.confirm_code(svc, user, body.code, network=caller.network)


@api.route(
    "POST /me/email",
    status=202,
    body=EmailChange,
    answer=EmailChangeRequested,
    errors=(
        *GUARDED,
        errors.LoginRequired,
        errors.NotFound,
        errors.SignUpClosed,
        errors.EmailDomainRefused,
        errors.InvalidCredentials,
        errors.TooManyRequests,
    ),
)
def request_email_change(svc: Services, caller: Caller, body: EmailChange) -> EmailChangeRequested:
    """Mails a link and a code to the new address. Says the same whether another account has it or not.

    Of an account with further factors it needs a session that was begun or raised with one of them.
    """
    user, session = current(svc, caller)
    token = email_change.request(
        svc,
        user,
        session,
        address=body.email,
        password=_password(user, body),
        network=caller.network,
        language=caller.language,
    )
    return EmailChangeRequested(token)


def _password(user: User, body: EmailChange) -> str:
    if body.password is None and not user.guest:
        raise errors.InvalidRequest("Send the account's `password`.")
    return body.password or ""


@api.route("DELETE /me/email", status=204, errors=(*GUARDED, errors.NotFound))
def withdraw_email_change(svc: Services, caller: Caller) -> None:
    """Takes back the change of the address that waits to be confirmed: its mail is good for nothing."""
    user, _ = current(svc, caller)
    email_change.withdraw(svc, user)


@api.route(
    "POST /me/email/confirm",
    status=204,
    body=EmailChangeCode,
    errors=(
        *GUARDED,
        errors.Refused,
        errors.NotFound,
        errors.EmailTaken,
        errors.InvalidCredentials,
        errors.TooManyRequests,
    ),
)
def confirm_email_change(svc: Services, caller: Caller, body: EmailChangeCode) -> None:
    """Changes the account's address by the code of the mail to the new one, and mails the old one a link to undo it."""
    user, _ = current(svc, caller)
    email_change.confirm_code(svc, user, body.token, body.code, network=caller.network, language=caller.language)


@api.route("POST /password/reset", status=204, body=ResetRequest, errors=(errors.NotFound, errors.TooManyRequests))
def request_reset(svc: Services, caller: Caller, body: ResetRequest) -> None:
    """Mails a link for a new password to the account with this address. Says the same whether there is one or not."""
    recovery.request(svc, address=body.email, network=caller.network, language=caller.language)


@api.route(
    "POST /password/reset/challenge",
    body=BeginResetProof,
    answer=Challenge,
    errors=(errors.NotFound, errors.LoginExpired, errors.TooManyRequests),
)
def begin_reset_proof(svc: Services, caller: Caller, body: BeginResetProof) -> Challenge:
    """What the user has to be shown to prove one of `factors` for a new password."""
    return Challenge(dict(recovery.challenge(svc, body.token, factor=body.factor, agent=caller.user_agent())))


@api.route(
    "POST /password/reset/confirm",
    status=204,
    body=Reset,
    errors=(
        errors.NotFound,
        errors.WeakPassword,
        errors.MfaRequired,
        errors.InvalidCredentials,
        errors.LoginExpired,
        errors.TooManyRequests,
    ),
)
def reset_password(svc: Services, caller: Caller, body: Reset) -> None:
    """Sets the new password by a link, once, and ends all sessions. Logs nobody in.

    Answers 401 `mfa_required` where the account has a further factor: that is sent with the same again.
    """
    link = recovery.reset(
        svc,
        body.token,
        new_password=body.new_password,
        agent=caller.user_agent(),
        factor=body.factor or "",
        answer=body.answer or "",
    )
    request_log.set_reset(link.uid, operator=link.operator)
