"""What has to lie at the root of a domain, so that apps and other websites may use its passkeys."""

from collections.abc import Collection, Mapping
from typing import Any

from ..crypto import base64url

APPLE = "/.well-known/apple-app-site-association"
ANDROID = "/.well-known/assetlinks.json"
ORIGINS = "/.well-known/webauthn"
# Android's names: the app may open the site's links, and use its passkeys and passwords.
RELATIONS = ("delegate_permission/common.handle_all_urls", "delegate_permission/common.get_login_creds")


def documents(
    *, apple_apps: Collection[str], android_apps: Mapping[str, Collection[str]], origins: Collection[str]
) -> dict[str, Any]:
    """The documents that there are, by their paths.

    Apps are named as Apple (team.bundle) and Android (package, with the fingerprints of its certificates) name them.
    """
    every: dict[str, Any] = {
        APPLE: {"webcredentials": {"apps": list(apple_apps)}} if apple_apps else None,
        ANDROID: [_statement(package, fingerprints) for package, fingerprints in android_apps.items()],
        ORIGINS: {"origins": list(origins)} if origins else None,
    }
    return {path: document for path, document in every.items() if document}


def android_origin(fingerprint: str) -> str:
    """What an Android app is, as the origin of a passkey's answer, by the fingerprint of its certificate."""
    return "android:apk-key-hash:" + base64url.encode(bytes.fromhex(fingerprint.replace(":", "")))


def _statement(package: str, fingerprints: Collection[str]) -> dict[str, Any]:
    return {
        "relation": list(RELATIONS),
        "target": {
            "namespace": "android_app",
            "package_name": package,
            "sha256_cert_fingerprints": list(fingerprints),
        },
    }
