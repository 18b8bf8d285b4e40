"""How callers show who they are, as the OpenAPI document has it: the schemes there are, and which an operation takes."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...guard.scope_map import ACCOUNT
from ..http.routing import INITIAL, REGISTRATION, Operation
from .server import ENDPOINTS

CLIENT = "client"
CODE_FLOW = "authorizationCode"
SCOPES = {ACCOUNT: "The user's own account.", "openid": "Who the user is."}
# Beside those that are made of what the operations need.
SCHEMES: Mapping[str, Mapping[str, str]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "at+jwt (RFC 9068)",
        "description": "An access token that is there already.",
    },
    CLIENT: {
        "type": "http",
        "scheme": "basic",
        "description": "A client's id and secret (RFC 6749 section 2.3.1). Others send what they have among the fields.",
    },
    REGISTRATION: {
        "type": "http",
        "scheme": "bearer",
        "description": "The `registration_access_token` that a client got when it registered (RFC 7592).",
    },
    INITIAL: {
        "type": "http",
        "scheme": "bearer",
        "description": "An initial access token (RFC 7591 section 3), where not everybody may register a client.",
    },
}
CALLERS: Mapping[str, str] = {
    CLIENT: "For a client, with its credentials in the header or among the fields.",
    REGISTRATION: "For the client itself, with its registration access token.",
    INITIAL: "Needs an initial access token, unless everybody may register a client.",
}


def schemes(issuer: str, operations: Sequence[Operation]) -> dict[str, Any]:
    """The schemes that some operation takes: the token of a user, that of a client that acts for itself, and the others."""
    scopes = {scope for each in operations for scope in (each.scope, each.verified_scope) if scope}
    login = {
        "authorizationUrl": issuer + ENDPOINTS["authorization_endpoint"],
        "tokenUrl": issuer + ENDPOINTS["token_endpoint"],
        "scopes": {scope: SCOPES.get(scope, "") for scope in sorted(scopes)},
    }
    described: dict[str, Any] = {
        "login": {"type": "oauth2", "description": "Logs a user in, by code and PKCE.", "flows": {CODE_FLOW: login}},
        **SCHEMES,
    }
    of_machines = {each.scope: "" for each in operations if each.scope and each.machines}
    if of_machines:
        flow = {"tokenUrl": issuer + ENDPOINTS["token_endpoint"], "scopes": of_machines}
        described["machine"] = {"type": "oauth2", "flows": {"clientCredentials": flow}}
    return described


def requirements(operation: Operation) -> list[dict[str, list[str]]]:
    """What has to be sent with a request, one of these; an empty one is nothing at all. No list is no credentials."""
    if operation.scope:
        names = ("login", "bearer", "machine") if operation.machines else ("login", "bearer")
        return [{name: [operation.scope]} for name in names]
    if operation.verified_scope:
        return [{name: [operation.verified_scope]} for name in ("login", "bearer")]
    name = _credentials(operation)
    # A client without a secret has nothing for the header, and where everybody may register nobody has a token.
    optional: list[dict[str, list[str]]] = [{}] if name in (CLIENT, INITIAL) else []
    return [{name: []}, *optional] if name else []


def _credentials(operation: Operation) -> str:
    return CLIENT if "client_assertion" in operation.takes else operation.credentials


def callers(operation: Operation) -> str:
    """Who may call an operation, as a sentence."""
    if operation.scope:
        of_machine = " or of a client that acts for itself" if operation.machines else ""
        return f"Needs the scope `{operation.scope}`, of a user{of_machine}."
    if operation.verified_scope:
        return f"Needs an access token with the scope `{operation.verified_scope}`."
    if name := _credentials(operation):
        return CALLERS[name]
    if operation.logged_in:
        return "For who is logged in in the browser; anybody else logs in first."
    return "Needs no access token."
