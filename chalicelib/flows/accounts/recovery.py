"""A new password for who has forgotten theirs, by the mail to the account's address.

A request is the same work and has the same answer whether there is such an account or not: that is looked up when the mail
is sent. The link is stored nowhere, and is good once: the new password moves on what it is bound to. It logs nobody in.
"""

from collections.abc import Mapping
from uuid import NAMESPACE_OID as NAMESPACE
from uuid import uuid5

import msgspec

from ...domain.accounts import email, passwords
from ...domain.accounts.events import OPERATOR, Event
from ...domain.accounts.limits import NOTHING_SPENT, Spent
from ...domain.accounts.model import User
from ...domain.authentication import levels
from ...domain.authentication.attempt import Attempt
from ...domain.authentication.model import Authenticated, Proof
from ...domain.authentication.user_agent import UserAgent
from ...domain.errors import NotFound, ResetProofRequired
from ...domain.records.outbox import Mail, ResetRequest
from ...domain.records.sealed import SealedOperatorLink, SealedResetLink
from ...services import Services, Write
from ..authentication import attempts, enrolment, login, policy
from ..authentication.factors import password as password_factor
from ..clients import own
from ..platform import audit, limits, mails, outbox, sealing
from ..platform.ids import derived_id
from ..sessions import back_channel
from . import password_rules

MAIL = "reset_password"
FLOW = "reset link"
ResetLink = SealedResetLink | SealedOperatorLink


def request(svc: Services, *, address: str, network: str, language: str) -> None:
    """Has a mail sent to the account with an address, if there is one; raises NotFound where no mail is sent, TooManyRequests."""
    if not svc.settings.mail_from:
        raise NotFound("No mail is sent here.")
    canonical = email.canonical(address)
    limits.reset(svc, canonical_email=canonical, network=network)
    svc.transactions.commit(outbox.message(svc, ResetRequest(email=canonical, language=language)))


def mail_link(svc: Services, user: User) -> None:
    """Has the link mailed at an operator's word; raises NotFound where no mail is sent, or mail to the address has come back."""
    writes = mails.mail(svc, MAIL, user, language="en")
    if not writes:
        raise NotFound("No mail is sent here: LATCHKEY_MAIL_FROM is not set.")
    if user.email_problem:
        raise NotFound("Mail to this address came back: print the link, and hand it over in another way.")
    audit.commit(svc, user.uid, [audit.event(svc, "operator_link_created", reason="mailed", by=OPERATOR)], *writes)


def mail_of(svc: Services, message_id: str, request: ResetRequest) -> Mapping[str, Mail]:
    """The mail to the address of the account, and not to what was typed; none where there is no such account."""
    uid = svc.users.find(request.email)
    user = svc.users.read(uid) if uid else None
    if user is None or user.disabled:
        return {}
    audit.record(svc, user.uid, audit.event(svc, "password_reset_requested"))
    return {derived_id(message_id, MAIL): Mail(name=MAIL, uid=user.uid, to=user.email, language=request.language)}


def link(svc: Services, user: User) -> str:
    """The text in the address of the page for a new password, good for an hour and once."""
    return sealing.seal(svc, SealedResetLink(uid=user.uid, email=user.email, token_version=user.token_version))


def operator_link(svc: Services, user: User, *, without_factors: bool, operator: str) -> str:
    """The same for an operator to hand over, good for minutes; without the account's further factors, if those go."""
    record = SealedOperatorLink(
        uid=user.uid,
        email=user.email,
        token_version=user.token_version,
        without_factors=without_factors,
        operator=operator,
    )
    event = audit.event(svc, "operator_link_created", reason="handed over", by=OPERATOR)
    audit.record(svc, user.uid, event, operator=operator)
    return sealing.seal(svc, record)


def read_link(svc: Services, unverified_text: str) -> ResetLink:
    """What a link says, which is used by nobody's reading it; raises NotFound for one that is forged or too old."""
    operators = sealing.unseal(svc, unverified_text, SealedOperatorLink)
    return operators or sealing.unseal_link(svc, unverified_text, SealedResetLink)


def missing_factors(svc: Services, unverified_link: str) -> tuple[str, ...]:
    """The factors one of which a link takes besides the new password, () where it takes none; raises NotFound."""
    link, user = _link_and_user(svc, unverified_link)
    return _missing(svc, link, user, _attempt(svc, user, unverified_link))


def challenge(svc: Services, unverified_link: str, *, factor: str, agent: UserAgent) -> Mapping[str, str]:
    """What its user has to be shown to prove a factor for a new password.

    Raises NotFound, LoginExpired, TooManyRequests, InvalidRequest.
    """
    _, user = _link_and_user(svc, unverified_link)
    return login.challenge(svc, _attempt(svc, user, unverified_link), factor=factor, agent=agent)


