"""What a client says of itself (RFC 7591 section 2, OpenID Connect Registration section 2) and how much of it counts."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from ..errors import InvalidClientMetadata, InvalidScope
from . import scopes
from .client import CODE, GRANT_TYPES, MEMBERS, REFRESH, SELF_REGISTRABLE, TYPES, Client, Names
from .client_rules import is_foreign

# Not those by which a client acts for itself, or exchanges tokens.
OWN_GRANT_TYPES = tuple(name for name, rules in GRANT_TYPES.items() if rules.self_registrable)
# Characters that show nothing: fillers of Hangul, the empty Braille cell, and the joiners that Persian and emoji need.
BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\u200c\u200d")
SAYS_NOTHING = Client(client_id="")
MAX_LENGTH, MAX_TEXTS = 2000, 20
Text = Annotated[str, Meta(max_length=MAX_LENGTH)]
# What would make something safer than it is here, so that a client must not go by it; with the way out.
_UNENCRYPTED = "nothing is encrypted for a client here"
REFUSED: Mapping[str, str] = {
    **{
        f"{what}_{part}": _UNENCRYPTED
        for what in ("id_token_encrypted_response", "userinfo_encrypted_response", "request_object_encryption")
        for part in ("alg", "enc")
    },
    "tls_client_certificate_bound_access_tokens": "there is no mutual TLS here: see `dpop_bound_access_tokens`",
    "default_max_age": "send `max_age` with each request",
}


def _name(member: str) -> str:
    """What a member of a client is called in a registration."""
    return MEMBERS[member].registered_as or member


def _kind(member: str) -> Any:
    """The type of a member in a registration, with its limits."""
    kinds: dict[Any, Any] = {
        str: Annotated[str, Meta(max_length=MEMBERS[member].max_length)],
        Names: Annotated[list[Text], Meta(max_length=MAX_TEXTS)],
    }
    kind = str if MEMBERS[member].registered_as else TYPES[member]
    return kinds.get(kind, kind) | None


if TYPE_CHECKING:

    class _SelfRegistrable(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
        def __getattr__(self, name: str) -> Any: ...
else:
    _SelfRegistrable = msgspec.defstruct(
        "_SelfRegistrable",
        [
            *((_name(member), _kind(member), None) for member in SELF_REGISTRABLE),
            *((name, Any, None) for name in REFUSED),
        ],
        frozen=True,
        kw_only=True,
        omit_defaults=True,
    )


class ClientMetadata(_SelfRegistrable, frozen=True, kw_only=True, omit_defaults=True):
    """What a client registers of itself; null is as good as left out, and what is not here is ignored."""

    REFUSAL: ClassVar = InvalidClientMetadata

    client_id: Text | None = None
    client_secret: Text | None = None
    response_types: Annotated[list[Text], Meta(max_length=MAX_TEXTS)] | None = None


def fields(metadata: ClientMetadata, *, offered: tuple[str, ...], default_method: str) -> dict[str, Any]:
    """The part of a client that is its own to say, all of it; raises InvalidClientMetadata for what only an operator may set."""
    metadata = _without_foreign(metadata)
    grant_types = metadata.grant_types or ()
    if set(grant_types) == {REFRESH}:
        raise InvalidClientMetadata(f"`grant_types` has no grant that a first token comes by: add {CODE}.")
    for name, way_out in REFUSED.items():
        if getattr(metadata, name) not in (None, "") and getattr(metadata, name) is not False:
            raise InvalidClientMetadata(f"`{name}` cannot be had: {way_out}.")
    if metadata.client_name and not can_be_read(metadata.client_name):
        raise InvalidClientMetadata("`client_name` has characters that nobody sees, or no others.")
    requested = _scopes(metadata.scope, offered)
    return {
        **{member: _value(metadata, member) for member in SELF_REGISTRABLE},
        "token_endpoint_auth_method": metadata.token_endpoint_auth_method or default_method,
        "scopes": requested or offered,
        "registered_without_scope": not requested,
        "application_type": metadata.application_type or _application_type(metadata.redirect_uris or ()),
    }


def _without_foreign(metadata: ClientMetadata) -> ClientMetadata:
    """The metadata without what other servers may know and this one does not: one client is made for many (RFC 7591 3.2.1).

    Raises InvalidClientMetadata where nothing is left; a redirect URI that is the only one stays, to be named.
    """
    native = metadata.application_type != "web"
    kept = {
        "grant_types": [each for each in metadata.grant_types or () if each in OWN_GRANT_TYPES],
        "response_types": [each for each in metadata.response_types or () if each == "code"],
        "redirect_uris": [each for each in metadata.redirect_uris or () if not is_foreign(each, native=native)],
        "post_logout_redirect_uris": [
            each for each in metadata.post_logout_redirect_uris or () if not is_foreign(each, native=native)
        ],
    }
    if metadata.grant_types and not kept["grant_types"]:
        raise InvalidClientMetadata(
            f"A client that registers itself has `grant_types` of {', '.join(OWN_GRANT_TYPES)}."
        )
    if metadata.response_types and not kept["response_types"]:
        raise InvalidClientMetadata("The only response type here is code.")
    if not kept["redirect_uris"]:
        del kept["redirect_uris"]
    return msgspec.structs.replace(metadata, **{name: values or None for name, values in kept.items()})


def _value(metadata: ClientMetadata, member: str) -> Any:
    value = getattr(metadata, _name(member)) or getattr(SAYS_NOTHING, member)
    return tuple(value) if TYPES[member] is Names else value


def apply_metadata(old: Client, metadata: ClientMetadata, **fields: Any) -> Client:
    """A client with its own metadata replaced by these `fields` of its `metadata`; what is its operator's stays as it is.

    Raises InvalidClientMetadata where it says otherwise itself; leaving a member out says nothing.
    """
    for name in sorted(old.operator_members):
        member = _name(name)
        if getattr(metadata, member) is not None and not _same(getattr(old, name), fields[name]):
            raise InvalidClientMetadata(
                f"`{member}` was set by an operator: leave it out, or repeat what is registered."
            )
    return replace(old, **{name: value for name, value in fields.items() if name not in old.operator_members})


def _same(one: Any, other: Any) -> bool:
    return set(one) == set(other) if isinstance(one, tuple) else bool(one == other)


def can_be_read(name: str) -> bool:
    """Whether a name is what people see of it: something, on one line, and nothing in it that hides or turns the rest."""
    kinds = [unicodedata.category(character) for character in name if character not in BLANK]
    return not {"Cc", "Cf", "Zl", "Zp"} & set(kinds) and any(kind[0] in "LNPS" for kind in kinds)


def _application_type(redirect_uris: Iterable[str]) -> str:
    # Plain OAuth clients do not know this member of OpenID's: what cannot be a web client's URI says it as well.
    return "web" if all(uri.startswith("https:") for uri in redirect_uris) else "native"


def _scopes(requested: str | None, offered: tuple[str, ...]) -> tuple[str, ...]:
    """RFC 7591 section 2: what is not offered is left out of what a client asks for; if nothing is left it asked for none."""
    try:
        return tuple(scope for scope in scopes.parse(requested or "") if scope in offered)
    except InvalidScope as malformed:
        raise InvalidClientMetadata(malformed.description) from None


def metadata_of(client: Client) -> dict[str, Any]:
    """A client's metadata as it is registered, in the words of RFC 7591; what it does not have is left out."""
    members = {
        "client_id": client.client_id,
        "response_types": ["code"] if CODE in client.grant_types else [],
        **{_name(member): getattr(client, member) for member in SELF_REGISTRABLE},
        "scope": " ".join(client.scopes),
    }
    registered = {
        name: value for name, value in members.items() if value or name in ("redirect_uris", "response_types")
    }
    return {name: list(value) if isinstance(value, tuple) else value for name, value in registered.items()}
