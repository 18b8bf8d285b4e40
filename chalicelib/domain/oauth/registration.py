"""What a client says of itself (RFC 7591 section 2, OpenID Connect Registration section 2) and how much of it counts."""

import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from ..errors import InvalidClientMetadata, InvalidScope
from . import scopes
from .client import CODE, DEVICE_CODE, REFRESH, Client

# The grants of a client that no operator has made: not those by which it acts for itself, or exchanges tokens.
GRANT_TYPES = (CODE, REFRESH, DEVICE_CODE)
# Characters that show nothing: fillers of Hangul, the empty Braille cell, and the joiners that Persian and emoji need.
BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\u200c\u200d")

Text = Annotated[str, Meta(max_length=2000)] | None
Texts = Annotated[list[Annotated[str, Meta(max_length=2000)]], Meta(max_length=20)] | None


class ClientMetadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a client registers of itself; null is as good as left out, and what is not here is ignored."""

    REFUSAL: ClassVar = InvalidClientMetadata

    client_id: Text = None
    client_secret: Text = None
    redirect_uris: Texts = None
    token_endpoint_auth_method: Text = None
    grant_types: Texts = None
    response_types: Texts = None
    client_name: Annotated[str, Meta(max_length=100)] | None = None
    client_uri: Text = None
    logo_uri: Text = None
    policy_uri: Text = None
    tos_uri: Text = None
    scope: Text = None
    jwks: dict[str, Any] | None = None
    jwks_uri: Text = None
    application_type: Text = None
    subject_type: Text = None
    post_logout_redirect_uris: Texts = None
    backchannel_logout_uri: Text = None
    backchannel_logout_session_required: bool | None = None
    require_pushed_authorization_requests: bool | None = None
    dpop_bound_access_tokens: bool | None = None


def fields(metadata: ClientMetadata, *, offered: tuple[str, ...], default_method: str) -> dict[str, Any]:
    """The part of a client that is its own to say, all of it; raises InvalidClientMetadata for what only an operator may set."""
    grant_types = tuple(metadata.grant_types or (CODE,))
    if not set(grant_types) <= set(GRANT_TYPES):
        raise InvalidClientMetadata(f"A client that registers itself has `grant_types` of {', '.join(GRANT_TYPES)}.")
    if metadata.response_types and metadata.response_types != ["code"]:
        raise InvalidClientMetadata("The only response type here is code.")
    if metadata.client_name and not can_be_read(metadata.client_name):
        raise InvalidClientMetadata("`client_name` has characters that nobody sees, or no others.")
    return {
        "token_endpoint_auth_method": metadata.token_endpoint_auth_method or default_method,
        "grant_types": grant_types,
        "redirect_uris": tuple(metadata.redirect_uris or ()),
        "post_logout_redirect_uris": tuple(metadata.post_logout_redirect_uris or ()),
        "scopes": _scopes(metadata.scope, offered),
        "application_type": metadata.application_type or _application_type(metadata.redirect_uris or ()),
        "subject_type": metadata.subject_type or "public",
        "jwks": metadata.jwks or {},
        **{name: getattr(metadata, name) or "" for name in TEXTS},
        **{name: bool(getattr(metadata, name)) for name in SWITCHES},
    }


def apply_metadata(old: Client, metadata: ClientMetadata, **fields: Any) -> Client:
    """A client with its own metadata replaced by these `fields` of its `metadata`; what is its operator's stays as it is.

    Raises InvalidClientMetadata where it says otherwise itself; leaving a member out says nothing.
    """
    for name in sorted(old.operator_members):
        member = "scope" if name == "scopes" else name
        if getattr(metadata, member) is not None and not _same(getattr(old, name), fields[name]):
            raise InvalidClientMetadata(
                f"`{member}` was set by an operator: leave it out, or repeat what is registered."
            )
    return replace(old, **{name: value for name, value in fields.items() if name not in old.operator_members})


def _same(one: Any, other: Any) -> bool:
    return set(one) == set(other) if isinstance(one, tuple) else bool(one == other)


TEXTS = ("client_name", "client_uri", "logo_uri", "policy_uri", "tos_uri", "jwks_uri", "backchannel_logout_uri")
SWITCHES = (
    "backchannel_logout_session_required",
    "require_pushed_authorization_requests",
    "dpop_bound_access_tokens",
)


def can_be_read(name: str) -> bool:
    """Whether a name is what people see of it: something, on one line, and nothing in it that hides or turns the rest."""
    kinds = [unicodedata.category(character) for character in name if character not in BLANK]
    return not {"Cc", "Cf", "Zl", "Zp"} & set(kinds) and any(kind[0] in "LNPS" for kind in kinds)


def _application_type(redirect_uris: Iterable[str]) -> str:
    # Plain OAuth clients do not know this member of OpenID's: what cannot be a web client's URI says it as well.
    return "web" if all(uri.startswith("https:") for uri in redirect_uris) else "native"


def _scopes(requested: str | None, offered: tuple[str, ...]) -> tuple[str, ...]:
    """RFC 7591 section 2: what is not offered is left out of what a client asks for."""
    if not requested:
        return offered
    try:
        granted = tuple(scope for scope in scopes.parse(requested) if scope in offered)
    except InvalidScope as malformed:
        raise InvalidClientMetadata(malformed.description) from None
    if not granted:
        raise InvalidClientMetadata(f"`scope` has none of what is offered here: {' '.join(offered)}.")
    return granted


def metadata_of(client: Client) -> dict[str, Any]:
    """A client's metadata as it is registered, in the words of RFC 7591; what it does not have is left out."""
    members = {
        "client_id": client.client_id,
        "scope": " ".join(client.scopes),
        "response_types": ["code"] if CODE in client.grant_types else [],
        **{name: list(getattr(client, name)) for name in ("redirect_uris", "grant_types", "post_logout_redirect_uris")},
        **{name: getattr(client, name) for name in ("token_endpoint_auth_method", "application_type", "subject_type")},
        **{name: getattr(client, name) for name in ("jwks", *TEXTS, *SWITCHES)},
    }
    return {name: value for name, value in members.items() if value or name in ("redirect_uris", "response_types")}
