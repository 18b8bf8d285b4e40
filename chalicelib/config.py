import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

# Not pathlib, which nothing else that the guard imports needs: 3 % of its start.
PACKAGE = __file__.rpartition("/")[0]
LOOPBACK = r"http://(127\.0\.0\.1|\[::1\]|localhost)(:[0-9]+)?(/|$)"
# Below the issuer: what this API is as a protected resource (RFC 9728). A registered API's is below that, by its name.
RESOURCE_METADATA = "/.well-known/oauth-protected-resource"
QUARTER, HOUR, DAY = 15 * 60, 60 * 60, 24 * 60 * 60
# Every limit there is: how many in a window, and the window's seconds. The name says what is counted and for whom;
# docs/operations.md says it in words.
LIMITS: Mapping[str, tuple[int, int]] = {
    "password_account_network": (10, QUARTER),
    "password_network": (100, QUARTER),
    "password_account": (100, HOUR),
    "password_account_network_slow": (3, HOUR),
    "factor_account_network": (10, QUARTER),
    "factor_account": (50, HOUR),
    "factor_account_network_slow": (3, HOUR),
    "factor_password": (100, DAY),
    "password_change_account": (10, DAY),
    "sign_up_network": (20, HOUR),
    "sign_up_address": (20, HOUR),
    "sign_up_attempt_network": (100, HOUR),
    "sign_up_mail_address": (5, HOUR),
    "reset_address_network": (3, HOUR),
    "reset_address": (20, HOUR),
    "reset_network": (20, HOUR),
    "mail_network": (50, HOUR),
    "mail_account": (5, HOUR),
    "email_change_address": (10, HOUR),
    "mail_code_network": (50, HOUR),
    "mail_code_account": (10, DAY),
    "user_code_network": (30, QUARTER),
    "device_request_network": (100, QUARTER),
    "pushed_request_network": (200, QUARTER),
    "registration_network": (20, HOUR),
    "registration_change_client": (20, HOUR),
    "fetch_network": (30, QUARTER),
    "fetch_host": (100, QUARTER),
    "logout_token_host": (100, QUARTER),
}


# What the guard imports has tuples where they do: a frozen dataclass takes five times as long to make, at each cold start.
class Brand(NamedTuple):
    """How the pages present themselves; the colour is #rrggbb."""

    name: str = "Latchkey"
    logo: str = ""
    colour: str = "#1f5fbf"


BRAND = Brand()


class WrongSetting(ValueError):
    """A variable has a value that is of no use; the message names it and the value, and says what is right."""


