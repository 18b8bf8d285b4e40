"""An account as its owner sees it, and what every sign-up is answered with."""

from typing import Annotated

import msgspec
from msgspec import Meta

from ...domain.accounts.attributes import Value
from ...domain.accounts.model import User
from ...domain.records.sealed import SealedSignUpLink
from ...flows.accounts import account
from ...services import Services
from ..http.tokens import LoginTokens, Tokens
from .bodies import ClaimsAnswer


class Profile(ClaimsAnswer, frozen=True, kw_only=True, omit_defaults=True):
    """An account as its owner sees it; claims that are not known are left out (OpenID Connect Core 5.1)."""

    sub: str
    email: str
    email_verified: bool
    name: str
    created_at: Annotated[int, Meta(description="Seconds since 1970.")]
    attributes: Annotated[dict[str, Value], Meta(description="What the deployment keeps of its users besides.")] = (
        msgspec.field(default_factory=dict)
    )
    updated_at: Annotated[int, Meta(description="When the profile was last changed, in seconds since 1970.")] = 0
    guest: Annotated[bool, Meta(description="Whether the account has no address yet, and ends with its session.")] = (
        False
    )
    email_problem: Annotated[
        str,
        Meta(
            description="`bounce` if a mail to the address came back, `complaint` if its reader wanted none. Verify it again."
        ),
    ] = ""
    pending_email: Annotated[str, Meta(description="The address that waits to be confirmed, within the hour.")] = ""


class SignedUp(LoginTokens, frozen=True, kw_only=True):
    """The new account with the tokens of its first session."""

    user: Profile


class SignUpMailed(msgspec.Struct, frozen=True):
    """A mail is on its way: its link makes the account, or says that there is one."""

    expires_in: Annotated[int, Meta(description="For how many seconds the link is good.")] = SealedSignUpLink.seconds


def profile_of(svc: Services, user: User) -> Profile:
    """An account as its owner sees it."""
    return Profile(
        sub=user.uid,
        email=user.email,
        email_verified=user.email_verified,
        name=user.name,
        created_at=user.created_at,
        updated_at=user.updated_at,
        attributes=account.attributes(svc, user),
        email_problem=user.email_problem,
        guest=user.guest,
        pending_email=user.pending_email_at(svc.now()),
        **user.claims,
    )


def signed_up(svc: Services, user: User, tokens: Tokens) -> SignedUp:
    """A new account as its owner sees it, with the tokens of its first session."""
    return SignedUp(user=profile_of(svc, user), **msgspec.structs.asdict(tokens))
