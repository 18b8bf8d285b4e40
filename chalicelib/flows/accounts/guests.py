"""Guests: accounts that an app makes before it knows who its user is, and that become real ones in their place.

Nobody logs in to one: its session is all that it has, and no token of that says anything of a login. It becomes a real
account by an address, with a password here, or with the code of a mail (`email_change`). Whatever it had stays: the account
is the same. An address that another account has leaves the guest as it was.
"""

from collections.abc import Sequence
from dataclasses import replace

from ...domain.accounts import email
from ...domain.accounts.model import User
from ...domain.errors import EmailTaken, InvalidRequest, SignUpClosed, TemporarilyUnavailable
from ...services import Services, Write
from ..clients import own
from ..platform import audit, keys, limits
from ..platform.ids import new_id
from ..sessions import begin, issue, lifetimes
from ..sessions.issue import TokenSet
from . import account_hooks, signup, verification


def create(svc: Services, *, network: str, name: str = "", device: str = "") -> tuple[User, TokenSet]:
    """A new guest with its session of the JSON API, all or nothing; raises SignUpClosed, TooManyRequests."""
    if not svc.settings.guests:
        raise SignUpClosed("There are no guests here.")
    limits.guest(svc, network=network)
    account_hooks.before_sign_up(svc, address="", name=name, network=network)
    client, now = own.json_api(svc), svc.now()
    user = User(uid=new_id(), email="", password_hash="", name=name, guest=True, created_at=now)
    session = begin.draft_without_login(svc, user, client, scope=client.scopes, device=device)
    issued = issue.issue(svc, keys.current(svc), user, session, client)
    expires_at = now + lifetimes.absolute_seconds(svc, client)
    account = svc.guests.creation(user, expires_at=expires_at)
    events = [audit.event(svc, "guest_created", session=session.session_id, client=session.client_id)]
    if audit.commit(svc, user.uid, events, account, svc.sessions.creation_with_user(session)) is not None:
        raise TemporarilyUnavailable(reason="uid exists", uid=user.uid)
    account_hooks.after_sign_up(svc, user)
    return user, issued


def upgrade(
    svc: Services,
    user: User,
    *,
    address: str,
    password: str,
    network: str,
    name: str | None,
    language: str,
    work: str = "",
) -> User:
    """A guest's account with an address and a password, its sessions as they were; raises InvalidRequest for no guest's.

    Raises what `signup.draft` raises, SignUpClosed where a mail has to come first, and EmailTaken.
    """
    if not user.guest:
        raise InvalidRequest("This account has an address: change it at /me/email.")
    named = user.name if name is None else name
    # Anybody can be a guest: to the hash of its password it is a stranger.
    new = signup.draft(svc, address=address, password=password, network=network, name=named, work=work)
    promoted = replace(user, email=new.email, password_hash=new.password_hash, name=named, guest=False)
    promote(svc, user, promoted, *verification.mail(svc, promoted, language=language))
    return promoted


def promote(svc: Services, user: User, promoted: User, *also: Write, optional: Sequence[Write] = ()) -> None:
    """Writes what a guest has become, its address with it, all or nothing; raises EmailTaken, and then nothing has changed."""
    write = svc.guests.promotion(user, promoted, now=svc.now())
    events = [audit.event(svc, "guest_upgraded")]
    if audit.commit(svc, user.uid, events, write, *also, optional=optional) is None:
        account_hooks.after_upgrade(svc, promoted)
        return
    holder = svc.users.find(email.canonical(promoted.email))
    if holder in (None, user.uid):
        raise TemporarilyUnavailable(reason="account changed meanwhile", uid=user.uid)
    account_hooks.address_taken(svc, user, other_uid=holder, email_verified=promoted.email_verified)
    # Both are known here: whoever logs in to the other account may want what the guest had.
    raise EmailTaken(reason=f"the account {holder} has it", uid=user.uid)