# Compared as one object, not by its thirty values: some answers are kept per settings.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Settings:
    """What the code may rely on; `load` says which of it a deployment chooses. Lifetimes are seconds."""

    issuer: str
    audience: str
    users_table: str
    grants_table: str
    outbox_table: str
    keys_path: str
    jwks_url: str
    brand: Brand = BRAND
    mail_from: str = ""
    algorithm: str = "RS256"
    client_id: str = "latchkey"
    scopes: tuple[str, ...] = ("account",)
    origins: frozenset[str] = frozenset()
    sign_up: str = "open"
    mail_domains: tuple[str, ...] = ()
    refused_mail_domains: tuple[str, ...] = ()
    registration_open: bool = False
    registration_tokens: frozenset[str] = frozenset()
    client_documents: bool = False
    outbound_ports: frozenset[int] = frozenset({443})
    local: bool = False
    amazon_client: bool = False
    self_registered_scopes: tuple[str, ...] = ("openid", "profile", "email", "offline_access")
    self_registered_resources: tuple[str, ...] = ()
    unused_registration_seconds: int = 30 * 24 * 3600
    apis_file: str = f"{PACKAGE}/apis.json"
    jwks_file: str = f"{PACKAGE}/jwks.json"
    access_seconds: int = 15 * 60
    code_seconds: int = 60
    pushed_request_seconds: int = 90
    device_code_seconds: int = 600
    refresh_idle_seconds: int = 30 * 24 * 3600
    refresh_absolute_seconds: int = 365 * 24 * 3600
    retry_window_seconds: int = 30
    fresh_login_seconds: int = 5 * 60
    key_days: int = 90
    limits: Mapping[str, tuple[int, int]] = field(default_factory=lambda: LIMITS)

    @property
    def tables(self) -> dict[str, str]:
        """The names of the tables, by what they are for."""
        return {"users": self.users_table, "grants": self.grants_table, "outbox": self.outbox_table}

    @property
    def audiences(self) -> tuple[str, ...]:
        """What a token can be for, as far as it is known here: this server, and the APIs that are registered or named."""
        apis = (api["audience"] for api in registered_apis(self.apis_file).values() if "audience" in api)
        return (self.issuer, self.audience, *self.self_registered_resources, *apis)

    def scopes_of(self, audience: str) -> frozenset[str] | None:
        """The scopes that the maps of the APIs of an audience know; None for an audience of no registered API."""
        apis = [api for api in registered_apis(self.apis_file).values() if api.get("audience") == audience]
        return frozenset(scope for api in apis for scope in _scopes_of_api(api)) if apis else None

    @property
    def jwt_audiences(self) -> frozenset[str]:
        """The APIs whose access tokens have the `typ` JWT; never this server itself, whatever is registered."""
        named = {api["audience"] for api in registered_apis(self.apis_file).values() if api.get("typ") == "JWT"}
        return frozenset(named - {self.issuer, self.audience})

    def access_token_claims(self, audience: str) -> frozenset[str]:
        """The claims about the user that an operator wants in access tokens for an API."""
        of_apis = registered_apis(self.apis_file).values()
        named = [api for api in of_apis if (api.get("audience") or self.audience) == audience]
        return frozenset(name for api in named for name in api.get("access_token_claims", ()))

    @property
    def known_scopes(self) -> frozenset[str]:
        """The scopes that something here knows, beside OpenID Connect's own: a login, or an API that is registered."""
        of_apis = (scope for api in registered_apis(self.apis_file).values() for scope in _scopes_of_api(api))
        return frozenset((*self.scopes, *self.self_registered_scopes, *of_apis))

    @property
    def sign_up_open(self) -> bool:
        """Whether anybody may make themselves an account."""
        return self.sign_up in ("open", "verified")

    @property
    def registration(self) -> bool:
        """Whether clients can register themselves, with a token or without."""
        return self.registration_open or bool(self.registration_tokens)


def _scopes_of_api(api: Mapping[str, Any]) -> tuple[str, ...]:
    """What its routes need, and what its handlers ask for besides."""
    return (*" ".join(api["scopes"].values()).split(), *api.get("step_up_scopes", ()))


@lru_cache(maxsize=4)
def registered_apis(file: str) -> Mapping[str, Any]:
    """The registered APIs by their ids; the list ships with the code, so it is read once."""
    return read_json(file)


def read_json(file: str) -> dict[str, Any]:
    """A JSON object that ships with the code; an empty one where there is no file."""
    import json

    try:
        with open(file, encoding="utf-8") as stream:  # noqa: PTH123 - see above
            content: dict[str, Any] = json.load(stream)
    except FileNotFoundError:
        return {}
    return content


