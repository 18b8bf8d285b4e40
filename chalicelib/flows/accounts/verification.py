"""Whether an address is its account's owner's: whoever reads its mail has a link and a code that say so.

Neither is kept anywhere. Both are of one account and one exact address, and the write asks for that address: a link of an
address that the account no longer has does nothing. There is nothing to spend: an address that is verified stays so.
"""

from ...domain.accounts.model import User
from ...domain.errors import GuestAccount, InvalidCredentials, NotFound
from ...domain.records.sealed import SealedEmailLink
from ...services import Services, Write
from ..platform import audit, limits, macs, mails, sealing

MAIL = "verify_email"


def mail(svc: Services, user: User, *, language: str) -> tuple[Write, ...]:
    """The mail that asks for it, to be written with the account; none where no mail is sent."""
    return mails.mail(svc, MAIL, user, language=language)


def request(svc: Services, user: User, *, network: str, language: str) -> None:
    """Sends the mail once more, if it is due; raises NotFound where no mail is sent, TooManyRequests."""
    _refuse_guest(user)
    if not is_due(user):
        return
    writes = mail(svc, user, language=language)
    if not writes:
        raise NotFound("No mail is sent here.", uid=user.uid)
    limits.mail(svc, user, network=network)
    svc.transactions.commit(*writes)


def is_due(user: User) -> bool:
    """Whether there is something to verify: an address that is not, or to which mail has come back since."""
    return not user.email_verified or bool(user.email_problem)


def link(svc: Services, user: User) -> str:
    """The text in the address of the page that verifies, good for a day."""
    return sealing.seal(svc, SealedEmailLink(uid=user.uid, email=user.email))


def code(svc: Services, user: User) -> str:
    """The code of this half hour."""
    return macs.codes(svc, *_parts(user))[0]


def read_link(svc: Services, unverified_text: str) -> SealedEmailLink:
    """What a link says, which is used by nobody's reading it; raises NotFound for one that is forged or too old."""
    return sealing.unseal_link(svc, unverified_text, SealedEmailLink)


def confirm_link(svc: Services, user: User, unverified_text: str) -> None:
    """Verifies the address of an account that is logged in; raises NotFound for a link of another account or address.

    The mail alone is not enough: its reader may not be who made the account, and would leave theirs to who did.
    """
    record = read_link(svc, unverified_text)
    of_account = (record.uid, record.email) == (user.uid, user.email)
    events = [audit.event(svc, "email_verified")]
    if not of_account or audit.commit(svc, user.uid, events, svc.users.email_verification(user)) is not None:
        raise NotFound("This link is of another address.", uid=user.uid)


def confirm_code(svc: Services, user: User, typed: str, *, network: str) -> None:
    """Verifies the address of an account by what was typed, in which the digits count; raises InvalidCredentials,
    TooManyRequests."""
    _refuse_guest(user)
    spent = limits.mail_code(svc, user, network=network)
    if not macs.verify_code(svc, typed, *_parts(user)):
        raise InvalidCredentials("The code is wrong or too old.", uid=user.uid)
    refund = svc.attempts.refund(spent, now=svc.now())
    events, verified = [audit.event(svc, "email_verified")], svc.users.email_verification(user)
    if audit.commit(svc, user.uid, events, verified, optional=[refund]) is not None:
        raise InvalidCredentials("The code is of another address.", uid=user.uid)


def _refuse_guest(user: User) -> None:
    if user.guest:
        raise GuestAccount(uid=user.uid)


def _parts(user: User) -> tuple[str, ...]:
    return (MAIL, user.uid, user.email)
