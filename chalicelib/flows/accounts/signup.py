from collections.abc import Callable

import msgspec

from ...domain.accounts import email, passwords
from ...domain.accounts.events import Event
from ...domain.accounts.model import Session, User
from ...domain.authentication.user_agent import UserAgent
from ...domain.errors import EmailDomainRefused, EmailTaken, LatchkeyError, SignUpClosed
from ...services import Services, Write
from ..authentication import api_login, login
from ..authentication.factors import passkey as passkey_factor
from ..authentication.factors import password as password_factor
from ..authentication.login import Incomplete, Progress
from ..clients import own
from ..platform import audit, keys, limits
from ..platform.ids import new_id
from ..sessions import begin, issue
from ..sessions.issue import TokenSet
from . import account_hooks, password_rules, verification


def sign_up(
    svc: Services, *, address: str, password: str, agent: UserAgent, name: str = "", device: str = ""
) -> tuple[User, TokenSet]:
    """A new account with its first session of the JSON API, all or nothing; raises what `draft` and `create` raise.

    Raises EnrolmentRequired where a login needs more than the password; there is the account then, and no session.
    """
    user = draft(svc, address=address, password=password, network=agent.network, work=agent.proof_of_work, name=name)
    first_login = login.of_new_account(svc, api_login.begin_attempt(svc, scope=None, device=device), user, agent)

    def write(first: Session | None) -> None:
        create(svc, user, first=first, language=agent.language)

    return user, with_first_session(svc, user, first_login, device=device, write=write)


def with_first_session(
    svc: Services, user: User, first_login: Progress, *, device: str, write: Callable[[Session | None], None]
) -> TokenSet:
    """The tokens of the JSON API for a new account, which is written with their session: signed first, as everywhere.

    Raises what `write` does, or EnrolmentRequired once it has written the account without a session.
    """
    if isinstance(first_login, Incomplete):
        write(None)
        raise api_login.refusal(svc, first_login)
    client = own.json_api(svc)
    session = begin.draft(svc, first_login, client, scope=client.scopes, device=device)
    issued = issue.issue(svc, keys.current(svc), user, session, client)
    write(session)
    return msgspec.structs.replace(issued, device_token=begin.device_token(svc, first_login))


def draft(
    svc: Services, *, address: str, password: str, network: str, name: str, work: str = "", link_id: str = ""
) -> User:
    """An account that is not yet written anywhere; where a mail comes first, only with the address that its link verified.

    Raises SignUpClosed, EmailDomainRefused, WeakPassword, InvalidRequest, TooManyRequests, ProofOfWorkRequired, Refused.
    """
    email_verified = bool(link_id)
    if not email_verified and svc.settings.sign_up != "open":
        raise SignUpClosed()
    passwords.check_length(password)
    normalised_address = permitted(svc, address)
    unverified_email = "" if email_verified else email.canonical(normalised_address)
    spent = limits.sign_up(
        svc,
        unverified_email=unverified_email,
        network=network,
        work=None if email_verified else work,
        link_id=link_id,
    )
    account_hooks.before_sign_up(svc, address=normalised_address, name=name, network=network)
    try:
        password_hash = password_rules.hash_first(svc, password, address=normalised_address, name=name)
    except LatchkeyError:
        svc.attempts.give_back(spent, now=svc.now())
        raise
    return User(
        uid=new_id(),
        email=normalised_address,
        name=name,
        email_verified=email_verified,
        password_hash=password_hash,
        created_at=svc.now(),
    )


def check_open(svc: Services) -> None:
    """Raises SignUpClosed where nobody may make themselves an account."""
    if not svc.settings.sign_up_open:
        raise SignUpClosed()


def permitted(svc: Services, address: str) -> str:
    """The address, normalised, if it may sign up here; raises InvalidRequest, EmailDomainRefused."""
    normalised_address = email.validate(address)
    domains, refused = svc.settings.mail_domains, svc.settings.refused_mail_domains
    canonical_email = email.canonical(normalised_address)
    if email.in_domains(canonical_email, refused) or (domains and not email.in_domains(canonical_email, domains)):
        raise EmailDomainRefused()
    return normalised_address


def create(svc: Services, user: User, *also: Write, first: Session | None, language: str) -> None:
    """Writes an account, its address, its first session if any, and a mail to verify the address, all or nothing.

    Raises EmailTaken.
    """
    mail = verification.mail(svc, user, language=language)
    account = svc.users.creation(user, canonical_email=email.canonical(user.email))
    session = [svc.sessions.creation_with_user(first)] if first else []
    events = [signed_up(svc, user, first)]
    if audit.commit(svc, user.uid, events, account, *also, *session, *mail) is not None:
        raise EmailTaken()
    account_hooks.after_sign_up(svc, user)


def signed_up(svc: Services, user: User, first: Session | None) -> Event:
    """The event that an account's making is."""
    session, client = (first.session_id, first.client_id) if first else ("", "")
    factor = password_factor.NAME if user.password_hash else passkey_factor.NAME
    return audit.event(svc, "signed_up", session=session, client=client, factor=factor)
