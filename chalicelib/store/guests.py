"""Accounts without an address. They are swept by the table's time to live, unless they have become others by then."""

from ..domain.accounts import email
from ..domain.accounts.model import User
from . import addresses
from .transactions import Write
from .user_items import PENDING_ADDRESS, as_read, same_pending_address, to_item


class Guests:
    """Guests' accounts, which are items as other users' are, with an end."""

    def __init__(self, *, users: str) -> None:
        self._users = users

    def creation(self, user: User, *, expires_at: int) -> Write:
        """A new guest, to be swept at a time: when the last of its sessions has ended, in which alone it can be used."""
        item = {**to_item(user), "expires_at": {"N": str(expires_at)}}
        condition = {"ConditionExpression": "attribute_not_exists(pk)"}
        return Write(({"Put": {"TableName": self._users, "Item": item, **condition}},))

    def promotion(self, user: User, promoted: User, *, now: int) -> Write:
        """A guest with an address from now on, which nobody may have, while the account is as it was read and a guest's."""
        part = {
            "TableName": self._users,
            **as_read(user),
            "UpdateExpression": (
                "SET email = :email, email_verified = :verified, password_hash = :hash, #name = :name, "
                f"email_changed_at = :now{', factors = :factors' if promoted.factors else ''} "
                f"REMOVE guest, expires_at, {PENDING_ADDRESS}"
            ),
            "ExpressionAttributeNames": {"#name": "name"},
        }
        same, values = same_pending_address(user)
        part["ConditionExpression"] += f" AND guest = :guest AND attribute_not_exists(factors) AND {same}"
        part["ExpressionAttributeValues"] |= {
            **values,
            ":guest": {"BOOL": True},
            ":email": {"S": promoted.email},
            ":verified": {"BOOL": promoted.email_verified},
            ":hash": {"S": promoted.password_hash},
            ":name": {"S": promoted.name},
            ":now": {"N": str(now)},
            **({":factors": {"SS": sorted(promoted.factors)}} if promoted.factors else {}),
        }
        claim = addresses.claim(self._users, email.canonical(promoted.email), user.uid, now=now)
        return Write(({"Update": part}, claim))
