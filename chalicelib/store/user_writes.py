"""What a transaction writes of an account."""

from typing import Any

from ..domain.accounts.model import User
from .user_items import (
    PENDING_ADDRESS,
    address_history,
    as_read,
    pending_address,
    same_pending_address,
    user_key,
    with_same_factors,
)


def address_change(users: str, user: User, changed: User) -> dict[str, Any]:
    """Another address of an account and what changes with it, while it is as it was read."""
    part = {"TableName": users, **as_read(user)}
    values = {
        "email": {"S": changed.email},
        "email_verified": {"BOOL": changed.email_verified},
        "token_version": {"N": str(changed.token_version)},
        **address_history(changed),
    }
    if changed.password_hash != user.password_hash:  # else a stronger hash of the same may be written meanwhile
        values["password_hash"] = {"S": changed.password_hash}
    gone = f"email_problem, {PENDING_ADDRESS}"
    gone += "" if changed.previous_email else ", previous_email, previous_email_until"
    gone += "" if changed.delete_after else ", delete_after"
    # Whoever ends all sessions has looked at the factors: none may have come since.
    ends_sessions = changed.token_version != user.token_version
    same, same_values = with_same_factors(user) if ends_sessions or changed.factors != user.factors else ("", {})
    if changed.factors != user.factors and changed.factors:
        values["factors"] = {"SS": sorted(changed.factors)}
    elif changed.factors != user.factors:
        gone += ", factors"
    part["UpdateExpression"] = f"SET {', '.join(f'{name} = :new_{name}' for name in values)} REMOVE {gone}"
    part["ConditionExpression"] += " AND email = :email AND " + (
        "email_changed_at = :changed_at" if user.email_changed_at else "attribute_not_exists(email_changed_at)"
    )
    # One that was taken back, or gave way to another one, since this one was read is not to come after all.
    pending, pending_values = same_pending_address(user)
    part["ConditionExpression"] += f" AND {pending}" + (f" AND {same}" if same else "")
    part["ExpressionAttributeValues"] |= {
        **same_values,
        **pending_values,
        ":email": {"S": user.email},
        **({":changed_at": {"N": str(user.email_changed_at)}} if user.email_changed_at else {}),
        **{f":new_{name}": value for name, value in values.items()},
    }
    return {"Update": part}


def email_change_request(users: str, user: User, waiting: User) -> dict[str, Any]:
    """An address that waits to be confirmed in the place of any before, while the account is as it was read."""
    values = pending_address(waiting)
    part = {"TableName": users, **as_read(user)}
    part["UpdateExpression"] = f"SET {', '.join(f'{name} = :new_{name}' for name in values)}"
    part["ConditionExpression"] += " AND email = :email"
    part["ExpressionAttributeValues"] |= {
        ":email": {"S": user.email},
        **{f":new_{name}": value for name, value in values.items()},
    }
    return {"Update": part}


def email_change_withdrawal(users: str, user: User, now: int) -> dict[str, Any]:
    """No address waits any more, if it is the one that was read; what was mailed to it is good for nothing."""
    same, values = same_pending_address(user)
    withdrawal = {
        "TableName": users,
        "Key": user_key(user.uid),
        "UpdateExpression": "SET pending_email_until = :now REMOVE pending_email, pending_email_version",
        "ConditionExpression": f"attribute_exists(pk) AND {same}",
        "ExpressionAttributeValues": {":now": {"N": str(now)}, **values},
    }
    return {"Update": withdrawal}


def new_password(user: User, password_hash: str, remembered: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """The change to another password, with its values; the hashes before it that are kept."""
    change, values = "password_hash = :new", {":new": {"S": password_hash}}
    if remembered == user.previous_password_hashes:
        return change, values
    kept = {":remembered": {"L": [{"S": stored} for stored in remembered]}}
    return f"{change}, previous_password_hashes = :remembered", {**values, **kept}


def deletion_request(users: str, user: User, delete_after: int) -> dict[str, Any]:
    """The time from which on an account is erased, and the end of its sessions, while it is as it was read."""
    part = {"TableName": users, **as_read(user)}
    part["UpdateExpression"] = "SET delete_after = :after, token_version = :next"
    part["ExpressionAttributeValues"] |= {
        ":after": {"N": str(delete_after)},
        ":next": {"N": str(user.token_version + 1)},
    }
    return {"Update": part}


def deletion_withdrawal(users: str, user: User) -> dict[str, Any]:
    """No such time any more, while it is there and the account is as it was read."""
    part = {"TableName": users, **as_read(user), "UpdateExpression": "REMOVE delete_after"}
    part["ConditionExpression"] += " AND delete_after = :after"
    part["ExpressionAttributeValues"] |= {":after": {"N": str(user.delete_after)}}
    return {"Update": part}


def deletion(users: str, user: User) -> dict[str, Any]:
    """The end of an account, while it is as it was read, and still to be erased if it was to be."""
    same, values = with_same_factors(user)
    same_end = "delete_after = :after" if user.delete_after else "attribute_not_exists(delete_after)"
    part = {
        "TableName": users,
        "Key": user_key(user.uid),
        # Of an account that has another address by now that one would be left behind, and be nobody's for ever.
        "ConditionExpression": f"token_version = :version AND email = :email AND {same_end} AND {same}",
        "ExpressionAttributeValues": {
            ":version": {"N": str(user.token_version)},
            ":email": {"S": user.email},
            **({":after": {"N": str(user.delete_after)}} if user.delete_after else {}),
            **values,
        },
    }
    return {"Delete": part}
