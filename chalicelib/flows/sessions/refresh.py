"""The next tokens of a session (RFC 9700 section 4.14)."""

from collections.abc import Callable
from dataclasses import replace

from ...domain.accounts.events import SERVER
from ...domain.accounts.model import Session, in_force
from ...domain.accounts.rotation import Use, use_of
from ...domain.crypto import handles
from ...domain.crypto.handles import Handle
from ...domain.durations import DAY
from ...domain.errors import InvalidGrant, InvalidTarget
from ...domain.oauth import scopes
from ...domain.oauth.client import Client
from ...services import Services
from . import ending, issue, lifetimes, resources, session_handles
from .issue import TokenSet


def refresh(
    svc: Services,
    client: Client,
    unverified_token: str,
    *,
    scope: str | None = None,
    resource: str | None = None,
    jkt: str = "",
    use_proof: Callable[[], None] = lambda: None,
) -> TokenSet:
    """The next tokens of a session (RFC 9700 section 4.14); raises InvalidGrant, or InvalidScope or InvalidTarget with
    nothing spent. `use_proof` uses up a DPoP proof, once the refresh token is known to be the client's, before any write."""
    keyset, handle = session_handles.decode_handle(svc, unverified_token, handles.REFRESH)
    user, session = svc.sessions.with_user(handle.uid, handle.session_id)
    if session is not None and not client.owns(session):
        raise InvalidGrant(reason="refresh token of another client", uid=handle.uid)
    if session is not None and session.jkt in ("", jkt):
        use_proof()
    use = use_of(session, handle.generation, jkt=jkt, now=svc.now(), retry_window=_retry_window(svc, session))
    if use in (Use.DEAD, Use.REUSE):
        raise _refuse(svc, handle, use)
    live = in_force(user, session, svc.now())
    if live is None:
        raise InvalidGrant(reason="disabled or ended", uid=handle.uid)
    user, session = live
    if not resources.still_granted(svc, client, session):
        ending.end(svc, session.uid, session.session_id, why="taken from its client", by=SERVER)
        raise InvalidGrant(reason="taken from its client: session ended", uid=user.uid)
    narrowed = scopes.narrow(scope, allowed=resources.scopes_in_force(svc, client, session))
    # RFC 8707 section 2.2: no other than the user agreed to.
    if resource is not None and not resources.same_api(svc, resource, session.resource):
        raise InvalidTarget("`resource` is another than the user agreed to.")
    keeps_token = client.fapi and use is Use.CURRENT
    successor = session if keeps_token else replace(session, generation=handle.generation + 1)
    issued = issue.issue(svc, keyset, user, successor, client, scope=narrowed, jkt=jkt)
    use = _prolong(svc, client, session) if keeps_token else _rotate(svc, client, session, successor, use, jkt=jkt)
    if use in (Use.DEAD, Use.REUSE):
        raise _refuse(svc, handle, use)
    return issued


def _rotate(svc: Services, client: Client, session: Session, successor: Session, use: Use, *, jkt: str) -> Use:
    """Writes what a refresh changes: the generation, and the key that a public client has proved (RFC 9449 section 5)."""
    bound_jkt, window = session.jkt or (jkt if client.public else ""), _retry_window(svc, session)
    if use is Use.CURRENT:
        idle = lifetimes.idle_seconds(svc, client)
        use = svc.sessions.rotate(session, jkt=bound_jkt, now=svc.now(), idle_seconds=idle, retry_window=window)
    if use is Use.RETRY and bound_jkt != session.jkt:
        use = svc.sessions.bind(successor, jkt=bound_jkt, now=svc.now(), retry_window=window)
    return use


def _prolong(svc: Services, client: Client, session: Session) -> Use:
    """Writes that a session is in use whose refresh token stays (FAPI 2.0 Security Profile 5.3.2.1): once a day at most.

    Oftener only where that would be too late for its idle time.
    """
    idle, now = lifetimes.idle_seconds(svc, client), svc.now()
    if now - session.last_used_at < min(DAY, idle // 2):
        return Use.CURRENT
    return Use.CURRENT if svc.sessions.prolong(session, now=now, idle_seconds=idle) else Use.DEAD


def _retry_window(svc: Services, session: Session | None) -> int:
    # A thief cannot use a token that is bound to a key, so its owner may come back for the successor at any time.
    if session is not None and session.jkt:
        return session.ends_at - session.created_at
    return svc.settings.retry_window_seconds


def _refuse(svc: Services, handle: Handle, use: Use) -> InvalidGrant:
    if use is not Use.REUSE:
        return InvalidGrant(reason="ended, expired or unknown, or bound to another key", uid=handle.uid)
    ending.end(svc, handle.uid, handle.session_id, why="reuse", by=SERVER)
    return InvalidGrant(reason="refresh token reused: session ended", uid=handle.uid)
