from ..domain import email, passwords
from ..domain.errors import EmailTaken
from ..domain.model import User
from ..services import Services
from . import keys, limits, session
from .login import PASSWORD
from .session import TokenPair


def sign_up(
    svc: Services, *, address: str, password: str, network: str, name: str = "", device: str = ""
) -> tuple[User, TokenPair]:
    """A new account with its first session, all or nothing; raises EmailTaken, WeakPassword, InvalidRequest."""
    secret = passwords.normalised(password)
    mailed = email.validated(address)
    limits.sign_up(svc, network=network)
    passwords.check_strength(secret, about=(*mailed.split("@"), name))
    user = User(
        uid=session.new_id(),
        email=mailed,
        name=name,
        password_hash=passwords.hash_password(secret, profile=svc.hashing),
        created_at=svc.now(),
    )
    grant = session.draft(svc, user, scope=svc.settings.scopes, device=device, amr=PASSWORD)
    pair = session.issue(svc, keys.current(svc), user, grant)
    first_session = [svc.grants.starting(grant)]
    if not svc.users.create(user, canonical_email=email.canonical(mailed), also=first_session):
        raise EmailTaken()
    return user, pair
