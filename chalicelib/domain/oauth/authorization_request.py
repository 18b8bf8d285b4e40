"""The authorization request, as a list of named checks (RFC 6749, OAuth 2.1, OpenID Connect Core 3.1.2)."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from ..authentication.levels import AAL1
from ..crypto import strict_json
from ..errors import (
    InvalidRequest,
    InvalidTarget,
    RequestNotSupported,
    RequestUriNotSupported,
    UnmetAuthentication,
    UnsupportedResponseType,
)
from . import pkce, scopes
from .claims import OF_SCOPE, of_scopes
from .client import CODE, Client
from .client_rights import NO_RESOURCE, check_grant_type
from .parameters import Parameters

PROMPTS = ("none", "login", "consent", "select_account", "create")
RESPONSE_MODES = ("query", "form_post")
THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")  # base64url of a SHA-256
ODD_ACR = "`claims` asks for an `acr` that is not as OpenID Connect Core 5.5.1 has it."


class AuthorizationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks of its user, checked. What has to do with a browser is left out where there is none."""

    scope: tuple[str, ...]
    nonce: str
    challenge: str
    claims: Mapping[str, Any]
    subject: str
    resource: str
    dpop_jkt: str
    redirect_uri: str = ""
    prompt: frozenset[str] = frozenset()
    max_age: int | None = None
    login_hint: str = ""
    id_token_hint: str = ""
    acr_values: tuple[str, ...] = ()
    acr_essential: bool = False

    @property
    def consent(self) -> tuple[str, ...]:
        """The scopes that the user has to agree to: a single claim needs the same consent as the scope that it is of."""
        requested = {name for names in self.claims.values() for name in names}
        return tuple(
            dict.fromkeys((*self.scope, *(each for each, names in OF_SCOPE.items() if requested & set(names))))
        )


def response_type(params: Parameters, _: Client) -> dict[str, Any]:
    """OAuth 2.1 section 4.1.1: code, and nothing else."""
    if "response_type" not in params:
        raise InvalidRequest("`response_type` is missing.")
    if params["response_type"] != "code":
        raise UnsupportedResponseType()
    return {}


def response_mode(params: Parameters, _: Client) -> dict[str, Any]:
    """OAuth 2.0 Multiple Response Types section 2.1, Form Post Response Mode section 2."""
    mode = params.get("response_mode", "query")
    if mode not in RESPONSE_MODES:
        raise InvalidRequest("`response_mode` is query or form_post.")
    return {}


def no_request_object(params: Parameters, _: Client) -> dict[str, Any]:
    """Neither an object inside another (RFC 9101 section 4) nor one by reference; what may be unpacked has been before."""
    if "request" in params:
        raise RequestNotSupported()
    if "request_uri" in params:
        raise RequestUriNotSupported()
    return {}


def grant_type(_: Parameters, client: Client) -> dict[str, Any]:
    """RFC 6749 section 4.1.2.1: the client must be registered for codes."""
    check_grant_type(client, CODE)
    return {}


def scope(params: Parameters, client: Client) -> dict[str, Any]:
    """RFC 6749 section 3.3: of the client's own scopes, its default if it names none; offline_access as Core 11 has it."""
    return {"scope": scopes.narrow_leniently(params.get("scope"), allowed=client.scopes, default=client.default_scope)}


def prompt(params: Parameters, _: Client) -> dict[str, Any]:
    """OpenID Connect Core 3.1.2.1: none stands alone; create is Initiating User Registration via OpenID Connect 1.0."""
    prompts = frozenset(params.get("prompt", "").split())
    if not prompts <= set(PROMPTS) or ("none" in prompts and len(prompts) > 1):
        raise InvalidRequest("`prompt` is none alone, or any of login, consent, select_account and create.")
    return {"prompt": prompts}


def max_age(params: Parameters, _: Client) -> dict[str, Any]:
    """OpenID Connect Core 3.1.2.1: seconds."""
    text = params.get("max_age")
    if text is not None and not re.fullmatch(r"[0-9]{1,9}", text):
        raise InvalidRequest("`max_age` is a number of seconds.")
    return {"max_age": None if text is None else int(text)}


