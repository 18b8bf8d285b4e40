from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import msgspec

from ..domain.accounts.model import Consent, User, api_digest
from ..domain.errors import TemporarilyUnavailable
from ..domain.oauth.client import Client
from .aws.client import AwsClient
from .dynamo import ConditionFailed, Item, conditionally, escaped, key
from .items import ONE, VERSION, reader
from .transactions import Write, with_optional
from .user_items import as_read

NOTHING = Write(())

MOST_AT_ONCE = 100  # keys in one BatchGetItem


def client_key(client_id: str) -> dict[str, Any]:
    """The key of a registered client; raises ValueError where no client can have such an id."""
    return key(("client", escaped(client_id)), ("client",))


@reader("client")
def from_item(item: Item) -> Client:
    """The client in a stored item."""
    client: Client = msgspec.json.decode(item["client"]["S"], type=Client)
    # Beside the text, where its first login takes it away.
    return replace(client, expires_at=int(item["expires_at"]["N"])) if "expires_at" in item else client


@reader("consent")
def _consent_from_item(item: Item) -> tuple[int, frozenset[str]]:
    return int(item["agreed_at"]["N"]), frozenset(item["scopes"]["SS"] if "scopes" in item else ())


def _consent_of(item: Item) -> Consent:
    agreed_at, scopes = _consent_from_item(item)
    _, client_id, *of_api = item["sk"]["S"].split("#")
    return Consent(client_id=unquote(client_id), scopes=scopes, agreed_at=agreed_at, api="".join(of_api))


def _consent_key(uid: str, client_id: str, resource: str) -> dict[str, Any]:
    # A digest, for client id and resource together may be longer than a key. Our own API has none, as before there were others.
    of_api = (api_digest(resource),) if resource else ()
    return key(("user", uid), ("consent", escaped(client_id), *of_api))


def _key_of_any(client_id: str) -> dict[str, Any] | None:
    """The key of a client, None where no client can have such an id."""
    try:
        return client_key(client_id)
    except ValueError:
        return None


