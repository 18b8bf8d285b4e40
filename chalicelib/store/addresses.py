"""The addresses of accounts, `email#<canonical>/user`: each is of one account, and leads to it.

One that its account has left may stay reserved for it: it leads nowhere, and nobody else has it for that time.
"""

from typing import Any

from .dynamo import Item, escaped, key
from .items import VERSION, reader

Part = dict[str, Any]


def address_key(canonical: str) -> dict[str, Any]:
    """The key of an address; raises ValueError where it is too long to be one."""
    return key(("email", escaped(canonical)), ("user",))


@reader("address")
def uid_of(item: Item) -> str | None:
    """The account that a stored address leads to; None for one that is only reserved."""
    uid: str = item["uid"]["S"]
    return None if "reserved_until" in item else uid


@reader("address")
def _reserved_until(item: Item) -> int | None:
    return int(item["reserved_until"]["N"]) if "reserved_until" in item else None


def is_over(item: Item, *, now: int) -> bool:
    """Whether a stored address is only reserved, and not any more."""
    until = _reserved_until(item)
    return until is not None and until <= now


def claim(users: str, canonical: str, uid: str, *, now: int) -> Part:
    """The address becomes the account's, if nobody has it, and nobody else has it reserved."""
    item = {**address_key(canonical), **VERSION, "uid": {"S": uid}}
    free = "attribute_not_exists(pk) OR reserved_until <= :now OR uid = :uid"
    values = {":now": {"N": str(now)}, ":uid": {"S": uid}}
    return {
        "Put": {
            "TableName": users,
            "Item": item,
            "ConditionExpression": free,
            "ExpressionAttributeValues": values,
        }
    }


def reservation(users: str, canonical: str, uid: str, *, until: int) -> Part:
    """The address stays reserved, if it is the account's."""
    return {
        "Update": {
            "TableName": users,
            "Key": address_key(canonical),
            "UpdateExpression": "SET reserved_until = :until",
            "ConditionExpression": "uid = :uid",
            "ExpressionAttributeValues": {":uid": {"S": uid}, ":until": {"N": str(until)}},
        }
    }


def deletion(users: str, canonical: str, uid: str, *, reserved: bool = False) -> Part:
    """The address is free, if it is the account's, or reserved for it."""
    return {
        "Delete": {
            "TableName": users,
            "Key": address_key(canonical),
            "ConditionExpression": "uid = :uid" + (" AND attribute_exists(reserved_until)" if reserved else ""),
            "ExpressionAttributeValues": {":uid": {"S": uid}},
        }
    }
