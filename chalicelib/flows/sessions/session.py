from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...domain.accounts.model import Grant, Spent, Start, User, in_force
from ...domain.crypto import handles
from ...domain.crypto.handles import Handle
from ...domain.crypto.keyset import KeySet
from ...domain.errors import (
    InvalidGrant,
    InvalidScope,
    InvalidTarget,
    InvalidToken,
    LoginRequired,
    NotFound,
    TemporarilyUnavailable,
)
from ...domain.oauth import claims as claim
from ...domain.oauth import scopes, tokens, uris
from ...domain.oauth.client import Client
from ...domain.oauth.tokens import VerifiedClaims, Verifier
from ...services import Services
from ..platform import keys, subjects
from ..platform.ids import new_id

PASSWORD_ONLY = "aal1"  # NIST SP 800-63B: a single factor


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSet:
    """What a client gets (RFC 6749 section 5.1, OpenID Connect Core 3.1.3.3); "" for what it does not get."""

    uid: str
    access_token: str
    token_type: str
    expires_in: int
    scope: tuple[str, ...]
    refresh_token: str = ""
    id_token: str = ""
    issued_token_type: str = ""


def draft(
    svc: Services, user: User, client: Client, *, scope: tuple[str, ...], device: str = "", amr: tuple[str, ...]
) -> Grant:
    """A session that begins now and is not yet written anywhere."""
    now, settings = svc.now(), svc.settings
    ends_at = now + (client.refresh_absolute_seconds or settings.refresh_absolute_seconds)
    return Grant(
        uid=user.uid,
        gid=new_id(),
        client_id=client.client_id,
        client_since=client.created_at,
        scope=scope,
        token_version=user.token_version,
        amr=amr,
        auth_time=now,
        created_at=now,
        last_used_at=now,
        expires_at=min(now + idle_seconds(svc, client), ends_at),
        ends_at=ends_at,
        device=device,
    )


def start(svc: Services, grant: Grant, *, spent: Spent | None = None) -> None:
    """Writes a drafted session; raises LoginRequired if what it was to begin from has ended since: the browser's session.

    It gives back what the login `spent`, which was no failure.
    Raises TemporarilyUnavailable if only its user is no longer as they were read: whoever tries again is told why.
    """
    if svc.grants.start(grant, spare=svc.attempts.giving_back(spent, now=svc.now())) is not Start.DONE:
        if grant.browser:
            raise LoginRequired("The user has logged out meanwhile.", uid=grant.uid)
        raise TemporarilyUnavailable(reason="account changed meanwhile", uid=grant.uid)


def idle_seconds(svc: Services, client: Client) -> int:
    """How long a session of this client lives unused."""
    return min(client.refresh_idle_seconds or svc.settings.refresh_idle_seconds, handles.MAX_IDLE)


def access_seconds(svc: Services, client: Client) -> int:
    """How long an access token of this client is good."""
    return min(client.access_seconds or svc.settings.access_seconds, tokens.MAX_LIFETIME)


def target(svc: Services, client: Client, resource: str) -> str:
    """The API that a request names (RFC 8707 section 2), "" for our own; raises InvalidTarget for none of the client's."""
    own = svc.settings.audience
    named = uris.spelled(resource or own, (own, *client.resources))
    if named == own:
        return ""
    if named not in client.resources:
        raise InvalidTarget()
    return named


def may_have_tokens_for(svc: Services, client: Client, resource: str) -> bool:
    """Whether an API, our own under either of its names, is one of a client's by its present registration."""
    apis = (svc.settings.audience, *client.resources)
    return uris.spelled(resource or apis[0], apis) in apis


def still_granted(svc: Services, client: Client, grant: Grant) -> bool:
    """Whether a client may still have what a session was granted: its API, and at least one of its scopes."""
    left = scopes.common(grant.scope, client.scopes)
    return may_have_tokens_for(svc, client, grant.resource) and bool(left or not grant.scope)


