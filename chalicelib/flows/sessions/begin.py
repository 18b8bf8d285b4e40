"""How a session begins: drafted, then written with what has to be true at that moment."""

from dataclasses import replace

from ...domain.accounts.events import KNOWN, NEW, Event
from ...domain.accounts.model import Session, User
from ...domain.authentication.model import Authenticated
from ...domain.errors import LoginExpired, LoginRequired, TemporarilyUnavailable
from ...domain.oauth.client import Client
from ...domain.records.once import FinishedLogin
from ...domain.records.outbox import SessionCap
from ...services import Services, Write
from ..platform import audit, outbox
from ..platform.ids import new_id
from . import kept_account, known_devices, lifetimes, login_hooks, remembered_devices


def draft(svc: Services, login: Authenticated, client: Client, *, scope: tuple[str, ...], device: str = "") -> Session:
    """A session that a login begins now; it is not yet written anywhere."""
    session = draft_without_login(svc, login.user, client, scope=scope, device=device)
    return replace(session, amr=login.amr, auth_time=login.auth_time)


def draft_without_login(
    svc: Services, user: User, client: Client, *, scope: tuple[str, ...], device: str = ""
) -> Session:
    """A session that somebody else vouches for: its tokens say nothing of a login, and it counts as none (`logged_in`)."""
    now = svc.now()
    ends_at = now + lifetimes.absolute_seconds(svc, client)
    return Session(
        uid=user.uid,
        session_id=new_id(),
        client_id=client.client_id,
        client_since=client.created_at,
        scope=scope,
        token_version=user.token_version,
        amr=(),
        auth_time=0,
        created_at=now,
        last_used_at=now,
        expires_at=min(now + lifetimes.idle_seconds(svc, client), ends_at),
        ends_at=ends_at,
        device=device,
    )


def create(svc: Services, session: Session, *, login: Authenticated) -> User:
    """Writes a drafted session; raises LoginRequired if what it was to begin from has ended since: the browser's session.

    It gives back what its `login` spent, which was no failure, and has the owner mailed where the device is a new one.
    Of an account that is to be erased it takes that back then, and gives its user as they are by now.
    Raises LoginExpired if the login has begun a session already, TemporarilyUnavailable if only its user, or
    that the device is remembered, is no longer as it was read: whoever tries again is told why.
    """
    refund = svc.attempts.refund(login.spent, now=svc.now())
    finish = finishing(svc, login)
    device = [*known_devices.new_device_mail(svc, login, session), *remembered_devices.writes(svc, login)]
    cap = _session_cap(svc, session, network=login.agent.network) if login.agent else ()
    events = login_events(svc, login, session) or [beginning(svc, session, by="code")]
    writes = (svc.sessions.creation(session), *finish, *device, *cap)
    failed = audit.commit(svc, session.uid, events, *writes, optional=[refund])
    if failed in finish:
        svc.attempts.give_back(login.spent, now=svc.now())
        raise LoginExpired(reason="login complete already", uid=session.uid)
    if failed is not None:
        if session.browser:
            raise LoginRequired("The user has logged out meanwhile.", uid=session.uid)
        raise TemporarilyUnavailable(reason="account changed meanwhile", uid=session.uid)
    login = kept_account.keep(svc, login)
    login_hooks.after_login(svc, login, session.client_id)
    return login.user


def login_events(svc: Services, login: Authenticated, session: Session, *, name: str = "login") -> list[Event]:
    """The events of a session that a login begins or raises; none for what its user begins inside a session."""
    if login.agent is None:
        return []
    known = login.device is not None and login.device.is_known_to(login.user)
    event = audit.event(
        svc,
        name,
        session=session.session_id,
        client=session.client_id,
        device=KNOWN if known else NEW,
        amr=login.amr,
    )
    if not remembered_devices.is_new(svc, login):
        return [event]
    return [event, audit.event(svc, "device_remembered", session=session.session_id)]


def beginning(svc: Services, session: Session, *, by: str) -> Event:
    """The event of a session that begins without a login of its own: `by` a code, a device or somebody's assertion."""
    return audit.event(
        svc, "session_began", session=session.session_id, client=session.client_id, amr=session.amr, reason=by
    )


def _session_cap(svc: Services, session: Session, *, network: str) -> tuple[Write, ...]:
    """What has the sessions of an account counted, to be written with a new one; nothing where there is no cap."""
    if not svc.settings.sessions_per_account:
        return ()
    return (outbox.message(svc, SessionCap(uid=session.uid, network=network)),)


def device_token(svc: Services, login: Authenticated) -> str:
    """What the device has from now on that its user has just logged in on; "" where nobody has just logged in."""
    return known_devices.token(svc, login.device, login.user) if login.device else ""


def finishing(svc: Services, login: Authenticated) -> list[Write]:
    """What uses up a login of several requests, to be written with the one session that it begins or raises."""
    if not login.attempt_id:
        return []
    expires_at, now = login.attempt_expires_at, svc.now()
    return [svc.once.creation(FinishedLogin(), login.attempt_id, expires_at=expires_at, now=now)]
