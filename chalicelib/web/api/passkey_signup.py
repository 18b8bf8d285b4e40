"""The JSON API's sign-up with a passkey in place of a password, and a guest's upgrade by one."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ...domain import errors
from ...domain.records.sealed import SealedPasskeySignUp
from ...flows.accounts import mailed_signup, passkey_signup
from ...flows.authentication.enrolment import PendingEnrolment
from ...services import Services
from ..http.answers import Answer
from ..http.routing import Api, Caller
from ..http.tokens import login_tokens_of
from .bodies import Body, Device, DeviceToken, Email, FactorAnswer, Name, Token
from .caller import GUARDED, current
from .profile import Profile, SignedUp, SignUpMailed, profile_of, signed_up

api = Api(__name__)

ADDRESS_ERRORS = (errors.SignUpClosed, errors.EmailDomainRefused)
ANSWER_ERRORS = (
    errors.Refused,
    errors.InvalidCredentials,
    errors.LoginExpired,
    errors.EmailTaken,
    errors.TooManyRequests,
)


class BeginPasskeySignUp(Body, frozen=True):
    """A new account: its address, or the token in the address of a mailed link, which has it."""

    email: Email | None = None
    token: Token | None = None
    name: Name = ""


class PasskeySignUp(msgspec.Struct, frozen=True):
    """What a browser or an app makes a passkey by, and what its answer is sent back with."""

    token: str
    challenge: Annotated[
        dict[str, Any], Meta(description="`publicKey`: WebAuthn's `PublicKeyCredentialCreationOptionsJSON`.")
    ]
    expires_in: Annotated[int, Meta(description="Seconds.")] = SealedPasskeySignUp.seconds


class ConfirmPasskeySignUp(Body, frozen=True):
    """The passkey that was made: the JSON of its answer, as a text."""

    token: Token
    answer: FactorAnswer
    device: Device = ""
    device_token: DeviceToken = ""


class BeginPasskeyUpgrade(Body, frozen=True):
    """What a guest's account is to have from now on, beside the passkey."""

    email: Email
    name: Name | None = None


class ConfirmPasskeyUpgrade(Body, frozen=True):
    """The passkey that was made: the JSON of its answer, as a text."""

    token: Token
    answer: FactorAnswer


@api.route(
    "POST /signup/passkey",
    body=BeginPasskeySignUp,
    answer=PasskeySignUp,
    accepted=SignUpMailed,
    errors=(*ADDRESS_ERRORS, errors.NotFound, errors.TooManyRequests),
)
def begin_passkey_sign_up(svc: Services, caller: Caller, body: BeginPasskeySignUp) -> PasskeySignUp | Answer:
    """What makes a passkey for an account that is not there yet; where a mail comes first, has that sent. Stores nothing."""
    if (body.email is None) == (body.token is None):
        raise errors.InvalidRequest("Send `email`, or the link's `token`.")
    if body.email and svc.settings.sign_up == "verified":
        mailed_signup.request(svc, address=body.email, network=caller.network, language=caller.language)
        return Answer(status=202, body=SignUpMailed())
    return _answer(passkey_signup.begin(svc, address=body.email or "", link=body.token or "", name=body.name))


@api.route(
    "POST /signup/passkey/confirm",
    status=201,
    body=ConfirmPasskeySignUp,
    answer=SignedUp,
    errors=(*ADDRESS_ERRORS, *ANSWER_ERRORS, errors.NotFound),
)
def confirm_passkey_sign_up(svc: Services, caller: Caller, body: ConfirmPasskeySignUp) -> SignedUp:
    """Creates the account with its passkey, and logs it in."""
    user, token_set = passkey_signup.sign_up(
        svc, body.token, answer=body.answer, agent=caller.user_agent(body.device_token), device=body.device
    )
    return signed_up(svc, user, login_tokens_of(token_set))


@api.route(
    "POST /me/upgrade/passkey", body=BeginPasskeyUpgrade, answer=PasskeySignUp, errors=(*GUARDED, *ADDRESS_ERRORS)
)
def begin_passkey_upgrade(svc: Services, caller: Caller, body: BeginPasskeyUpgrade) -> PasskeySignUp:
    """What makes a passkey for a guest, whose account it becomes real by; stores nothing."""
    user, session = current(svc, caller)
    return _answer(passkey_signup.begin_upgrade(svc, user, session, address=body.email, name=body.name))


@api.route(
    "POST /me/upgrade/passkey/confirm",
    body=ConfirmPasskeyUpgrade,
    answer=Profile,
    errors=(*GUARDED, *ADDRESS_ERRORS, *ANSWER_ERRORS),
)
def confirm_passkey_upgrade(svc: Services, caller: Caller, body: ConfirmPasskeyUpgrade) -> Profile:
    """Gives a guest's account the address and the passkey. It keeps its `sub`, its sessions and what hangs on them."""
    user, session = current(svc, caller)
    promoted = passkey_signup.upgrade(
        svc, user, session, body.token, answer=body.answer, network=caller.network, language=caller.language
    )
    return profile_of(svc, promoted)


def _answer(pending: PendingEnrolment) -> PasskeySignUp:
    return PasskeySignUp(pending.token, dict(pending.challenge))
