from collections.abc import Mapping, Sequence
from typing import Any

from ...domain.accounts import attributes as user_attributes
from ...domain.accounts import passwords
from ...domain.accounts.model import Session, User
from ...domain.errors import InvalidToken
from ...services import Services, Write
from ..authentication import enrolment
from ..authentication.factors import password as password_factor
from ..platform import audit, limits, mails
from ..platform.attributes import all_of, definitions
from ..sessions import back_channel
from . import password_rules


def change_profile(
    svc: Services, user: User, values: Mapping[str, str], *, attributes: Mapping[str, Any] | None = None
) -> User:
    """The account with these members of its profile, `name` or claims about its user, and these of its attributes.

    "" takes a member away, None an attribute; raises InvalidRequest for an attribute that is not the person's to say.
    """
    stored = user_attributes.changes(attributes or {}, definitions(svc), by_person=True)
    changed = svc.users.change_profile(user.uid, values, now=svc.now(), attributes=stored)
    if changed is None:
        raise InvalidToken(reason="account deleted", uid=user.uid)
    return changed


def set_attributes(svc: Services, user: User, values: Mapping[str, Any]) -> User | None:
    """The account with these attributes, at an administrator's word; None if it is gone. None takes an attribute away.

    Raises InvalidRequest for what is not declared, or of another kind.
    """
    stored = user_attributes.changes(values, definitions(svc), by_person=False)
    return svc.users.change_profile(user.uid, {}, now=svc.now(), attributes=stored)


def attributes(svc: Services, user: User) -> dict[str, user_attributes.Value]:
    """What the deployment keeps of a user, as it is declared by now."""
    return all_of(svc, user)


def change_password(
    svc: Services, user: User, keep: Session, *, current_password: str, new_password: str, network: str, language: str
) -> None:
    """A new password; every session but this one ends with the old one, and the clients and the owner are notified.

    Raises InvalidCredentials, WeakPassword, TooManyRequests.
    """
    passwords.check_length(new_password)
    spent = password_factor.reauthenticate(svc, user, current_password, network=network)
    with limits.give_back_if_refused(svc, spent):
        hashed = password_rules.hash_next(svc, user, new_password)
        limits.password_change(svc, user)
    refund = svc.attempts.refund(spent, now=svc.now())
    _commit_password(svc, user, keep, hashed, network=network, language=language, optional=[refund])


def set_password_after_login(
    svc: Services, user: User, keep: Session, *, new_password: str, network: str, language: str
) -> None:
    """The same for who has just logged in with all factors, in the place of the current password, which there may not be.

    Raises LoginRequired, WeakPassword, TooManyRequests.
    """
    enrolment.check_fresh(svc, user, keep, auth_time=keep.auth_time)
    passwords.check_length(new_password)
    limits.reset_confirmation(svc, user)
    hashed = password_rules.hash_next(svc, user, new_password)
    limits.password_change(svc, user)
    _commit_password(svc, user, keep, hashed, network=network, language=language)


def _commit_password(
    svc: Services,
    user: User,
    keep: Session,
    hashed: str,
    *,
    network: str,
    language: str,
    optional: Sequence[Write] = (),
) -> None:
    remembered = password_rules.remembered_hashes(svc, user)
    change = svc.users.password_change(user, password_hash=hashed, keep=keep, remembered=remembered)
    notice = back_channel.other_sessions_ended(svc, user, keep, network=network)
    mail = mails.mail(svc, password_rules.CHANGED, user, language=language)
    events = [audit.event(svc, password_rules.CHANGED, session=keep.session_id)]
    audit.commit_or_unavailable(svc, user.uid, events, change, notice, *mail, optional=optional)
