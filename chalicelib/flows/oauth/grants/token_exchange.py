from collections.abc import Mapping
from dataclasses import replace

from ....domain.errors import InvalidRequest, InvalidScope, InvalidTarget, InvalidToken, UnauthorizedClient
from ....domain.oauth import scopes, uris
from ....domain.oauth.client import DELEGATION, IMPERSONATION, TOKEN_EXCHANGE, Client
from ....domain.oauth.dpop import Proof
from ....domain.oauth.tokens import VerifiedClaims
from ....services import Services
from ...platform import subjects
from ...sessions import issue, lifetimes, live
from ...sessions.issue import TokenSet
from .. import dpop

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
KEPT = ("auth_time", "amr", "acr", "roles")


def redeem(svc: Services, client: Client, params: Mapping[str, str], proof: Proof) -> TokenSet:
    """RFC 8693: a token for another API in the subject's name, never for more or for longer than the subject's own."""
    if params.get("requested_token_type", ACCESS_TOKEN_TYPE) not in (ACCESS_TOKEN_TYPE, JWT_TYPE):
        raise InvalidRequest("`requested_token_type` is an access token here.")
    subject = _verified(svc, client, params, "subject", proof.jkt)
    if not subject.sid:
        raise InvalidRequest("`subject_token` is not a user's.")
    # Who acted before stays in, whoever acts next.
    before = {"act": subjects.actor(svc, client, subject.all["act"], subject)} if "act" in subject.all else {}
    acting = before
    if "actor_token" in params or "actor_token_type" in params:
        actor = _verified(svc, client, params, "actor", proof.jkt)
        now = subjects.actor(svc, client, {"sub": actor.sub, "client_id": actor.client_id}, actor)
        acting = {"act": {**now, **before}}
    if (DELEGATION if "actor_token" in params else IMPERSONATION) not in client.exchanges:
        raise UnauthorizedClient("This client may not exchange tokens in this way.")
    dpop.remember(svc, proof)
    audience = _audience(svc, client, params, subject)
    scope = scopes.narrow(params.get("scope"), allowed=scopes.common(subject.scope, client.scopes))
    if not scope:
        raise InvalidScope("The subject's token has no scope that this client may have.")
    lifetime = min(lifetimes.access_seconds(svc, client), subject.exp - svc.now())
    uid = subjects.uid(svc, subject)
    kept = {name: subject.all[name] for name in KEPT if name in subject.all}
    about: dict[str, object] = {
        **kept,
        **acting,
        "sid": subjects.sid_for(svc, client, subject),
        **subjects.claims(svc, client, uid),
        "client_id": client.client_id,
        "aud": audience,
    }
    issued = issue.issue_access_token(svc, about, scope=scope, lifetime=lifetime, jkt=proof.jkt, uid=uid)
    return replace(issued, issued_token_type=ACCESS_TOKEN_TYPE)


def _verified(svc: Services, client: Client, params: Mapping[str, str], whose: str, jkt: str) -> VerifiedClaims:
    token, kind = params.get(f"{whose}_token"), params.get(f"{whose}_token_type")
    if not token or kind not in (ACCESS_TOKEN_TYPE, JWT_TYPE):
        raise InvalidRequest(f"`{whose}_token` with `{whose}_token_type` {ACCESS_TOKEN_TYPE} is needed.")
    try:
        verified = live.read(svc, token, any_audience=True).claims
    except InvalidToken:
        raise InvalidRequest(f"`{whose}_token` is not in force.") from None  # RFC 8693 section 2.2.2
    if not _shared(svc, client, verified):
        raise InvalidRequest(f"`{whose}_token` is for an API that this client may have no tokens for.")
    # A token that is bound to a key must not come out as one that anybody may use.
    if "cnf" in verified.all and verified.all["cnf"] != {"jkt": jkt}:
        raise InvalidRequest(f"`{whose}_token` is bound to a key: send a DPoP proof of that key.")
    return verified


def _shared(svc: Services, client: Client, verified: VerifiedClaims) -> list[str]:
    """The APIs of a token that the client may have tokens for as well; our own is every client's."""
    may = (svc.settings.audience, *client.resources)
    return [each for each in (uris.registered_spelling(aud, may) for aud in verified.audiences) if each in may]


def _audience(svc: Services, client: Client, params: Mapping[str, str], subject: VerifiedClaims) -> str:
    """The one API that the new token is for (RFC 8693 sections 2.1, 2.2.2): another of the client's own, else the subject's."""
    shared = _shared(svc, client, subject)
    among = (*client.resources, *shared)
    named = {uris.registered_spelling(params[name], among) for name in ("resource", "audience") if name in params}
    # Our own is every client's, so naming it must not turn a token for another API into one for ours.
    if len(named) > 1 or not named <= set(among):
        raise InvalidTarget()
    return named.pop() if named else shared[0]
