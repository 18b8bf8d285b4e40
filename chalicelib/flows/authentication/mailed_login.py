"""A login by the mail to the account's address: by its code or its link, in the hands of whoever asked for it.

A request is the same work and has the same answer whether there is such an account or not: that is looked up when the mail
is sent. The mail is of one attempt, and is worth nothing without it: who opens the link elsewhere, as programs that look
through mail do, is logged in nowhere, and sees the code. Neither code nor link is kept anywhere. Who is not known here gets
no account by it.
"""

from collections.abc import Mapping
from dataclasses import replace

from ...domain.accounts import email
from ...domain.accounts.limits import NOTHING_SPENT, Spent
from ...domain.accounts.model import User
from ...domain.authentication import levels
from ...domain.authentication.attempt import Attempt
from ...domain.authentication.model import Proof
from ...domain.authentication.user_agent import UserAgent
from ...domain.errors import InvalidCredentials, LoginExpired, NotFound
from ...domain.records.outbox import LoginMail, LoginRequest, Mail
from ...domain.records.sealed import SealedLoginLink
from ...services import Services
from ..platform import audit, limits, macs, outbox, sealing
from ..platform.ids import derived_id, new_id
from ..sessions import back_channel
from . import login
from .login import Progress

MAIL, PROOF = "log_in", "mail"
ADDRESS = "email"  # of an attempt's request: the address that a mail was asked for, in its canonical form
MAX_CODE = 100  # of a code with what was pasted around it; every link's token is longer
WRONG = "The code or the link is wrong or too old."


def request(svc: Services, attempt: Attempt, *, address: str, agent: UserAgent) -> Attempt:
    """Has a mail sent to the account with an address, if there is one; the attempt that it completes.

    Raises NotFound where no such mail is sent, InvalidRequest, TooManyRequests.
    """
    check_offered(svc)
    canonical = email.canonical(email.validate(address))
    limits.login_mail(svc, canonical_email=canonical, network=agent.network)
    message = LoginRequest(
        email=canonical, language=agent.language, attempt_id=attempt.id, expires_at=attempt.expires_at
    )
    svc.transactions.commit(outbox.message(svc, message))
    return attempt.with_request(**{ADDRESS: canonical})


def check_offered(svc: Services) -> None:
    """Raises NotFound where nobody can log in by a mail."""
    if not svc.settings.mailed_login:
        raise NotFound("Nobody logs in by mail here.")


def mail_of(svc: Services, message_id: str, request: LoginRequest) -> Mapping[str, Mail]:
    """The mail to the address of the account, and not to what was typed; none where there is no such account."""
    uid = svc.users.find(request.email)
    user = svc.users.read(uid) if uid else None
    if user is None or user.disabled:
        return {}
    mail = LoginMail(
        name=MAIL,
        uid=user.uid,
        to=user.email,
        language=request.language,
        attempt_id=request.attempt_id,
        expires_at=request.expires_at,
    )
    return {derived_id(message_id, MAIL): mail}


def link_of(svc: Services, user: User, mail: LoginMail) -> SealedLoginLink | None:
    """What the link of a mail says; None if the attempt has expired, or the account has another address by now."""
    if user.disabled or user.email != mail.to or svc.now() >= mail.expires_at:
        return None
    return _link(user, attempt_id=mail.attempt_id, expires_at=mail.expires_at)


def _link(user: User, *, attempt_id: str, expires_at: int) -> SealedLoginLink:
    return SealedLoginLink(
        attempt_id=attempt_id, expires_at=expires_at, uid=user.uid, email=user.email, token_version=user.token_version
    )


def code(svc: Services, link: SealedLoginLink) -> str:
    """The code of an attempt, as long as that is good."""
    parts = (MAIL, link.attempt_id, link.uid, link.email, str(link.token_version))
    return macs.code(svc, *parts, at=link.expires_at - Attempt.seconds)


def read_link(svc: Services, unverified_text: str) -> SealedLoginLink:
    """What a link says, which is used by nobody's reading it; raises NotFound for one that is forged or too old."""
    link = sealing.unseal_link(svc, unverified_text, SealedLoginLink)
    if svc.now() >= link.expires_at:
        raise NotFound("This link is not complete, or too old.", uid=link.uid)
    return link


