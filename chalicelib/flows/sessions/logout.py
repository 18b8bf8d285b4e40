"""Logout: a browser's session ends with all that hangs on it, and the clients that took part are notified
(OpenID Connect RP-Initiated Logout 1.0, Back-Channel Logout 1.0)."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from ...domain.accounts.model import Session, User, in_force
from ...domain.errors import InvalidRequest, LatchkeyError
from ...domain.oauth import tokens
from ...domain.oauth.client import Client
from ...services import Services
from ..clients import authenticate as clients
from ..clients import current, own
from ..platform import keys, limits, subjects
from ..platform.ids import new_id
from . import browser, manage, verify
from .browser import Browser

KNOWN = frozenset({"id_token_hint", "client_id", "post_logout_redirect_uri", "state", "logout_hint", "ui_locales"})
OFFLINE = "offline_access"
LOGOUT_TOKEN = "logout+jwt"
LOGOUT_TOKEN_SECONDS = 120
EVENT = "http://schemas.openid.net/event/backchannel-logout"
AT_ONCE = 16
# All of them together get as long as three requests may take: well before the function's own time is over.
ROUNDS = 3


# A client's id, and when it was made, None where that was not kept.
Participant = tuple[str, int | None]


@dataclass(frozen=True, slots=True)
class LogoutRequest:
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


@dataclass(frozen=True, slots=True)
class Failure:
    """A client that could not be notified that a session has ended, and why."""

    client_id: str
    reason: str


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


def end(svc: Services, current: Browser, *, network: str) -> list[Failure]:
    """Ends a browser's session and what began in it; notifies the clients, and says which of them could not be reached."""
    browser.end(svc, current, why="logout")
    return _end_begun(svc, current.user, current.session.session_id, network)


def end_by_hint(svc: Services, request: LogoutRequest, *, network: str) -> list[Failure] | None:
    """Ends the session that a client's hint is of, in the absence of its browser; None where none is ended.

    For clients that keep their id_tokens to themselves: those that have something to authenticate with.
    """
    client = request.client
    if client is None or client.public or not request.hint:
        return None
    uid = subjects.identifier(svc, client, request.hint["sub"])
    user = svc.users.read(uid)
    stored = [each for each in svc.sessions.of_user(uid) if in_force(user, each, svc.now())]
    for each in stored:
        if user and each.client_id == own.BROWSER.client_id and request.is_of(svc, Browser(user, each)):
            return end(svc, Browser(user, each), network=network)
        if each.session_id == request.hint.get("sid") and not each.browser and client.owns(each):
            svc.sessions.end(uid, each.session_id, why="logout")
            return []
    return None


def end_one(svc: Services, user: User, *, sid: str, network: str) -> list[Failure]:
    """Ends one session of a user, a browser's as by logout there; raises NotFound if it is not one of theirs in force."""
    manage.end_session(svc, user, sid=sid)
    return _end_begun(svc, user, sid, network)


def _end_begun(svc: Services, user: User, session_id: str, network: str) -> list[Failure]:
    # What was granted for a user's absence stays (Back-Channel Logout 1.0 section 2.7): a television, an app on a phone.
    stored = svc.sessions.of_user(user.uid)
    for session in [each for each in stored if each.browser == session_id and not each.ended]:
        if OFFLINE not in session.scope:
            svc.sessions.end(session.uid, session.session_id, why="logout")
    return _notify_clients(svc, user, _participants(stored, {session_id}), network)


def end_other_sessions(svc: Services, user: User, keep: Session, *, network: str) -> list[Failure]:
    """Ends all sessions of a user but one, in one write, and tells the clients as a logout in each browser would."""
    manage.end_other_sessions(svc, user, keep)
    return notify_of_other_sessions(svc, user, keep, network=network)


