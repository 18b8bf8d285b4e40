from collections.abc import Mapping
from dataclasses import dataclass

# Not pathlib, which nothing else that the guard imports needs: 3 % of its start.
PACKAGE = __file__.rpartition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that a deployment can choose; lifetimes are seconds."""

    issuer: str
    audience: str
    users_table: str
    grants_table: str
    keys_path: str
    jwks_url: str
    algorithm: str = "RS256"
    client_id: str = "latchkey"
    scopes: tuple[str, ...] = ("account",)
    origins: frozenset[str] = frozenset()
    apis_file: str = f"{PACKAGE}/apis.json"
    jwks_file: str = f"{PACKAGE}/jwks.json"
    access_seconds: int = 15 * 60
    refresh_idle_seconds: int = 30 * 24 * 3600
    refresh_absolute_seconds: int = 365 * 24 * 3600
    retry_window_seconds: int = 30
    fresh_login_seconds: int = 5 * 60
    key_days: int = 90


def load(environ: Mapping[str, str]) -> Settings:
    """Settings from LATCHKEY_* variables; raises ValueError naming the variable that is missing or wrong."""
    issuer = environ.get("LATCHKEY_ISSUER", "")
    if not issuer.startswith(("https://", "http://")) or issuer.endswith("/"):
        raise ValueError("LATCHKEY_ISSUER must be this server's base URL, without a slash at the end")
    algorithm = environ.get("LATCHKEY_ALGORITHM", "RS256")
    if algorithm not in ("RS256", "ES256", "EdDSA"):
        raise ValueError("LATCHKEY_ALGORITHM must be RS256, ES256 or EdDSA")
    return Settings(
        issuer=issuer,
        audience=environ.get("LATCHKEY_AUDIENCE") or issuer,
        users_table=environ.get("LATCHKEY_USERS_TABLE", "latchkey-users"),
        grants_table=environ.get("LATCHKEY_GRANTS_TABLE", "latchkey-grants"),
        keys_path=environ.get("LATCHKEY_KEYS_PATH", "/latchkey/keys"),
        algorithm=algorithm,
        scopes=tuple(environ.get("LATCHKEY_SCOPES", "account").split()),
        origins=frozenset(environ.get("LATCHKEY_ORIGINS", "").split()),
        apis_file=environ.get("LATCHKEY_APIS_FILE") or f"{PACKAGE}/apis.json",
        jwks_file=environ.get("LATCHKEY_JWKS_FILE") or f"{PACKAGE}/jwks.json",
        jwks_url=environ.get("LATCHKEY_JWKS_URL") or f"{issuer}/.well-known/jwks.json",
    )
