"""The end of an account at its owner's word: at once, or after some days in which a login takes it back.

The clients are told by messages that have all there is to tell: nothing is left to be read when they are delivered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...domain.accounts import email
from ...domain.accounts.limits import NOTHING_SPENT, Spent
from ...domain.accounts.model import Session, User
from ...domain.errors import LoginRequired, TemporarilyUnavailable
from ...domain.records.outbox import ErasedAccount, Mail, Message
from ...services import Services, Write
from ..authentication import enrolment
from ..authentication.factors import password as password_factor
from ..platform import audit, limits, mails, outbox
from ..sessions import back_channel, remembered_devices
from . import email_change

SCHEDULED, DELETED = "deletion_scheduled", "account_deleted"
# Why an account is erased, for the log.
BY_USER, UNVERIFIED = "by its user", "never verified"
ROOM = 30  # messages in one transaction, which has 4 MB


def delete(
    svc: Services, user: User, last: Session, *, auth_time: int, password: str | None, network: str, language: str
) -> int:
    """Erases the account and all it has, or has that done later: from when on, in epoch seconds, 0 where it is gone.

    Raises LoginRequired in a session below the account's own level, to which no password raises it, and without the password
    or a login of the last minutes. A guest has neither, and nobody else has their session. `auth_time` is the login's that
    the access token says it has; 0 for none: a token that was exchanged has the session's id, and not its login. Raises
    InvalidCredentials, TooManyRequests, TemporarilyUnavailable too.
    """
    if user.guest:  # who could take nothing back
        _delete_now(svc, user, last, NOTHING_SPENT, network=network, language=language)
        return 0
    if password is None and svc.now() - auth_time > svc.settings.fresh_login_seconds:
        raise LoginRequired(uid=user.uid)
    enrolment.check_level(svc, user, last)
    spent = NOTHING_SPENT
    if password is not None:
        spent = password_factor.reauthenticate(svc, user, password, network=network)
    if svc.settings.deletion_seconds:
        return _schedule(svc, user, spent, network=network, language=language)
    _delete_now(svc, user, last, spent, network=network, language=language)
    return 0


def _schedule(svc: Services, user: User, spent: Spent, *, network: str, language: str) -> int:
    with limits.give_back_if_refused(svc, spent):
        limits.deletion(svc, user)
    delete_after = svc.now() + svc.settings.deletion_seconds
    request = svc.users.deletion_request(user, delete_after=delete_after)
    notice = back_channel.account_ended(svc, user, network=network)
    mail = mails.mail(svc, SCHEDULED, user, language=language)
    refund = svc.attempts.refund(spent, now=svc.now())
    events = [audit.event(svc, "deletion_requested")]
    audit.commit_or_unavailable(svc, user.uid, events, request, notice, *mail, optional=[refund])
    return delete_after


def _delete_now(svc: Services, user: User, last: Session, spent: Spent, *, network: str, language: str) -> None:
    stored, before = svc.sessions.readable_of_user(user.uid), user
    if any(each.client_id != svc.settings.client_id for each in stored):
        # Told with their end, before they are erased: should anything fail after that, the clients know already.
        end = svc.users.end_of_other_sessions(user, keep=last)
        if svc.transactions.commit(end, *notices(svc, user, stored, network=network)) is not None:
            raise TemporarilyUnavailable(reason="account changed meanwhile", uid=user.uid)
        version = user.token_version + 1
        user, last = replace(user, token_version=version), replace(last, token_version=version)
    # The account goes last: should anything fail before, its owner can still try again.
    gone = svc.sessions.erase(user.uid, but=last.session_id)
    _tell_rest(svc, before, gone, stored, network=network)
    svc.clients.delete_consents(user.uid)
    refund = svc.attempts.refund(spent, now=svc.now())
    deletion = svc.users.deletion(user, canonical_email=email.canonical(user.email), last=last)
    mail = mail_of_end(svc, user, language=language)
    if not erase(svc, user, deletion, *mail, optional=[refund], notified=stored, network=network, reason=BY_USER):
        raise TemporarilyUnavailable(reason="account changed meanwhile", uid=user.uid)


def notices(svc: Services, user: User, stored: Sequence[Session], *, network: str) -> list[Write]:
    """What tells the clients of sessions that are about to be erased, to be written with that.

    What no transaction has room for is written at once: its clients hear a moment too early, and not never.
    """
    messages = back_channel.sessions_erased(svc, user, stored, network=network)
    for start in range(ROOM, len(messages), ROOM):
        svc.transactions.commit(*messages[start : start + ROOM])
    return messages[:ROOM]


def _tell_rest(
    svc: Services, user: User, gone: Sequence[Session], notified: Sequence[Session], *, network: str
) -> None:
    """Tells the clients of sessions that are gone and that began after the others were read."""
    known = {each.session_id for each in notified if not each.waiting}
    rest = [each for each in gone if each.session_id not in known]
    if messages := notices(svc, user, rest, network=network):
        svc.transactions.commit(*messages)


def mail_of_end(svc: Services, user: User, *, language: str) -> tuple[Write, ...]:
    """What tells the owner that the account is gone; it names nobody but its receiver.

    An address that nobody has verified may be a stranger's, who would be mailed at each account that is made and deleted.
    """
    if not svc.settings.mail_from or not user.email_verified:
        return ()
    return (outbox.message(svc, Mail(name=DELETED, uid="", to=user.email, language=language)),)


def erase(
    svc: Services,
    user: User,
    deletion: Write,
    *also: Write,
    optional: Sequence[Write] = (),
    notified: Sequence[Session] = (),
    network: str,
    reason: str,
    by: str = "",
) -> bool:
    """Erases an account by a write that has its condition, with what is written besides, and then whatever it leaves.

    False if it is not as it was read, and then nothing has changed. Of the `notified` sessions the clients know.
    `reason` and `by` are for the line of the log, after which none names it.
    """
    # With the account and not before: whoever took it over could have the erasure fail, and be rid of the owner's undo.
    freed = email_change.reservation_end(svc, user)
    sweep = outbox.message(svc, ErasedAccount(uid=user.uid))
    writes = (deletion, svc.factors.deletion(user), *also, sweep)
    if svc.transactions.commit(*writes, optional=[*optional, *freed]) is not None:
        return False
    audit.record(svc, user.uid, audit.event(svc, "account_erased", reason=reason, by=by))
    # Nothing begins any more: every write for an owner asks whether they are there.
    _tell_rest(svc, user, svc.sessions.erase(user.uid), notified, network=network)
    _sweep(svc, user.uid)
    if freed:  # which another address's change was in the way of
        svc.transactions.commit(*freed)
    return True


def sweep_again(svc: Services, _: str, erased: ErasedAccount) -> Mapping[str, Message]:
    """Erases what an erased account has left where that failed before, or was written at the same moment."""
    svc.sessions.erase(erased.uid)
    _sweep(svc, erased.uid)
    return {}


def _sweep(svc: Services, uid: str) -> None:
    # Never before the account: an erasure that comes to nothing would be the end of its trail.
    svc.events.erase(uid)
    remembered_devices.erase(svc, uid)
    svc.clients.delete_consents(uid)
