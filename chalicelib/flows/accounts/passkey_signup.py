"""An account that is made with a passkey in place of a password, and a guest's that becomes a real one by it.

Nothing is stored before the passkey is there: what it is for travels sealed with whoever makes it. Its account's id is in the
passkey, so that is chosen first. The account has no password, and everything else that others have: its address is taken or
refused, counted and verified as at a sign-up with a password, and a mail to it gives the account one.
"""

from dataclasses import replace

import msgspec

from ...domain.accounts import email
from ...domain.accounts.model import EnrolledFactor, Session, User
from ...domain.authentication.attempt import Attempt
from ...domain.authentication.model import Proof
from ...domain.authentication.user_agent import UserAgent
from ...domain.errors import InvalidRequest, LoginExpired, SignUpClosed
from ...domain.records.once import SpentSignUpLink
from ...domain.records.sealed import SealedPasskeySignUp
from ...services import Services, Write
from ..authentication import api_login, login
from ..authentication.enrolment import PendingEnrolment
from ..authentication.factors import passkey
from ..authentication.login import Progress
from ..platform import limits, sealing
from ..platform.ids import new_id
from ..sessions.issue import TokenSet
from . import account_hooks, guests, mailed_signup, signup, verification


class NewAccount(msgspec.Struct, frozen=True):
    """An account that is not yet written anywhere, with its passkey, and what making that has proved."""

    user: User
    factor: EnrolledFactor
    proof: Proof
    record: SealedPasskeySignUp


def begin(svc: Services, *, holder: str = "", address: str = "", name: str = "", link: str = "") -> PendingEnrolment:
    """What a browser or an app makes the passkey of a new account by, and the text that brings that back.

    The address is that of a mail's link, if there is one; "" where it comes with the passkey. Raises SignUpClosed, NotFound,
    EmailDomainRefused, InvalidRequest.
    """
    if link:
        address = mailed_signup.read_link(svc, link).email
    _check_open(svc, link)
    normalised = signup.permitted(svc, address) if address else ""
    user = User(uid=new_id(), email=normalised, password_hash="", name=name, created_at=svc.now())
    return _begin(svc, user, holder=holder, link=link)


def draft(
    svc: Services,
    unverified_text: str,
    *,
    answer: str,
    network: str,
    holder: str = "",
    address: str = "",
    name: str = "",
) -> NewAccount:
    """The account that a passkey was made for; the address counts where it was made for none, the name over the one before.

    Raises LoginExpired, InvalidCredentials, NotFound for a link that is too old, and what `signup.draft` raises.
    """
    record = _unseal(svc, unverified_text, holder)
    if record.link:
        mailed_signup.read_link(svc, record.link)
    user = User(
        uid=record.uid,
        email=record.email or address,
        email_verified=bool(record.link),
        password_hash="",
        name=name or record.name,
        created_at=svc.now(),
    )
    _check_open(svc, record.link)
    return _finish(svc, record, user, answer=answer, network=network)


def create(svc: Services, new: NewAccount, *, first: Session | None, language: str) -> None:
    """Writes the account with its passkey, its address and its first session if any, all or nothing.

    Raises EmailTaken, or NotFound for a link that was used.
    """
    factor = svc.factors.creation(new.factor)
    if new.record.link:
        mailed_signup.create(svc, new.record.link, new.user, factor, first=first)
        return
    signup.create(svc, new.user, factor, _spent(svc, new.record), first=first, language=language)


def first_login(svc: Services, attempt: Attempt, new: NewAccount, agent: UserAgent) -> Progress:
    """The login that the sign-up is: whoever has just made a passkey has it."""
    return login.with_new_proof(svc, attempt.of(new.user), new.user, new.proof, agent)


def sign_up(
    svc: Services, unverified_text: str, *, answer: str, agent: UserAgent, device: str
) -> tuple[User, TokenSet]:
    """The account with its first session of the JSON API; raises what `draft` and `create` raise."""
    new = draft(svc, unverified_text, answer=answer, network=agent.network)
    progress = first_login(svc, api_login.begin_attempt(svc, scope=None, device=device), new, agent)

    def write(first: Session | None) -> None:
        create(svc, new, first=first, language=agent.language)

    return new.user, signup.with_first_session(svc, new.user, progress, device=device, write=write)


def begin_upgrade(svc: Services, guest: User, session: Session, *, address: str, name: str | None) -> PendingEnrolment:
    """What makes the passkey of a guest who wants an address; raises InvalidRequest for no guest's, and what `begin` raises."""
    _check_guest(guest)
    _check_open(svc, "")
    named_account = replace(guest, email=signup.permitted(svc, address), name=guest.name if name is None else name)
    return _begin(svc, named_account, holder=session.session_id)


def upgrade(
    svc: Services, guest: User, session: Session, unverified_text: str, *, answer: str, network: str, language: str
) -> User:
    """A guest's account with the address and the passkey, its sessions as they were.

    Raises what `draft` raises, and EmailTaken.
    """
    _check_guest(guest)
    record = _unseal(svc, unverified_text, session.session_id)
    if record.uid != guest.uid:
        raise LoginExpired("This belongs to somebody else: begin again.", uid=guest.uid)
    _check_open(svc, "")
    promoted = replace(guest, email=record.email, name=record.name, guest=False)
    new = _finish(svc, record, promoted, answer=answer, network=network)
    mail = verification.mail(svc, new.user, language=language)
    guests.promote(svc, guest, new.user, svc.factors.creation(new.factor), *mail)
    return new.user


def _begin(svc: Services, user: User, *, holder: str, link: str = "") -> PendingEnrolment:
    state, challenge = passkey.begin_only(svc, user)
    record = SealedPasskeySignUp(
        id=new_id(), uid=user.uid, holder=holder, email=user.email, name=user.name, link=link, state=state
    )
    return PendingEnrolment(sealing.seal(svc, record), challenge)


def _finish(svc: Services, record: SealedPasskeySignUp, user: User, *, answer: str, network: str) -> NewAccount:
    address = signup.permitted(svc, user.email)
    # It costs no hash, and nobody guesses at it: what is wrong is refused before anything is counted.
    factor, proof = passkey.finish_only(svc, user, record.state, answer)
    unverified_email = "" if user.email_verified else email.canonical(address)
    limits.sign_up(svc, unverified_email=unverified_email, network=network, work=None)
    account_hooks.before_sign_up(svc, address=address, name=user.name, network=network)
    return NewAccount(replace(user, email=address, factors=frozenset({factor.entry})), factor, proof, record)


def _unseal(svc: Services, unverified_text: str, holder: str) -> SealedPasskeySignUp:
    record = sealing.unseal(svc, unverified_text, SealedPasskeySignUp)
    if record is None or record.holder != holder:
        raise LoginExpired("This has expired, or belongs to somebody else: begin again.")
    return record


def _spent(svc: Services, record: SealedPasskeySignUp) -> Write:
    # The account's id would do, were it not erased meanwhile.
    now = svc.now()
    return svc.once.creation(SpentSignUpLink(), record.id, expires_at=now + record.seconds, now=now)


def _check_open(svc: Services, link: str) -> None:
    if not link and svc.settings.sign_up != "open":
        raise SignUpClosed()


def _check_guest(user: User) -> None:
    if not user.guest:
        raise InvalidRequest("This account has an address: change it at /me/email.")
