"""Accounts that a job erases: whose address nobody has verified for days, and whose owners wanted that days ago."""

from collections.abc import Callable, Iterable, Iterator

from ...domain.accounts import email
from ...domain.accounts.events import SERVER
from ...domain.accounts.model import User
from ...domain.errors import LatchkeyError
from ...services import Services
from ..platform import limits, log
from . import deletion


def erase_unverified(svc: Services) -> Iterator[User]:
    """Erases them one by one, and gives each that is gone; none where the deployment does not want that.

    So nobody keeps an address that is not theirs.
    """
    if not svc.settings.unverified_account_seconds:
        return
    before = svc.now() - svc.settings.unverified_account_seconds
    yield from _erase_each(svc, svc.users.unverified(before=before), _erase_unverified)


def _erase_each(svc: Services, users: Iterable[User], erase: Callable[[Services, User], bool]) -> Iterator[User]:
    """Those that are gone. One that cannot be erased is in nobody's way: its failure is raised after all the others."""
    failures: list[Exception] = []
    for user in users:
        try:
            gone = erase(svc, user)
        except Exception as failure:
            reason = failure.reason if isinstance(failure, LatchkeyError) else ""
            line = {
                "level": "error",
                "failure": "not erased",
                "uid": user.uid,
                "reason": reason or type(failure).__name__,
            }
            log.write_line(line)
            failures.append(failure)
            continue
        if gone:
            yield user
    if failures:
        raise failures[0]  # so that the function is called again


def _erase_unverified(svc: Services, user: User) -> bool:
    svc.clients.delete_consents(user.uid)  # before, so that none is left behind should the next fail
    stored = svc.sessions.readable_of_user(user.uid)
    # The sessions are not ended before: of one whose address is verified in this moment they stay.
    messages = deletion.notices(svc, user, stored, network=limits.OPERATORS)
    write = svc.users.unverified_deletion(user)
    return deletion.erase(
        svc,
        user,
        write,
        *messages,
        notified=stored,
        network=limits.OPERATORS,
        reason=deletion.UNVERIFIED,
        by=SERVER,
    )


def erase_scheduled(svc: Services) -> Iterator[User]:
    """Erases accounts whose owners wanted that, and have not logged in since, and gives each that is gone."""
    yield from _erase_each(svc, svc.users.to_be_deleted(now=svc.now()), _erase_scheduled)


def _erase_scheduled(svc: Services, user: User) -> bool:
    write = svc.users.deletion(user, canonical_email=email.canonical(user.email))
    mail = deletion.mail_of_end(svc, user, language=user.claims.get("locale", ""))
    # Its sessions have ended, and their clients know. They go after it: a login in this moment takes it back.
    return deletion.erase(svc, user, write, *mail, network=limits.OPERATORS, reason=deletion.BY_USER, by=SERVER)
