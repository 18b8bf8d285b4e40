"""What no client says of itself: each member that is its operator's or is kept here, with what somebody would try."""

from typing import Any

NOT_ITS_OWN: dict[str, Any] = {
    "first_party": True,
    "introspects": True,
    "access_token_roles": True,
    "attributes": ["level"],
    "require_second_factor": True,
    "exchanges": ["impersonation"],
    "assertion_issuers": {"https://evil.example": {"jwks_uri": "https://evil.example/keys"}},
    "security_profile": "fapi2",
    "require_pkce": False,
    "require_nonce": False,
    "resources": ["https://notes.example"],
    "sector_identifier": "victim.example",
    "access_seconds": 999999,
    "id_token_seconds": 999999,
    "refresh_idle_seconds": 999999999,
    "refresh_absolute_seconds": 999999999,
    "operator_set": ["redirect_uris"],
    "client_id": "latchkey",
    "secrets": ["00"],
    "registered_without_scope": False,
    "default_scopes": ["account"],
    "registration_token": "00",
    "created_at": 1,
    "expires_at": 4_000_000_000,
    "version": 7,
}
