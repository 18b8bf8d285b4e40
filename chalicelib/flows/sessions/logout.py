"""Logout: a browser's session ends with all that hangs on it, and the clients that took part are notified
(OpenID Connect RP-Initiated Logout 1.0)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from ...domain.accounts.events import SERVER
from ...domain.accounts.model import Session, User, in_force
from ...domain.errors import InvalidRequest, NotFound
from ...domain.oauth.client import Client
from ...domain.oauth.scopes import OFFLINE_ACCESS
from ...services import Services
from ..clients import authenticate as clients
from ..clients import current, own
from ..platform import audit, subjects
from . import back_channel, ending, verify
from .browser import Browser

KNOWN = frozenset({"id_token_hint", "client_id", "post_logout_redirect_uri", "state", "logout_hint", "ui_locales"})
BY_USER, TOO_MANY = "ended by its user", "too many sessions"


class LogoutRequest(msgspec.Struct, frozen=True):
    """A request to log out, checked: the client it comes from, what its id_token says, and where to go afterwards.

    `unregistered` is whether it named a place where nobody is sent.
    """

    client: Client | None
    hint: Mapping[str, Any]
    uri: str
    state: str
    unregistered: bool

    @property
    def redirects_at_once(self) -> bool:
        """Whether somebody who is not logged in may be sent on at once: else every stranger could make us do so."""
        return self.client is not None and self.client.made_by_operator

    def is_of(self, svc: Services, current: Browser) -> bool:
        """Whether the client's hint is of the session that this browser is in."""
        if self.client is None or self.hint.get("sub") != subjects.subject_for(svc, self.client, current.user.uid):
            return False
        if "sid" not in self.hint:  # it is of this browser's latest login, as far as can be told
            return self.hint.get("auth_time") == current.session.auth_time
        session_id, browser = str(self.hint["sid"]), current.session.session_id
        # Older id_tokens name the browser's session and not the client's.
        return subjects.began_in(svc, session_id, browser) or session_id == subjects.subject_for(
            svc, self.client, browser
        )


def check_request(svc: Services, params: Mapping[str, str], *, network: str) -> LogoutRequest:
    """A request to log out (RP-Initiated Logout 1.0 section 2); raises InvalidRequest for a page of ours.

    A hint that is no id_token of ours, or no longer recognised as one, counts as none: then the user is asked. A place
    that is not registered keeps nobody from logging out.
    """
    hint = verify.verify_id_token_hint(svc, params.get("id_token_hint", "")) or {}
    client_id = str(hint.get("aud", "")) or params.get("client_id", "")
    if params.get("client_id", client_id) != client_id:
        raise InvalidRequest("`client_id` and `id_token_hint` are of different clients.")
    client = clients.find(svc, client_id, network=network) if client_id else None
    if client:
        current.note(client)
    if client and hint and hint["iat"] < client.created_at:
        hint = {}  # it is of another client, which had the id before
    uri = params.get("post_logout_redirect_uri", "")
    if not uri or client is None or uri not in client.post_logout_redirect_uris:
        return LogoutRequest(client, hint, "", "", unregistered=bool(uri))
    return LogoutRequest(client, hint, uri, params.get("state", ""), unregistered=False)


def end(svc: Services, current: Browser, *, network: str) -> None:
    """Ends a browser's session and what began in it, and has the clients notified."""
    user, session_id = current.user, current.session.session_id
    if _end(svc, user, session_id, network=network, why=ending.LOGOUT, event=ending.LOGOUT):
        return
    if session_id not in [each.session_id for each in svc.sessions.of_user(user.uid)]:
        # The table has deleted it, but not what began in it.
        events = [audit.event(svc, ending.LOGOUT, session=session_id)]
        audit.commit(svc, user.uid, events, back_channel.session_ended(svc, user, session_id, network=network))
        _end_begun(svc, user, session_id)


def end_by_hint(svc: Services, request: LogoutRequest, *, network: str) -> bool:
    """Ends the session that a client's hint is of, in the absence of its browser; False where none is ended.

    For clients that keep their id_tokens to themselves: those that have something to authenticate with.
    """
    client = request.client
    if client is None or client.public or not request.hint:
        return False
    uid = subjects.identifier(svc, client, request.hint["sub"])
    user = svc.users.read(uid)
    stored = [each for each in svc.sessions.of_user(uid) if in_force(user, each, svc.now())]
    for each in stored:
        if user and each.client_id == own.BROWSER.client_id and request.is_of(svc, Browser(user, each)):
            end(svc, Browser(user, each), network=network)
            return True
        if each.session_id == request.hint.get("sid") and not each.browser and client.owns(each):
            ending.end(svc, uid, each.session_id, why=ending.LOGOUT, event=ending.LOGOUT, owner=client)
            return True
    return False


def end_one(svc: Services, user: User, *, sid: str, network: str) -> None:
    """Ends one session of a user, a browser's as by logout there; raises NotFound if it is not one of theirs in force."""
    if not _end(svc, user, sid, network=network, why=BY_USER):
        raise NotFound("You have no such session.", uid=user.uid)


def end_excess(svc: Services, user: User, *, sid: str, network: str) -> None:
    """Ends a session of which there are too many, as by logout there."""
    _end(svc, user, sid, network=network, why=TOO_MANY, by=SERVER)


def end_strangers(svc: Services, user: User, *, sid: str, network: str) -> None:
    """Ends a session that somebody else began, with all that began in it, also what a logout would leave."""
    _end(svc, user, sid, network=network, why=BY_USER)
    for session in svc.sessions.of_user(user.uid):
        if session.browser == sid and not session.ended:
            svc.sessions.end(session.uid, session.session_id, why=BY_USER)


def _end(
    svc: Services, user: User, session_id: str, *, network: str, why: str, event: str = ending.ENDED, by: str = ""
) -> bool:
    """Ends a session with what began in it; False if there is none that has not ended."""
    notice = back_channel.session_ended(svc, user, session_id, network=network)
    if not ending.end(svc, user.uid, session_id, notice, why=why, event=event, by=by):
        return False
    _end_begun(svc, user, session_id)
    return True


def _end_begun(svc: Services, user: User, session_id: str) -> None:
    # What was granted for a user's absence stays (Back-Channel Logout 1.0 section 2.7): a television, an app on a phone.
    for session in svc.sessions.of_user(user.uid):
        if session.browser == session_id and not session.ended and OFFLINE_ACCESS not in session.scope:
            svc.sessions.end(session.uid, session.session_id, why=back_channel.BROWSER_LEFT)


def end_other_sessions(svc: Services, user: User, keep: Session, *, network: str) -> None:
    """Ends all sessions of a user but one and has the clients notified as a logout in each browser would, in one write."""
    notice = back_channel.other_sessions_ended(svc, user, keep, network=network)
    events = [audit.event(svc, "other_sessions_ended", session=keep.session_id)]
    ended = svc.users.end_of_other_sessions(user, keep=keep)
    audit.commit_or_unavailable(svc, user.uid, events, ended, notice)