def with_code(svc: Services, attempt: Attempt, typed: str, *, agent: UserAgent) -> Progress:
    """Begins the login by what was typed, in which the digits count; raises InvalidCredentials, TooManyRequests, LoginExpired."""
    address = _address(svc, attempt)
    spent = limits.login_code(svc, canonical_email=address, network=agent.network)
    with audit.failures(svc, "login_failed", client=attempt.client_id, factor=PROOF), limits.keep_failure(svc, spent):
        user = _user_of_code(svc, attempt, address, typed)
    return _log_in(svc, attempt, user, spent, agent)


def _user_of_code(svc: Services, attempt: Attempt, address: str, typed: str) -> User:
    # An unknown address costs the second read too, of another account that is not there each time, as at a password.
    user = svc.users.read(svc.users.find(address) or new_id())
    right = user and code(svc, _link(user, attempt_id=attempt.id, expires_at=attempt.expires_at))
    if user is None or user.disabled or not right or not macs.matches(typed, right):
        raise InvalidCredentials(WRONG, reason="wrong code" if user else "unknown user", uid=user.uid if user else "")
    return user


def with_link(svc: Services, attempt: Attempt, unverified_text: str, *, agent: UserAgent) -> Progress:
    """Begins the login by the link's token; raises InvalidCredentials, for the link of another attempt too, LoginExpired."""
    _address(svc, attempt)
    with audit.failures(svc, "login_failed", client=attempt.client_id, factor=PROOF):
        user = _user_of_link(svc, attempt, unverified_text)
    return _log_in(svc, attempt, user, NOTHING_SPENT, agent)


def _user_of_link(svc: Services, attempt: Attempt, unverified_text: str) -> User:
    try:
        link = read_link(svc, unverified_text)
    except NotFound:
        raise InvalidCredentials(WRONG, reason="no link") from None
    if link.attempt_id != attempt.id:
        raise InvalidCredentials(WRONG, reason="another attempt's link", uid=link.uid)
    user = svc.users.read(link.uid)
    if user is None or user.disabled or _link(user, attempt_id=attempt.id, expires_at=link.expires_at) != link:
        raise InvalidCredentials(WRONG, reason="account changed meanwhile", uid=link.uid)
    return user


def with_answer(svc: Services, attempt: Attempt, answer: str, *, agent: UserAgent) -> Progress:
    """The same by either, whichever it is."""
    begin = with_code if len(answer) <= MAX_CODE else with_link
    return begin(svc, attempt, answer, agent=agent)


def awaits_mail(attempt: Attempt) -> bool:
    """Whether an attempt waits for the code or the link of a mail."""
    return bool(attempt.request.get(ADDRESS)) and not attempt.uid


def _address(svc: Services, attempt: Attempt) -> str:
    check_offered(svc)
    if not awaits_mail(attempt):
        raise LoginExpired(reason="no mail was asked for", uid=attempt.uid)
    return attempt.request[ADDRESS]


def _log_in(svc: Services, attempt: Attempt, user: User, spent: Spent, agent: UserAgent) -> Progress:
    owner = user if user.email_verified else _first_proof(svc, user, network=agent.network)
    proof = Proof(PROOF, (levels.EMAIL,), svc.now())
    return login.with_proof(svc, attempt, owner, proof, spent, agent, once=True)


def _first_proof(svc: Services, user: User, *, network: str) -> User:
    """The account of an address that nobody had verified, without all that somebody else may have left in it.

    Whoever signed up with the address of somebody else waits for them to come: with a password, in sessions, by apps.
    """
    notice = back_channel.all_sessions_ended(svc, user, network=network)
    # Before, so that none of it remains should the next fail.
    svc.clients.delete_consents(user.uid)
    writes = (svc.users.first_proof(user), svc.factors.deletion(user), notice)
    events = [audit.event(svc, "email_verified", reason="first proof")]
    if audit.commit(svc, user.uid, events, *writes) is not None:
        raise LoginExpired(reason="account changed meanwhile", uid=user.uid)
    svc.clients.delete_consents(user.uid)  # what was allowed between the two
    return replace(
        user,
        email_verified=True,
        password_hash="",
        factors=frozenset(),
        previous_password_hashes=(),
        token_version=user.token_version + 1,
    )
