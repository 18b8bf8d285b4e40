"""The session that a browser has with this server's own pages."""

from dataclasses import replace

import msgspec

from ...domain.accounts.model import Session, User, in_force
from ...domain.authentication.model import Authenticated
from ...domain.crypto import handles
from ...domain.crypto.handles import Handle
from ...domain.errors import InvalidGrant, LoginExpired
from ...services import Services
from ..clients import own
from ..platform import audit, keys
from . import begin, kept_account, login_hooks, remembered_devices, session_handles

TRIES = 4  # of logins at once in one browser


class Browser(msgspec.Struct, frozen=True):
    """A browser in which a user is logged in."""

    user: User
    session: Session


def current(svc: Services, cookie: str) -> Browser | None:
    """Who is logged in with this cookie, as of now (one read; none for a forged one)."""
    handle = _decode_cookie(svc, cookie)
    current_login = _read(svc, handle.uid, handle.session_id) if handle else None
    return current_login if current_login and handle and current_login.session.generation == handle.generation else None


def previous_login(svc: Services, cookie: str, user: User) -> Browser | None:
    """Who was logged in before a login of this user, in the cookie's session, though its time may be over.

    Two logins at once both bring the cookie that only the first of them finds to be the latest, so one that was replaced
    still leads to the user's own session; to another user's session it does not lead any more.
    """
    handle = _decode_cookie(svc, cookie)
    if handle is None:
        return None
    return _read_unended(
        svc, handle.uid, handle.session_id, latest=None if handle.uid == user.uid else handle.generation
    )


def _decode_cookie(svc: Services, cookie: str) -> Handle | None:
    try:
        return session_handles.decode_handle(svc, cookie, handles.BROWSER)[1]
    except InvalidGrant:
        return None


def _read(svc: Services, uid: str, session_id: str) -> Browser | None:
    in_force_now = in_force(*svc.sessions.with_user(uid, session_id), svc.now())
    return Browser(*in_force_now) if in_force_now else None


def _read_unended(svc: Services, uid: str, session_id: str, *, latest: int | None = None) -> Browser | None:
    """A browser's session that was not ended, whether its time is over or not: what began in it may live for longer.

    None if its `latest` cookie is another than is said.
    """
    user, session = svc.sessions.with_user(uid, session_id)
    if user is None:
        return None
    if session is None:  # the table has deleted it
        deleted = begin.draft_without_login(svc, user, own.BROWSER, scope=())
        return Browser(user, replace(deleted, session_id=session_id, generation=svc.now()))
    if session.ended or session.token_version != user.token_version or latest not in (None, session.generation):
        return None
    return Browser(user, session)


def log_in(svc: Services, login: Authenticated, previous: Browser | None) -> Browser:
    """The session of a browser in which a user has just logged in: their own of `previous`, raised, else a new one.

    What began in a browser can be ended there as long as it lives, so a login does not leave its own session behind.
    It gives back what the login spent, and takes back that the account is to be erased.
    """
    user, new_session, finish = login.user, draft(svc, login), begin.finishing(svc, login)
    device = remembered_devices.writes(svc, login)
    refund = svc.attempts.refund(login.spent, now=svc.now())
    for _ in range(TRIES):
        if previous is None or previous.user.uid != user.uid:
            break
        renewed = _renewed(new_session, previous)
        events = begin.login_events(svc, login, renewed)
        failed = audit.commit(svc, user.uid, events, svc.sessions.renewal(renewed), *finish, *device, optional=[refund])
        if failed is None:
            login = kept_account.keep(svc, login)
            login_hooks.after_login(svc, login, own.BROWSER.client_id)
            return Browser(login.user, renewed)
        if failed in finish:
            break
        previous = _read_unended(svc, user.uid, previous.session.session_id)
    return Browser(begin.create(svc, new_session, login=login), new_session)


def raise_session(svc: Services, login: Authenticated, browser: Browser) -> Browser:
    """The browser's session as its user's further proof leaves it; raises LoginExpired if it has ended or changed since."""
    renewed, finish = _renewed(draft(svc, login), browser), begin.finishing(svc, login)
    refund = svc.attempts.refund(login.spent, now=svc.now())
    device = remembered_devices.writes(svc, login)
    events, writes = begin.login_events(svc, login, renewed, name="step_up"), (*finish, *device)
    failed = audit.commit(svc, renewed.uid, events, svc.sessions.renewal(renewed), *writes, optional=[refund])
    if failed is not None:
        raise LoginExpired(reason="session changed meanwhile", uid=login.user.uid)
    return Browser(login.user, renewed)


def _renewed(new_session: Session, previous: Browser) -> Session:
    same = {name: getattr(previous.session, name) for name in ("session_id", "created_at", "logout_participants")}
    return replace(new_session, **same, generation=previous.session.generation + 1)


def draft(svc: Services, login: Authenticated) -> Session:
    """A browser session that a login begins now; it is not yet written anywhere."""
    return begin.draft(svc, login, own.BROWSER, scope=(), device=own.BROWSER.client_name)


def cookie_of(svc: Services, session: Session) -> str:
    """The cookie of a browser session."""
    return session_handles.encode_handle(svc, keys.current(svc), session, handles.BROWSER)