def load(environ: Mapping[str, str]) -> Settings:
    """Settings from LATCHKEY_* variables; raises WrongSetting for the first that is missing or wrong."""
    issuer = _matching(
        environ, "LATCHKEY_ISSUER", r"https?://[^\s?#]*[^\s?#/]", "this server's base URL, without a slash at the end"
    )
    for name in [each for each in NAMES if each in environ]:
        _matching(environ, name, *NAMES[name])
    if environ.get("LATCHKEY_SIGN_UP") in ("verified", "invitation") and not environ.get("LATCHKEY_MAIL_FROM"):
        raise WrongSetting(f"LATCHKEY_SIGN_UP={environ['LATCHKEY_SIGN_UP']} sends mail: name its LATCHKEY_MAIL_FROM")
    for name, (pattern, meaning) in LISTS.items():
        for part in environ.get(name, "").split():
            _matching({name: part}, name, pattern, meaning)
    return Settings(
        issuer=issuer,
        audience=environ.get("LATCHKEY_AUDIENCE") or issuer,
        users_table=environ.get("LATCHKEY_USERS_TABLE", "latchkey-users"),
        grants_table=environ.get("LATCHKEY_GRANTS_TABLE", "latchkey-grants"),
        outbox_table=environ.get("LATCHKEY_OUTBOX_TABLE", "latchkey-outbox"),
        keys_path=environ.get("LATCHKEY_KEYS_PATH", "/latchkey/keys"),
        algorithm=environ.get("LATCHKEY_ALGORITHM", "RS256"),
        brand=_brand(environ),
        mail_from=environ.get("LATCHKEY_MAIL_FROM", ""),
        scopes=tuple(environ.get("LATCHKEY_SCOPES", "account").split()),
        origins=frozenset(environ.get("LATCHKEY_ORIGINS", "").split()),
        sign_up=environ.get("LATCHKEY_SIGN_UP", "open"),
        mail_domains=tuple(environ.get("LATCHKEY_MAIL_DOMAINS", "").split()),
        refused_mail_domains=tuple(environ.get("LATCHKEY_REFUSED_MAIL_DOMAINS", "").split()),
        outbound_ports=frozenset(map(int, environ.get("LATCHKEY_OUTBOUND_PORTS", "").split())) | {443},
        **_self_registration(environ),
        limits=_limits(environ.get("LATCHKEY_LIMITS", "")),
        local=_local(environ),
        apis_file=_apis_file(environ),
        amazon_client=_one_of(environ, "LATCHKEY_AWS_CLIENT", "boto3"),
        jwks_file=environ.get("LATCHKEY_JWKS_FILE") or f"{PACKAGE}/jwks.json",
        jwks_url=environ.get("LATCHKEY_JWKS_URL") or f"{issuer}/.well-known/jwks.json",
    )


def check_at_start(environ: Mapping[str, str]) -> None:
    """Stops a function in Lambda that starts with a wrong setting, so that its log says which, and not a fault per request."""
    if "AWS_LAMBDA_FUNCTION_NAME" in environ:
        load(environ)


TABLE = (r"[A-Za-z0-9_.:/-]{3,}", "the name of a table")
NAMES = {
    "LATCHKEY_USERS_TABLE": TABLE,
    "LATCHKEY_GRANTS_TABLE": TABLE,
    "LATCHKEY_OUTBOX_TABLE": TABLE,
    "LATCHKEY_ALGORITHM": ("RS256|ES256|EdDSA", "RS256, ES256 or EdDSA"),
    "LATCHKEY_UNUSED_REGISTRATION_DAYS": (r"([1-9][0-9]{0,3})?", "days, like 30"),
    "LATCHKEY_SIGN_UP": ("open|verified|invitation|closed", "open, verified, invitation or closed"),
    "LATCHKEY_MAIL_FROM": (
        r"[^\s<>@\"]+@[^\s<>@\"]+|[^<>@\"\r\n]+ <[^\s<>@\"]+@[^\s<>@\"]+>|",
        "an address, or a name and an address like Example <login@example.com>",
    ),
    "LATCHKEY_KEYS_PATH": (r"(/[A-Za-z0-9_.-]+)+", "a path in the parameter store, like /latchkey/keys"),
}
SCOPES = (r"[!#-\[\]-~]+", "scopes, of letters without quotation marks and backslashes")
MAIL_DOMAINS = (
    r"(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?",
    "domains in small letters of ASCII, like example.com, or *.example.com for those below it",
)
# What each word of these has to be, and how to say so.
LISTS = {
    "LATCHKEY_SCOPES": SCOPES,
    "LATCHKEY_ORIGINS": (r"https?://[^/\s?#]+", "web origins like https://app.example.com, without anything behind"),
    "LATCHKEY_MAIL_DOMAINS": MAIL_DOMAINS,
    "LATCHKEY_REFUSED_MAIL_DOMAINS": MAIL_DOMAINS,
    "LATCHKEY_SELF_REGISTERED_SCOPES": SCOPES,
    "LATCHKEY_SELF_REGISTERED_RESOURCES": (r"[A-Za-z][A-Za-z0-9+.-]*:[^\s#]+", "URIs without a fragment"),
    "LATCHKEY_JWKS_URL": (r"https?://\S+", "a URL"),
    "LATCHKEY_OUTBOUND_PORTS": (r"[1-9][0-9]{0,4}", "ports, like 8443"),
}


def _matching(environ: Mapping[str, str], name: str, pattern: str, meaning: str) -> str:
    value = environ.get(name, "")
    if not re.fullmatch(pattern, value):
        raise _wrong_setting(name, meaning, value)
    return value


