"""The server's metadata: RFC 8414, OpenID Connect Discovery 1.0, and the specifications that add to them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from ...config import Settings
from ...domain.crypto import jws
from ...domain.oauth import authorization_request as oauth
from ...domain.oauth import claims, client, dpop
from ...flows.authentication import policy
from ...flows.clients import authenticate as clients
from ...flows.oauth.grants import GRANTS

# Where each endpoint is announced.
ENDPOINTS: Mapping[str, str] = {
    "authorization_endpoint": "/oauth/authorize",
    "token_endpoint": "/oauth/token",
    "userinfo_endpoint": "/oauth/userinfo",
    "jwks_uri": "/.well-known/jwks.json",
    "registration_endpoint": "/oauth/register",
    "revocation_endpoint": "/oauth/revoke",
    "introspection_endpoint": "/oauth/introspect",
    "pushed_authorization_request_endpoint": "/oauth/par",
    "device_authorization_endpoint": "/oauth/device",
    "end_session_endpoint": "/oauth/logout",
    "authorization_challenge_endpoint": "/oauth/authorize-challenge",
    "service_documentation": "/docs",
}
# The claims of an id_token beside those about its user.
TOKEN_CLAIMS = ("sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash")


class Metadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Server metadata, as far as it is true of this server."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str
    jwks_uri: str
    registration_endpoint: str = ""
    revocation_endpoint: str
    introspection_endpoint: str
    pushed_authorization_request_endpoint: str
    device_authorization_endpoint: str
    end_session_endpoint: str
    authorization_challenge_endpoint: str
    service_documentation: str
    scopes_supported: list[str]
    response_types_supported: list[str]
    response_modes_supported: list[str]
    grant_types_supported: list[str]
    code_challenge_methods_supported: list[str]
    prompt_values_supported: list[str]
    acr_values_supported: list[str]
    display_values_supported: list[str]
    ui_locales_supported: list[str]
    subject_types_supported: list[str]
    claim_types_supported: list[str]
    claims_supported: list[str]
    id_token_signing_alg_values_supported: list[str]
    userinfo_signing_alg_values_supported: list[str]
    introspection_signing_alg_values_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    token_endpoint_auth_signing_alg_values_supported: list[str]
    revocation_endpoint_auth_methods_supported: list[str]
    revocation_endpoint_auth_signing_alg_values_supported: list[str]
    introspection_endpoint_auth_methods_supported: list[str]
    introspection_endpoint_auth_signing_alg_values_supported: list[str]
    dpop_signing_alg_values_supported: list[str]
    request_object_signing_alg_values_supported: list[str]
    # Sent also where they are false: the default of some of these is true.
    claims_parameter_supported: bool
    request_parameter_supported: bool
    request_uri_parameter_supported: bool
    require_signed_request_object: bool
    require_pushed_authorization_requests: bool
    authorization_response_iss_parameter_supported: bool
    backchannel_logout_supported: bool
    backchannel_logout_session_supported: bool
    client_id_metadata_document_supported: bool


def server_metadata(settings: Settings, *, algorithms: tuple[str, ...]) -> Metadata:
    """The metadata of a server whose published keys have these algorithms."""
    endpoints = {name: settings.issuer + path for name, path in ENDPOINTS.items()}
    if not settings.registration:
        del endpoints["registration_endpoint"]
    return Metadata(
        **{"issuer": settings.issuer, **endpoints, **_request_metadata(settings), **_client_metadata(algorithms)}
    )


def _request_metadata(settings: Settings) -> dict[str, Any]:
    scopes = (*claims.OPENID_SCOPES, *settings.scopes, *settings.self_registered_scopes)
    return {
        "scopes_supported": list(dict.fromkeys(scopes)),
        "response_types_supported": ["code"],
        "response_modes_supported": list(oauth.RESPONSE_MODES),
        "grant_types_supported": list(GRANTS),
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": [each for each in oauth.PROMPTS if each != "create" or settings.sign_up_open],
        "acr_values_supported": list(policy.supported_levels()),
        "display_values_supported": ["page"],
        "ui_locales_supported": list(settings.languages),
        "subject_types_supported": list(client.SUBJECT_TYPES),
        "claim_types_supported": ["normal"],
        "claims_supported": [*TOKEN_CLAIMS, *claims.OF_USER],
        "claims_parameter_supported": True,
        "request_parameter_supported": True,
        "request_object_signing_alg_values_supported": list(jws.ALGORITHMS),
        "require_signed_request_object": False,
        "request_uri_parameter_supported": False,
        "require_pushed_authorization_requests": False,
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "client_id_metadata_document_supported": settings.client_documents,
    }


def _client_metadata(algorithms: tuple[str, ...]) -> dict[str, Any]:
    methods = list(client.AUTH_METHODS)
    # A resource server has to authenticate to introspect tokens.
    confidential_methods = [method for method in methods if method != "none"]
    algorithms_of_assertions = list(clients.ASSERTION_ALGORITHMS)
    return {
        "id_token_signing_alg_values_supported": list(algorithms),
        "userinfo_signing_alg_values_supported": list(algorithms),
        "introspection_signing_alg_values_supported": list(algorithms),
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms_of_assertions,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms_of_assertions,
        "introspection_endpoint_auth_methods_supported": confidential_methods,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms_of_assertions,
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
    }
