"""The clients that take part in a logout are told that their sessions have ended (OpenID Connect Back-Channel Logout 1.0)."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from ...domain.accounts.model import Session, User, in_force
from ...domain.errors import LatchkeyError
from ...domain.oauth import tokens
from ...domain.oauth.client import Client
from ...domain.records.outbox import EndedSessions, ErasedSessions, LogoutNotice
from ...services import Services, Write
from ..clients import authenticate as clients
from ..clients import own
from ..platform import keys, limits, outbox, subjects
from ..platform.ids import derived_id
from ..platform.outbox import NotDelivered

LOGOUT_TOKEN = "logout+jwt"
LOGOUT_TOKEN_SECONDS = 120
EVENT = "http://schemas.openid.net/event/backchannel-logout"
# Why a session has ended that began in a browser's, with that one.
BROWSER_LEFT = "logout in its browser"

# A client's id, and when it was made, None where that was not kept.
Participant = tuple[str, int | None]
# What one message has room for, in characters of ids: an item of DynamoDB has 400 kB, and so has a message of its stream.
MOST_IDS = 100_000


def session_ended(svc: Services, user: User, session_id: str, *, network: str) -> Write:
    """What tells the clients that a session has ended: to be written with its end."""
    return outbox.message(svc, EndedSessions(uid=user.uid, network=network, session_id=session_id))


def all_sessions_ended(svc: Services, user: User, *, network: str) -> Write:
    """What tells the clients that all sessions have ended of a user as they were before."""
    return outbox.message(svc, EndedSessions(uid=user.uid, network=network, token_version=user.token_version))


def other_sessions_ended(svc: Services, user: User, keep: Session, *, network: str) -> Write:
    """What tells the clients that all sessions have ended but one of a user as they were before."""
    version, kept = user.token_version, keep.session_id
    return outbox.message(svc, EndedSessions(uid=user.uid, network=network, token_version=version, kept=kept))


def account_ended(svc: Services, user: User, *, network: str) -> Write:
    """What tells the clients that an account has ended as it was before, whose sessions are stored still."""
    ended = EndedSessions(uid=user.uid, network=network, token_version=user.token_version, of_account=True)
    return outbox.message(svc, ended)


def sessions_erased(svc: Services, user: User, stored: Sequence[Session], *, network: str) -> list[Write]:
    """What tells the clients that an account's sessions are gone: to be written before they are erased, or with that.

    It has all that there is to tell, for nobody can read it any more when it is delivered.
    """
    live = [each for each in stored if in_force(user, each, svc.now())]
    participants = _participants(stored, _browsers(live), _of_clients(svc, live))
    messages: list[list[tuple[str, int | None, str]]] = []
    room = 0
    for (client_id, since), session_ids in participants.items():
        for session_id in sorted(session_ids):
            room -= len(client_id) + len(session_id)
            if room < 0:
                messages.append([])
                room = MOST_IDS
            messages[-1].append((client_id, since, session_id))
    return [
        outbox.message(svc, ErasedSessions(uid=user.uid, network=network, sessions=tuple(each))) for each in messages
    ]


def client_sessions_ended(svc: Services, ended: Sequence[Session], *, network: str) -> list[Write]:
    """What tells one client that its own sessions have ended; nothing for one that does not listen, or without sessions."""
    if not ended or not _may_listen(svc, ended[0].client_id):
        return []
    session_ids: dict[int | None, list[str]] = {}
    for session in ended:
        session_ids.setdefault(session.client_since, []).append(session.session_id)
    return [
        outbox.message(
            svc,
            LogoutNotice(
                uid=ended[0].uid,
                network=network,
                client_id=ended[0].client_id,
                client_since=since,
                session_ids=tuple(sorted(ids)),
            ),
        )
        for since, ids in session_ids.items()
    ]


def notify_participants(svc: Services, message_id: str, ended: EndedSessions) -> Mapping[str, LogoutNotice]:
    """A notice for each client that took part in sessions that have ended, by ids that are the same each time."""
    stored = [each for each in svc.sessions.of_user(ended.uid) if each.session_id != ended.kept]
    live = [each for each in stored if each.alive(svc.now()) and each.token_version == ended.token_version]
    browsers = {ended.session_id} if ended.session_id else _browsers(live)
    elsewhere = _of_clients(svc, live) if ended.of_account else []
    return _notices(svc, message_id, ended, _participants(stored, browsers, elsewhere))


def notify_of_erased(svc: Services, message_id: str, erased: ErasedSessions) -> Mapping[str, LogoutNotice]:
    """The same for sessions that are gone, and most often their account with them."""
    participants: dict[Participant, set[str]] = {}
    for client_id, since, session_id in erased.sessions:
        participants.setdefault((client_id, since), set()).add(session_id)
    return _notices(svc, message_id, erased, participants)


def _notices(
    svc: Services,
    message_id: str,
    message: EndedSessions | ErasedSessions,
    participants: Mapping[Participant, set[str]],
) -> Mapping[str, LogoutNotice]:
    notices = [
        LogoutNotice(
            uid=message.uid,
            network=message.network,
            client_id=client_id,
            client_since=since,
            session_ids=tuple(sorted(session_ids)),
        )
        for (client_id, since), session_ids in participants.items()
        if _may_listen(svc, client_id)
    ]
    return {derived_id(message_id, f"{notice.client_id} {notice.client_since}"): notice for notice in notices}


def _browsers(live: Iterable[Session]) -> set[str]:
    return {each.session_id for each in live if each.client_id == own.BROWSER.client_id}


def _of_clients(svc: Services, live: Iterable[Session]) -> list[str]:
    """Those of the sessions that are a client's, in whichever browser they began, or in none."""
    ours = (own.BROWSER.client_id, svc.settings.client_id)
    return [each.participating_session for each in live if each.client_id not in ours and not each.waiting]


