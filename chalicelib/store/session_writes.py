"""What a transaction writes of sessions."""

from typing import Any

from ..domain.accounts.model import Session
from ..domain.oauth.client import Client
from .session_items import to_item
from .user_items import as_read, session_key

ADD_PARTICIPANT = "ADD took_part :client"


def _owned(owner: Client) -> tuple[str, dict[str, Any]]:
    """`Client.owns` as a condition, with its values."""
    without_since = "attribute_not_exists(client_since) AND created_at >= :since"
    values = {":client": {"S": owner.client_id}, ":since": {"N": str(owner.created_at)}}
    return f"client_id = :client AND (client_since = :since OR ({without_since}))", values


class SessionWrites:
    """The parts of transactions on sessions, each with its condition."""

    def __init__(self, *, users: str, grants: str) -> None:
        self._users = users
        self._grants = grants

    def check_owner(self, session: Session) -> dict[str, Any]:
        """That a session's user is as they were read."""
        return {"ConditionCheck": {"TableName": self._users, **as_read(session)}}

    def put(self, session: Session) -> dict[str, Any]:
        """A new session."""
        return {"Put": {"TableName": self._grants, "Item": to_item(session)}}

    def renew(self, session: Session) -> dict[str, Any]:
        """A session in place of itself one generation before, or of nothing, if it has not ended."""
        attributes = {name: value for name, value in to_item(session).items() if name not in ("pk", "sk", "took_part")}
        return {
            "Update": {
                "TableName": self._grants,
                "Key": session_key(session.uid, session.session_id),
                "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
                "ConditionExpression": (
                    "attribute_not_exists(pk) OR "
                    "(generation = :before AND attribute_not_exists(ended) AND token_version = :token_version)"
                ),
                "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
                "ExpressionAttributeValues": {
                    ":before": {"N": str(session.generation - 1)},
                    **{f":{name}": value for name, value in attributes.items()},
                },
            }
        }

    def end(self, uid: str, session_id: str, why: str, owner: Client | None) -> dict[str, Any]:
        """The end of a session that is there (and its owner's) and has not ended."""
        of_client, values = _owned(owner) if owner else ("attribute_exists(pk)", {})
        return {
            "TableName": self._grants,
            "Key": session_key(uid, session_id),
            "UpdateExpression": "SET ended = :why",
            "ConditionExpression": f"{of_client} AND attribute_not_exists(ended)",
            "ExpressionAttributeValues": {":why": {"S": why}, **values},
        }

    def begin_in_browser(self, session: Session) -> dict[str, Any]:
        """What a session's beginning writes in its browser's: its client as a participant in logout, or a use, for a code."""
        if session.waiting:
            return self.use(session, session.browser, session.created_at)
        # A device that comes for its tokens is in no browser.
        participant = {"SS": [session.participating_session]}
        return self._while_alive(session, session.browser, ADD_PARTICIPANT, {":client": participant})

    def use(self, session: Session, browser: str, now: int) -> dict[str, Any]:
        """A use of the session `browser` of the same user, while it lives."""
        return self._while_alive(session, browser, "SET last_used_at = :now", {":now": {"N": str(now)}})

    def proof(self, session: Session, amr: tuple[str, ...]) -> dict[str, Any]:
        """What has been proved in a session, while it lives."""
        values = {":amr": {"S": " ".join(amr)}}
        return self._while_alive(session, session.session_id, "SET amr = :amr", values)

    def _while_alive(self, session: Session, browser: str, update: str, values: dict[str, Any]) -> dict[str, Any]:
        return {
            "Update": {
                "TableName": self._grants,
                "Key": session_key(session.uid, browser),
                "UpdateExpression": update,
                "ConditionExpression": "attribute_not_exists(ended) AND token_version = :version",
                "ExpressionAttributeValues": {**values, ":version": {"N": str(session.token_version)}},
            }
        }
