"""Public keys of those who sign: registered with a client, or at an address (RFC 7591 `jwks_uri`)."""

import json
from collections.abc import Mapping
from typing import Any

from ...domain.crypto import strict_json
from ...domain.errors import TemporarilyUnavailable
from ...domain.oauth.client_values import are_public_keys
from ...domain.records.once import ClientKeys
from ...services import Services
from ..platform import remote_documents

Keys = list[dict[str, Any]]


def find(svc: Services, jwks: Mapping[str, Any], jwks_uri: str, *, kid: object, network: str) -> Keys:
    """The keys that may have signed, of a set or of that at an address: the one of this kid, or all if there is none."""
    if jwks:
        return matching(jwks["keys"], kid)
    if not jwks_uri:
        return []
    item = remote_documents.read(svc, ClientKeys, jwks_uri, _usable_text, network=network)
    if not item.record.text:
        raise TemporarilyUnavailable(
            "The `jwks_uri` cannot be read: try again in a minute.", reason=f"keys unreadable: {item.record.why}"
        )
    keys = matching(_keys_in(item.record.text), kid)
    # An unknown kid may be of a new key: we look again, but once a minute at most.
    if keys:
        return keys
    item = remote_documents.read_again(svc, item, _usable_text, network=network)
    return matching(_keys_in(item.record.text or ""), kid)


def matching(keys: Keys, kid: object) -> Keys:
    """The keys of a set that can be meant by a kid."""
    return [key for key in keys if key.get("use", "sig") == "sig" and (kid is None or key.get("kid") == kid)]


def _usable_text(answer: Any) -> str | None:
    keys = _keys_in(answer.body) if answer.status == 200 else []
    return json.dumps({"keys": keys}) if keys else None


def _keys_in(body: bytes | str) -> Keys:
    try:
        jwks = strict_json.decode(body)
    except ValueError:
        return []
    keys: Keys = jwks["keys"] if isinstance(jwks, dict) and are_public_keys(jwks) else []
    return keys
