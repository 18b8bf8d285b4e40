"""A change of address as those stand before it who have its mail."""

from typing import TypeVar

from chalicelib.domain.accounts.model import User
from chalicelib.domain.records.sealed import EmailChange, SealedEmailChange, SealedEmailChangeLink
from chalicelib.flows.accounts import email_change
from chalicelib.flows.platform import sealing
from chalicelib.services import Services

C = TypeVar("C", bound=EmailChange)


def change_link(svc: Services, user: User) -> str:
    """The token of the mail to a new address of an account."""
    return sealing.seal(svc, _change(user, SealedEmailChangeLink))


def change_token(svc: Services, user: User) -> tuple[str, str]:
    """What its app holds, and the code that it waits for."""
    change = _change(user, SealedEmailChange)
    return sealing.seal(svc, change), email_change.code(svc, change)


def undo_link(svc: Services, user: User) -> str:
    """The token of the mail to the address that an account had until just now."""
    user = svc.users.verify_email(user) or user
    email_change.confirm_link(svc, user, change_link(svc, user), language="en")
    changed = svc.users.read(user.uid)
    assert changed
    return email_change.undo_link(svc, changed)


def _change(user: User, kind: type[C]) -> C:
    return kind(
        uid=user.uid,
        email=user.email,
        token_version=user.token_version,
        email_changed_at=user.email_changed_at,
        new_email=f"new-{user.uid}@example.com",
    )
