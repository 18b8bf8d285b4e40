"""What a deployment puts into tokens beside what all of them say: by its templates, and by its hook."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ...domain.accounts.model import User
from ...domain.errors import TemporarilyUnavailable
from ...domain.oauth import claims_template
from ...domain.oauth.client import Client
from ...services import Services
from ..platform import attributes, hooks

if TYPE_CHECKING:
    from ...hooks import Token


class TokenClaims(NamedTuple):
    """The claims of a deployment's own in the tokens that are issued together."""

    access_token: Mapping[str, Any] = {}
    id_token: Mapping[str, Any] = {}


def of(
    svc: Services, client: Client, about: Mapping[str, Any], *, user: User | None, scope: tuple[str, ...]
) -> TokenClaims:
    """The claims for a token `about` its subject; raises Refused, or TemporarilyUnavailable for what no token may have.

    More than a kilobyte is none at all: who can make something of theirs longer does not get rid of another claim by it.
    """
    uid = user.uid if user else ""
    own, added = _of_templates(svc, client, about, user, scope), _of_hook(svc, client, about, user, scope)
    both = TokenClaims(*({**mine, **more} for mine, more in zip(own, added, strict=True)))
    for claims in both:
        try:
            size = claims_template.size(claims)
        except (TypeError, ValueError, RecursionError):
            raise TemporarilyUnavailable(reason="hook before_token: claims are no JSON", uid=uid) from None
        if size > claims_template.MAX_BYTES:
            raise TemporarilyUnavailable(reason=f"claims of {size} bytes for {client.client_id}", uid=uid)
    return both


def _of_templates(
    svc: Services, client: Client, about: Mapping[str, Any], user: User | None, scope: tuple[str, ...]
) -> TokenClaims:
    # What an operator has written is for clients of theirs, and not for who registered itself.
    if not svc.settings.claims or not (client.made_by_operator or client.first_party):
        return TokenClaims()
    templates = svc.settings.claims.get(client.client_id) or svc.settings.claims[""]
    values = {
        "sub": about["sub"],
        "client_id": client.client_id,
        "client_name": client.client_name or None,
        "scope": " ".join(scope),
        **(_values_of_user(svc, user) if user else {}),
    }
    return TokenClaims(**{token: claims_template.render(each, values) for token, each in templates.items()})


def _values_of_user(svc: Services, user: User) -> dict[str, Any]:
    own = attributes.all_of(svc, user)
    return {
        "name": user.name or None,
        "email": user.email or None,
        "email_verified": user.email_verified,
        "roles": list(user.roles),
        **user.claims,
        **{f"attributes.{name}": value for name, value in own.items()},
    }


def _of_hook(
    svc: Services, client: Client, about: Mapping[str, Any], user: User | None, scope: tuple[str, ...]
) -> TokenClaims:
    uid = user.uid if user else ""

    def event(event_id: str) -> "Token":
        from ...hooks import Token

        return Token(
            id=event_id,
            user=hooks.as_user(user) if user else None,
            client_id=client.client_id,
            self_registered=not (client.made_by_operator or client.first_party),
            audience=str(about["aud"] or svc.settings.audience),
            scope=scope,
        )

    answer = hooks.before(svc, "before_token", event, uid=uid)
    if answer is None:
        return TokenClaims()
    from ...hooks import Claims

    if not isinstance(answer, Claims) or not all(
        isinstance(each, Mapping) for each in (answer.access_token, answer.id_token)
    ):
        raise TemporarilyUnavailable(reason="hook before_token: answers no Claims", uid=uid)
    claims = TokenClaims(dict(answer.access_token), dict(answer.id_token))
    names: tuple[Any, ...] = (*claims.access_token, *claims.id_token)
    if any(type(name) is not str or name in svc.settings.reserved_claims for name in names):
        raise TemporarilyUnavailable(reason="hook before_token: sets a claim that is not its own", uid=uid)
    return claims