class Clients:
    """OAuth clients, and what users have agreed to for each."""

    def __init__(self, client: AwsClient, *, users: str) -> None:
        self._client = client
        self._users = users

    def read(self, client_id: str) -> Client | None:
        """One client, as of now; `client_id` may be any text."""
        item_key = _key_of_any(client_id)
        if item_key is None:
            return None
        answer = self._client.call("GetItem", TableName=self._users, Key=item_key, ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None

    def read_all(self, client_ids: Collection[str]) -> dict[str, Client]:
        """Those clients that there are, by their ids, as of now: a round trip for a hundred."""
        keys, items = [each for each in map(_key_of_any, dict.fromkeys(client_ids)) if each], list[Item]()
        while keys:
            some, keys = keys[:MOST_AT_ONCE], keys[MOST_AT_ONCE:]
            request = {self._users: {"Keys": some, "ConsistentRead": True}}
            answer = self._client.call("BatchGetItem", RequestItems=request)
            if answer["UnprocessedKeys"]:
                raise TemporarilyUnavailable(reason="UnprocessedKeys")
            items += answer["Responses"][self._users]
        return {client.client_id: client for client in map(from_item, items)}

    def create(self, client: Client) -> bool:
        """A new client; False if its id is another's."""
        return self._put(client, "attribute_not_exists(pk)", {})

    def replace(self, old: Client, new: Client) -> bool:
        """A client changed as it was read; False if another change came between. The caller moves `version` on."""
        values, unused = {":version": {"N": str(old.version)}}, ""
        if old.expires_at:  # else its first login, which came between, would be undone
            values[":end"], unused = {"N": str(old.expires_at)}, " AND expires_at = :end"
        return self._put(new, f"version = :version{unused}", values)

    def keep(self, client: Client) -> Write:
        """The first login by a client that registered itself: it does not expire any more. Nothing for one that never would."""
        if not client.expires_at:
            return Write(())
        kept = {
            "TableName": self._users,
            "Key": client_key(client.client_id),
            "UpdateExpression": "REMOVE expires_at",
            "ConditionExpression": "attribute_exists(pk)",
        }
        return Write(({"Update": kept},))

    def delete(self, client_id: str, *, version: int | None = None) -> bool:
        """A client gone for good, if it is of this version or none is named; False if there was no such client."""
        same = {"ExpressionAttributeValues": {":version": {"N": str(version)}}} if version is not None else {}
        try:
            conditionally(
                self._client,
                "DeleteItem",
                TableName=self._users,
                Key=client_key(client_id),
                ConditionExpression="version = :version" if same else "attribute_exists(pk)",
                **same,
            )
        except ConditionFailed:
            return False
        return True

    def consent(self, uid: str, client_id: str, *, resource: str = "", since: int) -> frozenset[str] | None:
        """The scopes that a user has agreed to for a client at an API, which can be none; None before the user was asked.

        `resource` is "" for our own API. What was agreed to before `since`, when the client was made, was for another
        client of the same id.
        """
        item_key = _consent_key(uid, client_id, resource)
        answer = self._client.call("GetItem", TableName=self._users, Key=item_key, ConsistentRead=True)
        agreed_at, scopes = _consent_from_item(answer["Item"]) if "Item" in answer else (-1, None)
        return scopes if agreed_at >= since else None

    def remember_consent(
        self,
        user: User,
        client_id: str,
        scopes: tuple[str, ...],
        *,
        resource: str = "",
        since: int,
        now: int,
        also: Write = NOTHING,
        optional: Sequence[Write] = (),
        lost: dict[Write, str] | None = None,
    ) -> bool:
        """Adds to what a user has agreed to for a client at an API; replaces what was for another client of its id.

        False if the user is gone, disabled, or has ended all sessions since they were read, or the conditions of what is
        `also` written do not hold. What is `optional` is as in `Transactions.commit`.
        """
        values: dict[str, Any] = {":now": {"N": str(now)}, ":since": {"N": str(since)}, ":v": ONE}
        if scopes:  # DynamoDB has no empty sets
            values[":scopes"] = {"SS": list(scopes)}
        changes = (
            (" ADD scopes :scopes" if scopes else "", "attribute_not_exists(pk) OR agreed_at >= :since"),
            (", scopes = :scopes" if scopes else " REMOVE scopes", "agreed_at < :since"),
        )
        for change, condition in changes:
            consent = {
                "TableName": self._users,
                "Key": _consent_key(user.uid, client_id, resource),
                "UpdateExpression": f"SET agreed_at = :now, v = :v{change}",
                "ConditionExpression": condition,
                "ExpressionAttributeValues": values,
            }
            owner = {"TableName": self._users, **as_read(user)}
            parts = [{"Update": consent}, {"ConditionCheck": owner}, *also.parts]
            failed = with_optional(self._client, parts, optional, lost)
            if [*failed] != [0]:
                return not failed
        return True  # somebody agreed in between, to the newer client

    def consents(self, uid: str) -> list[Consent]:
        """All that a user has agreed to, for every client and API."""
        return [_consent_of(item) for item in self._consent_items(uid)]

    def consent_deletion(self, uid: str, consent: Consent) -> Write:
        """A consent gone, if it is there."""
        item_key = key(("user", uid), ("consent", escaped(consent.client_id), *([consent.api] if consent.api else [])))
        return Write(({"Delete": {"TableName": self._users, "Key": item_key}},))

    def delete_consents(self, uid: str) -> None:
        """Erases all that a user has agreed to."""
        # By their keys alone: one that cannot be read goes as well.
        for item_key in self._consent_items(uid, ProjectionExpression="pk, sk"):
            self._client.call("DeleteItem", TableName=self._users, Key=item_key)

    def _consent_items(self, uid: str, **more: Any) -> list[Item]:
        pages = self._client.pages(
            "Query",
            TableName=self._users,
            KeyConditionExpression="pk = :user AND begins_with(sk, :consent)",
            ExpressionAttributeValues={":user": {"S": f"user#{uid}"}, ":consent": {"S": "consent#"}},
            ConsistentRead=True,
            **more,
        )
        return [item for page in pages for item in page["Items"]]

    def _put(self, registered: Client, condition: str, values: dict[str, Any]) -> bool:
        item = {
            **client_key(registered.client_id),
            **VERSION,
            "version": {"N": str(registered.version)},
            "client": {"S": msgspec.json.encode(replace(registered, expires_at=0)).decode()},
            **({"expires_at": {"N": str(registered.expires_at)}} if registered.expires_at else {}),
        }
        request: dict[str, Any] = {"ExpressionAttributeValues": values} if values else {}
        try:
            conditionally(
                self._client, "PutItem", TableName=self._users, Item=item, ConditionExpression=condition, **request
            )
        except ConditionFailed as failed:
            return failed.item == item  # it had been sent before, and the answer was lost
        return True
