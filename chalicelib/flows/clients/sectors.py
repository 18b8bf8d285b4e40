"""The sector that a client names by a list of redirect URIs (OpenID Connect Core 8.1, Registration 5)."""

import json
from typing import Any

from ...domain.crypto import strict_json
from ...domain.errors import InvalidClientMetadata
from ...domain.oauth.client import Client
from ...domain.records.once import RemoteDocument, SectorMembers
from ...services import Services
from ..platform import limits, remote_documents


def check(svc: Services, client: Client, *, network: str) -> Client:
    """The client, if what is at its `sector_identifier_uri` lists all its redirect URIs; raises InvalidClientMetadata.

    What is fetched counts against the `network`.
    """
    uri = client.sector_identifier_uri
    if not uri:
        return client
    if limits.host(uri) == limits.host(svc.settings.issuer):
        raise InvalidClientMetadata("`sector_identifier_uri` is at this server, which has no sector of clients.")
    item = remote_documents.read(svc, SectorMembers, uri, _usable_text, network=network)
    if _missing(item.record, client):
        # The list may be a new one: we look again, but once a minute at most.
        item = remote_documents.read_again(svc, item, _usable_text, network=network)
    if not item.record.text:
        raise InvalidClientMetadata(
            "`sector_identifier_uri` has no JSON list of redirect URIs that can be read: it is fetched from a public "
            "address, without a redirect, in three seconds."
        )
    if missing := _missing(item.record, client):
        raise InvalidClientMetadata(f"The list at `sector_identifier_uri` is without {missing[0]}.")
    return client


def _missing(document: RemoteDocument, client: Client) -> list[str]:
    members = json.loads(document.text or "[]")
    return [uri for uri in client.redirect_uris if uri not in members]


def _usable_text(answer: Any) -> str | None:
    try:
        members = strict_json.decode(answer.body) if answer.status == 200 else None
    except ValueError:
        members = None
    is_list = isinstance(members, list) and all(isinstance(each, str) for each in members)
    return json.dumps(members) if is_list else None
