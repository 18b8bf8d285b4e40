from collections.abc import Mapping

import msgspec

from ....domain.authentication import levels, policy
from ....domain.errors import InvalidRequest, InvalidScope, InvalidTarget, InvalidToken, UnauthorizedClient
from ....domain.oauth import scopes, uris
from ....domain.oauth.client import DELEGATION, IMPERSONATION, TOKEN_EXCHANGE, Client
from ....domain.oauth.tokens import VerifiedClaims
from ....services import Services
from ...platform import audit, subjects
from ...sessions import issue, lifetimes, live
from ...sessions.issue import TokenSet
from ...sessions.live import LiveToken
from .. import dpop
from ..token_request import TokenRequest

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
NO_EXCHANGE = "The client's `exchanges` need delegation with `actor_token`, impersonation without."


def redeem(svc: Services, client: Client, request: TokenRequest) -> TokenSet:
    """RFC 8693: a token for another API in the subject's name, never for more or for longer than the subject's own."""
    params, proof = request.params, request.proof
    if params.get("requested_token_type", ACCESS_TOKEN_TYPE) not in (ACCESS_TOKEN_TYPE, JWT_TYPE):
        raise InvalidRequest("`requested_token_type` is an access token here.")
    token = _verify_token(svc, client, params, "subject", proof.jkt)
    subject = token.claims
    if not subject.sid:
        raise InvalidRequest("`subject_token` is not a user's.")
    actor_claim = _actor_claim(svc, client, params, subject, jkt=proof.jkt)
    exchange = DELEGATION if "actor_token" in params else IMPERSONATION
    if exchange not in client.exchanges:
        raise UnauthorizedClient(NO_EXCHANGE, reason="may not exchange")
    _check_level(client, token)
    dpop.spend_proof(svc, proof)
    audience = _audience(svc, client, params, subject)
    scope = _scope(svc, client, token, params.get("scope"))
    lifetime = min(lifetimes.access_seconds(svc, client), subject.exp - svc.now())
    uid = subjects.uid(svc, subject)
    # None of the login, which was not at this client.
    roles = {"roles": subject.all["roles"]} if client.access_token_roles and "roles" in subject.all else {}
    claims: dict[str, object] = {
        **roles,
        **actor_claim,
        "sid": subjects.sid_for(svc, client, subject),
        **subjects.claims(svc, client, uid),
        "client_id": client.client_id,
        "aud": audience,
    }
    token_set = issue.issue_access_token(
        svc, client, claims, scope=scope, lifetime=lifetime, jkt=proof.jkt, user=token.user
    )
    session_id = subjects.sid(svc, subject)
    # No record: it would be a call more for each, of what a program does at each request, inside of a session that has one.
    audit.record(
        svc, uid, audit.event(svc, "token_exchanged", session=session_id, client=client.client_id, reason=exchange)
    )
    return msgspec.structs.replace(token_set, issued_token_type=ACCESS_TOKEN_TYPE)


def _check_level(client: Client, subject: LiveToken) -> None:
    # What the client demands of its users' logins it gets no way round. What the deployment does is for new logins alone.
    amr = subject.session.amr if subject.session else ()
    if client.require_second_factor and not levels.reaches(amr, (levels.AAL2,)):
        raise InvalidRequest("`subject_token` is of a weaker login than this client's users need.")


def _actor_claim(
    svc: Services, client: Client, params: Mapping[str, str], subject: VerifiedClaims, *, jkt: str
) -> Mapping[str, object]:
    """Who acts by the new token, {} for nobody but its subject; earlier actors stay inside (RFC 8693 section 4.1)."""
    earlier_actors = {"act": subjects.actor(svc, client, subject.all["act"], subject)} if "act" in subject.all else {}
    if "actor_token" not in params and "actor_token_type" not in params:
        return earlier_actors
    actor = _verify_token(svc, client, params, "actor", jkt).claims
    new_actor = subjects.actor(svc, client, {"sub": actor.sub, "client_id": actor.client_id}, actor)
    return {"act": {**new_actor, **earlier_actors}}


def _scope(svc: Services, client: Client, subject: LiveToken, requested: str | None) -> tuple[str, ...]:
    both = scopes.common(subject.claims.scope, client.scopes)
    amr = subject.session.amr if subject.session else ()
    scope = scopes.narrow(requested, allowed=policy.granted_at(both, amr=amr, aal2_scopes=svc.settings.aal2_scopes))
    if not scope:
        raise InvalidScope("The subject's token has no scope that this client may have.")
    return scope


def _verify_token(svc: Services, client: Client, params: Mapping[str, str], role: str, jkt: str) -> LiveToken:
    token, token_type = params.get(f"{role}_token"), params.get(f"{role}_token_type")
    if not token or token_type not in (ACCESS_TOKEN_TYPE, JWT_TYPE):
        raise InvalidRequest(f"`{role}_token` with `{role}_token_type` {ACCESS_TOKEN_TYPE} is needed.")
    try:
        live_token = live.read(svc, token, any_audience=True)
    except InvalidToken:
        raise InvalidRequest(f"`{role}_token` is not in force.") from None  # RFC 8693 section 2.2.2
    claims = live_token.claims
    if not _shared_audiences(svc, client, claims):
        raise InvalidRequest(f"`{role}_token` is for an API that this client may have no tokens for.")
    # A token that is bound to a key must not come out as one that anybody may use.
    if "cnf" in claims.all and claims.all["cnf"] != {"jkt": jkt}:
        raise InvalidRequest(f"`{role}_token` is bound to a key: send a DPoP proof of that key.")
    return live_token


def _shared_audiences(svc: Services, client: Client, claims: VerifiedClaims) -> list[str]:
    """The APIs of a token that the client may have tokens for as well; our own is every client's."""
    allowed = (svc.settings.audience, *client.resources)
    return [each for each in (uris.registered_spelling(aud, allowed) for aud in claims.audiences) if each in allowed]


def _audience(svc: Services, client: Client, params: Mapping[str, str], subject: VerifiedClaims) -> str:
    """The one API that the new token is for (RFC 8693 sections 2.1, 2.2.2): one of the client's, else the subject's."""
    shared = _shared_audiences(svc, client, subject)
    allowed = (*client.resources, *shared)
    targets = {uris.registered_spelling(params[name], allowed) for name in ("resource", "audience") if name in params}
    # Our own is every client's, so naming it must not turn a token for another API into one for ours.
    if len(targets) > 1 or not targets <= set(allowed):
        raise InvalidTarget("`resource` or `audience` is one API of the subject's token or the client's `resources`.")
    return targets.pop() if targets else shared[0]
