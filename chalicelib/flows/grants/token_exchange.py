from collections.abc import Mapping
from typing import Any

from ...domain import scopes
from ...domain.client import TOKEN_EXCHANGE, Client
from ...domain.errors import InvalidRequest, InvalidScope, InvalidTarget, InvalidToken, UnauthorizedClient
from ...domain.tokens import VerifiedClaims
from ...services import Services
from .. import keys, session, subjects
from ..session import TokenSet

GRANT_TYPE = TOKEN_EXCHANGE
PARAMETERS = frozenset(
    {
        "subject_token",
        "subject_token_type",
        "actor_token",
        "actor_token_type",
        "requested_token_type",
        "scope",
        "resource",
        "audience",
    }
)
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
IMPERSONATION, DELEGATION = "impersonation", "delegation"
KEPT = ("sid", "auth_time", "amr", "acr", "roles")


def redeem(svc: Services, client: Client, params: Mapping[str, str], jkt: str) -> TokenSet:
    """RFC 8693: a token for another API in the subject's name, never for more or for longer than the subject's own."""
    if params.get("requested_token_type", ACCESS_TOKEN_TYPE) not in (ACCESS_TOKEN_TYPE, JWT_TYPE):
        raise InvalidRequest("`requested_token_type` is an access token here.")
    subject = _verified(svc, client, params, "subject", jkt)
    if not subject.sid:
        raise InvalidRequest("`subject_token` is not a user's.")
    # Who acted before stays in, whoever acts next.
    acting = {"act": subject.all["act"]} if "act" in subject.all else {}
    if "actor_token" in params:
        acting = {"act": _actor(subject, _verified(svc, client, params, "actor", jkt))}
    if (DELEGATION if "actor_token" in params else IMPERSONATION) not in client.exchanges:
        raise UnauthorizedClient("This client may not exchange tokens in this way.")
    resource = params.get("resource") or params.get("audience", "")
    if resource and resource not in client.resources:
        raise InvalidTarget()
    scope = scopes.narrow(params.get("scope"), allowed=tuple(s for s in subject.scope if s in client.scopes))
    if not scope:
        raise InvalidScope("The subject's token has no scope that this client may have.")
    lifetime = min(client.access_seconds or svc.settings.access_seconds, subject.exp - svc.now())
    uid = subjects.uid(svc, subject)
    kept = {name: subject.all[name] for name in KEPT if name in subject.all}
    about: dict[str, object] = {
        **kept,
        **acting,
        **subjects.claims(svc, client, uid),
        "client_id": client.client_id,
        "aud": resource,
    }
    return TokenSet(
        uid=uid,
        access_token=session.sign_access(svc, keys.current(svc), about, scope=scope, lifetime=lifetime, jkt=jkt),
        token_type="DPoP" if jkt else "Bearer",
        expires_in=lifetime,
        scope=scope,
        issued_token_type=ACCESS_TOKEN_TYPE,
    )


def _verified(svc: Services, client: Client, params: Mapping[str, str], whose: str, jkt: str) -> VerifiedClaims:
    token, kind = params.get(f"{whose}_token"), params.get(f"{whose}_token_type")
    if not token or kind not in (ACCESS_TOKEN_TYPE, JWT_TYPE):
        raise InvalidRequest(f"`{whose}_token` with `{whose}_token_type` {ACCESS_TOKEN_TYPE} is needed.")
    try:
        verified, _, _ = session.live(svc, token, any_audience=True)
    except InvalidToken:
        raise InvalidRequest(f"`{whose}_token` is not in force.") from None  # RFC 8693 section 2.2.2
    aud = verified.all["aud"]
    if not {svc.settings.audience, *client.resources} & set(aud if isinstance(aud, list) else [aud]):
        raise InvalidRequest(f"`{whose}_token` is for an API that this client may have no tokens for.")
    # A token that is bound to a key must not come out as one that anybody may use.
    if "cnf" in verified.all and verified.all["cnf"] != {"jkt": jkt}:
        raise InvalidRequest(f"`{whose}_token` is bound to a key: send a DPoP proof of that key.")
    return verified


def _actor(subject: VerifiedClaims, actor: VerifiedClaims) -> dict[str, Any]:
    """RFC 8693 section 4.1: who acts now, with whoever acted before inside."""
    before = subject.all.get("act")
    return {"sub": actor.sub, "client_id": actor.client_id, **({"act": before} if before else {})}
