"""Clients that nobody registered: a client_id that is the address of its own metadata
(draft-ietf-oauth-client-id-metadata-document)."""

import re
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import unquote

import msgspec

from ...domain.crypto import algorithms, strict_json
from ...domain.errors import InvalidClientMetadata, OAuthError
from ...domain.oauth import registration
from ...domain.oauth.client import CALLED_URIS, URIS, Client
from ...domain.oauth.client_rules import check
from ...domain.oauth.registration import ClientMetadata
from ...domain.records.once import ClientDocument
from ...services import Services
from ..platform import remote_documents
from ..platform.remote_documents import UnusableDocumentError
from . import sectors

# The port of https alone, and a name for the host: an address in brackets has too many spellings.
ADDRESS = re.compile(
    r"https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\.?(:443)?/([\x21\x22\x24\x26-\x5b\x5d-\x7e]|%[0-9A-Fa-f]{2})+"
)
METHODS = ("none", "private_key_jwt")


def is_address(client_id: str) -> bool:
    """Whether a client_id can be the address of a document (section 3): a path, no dot segments, no fragment, nobody's name."""
    if not ADDRESS.fullmatch(client_id) or len(client_id) > 500:
        return False
    segments = unquote(client_id.partition("?")[0]).split("/")
    return "." not in segments and ".." not in segments


def find(svc: Services, client_id: str, *, network: str) -> Client | None:
    """The client that a document describes, of today or of the last hours; None if there is no good document."""
    if not svc.settings.client_documents or not is_address(client_id):
        return None
    usable_text = partial(_usable_text, svc, client_id)
    text = remote_documents.read(svc, ClientDocument, client_id, usable_text, network=network).record.text
    client = _client(svc, client_id, text) if text else None
    try:
        return sectors.check(svc, client, network=network) if client else None
    except InvalidClientMetadata:
        return None


def _usable_text(svc: Services, client_id: str, answer: Any) -> str | None:
    if answer.status in (0, 429) or answer.status >= 500:
        return None
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    json_like = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    if answer.status != 200 or not json_like:
        return ""
    try:
        _read(svc, client_id, answer.body)
    except OAuthError as refusal:
        raise UnusableDocumentError(refusal.description) from None
    except ValueError as unreadable:
        raise UnusableDocumentError(str(unreadable)) from None
    document: str = answer.body.decode()
    return document


def _client(svc: Services, client_id: str, document: bytes | str) -> Client | None:
    # Judged each time it is read: what a client may have is today's settings, not those of the day it was fetched.
    try:
        return _read(svc, client_id, document)
    except (OAuthError, ValueError):
        return None


def _read(svc: Services, client_id: str, document: bytes | str) -> Client:
    metadata = msgspec.convert(strict_json.decode(document), ClientMetadata)
    client = _client_of(svc, client_id, metadata)
    return check(client, signing=algorithms.of_server(svc.settings.algorithm))


def _client_of(svc: Services, client_id: str, metadata: ClientMetadata) -> Client:
    fields: dict[str, Any] = registration.fields(
        metadata, offered=svc.settings.self_registered_scopes, default_method="none"
    )
    if metadata.client_id != client_id or metadata.client_secret or fields["token_endpoint_auth_method"] not in METHODS:
        raise ValueError("another client's document, or a secret that everybody can read")
    return _without_dead_urls(svc, Client(client_id=client_id, **fields))


def _without_dead_urls(svc: Services, client: Client) -> Client:
    """A client without the URLs that its document has for other servers: plain http, or what is never called from here."""
    plain = {name for name in URIS if getattr(client, name).startswith("http://")}
    uncallable = {name for name in CALLED_URIS if getattr(client, name) and svc.fetch.why_never(getattr(client, name))}
    if "jwks_uri" in uncallable and client.token_endpoint_auth_method == "private_key_jwt":
        raise ValueError(f"its `jwks_uri` cannot be called from here: {svc.fetch.why_never(client.jwks_uri)}")
    nothing: dict[str, Any] = dict.fromkeys(plain | uncallable, "")
    return replace(client, **nothing)


def why_not(svc: Services, client_id: str) -> str:
    """What is wrong with the document of a client that was just looked for and not found; "" where none could be had."""
    if not svc.settings.client_documents or not is_address(client_id):
        return ""
    item = svc.once.read(ClientDocument, client_id, now=svc.now())
    return item.record.why if item and item.record.text == "" else ""
