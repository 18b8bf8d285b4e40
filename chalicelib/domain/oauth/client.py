import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..accounts.model import Session
from ..crypto import jws
from ..crypto.handles import MAX_IDLE
from ..errors import InvalidClientMetadata, InvalidRedirectUri
from . import uris
from .tokens import MAX_LIFETIME

CODE, REFRESH, CLIENT_CREDENTIALS = "authorization_code", "refresh_token", "client_credentials"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
GRANT_TYPES = (CODE, REFRESH, CLIENT_CREDENTIALS, DEVICE_CODE, TOKEN_EXCHANGE)
IMPERSONATION, DELEGATION = EXCHANGES = ("impersonation", "delegation")
SUBJECT_TYPES = ("public", "pairwise")
ACCOUNT = "account"  # the scope of our own API
AUTH_METHODS = ("none", "client_secret_basic", "client_secret_post", "private_key_jwt")
# OpenID Connect Registration 1.0 section 2 has localhost beside the addresses, and many command-line tools use it.
LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\]|localhost)(?::[0-9]{1,5})?(/[^?#]*)?(\?[^#]*)?")
HTTPS = re.compile(r"https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?([/?].*)?")
MAX_KEYS = 20
MAX_SCOPES = 4096  # characters of all together: with a long id, a long resource and an RSA signature a token still fits
MAX_URI = 2000
# Keys are kept for as long as the longest of these.
MAX_SECONDS = {
    "access_seconds": MAX_LIFETIME,
    "refresh_idle_seconds": MAX_IDLE,
    "refresh_absolute_seconds": 3650 * 24 * 3600,
}
# Who sets each member of a client: the client itself at registration, until an operator has set it; an operator alone;
# and this server.
SELF_REGISTRABLE = (
    *("client_name", "client_uri", "logo_uri", "policy_uri", "tos_uri"),
    *("redirect_uris", "post_logout_redirect_uris", "application_type"),
    *("grant_types", "scopes", "subject_type"),
    *("token_endpoint_auth_method", "jwks", "jwks_uri"),
    *("backchannel_logout_uri", "backchannel_logout_session_required"),
    *("require_pushed_authorization_requests", "dpop_bound_access_tokens"),
)
URIS = ("jwks_uri", "backchannel_logout_uri", "client_uri", "logo_uri", "policy_uri", "tos_uri")
PRIVILEGES = ("first_party", "introspects", "exchanges")
OPERATORS_ALONE = (
    *PRIVILEGES,
    *("resources", "sector_identifier", "operator_set"),
    *("access_seconds", "refresh_idle_seconds", "refresh_absolute_seconds"),
)
KEPT_HERE = ("client_id", "secrets", "registration_token", "created_at", "version")
# What these have of, and nothing else.
CHOICES = {
    "application_type": ("web", "native"),
    "token_endpoint_auth_method": AUTH_METHODS,
    "grant_types": GRANT_TYPES,
    "subject_type": SUBJECT_TYPES,
    "exchanges": EXCHANGES,
    "operator_set": SELF_REGISTRABLE,
}
PRINTABLE = re.compile(r"[\x21-\x7e]+")
SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A registered client, with RFC 7591's names where it has them. Lifetimes are seconds, 0 for the server's own.

    `secrets` are SHA-256 digests in hexadecimal: a generated secret has full entropy and needs no slow hash.
    """

    client_id: str
    client_name: str = ""
    token_endpoint_auth_method: str = "client_secret_basic"
    secrets: tuple[str, ...] = ()
    grant_types: tuple[str, ...] = (CODE,)
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    application_type: str = "web"
    first_party: bool = False
    require_pushed_authorization_requests: bool = False
    dpop_bound_access_tokens: bool = False
    subject_type: str = "public"
    sector_identifier: str = ""
    jwks: dict[str, Any] = field(default_factory=dict)
    jwks_uri: str = ""
    backchannel_logout_uri: str = ""
    backchannel_logout_session_required: bool = False
    introspects: bool = False
    exchanges: tuple[str, ...] = ()
    client_uri: str = ""
    logo_uri: str = ""
    policy_uri: str = ""
    tos_uri: str = ""
    access_seconds: int = 0
    refresh_idle_seconds: int = 0
    refresh_absolute_seconds: int = 0
    operator_set: tuple[str, ...] = ()
    registration_token: str = ""
    created_at: int = 0
    version: int = 1

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
    def operator_members(self) -> frozenset[str]:
        """Which of the metadata that clients say of themselves is its operator's, so that the client cannot change it."""
        return frozenset(SELF_REGISTRABLE if self.privileged else self.operator_set)

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

    def refreshes(self, scope: tuple[str, ...]) -> bool:
        """Whether its sessions get refresh tokens: an OpenID client has to ask for them (OpenID Connect Core 11)."""
        offline = self.first_party or "openid" not in scope or "offline_access" in scope
        return offline and REFRESH in self.grant_types

    def redirects_to(self, uri: str) -> bool:
        """Whether a redirect URI is one of its own, to the letter; a native client's loopback port floats (RFC 8252 7.3)."""
        if uri in self.redirect_uris:
            return True
        loopback = LOOPBACK.fullmatch(uri) if self.native else None
        return loopback is not None and any(
            _same_but_for_port(loopback, registered) for registered in self.redirect_uris
        )


def host_of(uri: str) -> str:
    """The host of a client's document or of where it sends people, which it cannot choose as it chooses its name.

    "" for an id that is no URI, and for an application on the user's device.
    """
    return (urlsplit(uri).hostname or "") if uri.startswith("https://") else ""


def _same_but_for_port(loopback: re.Match[str], uri: str) -> bool:
    registered = LOOPBACK.fullmatch(uri)
    return registered is not None and registered.groups() == loopback.groups()


def check(client: Client, *, local: bool = False) -> Client:
    """The client, if it may be registered as it is; raises InvalidRedirectUri or InvalidClientMetadata (RFC 7591 3.2.2).

    On a developer's machine (`local`) what an operator's client has beside redirect URIs may be at loopback addresses too.
    """
    for uri in (*client.redirect_uris, *client.post_logout_redirect_uris):
        if not _may_redirect(client, uri):
            raise InvalidRedirectUri(
                f"{_printable(uri)} cannot be a redirect URI of a {client.application_type} client: {_ways(client)}."
            )
    for problem in _problems(client, local=local):
        raise InvalidClientMetadata(problem)
    return client


def _ways(client: Client) -> str:
    native = ["a private-use scheme with a dot in it (com.example.app:/…)"] if client.native else []
    loopback = ["http at 127.0.0.1, [::1] or localhost"] if client.native or client.made_by_operator else []
    return f"it is {' or '.join(['https', *loopback, *native])}, without fragment and wildcard"


def _problems(client: Client, *, local: bool) -> list[str]:
    checks = {
        **_choices(client),
        "`grant_types` is empty.": bool(client.grant_types),
        "`redirect_uris` is needed for authorization_code.": CODE not in client.grant_types or client.redirect_uris,
        "A public client cannot use client_credentials or token exchange.": not (
            client.public and {CLIENT_CREDENTIALS, TOKEN_EXCHANGE} & set(client.grant_types)
        ),
        "private_key_jwt needs `jwks` or `jwks_uri`, and one of them only.": (
            client.token_endpoint_auth_method != "private_key_jwt" or bool(client.jwks) != bool(client.jwks_uri)
        ),
        "`jwks` is a set of a few public keys.": not client.jwks or are_public_keys(client.jwks),
        f"The client's `scopes` are too long for an access token: {MAX_SCOPES} characters at most.": (
            len(" ".join(client.scopes)) <= MAX_SCOPES
        ),
        **{f"`{name}` is from 0 to {most}.": 0 <= getattr(client, name) <= most for name, most in MAX_SECONDS.items()},
        **{
            f"`{name}` is no https URI: {_printable(uri)}.": (
                _is_https(uri) or (local and client.made_by_operator and _is_loopback(uri))
            )
            for name in URIS
            if (uri := getattr(client, name))
        },
        "`resources` has the client's own id.": (
            uris.normalise(client.client_id) not in map(uris.normalise, client.resources)
        ),
        **_subjects(client),
    }
    return [problem for problem, fine in checks.items() if not fine]


def _choices(client: Client) -> dict[str, bool]:
    problems = {}
    for name, choices in CHOICES.items():
        value = getattr(client, name)
        values = {value} if isinstance(value, str) else set(value)
        problems[f"`{name}` is of {', '.join(choices)}."] = values <= set(choices)
    return problems


def _subjects(client: Client) -> dict[str, bool]:
    if client.subject_type != "pairwise":
        return {}
    has_sector = bool(client.sector_identifier)
    return {
        "A pairwise client with redirect URIs on several hosts needs `sector_identifier`.": bool(sector(client)),
        "A pairwise client with device codes needs `sector_identifier`.": (
            has_sector or DEVICE_CODE not in client.grant_types
        ),
        "A pairwise client that describes itself at its id redirects to the host of its id.": (
            has_sector or not _is_https(client.client_id) or sector(client) == urlsplit(client.client_id).hostname
        ),
        "A pairwise client cannot have the scope account, whose routes show the account itself.": (
            ACCOUNT not in client.scopes
        ),
    }


def sector(client: Client) -> str:
    """The sector of a pairwise subject (OpenID Connect Core 8.1): as it is registered, or the one host of its redirect URIs."""
    if client.sector_identifier:
        return client.sector_identifier
    # A loopback address is every native app's, so it is no sector: apps of different makers would share their subjects.
    hosts = {"" if LOOPBACK.fullmatch(uri) else urlsplit(uri).hostname or uri for uri in client.redirect_uris}
    return hosts.pop() if len(hosts) == 1 else ""


def check_sector(old: Client, new: Client) -> None:
    """Raises InvalidClientMetadata for a client that moves into a sector: its sessions would take their users along."""
    if new.subject_type == "pairwise" and (old.subject_type, sector(old)) != (new.subject_type, sector(new)):
        raise InvalidClientMetadata("A client does not become pairwise, or another sector's: register another.")


def are_public_keys(jwks: Mapping[str, Any]) -> bool:
    """Whether a JWK set has a public key for signatures, nothing private, and not too much.

    Keys of other kinds may be beside it (RFC 7517 section 5).
    """
    keys = jwks.get("keys")
    if not isinstance(keys, list) or len(keys) > MAX_KEYS or not all(isinstance(key, dict) for key in keys):
        return False
    return any(map(jws.is_public_key, keys)) and not any(jws.PRIVATE_MEMBERS & set(key) for key in keys)


def _is_https(uri: str) -> bool:
    return len(uri) <= MAX_URI and bool(PRINTABLE.fullmatch(uri) and HTTPS.fullmatch(uri)) and not set("#\\") & set(uri)


def _is_loopback(uri: str) -> bool:
    return len(uri) <= MAX_URI and bool(PRINTABLE.fullmatch(uri) and LOOPBACK.fullmatch(uri)) and "\\" not in uri


def _may_redirect(client: Client, uri: str) -> bool:
    if len(uri) > MAX_URI or not PRINTABLE.fullmatch(uri) or set("#\\*") & set(uri):
        return False
    scheme, colon, rest = uri.partition(":")
    if scheme == "https":
        return _is_https(uri)
    if _is_loopback(uri):
        # A web application on a developer's machine is one too, if an operator says so.
        return client.native or client.made_by_operator
    # A private-use scheme is the app's own reversed domain name (RFC 8252 7.1): a dot keeps javascript: and data: out.
    return client.native and bool(colon and SCHEME.fullmatch(scheme)) and not rest.startswith("//")


def _printable(uri: str) -> str:
    return uri if PRINTABLE.fullmatch(uri) and len(uri) < 200 else "One"
