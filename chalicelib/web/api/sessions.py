"""The JSON API's sessions: refreshed, verified, listed and ended."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ...domain import errors
from ...domain.accounts import model
from ...flows.clients import own
from ...flows.sessions import live, logout, manage
from ...flows.sessions import refresh as refresh_flow
from ...services import Services
from ..http import request_log
from ..http.routing import Api, Caller
from ..http.tokens import Tokens, tokens_of
from .bodies import Body, Scope, Token
from .caller import GUARDED, current

api = Api(__name__)


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


@api.route(
    "POST /refresh", body=Refresh, answer=Tokens, errors=(errors.InvalidGrant, errors.InvalidScope, errors.Refused)
)
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


@api.route("GET /me/sessions", answer=Sessions, errors=GUARDED)
def list_sessions(svc: Services, caller: Caller) -> Sessions:
    """The devices on which the caller is logged in."""
    user, session = current(svc, caller)
    return Sessions([_session(each, session) for each in manage.list_sessions(svc, user, session)])


@api.route("DELETE /me/sessions", status=204, errors=GUARDED)
def end_other_sessions(svc: Services, caller: Caller) -> None:
    """Ends all sessions but this one."""
    user, session = current(svc, caller)
    logout.end_other_sessions(svc, user, session, network=caller.network)


@api.route("DELETE /me/sessions/{sid}", status=204, errors=(*GUARDED, errors.NotFound))
def end_session(svc: Services, caller: Caller, sid: str) -> None:
    """Ends one session; a browser's with what began in it, as by logging out there."""
    user, _ = current(svc, caller)
    logout.end_one(svc, user, sid=sid, network=caller.network)


def _session(session: model.Session, current: model.Session) -> Session:
    return Session(
        id=session.session_id,
        device=session.device,
        client_id=session.client_id,
        created_at=session.created_at,
        last_used_at=session.last_used_at,
        current=session.session_id == current.session_id,
    )