def _wrong_setting(name: str, meaning: str, value: str) -> WrongSetting:
    return WrongSetting(f"{name} must be {meaning}, not {value!r}")


def _brand(environ: Mapping[str, str]) -> Brand:
    logo, colour = environ.get("LATCHKEY_BRAND_LOGO", ""), environ.get("LATCHKEY_BRAND_COLOUR") or BRAND.colour
    if logo and not logo.startswith("https://"):
        raise _wrong_setting("LATCHKEY_BRAND_LOGO", "an https URL", logo)
    if not re.fullmatch("#[0-9a-fA-F]{6}", colour):
        raise _wrong_setting("LATCHKEY_BRAND_COLOUR", "a colour as #rrggbb", colour)
    return Brand(environ.get("LATCHKEY_BRAND_NAME") or BRAND.name, logo, colour)


def _local(environ: Mapping[str, str]) -> bool:
    """Whether this is a developer's machine, where operators' clients may be at loopback addresses."""
    local = _one_of(environ, "LATCHKEY_LOCAL", "on")
    if local and ("AWS_LAMBDA_FUNCTION_NAME" in environ or not re.match(LOOPBACK, environ.get("LATCHKEY_ISSUER", ""))):
        raise WrongSetting(
            "LATCHKEY_LOCAL=on is for a developer's machine: LATCHKEY_ISSUER would be at http://127.0.0.1 or http://localhost"
        )
    return local


def _self_registration(environ: Mapping[str, str]) -> dict[str, Any]:
    """What clients that nobody here has registered can get."""
    settings: dict[str, Any] = {
        "registration_open": _one_of(environ, "LATCHKEY_REGISTRATION", "open"),
        "client_documents": _client_documents(environ),
        "registration_tokens": frozenset(environ.get("LATCHKEY_REGISTRATION_TOKEN_SHA256", "").split()),
        "self_registered_resources": tuple(environ.get("LATCHKEY_SELF_REGISTERED_RESOURCES", "").split()),
    }
    if not all(re.fullmatch("[0-9a-f]{64}", digest) for digest in settings["registration_tokens"]):
        # Without the value, which may be the token itself.
        raise WrongSetting("LATCHKEY_REGISTRATION_TOKEN_SHA256 must be SHA-256 digests in hexadecimal")
    if days := environ.get("LATCHKEY_UNUSED_REGISTRATION_DAYS"):
        settings["unused_registration_seconds"] = DAY * int(days)
    if scopes := environ.get("LATCHKEY_SELF_REGISTERED_SCOPES", "").split():
        settings["self_registered_scopes"] = tuple(scopes)
    return settings


def _client_documents(environ: Mapping[str, str]) -> bool:
    """Whether clients may come with a document; where nothing is said, with an MCP server: that is its clients' first choice."""
    if environ.get("LATCHKEY_CLIENT_DOCUMENTS"):
        return _one_of(environ, "LATCHKEY_CLIENT_DOCUMENTS", "on")
    return any(api.get("mcp") for api in read_json(_apis_file(environ)).values())


def _apis_file(environ: Mapping[str, str]) -> str:
    return environ.get("LATCHKEY_APIS_FILE") or f"{PACKAGE}/apis.json"


def _limits(numbers_by_name: str) -> Mapping[str, tuple[int, int]]:
    """All limits, with the numbers that a deployment has chosen as `name=number`; `*=number` is for all that it does not name."""
    numbers: dict[str, int] = {}
    for part in numbers_by_name.split():
        name, _, number = part.partition("=")
        if name not in ("*", *LIMITS):
            raise WrongSetting(f"LATCHKEY_LIMITS has no limit {name!r}: * is all, or {', '.join(LIMITS)}")
        if not re.fullmatch("[1-9][0-9]{0,8}", number):
            raise WrongSetting(f"LATCHKEY_LIMITS must have {name}=number, a whole number from 1 to 999999999: {part!r}")
        numbers[name] = int(number)
    return {name: (numbers.get(name, numbers.get("*", most)), seconds) for name, (most, seconds) in LIMITS.items()}


def _one_of(environ: Mapping[str, str], name: str, switch: str) -> bool:
    value = environ.get(name, "")
    if value not in ("", "off", switch):
        raise _wrong_setting(name, f"{switch} or off", value)
    return value == switch
