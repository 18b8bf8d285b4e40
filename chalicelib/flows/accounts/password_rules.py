"""A password that somebody chooses: the rules that it has to keep to, the cheap ones first, and what is stored of it."""

from ...domain.accounts import passwords
from ...domain.accounts.model import User
from ...domain.errors import WeakPassword
from ...services import Services
from . import breached_passwords

CHANGED = "password_changed"  # an event of its account, and a mail to its owner


def check(svc: Services, password: str, *, address: str, name: str) -> str:
    """The password as it is hashed; raises LongPassword, WeakPassword. What costs a call or a hash is not looked at."""
    secret = passwords.normalise(password)
    passwords.check_strength(secret, about=(address, *address.split("@"), name), score=svc.settings.password_score)
    return secret


def hash_first(svc: Services, password: str, *, address: str, name: str) -> str:
    """What is stored of the first password of an account; raises LongPassword, WeakPassword."""
    secret = check(svc, password, address=address, name=name)
    breached_passwords.check(svc, secret)
    return passwords.hash_password(secret, profile=svc.hashing)


def hash_next(svc: Services, user: User, password: str) -> str:
    """What is stored of another password of an account; raises LongPassword, WeakPassword."""
    secret = passwords.normalise(password)
    about = (user.email, *user.email.split("@"), user.name, *user.claims.values())
    passwords.check_strength(secret, about=about, score=svc.settings.password_score)
    remembered = (user.password_hash, *user.previous_password_hashes)[: svc.settings.password_history]
    if any(stored and passwords.verify_password(secret, stored=stored) for stored in remembered):
        raise WeakPassword("This account had this password before.", rule="reused")
    breached_passwords.check(svc, secret)
    return passwords.hash_password(secret, profile=svc.hashing)


def remembered_hashes(svc: Services, user: User) -> tuple[str, ...]:
    """The hashes before the next one of an account that are kept, so that none of their passwords comes back."""
    kept = max(0, svc.settings.password_history - 1)
    return tuple(stored for stored in (user.password_hash, *user.previous_password_hashes) if stored)[:kept]
