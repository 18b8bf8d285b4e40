"""Another address for an account: what is mailed to the new one confirms it, and the reader of the old one may undo it.

Until it is confirmed the old address is the account's, and the change can be taken back; the latest is the one that waits.
A change is bound to the account as it was when it was asked for, and
its write to the account as it was read: of two that race one is written (CVE-2026-32700 was such a race).
An undo is the right of one address: the one before the first change of the last days, if it was verified. So whoever took an
account over cannot use up the right by changing it twice, nor have one too. Its address stays reserved for that time.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from ...domain.accounts import email
from ...domain.accounts.limits import NOTHING_SPENT
from ...domain.accounts.model import Session, User
from ...domain.errors import InvalidCredentials, NotFound
from ...domain.records.outbox import EmailChangeMail
from ...domain.records.sealed import EmailChange, SealedEmailChange, SealedEmailChangeLink, SealedEmailUndo
from ...services import Services, Write
from ..authentication import enrolment
from ..authentication.factors import password as password_factor
from ..platform import audit, limits, macs, mails, outbox, sealing
from ..sessions import back_channel
from . import account_hooks, guests, recovery, signup

MAIL, NOTICE, GUEST_MAIL = "change_email", "email_changed", "guest_email"
REQUESTED, CANCELLED = "email_change_requested", "email_change_cancelled"
TRIES = 4  # to put an address back while whoever took the account over goes on changing it
C = TypeVar("C", bound=EmailChange)


def request(
    svc: Services, user: User, session: Session, *, address: str, password: str, network: str, language: str
) -> str:
    """Has a link and a code mailed to an address, unless another account has it; the text by which an app confirms the code.

    A guest has no password, and becomes a real account by that; their mail has the code alone. The answer is the same either
    way. Raises LoginRequired in a session below the account's own level: codes by mail, its second factor perhaps, go where
    the address goes. Raises NotFound where no mail is sent, InvalidRequest, EmailDomainRefused, SignUpClosed,
    InvalidCredentials, TooManyRequests.
    """
    if not user.guest:
        enrolment.check_level(svc, user, session)
    new_email = _permitted(svc, user, address)
    # The password first: whoever has a stolen token alone uses up no mails, and sends none.
    spent = NOTHING_SPENT
    if not user.guest:
        spent = password_factor.reauthenticate(svc, user, password, network=network)
    with limits.give_back_if_refused(svc, spent):
        limits.email_change(svc, user, canonical_email=email.canonical(new_email), network=network)
    mail = _mail(user, new_email, language)
    refund = svc.attempts.refund(spent, now=svc.now())
    _write(svc, user, mail, optional=[refund])
    return sealing.seal(svc, _change(mail, SealedEmailChange))


def request_after_login(
    svc: Services, user: User, session: Session, *, address: str, network: str, language: str
) -> str:
    """The same for who has just logged in with all factors that the account has; the address as it is mailed.

    Raises LoginRequired for anybody else, and what `request` raises but InvalidCredentials.
    """
    enrolment.check_fresh(svc, user, session, auth_time=session.auth_time)
    new_email = _permitted(svc, user, address)
    limits.email_change(svc, user, canonical_email=email.canonical(new_email), network=network)
    _write(svc, user, _mail(user, new_email, language))
    return new_email


def withdraw(svc: Services, user: User) -> None:
    """Takes back the change that waits: its link and its code are good for nothing; raises NotFound where none waits."""
    withdrawal, event = svc.users.email_change_withdrawal(user, now=svc.now()), audit.event(svc, CANCELLED)
    # Also after its hour: a mail that was late has a link that is good still.
    if not user.pending_email or audit.commit(svc, user.uid, [event], withdrawal) is not None:
        raise NotFound("No change of the address waits to be confirmed.", uid=user.uid)


def _write(svc: Services, user: User, mail: EmailChangeMail, *, optional: Sequence[Write] = ()) -> None:
    waiting = replace(
        user,
        pending_email=mail.to,
        pending_email_until=svc.now() + SealedEmailChangeLink.seconds,
        pending_email_version=user.token_version,
    )
    writes = (svc.users.email_change_request(user, waiting), outbox.message(svc, mail))
    audit.commit_or_unavailable(svc, user.uid, [audit.event(svc, REQUESTED)], *writes, optional=optional)


def _permitted(svc: Services, user: User, address: str) -> str:
    if not svc.settings.mail_from:
        raise NotFound("No mail is sent here.", uid=user.uid)
    new_email = signup.permitted(svc, address)
    if user.guest:
        signup.check_open(svc)
    return new_email


def _mail(user: User, new_email: str, language: str) -> EmailChangeMail:
    return EmailChangeMail(
        name=GUEST_MAIL if user.guest else MAIL,
        uid=user.uid,
        to=new_email,
        language=language,
        email=user.email,
        token_version=user.token_version,
        email_changed_at=user.email_changed_at,
    )


def change_of(svc: Services, user: User, mail: EmailChangeMail) -> SealedEmailChangeLink | None:
    """What a mail is to confirm; None if the account is not as it was, or another one has the new address."""
    change = _change(mail, SealedEmailChangeLink)
    holder = svc.users.find(email.canonical(mail.to))
    return change if _as_it_was(user, change) and holder in (None, user.uid) else None


def _change(mail: EmailChangeMail, kind: type[C]) -> C:
    return kind(
        uid=mail.uid,
        email=mail.email,
        token_version=mail.token_version,
        email_changed_at=mail.email_changed_at,
        new_email=mail.to,
    )


def code(svc: Services, change: EmailChange) -> str:
    """The code of this half hour."""
    return macs.codes(svc, *_parts(change))[0]


def read_link(svc: Services, unverified_text: str) -> SealedEmailChangeLink:
    """What a link says, which is used by nobody's reading it; raises NotFound for one that is forged or too old."""
    return sealing.unseal_link(svc, unverified_text, SealedEmailChangeLink)


