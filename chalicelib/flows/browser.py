"""The session that a browser has with this server's own pages, and the marks that show that a form is one of ours."""

import hmac
from dataclasses import dataclass

from ..domain import base64url
from ..domain import refresh as handles
from ..domain.client import Client
from ..domain.errors import InvalidGrant
from ..domain.model import Grant, User, in_force
from ..services import Services
from . import keys, session

# A browser session is a grant like any other, so that the list of sessions shows it and "end all" ends it.
CLIENT = Client(client_id="browser", token_endpoint_auth_method="none", client_name="Browser", first_party=True)
MARK = b"latchkey form\x00"


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser in which a user is logged in."""

    user: User
    grant: Grant


def current(svc: Services, cookie: str) -> Browser | None:
    """Who is logged in with this cookie, as of now (one read; none for a forged one)."""
    try:
        _, handle = session.opened(svc, cookie, handles.BROWSER)
    except InvalidGrant:
        return None
    found = in_force(*svc.grants.with_user(handle.uid, handle.gid), svc.now())
    return Browser(*found) if found else None


def draft(svc: Services, user: User, *, amr: tuple[str, ...]) -> Grant:
    """A browser session that begins now and is not yet written anywhere."""
    return session.draft(svc, user, CLIENT, scope=(), device=CLIENT.client_name, amr=amr)


def cookie_of(svc: Services, grant: Grant) -> str:
    """The cookie of a browser session."""
    return session.sealed(svc, keys.current(svc), grant, handles.BROWSER)


def end(svc: Services, browser: Browser, *, why: str) -> None:
    """Ends a browser session."""
    svc.grants.end(browser.user.uid, browser.grant.gid, why=why)


def mark(svc: Services, *parts: str) -> str:
    """A text that only this server can make for these parts: what its forms carry, so that no other site's form counts."""
    key = keys.current(svc).refresher(svc.now())
    return _mac(key.secret, parts)


def marked(svc: Services, text: str, *parts: str) -> bool:
    """Whether a text is the mark of these parts under any of the keys."""
    macs = [_mac(secret, parts) for secret in keys.current(svc).refresh_secrets().values()]
    return True in [hmac.compare_digest(text.encode(), mac.encode()) for mac in macs]


def _mac(secret: bytes, parts: tuple[str, ...]) -> str:
    # Lengths before the parts: no two lists of parts come out as the same bytes.
    message = MARK + b"".join(len(p.encode()).to_bytes(4, "big") + p.encode() for p in parts)
    return base64url.encode(hmac.digest(secret, message, "sha256"))
