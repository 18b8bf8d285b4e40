"""The JSON API's accounts: sign-up, and what their owner sees and changes."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ...domain import errors
from ...domain.accounts.attributes import Value
from ...flows.accounts import account, deletion, guests, mailed_signup, signup
from ...services import Services
from ..http.answers import Answer
from ..http.routing import Api, Caller
from ..http.tokens import login_tokens_of, tokens_of
from .bodies import Body, ClaimsBody, Device, DeviceToken, Email, Name, Password, ProofOfWork, Token
from .caller import GUARDED, current
from .profile import Profile, SignedUp, SignUpMailed, profile_of, signed_up

api = Api(__name__)

GUESSES = (errors.InvalidCredentials, errors.TooManyRequests)


class SignUp(Body, frozen=True):
    """A new account."""

    email: Email
    password: Password
    name: Name = ""
    device: Device = ""
    device_token: DeviceToken = ""
    proof_of_work: ProofOfWork = ""


class ConfirmSignUp(Body, frozen=True):
    """The token in the address that was mailed, and the new account."""

    token: Token
    password: Password
    name: Name = ""
    device: Device = ""
    device_token: DeviceToken = ""


Attributes = Annotated[
    dict[str, Value | None],
    Meta(max_length=100, description="What the deployment keeps of its users besides, by name; null takes one away."),
]


class ProfileChange(ClaimsBody, frozen=True):
    """What a user may change of the profile: what is named, and nothing else; "" takes it away."""

    name: Name | UnsetType = UNSET
    attributes: Attributes | UnsetType = UNSET


class NewGuest(Body, frozen=True):
    """A new account of somebody who has not said who they are."""

    name: Name = ""
    device: Device = ""


class Upgrade(Body, frozen=True):
    """What a guest's account is to have from now on."""

    email: Email
    password: Password
    name: Name | None = None
    proof_of_work: ProofOfWork = ""


class Delete(Body, frozen=True):
    """The password, unless the login is minutes old."""

    password: Password | None = None


class DeletionScheduled(msgspec.Struct, frozen=True):
    """All sessions have ended, and the account is erased later: a login before that keeps it."""

    delete_after: int


class ChangePassword(Body, frozen=True):
    """The old and the new password."""

    current_password: Password
    new_password: Password


@api.route(
    "POST /signup",
    status=201,
    body=SignUp,
    answer=SignedUp,
    accepted=SignUpMailed,
    errors=(
        errors.Refused,
        errors.SignUpClosed,
        errors.EmailTaken,
        errors.EmailDomainRefused,
        errors.WeakPassword,
        errors.TooManyRequests,
        errors.ProofOfWorkRequired,
    ),
)
def sign_up(svc: Services, caller: Caller, body: SignUp) -> SignedUp | Answer:
    """Creates an account and logs it in; where a mail comes first, has that sent, and says nothing of the address."""
    if svc.settings.sign_up == "verified":
        mailed_signup.check_password(svc, body.password, address=body.email, name=body.name, network=caller.network)
        mailed_signup.request(svc, address=body.email, network=caller.network, language=caller.language)
        return Answer(status=202, body=SignUpMailed())
    user, token_set = signup.sign_up(
        svc,
        address=body.email,
        password=body.password,
        name=body.name,
        device=body.device,
        agent=caller.user_agent(body.device_token, proof_of_work=body.proof_of_work),
    )
    return signed_up(svc, user, login_tokens_of(token_set))


@api.route(
    "POST /signup/confirm",
    status=201,
    body=ConfirmSignUp,
    answer=SignedUp,
    errors=(errors.Refused, errors.NotFound, errors.EmailDomainRefused, errors.WeakPassword, errors.TooManyRequests),
)
def confirm_sign_up(svc: Services, caller: Caller, body: ConfirmSignUp) -> SignedUp:
    """Creates the account that a mailed link is for, once, and logs it in."""
    user, token_set = mailed_signup.sign_up(
        svc,
        body.token,
        password=body.password,
        agent=caller.user_agent(body.device_token),
        name=body.name,
        device=body.device,
    )
    return signed_up(svc, user, login_tokens_of(token_set))


@api.route(
    "POST /signup/guest",
    status=201,
    body=NewGuest,
    body_optional=True,
    answer=SignedUp,
    errors=(errors.Refused, errors.SignUpClosed, errors.TooManyRequests),
)
def sign_up_guest(svc: Services, caller: Caller, body: NewGuest) -> SignedUp:
    """Creates an account without an address or a password. Nobody can log in to it: its session is all that it has."""
    user, token_set = guests.create(svc, network=caller.network, name=body.name, device=body.device)
    return signed_up(svc, user, tokens_of(token_set))


@api.route(
    "POST /me/upgrade",
    body=Upgrade,
    answer=Profile,
    errors=(
        *GUARDED,
        errors.Refused,
        errors.SignUpClosed,
        errors.EmailTaken,
        errors.EmailDomainRefused,
        errors.WeakPassword,
        errors.TooManyRequests,
        errors.ProofOfWorkRequired,
    ),
)
def upgrade_guest(svc: Services, caller: Caller, body: Upgrade) -> Profile:
    """Gives a guest's account an address and a password. It keeps its `sub`, its sessions and what hangs on them."""
    user, _ = current(svc, caller)
    promoted = guests.upgrade(
        svc,
        user,
        address=body.email,
        password=body.password,
        name=body.name,
        network=caller.network,
        language=caller.language,
        work=body.proof_of_work,
    )
    return profile_of(svc, promoted)


@api.route("GET /me", answer=Profile, errors=GUARDED)
def read_profile(svc: Services, caller: Caller) -> Profile:
    """The account of the caller."""
    user, _ = current(svc, caller)
    return profile_of(svc, user)


@api.route("PATCH /me", body=ProfileChange, answer=Profile, errors=GUARDED)
def change_profile(svc: Services, caller: Caller, body: ProfileChange) -> Profile:
    """Changes the display name, and what else the user says of themselves."""
    user, _ = current(svc, caller)
    values = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET}
    attributes = values.pop("attributes", {})
    if not values and not attributes:
        raise errors.InvalidRequest(f"Name what is to be changed, of {', '.join(msgspec.structs.asdict(body))}.")
    return profile_of(svc, account.change_profile(svc, user, values, attributes=attributes))


@api.route(
    "DELETE /me",
    status=204,
    body=Delete,
    body_optional=True,
    accepted=DeletionScheduled,
    errors=(*GUARDED, errors.LoginRequired, *GUESSES),
)
def delete_account(svc: Services, caller: Caller, body: Delete) -> Answer | None:
    """Erases the account and all its sessions. Needs the password, or a login not older than five minutes.

    Of an account with further factors it needs a session besides that was begun or raised with one of them.
    Where the deployment gives its users time to think again, the sessions end, and the rest goes later.
    """
    user, session = current(svc, caller)
    delete_after = deletion.delete(
        svc,
        user,
        session,
        auth_time=caller.auth_time,
        password=body.password,
        network=caller.network,
        language=caller.language,
    )
    return Answer(status=202, body=DeletionScheduled(delete_after)) if delete_after else None


@api.route(
    "POST /me/password",
    status=204,
    body=ChangePassword,
    errors=(*GUARDED, *GUESSES, errors.GuestAccount, errors.WeakPassword),
)
def change_password(svc: Services, caller: Caller, body: ChangePassword) -> None:
    """Changes the password and ends all sessions but this one."""
    user, session = current(svc, caller)
    account.change_password(
        svc,
        user,
        session,
        current_password=body.current_password,
        new_password=body.new_password,
        network=caller.network,
        language=caller.language,
    )
