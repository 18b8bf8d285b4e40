import hashlib
import json
from collections.abc import Iterable
from typing import Any

from ..accounts import profile
from ..accounts.model import Session, User
from ..authentication import levels
from ..crypto import base64url
from .client import Client
from .scopes import OFFLINE_ACCESS

# OpenID Connect Core 5.4, as far as an account of ours has them.
OF_SCOPE = {
    "profile": ("name", *profile.CLAIMS, "updated_at"),
    "email": ("email", "email_verified"),
    "groups": ("groups", "roles"),
}
# What a person may do here is nobody's to be told of, unless an operator says so: no client asks for it by itself.
OF_OPERATORS = ("groups", "roles")
OPENID_SCOPES = ("openid", *OF_SCOPE, OFFLINE_ACCESS)
OF_USER = tuple(name for names in OF_SCOPE.values() for name in names)
HASHES = {"RS256": hashlib.sha256, "PS256": hashlib.sha256, "ES256": hashlib.sha256, "EdDSA": hashlib.sha512}


def of_user(user: User, *, scope: Iterable[str], claims: Iterable[str] = ()) -> dict[str, Any]:
    """The claims about a user that these scopes and these single `claims` (OpenID Connect Core 5.5) open."""
    open_to_client = {*claims, *of_scopes(scope)}
    values = {name: _value(user, name) for name in OF_USER if name in open_to_client}
    return {name: value for name, value in values.items() if value or value is False}


def _value(user: User, name: str) -> Any:
    if name in profile.CLAIMS:
        return user.claims.get(name)
    if name == "email_verified" and not user.email:
        return None
    # Products call them either; an account here has roles.
    return list(user.roles) if name in OF_OPERATORS else getattr(user, name)


def of_login(session: Session) -> dict[str, Any]:
    """What a token says of the login that its session began with (OpenID Connect Core 2); nothing where none did."""
    if not session.logged_in:
        return {}
    return {"auth_time": session.auth_time, "amr": levels.for_tokens(session.amr), "acr": levels.acr_of(session.amr)}


def of_scopes(scope: Iterable[str]) -> set[str]:
    """The claims that scopes open."""
    return {name for each in scope for name in OF_SCOPE.get(each, ())}


def requested_claims(session: Session, part: str, *, scope: tuple[str, ...], client: Client) -> list[str]:
    """The single claims that were asked for in "userinfo" or "id_token", and that a scope of the client opens by now.

    None for a token of a narrower scope than the session's that its client may still have.
    """
    requested: dict[str, list[str]] = json.loads(session.claims or "{}")
    whole = set(session.scope) & set(client.scopes) <= set(scope)
    return [name for name in requested.get(part, []) if name in of_scopes(client.scopes)] if whole else []


def of_id_token(user: User, session: Session, client: Client, *, scope: tuple[str, ...]) -> dict[str, Any]:
    """What an id_token says of its user: what was asked for, and the client's `id_token_claims` that this scope opens."""
    of_client = of_scopes(scope).intersection(client.id_token_claims)
    return of_user(
        user, scope=(), claims=(*requested_claims(session, "id_token", scope=scope, client=client), *of_client)
    )


def of_api(user: User, names: Iterable[str], *, scope: Iterable[str]) -> dict[str, Any]:
    """What an access token says of its user beside all others, for an API that wants these claims (RFC 9068 section 2.2.2)."""
    return of_user(user, scope=(), claims=of_scopes(scope).intersection(names))


def half_hash(text: str, *, algorithm: str) -> str:
    """at_hash and c_hash (OpenID Connect Core 3.1.3.6): the left half of the hash that the signature's algorithm uses."""
    digest = HASHES[algorithm](text.encode()).digest()
    return base64url.encode(digest[: len(digest) // 2])
