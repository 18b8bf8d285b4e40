"""The authorization request, as a list of named checks (RFC 6749, OAuth 2.1, OpenID Connect Core 3.1.2)."""

import hashlib
import hmac
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..authentication.levels import AAL1
from ..crypto import base64url, strict_json
from ..errors import (
    InvalidRequest,
    InvalidTarget,
    RequestNotSupported,
    RequestUriNotSupported,
    UnmetAuthentication,
    UnsupportedResponseType,
)
from . import scopes, uris
from .claims import OF_SCOPE, of_scopes
from .client import CODE, Client
from .client_rights import NO_RESOURCE, check_grant_type

Parameters = Mapping[str, str]

PROMPTS = ("none", "login", "consent", "select_account")
RESPONSE_MODES = ("query", "form_post")
ODD_ACR = "`claims` asks for an `acr` that is not as OpenID Connect Core 5.5.1 has it."
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # base64url of a SHA-256
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636 section 4.1
# Characters of all values together. A state or a nonce may take what the others leave; the request travels in addresses.
MAX_REQUEST = 8192
MAX_FORM = 32 * 1024  # where two tokens may be sent
# What an authorization request may say; anything else is ignored, as RFC 6749 section 3.1 asks.
KNOWN = frozenset(
    {
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "response_mode",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "prompt",
        "max_age",
        "login_hint",
        "acr_values",
        "claims",
        "claims_locales",
        "ui_locales",
        "id_token_hint",
        "resource",
        "dpop_jkt",
        "request",
        "request_uri",
        "display",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """What a client asks of its user, checked. What has to do with a browser is left out at the native-app door."""

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


def collect_parameters(
    pairs: Iterable[tuple[str, str]], *, known: frozenset[str] = KNOWN, most: int = MAX_REQUEST
) -> tuple[dict[str, str], dict[str, str]]:
    """The known parameters, and why others that are known cannot be used: sent twice, or not as a value can be.

    A request that is longer than `most` is a fault of none of them, so that `state` can go back.
    """
    params: dict[str, str] = {}
    faults: dict[str, str] = {}
    for name, value in pairs:
        if name not in known or not value:
            continue  # RFC 6749 section 3.1: a parameter without a value is as good as left out
        if name in params:
            faults[name] = f"`{name}` is sent more than once."
        elif "\x00" in value or "\ufffd" in value:
            faults[name] = f"`{name}` has characters that it cannot have."
        params[name] = value
    if sum(map(len, params.values())) > most:
        faults[""] = "The request is too long."
    return {name: value for name, value in params.items() if name not in faults}, faults


def parse_parameters(
    pairs: Iterable[tuple[str, str]], *, known: frozenset[str], most: int = MAX_FORM
) -> dict[str, str]:
    """The known parameters; raises InvalidRequest, or InvalidTarget, if one of them cannot be used."""
    params, faults = collect_parameters(pairs, known=known, most=most)
    check_faults(faults)
    return params


def with_registered_resource(params: Parameters, client: Client, *, own: str) -> Parameters:
    """The request with its API named as it is registered, and without the name of this server's own, which is the usual one."""
    resource = uris.registered_spelling(params.get("resource", own), (own, *client.resources))
    rest = {name: value for name, value in params.items() if name != "resource"}
    return rest if resource == own else {**rest, "resource": resource}


def with_redirect_uri(params: dict[str, str], client: Client) -> dict[str, str]:
    """The request with the one redirect URI there is, if it names none; an OpenID request has to (OAuth 2.1 section 4.1.1)."""
    if "redirect_uri" in params:
        return params
    if len(client.redirect_uris) != 1 or "openid" in params.get("scope", "").split(" "):
        raise InvalidRequest(
            "`redirect_uri` is missing: it can be left out where one is registered and `openid` is not asked for."
        )
    return {**params, "redirect_uri": client.redirect_uris[0]}


def check_faults(faults: Mapping[str, str]) -> None:
    """Raises the first of the faults; one token is for one resource, and RFC 8707 section 2 has a code of its own for that."""
    for name, fault in faults.items():
        raise InvalidTarget(fault) if name == "resource" else InvalidRequest(fault)


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
    """RFC 9101 is not supported; a pushed request (RFC 9126) has been unpacked before."""
    if "request" in params:
        raise RequestNotSupported()
    if "request_uri" in params:
        raise RequestUriNotSupported()
    return {}


def grant_type(_: Parameters, client: Client) -> dict[str, Any]:
    """RFC 6749 section 4.1.2.1: the client must be registered for codes."""
    check_grant_type(client, CODE)
    return {}


def pkce(params: Parameters, client: Client) -> dict[str, Any]:
    """RFC 7636, S256 only, for every client (RFC 9700 section 2.1.1)."""
    challenge = params.get("code_challenge", "")
    if params.get("code_challenge_method") != "S256" or not CHALLENGE.fullmatch(challenge):
        waivable = not client.public and not client.first_party
        way_out = ", or this server's operator sets require_pkce=no for this client" if waivable else ""
        raise InvalidRequest(
            "`code_challenge` with code_challenge_method=S256 is needed (RFC 7636): "
            f"turn PKCE on in the application{way_out}."
        )
    return {"challenge": challenge}


def pkce_unless_waived(params: Parameters, client: Client) -> dict[str, Any]:
    """As `pkce`, but that a client may be excused from a challenge; then a nonce has to bind the code (RFC 9700 4.5.3)."""
    if client.require_pkce or {"code_challenge", "code_challenge_method"} & set(params):
        return pkce(params, client)
    if client.require_nonce and "nonce" not in params:
        raise InvalidRequest(
            "`nonce` or `code_challenge` is needed: without both nothing binds the code to who asked for it. "
            "Have the application send a nonce, or this server's operator set require_nonce=no for this client."
        )
    return {"challenge": ""}


def scope(params: Parameters, client: Client) -> dict[str, Any]:
    """RFC 6749 section 3.3: of the client's own scopes, all of them if it names none; offline_access as Core 11 has it."""
    return {"scope": scopes.narrow_leniently(params.get("scope"), allowed=client.scopes)}


def prompt(params: Parameters, _: Client) -> dict[str, Any]:
    """OpenID Connect Core 3.1.2.1: none stands alone."""
    prompts = frozenset(params.get("prompt", "").split())
    if not prompts <= set(PROMPTS) or ("none" in prompts and len(prompts) > 1):
        raise InvalidRequest("`prompt` is none alone, or any of login, consent and select_account.")
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
    if thumbprint and not CHALLENGE.fullmatch(thumbprint):
        raise InvalidRequest("`dpop_jkt` is a JWK thumbprint.")
    return {"dpop_jkt": thumbprint}


CHECKS: Sequence[Callable[[Parameters, Client], dict[str, Any]]] = (
    no_request_object,
    response_type,
    response_mode,
    grant_type,
    pkce_unless_waived,
    scope,
    prompt,
    max_age,
    claims,
    acr,
    resource,
    dpop_key,
)


# A first-party app's own login form (draft-ietf-oauth-first-party-apps) has no browser, and so nowhere to redirect to.
FIRST_PARTY_CHECKS = (response_type, pkce, scope, claims, acr, resource, dpop_key)


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


def verify_code_verifier(verifier: str, challenge: str) -> bool:
    """Whether a PKCE verifier is the one behind a challenge (RFC 7636 section 4.6)."""
    if not VERIFIER.fullmatch(verifier):
        return False
    digest = base64url.encode(hashlib.sha256(verifier.encode()).digest())
    return hmac.compare_digest(digest, challenge)
