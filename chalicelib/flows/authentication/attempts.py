"""Attempts to log in as their holders carry them: sealed, for one flow, one client and one holder, for minutes."""

from collections.abc import Container, Mapping

import msgspec

from ...domain.authentication import levels
from ...domain.authentication.attempt import Attempt
from ...domain.errors import LoginExpired
from ...domain.oauth.client import Client
from ...services import Services
from ..platform import sealing
from ..platform.ids import new_id
from . import policy


def begin(
    svc: Services,
    flow: str,
    client: Client,
    *,
    bound_to: str = "",
    acr_values: tuple[str, ...] = (),
    acr_essential: bool = False,
    scope: tuple[str, ...] = (),
    level: str = "",
    request: Mapping[str, str] | None = None,
) -> Attempt:
    """An attempt in which nothing is proved yet, for these scopes of this client; it reaches `level` at least."""
    return Attempt(
        id=new_id(),
        flow=flow,
        client_id=client.client_id,
        client_since=client.created_at,
        expires_at=svc.now() + Attempt.seconds,
        bound_to=bound_to,
        uid="",
        token_version=0,
        proofs=(),
        acr_values=acr_values,
        acr_essential=acr_essential,
        request=dict(request or {}),
        scope=scope,
        level=max(level, policy.least_level(svc, client, scope), key=levels.rank),
    )


def seal(svc: Services, attempt: Attempt) -> str:
    """The text of an attempt, which its holder brings back and cannot read."""
    return sealing.seal(svc, attempt)


def unseal(
    svc: Services, unverified_text: str, *, flow: str, client: Client, bound_to: Container[str | None] = ("",)
) -> Attempt:
    """The attempt in a text of this flow and client, held by whom it is bound to; raises LoginExpired for any other."""
    attempt = sealing.unseal(svc, unverified_text, Attempt)
    if attempt is None:
        raise LoginExpired(reason="no attempt")
    if svc.now() >= attempt.expires_at:
        raise LoginExpired(reason="expired")
    if attempt.flow != flow or not client.is_same(attempt.client_id, attempt.client_since):
        raise LoginExpired(reason="another flow's or client's", uid=attempt.uid)
    if attempt.bound_to not in bound_to:
        raise LoginExpired(reason="another holder's", uid=attempt.uid)
    # By the policy as it is now, of which its holder can have brought an older one.
    least = policy.least_level(svc, client, attempt.scope)
    return msgspec.structs.replace(attempt, level=max(attempt.level, least, key=levels.rank))
