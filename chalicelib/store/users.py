from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from ..domain.accounts import email
from ..domain.accounts.model import Session, User
from . import addresses, user_writes
from .aws.client import AwsClient
from .dynamo import ConditionFailed, conditionally
from .transactions import Write
from .user_items import ATTRIBUTE, as_read, from_item, readable, session_key, to_item, user_key, with_same_factors

# Whoever shows that they read an address's mail shows as well that it arrives.
VERIFIED = "SET email_verified = :true REMOVE email_problem"


class Users:
    """Accounts and their e-mail addresses. Whatever could race is one conditional write."""

    def __init__(self, client: AwsClient, *, users: str, grants: str) -> None:
        self._client = client
        self._users = users
        self._grants = grants

    def find(self, canonical_email: str) -> str | None:
        """The uid of the account with this canonical address, which may be any text."""
        try:
            address = addresses.address_key(canonical_email)
        except ValueError:
            # Folding can make a text eighteen times as long, longer than any key.
            return None
        answer = self._client.call("GetItem", TableName=self._users, Key=address, ConsistentRead=True)
        return addresses.uid_of(answer["Item"]) if "Item" in answer else None

    def is_free(self, canonical_email: str, *, now: int) -> bool:
        """Whether an account can have this canonical address: no other has it, or has it reserved."""
        address = addresses.address_key(canonical_email)
        answer = self._client.call("GetItem", TableName=self._users, Key=address, ConsistentRead=True)
        return "Item" not in answer or addresses.is_over(answer["Item"], now=now)

    def read(self, uid: str) -> User | None:
        """One account, as of now."""
        answer = self._client.call("GetItem", TableName=self._users, Key=user_key(uid), ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None

    def creation(self, user: User, *, canonical_email: str) -> Write:
        """A new account and its address, which must not be taken."""
        new = {"ConditionExpression": "attribute_not_exists(pk)"}
        return Write(
            (
                addresses.claim(self._users, canonical_email, user.uid, now=user.created_at),
                {"Put": {"TableName": self._users, "Item": to_item(user), **new}},
            )
        )

    def change_profile(
        self, uid: str, values: Mapping[str, str], *, now: int, attributes: Mapping[str, str] | None = None
    ) -> User | None:
        """The account with these members of its profile, `name` or claims, and these attributes as they are stored.

        "" takes one away; None if the account is gone.
        """
        texts = {**values, **{f"{ATTRIBUTE}{name}": text for name, text in (attributes or {}).items()}}
        names = {f"#member{place}": name for place, name in enumerate(texts)}
        gone = [place for place, name in names.items() if not texts[name] and name != "name"]
        kept = {place: texts[name] for place, name in names.items() if place not in gone}
        change = ", ".join([*(f"{place} = :{place[1:]}" for place in kept), "updated_at = :now"])
        update = f"SET {change}" + (f" REMOVE {', '.join(gone)}" if gone else "")
        new = {":now": {"N": str(now)}, **{f":{place[1:]}": {"S": text} for place, text in kept.items()}}
        return self._alone(self._update(uid, update, new, names=names))

    def disable(self, uid: str) -> User | None:
        """`disabling` by itself: the account as it leaves it, None if it is gone or disabled."""
        return self._alone(self.disabling(uid))

    def disabling(self, uid: str) -> Write:
        """The account closed to logins and all its sessions ended, if it is there and not disabled."""
        values = {":true": {"BOOL": True}, ":false": {"BOOL": False}, ":one": {"N": "1"}}
        return self._update(uid, "SET disabled = :true ADD token_version :one", values, condition="disabled = :false")

    def presence(self, uid: str) -> Write:
        """That a user is there, for what is written of one."""
        condition = {"ConditionExpression": "attribute_exists(pk)"}
        return Write(({"ConditionCheck": {"TableName": self._users, "Key": user_key(uid), **condition}},))

    def verify_email(self, user: User) -> User | None:
        """`email_verification` by itself: the account as it leaves it, None if it is gone or has another address by now."""
        return self._alone(self.email_verification(user))

    def note_email_problem(self, user: User, problem: str) -> User | None:
        """The account with what became of a mail to its address; None if it is gone, or has another address by now."""
        values = {":problem": {"S": problem}, ":email": {"S": user.email}}
        return self._alone(self._update(user.uid, "SET email_problem = :problem", values, condition="email = :email"))

    def email_verification(self, user: User) -> Write:
        """The account's e-mail address verified, while it is that address."""
        values = {":true": {"BOOL": True}, ":email": {"S": user.email}}
        return self._update(user.uid, VERIFIED, values, condition="email = :email")

    def address_change(self, user: User, changed: User) -> Write:
        """Another address of an account, with what else changes by that, while the account is as it was read.

        Nobody may have that address. The one before stays reserved if it is the previous one, else it is free.
        """
        old, new, kept = (email.canonical(each) for each in (user.email, changed.email, changed.previous_email))
        parts = [user_writes.address_change(self._users, user, changed)]
        if old != new:
            until = changed.previous_email_until
            parts += [
                addresses.claim(self._users, new, user.uid, now=changed.email_changed_at),
                addresses.reservation(self._users, old, user.uid, until=until)
                if old == kept
                else addresses.deletion(self._users, old, user.uid),
            ]
        return Write(tuple(parts))

    def email_change_request(self, user: User, waiting: User) -> Write:
        """The account with an address that waits to be confirmed, in the place of any before, while it is as it was read."""
        return Write((user_writes.email_change_request(self._users, user, waiting),))

    def email_change_withdrawal(self, user: User, *, now: int) -> Write:
        """No address waits any more, if it is the one that was read."""
        return Write((user_writes.email_change_withdrawal(self._users, user, now),))

    def reservation_end(self, user: User) -> Write:
        """The previous address is free, if it is reserved for this account."""
        canonical = email.canonical(user.previous_email)
        return Write((addresses.deletion(self._users, canonical, user.uid, reserved=True),))

    def set_roles(self, uid: str, *, roles: tuple[str, ...]) -> User | None:
        """The account with these roles and no others, which its next tokens have; None if it is gone."""
        values = {":roles": {"L": [{"S": role} for role in roles]}}
        return self._alone(self._update(uid, "SET #roles = :roles", values, names={"#roles": "roles"}))

    def rehash(self, user: User, *, password_hash: str) -> None:
        """A stronger hash of the same password, unless the password has changed meanwhile."""
        with suppress(ConditionFailed):
            conditionally(
                self._client,
                "UpdateItem",
                TableName=self._users,
                Key=user_key(user.uid),
                UpdateExpression="SET password_hash = :new",
                ConditionExpression="password_hash = :old",
                ExpressionAttributeValues={":new": {"S": password_hash}, ":old": {"S": user.password_hash}},
            )

    def password_change(
        self, user: User, *, password_hash: str, keep: Session, remembered: tuple[str, ...] = ()
    ) -> Write:
        """A new password, with every session but one ended, while the account and that session are as they were read.

        The hashes that are `remembered` are kept beside it, and no others.
        """
        change, values = user_writes.new_password(user, password_hash, remembered)
        return self._move_on(user, keep, f"SET {change}", values)

    def password_reset(self, user: User, *, password_hash: str, remembered: tuple[str, ...] = ()) -> Write:
        """A new password by the mail to an address, which is verified by that, and every session ended.

        While the account is as it was read, and has that address. Of one that was not verified the factors go as well.
        """
        change, values = user_writes.new_password(user, password_hash, remembered)
        same, factors = ("email_verified = :true", {}) if user.email_verified else with_same_factors(user)
        update = f"SET {change}, token_version = :next, {VERIFIED.removeprefix('SET ')}"
        values = {**values, **factors, ":true": {"BOOL": True}}
        return self._recovered(user, update if user.email_verified else f"{update}, factors", values, same)

    def first_proof(self, user: User) -> Write:
        """The address verified by its reader, for the first time: password and further factors are nobody's, no session lasts.

        While the account is as it was read, its factors too, and its address is that one and not yet verified.
        """
        same, factors = with_same_factors(user)
        verified = f"token_version = :next, {VERIFIED.removeprefix('SET ')}, factors, previous_password_hashes"
        values = {":none": {"S": ""}, ":true": {"BOOL": True}, **factors}
        return self._recovered(
            user, f"SET password_hash = :none, {verified}", values, f"email_verified = :false AND {same}"
        )

    def password_recovery(
        self, user: User, *, password_hash: str, without_factors: bool, remembered: tuple[str, ...] = ()
    ) -> Write:
        """A new password at an operator's word, which proves no address, and every session ended.

        While the account is as it was read, and has that address; with the same factors where those go.
        """
        change, values = user_writes.new_password(user, password_hash, remembered)
        update = f"SET {change}, token_version = :next"
        if not without_factors:
            return self._recovered(user, update, values)
        same, factors = with_same_factors(user)
        return self._recovered(user, f"{update} REMOVE factors", {**values, **factors}, same)

    def _recovered(self, user: User, update: str, values: dict[str, Any], condition: str = "") -> Write:
        part = {"TableName": self._users, **as_read(user), "UpdateExpression": update}
        part["ConditionExpression"] += " AND email = :email" + (f" AND {condition}" if condition else "")
        next_version = {":next": {"N": str(user.token_version + 1)}}
        part["ExpressionAttributeValues"] |= {":email": {"S": user.email}, **next_version, **values}
        return Write(({"Update": part},))

    def end_of_other_sessions(self, user: User, *, keep: Session) -> Write:
        """Every session but one ended, while the account and that session are as they were read."""
        return self._move_on(user, keep, "", {})

    def deletion_request(self, user: User, *, delete_after: int) -> Write:
        """The account to be erased from a time on, and all its sessions ended, while it is as it was read."""
        return Write((user_writes.deletion_request(self._users, user, delete_after),))

    def deletion_withdrawal(self, user: User) -> Write:
        """The account not to be erased, while that is so still, and it is as it was read."""
        return Write((user_writes.deletion_withdrawal(self._users, user),))

    def deletion(self, user: User, *, canonical_email: str, last: Session | None = None) -> Write:
        """The account, its address and its last session erased, while the account is as it was read."""
        address = [addresses.deletion(self._users, canonical_email, user.uid)] if canonical_email else []
        session = {"TableName": self._grants, "Key": session_key(last.uid, last.session_id)} if last else {}
        account = user_writes.deletion(self._users, user)
        return Write((account, *address, *([{"Delete": session}] if session else [])))

    def to_be_deleted(self, *, now: int) -> Iterator[User]:
        """All accounts whose time has come that their owners gave them; for a job, and on no request's path."""
        pages = self._client.pages(
            "Scan",
            TableName=self._users,
            FilterExpression="sk = :profile AND delete_after <= :now",
            ExpressionAttributeValues={":profile": {"S": "profile"}, ":now": {"N": str(now)}},
        )
        return readable(item for page in pages for item in page["Items"])

    def unverified(self, *, before: int) -> Iterator[User]:
        """All accounts whose address nobody has verified since before a time; for a job, and on no request's path.

        A guest's counts from when it had one. Not those without an address, disabled, or with roles that an operator gave.
        """
        pages = self._client.pages(
            "Scan",
            TableName=self._users,
            FilterExpression="sk = :profile AND email_verified = :false AND disabled = :false AND created_at < :before",
            ExpressionAttributeValues={
                ":profile": {"S": "profile"},
                ":false": {"BOOL": False},
                ":before": {"N": str(before)},
            },
        )
        users = readable(item for page in pages for item in page["Items"])
        return (user for user in users if user.email and not user.roles and user.email_changed_at < before)

    def unverified_deletion(self, user: User) -> Write:
        """The account and its address erased, while it is as it was read and its address is not verified."""
        same, values = with_same_factors(user)
        account = {"TableName": self._users, **as_read(user)}
        account["ConditionExpression"] += f" AND email = :email AND email_verified = :false AND {same}"
        account["ExpressionAttributeValues"] |= {":email": {"S": user.email}, **values}
        address = addresses.deletion(self._users, email.canonical(user.email), user.uid)
        return Write(({"Delete": account}, address))

    def _move_on(self, user: User, keep: Session, change: str, values: dict[str, Any]) -> Write:
        version = {":version": {"N": str(user.token_version)}, ":next": {"N": str(user.token_version + 1)}}
        parts = (
            {
                "Update": {
                    "TableName": self._users,
                    "Key": user_key(user.uid),
                    "UpdateExpression": (f"{change}, " if change else "SET ") + "token_version = :next",
                    "ConditionExpression": "token_version = :version AND disabled = :false",
                    "ExpressionAttributeValues": {**version, **values, ":false": {"BOOL": False}},
                }
            },
            {
                "Update": {
                    "TableName": self._grants,
                    "Key": session_key(keep.uid, keep.session_id),
                    "UpdateExpression": "SET token_version = :next",
                    "ConditionExpression": "token_version = :version AND attribute_not_exists(ended)",
                    "ExpressionAttributeValues": version,
                }
            },
        )
        return Write(parts)

    def _update(
        self,
        uid: str,
        update: str,
        values: dict[str, Any],
        *,
        names: dict[str, str] | None = None,
        condition: str = "attribute_exists(pk)",
    ) -> Write:
        part = {
            "TableName": self._users,
            "Key": user_key(uid),
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
            **({"ExpressionAttributeNames": names} if names else {}),
        }
        return Write(({"Update": part},))

    def _alone(self, write: Write) -> User | None:
        """The account as a write of its own item leaves it, which is written at once; None if its condition does not hold."""
        (part,) = write.parts
        try:
            answer = conditionally(self._client, "UpdateItem", **part["Update"], ReturnValues="ALL_NEW")
        except ConditionFailed:
            return None
        return from_item(answer["Attributes"])
