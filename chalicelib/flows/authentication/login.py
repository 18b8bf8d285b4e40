from ...domain.accounts import email, passwords
from ...domain.accounts.model import User
from ...domain.authentication.model import Authenticated
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
    login = authenticate(svc, address=address, password=password, network=network)
    session = begin.draft(svc, login, client, scope=granted, device=device)
    issued = issue.issue(svc, keys.current(svc), login.user, session, client)
    begin.create(svc, session, login=login)
    return issued


def authenticate(svc: Services, *, address: str, password: str, network: str) -> Authenticated:
    """The user with this address and password.

    An unknown address costs what a wrong password costs and answers the same.
    """
    # Lengths, then the limit, then what costs more the longer it is.
    passwords.check_length(password)
    canonical = email.canonical(address)
    spent = limits.password_attempt(svc, canonical_email=canonical, network=network)
    secret = passwords.normalise(password)
    # An unknown address costs the second read too, of an account that is not there; of another one each time,
    # since all guesses at unknown addresses together would be too many for one partition.
    user = verify_password(svc, svc.users.read(svc.users.find(canonical) or new_id()), secret)
    return Authenticated(user=user, amr=PASSWORD, auth_time=svc.now(), spent=spent)


def of_new_account(svc: Services, user: User) -> Authenticated:
    """The login that a sign-up is: who has just made a password knows it."""
    return Authenticated(user=user, amr=PASSWORD, auth_time=svc.now())


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