def same_api(svc: Services, one: str, other: str) -> bool:
    """Whether two names are of the same API: our own has a name beside "", and may be asked for and stored under either."""
    own = svc.settings.audience
    return uris.normal(one or own) == uris.normal(other or own)


def issue(
    svc: Services,
    keyset: KeySet,
    user: User,
    grant: Grant,
    client: Client,
    *,
    scope: tuple[str, ...] | None = None,
    nonce: str = "",
    jkt: str = "",
) -> TokenSet:
    """Signs the tokens of a grant at its generation; nothing is written. A narrower `scope` is the access token's alone."""
    # What an operator has taken from the client since counts for every token from then on.
    left = scopes.common(grant.scope, client.scopes)
    granted = left if scope is None else scope
    lifetime = access_seconds(svc, client)
    access_token = _access_token(
        svc, keyset, _about(svc, user, grant, client), scope=granted, lifetime=lifetime, jkt=jkt
    )
    id_token = refresh_token = ""
    if "openid" in granted:
        about = claim.of_user(user, scope=(), wanted=claim.wished(grant, "id_token", scope=granted, client=client))
        id_token = _id_token(svc, keyset, about, grant, client, nonce=nonce, access_token=access_token)
    if client.refreshes(grant.scope) and client.refreshes(left):
        refresh_token = encode_handle(svc, keyset, grant, handles.REFRESH)
    return TokenSet(
        uid=user.uid,
        access_token=access_token,
        token_type=_token_type(jkt),
        expires_in=lifetime,
        scope=granted,
        refresh_token=refresh_token,
        id_token=id_token,
    )


def _about(svc: Services, user: User, grant: Grant, client: Client) -> dict[str, object]:
    return {
        **subjects.claims(svc, client, user.uid),
        "aud": grant.resource,
        "client_id": grant.client_id,
        "sid": grant.gid,
        "auth_time": grant.auth_time,
        "amr": list(grant.amr),
        "acr": PASSWORD_ONLY,
        **({"roles": list(user.roles)} if user.roles else {}),
    }


def access_alone(
    svc: Services, about: dict[str, object], *, scope: tuple[str, ...], lifetime: int, jkt: str, uid: str = ""
) -> TokenSet:
    """An access token and nothing beside it, `about` as `_access_token` has it; `uid` is whose it is, "" a client's own."""
    return TokenSet(
        uid=uid,
        access_token=_access_token(svc, keys.current(svc), about, scope=scope, lifetime=lifetime, jkt=jkt),
        token_type=_token_type(jkt),
        expires_in=lifetime,
        scope=scope,
    )


def _token_type(jkt: str) -> str:
    return "DPoP" if jkt else "Bearer"


def _access_token(
    svc: Services, keyset: KeySet, about: dict[str, object], *, scope: tuple[str, ...], lifetime: int, jkt: str
) -> str:
    """An access token (RFC 9068) `about` its subject, client and session; "" as `aud` stands for this server's own APIs.

    Raises InvalidScope for one that no verifier would take; nothing has been spent by then.
    """
    now, settings = svc.now(), svc.settings
    claims = {
        **about,
        "iss": settings.issuer,
        "aud": about["aud"] or settings.audience,
        "exp": now + lifetime,
        "iat": now,
        "jti": new_id(),
        "scope": " ".join(scope),
        **({"cnf": {"jkt": jkt}} if jkt else {}),
    }
    signed = tokens.sign(claims, keyset.signer(now), typ=tokens.ACCESS_TOKEN)
    if len(signed) > tokens.MAX_LENGTH:
        raise InvalidScope(
            "The access token would be longer than any API takes: ask for fewer scopes.", reason="too long"
        )
    return signed


