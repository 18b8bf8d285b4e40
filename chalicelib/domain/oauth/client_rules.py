"""What a client may be registered with, whoever registers it."""

import re
from urllib.parse import urlsplit

from ..crypto import algorithms
from ..errors import InvalidClientMetadata, InvalidRedirectUri
from . import uris
from .claims import OF_OPERATORS, OF_USER
from .client import (
    CHOICES,
    CODE,
    DEFAULTS,
    DEVICE_CODE,
    GRANT_TYPES,
    LOOPBACK,
    MAX_SECONDS,
    RULES,
    URIS,
    Client,
)
from .client_values import MAX_URI, PRINTABLE, is_https

SIGNED_RESPONSES = ("id_token_signed_response_alg", "userinfo_signed_response_alg")
ACCOUNT = "account"  # the scope of our own API
MAX_SCOPES = 4096  # characters of all together: with a long id, a long resource and an RSA signature a token still fits
CONFIDENTIAL_GRANTS = tuple(name for name, rules in GRANT_TYPES.items() if not rules.public)
APPS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
NO_APPS_SCHEMES = frozenset(
    {
        *("http", "https", "ws", "wss", "ftp", "file", "data", "javascript", "vbscript", "blob", "about", "intent"),
        *(
            "filesystem",
            "view-source",
            "jar",
            "content",
            "chrome",
            "resource",
            "mailto",
            "urn",
            "jscript",
            "livescript",
        ),
    }
)
SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")


def check(client: Client, *, local: bool = False, signing: tuple[str, ...] = algorithms.SIGNING) -> Client:
    """The client, if it may be registered as it is; raises InvalidRedirectUri or InvalidClientMetadata (RFC 7591 3.2.2).

    On a developer's machine (`local`) what an operator's client has beside redirect URIs may be at loopback addresses too.
    `signing` are the algorithms that this server signs with.
    """
    for uri in (*client.redirect_uris, *client.post_logout_redirect_uris):
        if not _may_redirect(client, uri):
            raise InvalidRedirectUri(
                f"{_printable(uri)} cannot be a redirect URI of a {client.application_type} client: {_ways(client)}."
            )
    for problem in _problems(client, local=local, signing=signing):
        raise InvalidClientMetadata(problem)
    return client


def _ways(client: Client) -> str:
    native = ["a private-use scheme with a dot in it (com.example.app:/…)"] if client.native else []
    loopback = ["http at 127.0.0.1, [::1] or localhost"] if client.native or client.made_by_operator else []
    return f"it is {' or '.join(['https', *loopback, *native])}, without fragment and wildcard"


def is_foreign(uri: str, *, native: bool) -> bool:
    """Whether a redirect URI is meant for another kind of server: of an app's scheme that cannot be had here.

    Left out it harms nobody; one that would run code in a page, or read what is there, is no app's.
    """
    scheme, colon, _ = uri.partition(":")
    is_apps = bool(colon and APPS_SCHEME.fullmatch(scheme)) and scheme.lower() not in NO_APPS_SCHEMES
    kind = "native" if native else "web"
    return is_apps and not _may_redirect(Client(client_id="", application_type=kind), uri)


def _problems(client: Client, *, local: bool, signing: tuple[str, ...]) -> list[str]:
    checks = {
        **_choices(client),
        **_values(client, local=local, signing=signing),
        "`grant_types` is empty.": bool(client.grant_types),
        "`redirect_uris` is needed for authorization_code.": CODE not in client.grant_types or client.redirect_uris,
        f"A public client cannot use {' or '.join(CONFIDENTIAL_GRANTS)}.": not (
            client.public and set(CONFIDENTIAL_GRANTS) & set(client.grant_types)
        ),
        "private_key_jwt needs `jwks` or `jwks_uri`, and one of them only.": (
            client.token_endpoint_auth_method != "private_key_jwt" or bool(client.jwks) != bool(client.jwks_uri)
        ),
        "`require_signed_request_object` needs `jwks` or `jwks_uri`.": (
            not client.require_signed_request_object or bool(client.jwks or client.jwks_uri)
        ),
        f"The client's `scopes` are too long for an access token: {MAX_SCOPES} characters at most.": (
            len(" ".join(client.scopes)) <= MAX_SCOPES
        ),
        "`resources` has the client's own id.": (
            uris.normalise(client.client_id) not in map(uris.normalise, client.resources)
        ),
        **_id_token_claims(client),
        **_waivers(client),
        **_profile(client),
        **_subjects(client),
    }
    return [problem for problem, fine in checks.items() if not fine]


def _values(client: Client, *, local: bool, signing: tuple[str, ...]) -> dict[str, bool]:
    """What each value has to be by its member's own declaration."""
    return {
        **{
            f"`{name}` is {rule.text}.": rule.holds(value)
            for name, rule in RULES.items()
            if (value := getattr(client, name))
        },
        **{f"`{name}` is from 0 to {most}.": 0 <= getattr(client, name) <= most for name, most in MAX_SECONDS.items()},
        **{
            f"`{name}` is no https URI: {_printable(uri)}.": (
                is_https(uri) or (local and client.made_by_operator and _is_loopback(uri))
            )
            for name in URIS
            if (uri := getattr(client, name))
        },
        **{
            f"`{name}` is {' or '.join(signing)}, which this server signs with.": getattr(client, name)
            in ("", *signing)
            for name in SIGNED_RESPONSES
        },
    }


