from typing import TYPE_CHECKING, Any

from ..domain.errors import TemporarilyUnavailable
from ..domain.model import Grant, User
from ..domain.refresh import Use, use_of
from .dynamo import ConditionFailed, Item, conditionally, storage_faults
from .users import from_item as user_from_item
from .users import grant_key, user_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH = 25  # BatchWriteItem takes no more


def to_item(grant: Grant) -> dict[str, Any]:
    """A grant as it is stored; what was written once can be read for ever. `expires_at` is the table's time to live."""
    ended = {"ended": {"S": grant.ended}} if grant.ended else {}
    return {
        **grant_key(grant.uid, grant.gid),
        "client_id": {"S": grant.client_id},
        "scope": {"S": " ".join(grant.scope)},
        "token_version": {"N": str(grant.token_version)},
        "amr": {"S": " ".join(grant.amr)},
        "auth_time": {"N": str(grant.auth_time)},
        "created_at": {"N": str(grant.created_at)},
        "last_used_at": {"N": str(grant.last_used_at)},
        "expires_at": {"N": str(grant.expires_at)},
        "ends_at": {"N": str(grant.ends_at)},
        "generation": {"N": str(grant.generation)},
        "rotated_at": {"N": str(grant.rotated_at)},
        "device": {"S": grant.device},
        **ended,
    }


def from_item(item: Item) -> Grant:
    """The grant in a stored item."""
    return Grant(
        uid=item["pk"]["S"].partition("#")[2],
        gid=item["sk"]["S"].partition("#")[2],
        client_id=item["client_id"]["S"],
        scope=tuple(item["scope"]["S"].split()),
        amr=tuple(item["amr"]["S"].split()),
        device=item["device"]["S"],
        ended=item.get("ended", {"S": ""})["S"],
        **{name: int(item[name]["N"]) for name in NUMBERS},
    )


NUMBERS = (
    "token_version",
    "auth_time",
    "created_at",
    "last_used_at",
    "expires_at",
    "ends_at",
    "generation",
    "rotated_at",
)


class Grants:
    """Sessions, one item each for its whole life. A verb that could race carries its own condition."""

    def __init__(self, client: "DynamoDBClient", *, users: str, grants: str) -> None:
        self._client = client
        self._users = users
        self._grants = grants

    def starting(self, grant: Grant) -> dict[str, Any]:
        """A new grant as one part of another verb's transaction."""
        return {"Put": {"TableName": self._grants, "Item": to_item(grant)}}

    def start(self, grant: Grant) -> None:
        """A new grant. Its random gid needs no condition, and without one a repeated write stays harmless."""
        with storage_faults():
            self._client.put_item(TableName=self._grants, Item=to_item(grant))

    def with_user(self, uid: str, gid: str) -> tuple[User | None, Grant | None]:
        """A grant and its user, as of now, in one round trip."""
        keys: dict[str, Any] = {
            self._users: {"Keys": [user_key(uid)], "ConsistentRead": True},
            self._grants: {"Keys": [grant_key(uid, gid)], "ConsistentRead": True},
        }
        with storage_faults():
            found = self._client.batch_get_item(RequestItems=keys)
        if found["UnprocessedKeys"]:
            raise TemporarilyUnavailable(reason="UnprocessedKeys")
        users, grants = (found["Responses"].get(table, []) for table in (self._users, self._grants))
        return (
            user_from_item(users[0]) if users else None,
            from_item(grants[0]) if grants else None,
        )

    def rotate(self, grant: Grant, *, now: int, idle_seconds: int, retry_window: int) -> Use:
        """Replaces the current refresh token by its successor: CURRENT if this call did it, else what its failure means."""
        try:
            conditionally(
                self._client.update_item,
                TableName=self._grants,
                Key=grant_key(grant.uid, grant.gid),
                UpdateExpression="SET generation = :next, rotated_at = :now, last_used_at = :now, expires_at = :idle",
                ConditionExpression="generation = :current AND attribute_not_exists(ended) AND expires_at > :now",
                ExpressionAttributeValues={
                    ":current": {"N": str(grant.generation)},
                    ":next": {"N": str(grant.generation + 1)},
                    ":now": {"N": str(now)},
                    ":idle": {"N": str(min(now + idle_seconds, grant.ends_at))},
                },
            )
        except ConditionFailed as failed:
            rival = from_item(failed.item) if failed.item else None
            return use_of(rival, grant.generation, now=now, retry_window=retry_window)
        return Use.CURRENT

    def end(self, uid: str, gid: str, *, why: str) -> bool:
        """Ends a grant for good, if it is there and has not ended; the item stays, so that a replay is known."""
        try:
            conditionally(
                self._client.update_item,
                TableName=self._grants,
                Key=grant_key(uid, gid),
                UpdateExpression="SET ended = :why",
                ConditionExpression="attribute_exists(pk) AND attribute_not_exists(ended)",
                ExpressionAttributeValues={":why": {"S": why}},
            )
        except ConditionFailed:
            return False
        return True

    def of_user(self, uid: str) -> list[Grant]:
        """All grants of a user that are still stored, ended ones too."""
        return [from_item(item) for item in self._items(uid)]

    def erase(self, uid: str, *, but: str) -> None:
        """Erases every grant of a user but one."""
        doomed = [grant for grant in self.of_user(uid) if grant.gid != but]
        for start in range(0, len(doomed), BATCH):
            requests: Any = [
                {"DeleteRequest": {"Key": grant_key(grant.uid, grant.gid)}} for grant in doomed[start : start + BATCH]
            ]
            with storage_faults():
                left = self._client.batch_write_item(RequestItems={self._grants: requests})
            if left["UnprocessedItems"]:
                raise TemporarilyUnavailable(reason="UnprocessedItems")

    def _items(self, uid: str) -> list[Item]:
        with storage_faults():
            pages = self._client.get_paginator("query").paginate(
                TableName=self._grants,
                KeyConditionExpression="pk = :user AND begins_with(sk, :grant)",
                ExpressionAttributeValues={":user": {"S": f"user#{uid}"}, ":grant": {"S": "grant#"}},
                ConsistentRead=True,
            )
            return [item for page in pages for item in page["Items"]]
