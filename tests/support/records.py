"""Records as another release, or somebody with the keys, would have written them: sealed by hand, or put into the table."""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chalicelib.flows.platform import keys
from chalicelib.services import Services
from tests.support.forge import b64, unb64

NONCE = bytes(12)


def _cipher(svc: Services, purpose: bytes) -> AESGCM:
    secret = keys.current(svc).handle_key(svc.now()).secret
    return AESGCM(hmac.new(secret, purpose, hashlib.sha256).digest())


def sealed_by_hand(svc: Services, purpose: bytes, plaintext: str) -> str:
    """A text that is authentic, whatever is in it."""
    text = b64(NONCE + _cipher(svc, purpose).encrypt(NONCE, plaintext.encode(), None))
    return text + "=" * (-len(text) % 4)


def plaintext_of(svc: Services, purpose: bytes, text: str) -> str:
    """What is in a sealed text."""
    raw = unb64(text.rstrip("="))
    return _cipher(svc, purpose).decrypt(raw[:12], raw[12:], None).decode()


def resealed(svc: Services, purpose: bytes, text: str, **changes: object) -> str:
    """An authentic text with other members; None leaves one out."""
    members = {**json.loads(plaintext_of(svc, purpose, text)), **changes}
    kept = {name: value for name, value in members.items() if value is not None}
    return sealed_by_hand(svc, purpose, json.dumps(kept))


def rewrite(svc: Services, sort: str, change: Callable[[dict[str, Any]], dict[str, Any]], *, table: str = "") -> int:
    """Changes every item of a kind where it is stored; how many there are."""
    client, name = svc.users._client, table or svc.settings.grants_table
    items: list[dict[str, Any]] = [
        i for i in client.call("Scan", TableName=name)["Items"] if i["sk"]["S"].startswith(sort)
    ]
    for item in items:
        client.call("PutItem", TableName=name, Item=change(item))
    return len(items)


def with_value(change: Callable[[str], str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A change of the text that an item of what is good once has as its value."""
    return lambda item: {**item, "value": {"S": change(item["value"]["S"])}}