def _id_token(
    svc: Services,
    keyset: KeySet,
    about: Mapping[str, object],
    grant: Grant,
    client: Client,
    *,
    nonce: str,
    access_token: str,
) -> str:
    now = svc.now()
    key = keyset.signer(now)
    claims = {
        **about,
        "iss": svc.settings.issuer,
        "sub": subjects.subject_for(svc, client, grant.uid),
        "aud": grant.client_id,
        "exp": now + svc.settings.id_token_seconds,
        "iat": now,
        "auth_time": grant.auth_time,
        "amr": list(grant.amr),
        "acr": PASSWORD_ONLY,
        # One browser session logs in to many clients: told as it is, it would tie pairwise subjects together.
        "sid": subjects.subject_for(svc, client, grant.browser) if grant.browser else grant.gid,
        "at_hash": claim.half_hash(access_token, algorithm=key.algorithm),
        **({"nonce": nonce} if nonce else {}),
    }
    return tokens.sign(claims, key, typ=tokens.ID_TOKEN)


def encode_handle(svc: Services, keyset: KeySet, grant: Grant, purpose: bytes) -> str:
    """The one text for a grant at its generation and this purpose: its refresh token, its code or its cookie."""
    key = keyset.handle_key(svc.now())
    handle = Handle(uid=grant.uid, gid=grant.gid, generation=grant.generation)
    return handles.derive(handle, key_number=key.number, secret=key.secret, purpose=purpose)


def decode_handle(svc: Services, unverified_text: str, purpose: bytes) -> tuple[KeySet, Handle]:
    """The handle in an authentic text of this purpose, and the keys; raises InvalidGrant before any table is read."""
    keyset = keys.current(svc)
    secrets = keyset.handle_secrets()
    number = handles.key_number(unverified_text)
    if number and number not in secrets:
        keyset = keys.current(svc, force_refresh=True)
        secrets = keyset.handle_secrets()
    return keyset, handles.verify(unverified_text, secrets, purpose=purpose)


def log_out(svc: Services, client: Client, unverified_token: str) -> str:
    """Ends the session of the client's own refresh token, of whatever generation, and says whose it was; "" for any other."""
    try:
        _, presented = decode_handle(svc, unverified_token, handles.REFRESH)
    except InvalidGrant:
        return ""
    ended = svc.grants.end(presented.uid, presented.gid, why="logout", owner=client)
    return presented.uid if ended else ""


def authentic(svc: Services, unverified_token: str, *, any_audience: bool = False) -> VerifiedClaims:
    """The claims of an access token of ours, for this server's own APIs or for any; raises InvalidToken."""
    audience = None if any_audience else svc.settings.audience
    return _verifier(svc, unverified_token, audience).verify(unverified_token, now=svc.now())


def hinted(svc: Services, id_token: str) -> dict[str, Any] | None:
    """The claims of an id_token of ours, whose key need not be published any more (OpenID Connect Core 3.1.2.1); or None."""
    return tokens.ours(id_token, keys.current(svc).known(svc.now()), issuer=svc.settings.issuer)


def _verifier(svc: Services, unverified_token: str, audience: str | None) -> Verifier:
    for force_refresh in (False, True):
        jwks = keys.published(svc, force_refresh=force_refresh)
        verifier = Verifier(jwks, issuer=svc.settings.issuer, audience=audience)
        if verifier.knows(unverified_token):
            break
    return verifier


def current(svc: Services, *, uid: str, sid: str) -> tuple[User, Grant]:
    """The user and session behind a request that the guard let through; raises InvalidToken if they have ended since."""
    found = in_force(*svc.grants.with_user(uid, sid), svc.now())
    if found is None:
        raise InvalidToken("This session has ended: log in again.", reason="session ended", uid=uid)
    return found


def sessions(svc: Services, user: User, current: Grant) -> list[Grant]:
    """The user's live sessions: the one that is `current`, then the latest used, and of those the newest, first."""
    live = [grant for grant in svc.grants.of_user(user.uid) if not grant.waiting and in_force(user, grant, svc.now())]
    return sorted(live, key=lambda grant: (grant.gid != current.gid, -grant.last_used_at, -grant.created_at))


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