def notify_of_other_sessions(svc: Services, user: User, keep: Session, *, network: str) -> list[Failure]:
    """Tells the clients that all sessions but one have ended, of a user as they were before. What is done stays done."""
    try:
        stored = [each for each in svc.sessions.of_user(user.uid) if each.session_id != keep.session_id]
    except LatchkeyError as error:
        return [Failure("", error.reason)]
    ended = [each for each in stored if in_force(user, each, svc.now())]
    browsers = {each.session_id for each in ended if each.client_id == own.BROWSER.client_id}
    return _notify_clients(svc, user, _participants(stored, browsers), network)


def _participants(stored: Iterable[Session], browsers: set[str]) -> dict[Participant, set[str]]:
    """The clients that took part in browsers' sessions, and which sessions of them: "" for one that is not known any more."""
    of_clients = [each for each in stored if each.browser in browsers and not each.waiting and not each.ended]
    # The table deletes sessions whose tokens have expired, but the clients that had them are notified as well.
    noted_at_logins = [noted for each in stored if each.session_id in browsers for noted in each.logout_participants]
    participants: dict[Participant, set[str]] = {}
    for noted in [*(each.participating_session for each in of_clients), *noted_at_logins]:
        client_id, since, session_id = [*noted.split("\n"), "", ""][:3]
        participants.setdefault((client_id, int(since) if since else None), set()).add(session_id)
    return participants


def _notify_clients(
    svc: Services, user: User, participants: Mapping[Participant, set[str]], network: str
) -> list[Failure]:
    if not participants:
        return []
    pool = ThreadPoolExecutor(AT_ONCE)
    # Each in a context of its own, where its round trips count as this request's.
    notifications = {
        pool.submit(copy_context().run, _notify_client, svc, user, client, session_ids, network): client
        for client, session_ids in sorted(participants.items(), key=lambda each: (each[0][0], each[0][1] or 0))
    }
    done, late = wait(notifications, timeout=ROUNDS * svc.fetch.seconds)
    # Whoever is slow, or has not had its turn, keeps nobody waiting: this request has an end of its own.
    pool.shutdown(wait=False, cancel_futures=True)
    outcomes = [each.result() for each in done]
    return [*filter(None, outcomes), *(Failure(notifications[each][0], "no time left") for each in late)]


def _notify_client(
    svc: Services, user: User, participant: Participant, session_ids: set[str], network: str
) -> Failure | None:
    client_id, since = participant
    try:
        client = clients.find(svc, client_id, network=network)
        if client is None or not client.backchannel_logout_uri or not client.is_same(client_id, since):
            return None
        # One without `sid` is of all of the user's sessions there.
        by_session = client.told_of_sessions and "" not in session_ids
        failures = [_send_logout_token(svc, client, user, sid) for sid in (sorted(session_ids) if by_session else [""])]
    except LatchkeyError as error:
        return Failure(client_id, error.reason or error.code)
    return next(filter(None, failures), None)


def _send_logout_token(svc: Services, client: Client, user: User, sid: str) -> Failure | None:
    # An operator has looked at the addresses of the others.
    if not client.made_by_operator:
        limits.back_channel(svc, url=client.backchannel_logout_uri)
    answer = svc.fetch.post(client.backchannel_logout_uri, {"logout_token": logout_token(svc, client, user, sid)})
    return (
        None if answer.status in (200, 204) else Failure(client.client_id, answer.reason or f"status {answer.status}")
    )


def logout_token(svc: Services, client: Client, user: User, sid: str) -> str:
    """What tells a client that a session has ended, or with "" as `sid` all of a user's (Back-Channel Logout 1.0 section 2.4)."""
    now = svc.now()
    claims = {
        "iss": svc.settings.issuer,
        "aud": client.client_id,
        "iat": now,
        "exp": now + LOGOUT_TOKEN_SECONDS,
        "jti": new_id(),
        "events": {EVENT: {}},
        "sub": subjects.subject_for(svc, client, user.uid),
        **({"sid": sid} if sid else {}),
    }
    key = keys.signer(keys.current(svc), client.id_token_algorithms, now=now)
    return tokens.sign(claims, key, typ=LOGOUT_TOKEN)