def _participants(
    stored: Iterable[Session], browsers: set[str], elsewhere: Iterable[str] = ()
) -> dict[Participant, set[str]]:
    """The clients that took part in browsers' sessions, and which sessions of them: "" for one that is not known any more."""
    stored = [*stored]
    began = [each for each in stored if each.browser in browsers and not each.waiting]
    of_clients = [each.participating_session for each in began if each.ended in ("", BROWSER_LEFT)]
    # The table deletes sessions whose tokens have expired, but the clients that had them are notified as well.
    noted_at_logins = [noted for each in stored if each.session_id in browsers for noted in each.logout_participants]
    participants: dict[Participant, set[str]] = {}
    for noted in [*of_clients, *noted_at_logins, *elsewhere]:
        client_id, since, session_id = [*noted.split("\n"), "", ""][:3]
        participants.setdefault((client_id, int(since) if since else None), set()).add(session_id)
    return participants


def _may_listen(svc: Services, client_id: str) -> bool:
    client = svc.clients.read(client_id)
    return client is None or bool(client.backchannel_logout_uri)  # one with a document of its own is read later


def deliver(svc: Services, message_id: str, notice: LogoutNotice) -> Mapping[str, LogoutNotice]:
    """Sends a client its logout token; a notice of several sessions, of which each has a token, is taken apart.

    Raises NotDelivered.
    """
    try:
        return _deliver(svc, message_id, notice)
    except LatchkeyError as refusal:
        raise NotDelivered(notice.client_id, refusal.reason or refusal.code) from None


def _deliver(svc: Services, message_id: str, notice: LogoutNotice) -> Mapping[str, LogoutNotice]:
    client = clients.find(svc, notice.client_id, network=notice.network)
    if client is None or not client.backchannel_logout_uri:
        return {}
    if not client.is_same(notice.client_id, notice.client_since):
        return {}
    # One without `sid` is of all of the user's sessions there.
    by_session = client.told_of_sessions and "" not in notice.session_ids
    if by_session and len(notice.session_ids) > 1:
        return {derived_id(message_id, sid): replace(notice, session_ids=(sid,)) for sid in notice.session_ids}
    _send(
        svc, client, logout_token(svc, client, notice.uid, notice.session_ids[0] if by_session else "", jti=message_id)
    )
    return {}


def _send(svc: Services, client: Client, token: str) -> None:
    # An operator has looked at the addresses of the others.
    if not client.made_by_operator:
        limits.back_channel(svc, url=client.backchannel_logout_uri)
    answer = svc.fetch.post(client.backchannel_logout_uri, {"logout_token": token})
    if answer.status not in (200, 204):
        raise NotDelivered(client.client_id, answer.reason or f"status {answer.status}")


def logout_token(svc: Services, client: Client, uid: str, sid: str, *, jti: str) -> str:
    """What tells a client that a session has ended, or with "" as `sid` all of a user's (Back-Channel Logout 1.0 section 2.4).

    Of each try it is another token with the same `jti`.
    """
    now = svc.now()
    claims = {
        "iss": svc.settings.issuer,
        "aud": client.client_id,
        "iat": now,
        "exp": now + LOGOUT_TOKEN_SECONDS,
        "jti": jti,
        "events": {EVENT: {}},
        "sub": subjects.subject_for(svc, client, uid),
        **({"sid": sid} if sid else {}),
    }
    key = keys.signer(keys.current(svc), client.id_token_algorithms, now=now)
    return tokens.sign(claims, key, typ=LOGOUT_TOKEN)
