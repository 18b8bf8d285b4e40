"""The authorization challenge endpoint (draft-ietf-oauth-first-party-apps): first-party apps ask for the password."""

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

REQUEST_PARAMETERS = frozenset(
    {"response_type", "scope", "code_challenge", "code_challenge_method", "nonce", "claims", "resource", "dpop_jkt"}
)
PARAMETERS = REQUEST_PARAMETERS | {"email", "password", "auth_session"}
AUTH_SESSION = b"latchkey auth session\x00"
AUTH_SESSION_SECONDS = 600


def challenge(svc: Services, client: Client, params: Mapping[str, str], *, jkt: str, network: str) -> str:
    """A code for the right password; raises InsufficientAuthorization with what the app has to come back with.

    `jkt` is the thumbprint of the DPoP proof's key, "" without one; the code is bound to it.
    """
    if not client.first_party or CODE not in client.grant_types:
        raise UnauthorizedClient("This endpoint is for first-party apps.")
    if client.require_pushed_authorization_requests:
        raise InvalidRequest("This client has to push its requests (RFC 9126), which cannot be done here.")
    request_params, bound_jkt = _request_params(svc, client, params, jkt)
    request = _check_request(client, {**request_params, "dpop_jkt": bound_jkt})
    try:
        if not params.get("email") or not params.get("password"):
            raise InsufficientAuthorization(auth_session=_auth_session(svc, client, request_params, bound_jkt))
        authenticated = login.authenticate(svc, address=params["email"], password=params["password"], network=network)
    except InvalidCredentials as error:
        auth_session = _auth_session(svc, client, request_params, bound_jkt)
        raise InsufficientAuthorization(
            error.description, reason=error.reason, uid=error.uid, auth_session=auth_session
        ) from None
    uid = authenticated.user.uid
    if request.subject not in ("", subjects.subject_for(svc, client, uid)):
        auth_session = _auth_session(svc, client, request_params, bound_jkt)
        raise InsufficientAuthorization("The app asks for another user.", uid=uid, auth_session=auth_session)
    return codes.issue(svc, client, authenticated, request)


def _request_params(svc: Services, client: Client, params: Mapping[str, str], jkt: str) -> tuple[dict[str, str], str]:
    """The request, from its auth_session too, and the key that it is bound to; neither may change after the first call."""
    own_audience = svc.settings.audience
    new_params = {
        name: value
        for name, value in oauth.with_registered_resource(params, client, own=own_audience).items()
        if name in REQUEST_PARAMETERS
    }
    requested_jkt = new_params.pop("dpop_jkt", jkt)
    if jkt and requested_jkt != jkt:
        raise InvalidRequest("`dpop_jkt` is not the key of the DPoP proof.")
    if "auth_session" not in params:
        return new_params, requested_jkt
    stored = sealing.unseal_fields(svc, params["auth_session"], purpose=AUTH_SESSION)
    if stored is None or not client.is_same(stored["client_id"], stored.get("client_since")):
        raise InvalidSession()
    request_params = dict(oauth.with_registered_resource(stored["asked"], client, own=own_audience))
    if stored["jkt"] not in ("", jkt) or any(request_params.get(n) != value for n, value in new_params.items()):
        raise InvalidSession("`auth_session` belongs to another request or another key.")
    return request_params, stored["jkt"] or requested_jkt


def _auth_session(svc: Services, client: Client, request_params: Mapping[str, str], jkt: str) -> str:
    content = {"client_id": client.client_id, "client_since": client.created_at, "asked": request_params, "jkt": jkt}
    return sealing.seal_fields(svc, content, purpose=AUTH_SESSION, seconds=AUTH_SESSION_SECONDS)


def _check_request(client: Client, request_params: Mapping[str, str]) -> AuthorizationRequest:
    fields: dict[str, Any] = {}
    for check in oauth.FIRST_PARTY_CHECKS:
        fields |= check(request_params, client)
    return AuthorizationRequest(**fields, nonce=request_params.get("nonce", ""))
