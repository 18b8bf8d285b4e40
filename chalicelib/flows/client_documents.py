"""Clients that nobody registered: a client_id that is the address of its own metadata
(draft-ietf-oauth-client-id-metadata-document)."""

import re
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from ..domain import registration
from ..domain.client import Client, check
from ..domain.errors import OAuthError
from ..domain.registration import ClientMetadata
from ..services import Services
from . import limits

KIND = "client document"
ADDRESS = re.compile(r"https://[^/?#@\\]+/[^#\\]+")
METHODS = ("none", "private_key_jwt")
MINUTE, DAY = 60, 24 * 3600
SHORTEST, USUAL, LONGEST, REFUSED = 5 * MINUTE, 60 * MINUTE, DAY, MINUTE


def is_address(client_id: str) -> bool:
    """Whether a client_id can be the address of a document (section 3): a path, no dot segments, no fragment, nobody's name."""
    if not ADDRESS.fullmatch(client_id) or len(client_id) > 500:
        return False
    segments = unquote(client_id.partition("?")[0]).split("/")
    return "." not in segments and ".." not in segments


def find(svc: Services, client_id: str) -> Client | None:
    """The client that a document describes, of today or of the last hours; None if there is no good document."""
    if not svc.settings.client_documents or not is_address(client_id):
        return None
    kept = svc.once.read(KIND, client_id, now=svc.now())
    document = kept["document"] if kept else _fetched(svc, client_id)
    return _client(svc, client_id, document) if document else None


def _fetched(svc: Services, client_id: str) -> str:
    limits.client_document(svc, host=urlsplit(client_id).netloc.lower())
    answer = svc.fetch.get(client_id)
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    json_like = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    document = answer.body.decode(errors="replace") if answer.status == 200 and json_like else ""
    good = bool(document) and _client(svc, client_id, document) is not None
    seconds = kept_for(answer.headers.get("cache-control", "")) if good else REFUSED
    value = {"document": document if good else ""}
    svc.once.first(KIND, client_id, value=value, expires_at=svc.now() + seconds, now=svc.now())
    return value["document"]


def kept_for(cache_control: str) -> int:
    """How many seconds an answer is kept: as long as it says (RFC 9111 section 5.2), but for minutes at least, a day at most."""
    directives = [directive.strip().lower() for directive in cache_control.split(",")]
    if "no-store" in directives or "no-cache" in directives:
        return SHORTEST
    ages = [int(found[1]) for found in (re.fullmatch(r'max-age="?([0-9]{1,9})"?', d) for d in directives) if found]
    return min(max(ages[0], SHORTEST), LONGEST) if ages else USUAL


def _client(svc: Services, client_id: str, document: str) -> Client | None:
    # Judged each time it is read: what a client may have is today's settings, not those of the day it was fetched.
    try:
        told = msgspec.json.decode(document, type=ClientMetadata)
        return check(_described(svc, client_id, told))
    except (OAuthError, ValueError, RecursionError):
        return None


def _described(svc: Services, client_id: str, told: ClientMetadata) -> Client:
    said: dict[str, Any] = registration.fields(told, offered=svc.settings.self_registered_scopes, default_method="none")
    if told.client_id != client_id or told.client_secret or said["token_endpoint_auth_method"] not in METHODS:
        raise ValueError("another client's document, or a secret that everybody can read")
    return Client(client_id=client_id, resources=svc.settings.self_registered_resources, **said)