def confirm_link(svc: Services, user: User, unverified_text: str, *, language: str) -> None:
    """Changes the address of an account that is logged in; raises NotFound, also where the account is another, is not as it
    was, or somebody has the address by now."""
    _confirm(svc, user, read_link(svc, unverified_text), language=language)


def confirm_code(svc: Services, user: User, unverified_text: str, typed: str, *, network: str, language: str) -> None:
    """Changes the address by the code of its mail, in which the digits count; raises as `confirm_link`, InvalidCredentials,
    TooManyRequests."""
    change = sealing.unseal(svc, unverified_text, SealedEmailChange)
    if change is None:
        raise NotFound("This change is too old.", uid=user.uid)
    new_email = email.canonical(change.new_email)
    spent = limits.mail_code(svc, user, network=network, canonical_new_email=new_email)
    if not macs.verify_code(svc, typed, *_parts(change)):
        raise InvalidCredentials("The code is wrong or too old.", uid=user.uid)
    _confirm(svc, user, change, language=language, optional=[svc.attempts.refund(spent, now=svc.now())])


def _confirm(svc: Services, user: User, change: EmailChange, *, language: str, optional: Sequence[Write] = ()) -> None:
    if not _as_it_was(user, change):
        raise NotFound("This change was made already, or is too old.", uid=change.uid)
    now = svc.now()
    if user.guest:
        account_hooks.before_sign_up(svc, address=change.new_email, name=user.name, network="")
        promoted = replace(user, email=change.new_email, email_verified=True, guest=False)
        guests.promote(svc, user, promoted, optional=optional)
        return
    changed = replace(user, email=change.new_email, email_verified=True, email_changed_at=now)
    # Of an address that nobody has verified it would be the right of a stranger, and keep the address from its owner.
    if user.email_verified and now >= user.previous_email_until:
        if over := reservation_end(svc, user):
            svc.transactions.commit(*over)
        until = now + SealedEmailUndo.seconds
        changed = replace(changed, previous_email=user.email, previous_email_until=until)
    notice = mails.mail(svc, NOTICE, user, language=language)
    events, change_write = [audit.event(svc, "email_changed")], svc.users.address_change(user, changed)
    if audit.commit(svc, user.uid, events, change_write, *notice, optional=optional) is not None:
        raise NotFound("This change was made already, or the address is taken.", uid=user.uid)