def _choices(client: Client) -> dict[str, bool]:
    problems = {}
    for name, choices in CHOICES.items():
        value = getattr(client, name)
        values = {value} if isinstance(value, str) else set(value)
        problems[f"`{name}` is of {', '.join(choices)}."] = value == DEFAULTS[name] or values <= set(choices)
    return problems


def _id_token_claims(client: Client) -> dict[str, bool]:
    names = set(client.id_token_claims)
    by_operator = client.made_by_operator or "id_token_claims" in client.operator_members
    return {
        f"`id_token_claims` is of {', '.join(OF_USER)}.": names <= set(OF_USER),
        f"Only an operator puts {' or '.join(OF_OPERATORS)} into `id_token_claims`.": (
            by_operator or not names & set(OF_OPERATORS)
        ),
    }


def _waivers(client: Client) -> dict[str, bool]:
    """What binds a code to who asked for it can be waived where the client's own credentials are left to bind it."""
    waived = " and ".join(f"{name}=no" for name in client.waivers)
    return {
        f"A public client has nothing but PKCE and nonce: {waived} is for confidential clients.": (
            not waived or not client.public
        ),
        f"A first-party client asks for no consent: {waived} is for others.": not waived or not client.first_party,
    }


def _profile(client: Client) -> dict[str, bool]:
    """FAPI 2.0 Security Profile 5.3.2.1 and 5.4.1, as far as the client has to be registered for it."""
    if not client.fapi:
        return {}
    names = ("token_endpoint_auth_signing_alg", "request_object_signing_alg", *SIGNED_RESPONSES)
    return {
        "security_profile=fapi2 needs token_endpoint_auth_method=private_key_jwt.": (
            client.token_endpoint_auth_method == "private_key_jwt"
        ),
        "security_profile=fapi2 leaves PKCE and nonce as they are: nothing is waived.": not client.waivers,
        **{
            f"security_profile=fapi2 signs with {', '.join(algorithms.FAPI)}: see `{name}`.": (
                getattr(client, name) in ("", *algorithms.FAPI)
            )
            for name in names
        },
    }


def _subjects(client: Client) -> dict[str, bool]:
    if client.subject_type != "pairwise":
        return {}
    has_sector = bool(client.sector_identifier)
    return {
        "A pairwise client with redirect URIs on several hosts needs `sector_identifier_uri`.": bool(sector(client)),
        # No redirect shows that a device belongs to a sector, so no list of redirect URIs does.
        "A pairwise client with device codes needs `sector_identifier`.": (
            has_sector or DEVICE_CODE not in client.grant_types
        ),
        "A pairwise client that describes itself at its id is of the sector of its id's host.": (
            has_sector or not is_https(client.client_id) or sector(client) == urlsplit(client.client_id).hostname
        ),
        "A pairwise client cannot have the scope account, whose routes show the account itself.": (
            ACCOUNT not in client.scopes
        ),
    }


def sector(client: Client) -> str:
    """The sector of a pairwise subject (OpenID Connect Core 8.1): as it is registered, or the one host of its redirect URIs.

    The list at a `sector_identifier_uri` has been compared with its redirect URIs.
    """
    if client.sector_identifier or client.sector_identifier_uri:
        return client.sector_identifier or str(urlsplit(client.sector_identifier_uri).hostname)
    # A loopback address is every native app's, so it is no sector: apps of different makers would share their subjects.
    hosts = {"" if LOOPBACK.fullmatch(uri) else urlsplit(uri).hostname or uri for uri in client.redirect_uris}
    return hosts.pop() if len(hosts) == 1 else ""


def check_sector(old: Client, new: Client) -> None:
    """Raises InvalidClientMetadata for a client that moves into a sector: its sessions would take their users along."""
    if new.subject_type == "pairwise" and (old.subject_type, sector(old)) != (new.subject_type, sector(new)):
        raise InvalidClientMetadata("A client does not become pairwise, or another sector's: register another.")


def _is_loopback(uri: str) -> bool:
    return len(uri) <= MAX_URI and bool(PRINTABLE.fullmatch(uri) and LOOPBACK.fullmatch(uri)) and "\\" not in uri


def _may_redirect(client: Client, uri: str) -> bool:
    if len(uri) > MAX_URI or not PRINTABLE.fullmatch(uri) or set("#\\*") & set(uri):
        return False
    scheme, colon, rest = uri.partition(":")
    if scheme == "https":
        return is_https(uri)
    if _is_loopback(uri):
        # A web application on a developer's machine is one too, if an operator says so.
        return client.native or client.made_by_operator
    # A private-use scheme is the app's own reversed domain name (RFC 8252 7.1): a dot keeps javascript: and data: out.
    return client.native and bool(colon and SCHEME.fullmatch(scheme)) and not rest.startswith("//")


def _printable(uri: str) -> str:
    return uri if PRINTABLE.fullmatch(uri) and len(uri) < 200 else "One"
