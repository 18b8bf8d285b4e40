from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from ..domain.accounts.model import Session, User
from ..domain.accounts.rotation import Use, use_of
from ..domain.errors import TemporarilyUnavailable, UnreadableRecord
from ..domain.oauth.client import Client
from .aws.client import AwsClient
from .clients import client_key
from .clients import from_item as client_from_item
from .dynamo import ConditionFailed, Item, attempt, conditionally, delete_all
from .session_items import from_item
from .session_writes import ADD_PARTICIPANT, SessionWrites
from .transactions import Write
from .user_items import from_item as user_from_item
from .user_items import session_key, user_key

MAX_NOTED = 50  # clients and their sessions, in one browser's session: it is read with every page

T = TypeVar("T")


def _use_after_rival(failed: ConditionFailed, generation: int, *, jkt: str, now: int, retry_window: int) -> Use:
    rival = from_item(failed.item) if failed.item else None
    return use_of(rival, generation, jkt=jkt, now=now, retry_window=retry_window)


def _with_key(jkt: str) -> str:
    """That a session may be used by who has proved this key, "" for none, as a condition."""
    return "(attribute_not_exists(jkt) OR jkt = :jkt)" if jkt else "attribute_not_exists(jkt)"


def _one(items: list[Item], key: dict[str, Any], decode: Callable[[Item], T]) -> T | None:
    return next((decode(item) for item in items if key.items() <= item.items()), None)


def _readable(items: list[Item]) -> list[Session]:
    sessions = []
    for item in items:
        with suppress(UnreadableRecord):
            sessions.append(from_item(item))
    return sessions


