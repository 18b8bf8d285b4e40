"""The public keys of a client that signs: registered with it, or at an address of its own (RFC 7591 `jwks_uri`)."""

import json
from collections.abc import Mapping
from typing import Any

from ..domain.client import Client, are_public_keys
from ..domain.errors import TemporarilyUnavailable
from ..services import Services
from .client_documents import kept_for

KIND = "client keys"
# How often, at most, an assertion with an unknown kid makes us look again, and a failure lets us try anew.
INTERVAL = 60

Keys = list[dict[str, Any]]


def find(svc: Services, client: Client, *, kid: object) -> Keys:
    """The keys that may have signed for a client: the one of this kid, or all where the signature names none."""
    if client.jwks:
        return matching(client.jwks["keys"], kid)
    if not client.jwks_uri:
        return []
    kept = svc.once.read(KIND, client.jwks_uri, now=svc.now()) or _first(svc, client.jwks_uri)
    if not kept["keys"]:
        raise TemporarilyUnavailable(
            "The client's `jwks_uri` cannot be read: try again in a minute.", reason=kept["why"]
        )
    return matching(kept["keys"], kid) or matching(_again(svc, client.jwks_uri, kept), kid)


def matching(keys: Keys, kid: object) -> Keys:
    """The keys of a set that can be meant by a kid."""
    return [key for key in keys if key.get("use", "sig") == "sig" and (kid is None or key.get("kid") == kid)]


def _first(svc: Services, uri: str) -> dict[str, Any]:
    now = svc.now()
    answer = svc.fetch.get(uri)
    keys = _keys_in(answer.body) if answer.status == 200 else []
    seconds = kept_for(answer.headers.get("cache-control", "")) if keys else INTERVAL
    kept = {"keys": keys, "at": now, "why": answer.reason or f"status {answer.status}"}
    svc.once.first(KIND, uri, value=kept, expires_at=now + seconds, now=now)
    return kept


def _again(svc: Services, uri: str, kept: Mapping[str, Any]) -> Keys:
    now = svc.now()
    claimed = {**kept, "at": now}
    # Claimed before it is done: of many at once one goes, and the others make do with what there is.
    if now < kept["at"] + INTERVAL or not svc.once.change(KIND, uri, old=kept, new=claimed, now=now):
        return []
    answer = svc.fetch.get(uri)
    keys = _keys_in(answer.body) if answer.status == 200 else []
    if keys:
        svc.once.change(KIND, uri, old=claimed, new={**claimed, "keys": keys}, now=now)
    return keys


def _keys_in(body: bytes) -> Keys:
    try:
        jwks = json.loads(body)
    except (ValueError, RecursionError):
        return []
    keys: Keys = jwks["keys"] if isinstance(jwks, dict) and are_public_keys(jwks) else []
    return keys
