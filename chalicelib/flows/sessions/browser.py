"""The session that a browser has with this server's own pages, and the marks that show that a form is one of ours."""

import hmac
from dataclasses import dataclass, replace

from ...domain.accounts.model import Grant, Spent, Start, User, in_force
from ...domain.crypto import base64url, handles
from ...domain.crypto.handles import Handle
from ...domain.errors import InvalidGrant
from ...services import Services
from ..clients import own
from ..platform import keys
from . import begin, session_handles

MARK = b"latchkey form\x00"
TRIES = 4  # of logins at once in one browser


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser in which a user is logged in."""

    user: User
    grant: Grant


def current(svc: Services, cookie: str) -> Browser | None:
    """Who is logged in with this cookie, as of now (one read; none for a forged one)."""
    handle = _opened(svc, cookie)
    found = _read(svc, handle.uid, handle.gid) if handle else None
    return found if found and handle and found.grant.generation == handle.generation else None


def before(svc: Services, cookie: str, user: User) -> Browser | None:
    """Who was logged in before a login of this user, in the cookie's session, though its time may be over.

    Two logins at once both bring the cookie that only the first of them finds to be the latest, so one that was replaced
    still leads to the user's own session; to anybody else's it is no key any more.
    """
    handle = _opened(svc, cookie)
    if handle is None:
        return None
    return _left(svc, handle.uid, handle.gid, latest=None if handle.uid == user.uid else handle.generation)


def _opened(svc: Services, cookie: str) -> Handle | None:
    try:
        return session_handles.decode_handle(svc, cookie, handles.BROWSER)[1]
    except InvalidGrant:
        return None


def _read(svc: Services, uid: str, gid: str) -> Browser | None:
    found = in_force(*svc.grants.with_user(uid, gid), svc.now())
    return Browser(*found) if found else None


def _left(svc: Services, uid: str, gid: str, *, latest: int | None = None) -> Browser | None:
    """A browser's session that was not ended, whether its time is over or not: what began in it may live for longer.

    None if its `latest` cookie is another than is said.
    """
    user, grant = svc.grants.with_user(uid, gid)
    if user is None:
        return None
    if grant is None:  # the table has forgotten it
        return Browser(user, replace(draft(svc, user, amr=()), gid=gid, generation=svc.now()))
    if grant.ended or grant.token_version != user.token_version or latest not in (None, grant.generation):
        return None
    return Browser(user, grant)


def log_in(
    svc: Services, user: User, before: Browser | None, *, amr: tuple[str, ...], spent: Spent | None = None
) -> Browser:
    """The session of a browser in which a user has just logged in: their own of `before`, raised, else a new one.

    What began in a browser can be ended there as long as it lives, so a login does not leave its own session behind.
    It gives back what it `spent`.
    """
    spare = svc.attempts.giving_back(spent, now=svc.now())
    drafted = draft(svc, user, amr=amr)
    for _ in range(TRIES):
        if before is None or before.user.uid != user.uid:
            break
        kept = {name: getattr(before.grant, name) for name in ("gid", "created_at", "took_part")}
        raised = replace(drafted, **kept, generation=before.grant.generation + 1)
        if svc.grants.log_in_again(raised, spare=spare) is Start.DONE:
            return Browser(user, raised)
        before = _left(svc, user.uid, before.grant.gid)
    begin.create(svc, drafted, spent=spent)
    return Browser(user, drafted)


def draft(svc: Services, user: User, *, amr: tuple[str, ...]) -> Grant:
    """A browser session that begins now and is not yet written anywhere."""
    return begin.draft(svc, user, own.BROWSER, scope=(), device=own.BROWSER.client_name, amr=amr)


def cookie_of(svc: Services, grant: Grant) -> str:
    """The cookie of a browser session."""
    return session_handles.encode_handle(svc, keys.current(svc), grant, handles.BROWSER)


def end(svc: Services, browser: Browser, *, why: str) -> None:
    """Ends a browser session."""
    svc.grants.end(browser.user.uid, browser.grant.gid, why=why)


def mark(svc: Services, *parts: str) -> str:
    """A text that only this server can make for these parts: what its forms carry, so that no other site's form counts."""
    key = keys.current(svc).handle_key(svc.now())
    return _mac(key.secret, parts)


def marked(svc: Services, text: str, *parts: str) -> bool:
    """Whether a text is the mark of these parts under any of the keys."""
    macs = [_mac(secret, parts) for secret in keys.current(svc).handle_secrets().values()]
    return True in [hmac.compare_digest(text.encode(), mac.encode()) for mac in macs]


def _mac(secret: bytes, parts: tuple[str, ...]) -> str:
    # Lengths before the parts: no two lists of parts come out as the same bytes.
    message = MARK + b"".join(len(p.encode()).to_bytes(4, "big") + p.encode() for p in parts)
    return base64url.encode(hmac.digest(secret, message, "sha256"))
