"""Accounts whose address nobody has verified for days: erased, so that nobody keeps an address that is not theirs."""

from collections.abc import Iterator

from ...domain.accounts.model import User
from ...services import Services
from . import account, email_change


def erase_unverified(svc: Services) -> Iterator[User]:
    """Erases them one by one, and gives each that is gone; none where the deployment does not want that."""
    if not svc.settings.unverified_account_seconds:
        return
    for user in svc.users.unverified(before=svc.now() - svc.settings.unverified_account_seconds):
        if _erase(svc, user):
            yield user


def _erase(svc: Services, user: User) -> bool:
    svc.clients.delete_consents(user.uid)  # before, so that none is left behind should the next fail
    freed = email_change.reservation_end(svc, user)
    deletion = svc.users.unverified_deletion(user)
    # The sessions are not ended before: of one whose address is verified in this moment they stay.
    if svc.transactions.commit(deletion, svc.factors.deletion(user), optional=freed) is not None:
        return False
    account.sweep(svc, user, freed)
    return True
