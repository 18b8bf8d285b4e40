import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Annotated, Any, get_args
from urllib.parse import urlsplit

import msgspec

from ..accounts.model import Session
from ..crypto import algorithms, jws
from ..crypto.handles import MAX_IDLE
from .client_values import MAX_URI, PRINTABLE, are_public_keys, is_https
from .scopes import OFFLINE_ACCESS
from .tokens import MAX_LIFETIME

CODE, REFRESH, CLIENT_CREDENTIALS = "authorization_code", "refresh_token", "client_credentials"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
IMPERSONATION, DELEGATION = EXCHANGES = ("impersonation", "delegation")
FAPI2 = "fapi2"
SECURITY_PROFILES = ("none", FAPI2)
SUBJECT_TYPES = ("public", "pairwise")
# In metadata too, where some clients take the first that they know, whatever they hold: most hold a secret.
AUTH_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
# OpenID Connect Registration 1.0 section 2 has localhost beside the addresses, and many command-line tools use it.
LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\]|localhost)(?::[0-9]{1,5})?(/[^?#]*)?(\?[^#]*)?")


class GrantRules(msgspec.Struct, frozen=True):
    """Which clients may have a grant type."""

    public: bool = False  # also those that have nothing to authenticate with
    self_registrable: bool = False  # also those that no operator has made


EVERYBODY = GrantRules(public=True, self_registrable=True)
# What each does is in a file of its own, in flows/oauth/grants.
GRANT_TYPES: Mapping[str, GrantRules] = {
    CODE: EVERYBODY,
    REFRESH: EVERYBODY,
    CLIENT_CREDENTIALS: GrantRules(),
    DEVICE_CODE: EVERYBODY,
    TOKEN_EXCHANGE: GrantRules(),
    JWT_BEARER: GrantRules(),
}


class SetBy(Enum):
    """Who sets a member of a client."""

    CLIENT = "the client itself at registration, until an operator has set it"
    OPERATOR = "an operator alone"
    WAIVER = "an operator alone, who lets one confidential client do without what all others have to do"
    PRIVILEGE = "an operator alone, who then sets all that the client could say of itself as well"
    SERVER = "this server"


class Rule(msgspec.Struct, frozen=True):
    """What a value has to be: as a sentence goes on after "it is", and as it is judged."""

    text: str
    holds: Callable[[Any], bool]


class Member(msgspec.Struct, frozen=True):
    """What there is to know of a member of a client, beside its type: from here registration, checks and command have it."""

    set_by: SetBy
    registered_as: str = ""  # in RFC 7591, where it is a text with spaces under another name
    choices: tuple[str, ...] = ()  # it is one of these, or has of these, and nothing else
    is_uri: bool = False  # it is fetched or linked, so it is https
    is_called: bool = False  # this server itself asks there
    most: int = 0  # the greatest number
    rule: Rule | None = None  # for a value, if there is one
    max_length: int = 2000  # characters of a text at registration


CLIENT, OPERATOR, WAIVER, PRIVILEGE, SERVER = map(Member, SetBy)
URI = Member(SetBy.CLIENT, is_uri=True)
CALLED_URI = Member(SetBy.CLIENT, is_uri=True, is_called=True)
MAX_ISSUERS = 10
PUBLIC_KEYS = Rule(
    'a set of a few public keys, {"keys": […]}, one of them RSA of 2048 bits or more, EC of P-256, or Ed25519',
    are_public_keys,
)


def are_issuers(issuers: Mapping[str, Any]) -> bool:
    """Whether these are a few issuers by name, each with its keys or their address (RFC 7523 section 3)."""
    names_fit = all(PRINTABLE.fullmatch(name) and len(name) <= MAX_URI for name in issuers)
    return names_fit and len(issuers) <= MAX_ISSUERS and all(map(_is_issuer, issuers.values()))


def _is_issuer(issuer: Any) -> bool:
    match issuer:
        case {"jwks": dict(jwks)}:
            keys_fit = "jwks_uri" not in issuer and are_public_keys(jwks)
        case {"jwks_uri": str(uri)}:
            keys_fit = is_https(uri)
        case _:
            return False
    return keys_fit and issuer.keys() <= {"jwks", "jwks_uri", "email"} and type(issuer.get("email", False)) is bool


ISSUERS = Rule('a few issuers, {"https://…": {"jwks_uri": "https://…"}}, or with "jwks"', are_issuers)
Names = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A registered client, with RFC 7591's names where it has them. Lifetimes are seconds, 0 for the server's own.

    `secrets` are SHA-256 digests in hexadecimal: a generated secret has full entropy and needs no slow hash.
    """

    client_id: Annotated[str, SERVER]
    client_name: Annotated[str, Member(SetBy.CLIENT, max_length=100)] = ""
    token_endpoint_auth_method: Annotated[str, Member(SetBy.CLIENT, choices=AUTH_METHODS)] = "client_secret_basic"
    token_endpoint_auth_signing_alg: Annotated[str, Member(SetBy.CLIENT, choices=jws.ALGORITHMS)] = ""
    id_token_signed_response_alg: Annotated[str, Member(SetBy.CLIENT, choices=algorithms.OF_TOKENS)] = ""
    userinfo_signed_response_alg: Annotated[str, Member(SetBy.CLIENT, choices=algorithms.OF_TOKENS)] = ""
    secrets: Annotated[Names, SERVER] = ()
    grant_types: Annotated[Names, Member(SetBy.CLIENT, choices=tuple(GRANT_TYPES))] = (CODE,)
    redirect_uris: Annotated[Names, CLIENT] = ()
    post_logout_redirect_uris: Annotated[Names, CLIENT] = ()
    scopes: Annotated[Names, Member(SetBy.CLIENT, registered_as="scope")] = ()
    resources: Annotated[Names, OPERATOR] = ()
    application_type: Annotated[str, Member(SetBy.CLIENT, choices=("web", "native"))] = "web"
    first_party: Annotated[bool, PRIVILEGE] = False
    require_pkce: Annotated[bool, WAIVER] = True
    require_nonce: Annotated[bool, WAIVER] = True
    security_profile: Annotated[str, Member(SetBy.OPERATOR, choices=SECURITY_PROFILES)] = "none"
    require_pushed_authorization_requests: Annotated[bool, CLIENT] = False
    require_signed_request_object: Annotated[bool, CLIENT] = False
    request_object_signing_alg: Annotated[str, Member(SetBy.CLIENT, choices=jws.ALGORITHMS)] = ""
    dpop_bound_access_tokens: Annotated[bool, CLIENT] = False
    subject_type: Annotated[str, Member(SetBy.CLIENT, choices=SUBJECT_TYPES)] = "public"
    sector_identifier: Annotated[str, OPERATOR] = ""
    sector_identifier_uri: Annotated[str, URI] = ""
    jwks: Annotated[dict[str, Any], Member(SetBy.CLIENT, rule=PUBLIC_KEYS)] = field(default_factory=dict)
    jwks_uri: Annotated[str, CALLED_URI] = ""
    backchannel_logout_uri: Annotated[str, CALLED_URI] = ""
    backchannel_logout_session_required: Annotated[bool, CLIENT] = False
    id_token_claims: Annotated[Names, CLIENT] = ()
    attributes: Annotated[Names, PRIVILEGE] = ()
    introspects: Annotated[bool, PRIVILEGE] = False
    require_second_factor: Annotated[bool, OPERATOR] = False
    access_token_roles: Annotated[bool, PRIVILEGE] = False
    exchanges: Annotated[Names, Member(SetBy.PRIVILEGE, choices=EXCHANGES)] = ()
    assertion_issuers: Annotated[dict[str, Any], Member(SetBy.PRIVILEGE, rule=ISSUERS)] = field(default_factory=dict)
    client_uri: Annotated[str, URI] = ""
    logo_uri: Annotated[str, URI] = ""
    policy_uri: Annotated[str, URI] = ""
    tos_uri: Annotated[str, URI] = ""
    # Keys are kept for as long as the longest of these.
    access_seconds: Annotated[int, Member(SetBy.OPERATOR, most=MAX_LIFETIME)] = 0
    id_token_seconds: Annotated[int, Member(SetBy.OPERATOR, most=MAX_LIFETIME)] = 0
    refresh_idle_seconds: Annotated[int, Member(SetBy.OPERATOR, most=MAX_IDLE)] = 0
    refresh_absolute_seconds: Annotated[int, Member(SetBy.OPERATOR, most=3650 * 24 * 3600)] = 0
    operator_set: Annotated[Names, OPERATOR] = ()
    registered_without_scope: Annotated[bool, SERVER] = False
    default_scopes: Annotated[Names, SERVER] = ()  # not stored: see self_registered.py
    registration_token: Annotated[str, SERVER] = ""
    created_at: Annotated[int, SERVER] = 0
    expires_at: Annotated[int, SERVER] = 0  # until its first login, where it registered itself; 0 is never
    version: Annotated[int, SERVER] = 1

    @property
    def public(self) -> bool:
        """Whether it has nothing to authenticate with."""
        return self.token_endpoint_auth_method == "none"

    @property
    def native(self) -> bool:
        """Whether it runs on its user's device (RFC 8252)."""
        return self.application_type == "native"

    @property
    def made_by_operator(self) -> bool:
        """Whether an operator made it: it did not register itself, and is not found in a document of its own alone."""
        return bool(self.created_at) and not self.registration_token

    @property
    def privileged(self) -> bool:
        """Whether an operator has given it a privilege, which is for this client and for no other that gets its id."""
        return any(getattr(self, name) for name in PRIVILEGES)

    @property
    def fapi(self) -> bool:
        """Whether it keeps to the FAPI 2.0 Security Profile, and this server towards it."""
        return self.security_profile == FAPI2

    @property
    def must_push(self) -> bool:
        """Whether no authorization request is taken from it that it has not pushed (RFC 9126 section 6)."""
        return self.fapi or self.require_pushed_authorization_requests

    @property
    def must_bind(self) -> bool:
        """Whether it gets no tokens but those that are bound to a key (RFC 9449 section 5.2)."""
        return self.fapi or self.dpop_bound_access_tokens

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What it may sign with, and what may sign for it."""
        return algorithms.FAPI if self.fapi else jws.ALGORITHMS

    @property
    def assertion_algorithms(self) -> tuple[str, ...]:
        """What it may sign its assertions with."""
        registered = self.token_endpoint_auth_signing_alg
        return jws.names_of(registered) if registered else self.algorithms

    @property
    def request_algorithms(self) -> tuple[str, ...]:
        """What it may sign its request objects with."""
        registered = self.request_object_signing_alg
        return jws.names_of(registered) if registered else self.algorithms

    @property
    def id_token_algorithms(self) -> tuple[str, ...]:
        """What may sign id_tokens and logout tokens for it."""
        return self._signed_for(self.id_token_signed_response_alg)

    @property
    def userinfo_algorithms(self) -> tuple[str, ...]:
        """What may sign userinfo for it."""
        return self._signed_for(self.userinfo_signed_response_alg)

    def _signed_for(self, registered: str) -> tuple[str, ...]:
        # Another than PS256 is the server's own as long as that is what it was.
        return (registered,) if registered == algorithms.PSS else self.algorithms

    @property
    def waivers(self) -> tuple[str, ...]:
        """Which of the demands on all clients an operator has waived for it."""
        return tuple(name for name in WAIVERS if not getattr(self, name))

    @property
    def operator_members(self) -> frozenset[str]:
        """Which of the metadata that clients say of themselves is its operator's, so that the client cannot change it."""
        return frozenset(SELF_REGISTRABLE if self.privileged else self.operator_set) & set(SELF_REGISTRABLE)

    def has_expired(self, now: int) -> bool:
        """Whether it registered itself and nobody has logged in by it in time; the table deletes it somewhat later."""
        return 0 < self.expires_at <= now

    def is_same(self, client_id: str, since: int | None) -> bool:
        """Whether this is the client that had an id `since` it was made, and no other that got the id later; None is any."""
        return client_id == self.client_id and since in (None, self.created_at)

    def owns(self, session: Session) -> bool:
        """Whether a session is this client's, and not that of another which had the id before."""
        not_older = session.client_since is not None or self.created_at <= session.created_at
        return not_older and self.is_same(session.client_id, session.client_since)

    @property
    def label(self) -> str:
        """What a person calls it: by its name, else by where its document is, else by its id."""
        return self.client_name or host_of(self.client_id) or self.client_id

    @property
    def default_scope(self) -> tuple[str, ...]:
        """What a request that names no scope is for: never `offline_access`, and `openid` alone where it registered none."""
        if self.registered_without_scope and "scopes" not in self.operator_members:
            return tuple(scope for scope in self.scopes if scope == "openid")
        registered = self.default_scopes or self.scopes
        return tuple(scope for scope in registered if scope in self.scopes and scope != OFFLINE_ACCESS)

    @property
    def told_of_sessions(self) -> bool:
        """Whether its id_tokens and logout tokens name the session (`sid`), by which it then knows what has ended.

        Not where it is told of logouts and does not ask for it: products look the session up by what both tokens say,
        and some take no logout token that has it.
        """
        return self.backchannel_logout_session_required or not self.backchannel_logout_uri

    def refreshes(self, scope: tuple[str, ...]) -> bool:
        """Whether its sessions get refresh tokens: an OpenID client has to ask for them (OpenID Connect Core 11)."""
        offline = self.first_party or "openid" not in scope or OFFLINE_ACCESS in scope
        return offline and REFRESH in self.grant_types

    def redirects_to(self, uri: str) -> bool:
        """Whether a redirect URI is one of its own, to the letter; a native client's loopback port floats (RFC 8252 7.3)."""
        if uri in self.redirect_uris:
            return True
        loopback = LOOPBACK.fullmatch(uri) if self.native else None
        return loopback is not None and any(
            _same_but_for_port(loopback, registered) for registered in self.redirect_uris
        )


# Every member of a client, as it is declared above: its type, and what else there is to know of it.
TYPES: Mapping[str, Any] = {each.name: get_args(each.type)[0] for each in fields(Client)}
DEFAULTS: Mapping[str, Any] = {each.name: each.default for each in fields(Client)}
MEMBERS: Mapping[str, Member] = {each.name: get_args(each.type)[1] for each in fields(Client)}


def _set_by(*setters: SetBy) -> tuple[str, ...]:
    return tuple(name for name, member in MEMBERS.items() if member.set_by in setters)


SELF_REGISTRABLE = _set_by(SetBy.CLIENT)
PRIVILEGES = _set_by(SetBy.PRIVILEGE)
WAIVERS = _set_by(SetBy.WAIVER)
OPERATORS_ALONE = _set_by(SetBy.OPERATOR, SetBy.WAIVER, SetBy.PRIVILEGE)
KEPT_HERE = _set_by(SetBy.SERVER)
URIS = tuple(name for name, member in MEMBERS.items() if member.is_uri)
CALLED_URIS = tuple(name for name, member in MEMBERS.items() if member.is_called)
MAX_SECONDS = {name: member.most for name, member in MEMBERS.items() if member.most}
RULES = {name: member.rule for name, member in MEMBERS.items() if member.rule}
CHOICES = {
    **{name: member.choices for name, member in MEMBERS.items() if member.choices},
    "operator_set": (*SELF_REGISTRABLE, "resources"),
}


def host_of(uri: str) -> str:
    """The host of a client's document or of where it sends people, which it cannot choose as it chooses its name.

    "" for an id that is no URI, and for an application on the user's device.
    """
    return (urlsplit(uri).hostname or "") if uri.startswith("https://") else ""


def loopback_host(uri: str) -> str:
    """The host of a redirect URI on the user's device, behind which any program can be; "" for another."""
    loopback = LOOPBACK.fullmatch(uri)
    return loopback[1] if loopback else ""


def _same_but_for_port(loopback: re.Match[str], uri: str) -> bool:
    registered = LOOPBACK.fullmatch(uri)
    return registered is not None and registered.groups() == loopback.groups()
