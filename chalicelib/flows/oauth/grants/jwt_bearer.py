"""Tokens of a user for whom an issuer vouches that the client's operator trusts (RFC 7523 section 2.1)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ....domain.accounts.email import canonical
from ....domain.accounts.model import User
from ....domain.authentication import policy
from ....domain.crypto import jws
from ....domain.errors import InvalidGrant, InvalidRequest, InvalidScope, TemporarilyUnavailable
from ....domain.oauth import scopes
from ....domain.oauth.client import JWT_BEARER, Client
from ....services import Services
from ...clients import assertions
from ...platform import audit, subjects
from ...sessions import begin, issue, lifetimes, resources
from ...sessions.issue import TokenSet
from .. import dpop
from ..token_request import TokenRequest

GRANT_TYPE = JWT_BEARER
PARAMETERS = frozenset({"assertion", "scope", "resource"})
# An access token, an id token or a logout token of an issuer's is no assertion, whoever it is for.
TYPES = ("jwt", "authorization-grant+jwt")
MAX_SUBJECT = 254
UNFIT = "issuer's assertion"
REFUSAL = "The assertion is not good here: its issuer, signature, audience, times or `jti`, or there is no such user."


def redeem(svc: Services, client: Client, request: TokenRequest) -> TokenSet:
    """RFC 7523 section 2.1: an access token that says nothing of a login, and no refresh token (RFC 7521 section 4.1)."""
    if "assertion" not in request.params:
        raise InvalidRequest("`assertion` is missing.")
    claims, issuer = _verify(svc, client, request.params["assertion"], request.network)
    # Somebody's word is no login, however strong the one was that they go by.
    may_have = policy.granted_at(client.scopes, amr=(), aal2_scopes=svc.settings.aal2_scopes)
    allowed = tuple(scope for scope in may_have if scope != scopes.OFFLINE_ACCESS)
    scope = scopes.narrow(request.params.get("scope"), allowed=allowed)
    if not scope:
        raise InvalidScope("The client has no scope that an assertion can be exchanged for: see its `scopes`.")
    resource = resources.requested_resource(svc, client, request.params.get("resource", ""))
    user = _user(svc, client, claims.get("sub"), by_email=issuer.get("email", False))
    lifetime = lifetimes.access_seconds(svc, client)
    session = replace(
        begin.draft_without_login(svc, user, client, scope=scope),
        resource=resource,
        expires_at=svc.now() + lifetime,
        ends_at=svc.now() + lifetime,
    )
    about = issue.session_claims(svc, user, session, client)
    token_set = issue.issue_access_token(
        svc, client, about, scope=scope, lifetime=lifetime, jkt=request.proof.jkt, user=user
    )
    dpop.spend_proof(svc, request.proof)
    # No client is called "": what it signs itself, and what one of its issuers does, are never taken for each other.
    spent = assertions.consumption(svc, claims, signer=f"\0{claims['iss']}")
    events = [begin.beginning(svc, session, by="assertion")]
    failed = audit.commit(svc, user.uid, events, spent, svc.sessions.creation(session))
    if failed is spent:
        raise InvalidGrant("The assertion has been used.", reason=f"{UNFIT}: replayed", uid=user.uid)
    if failed is not None:
        raise TemporarilyUnavailable(reason="account changed meanwhile", uid=user.uid)
    return token_set


def _verify(svc: Services, client: Client, assertion: str, network: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The claims of an assertion for this server, with what is registered of its issuer; raises InvalidGrant."""
    issuer = _trusted_issuer(svc, client, assertion)
    try:
        claims = assertions.verify(
            svc,
            assertion,
            jwks=issuer.get("jwks", {}),
            jwks_uri=issuer.get("jwks_uri", ""),
            audiences={svc.settings.issuer, f"{svc.settings.issuer}/oauth/token"},
            network=network,
            algorithms=client.algorithms,
        )
    except assertions.UnfitAssertionError as unfit:
        raise InvalidGrant(REFUSAL, reason=f"{UNFIT}: {unfit}") from None
    return claims, issuer


def _trusted_issuer(svc: Services, client: Client, assertion: str) -> Mapping[str, Any]:
    """What is registered of the issuer that an unverified assertion names: of nobody else, so nothing is fetched for others."""
    try:
        name, header = jws.unverified_claims(assertion).get("iss"), jws.unverified_header(assertion)
    except ValueError:
        raise InvalidGrant(REFUSAL, reason=f"{UNFIT}: malformed") from None
    issuer: Mapping[str, Any] = client.assertion_issuers.get(name, {}) if isinstance(name, str) else {}
    kind = str(header.get("typ", "JWT")).lower().removeprefix("application/")  # RFC 7515 section 4.1.9
    # Neither our own tokens nor the proof of a client are somebody's word for a user.
    if not issuer or name in (svc.settings.issuer, client.client_id) or kind not in TYPES:
        raise InvalidGrant(REFUSAL, reason=f"{UNFIT}: another issuer or type")
    return issuer


def _user(svc: Services, client: Client, subject: object, *, by_email: bool) -> User:
    """The user in force whom a subject means; raises InvalidGrant."""
    user = None
    if isinstance(subject, str) and 0 < len(subject) <= MAX_SUBJECT:
        user = _by_email(svc, subject) if by_email else _by_identifier(svc, client, subject)
    if user is None or user.disabled or user.delete_after:  # which its owner alone takes back, by a login
        raise InvalidGrant(REFUSAL, reason=f"{UNFIT}: about nobody in force", uid=user.uid if user else "")
    return user


def _by_identifier(svc: Services, client: Client, subject: str) -> User | None:
    try:
        return svc.users.read(subjects.identifier(svc, client, subject))
    except ValueError:
        return None


def _by_email(svc: Services, address: str) -> User | None:
    uid = svc.users.find(canonical(address))
    user = svc.users.read(uid) if uid else None
    # Whoever signed up with an address that is not theirs gets nothing by its owner's name.
    return user if user and user.email_verified else None
