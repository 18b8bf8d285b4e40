"""Proof Key for Code Exchange (RFC 7636), S256 alone."""

import hashlib
import hmac
import re
from typing import Any

from ..crypto import base64url
from ..errors import InvalidRequest
from .client import Client
from .parameters import Parameters

CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # base64url of a SHA-256
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636 section 4.1


def required(params: Parameters, client: Client) -> dict[str, Any]:
    """RFC 7636, S256 only, for every client (RFC 9700 section 2.1.1)."""
    challenge = params.get("code_challenge", "")
    if params.get("code_challenge_method") != "S256" or not CHALLENGE.fullmatch(challenge):
        waivable = not client.public and not client.first_party
        way_out = ", or this server's operator sets require_pkce=no for this client" if waivable else ""
        raise InvalidRequest(
            "`code_challenge` with code_challenge_method=S256 is needed (RFC 7636): "
            f"turn PKCE on in the application{way_out}.",
            reason="no PKCE",
        )
    return {"challenge": challenge}


def required_unless_waived(params: Parameters, client: Client) -> dict[str, Any]:
    """As `required`, but that a client may be excused from a challenge; then a nonce has to bind the code (RFC 9700 4.5.3)."""
    if client.require_pkce or {"code_challenge", "code_challenge_method"} & set(params):
        return required(params, client)
    if client.require_nonce and "nonce" not in params:
        raise InvalidRequest(
            "`nonce` or `code_challenge` is needed: without both nothing binds the code to who asked for it. "
            "Have the application send a nonce, or this server's operator set require_nonce=no for this client.",
            reason="no nonce",
        )
    return {"challenge": ""}


def verify_code_verifier(verifier: str, challenge: str) -> bool:
    """Whether a PKCE verifier is the one behind a challenge (RFC 7636 section 4.6)."""
    if not VERIFIER.fullmatch(verifier):
        return False
    digest = base64url.encode(hashlib.sha256(verifier.encode()).digest())
    return hmac.compare_digest(digest, challenge)
