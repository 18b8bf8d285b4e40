"""Leaving: a browser's session ends with all that hangs on it, and the clients that took part are told
(OpenID Connect RP-Initiated Logout 1.0, Back-Channel Logout 1.0)."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..domain import tokens
from ..domain.client import Client
from ..domain.errors import InvalidRequest
from ..domain.model import User
from ..services import Services
from . import browser, clients, keys, session, subjects
from .browser import Browser

KNOWN = frozenset({"id_token_hint", "client_id", "post_logout_redirect_uri", "state", "logout_hint", "ui_locales"})
OFFLINE = "offline_access"
LOGOUT_TOKEN = "logout+jwt"
LOGOUT_TOKEN_SECONDS = 120
EVENT = "http://schemas.openid.net/event/backchannel-logout"
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Leaving:
    """A request to log out, checked: the client it comes from, what its id_token says, and where to go afterwards."""

    client: Client | None
    hint: Mapping[str, Any]
    uri: str
    state: str

    def is_of(self, svc: Services, known: Browser) -> bool:
        """Whether the client has shown that it means the session that this browser is in."""
        if self.client is None or not self.hint:
            return False
        shown = {"sub": known.user.uid, "sid": known.grant.gid}
        return all(self.hint.get(n) == subjects.shown(svc, self.client, each) for n, each in shown.items())


@dataclass(frozen=True, slots=True)
class Failure:
    """A client that could not be told that a session has ended, and why."""

    client_id: str
    reason: str


def asked(svc: Services, params: Mapping[str, str]) -> Leaving:
    """A request to log out (RP-Initiated Logout 1.0 section 2); raises InvalidRequest for a page of ours.

    A hint that is no id_token of ours, or no longer recognised as one, counts as none: then the user is asked.
    """
    hint = session.hinted(svc, params.get("id_token_hint", "")) or {}
    client_id = str(hint.get("aud", "")) or params.get("client_id", "")
    if params.get("client_id", client_id) != client_id:
        raise InvalidRequest("`client_id` and `id_token_hint` are of different clients.")
    client = clients.find(svc, client_id) if client_id else None
    uri = params.get("post_logout_redirect_uri", "")
    if uri and (client is None or uri not in client.post_logout_redirect_uris):
        raise InvalidRequest("The application asked to go to a place that is not registered for it.")
    return Leaving(client, hint, uri, params.get("state", "") if uri else "")


def end(svc: Services, known: Browser) -> list[Failure]:
    """Ends a browser's session and what began in it; tells the clients, and says which of them could not be told.

    What was granted for a user's absence stays (Back-Channel Logout 1.0 section 2.7): a television, an app on a phone.
    """
    browser.end(svc, known, why="logout")
    begun = [each for each in svc.grants.of_user(known.user.uid) if each.browser == known.grant.gid and not each.ended]
    for grant in begun:
        if OFFLINE not in grant.scope:
            svc.grants.end(grant.uid, grant.gid, why="logout")
    # The table forgets sessions whose tokens have expired, but the clients that had them are told as well.
    took_part = {*known.grant.took_part, *(grant.client_id for grant in begun if not grant.waiting)}
    return _tell(svc, known.user, known.grant.gid, took_part)


def _tell(svc: Services, user: User, gid: str, took_part: Iterable[str]) -> list[Failure]:
    found = [clients.find(svc, client_id) for client_id in sorted(took_part)]
    told = [client for client in found if client and client.backchannel_logout_uri]
    if not told:
        return []
    sent = [(client, logout_token(svc, client, user, gid)) for client in told]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(lambda each: _post(svc, *each), sent))
    return [failure for failure in outcomes if failure]


def _post(svc: Services, client: Client, token: str) -> Failure | None:
    answer = svc.fetch.post(client.backchannel_logout_uri, {"logout_token": token})
    if answer.status in (200, 204):
        return None
    return Failure(client.client_id, answer.reason or f"status {answer.status}")


def logout_token(svc: Services, client: Client, user: User, gid: str) -> str:
    """What tells a client that a session has ended (Back-Channel Logout 1.0 section 2.4)."""
    now = svc.now()
    claims = {
        "iss": svc.settings.issuer,
        "aud": client.client_id,
        "iat": now,
        "exp": now + LOGOUT_TOKEN_SECONDS,
        "jti": session.new_id(),
        "events": {EVENT: {}},
        "sub": subjects.shown(svc, client, user.uid),
        "sid": subjects.shown(svc, client, gid),
    }
    return tokens.sign(claims, keys.current(svc).signer(now), typ=LOGOUT_TOKEN)
