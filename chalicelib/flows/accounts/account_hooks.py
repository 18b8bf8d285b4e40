"""What the operator's own functions are asked and told of accounts."""

from typing import TYPE_CHECKING

from ...domain.accounts.model import User
from ...services import Services
from ..platform import hooks

if TYPE_CHECKING:
    from ...hooks import AddressTaken, NewAccount, SignUp


def before_sign_up(svc: Services, *, address: str, name: str, network: str) -> None:
    """Asks whether somebody may have an account, a guest's where there is no address; raises Refused."""

    def event(event_id: str) -> "SignUp":
        from ...hooks import SignUp

        return SignUp(id=event_id, email=address, name=name, network=network, guest=not address)

    hooks.check(svc, "before_sign_up", event)


def after_sign_up(svc: Services, user: User) -> None:
    """Tells of a new account."""
    hooks.after(svc, "after_sign_up", lambda event_id: _account(event_id, user))


def after_upgrade(svc: Services, user: User) -> None:
    """Tells that a guest has an address now."""
    hooks.after(svc, "after_upgrade", lambda event_id: _account(event_id, user))


def address_taken(svc: Services, user: User, *, other_uid: str, email_verified: bool) -> None:
    """Tells that another account has the address that a guest was to have."""

    def event(event_id: str) -> "AddressTaken":
        from ...hooks import AddressTaken

        return AddressTaken(id=event_id, user=hooks.as_user(user), other_uid=other_uid, email_verified=email_verified)

    hooks.after(svc, "address_taken", event)


def _account(event_id: str, user: User) -> "NewAccount":
    from ...hooks import NewAccount

    return NewAccount(id=event_id, user=hooks.as_user(user))
