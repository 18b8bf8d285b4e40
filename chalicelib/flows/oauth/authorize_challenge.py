"""The native-app door (draft-ietf-oauth-first-party-apps): an app of ours asks for the password itself and gets a code."""

from collections.abc import Mapping
from typing import Any

from ...domain.errors import (
    InsufficientAuthorization,
    InvalidCredentials,
    InvalidRequest,
    InvalidSession,
    UnauthorizedClient,
)
from ...domain.oauth import authorization_request as oauth
from ...domain.oauth.authorization_request import AuthorizationRequest
from ...domain.oauth.client import CODE, Client
from ...services import Services
from ..authentication import login
from ..platform import sealing, subjects
from . import codes

REQUEST = frozenset(
    {"response_type", "scope", "code_challenge", "code_challenge_method", "nonce", "claims", "resource", "dpop_jkt"}
)
PARAMETERS = REQUEST | {"email", "password", "auth_session"}
AUTH_SESSION = b"latchkey auth session\x00"
AUTH_SESSION_SECONDS = 600


def challenge(svc: Services, client: Client, params: Mapping[str, str], *, jkt: str, network: str) -> str:
    """A code for the right password; raises InsufficientAuthorization with what the app has to come back with.

    `jkt` is the thumbprint of a proved DPoP key, "" without one; the code is bound to it.
    """
    if not client.first_party or CODE not in client.grant_types:
        raise UnauthorizedClient("This endpoint is for first-party apps.")
    if client.require_pushed_authorization_requests:
        raise InvalidRequest("This client has to push its requests (RFC 9126), which cannot be done here.")
    asked, bound = _asked(svc, client, params, jkt)
    request = _checked(client, {**asked, "dpop_jkt": bound})
    try:
        if not params.get("email") or not params.get("password"):
            raise InsufficientAuthorization(auth_session=_sealed(svc, client, asked, bound))
        user, spent = login.authenticate(svc, address=params["email"], password=params["password"], network=network)
    except InvalidCredentials as wrong:
        again = _sealed(svc, client, asked, bound)
        raise InsufficientAuthorization(
            wrong.description, reason=wrong.reason, uid=wrong.uid, auth_session=again
        ) from None
    if request.subject not in ("", subjects.subject_for(svc, client, user.uid)):
        again = _sealed(svc, client, asked, bound)
        raise InsufficientAuthorization("The app asks for another user.", uid=user.uid, auth_session=again)
    return codes.issue(svc, client, user, request, amr=login.PASSWORD, spent=spent)


def _asked(svc: Services, client: Client, params: Mapping[str, str], jkt: str) -> tuple[dict[str, str], str]:
    """The request, from its auth_session too, and the key that it is bound to; both stay what they were at the beginning."""
    own = svc.settings.audience
    now_asked = {
        name: value
        for name, value in oauth.with_registered_resource(params, client, own=own).items()
        if name in REQUEST
    }
    named = now_asked.pop("dpop_jkt", jkt)
    if jkt and named != jkt:
        raise InvalidRequest("`dpop_jkt` is not the key of the DPoP proof.")
    if "auth_session" not in params:
        return now_asked, named
    before = sealing.unseal(svc, params["auth_session"], purpose=AUTH_SESSION)
    if before is None or not client.is_same(before["client_id"], before.get("client_since")):
        raise InvalidSession()
    asked = dict(oauth.with_registered_resource(before["asked"], client, own=own))
    if before["jkt"] not in ("", jkt) or any(asked.get(n) != value for n, value in now_asked.items()):
        raise InvalidSession("`auth_session` belongs to another request or another key.")
    return asked, before["jkt"] or named


def _sealed(svc: Services, client: Client, asked: Mapping[str, str], jkt: str) -> str:
    told = {"client_id": client.client_id, "client_since": client.created_at, "asked": asked, "jkt": jkt}
    return sealing.seal(svc, told, purpose=AUTH_SESSION, seconds=AUTH_SESSION_SECONDS)


def _checked(client: Client, asked: Mapping[str, str]) -> AuthorizationRequest:
    found: dict[str, Any] = {}
    for check in oauth.FIRST_PARTY_CHECKS:
        found |= check(asked, client)
    return AuthorizationRequest(**found, nonce=asked.get("nonce", ""))
