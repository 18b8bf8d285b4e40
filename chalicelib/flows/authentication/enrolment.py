"""The further factors of an account: listed, named, added and removed by its owner, who has just logged in.

Whoever adds or removes one is in a session of the account's own level, so that a password alone changes none of them.
"""

from collections.abc import Iterable
from dataclasses import replace

from ...domain.accounts.model import EnrolledFactor, Session, User
from ...domain.errors import LastFactor, LoginRequired, NotFound, TemporarilyUnavailable
from ...services import Services
from ..platform import mails
from . import policy
from .factors import FACTORS

ADDED, REMOVED = "factor_added", "factor_removed"
RECOVERY_CODES = "recovery_code"


def list_factors(svc: Services, user: User) -> list[EnrolledFactor]:
    """The further factors of an account, the oldest first."""
    return svc.factors.of_user(user)


def check_fresh(svc: Services, user: User, session: Session, *, auth_time: int) -> None:
    """That a session's user has just logged in, by what a login to the account takes by now; raises LoginRequired.

    `auth_time` is the login's that the access token says it has, 0 for none: one that was exchanged has the session's id, and
    not its login.
    """
    if svc.now() - auth_time > svc.settings.fresh_login_seconds:
        raise LoginRequired("This needs a fresh login.", reason="not fresh", uid=user.uid)
    if not policy.reaches_account_level(svc, user, session.amr):
        raise LoginRequired(
            "This needs a login with all factors that the account has.",
            reason="below the account's level",
            uid=user.uid,
        )


def rename(svc: Services, user: User, factor_id: str, name: str) -> None:
    """Another name for a factor, for its owner's eyes; raises NotFound."""
    factor = svc.factors.find(user, _entry(user, factor_id))
    if factor is None or not svc.factors.rename(factor, name):
        raise NotFound(uid=user.uid)


def remove(svc: Services, user: User, session: Session, factor_id: str, *, auth_time: int, language: str) -> None:
    """Takes a factor from the account, whose owner is mailed; with the last one go the recovery codes, which stand in for it.

    Raises NotFound, LoginRequired, LastFactor.
    """
    check_fresh(svc, user, session, auth_time=auth_time)
    gone = {_entry(user, factor_id)}
    if not kinds(user.factors - gone) - {RECOVERY_CODES}:
        gone = set(user.factors)
    if not _can_begin_login(svc, user, user.factors - gone):
        raise LastFactor(uid=user.uid)
    writes = (svc.factors.removal(user, sorted(gone)), svc.sessions.proof(session, amr=session.amr))
    if svc.transactions.commit(*writes, *mails.mail(svc, REMOVED, user, language=language)) is not None:
        raise TemporarilyUnavailable(reason="account changed meanwhile", uid=user.uid)


def kinds(entries: Iterable[str]) -> set[str]:
    """The kinds of what an account names."""
    return {entry.partition("#")[0] for entry in entries}


def _can_begin_login(svc: Services, user: User, entries: frozenset[str]) -> bool:
    left = replace(user, factors=entries)
    return any(factor.begins_login and factor.is_enrolled(svc, left) for factor in FACTORS.values())


def _entry(user: User, factor_id: str) -> str:
    for entry in user.factors:
        if entry.partition("#")[2] == factor_id:
            return entry
    raise NotFound(uid=user.uid)
