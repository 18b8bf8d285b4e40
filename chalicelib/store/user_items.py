"""An account's profile as DynamoDB has it; what was written once can be read for ever."""

from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

from ..domain.accounts import attributes
from ..domain.accounts.model import Session, User
from ..domain.accounts.profile import CLAIMS
from ..domain.errors import UnreadableRecord
from .dynamo import Item, key
from .items import VERSION, reader

PENDING_ADDRESS = "pending_email, pending_email_until, pending_email_version"
ATTRIBUTE = "attribute#"  # before the name of one, so that it is none of the profile's own

# The ids of the accounts that are read, where somebody wants to know which are there.
accounts_read: ContextVar[set[str] | None] = ContextVar("accounts_read", default=None)


def user_key(uid: str) -> dict[str, Any]:
    """The key of a user's profile."""
    return key(("user", uid), ("profile",))


def session_key(uid: str, session_id: str) -> dict[str, Any]:
    """The key of one session of a user."""
    return key(("user", uid), ("grant", session_id))


def as_read(owner: User | Session) -> dict[str, Any]:
    """The condition that a user is there, not disabled, and has ended no sessions since they or a session were read."""
    return {
        "Key": user_key(owner.uid),
        "ConditionExpression": "token_version = :version AND disabled = :false",
        "ExpressionAttributeValues": {":version": {"N": str(owner.token_version)}, ":false": {"BOOL": False}},
    }


def with_same_factors(user: User) -> tuple[str, dict[str, Any]]:
    """The condition that a user's factors are those that they had when they were read, with its values."""
    if not user.factors:
        return "attribute_not_exists(factors)", {}
    values = {f":factor{place}": {"S": entry} for place, entry in enumerate(sorted(user.factors))}
    each = " AND ".join(f"contains(factors, {name})" for name in values)
    return f"size(factors) = :factors AND {each}", {":factors": {"N": str(len(user.factors))}, **values}


def to_item(user: User) -> dict[str, Any]:
    """A user as it is stored; what was written once can be read for ever."""
    return {
        **user_key(user.uid),
        **VERSION,
        "email": {"S": user.email},
        "name": {"S": user.name},
        "password_hash": {"S": user.password_hash},
        "token_version": {"N": str(user.token_version)},
        "created_at": {"N": str(user.created_at)},
        "email_verified": {"BOOL": user.email_verified},
        "disabled": {"BOOL": user.disabled},
        "roles": {"L": [{"S": role} for role in user.roles]},
        **{name: {"S": value} for name, value in user.claims.items()},
        **({"updated_at": {"N": str(user.updated_at)}} if user.updated_at else {}),
        **{f"{ATTRIBUTE}{name}": {"S": attributes.encode(value)} for name, value in user.attributes.items()},
        **address_history(user),
        **pending_address(user),
        **password_history(user.previous_password_hashes),
        **({"factors": {"SS": sorted(user.factors)}} if user.factors else {}),  # DynamoDB has no empty sets
        **({"email_problem": {"S": user.email_problem}} if user.email_problem else {}),
        **({"guest": {"BOOL": True}} if user.guest else {}),
        **({"delete_after": {"N": str(user.delete_after)}} if user.delete_after else {}),
    }


def address_history(user: User) -> dict[str, Any]:
    """What is stored of when the address changed, and of the one before."""
    changed = {"email_changed_at": {"N": str(user.email_changed_at)}} if user.email_changed_at else {}
    if not user.previous_email:
        return changed
    until = {"N": str(user.previous_email_until)}
    return {**changed, "previous_email": {"S": user.previous_email}, "previous_email_until": until}


def pending_address(user: User) -> dict[str, Any]:
    """What is stored of an address that waits to be confirmed, and of one that does not wait any more."""
    until = {"pending_email_until": {"N": str(user.pending_email_until)}} if user.pending_email_until else {}
    if not user.pending_email:
        return until
    version = {"N": str(user.pending_email_version)}
    return {**until, "pending_email": {"S": user.pending_email}, "pending_email_version": version}


def same_pending_address(user: User) -> tuple[str, dict[str, Any]]:
    """The condition that the address that waits is the one that was read, with its values."""
    if not user.pending_email:
        return "attribute_not_exists(pending_email)", {}
    return "pending_email = :pending", {":pending": {"S": user.pending_email}}


def password_history(hashes: tuple[str, ...]) -> dict[str, Any]:
    """What is stored of the passwords before."""
    return {"previous_password_hashes": {"L": [{"S": stored} for stored in hashes]}} if hashes else {}


@reader("profile")
def from_item(item: Item) -> User:
    """The user in a stored item, noted in `accounts_read`."""
    uid, read = item["pk"]["S"].partition("#")[2], accounts_read.get()
    if read is not None:
        read.add(uid)
    return User(
        uid=uid,
        email=item["email"]["S"],
        name=item["name"]["S"],
        password_hash=item["password_hash"]["S"],
        token_version=int(item["token_version"]["N"]),
        created_at=int(item["created_at"]["N"]),
        email_verified=item["email_verified"]["BOOL"],
        disabled=item["disabled"]["BOOL"],
        roles=tuple(role["S"] for role in item["roles"]["L"]),
        claims={name: item[name]["S"] for name in CLAIMS if name in item},
        attributes=_attributes(item),
        updated_at=_number(item, "updated_at"),
        email_changed_at=_number(item, "email_changed_at"),
        previous_email=item["previous_email"]["S"] if "previous_email" in item else "",
        previous_email_until=_number(item, "previous_email_until"),
        pending_email=item["pending_email"]["S"] if "pending_email" in item else "",
        pending_email_until=_number(item, "pending_email_until"),
        pending_email_version=_number(item, "pending_email_version"),
        previous_password_hashes=tuple(each["S"] for each in item.get("previous_password_hashes", {"L": []})["L"]),
        factors=frozenset(item["factors"]["SS"] if "factors" in item else ()),
        email_problem=item["email_problem"]["S"] if "email_problem" in item else "",
        guest="guest" in item,
        delete_after=_number(item, "delete_after"),
    )


def _attributes(item: Item) -> dict[str, attributes.Value]:
    stored = {name: value["S"] for name, value in item.items() if name.startswith(ATTRIBUTE)}
    values = {name.removeprefix(ATTRIBUTE): attributes.decode(text) for name, text in stored.items()}
    return {name: value for name, value in values.items() if value is not None}


def _number(item: Item, name: str) -> int:
    return int(item[name]["N"]) if name in item else 0


def readable(items: Iterable[Item]) -> Iterator[User]:
    """The users in stored items, without those of another release: they are in no other's way, and that one reads them."""
    for item in items:
        try:
            user = from_item(item)
        except UnreadableRecord:
            continue
        yield user
