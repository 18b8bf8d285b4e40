"""What an operator does to somebody's account, by `./latchkey users`. Its user finds each of it in their activity."""

from collections.abc import Mapping
from typing import Any

from ...domain.accounts.events import OPERATOR, Event
from ...domain.accounts.model import User
from ...services import Services
from ..platform import audit
from ..sessions import back_channel
from . import account


def verify_email(svc: Services, user: User) -> User | None:
    """The account with its address verified at an operator's word; None if it is gone, or has another address by now."""
    return _noted(svc, svc.users.verify_email(user), audit.event(svc, "email_verified", by=OPERATOR))


def set_roles(svc: Services, user: User, roles: tuple[str, ...]) -> User | None:
    """The account with these roles and no others, which its next tokens have; None if it is gone."""
    return _noted(svc, svc.users.set_roles(user.uid, roles=roles), audit.event(svc, "roles_changed", by=OPERATOR))


def set_attributes(svc: Services, user: User, values: Mapping[str, Any]) -> User | None:
    """The account with these attributes; None if it is gone. Raises InvalidRequest for what is not declared."""
    return _noted(svc, account.set_attributes(svc, user, values), audit.event(svc, "attributes_changed", by=OPERATOR))


def disable(svc: Services, user: User) -> bool:
    """Closes an account to logins, ends its sessions and has the clients notified; False if it is gone."""
    event = audit.event(svc, "account_disabled", by=OPERATOR)
    notice = back_channel.all_sessions_ended(svc, user, network="")
    return audit.commit(svc, user.uid, [event], svc.users.disabling(user.uid), notice) is None


def _noted(svc: Services, changed: User | None, event: Event) -> User | None:
    if changed:
        audit.record(svc, changed.uid, event)
    return changed
