"""What a deployment chooses: LATCHKEY_* variables, read once into frozen Settings. One file a subject."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import accounts, brand, clients, custom, devices, languages, passkeys, reference, values
from . import attributes as attribute_settings
from . import limits as limit_settings
from .apis import PACKAGE, RESOURCE_METADATA, apis_file, read_json, registered_apis, scopes_of_api
from .brand import BRAND, Brand
from .limits import DAY, LIMITS
from .values import WrongSetting

__all__ = [
    "DAY",
    "LIMITS",
    "RESOURCE_METADATA",
    "Brand",
    "Settings",
    "WrongSetting",
    "load",
    "read_json",
    "registered_apis",
]

SUBJECTS = (accounts, brand, clients, custom, devices, languages, passkeys, reference)
LOOPBACK = r"http://(127\.0\.0\.1|\[::1\]|localhost)(:[0-9]+)?(/|$)"
TABLE = (r"[A-Za-z0-9_.:/-]{3,}", "the name of a table")


# Compared as one object, not by its many values: some answers are kept per settings.
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
    ses_configuration_set: str = ""
    algorithm: str = "RS256"
    client_id: str = "latchkey"
    scopes: tuple[str, ...] = ("account",)
    origins: frozenset[str] = frozenset()
    new_device_mail: bool = True
    remembered_device_days: int = 30
    sessions_per_account: int = 0
    activity_days: int = 90
    login_by_mail: bool = True
    guests: bool = False
    email_codes: bool = False
    sign_up: str = "open"
    second_factor: str = "optional"
    aal2_scopes: frozenset[str] = frozenset()
    mail_domains: tuple[str, ...] = ()
    refused_mail_domains: tuple[str, ...] = ()
    password_score: int = 3
    password_history: int = 0
    breached_passwords_url: str = ""
    daily_hashes: int = 0
    proof_of_work: str = "off"
    proof_of_work_bits: int = 16
    registration_open: bool = False
    registration_tokens: frozenset[str] = frozenset()
    client_documents: bool = False
    apple_apps: tuple[str, ...] = ()
    android_apps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    passkey_origins: tuple[str, ...] = ()
    outbound_ports: frozenset[int] = frozenset({443})
    attributes: attribute_settings.Definitions = field(default_factory=dict)
    reference: str = ""
    reference_client: str = ""
    local: bool = False
    amazon_client: bool = False
    self_registered_scopes: tuple[str, ...] = ("openid", "profile", "email", "offline_access")
    self_registered_resources: tuple[str, ...] = ()
    unverified_account_seconds: int = 0
    deletion_seconds: int = 0
    unused_registration_seconds: int = 30 * 24 * 3600
    claims: Mapping[str, Mapping[str, custom.Template]] = field(default_factory=dict)
    languages: tuple[str, ...] = languages.SHIPPED
    texts_folder: str = ""
    hooks_file: str = ""
    hook_seconds: float = 2
    slow_hook_refuses: bool = True
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
    def reserved_claims(self) -> frozenset[str]:
        """The claims that nothing of a deployment's own sets."""
        return attribute_settings.RESERVED

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
        return frozenset(scope for api in apis for scope in scopes_of_api(api)) if apis else None

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

    def scope_descriptions(self, audience: str) -> dict[str, str]:
        """What the APIs of an audience say of their scopes themselves, for people."""
        of_apis = registered_apis(self.apis_file).values()
        named = [api for api in of_apis if (api.get("audience") or self.audience) == audience]
        return {scope: text for api in named for scope, text in api.get("scope_descriptions", {}).items()}

    @property
    def known_scopes(self) -> frozenset[str]:
        """The scopes that something here knows, beside OpenID Connect's own: a login, or an API that is registered."""
        of_apis = (scope for api in registered_apis(self.apis_file).values() for scope in scopes_of_api(api))
        return frozenset((*self.scopes, *self.self_registered_scopes, *of_apis))

    @property
    def sign_up_open(self) -> bool:
        """Whether anybody may make themselves an account."""
        return self.sign_up in ("open", "verified")

    @property
    def mailed_login(self) -> bool:
        """Whether a mail can log its reader in: where any is sent, unless a deployment wants no such login."""
        return bool(self.mail_from) and self.login_by_mail

    @property
    def registration(self) -> bool:
        """Whether clients can register themselves, with a token or without."""
        return self.registration_open or bool(self.registration_tokens)


