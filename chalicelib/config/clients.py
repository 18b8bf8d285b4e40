"""What clients that nobody here has registered can get."""

import re
from collections.abc import Mapping
from typing import Any

from . import values
from .apis import apis_file, read_json
from .limits import DAY
from .values import WrongSetting

SCOPES = (r"[!#-\[\]-~]+", "scopes, of letters without quotation marks and backslashes")


def read(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings of clients that register themselves, or come with a document."""
    settings: dict[str, Any] = {
        "registration_open": values.switch(environ, "LATCHKEY_REGISTRATION", "open"),
        "client_documents": _client_documents(environ),
        "registration_tokens": frozenset(environ.get("LATCHKEY_REGISTRATION_TOKEN_SHA256", "").split()),
        "self_registered_resources": values.words(
            environ, "LATCHKEY_SELF_REGISTERED_RESOURCES", r"[A-Za-z][A-Za-z0-9+.-]*:[^\s#]+", "URIs without a fragment"
        ),
        "unused_registration_seconds": DAY
        * values.number(environ, "LATCHKEY_UNUSED_REGISTRATION_DAYS", 30, lowest=1, highest=9999),
    }
    if not all(re.fullmatch("[0-9a-f]{64}", digest) for digest in settings["registration_tokens"]):
        # Without the value, which may be the token itself.
        raise WrongSetting("LATCHKEY_REGISTRATION_TOKEN_SHA256 must be SHA-256 digests in hexadecimal")
    if scopes := values.words(environ, "LATCHKEY_SELF_REGISTERED_SCOPES", *SCOPES):
        settings["self_registered_scopes"] = scopes
    return settings


def _client_documents(environ: Mapping[str, str]) -> bool:
    """Whether clients may come with a document; where nothing is said, with an MCP server: that is its clients' first choice."""
    if environ.get("LATCHKEY_CLIENT_DOCUMENTS"):
        return values.switch(environ, "LATCHKEY_CLIENT_DOCUMENTS")
    return any(api.get("mcp") for api in read_json(apis_file(environ)).values())
