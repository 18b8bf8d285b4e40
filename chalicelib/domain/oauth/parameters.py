"""The parameters of a request as they are sent: which are known, and which cannot be used (RFC 6749 section 3.1)."""

from collections.abc import Iterable, Mapping

from ..errors import InvalidRequest, InvalidTarget
from . import uris
from .client import Client

Parameters = Mapping[str, str]

# Characters of all values together. A state or a nonce may take what the others leave; the request travels in addresses.
MAX_REQUEST = 8192
MAX_FORM = 32 * 1024  # where two tokens may be sent
# What an authorization request may say; anything else is ignored, as RFC 6749 section 3.1 asks.
AUTHORIZATION_REQUEST = frozenset(
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


def collect(
    pairs: Iterable[tuple[str, str]], *, known: frozenset[str] = AUTHORIZATION_REQUEST, most: int = MAX_REQUEST
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


def parse(pairs: Iterable[tuple[str, str]], *, known: frozenset[str], most: int = MAX_FORM) -> dict[str, str]:
    """The known parameters; raises InvalidRequest, or InvalidTarget, if one of them cannot be used."""
    params, faults = collect(pairs, known=known, most=most)
    check_faults(faults)
    return params


def check_faults(faults: Mapping[str, str]) -> None:
    """Raises the first of the faults; one token is for one resource, and RFC 8707 section 2 has a code of its own for that."""
    for name, fault in faults.items():
        raise InvalidTarget(fault) if name == "resource" else InvalidRequest(fault)


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
