"""A new password for who has forgotten theirs, by the mail to the account's address.

A request is the same work and has the same answer whether there is such an account or not: that is looked up when the mail
is sent. The link is stored nowhere, and is good once: the new password moves on what it is bound to. It logs nobody in.
"""

from collections.abc import Mapping

from ...domain.accounts import email, passwords
from ...domain.accounts.model import User
from ...domain.errors import NotFound
from ...domain.records.outbox import Mail, ResetRequest
from ...domain.records.sealed import SealedResetLink
from ...services import Services
from ..platform import limits, mails, outbox, sealing
from ..platform.ids import derived_id
from ..sessions import back_channel
from . import password_rules

MAIL = "reset_password"


def request(svc: Services, *, address: str, network: str, language: str) -> None:
    """Has a mail sent to the account with an address, if there is one; raises NotFound where no mail is sent, TooManyRequests."""
    if not svc.settings.mail_from:
        raise NotFound("No mail is sent here.")
    canonical = email.canonical(address)
    limits.reset(svc, canonical_email=canonical, network=network)
    svc.transactions.commit(outbox.message(svc, ResetRequest(email=canonical, language=language)))


def mail_of(svc: Services, message_id: str, wish: ResetRequest) -> Mapping[str, Mail]:
    """The mail to the address of the account, and not to what was typed; none where there is no such account."""
    uid = svc.users.find(wish.email)
    user = svc.users.read(uid) if uid else None
    if user is None or user.disabled:
        return {}
    return {derived_id(message_id, MAIL): Mail(name=MAIL, uid=user.uid, to=user.email, language=wish.language)}


def link(svc: Services, user: User) -> str:
    """The text in the address of the page for a new password, good for an hour and once."""
    return sealing.seal(svc, SealedResetLink(uid=user.uid, email=user.email, token_version=user.token_version))


def read_link(svc: Services, unverified_text: str) -> SealedResetLink:
    """What a link says, which is used by nobody's reading it; raises NotFound for one that is forged or too old."""
    return sealing.unseal_link(svc, unverified_text, SealedResetLink)


def reset(svc: Services, unverified_link: str, *, new_password: str, network: str, language: str) -> None:
    """A new password; all sessions end, and what somebody else had done to the account before its owner came.

    Raises NotFound for a link that is not good, or not any more, WeakPassword, InvalidRequest, TooManyRequests.
    """
    record = read_link(svc, unverified_link)
    user = svc.users.read(record.uid)
    bound_to = (record.email, record.token_version)
    if user is None or user.disabled or (user.email, user.token_version) != bound_to:
        raise NotFound("This link was used already.", uid=record.uid)
    passwords.check_length(new_password)
    limits.reset_confirmation(svc, user)
    hashed = password_rules.hash_next(svc, user, new_password)
    notice = back_channel.other_sessions_ended(svc, user, None, network=network)
    mail = mails.mail(svc, "password_changed", user, language=language)
    remembered = password_rules.remembered_hashes(svc, user)
    change = svc.users.password_reset(user, password_hash=hashed, remembered=remembered)
    # What somebody else has allowed to apps of their own. Before, so that none of it remains should the next fail.
    svc.clients.delete_consents(user.uid)
    if svc.transactions.commit(change, notice, *mail) is not None:
        raise NotFound("This link was used already.", uid=record.uid)
    # What was allowed between the two is swept. Nothing is any more: the sessions that could have ended.
    svc.clients.delete_consents(user.uid)
