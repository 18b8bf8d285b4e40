from ...domain.accounts import email, passwords
from ...domain.accounts.model import Spent, User
from ...domain.errors import AccountDisabled, InvalidCredentials
from ...domain.oauth import scopes
from ...services import Services
from ..clients import own
from ..platform import keys, limits
from ..platform.ids import new_id
from ..sessions import begin, issue
from ..sessions.issue import TokenSet

PASSWORD = ("pwd",)  # RFC 8176


def with_password(
    svc: Services, *, address: str, password: str, network: str, scope: str | None = None, device: str = ""
) -> TokenSet:
    """A new session of the JSON door for the right password."""
    client = own.json_api(svc)
    granted = scopes.narrow(scope, allowed=client.scopes)
    user, spent = authenticate(svc, address=address, password=password, network=network)
    session = begin.draft(svc, user, client, scope=granted, device=device, amr=PASSWORD)
    issued = issue.issue(svc, keys.current(svc), user, session, client)
    begin.create(svc, session, spent=spent)
    return issued


def authenticate(svc: Services, *, address: str, password: str, network: str) -> tuple[User, Spent]:
    """The user with this address and password, and what the session that begins gives back.

    An unknown address costs what a wrong password costs and answers the same.
    """
    # Lengths, then the limit, then what costs more the longer it is.
    passwords.check_length(password)
    canonical = email.canonical(address)
    spent = limits.password_attempt(svc, canonical_email=canonical, network=network)
    secret = passwords.normalise(password)
    # An unknown address costs the second read too, of an account that is not there; of another one each time,
    # since all guesses at unknown addresses together would be too many for one partition.
    return verify_password(svc, svc.users.read(svc.users.find(canonical) or new_id()), secret), spent


def verify_password(svc: Services, user: User | None, secret: str) -> User:
    """The user if this normalised password is theirs and the account is open; raises InvalidCredentials, AccountDisabled."""
    stored = user.password_hash if user and user.password_hash else passwords.unknown_users_hash(svc.hashing)
    is_right = passwords.verify_password(secret, stored=stored)
    if user is None or not is_right:
        raise InvalidCredentials(reason="wrong password" if user else "unknown user", uid=user.uid if user else "")
    if user.disabled:
        raise AccountDisabled(uid=user.uid)
    if passwords.needs_rehash(stored, profile=svc.hashing):
        svc.users.rehash(user, password_hash=passwords.hash_password(secret, profile=svc.hashing))
    return user