def claims(params: Parameters, client: Client) -> dict[str, Any]:
    """OpenID Connect Core 5.5: a JSON object with id_token and userinfo; what no scope of the client opens is left out."""
    try:
        document = strict_json.decode(params.get("claims", "{}"))
    except ValueError:
        document = None
    requests = (
        {part: document.get(part) or {} for part in ("id_token", "userinfo")} if isinstance(document, dict) else {}
    )
    if not requests or not all(isinstance(part, dict) for part in requests.values()):
        raise InvalidRequest("`claims` is not as OpenID Connect Core 5.5 has it.")
    permitted = of_scopes(client.scopes)
    claims_by_part = {part: sorted(permitted & set(names)) for part, names in requests.items()}
    return {
        "claims": {part: names for part, names in claims_by_part.items() if names},
        "subject": _subject(requests["id_token"]),
    }


def _subject(id_token_claims: Mapping[str, Any]) -> str:
    """The one user that a client wants an answer about (OpenID Connect Core 5.5.1), "" for any."""
    sub = id_token_claims.get("sub")
    if not isinstance(sub, dict) or "value" not in sub:
        return ""
    if not isinstance(sub["value"], str) or not sub["value"]:
        raise InvalidRequest("`claims` asks for a `sub` that is not a text.")
    return sub["value"]


def acr(params: Parameters, _: Client) -> dict[str, Any]:
    """OpenID Connect Core 5.5.1.1: acr_values are wishes, an essential acr claim is not; `claims` is known to be an object."""
    request = (strict_json.decode(params.get("claims", "{}")).get("id_token") or {}).get("acr")
    wishes = tuple(params.get("acr_values", "").split())
    if request is None:
        return {"acr_values": wishes}
    if not isinstance(request, dict):
        raise InvalidRequest(ODD_ACR)
    essential, named = request.get("essential", False), bool({"value", "values"} & set(request))
    values = request.get("values", [request["value"]] if "value" in request else [])
    if not isinstance(essential, bool) or not isinstance(values, list):
        raise InvalidRequest(ODD_ACR)
    if not all(isinstance(value, str) for value in values):
        raise InvalidRequest(ODD_ACR)
    if essential and named:
        return {"acr_values": tuple(values), "acr_essential": True}
    return {"acr_values": (*values, *wishes)}


def check_level(request: "AuthorizationRequest", levels: Collection[str]) -> None:
    """Raises UnmetAuthentication for a level that has to be reached and that nobody can reach here."""
    if request.acr_essential and not set(request.acr_values) & set(levels):
        raise UnmetAuthentication()


def resource(params: Parameters, client: Client) -> dict[str, Any]:
    """RFC 8707 section 2: one absolute URI, of an API that this client may have tokens for."""
    target = params.get("resource", "")
    if target and target not in client.resources:
        raise InvalidTarget(NO_RESOURCE)
    return {"resource": target}


def dpop_key(params: Parameters, _: Client) -> dict[str, Any]:
    """RFC 9449 section 10: the thumbprint of the key that the code will be bound to."""
    thumbprint = params.get("dpop_jkt", "")
    if thumbprint and not THUMBPRINT.fullmatch(thumbprint):
        raise InvalidRequest("`dpop_jkt` is a JWK thumbprint.")
    return {"dpop_jkt": thumbprint}


CHECKS: Sequence[Callable[[Parameters, Client], dict[str, Any]]] = (
    no_request_object,
    response_type,
    response_mode,
    grant_type,
    pkce.required_unless_waived,
    scope,
    prompt,
    max_age,
    claims,
    acr,
    resource,
    dpop_key,
)


# A first-party app's own login form (draft-ietf-oauth-first-party-apps) has no browser, and so nowhere to redirect to.
FIRST_PARTY_CHECKS = (response_type, pkce.required, scope, claims, acr, resource, dpop_key)


def validate(params: Parameters, client: Client, *, levels: Collection[str] = (AAL1,)) -> AuthorizationRequest:
    """The request, if every check lets it through; raises the OAuth error of the first that does not.

    `levels` are those that a login can have here.
    """
    fields: dict[str, Any] = {}
    for check in CHECKS:
        fields |= check(params, client)
    for name in ("redirect_uri", "nonce", "login_hint", "id_token_hint"):
        fields[name] = params.get(name, "")
    request = AuthorizationRequest(**fields)
    check_level(request, levels)
    return request
