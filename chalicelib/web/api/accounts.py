from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ...domain import errors
from ...domain.accounts import model
from ...domain.accounts.model import User
from ...flows.accounts import account, signup
from ...flows.clients import own
from ...flows.sessions import live, logout, manage
from ...flows.sessions import refresh as refresh_flow
from ...services import Services
from ..http import request_log
from ..http.routing import Api, Caller
from ..http.tokens import Tokens, tokens_of
from .bodies import Body, Device, Email, Name, Password, Scope, Token

api = Api(__name__)


class SignUp(Body, frozen=True):
    """A new account."""

    email: Email
    password: Password
    name: Name = ""
    device: Device = ""


class Refresh(Body, frozen=True):
    """A refresh token, and a narrower scope for this access token alone."""

    refresh_token: Token
    scope: Scope | None = None


class LogOut(Body, frozen=True):
    """The refresh token of the session to end."""

    refresh_token: Token


class Verify(Body, frozen=True):
    """An access token."""

    token: Token


class Rename(Body, frozen=True):
    """What a user may change of the profile."""

    name: Name


class Delete(Body, frozen=True):
    """The password, unless the login is minutes old."""

    password: Password | None = None


class ChangePassword(Body, frozen=True):
    """The old and the new password."""

    current_password: Password
    new_password: Password


class Profile(msgspec.Struct, frozen=True):
    """An account as its owner sees it."""

    sub: str
    email: str
    email_verified: bool
    name: str
    created_at: Annotated[int, Meta(description="Seconds since 1970.")]


class SignedUp(Tokens, frozen=True, kw_only=True):
    """The new account with the tokens of its first session."""

    user: Profile


class Verified(msgspec.Struct, frozen=True):
    """Whether an access token and its session are in force, and if so what the token says (RFC 9068)."""

    active: bool
    claims: dict[str, Any] | UnsetType = UNSET


class Session(msgspec.Struct, frozen=True):
    """A device on which the user is logged in; times are seconds since 1970."""

    id: str
    device: str
    client_id: str
    created_at: int
    last_used_at: int
    current: Annotated[bool, Meta(description="Whether this is the session that asks.")]


class Sessions(msgspec.Struct, frozen=True):
    """All live sessions of the user: the one that asks, then the others, the latest used first."""

    sessions: list[Session]


GUARDED = (errors.InvalidToken, errors.InsufficientScope)
GUESSES = (errors.InvalidCredentials, errors.TooManyRequests)


@api.route(
    "POST /signup",
    status=201,
    body=SignUp,
    answer=SignedUp,
    errors=(errors.EmailTaken, errors.WeakPassword, errors.TooManyRequests),
)
def sign_up(svc: Services, caller: Caller, body: SignUp) -> SignedUp:
    """Creates an account and logs it in."""
    user, token_set = signup.sign_up(
        svc,
        address=body.email,
        password=body.password,
        name=body.name,
        device=body.device,
        network=caller.network,
    )
    return SignedUp(user=_profile(user), **msgspec.structs.asdict(tokens_of(token_set)))


@api.route("POST /refresh", body=Refresh, answer=Tokens, errors=(errors.InvalidGrant, errors.InvalidScope))
def refresh(svc: Services, _: Caller, body: Refresh) -> Tokens:
    """Exchanges a refresh token for new tokens. Sent again within half a minute it gives the same refresh token again."""
    return tokens_of(refresh_flow.refresh(svc, own.json_api(svc), body.refresh_token, scope=body.scope))


@api.route("POST /logout", status=204, body=LogOut)
def log_out(svc: Services, _: Caller, body: LogOut) -> None:
    """Ends the session of a refresh token. Says the same whether there was one or not."""
    request_log.set_user(manage.revoke(svc, own.json_api(svc), body.refresh_token))


@api.route("POST /verify", body=Verify, answer=Verified)
def verify(svc: Services, _: Caller, body: Verify) -> Verified:
    """Tells whether an access token is in force: for services behind no gateway."""
    try:
        token = live.read(svc, body.token)
    except errors.InvalidToken:
        return Verified(active=False)
    request_log.set_user(token.user.uid if token.user else token.claims.sub)
    return Verified(active=True, claims=dict(token.claims.all))


@api.route("GET /me", answer=Profile, errors=GUARDED)
def read_profile(svc: Services, caller: Caller) -> Profile:
    """The account of the caller."""
    user, _ = _current(svc, caller)
    return _profile(user)


@api.route("PATCH /me", body=Rename, answer=Profile, errors=GUARDED)
def change_profile(svc: Services, caller: Caller, body: Rename) -> Profile:
    """Changes the display name."""
    user, _ = _current(svc, caller)
    return _profile(account.rename(svc, user, name=body.name))


@api.route(
    "DELETE /me",
    status=204,
    body=Delete,
    body_optional=True,
    errors=(*GUARDED, errors.LoginRequired, *GUESSES),
)
def delete_account(svc: Services, caller: Caller, body: Delete) -> None:
    """Erases the account and all its sessions. Needs the password, or a login not older than five minutes."""
    user, session = _current(svc, caller)
    account.delete(svc, user, session, auth_time=caller.auth_time, password=body.password, network=caller.network)


@api.route("GET /me/sessions", answer=Sessions, errors=GUARDED)
def list_sessions(svc: Services, caller: Caller) -> Sessions:
    """The devices on which the caller is logged in."""
    user, current = _current(svc, caller)
    return Sessions([_session(session, current) for session in manage.list_sessions(svc, user, current)])


@api.route("DELETE /me/sessions", status=204, errors=GUARDED)
def end_other_sessions(svc: Services, caller: Caller) -> None:
    """Ends all sessions but this one."""
    user, current = _current(svc, caller)
    request_log.write_logout_failures(logout.end_other_sessions(svc, user, current, network=caller.network))


@api.route("DELETE /me/sessions/{sid}", status=204, errors=(*GUARDED, errors.NotFound))
def end_session(svc: Services, caller: Caller, sid: str) -> None:
    """Ends one session; a browser's with what began in it, as by logging out there."""
    user, _ = _current(svc, caller)
    request_log.write_logout_failures(logout.end_one(svc, user, sid=sid, network=caller.network))


@api.route("POST /me/password", status=204, body=ChangePassword, errors=(*GUARDED, *GUESSES, errors.WeakPassword))
def change_password(svc: Services, caller: Caller, body: ChangePassword) -> None:
    """Changes the password and ends all sessions but this one."""
    user, current = _current(svc, caller)
    failures = account.change_password(
        svc,
        user,
        current,
        current_password=body.current_password,
        new_password=body.new_password,
        network=caller.network,
    )
    request_log.write_logout_failures(failures)


def _current(svc: Services, caller: Caller) -> tuple[User, model.Session]:
    return manage.current(svc, uid=caller.uid, sid=caller.sid)


def _profile(user: User) -> Profile:
    return Profile(
        sub=user.uid,
        email=user.email,
        email_verified=user.email_verified,
        name=user.name,
        created_at=user.created_at,
    )


def _session(session: model.Session, current: model.Session) -> Session:
    return Session(
        id=session.session_id,
        device=session.device,
        client_id=session.client_id,
        created_at=session.created_at,
        last_used_at=session.last_used_at,
        current=session.session_id == current.session_id,
    )