def load(environ: Mapping[str, str]) -> Settings:
    """Settings from LATCHKEY_* variables; raises WrongSetting for the first that is missing or wrong."""
    issuer = values.text(
        environ, "LATCHKEY_ISSUER", r"https?://[^\s?#]*[^\s?#/]", "this server's base URL, without a slash at the end"
    )
    return Settings(
        issuer=issuer,
        audience=environ.get("LATCHKEY_AUDIENCE") or issuer,
        users_table=values.text(environ, "LATCHKEY_USERS_TABLE", *TABLE, "latchkey-users"),
        grants_table=values.text(environ, "LATCHKEY_GRANTS_TABLE", *TABLE, "latchkey-grants"),
        outbox_table=values.text(environ, "LATCHKEY_OUTBOX_TABLE", *TABLE, "latchkey-outbox"),
        keys_path=values.text(
            environ,
            "LATCHKEY_KEYS_PATH",
            r"(/[A-Za-z0-9_.-]+)+",
            "a path in the parameter store, like /latchkey/keys",
            "/latchkey/keys",
        ),
        algorithm=values.one_of(environ, "LATCHKEY_ALGORITHM", "RS256", "ES256", "EdDSA"),
        scopes=values.words(environ, "LATCHKEY_SCOPES", *clients.SCOPES, "account"),
        origins=frozenset(
            values.words(
                environ,
                "LATCHKEY_ORIGINS",
                r"https?://[^/\s?#]+",
                "web origins like https://app.example.com, without anything behind",
            )
        ),
        outbound_ports=_outbound_ports(environ),
        limits=limit_settings.read(environ),
        local=_local(environ),
        apis_file=apis_file(environ),
        amazon_client=values.switch(environ, "LATCHKEY_AWS_CLIENT", "boto3"),
        jwks_file=environ.get("LATCHKEY_JWKS_FILE") or f"{PACKAGE}/jwks.json",
        jwks_url=_jwks_url(environ) or f"{issuer}/.well-known/jwks.json",
        **_of_subjects(environ),
    )


def _of_subjects(environ: Mapping[str, str]) -> dict[str, Any]:
    return {name: value for subject in SUBJECTS for name, value in subject.read(environ).items()}


def check_at_start(environ: Mapping[str, str]) -> None:
    """Stops a function in Lambda that starts with a wrong setting, so that its log says which, and not a fault per request."""
    if "AWS_LAMBDA_FUNCTION_NAME" in environ:
        load(environ)


def _outbound_ports(environ: Mapping[str, str]) -> frozenset[int]:
    ports = values.words(environ, "LATCHKEY_OUTBOUND_PORTS", r"[1-9][0-9]{0,4}", "ports, like 8443")
    return frozenset(map(int, ports)) | {443}


def _jwks_url(environ: Mapping[str, str]) -> str:
    return values.text(environ, "LATCHKEY_JWKS_URL", r"(https?://\S+)?", "a URL")


def _local(environ: Mapping[str, str]) -> bool:
    """Whether this is a developer's machine, where operators' clients may be at loopback addresses."""
    local = values.switch(environ, "LATCHKEY_LOCAL")
    if local and ("AWS_LAMBDA_FUNCTION_NAME" in environ or not re.match(LOOPBACK, environ.get("LATCHKEY_ISSUER", ""))):
        raise WrongSetting(
            "LATCHKEY_LOCAL=on is for a developer's machine: LATCHKEY_ISSUER would be at http://127.0.0.1 or http://localhost"
        )
    return local