def reset(
    svc: Services, unverified_link: str, *, new_password: str, agent: UserAgent, factor: str = "", answer: str = ""
) -> ResetLink:
    """A new password; all sessions end, and what somebody else had done to the account before its owner came. The link.

    Further factors of an account whose address was verified stay in force, and one of them is asked for: the mail stands in
    for the password alone. Of another account they go, for whoever added them has not shown to be its owner.
    Raises NotFound for a link that is not good, or not any more, WeakPassword, InvalidRequest, ResetProofRequired,
    WrongAnswer, TooManyRequests.
    """
    link, user = _link_and_user(svc, unverified_link)
    attempt = _attempt(svc, user, unverified_link)
    factors = _missing(svc, link, user, attempt)
    if factors and not factor:
        raise ResetProofRequired(factors=factors, uid=user.uid)
    passwords.check_length(new_password)
    limits.reset_confirmation(svc, user)
    hashed = password_rules.hash_next(svc, user, new_password)
    # After the password was looked at: a code that is good once is not used up for one that is refused.
    spent = _prove(svc, user, attempt, factor=factor, answer=answer, agent=agent) if factors else NOTHING_SPENT
    notice = back_channel.all_sessions_ended(svc, user, network=agent.network)
    mail = mails.mail(svc, password_rules.CHANGED, user, language=agent.language)
    writes = [*_new_password(svc, link, user, hashed, language=agent.language), notice, *mail]
    # What somebody else has allowed to apps of their own. Before, so that none of it remains should the next fail.
    svc.clients.delete_consents(user.uid)
    refund = svc.attempts.refund(spent, now=svc.now())
    if audit.commit(svc, user.uid, _events(svc, link, user, factor), *writes, optional=[refund]) is not None:
        raise NotFound("This link was used already.", uid=user.uid)
    # What was allowed between the two is swept. Nothing is any more: the sessions that could have ended.
    svc.clients.delete_consents(user.uid)
    return link


def _events(svc: Services, link: ResetLink, user: User, factor: str) -> list[Event]:
    by, operator = (OPERATOR, link.without_factors) if isinstance(link, SealedOperatorLink) else ("", False)
    reset_event = audit.event(svc, "password_reset", factor=factor, by=by)
    factors_go = user.factors and (operator if by else not user.email_verified)
    return [reset_event, audit.event(svc, enrolment.REMOVED, reason="all", by=by)] if factors_go else [reset_event]


def _new_password(svc: Services, link: ResetLink, user: User, password_hash: str, *, language: str) -> list[Write]:
    remembered = password_rules.remembered_hashes(svc, user)
    if isinstance(link, SealedResetLink):
        reset_write = svc.users.password_reset(user, password_hash=password_hash, remembered=remembered)
        return [reset_write] if user.email_verified else [reset_write, svc.factors.deletion(user)]
    gone = link.without_factors and bool(user.factors)
    recovered = svc.users.password_recovery(
        user, password_hash=password_hash, without_factors=gone, remembered=remembered
    )
    if not gone:
        return [recovered]
    return [recovered, svc.factors.deletion(user), *mails.mail(svc, enrolment.REMOVED, user, language=language)]


def _link_and_user(svc: Services, unverified_link: str) -> tuple[ResetLink, User]:
    record = read_link(svc, unverified_link)
    user = svc.users.read(record.uid)
    bound_to = (record.email, record.token_version)
    if user is None or user.disabled or (user.email, user.token_version) != bound_to:
        raise NotFound("This link was used already.", uid=record.uid)
    return record, user


def _attempt(svc: Services, user: User, unverified_link: str) -> Attempt:
    """What the link has proved: what the password would. It is the same each time, and no login: nobody carries it."""
    attempt = attempts.begin(svc, FLOW, own.json_api(svc)).of(user)
    of_link = uuid5(NAMESPACE, unverified_link).hex
    return msgspec.structs.replace(attempt, id=of_link).with_proof(Proof(FLOW, (levels.EMAIL,), svc.now()))


def _missing(svc: Services, link: ResetLink, user: User, attempt: Attempt) -> tuple[str, ...]:
    factors_go = not user.email_verified if isinstance(link, SealedResetLink) else link.without_factors
    if factors_go or policy.reaches_account_level(svc, user, levels.united(*attempt.amr)):
        return ()
    # The password, which is lost, is of the same kind as the mail.
    return tuple(name for name in policy.missing(svc, user, attempt) if name != password_factor.NAME)


def _prove(svc: Services, user: User, attempt: Attempt, *, factor: str, answer: str, agent: UserAgent) -> Spent:
    """What the answer was counted against."""
    progress = login.prove(svc, attempt, factor=factor, answer=answer, agent=agent)
    if not isinstance(progress, Authenticated):
        raise ResetProofRequired(factors=progress.factors, uid=user.uid)
    return progress.spent
