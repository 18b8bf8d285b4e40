import uuid
from dataclasses import dataclass, replace

from ..domain import refresh as refresh_tokens
from ..domain import scopes, tokens
from ..domain.errors import InvalidGrant, InvalidToken, NotFound, TemporarilyUnavailable
from ..domain.keyset import KeySet
from ..domain.model import Grant, User, in_force
from ..domain.refresh import RefreshToken, Use, use_of
from ..domain.tokens import VerifiedClaims, Verifier
from ..services import Services
from . import keys

PASSWORD_ONLY = "aal1"  # NIST SP 800-63B: a single factor


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """What a client gets for a session (RFC 6749 section 5.1)."""

    uid: str
    access_token: str
    refresh_token: str
    expires_in: int
    scope: tuple[str, ...]


def new_id() -> str:
    """A random 128-bit identifier, 32 hexadecimal digits."""
    return uuid.uuid4().hex


def draft(svc: Services, user: User, *, scope: tuple[str, ...], device: str, amr: tuple[str, ...]) -> Grant:
    """A session that begins now and is not yet written anywhere."""
    now, settings = svc.now(), svc.settings
    ends_at = now + settings.refresh_absolute_seconds
    return Grant(
        uid=user.uid,
        gid=new_id(),
        client_id=settings.client_id,
        scope=scope,
        token_version=user.token_version,
        amr=amr,
        auth_time=now,
        created_at=now,
        last_used_at=now,
        expires_at=min(now + settings.refresh_idle_seconds, ends_at),
        ends_at=ends_at,
        device=device,
    )


def issue(
    svc: Services, keyset: KeySet, user: User, grant: Grant, *, scope: tuple[str, ...] | None = None
) -> TokenPair:
    """Signs the tokens of a grant at its generation; nothing is written. A narrower `scope` is the access token's alone."""
    now, settings = svc.now(), svc.settings
    granted = grant.scope if scope is None else scope
    claims = {
        "iss": settings.issuer,
        "sub": user.uid,
        "aud": settings.audience,
        "exp": now + settings.access_seconds,
        "iat": now,
        "jti": new_id(),
        "client_id": grant.client_id,
        "scope": " ".join(granted),
        "sid": grant.gid,
        "auth_time": grant.auth_time,
        "amr": list(grant.amr),
        "acr": PASSWORD_ONLY,
        **({"roles": list(user.roles)} if user.roles else {}),
    }
    key = keyset.refresher(now)
    token = RefreshToken(uid=grant.uid, gid=grant.gid, generation=grant.generation)
    return TokenPair(
        uid=user.uid,
        access_token=tokens.sign(claims, keyset.signer(now)),
        refresh_token=refresh_tokens.derive(token, key_number=key.number, secret=key.secret),
        expires_in=settings.access_seconds,
        scope=granted,
    )


def refresh(svc: Services, unverified_token: str, *, scope: str | None = None) -> TokenPair:
    """The next tokens of a session (RFC 9700 section 4.14); raises InvalidGrant, or InvalidScope with nothing spent."""
    keyset, presented = _authentic(svc, unverified_token)
    user, grant = svc.grants.with_user(presented.uid, presented.gid)
    use = use_of(grant, presented.generation, now=svc.now(), retry_window=svc.settings.retry_window_seconds)
    if user is None or grant is None or use in (Use.DEAD, Use.REUSE):
        raise _refused(svc, presented, use)
    if not in_force(user, grant, svc.now()):
        raise InvalidGrant(reason="disabled or ended", uid=user.uid)
    narrowed = scopes.narrow(scope, allowed=grant.scope)
    successor = replace(grant, generation=presented.generation + 1)
    pair = issue(svc, keyset, user, successor, scope=narrowed)
    if use is Use.CURRENT:
        use = svc.grants.rotate(
            grant,
            now=svc.now(),
            idle_seconds=svc.settings.refresh_idle_seconds,
            retry_window=svc.settings.retry_window_seconds,
        )
    if use in (Use.DEAD, Use.REUSE):
        raise _refused(svc, presented, use)
    return pair


def _authentic(svc: Services, unverified_token: str) -> tuple[KeySet, RefreshToken]:
    keyset = keys.current(svc)
    secrets = keyset.refresh_secrets()
    number = refresh_tokens.key_number(unverified_token)
    if number and number not in secrets:
        keyset = keys.current(svc, hurry=True)
        secrets = keyset.refresh_secrets()
    return keyset, refresh_tokens.verify(unverified_token, secrets)


def _refused(svc: Services, presented: RefreshToken, use: Use) -> InvalidGrant:
    if use is not Use.REUSE:
        return InvalidGrant(reason="ended, expired or unknown", uid=presented.uid)
    svc.grants.end(presented.uid, presented.gid, why="reuse")
    return InvalidGrant(reason="refresh token reused: session ended", uid=presented.uid)


def log_out(svc: Services, unverified_token: str) -> str:
    """Ends the session of an authentic refresh token, of whatever generation, and says whose it was; "" for any other."""
    try:
        _, presented = _authentic(svc, unverified_token)
    except InvalidGrant:
        return ""
    svc.grants.end(presented.uid, presented.gid, why="logout")
    return presented.uid


def verify(svc: Services, unverified_token: str) -> VerifiedClaims:
    """The claims of an access token whose session is in force at this moment; raises InvalidToken."""
    claims = _verifier(svc, unverified_token).verify(unverified_token, now=svc.now())
    if not in_force(*svc.grants.with_user(claims.sub, claims.sid), svc.now()):
        raise InvalidToken(reason="session ended", uid=claims.sub)
    return claims


def _verifier(svc: Services, unverified_token: str) -> Verifier:
    for hurry in (False, True):
        jwks = keys.current(svc, hurry=hurry).published(svc.now())
        verifier = Verifier(jwks, issuer=svc.settings.issuer, audience=svc.settings.audience)
        if verifier.knows(unverified_token):
            break
    return verifier


def current(svc: Services, *, uid: str, sid: str) -> tuple[User, Grant]:
    """The user and session behind a request that the guard let through; raises InvalidToken if they have ended since."""
    user, grant = svc.grants.with_user(uid, sid)
    if user is None or grant is None or not in_force(user, grant, svc.now()):
        raise InvalidToken("This session has ended: log in again.", reason="session ended", uid=uid)
    return user, grant


def sessions(svc: Services, user: User) -> list[Grant]:
    """The user's live sessions, the latest used first."""
    live = [grant for grant in svc.grants.of_user(user.uid) if in_force(user, grant, svc.now())]
    return sorted(live, key=lambda grant: (-grant.last_used_at, grant.gid))


def end(svc: Services, user: User, *, sid: str) -> None:
    """Ends one session of a user; raises NotFound if it is not one of theirs in force."""
    try:
        found = svc.grants.end(user.uid, sid, why="ended by its user")
    except ValueError:
        found = False
    if not found:
        raise NotFound("You have no such session.", uid=user.uid)


def end_others(svc: Services, user: User, keep: Grant) -> None:
    """Ends all sessions of a user but one, in one write."""
    if not svc.users.end_other_sessions(user, keep=keep):
        raise TemporarilyUnavailable(reason="account changed meanwhile", uid=user.uid)