def reservation_end(svc: Services, user: User) -> tuple[Write, ...]:
    """Frees the previous address of an account, if it has one that is reserved."""
    if email.canonical(user.previous_email) in ("", email.canonical(user.email)):
        return ()
    return (svc.users.reservation_end(user),)


def undo_link(svc: Services, user: User) -> str:
    """The text in the address of the page that puts the previous address back."""
    undo = SealedEmailUndo(uid=user.uid, email=user.previous_email, valid_until=user.previous_email_until)
    return sealing.seal(svc, undo)


def read_undo(svc: Services, unverified_text: str) -> SealedEmailUndo:
    """What such a link says, which is used by nobody's reading it; raises NotFound for one that is forged or too old."""
    undo = sealing.unseal_link(svc, unverified_text, SealedEmailUndo)
    if svc.now() >= undo.valid_until:
        raise NotFound("This link is not complete, or too old.")
    return undo


def undo(svc: Services, unverified_text: str, *, network: str, language: str) -> None:
    """Puts the previous address back and ends all sessions; the password, which whoever changed it knew, is good no more.

    Factors that were added since a week before the first of the changes go as well, for they would keep its owner out, or
    let somebody else in. A link for a new password is mailed to the address. Raises NotFound for a link that is not good,
    or not any more.
    """
    link = read_undo(svc, unverified_text)
    for _ in range(TRIES):
        if _put_back(svc, link, network=network, language=language):
            return
    raise NotFound("This link was used already.", uid=link.uid)


def _put_back(svc: Services, link: SealedEmailUndo, *, network: str, language: str) -> bool:
    """False if the account has changed meanwhile, as by one factor more."""
    user = svc.users.read(link.uid)
    if (
        user is None
        or user.disabled
        or (user.previous_email, user.previous_email_until) != (link.email, link.valid_until)
    ):
        raise NotFound("This link was used already.", uid=link.uid)
    # From a week before the first change on: whoever took the account over may have added theirs first.
    since = user.previous_email_until - 2 * SealedEmailUndo.seconds
    added = {factor.entry for factor in svc.factors.of_user(user) if factor.created_at >= since}
    restored = replace(
        user,
        email=user.previous_email,
        email_verified=True,
        email_changed_at=svc.now(),
        previous_email="",
        previous_email_until=0,
        password_hash="",
        token_version=user.token_version + 1,
        factors=user.factors - added,
        delete_after=0,  # which whoever took it over may have wanted
    )
    notice = back_channel.all_sessions_ended(svc, user, network=network)
    mail = mails.mail(svc, recovery.MAIL, restored, language=language)
    change = (svc.users.address_change(user, restored), svc.factors.deletion(user, added))
    events = [audit.event(svc, "email_change_undone")]
    events += [audit.event(svc, enrolment.REMOVED, reason="undone")] if added else []
    events += [audit.event(svc, "deletion_cancelled")] if user.delete_after else []
    return audit.commit(svc, user.uid, events, *change, notice, *mail) is None


def _as_it_was(user: User, change: EmailChange) -> bool:
    bound_to = (change.uid, change.email, change.token_version, change.email_changed_at)
    # What was mailed before accounts kept what waits is good still.
    if user.pending_email_until and user.pending_email != change.new_email:
        return False
    return not user.disabled and (user.uid, user.email, user.token_version, user.email_changed_at) == bound_to


def _parts(change: EmailChange) -> tuple[str, ...]:
    return (MAIL, change.uid, change.email, change.new_email, str(change.token_version), str(change.email_changed_at))
