from ....domain.accounts import email, passwords
from ....domain.accounts.limits import Spent
from ....domain.accounts.model import User
from ....domain.authentication.attempt import Attempt
from ....domain.authentication.model import Proof
from ....domain.authentication.user_agent import UserAgent
from ....domain.errors import AccountDisabled, GuestAccount, InvalidCredentials
from ....services import Services
from ...platform import audit, limits
from ...platform.ids import new_id
from ...sessions import known_devices
from .factor import Factor

NAME = "password"
AMR = ("pwd",)


def identify(svc: Services, *, address: str, password: str, agent: UserAgent) -> tuple[User, Spent]:
    """The user with this address and password, and what the attempt was counted against.

    An unknown address costs what a wrong password costs and answers the same.
    """
    # Lengths, then the limit, then what costs more the longer it is.
    passwords.check_length(password)
    canonical = email.canonical(address)
    device = known_devices.of_user_agent(svc, agent)
    # Of a stranger nothing is read before the limit.
    uid = svc.users.find(canonical) if device.accounts else None
    user = svc.users.read(uid) if uid and device.names(uid) else None
    spent = limits.password_attempt(
        svc,
        canonical_email=canonical,
        network=agent.network,
        device_id=device.id if user and device.is_known_to(user) else "",
        work=agent.proof_of_work,
    )
    with audit.failures(svc, "login_failed", factor=NAME), limits.keep_failure(svc, spent):
        if not device.accounts:
            uid = svc.users.find(canonical)
        # An unknown address costs the second read too, of an account that is not there; of another one each time,
        # since all guesses at unknown addresses together would be too many for one partition.
        user = user or svc.users.read(uid or new_id())
        return _verify(svc, user, passwords.normalise(password)), spent


def reauthenticate(svc: Services, user: User, password: str, *, network: str) -> Spent:
    """Counts and verifies a known user's password, for what they are about to do; gives what it was counted against."""
    if user.guest:
        raise GuestAccount(uid=user.uid)
    passwords.check_length(password)
    spent = _count(svc, user, network)
    with audit.failures(svc, "factor_failed", factor=NAME), limits.keep_failure(svc, spent):
        _verify(svc, user, passwords.normalise(password))
    return spent


def proof(svc: Services) -> Proof:
    """The proof that a right password is, or a new one."""
    return Proof(NAME, AMR, svc.now())


def _enrolled(_: Services, user: User) -> bool:
    return bool(user.password_hash)


def _count(svc: Services, user: User, network: str) -> Spent:
    return limits.password_attempt(svc, canonical_email=email.canonical(user.email), network=network)


def _verify_answer(svc: Services, _: Attempt, user: User, answer: str) -> Proof:
    _verify(svc, user, passwords.normalise(answer))
    return proof(svc)


def _verify(svc: Services, user: User | None, secret: str) -> User:
    """The user if this normalised password is theirs and the account is open; raises InvalidCredentials, AccountDisabled."""
    stored = user.password_hash if user and user.password_hash else passwords.unknown_users_hash(svc.hashing)
    right = passwords.verify_password(secret, stored=stored)
    if user is None or not right:
        raise InvalidCredentials(reason="wrong password" if user else "unknown user", uid=user.uid if user else "")
    if user.disabled:
        raise AccountDisabled(uid=user.uid)
    if passwords.needs_rehash(stored, profile=svc.hashing):
        svc.users.rehash(user, password_hash=passwords.hash_password(secret, profile=svc.hashing))
    return user


FACTOR = Factor(name=NAME, amr=AMR, enrolled=_enrolled, verify=_verify_answer, count=_count, begins_login=True)
