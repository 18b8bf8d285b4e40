"""What a client gets for a session: the tokens at its generation."""

from collections.abc import Mapping

import msgspec

from ...domain.accounts.model import Session, User
from ...domain.crypto import handles
from ...domain.crypto.keyset import KeySet
from ...domain.errors import InvalidScope
from ...domain.oauth import claims as claim
from ...domain.oauth import tokens
from ...domain.oauth.client import Client
from ...services import Services
from ..platform import attributes, keys, subjects
from ..platform.ids import new_id
from . import lifetimes, resources, session_handles, token_claims


class TokenSet(msgspec.Struct, frozen=True, kw_only=True):
    """What a client gets (RFC 6749 section 5.1, OpenID Connect Core 3.1.3.3); "" for what it does not get."""

    uid: str
    access_token: str
    token_type: str
    expires_in: int
    scope: tuple[str, ...]
    refresh_token: str = ""
    id_token: str = ""
    issued_token_type: str = ""
    device_token: str = ""
    deletion_withdrawn: bool = False
    waived: tuple[str, ...] = ()  # for the log


def issue(
    svc: Services,
    keyset: KeySet,
    user: User,
    session: Session,
    client: Client,
    *,
    scope: tuple[str, ...] | None = None,
    nonce: str = "",
    jkt: str = "",
) -> TokenSet:
    """Signs the tokens of a session at its generation; nothing is written. A narrower `scope` is the access token's alone."""
    # What an operator has taken from the client since, or wants a stronger login for, counts for every token from then on.
    allowed = resources.scopes_in_force(svc, client, session)
    granted = allowed if scope is None else scope
    lifetime = lifetimes.access_seconds(svc, client)
    of_session = session_claims(svc, user, session, client)
    own = token_claims.of(svc, client, of_session, user=user, scope=granted)
    about = {**own.access_token, **of_session}
    access_token = _access_token(svc, keyset, client, about, user=user, scope=granted, lifetime=lifetime, jkt=jkt)
    id_token = ""
    if "openid" in granted:
        of_user = claim.of_id_token(user, session, client, scope=granted)
        of_user = {**own.id_token, **attributes.claims(svc, client, user), **of_user}
        id_token = _id_token(svc, keyset, of_user, session, client, nonce=nonce, access_token=access_token)
    return TokenSet(
        uid=user.uid,
        access_token=access_token,
        token_type=_token_type(jkt),
        expires_in=lifetime,
        scope=granted,
        refresh_token=_refresh_token(svc, keyset, session, client, allowed),
        id_token=id_token,
        waived=session.waived,
    )


def _refresh_token(svc: Services, keyset: KeySet, session: Session, client: Client, allowed: tuple[str, ...]) -> str:
    # By what the session was granted, and by what of it the client may still have.
    if not client.refreshes(session.scope) or not client.refreshes(allowed):
        return ""
    return session_handles.encode_handle(svc, keyset, session, handles.REFRESH)


def session_claims(svc: Services, user: User, session: Session, client: Client) -> dict[str, object]:
    """What the access tokens of a session say, beside what all of them say."""
    return {
        **subjects.claims(svc, client, user.uid),
        "aud": session.resource,
        "client_id": session.client_id,
        "sid": session.session_id,
        **claim.of_login(session),
        **({"roles": list(user.roles)} if user.roles and client.access_token_roles else {}),
    }


def issue_access_token(
    svc: Services,
    client: Client,
    about: dict[str, object],
    *,
    scope: tuple[str, ...],
    lifetime: int,
    jkt: str,
    user: User | None = None,
) -> TokenSet:
    """An access token and nothing beside it, `about` as `_access_token` has it; without a `user` it is a client's own."""
    about = {**token_claims.of(svc, client, about, user=user, scope=scope).access_token, **about}
    return TokenSet(
        uid=user.uid if user else "",
        access_token=_access_token(
            svc, keys.current(svc), client, about, user=user, scope=scope, lifetime=lifetime, jkt=jkt
        ),
        token_type=_token_type(jkt),
        expires_in=lifetime,
        scope=scope,
    )


def _token_type(jkt: str) -> str:
    return "DPoP" if jkt else "Bearer"


def _access_token(
    svc: Services,
    keyset: KeySet,
    client: Client,
    about: dict[str, object],
    *,
    user: User | None,
    scope: tuple[str, ...],
    lifetime: int,
    jkt: str,
) -> str:
    """An access token (RFC 9068) `about` its subject, client and session; "" as `aud` stands for this server's own APIs.

    Raises InvalidScope for one that no verifier would take; nothing has been spent by then.
    """
    now, settings = svc.now(), svc.settings
    audience = str(about["aud"] or settings.audience)
    of_user = claim.of_api(user, settings.access_token_claims(audience), scope=scope) if user else {}
    claims = {
        **of_user,
        **about,
        "iss": settings.issuer,
        "aud": audience,
        "exp": now + lifetime,
        "iat": now,
        "jti": new_id(),
        "scope": " ".join(scope),
        **({"cnf": {"jkt": jkt}} if jkt else {}),
    }
    typ = tokens.JWT if audience in settings.jwt_audiences else tokens.ACCESS_TOKEN
    signed = tokens.sign(claims, keys.signer(keyset, client.algorithms, now=now), typ=typ)
    if len(signed) > tokens.MAX_LENGTH:
        raise InvalidScope(
            "The access token would be longer than any API takes: ask for fewer scopes.", reason="too long"
        )
    return signed


def _id_token(
    svc: Services,
    keyset: KeySet,
    about: Mapping[str, object],
    session: Session,
    client: Client,
    *,
    nonce: str,
    access_token: str,
) -> str:
    now = svc.now()
    key = keys.signer(keyset, client.id_token_algorithms, now=now)
    claims = {
        **about,
        "iss": svc.settings.issuer,
        "sub": subjects.subject_for(svc, client, session.uid),
        "aud": session.client_id,
        "exp": now + lifetimes.id_token_seconds(svc, client),
        "iat": now,
        **claim.of_login(session),
        **({"sid": session.session_id} if client.told_of_sessions else {}),
        "at_hash": claim.half_hash(access_token, algorithm=key.algorithm),
        **({"nonce": nonce} if nonce else {}),
    }
    return tokens.sign(claims, key, typ=tokens.ID_TOKEN)
