"""Sign-up by a mail that comes first: whoever reads it makes the account, with a password that nobody has given before.

A request is the same work and has the same answer whether there is such an account or not: that is looked up when the mail
is sent. It keeps nothing of who asked: what a stranger does with somebody else's address is one mail to its owner.
"""

from collections.abc import Mapping

from ...domain.accounts import email, passwords
from ...domain.accounts.model import Session, User
from ...domain.authentication.user_agent import UserAgent
from ...domain.errors import EmailTaken, NotFound, SignUpClosed
from ...domain.records.once import SpentSignUpLink
from ...domain.records.outbox import Mail, SignUpRequest
from ...domain.records.sealed import SealedInvitation, SealedSignUpLink
from ...services import Services, Write
from ..authentication import api_login, login
from ..platform import audit, limits, outbox, sealing
from ..platform.ids import derived_id, new_id
from ..sessions.issue import TokenSet
from . import account_hooks, password_rules, signup

MAIL, ACCOUNT_EXISTS, INVITATION = "sign_up", "account_exists", "invitation"


def request(svc: Services, *, address: str, network: str, language: str) -> None:
    """Has a mail sent to an address, of which the answer says nothing.

    Raises SignUpClosed, EmailDomainRefused, InvalidRequest, TooManyRequests.
    """
    signup.check_open(svc)
    normalised_address = signup.permitted(svc, address)
    limits.sign_up_mail(svc, canonical_email=email.canonical(normalised_address), network=network)
    svc.transactions.commit(outbox.message(svc, SignUpRequest(email=normalised_address, language=language)))


def check_password(svc: Services, password: str, *, address: str, name: str, network: str) -> None:
    """Raises WeakPassword or InvalidRequest for a password that the account will not get either, or TooManyRequests."""
    passwords.check_length(password)
    limits.sign_up_attempt(svc, network=network)
    password_rules.check(svc, password, address=address, name=name)


def mail_of(svc: Services, message_id: str, request: SignUpRequest) -> Mapping[str, Mail]:
    """The mail with the link; to who has an account already one that says so, to the address of that and not what was typed."""
    uid = svc.users.find(email.canonical(request.email))
    user = svc.users.read(uid) if uid else None
    if user is None and not svc.users.is_free(email.canonical(request.email), now=svc.now()):
        return {}  # reserved for the account that had it until lately: its link would make none
    if user is None:
        return {derived_id(message_id, MAIL): Mail(name=MAIL, uid="", to=request.email, language=request.language)}
    if user.disabled:
        return {}
    notice = Mail(name=ACCOUNT_EXISTS, uid=user.uid, to=user.email, language=request.language)
    return {derived_id(message_id, ACCOUNT_EXISTS): notice}


def invite(svc: Services, *, address: str, language: str) -> str:
    """Has an operator's invitation mailed, and gives the address as it is mailed.

    Raises SignUpClosed, NotFound where no mail is sent, EmailTaken, EmailDomainRefused, InvalidRequest.
    """
    if svc.settings.sign_up == "closed":
        raise SignUpClosed()
    if not svc.settings.mail_from:
        raise NotFound("No mail is sent here: LATCHKEY_MAIL_FROM is not set.")
    normalised_address = signup.permitted(svc, address)
    if not svc.users.is_free(email.canonical(normalised_address), now=svc.now()):
        raise EmailTaken()
    mail = Mail(name=INVITATION, uid="", to=normalised_address, language=language)
    svc.transactions.commit(outbox.message(svc, mail))
    return normalised_address


def link(svc: Services, address: str, *, invitation: bool = False) -> str:
    """The text in the address of the page that makes the account: good once, for a day, or a week if it is an invitation."""
    kind = SealedInvitation if invitation else SealedSignUpLink
    return sealing.seal(svc, kind(email=address, id=new_id()))


def read_link(svc: Services, unverified_text: str) -> SealedInvitation | SealedSignUpLink:
    """What a link says, which is used by nobody's reading it; raises NotFound for one that is forged, too old, or of a kind
    that is taken here no more."""
    kinds: tuple[type[SealedInvitation | SealedSignUpLink], ...] = (
        (SealedSignUpLink, SealedInvitation) if svc.settings.sign_up_open else (SealedInvitation,)
    )
    if svc.settings.sign_up != "closed":
        for kind in kinds:
            if record := sealing.unseal(svc, unverified_text, kind):
                return record
    raise NotFound("This link is not complete, or too old.")


def draft(svc: Services, unverified_link: str, *, password: str, network: str, name: str) -> User:
    """The account that a link is for, its address verified, not yet written anywhere.

    Raises NotFound, and what `signup.draft` raises.
    """
    record = read_link(svc, unverified_link)
    return signup.draft(svc, address=record.email, password=password, network=network, name=name, link_id=record.id)


def create(svc: Services, unverified_link: str, user: User, *also: Write, first: Session | None) -> None:
    """Writes the account of a link, its address and its first session if any, and uses the link up, all or nothing.

    Raises NotFound for a link that was used, or whose address has an account by now.
    """
    record, now = read_link(svc, unverified_link), svc.now()
    account = svc.users.creation(user, canonical_email=email.canonical(user.email))
    spent = svc.once.creation(SpentSignUpLink(), record.id, expires_at=now + SealedInvitation.seconds, now=now)
    session = [svc.sessions.creation_with_user(first)] if first else []
    events = [signup.signed_up(svc, user, first)]
    if audit.commit(svc, user.uid, events, account, *also, *session, spent) is not None:
        raise NotFound("This link was used already.")
    account_hooks.after_sign_up(svc, user)


def sign_up(
    svc: Services, unverified_link: str, *, password: str, agent: UserAgent, name: str, device: str
) -> tuple[User, TokenSet]:
    """The account of a link with its first session of the JSON API; raises what `draft` and `create` raise."""
    user = draft(svc, unverified_link, password=password, network=agent.network, name=name)
    first_login = login.of_new_account(svc, api_login.begin_attempt(svc, scope=None, device=device), user, agent)

    def write(first: Session | None) -> None:
        create(svc, unverified_link, user, first=first)

    return user, signup.with_first_session(svc, user, first_login, device=device, write=write)
