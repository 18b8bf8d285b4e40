"""The further factors of accounts, `user#<uid>/factor#<kind>#<id>`, beside what each account names.

The account's own set is the truth: a factor that it does not name is none. So all of them go with one change of the account.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ..domain.accounts.model import EnrolledFactor, User, kind_and_id
from .aws.client import AwsClient
from .dynamo import ConditionFailed, Item, attempt, conditionally, key
from .items import VERSION, reader
from .transactions import Write
from .user_items import as_read, with_same_factors


def factor_key(uid: str, entry: str) -> dict[str, Any]:
    """The key of one factor, by what its account names it; raises ValueError where none has such a name."""
    return key(("user", uid), ("factor", *kind_and_id(entry)))


def to_item(factor: EnrolledFactor) -> dict[str, Any]:
    """A factor as it is stored."""
    return {
        **factor_key(factor.uid, factor.entry),
        **VERSION,
        "factor_name": {"S": factor.name},  # `name`, `counter` and `record` are words of DynamoDB's own
        "factor_record": {"S": factor.record},
        "created_at": {"N": str(factor.created_at)},
        "last_used_at": {"N": str(factor.last_used_at)},
        "last_counter": {"N": str(factor.counter)},
        **({"codes": {"SS": sorted(factor.codes)}} if factor.codes else {}),
    }


@reader("factor")
def from_item(item: Item) -> EnrolledFactor:
    """The factor in a stored item."""
    _, kind, factor_id = item["sk"]["S"].split("#")
    return EnrolledFactor(
        uid=item["pk"]["S"].partition("#")[2],
        kind=kind,
        id=factor_id,
        name=item["factor_name"]["S"],
        record=item["factor_record"]["S"],
        created_at=int(item["created_at"]["N"]),
        last_used_at=int(item["last_used_at"]["N"]),
        counter=int(item["last_counter"]["N"]),
        codes=frozenset(item["codes"]["SS"] if "codes" in item else ()),
    )


class Factors:
    """The further factors of accounts. What is good once is used up by a condition."""

    def __init__(self, client: AwsClient, *, users: str) -> None:
        self._client = client
        self._users = users

    def of_user(self, user: User, kind: str = "") -> list[EnrolledFactor]:
        """What a user has, or has of a kind, the oldest first; no call where that is nothing."""
        if not (user.has_factor(kind) if kind else user.factors):
            return []
        enrolled = [from_item(item) for item in self._items(user.uid, kind)]
        return sorted((each for each in enrolled if each.entry in user.factors), key=lambda e: (e.created_at, e.id))

    def find(self, user: User, entry: str) -> EnrolledFactor | None:
        """One factor, by what its account names it; None where the account does not."""
        if entry not in user.factors:
            return None
        key = factor_key(user.uid, entry)
        answer = self._client.call("GetItem", TableName=self._users, Key=key, ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None

    def creation(self, factor: EnrolledFactor) -> Write:
        """The factor of an account that names it from the beginning, for the write that makes the account."""
        new = {"ConditionExpression": "attribute_not_exists(pk)"}
        return Write(({"Put": {"TableName": self._users, "Item": to_item(factor), **new}},))

    def enrolment(self, user: User, factor: EnrolledFactor, *, instead_of: Sequence[str] = ()) -> Write:
        """One more factor, some others gone for it, while the account and its factors are as they were read."""
        named = self._naming(user, (user.factors - frozenset(instead_of)) | {factor.entry})
        return Write(
            (named, {"Put": {"TableName": self._users, "Item": to_item(factor)}}, *self._gone(user, instead_of))
        )

    def removal(self, user: User, entries: Sequence[str]) -> Write:
        """Some factors gone, while the account and its factors are as they were read."""
        return Write((self._naming(user, user.factors - frozenset(entries)), *self._gone(user, entries)))

    def deletion(self, user: User, entries: Iterable[str] | None = None) -> Write:
        """The items of factors of a user, by default of all, for a write that takes them from the account as it was read."""
        return Write(tuple(self._gone(user, sorted(user.factors if entries is None else entries))))

    def _gone(self, user: User, entries: Sequence[str]) -> list[dict[str, Any]]:
        return [{"Delete": {"TableName": self._users, "Key": factor_key(user.uid, entry)}} for entry in entries]

    def _naming(self, user: User, entries: frozenset[str]) -> dict[str, Any]:
        part = {"TableName": self._users, **as_read(user)}
        same, values = with_same_factors(user)
        part["ConditionExpression"] += f" AND {same}"
        part["ExpressionAttributeValues"] |= values
        if not entries:  # DynamoDB has no empty sets
            return {"Update": {**part, "UpdateExpression": "REMOVE factors"}}
        part["ExpressionAttributeValues"] |= {":entries": {"SS": sorted(entries)}}
        return {"Update": {**part, "UpdateExpression": "SET factors = :entries"}}

    def rename(self, factor: EnrolledFactor, name: str) -> bool:
        """Another name for a factor; False if it is gone."""
        return self._update(factor, "SET factor_name = :name", "attribute_exists(pk)", {":name": {"S": name}})

    def use(self, factor: EnrolledFactor, *, counter: int, now: int) -> bool:
        """Uses up a factor's code of a step, and all before it; False if that was done before, or the factor is gone."""
        values = {":counter": {"N": str(counter)}, ":now": {"N": str(now)}}
        update = "SET last_counter = :counter, last_used_at = :now"
        return self._update(factor, update, "last_counter < :counter", values)

    def use_code(self, factor: EnrolledFactor, digest: str, *, now: int) -> bool:
        """Uses up one of a factor's codes; False if there is no such code any more."""
        values = {":code": {"S": digest}, ":codes": {"SS": [digest]}, ":now": {"N": str(now)}}
        return self._update(factor, "DELETE codes :codes SET last_used_at = :now", "contains(codes, :code)", values)

    def update_record(self, factor: EnrolledFactor, record: str, *, now: int) -> bool:
        """What is kept of a factor after it was used; False if it is gone."""
        values = {":record": {"S": record}, ":now": {"N": str(now)}}
        update = "SET factor_record = :record, last_used_at = :now"
        return self._update(factor, update, "attribute_exists(pk)", values)

    def _update(self, factor: EnrolledFactor, update: str, condition: str, values: dict[str, Any]) -> bool:
        """Changes a factor's item; a call whose answer was lost, and which was sent again, knows its own work."""
        attempt_id = attempt()
        try:
            conditionally(
                self._client,
                "UpdateItem",
                TableName=self._users,
                Key=factor_key(factor.uid, factor.entry),
                UpdateExpression=f"{update}, used_by = :ours",
                ConditionExpression=condition,
                ExpressionAttributeValues={**values, ":ours": attempt_id},
            )
        except ConditionFailed as failed:
            return failed.item is not None and failed.item.get("used_by") == attempt_id
        return True

    def _items(self, uid: str, kind: str) -> list[Item]:
        pages = self._client.pages(
            "Query",
            TableName=self._users,
            KeyConditionExpression="pk = :user AND begins_with(sk, :factor)",
            ExpressionAttributeValues={
                ":user": {"S": f"user#{uid}"},
                ":factor": {"S": f"factor#{kind}#" if kind else "factor#"},
            },
            ConsistentRead=True,
        )
        return [item for page in pages for item in page["Items"]]
