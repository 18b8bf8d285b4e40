"""Revocation (RFC 7009) and introspection (RFC 7662) of tokens."""

from typing import Any

from ...domain.accounts.model import in_force
from ...domain.crypto import handles
from ...domain.errors import InvalidGrant, InvalidToken, UnauthorizedClient, UnsupportedTokenType
from ...domain.oauth import claims as claim
from ...domain.oauth import scopes, tokens
from ...domain.oauth.client import Client
from ...services import Services
from ..platform import keys, subjects
from ..sessions import ending, live, resources, session_handles, verify
from ..sessions.live import LiveToken

RESPONSE_TYPE = "token-introspection+jwt"


def revoke(svc: Services, client: Client, unverified_token: str) -> str:
    """Ends the session of a client's own refresh or access token (RFC 7009) and says whose; "" for any other text.

    Raises UnsupportedTokenType for an access token of the client in no session of its own: it is good until it expires.
    """
    try:
        _, handle = session_handles.decode_handle(svc, unverified_token, handles.REFRESH)
    except InvalidGrant:
        return _revoke_by_access_token(svc, client, unverified_token)
    revoked = ending.end(svc, handle.uid, handle.session_id, why="revoked", owner=client)
    return handle.uid if revoked else ""


def _revoke_by_access_token(svc: Services, client: Client, unverified_token: str) -> str:
    try:
        claims = verify.verify_access_token(svc, unverified_token, any_audience=True)
    except InvalidToken:
        return ""
    if claims.client_id != client.client_id:
        return ""
    if not claims.sid:
        raise UnsupportedTokenType()
    uid, sid = subjects.uid(svc, claims), subjects.sid(svc, claims)
    if ending.end(svc, uid, sid, why="revoked", owner=client):
        return uid
    # It has ended before, or it is the session of the client whose token this one was exchanged for.
    _, session = svc.sessions.with_user(uid, sid)
    if session is not None and not client.owns(session):
        raise UnsupportedTokenType()
    return ""


def introspect(svc: Services, client: Client, unverified_token: str) -> dict[str, Any]:
    """What a token is worth at this moment (RFC 7662); a refresh token only for its own client."""
    if not client.introspects or client.public:
        raise UnauthorizedClient(
            "The client may not introspect tokens: an operator sets `introspects` for a confidential one.",
            reason="may not introspect",
        )
    try:
        token = live.read(svc, unverified_token, any_audience=True)
    except InvalidToken:
        return _introspect_refresh_token(svc, client, unverified_token)
    claims = token.claims
    if not any(resources.may_have_tokens_for(svc, client, api) for api in claims.audiences):
        return {"active": False}  # for another resource server, and so worth nothing to this one (RFC 9701 section 5)
    token_type = "DPoP" if "cnf" in claims.all else "Bearer"
    return {**claims.all, **_username(token), "active": True, "token_type": token_type}


def _username(token: LiveToken) -> dict[str, str]:
    """The e-mail address of the token's user (RFC 7662 section 2.2), where its scopes open it: nothing for a client's own.

    APIs find their users by it, so it is nothing that a user says of themselves: `preferred_username` could be another's.
    """
    claims = claim.of_user(token.user, scope=token.claims.scope) if token.user else {}
    return {"username": claims["email"]} if "email" in claims else {}


def _introspect_refresh_token(svc: Services, client: Client, unverified_token: str) -> dict[str, Any]:
    try:
        _, handle = session_handles.decode_handle(svc, unverified_token, handles.REFRESH)
    except InvalidGrant:
        return {"active": False}
    user_and_session = in_force(*svc.sessions.with_user(handle.uid, handle.session_id), svc.now())
    if user_and_session is None:
        return {"active": False}
    _, session = user_and_session
    if not client.owns(session) or handle.generation != session.generation:
        return {"active": False}
    if not resources.still_granted(svc, client, session):
        return {"active": False}
    return {
        "active": True,
        "iss": svc.settings.issuer,
        "sub": subjects.subject_for(svc, client, session.uid),
        "client_id": session.client_id,
        "scope": " ".join(scopes.common(session.scope, client.scopes)),
        "sid": session.session_id,
        "iat": session.created_at,
        "exp": session.expires_at,
        "token_type": "refresh_token",
    }


def sign_response(svc: Services, client: Client, response: dict[str, Any]) -> str:
    """An introspection answer that its receiver can keep as evidence (RFC 9701)."""
    now = svc.now()
    claims = {"iss": svc.settings.issuer, "aud": client.client_id, "iat": now, "token_introspection": response}
    return tokens.sign(claims, keys.signer(keys.current(svc), client.algorithms, now=now), typ=RESPONSE_TYPE)