class Sessions:
    """Sessions, one item each for its whole life. A verb that could race carries its own condition."""

    def __init__(self, client: AwsClient, *, users: str, grants: str) -> None:
        self._client = client
        self._users = users
        self._grants = grants
        self._writes = SessionWrites(users=users, grants=grants)

    def creation_with_user(self, session: Session) -> Write:
        """The first session of a user who is written with it."""
        return Write((self._writes.put(session),))

    def creation(self, session: Session) -> Write:
        """A new session of a user as they were read.

        One that was asked for in a browser begins only while the browser's session lives; a code is a use of that session.
        """
        browser = [self._writes.begin_in_browser(session)] if session.browser else []
        return Write((self._writes.check_owner(session), self._writes.put(session), *browser))

    def renewal(self, session: Session) -> Write:
        """A browser's session as another login of its user leaves it, its generation one on.

        It is written anew where the table has deleted it. Not if it has ended, or another such login came between.
        """
        return Write((self._writes.check_owner(session), self._writes.renew(session)))

    def use(self, browser: Session, *, now: int) -> Write:
        """A use of a browser's session, while it and its user are as they were read."""
        return Write((self._writes.check_owner(browser), self._writes.use(browser, browser.session_id, now)))

    def proof(self, session: Session, *, amr: tuple[str, ...]) -> Write:
        """What has been proved in a session by now, while it has not ended."""
        return Write((self._writes.proof(session, amr),))

    def add_logout_participant(self, session: Session, *, by_session: bool) -> None:
        """Notes in a browser's session that a client has a session of it, so that it is told of its end, whenever that is.

        With `by_session` it notes which; one browser's session keeps few of those, and after them the client alone.
        """
        if not by_session or not self._note_participant(session, session.participating_session, most=MAX_NOTED):
            self._note_participant(session, session.participant)

    def _note_participant(self, session: Session, participant: str, *, most: int = 0) -> bool:
        """False if there are as many already."""
        few = " AND (attribute_not_exists(took_part) OR size(took_part) < :most)" if most else ""
        try:
            conditionally(
                self._client,
                "UpdateItem",
                TableName=self._grants,
                Key=session_key(session.uid, session.browser),
                UpdateExpression=ADD_PARTICIPANT,
                ConditionExpression="attribute_exists(pk)" + few,
                ExpressionAttributeValues={
                    ":client": {"SS": [participant]},
                    **({":most": {"N": str(most)}} if most else {}),
                },
            )
        except ConditionFailed as failed:
            return failed.item is None  # the browser's session has been swept: nobody can log out of it any more
        return True

    def with_user(self, uid: str, session_id: str) -> tuple[User | None, Session | None]:
        """A session and its user, as of now, in one round trip."""
        profile, session = user_key(uid), session_key(uid, session_id)
        items = self._read([profile], session)
        return _one(items, profile, user_from_item), _one(items, session, from_item)

    def with_user_and_client(
        self, uid: str, session_id: str, client_id: str
    ) -> tuple[User | None, Session | None, Client | None]:
        """A session, its user and a registered client, as of now, in one round trip."""
        profile, session, client = user_key(uid), session_key(uid, session_id), client_key(client_id)
        items = self._read([profile, client], session)
        return (
            _one(items, profile, user_from_item),
            _one(items, session, from_item),
            _one(items, client, client_from_item),
        )

    def _read(self, of_users: list[dict[str, Any]], session: dict[str, Any]) -> list[Item]:
        requests: Any = {
            self._users: {"Keys": of_users, "ConsistentRead": True},
            self._grants: {"Keys": [session], "ConsistentRead": True},
        }
        answer = self._client.call("BatchGetItem", RequestItems=requests)
        if answer["UnprocessedKeys"]:
            raise TemporarilyUnavailable(reason="UnprocessedKeys")
        return [item for items in answer["Responses"].values() for item in items]

    def rotate(self, session: Session, *, jkt: str = "", now: int, idle_seconds: int, retry_window: int) -> Use:
        """Replaces the current refresh token by its successor: CURRENT if this call did it, else what its failure means.

        `jkt` is the key that the successor is bound to; a successor that a rival bound to another key is not to be had.
        """
        unbound = {":unbound": {"N": str(session.generation)}} if jkt and not session.jkt else {}
        try:
            conditionally(
                self._client,
                "UpdateItem",
                TableName=self._grants,
                Key=session_key(session.uid, session.session_id),
                UpdateExpression="SET generation = :next, rotated_at = :now, last_used_at = :now, expires_at = :idle"
                + (", jkt = :jkt, unbound_until = :unbound" if unbound else ""),
                ConditionExpression="generation = :current AND attribute_not_exists(ended) AND expires_at > :now AND "
                + _with_key(jkt),
                ExpressionAttributeValues={
                    ":current": {"N": str(session.generation)},
                    ":next": {"N": str(session.generation + 1)},
                    ":now": {"N": str(now)},
                    ":idle": {"N": str(min(now + idle_seconds, session.ends_at))},
                    **({":jkt": {"S": jkt}} if jkt else {}),
                    **unbound,
                },
            )
        except ConditionFailed as failed:
            return _use_after_rival(failed, session.generation, jkt=jkt, now=now, retry_window=retry_window)
        return Use.CURRENT

    def bind(self, successor: Session, *, jkt: str, now: int, retry_window: int) -> Use:
        """Binds a session to a key as its latest refresh token is handed out once more: RETRY, or what the failure means."""
        try:
            conditionally(
                self._client,
                "UpdateItem",
                TableName=self._grants,
                Key=session_key(successor.uid, successor.session_id),
                UpdateExpression="SET jkt = :jkt, unbound_until = :latest",
                ConditionExpression=f"generation = :latest AND attribute_not_exists(ended) AND {_with_key(jkt)}",
                ExpressionAttributeValues={":jkt": {"S": jkt}, ":latest": {"N": str(successor.generation)}},
            )
        except ConditionFailed as failed:
            return _use_after_rival(failed, successor.generation - 1, jkt=jkt, now=now, retry_window=retry_window)
        return Use.RETRY

    def prolong(self, session: Session, *, now: int, idle_seconds: int) -> bool:
        """Moves last use and idle end of a session that keeps its refresh token; False if it has ended, or rotated since."""
        try:
            conditionally(
                self._client,
                "UpdateItem",
                TableName=self._grants,
                Key=session_key(session.uid, session.session_id),
                UpdateExpression="SET last_used_at = :now, expires_at = :idle",
                ConditionExpression="generation = :current AND attribute_not_exists(ended) AND expires_at > :now",
                ExpressionAttributeValues={
                    ":current": {"N": str(session.generation)},
                    ":now": {"N": str(now)},
                    ":idle": {"N": str(min(now + idle_seconds, session.ends_at))},
                },
            )
        except ConditionFailed:
            return False
        return True

    def redeem_code(self, session: Session, *, jkt: str, now: int, expires_at: int) -> bool:
        """Spends the code of a waiting session, whose session begins; False if it is spent, changed or expired."""
        code_fields = {name: getattr(session, name) for name in ("client_id", "redirect_uri", "challenge", "jkt")}
        conditions = [
            f"{name} = :{name}" if value else f"attribute_not_exists({name})" for name, value in code_fields.items()
        ]
        values = {f":{name}": {"S": value} for name, value in code_fields.items() if value}
        bind = ", jkt = :bind" if jkt else " REMOVE jkt"
        attempt_id = attempt()
        try:
            conditionally(
                self._client,
                "UpdateItem",
                TableName=self._grants,
                Key=session_key(session.uid, session.session_id),
                UpdateExpression=f"SET generation = :one, last_used_at = :now, expires_at = :end, begun_by = :ours{bind}",
                ConditionExpression=" AND ".join(
                    ["generation = :zero", "attribute_not_exists(ended)", "expires_at > :now", *conditions]
                ),
                ExpressionAttributeValues={
                    **values,
                    **({":bind": {"S": jkt}} if jkt else {}),
                    ":ours": attempt_id,
                    ":zero": {"N": "0"},
                    ":one": {"N": "1"},
                    ":now": {"N": str(now)},
                    ":end": {"N": str(expires_at)},
                },
            )
        except ConditionFailed as failed:
            return failed.item is not None and failed.item.get("begun_by") == attempt_id
        return True

    def end(self, uid: str, session_id: str, *, why: str, owner: Client | None = None) -> bool:
        """Ends a session for good, if it is there (and its owner's) and has not ended; the item stays, to know a replay by."""
        try:
            conditionally(self._client, "UpdateItem", **self._writes.end(uid, session_id, why, owner))
        except ConditionFailed:
            return False
        return True

    def ending(self, uid: str, session_id: str, *, why: str, owner: Client | None = None) -> Write:
        """The same to be written with its event, or its clients' notice; raises ValueError where none has such an id."""
        return Write(({"Update": self._writes.end(uid, session_id, why, owner)},))

    def of_user(self, uid: str) -> list[Session]:
        """All sessions of a user that are still stored, ended ones too."""
        return [from_item(item) for item in self._items(uid)]

    def readable_of_user(self, uid: str) -> list[Session]:
        """The same without those that this release cannot read, for what none of them may be in the way of."""
        return _readable(self._items(uid))

    def erase(self, uid: str, *, but: str = "") -> list[Session]:
        """Erases every session of a user, or every one but one, and gives those that could be read."""
        items = [item for item in self._items(uid) if not but or item["sk"] != session_key(uid, but)["sk"]]
        # By their keys alone: one that cannot be read goes as well.
        delete_all(self._client, self._grants, [{name: item[name] for name in ("pk", "sk")} for item in items])
        return _readable(items)

    def _items(self, uid: str) -> list[Item]:
        pages = self._client.pages(
            "Query",
            TableName=self._grants,
            KeyConditionExpression="pk = :user AND begins_with(sk, :grant)",
            ExpressionAttributeValues={":user": {"S": f"user#{uid}"}, ":grant": {"S": "grant#"}},
            ConsistentRead=True,
        )
        return [item for page in pages for item in page["Items"]]
