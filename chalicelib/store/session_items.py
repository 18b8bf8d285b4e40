"""A session as DynamoDB has it; what was written once can be read for ever."""

from typing import Any

from ..domain.accounts.model import Session
from .dynamo import Item
from .items import VERSION, reader
from .user_items import session_key

TEXTS = ("device", "ended", "redirect_uri", "challenge", "nonce", "resource", "jkt", "browser", "claims")
NUMBERS = (
    "token_version",
    "auth_time",
    "created_at",
    "last_used_at",
    "expires_at",
    "ends_at",
    "generation",
    "rotated_at",
)


def to_item(session: Session) -> dict[str, Any]:
    """A session as it is stored. `expires_at` is the table's time to live."""
    return {
        **session_key(session.uid, session.session_id),
        **VERSION,
        "client_id": {"S": session.client_id},
        "scope": {"S": " ".join(session.scope)},
        "amr": {"S": " ".join(session.amr)},
        **{name: {"N": str(getattr(session, name))} for name in NUMBERS},
        **{name: {"S": getattr(session, name)} for name in TEXTS if getattr(session, name)},
        **({"unbound_until": {"N": str(session.unbound_until)}} if session.unbound_until else {}),
        **({"took_part": {"SS": list(session.logout_participants)}} if session.logout_participants else {}),
        **({} if session.client_since is None else {"client_since": {"N": str(session.client_since)}}),
    }


@reader("session")
def from_item(item: Item) -> Session:
    """The session in a stored item."""
    return Session(
        uid=item["pk"]["S"].partition("#")[2],
        session_id=item["sk"]["S"].partition("#")[2],
        client_id=item["client_id"]["S"],
        scope=tuple(item["scope"]["S"].split()),
        amr=tuple(item["amr"]["S"].split()),
        logout_participants=tuple(sorted(item["took_part"]["SS"])) if "took_part" in item else (),
        client_since=int(item["client_since"]["N"]) if "client_since" in item else None,
        unbound_until=int(item["unbound_until"]["N"]) if "unbound_until" in item else 0,
        **_rest(item),
    )


def _rest(item: Item) -> dict[str, Any]:
    texts = {name: item[name]["S"] for name in TEXTS if name in item}
    return {**texts, **{name: int(item[name]["N"]) for name in NUMBERS}}
