"""Which apps and websites share this server's passkeys."""

from collections.abc import Mapping
from typing import Any

from . import values

APPLE_APP = (r"[A-Z0-9]{10}\.[A-Za-z0-9.-]+", "team and bundle ids like A1B2C3D4E5.com.example.app")
ANDROID_APP = (
    r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+=[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31}",
    "packages with a certificate's SHA-256 like com.example.app=14:6D:…, one word a certificate",
)


def read(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings of passkeys; an app's certificates are fingerprints with colons, as Android's tools print them."""
    certificates: dict[str, tuple[str, ...]] = {}
    for word in values.words(environ, "LATCHKEY_ANDROID_APPS", *ANDROID_APP):
        package, _, fingerprint = word.partition("=")
        certificates[package] = (*certificates.get(package, ()), fingerprint.upper())
    return {
        "apple_apps": values.words(environ, "LATCHKEY_APPLE_APPS", *APPLE_APP),
        "android_apps": certificates,
        "passkey_origins": values.words(environ, "LATCHKEY_PASSKEY_ORIGINS", *values.HTTPS_ORIGIN),
    }
