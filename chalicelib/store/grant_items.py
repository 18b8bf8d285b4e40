"""A session as DynamoDB has it; what was written once can be read for ever."""

from typing import Any

from ..domain.accounts.model import Grant
from .dynamo import Item
from .users import grant_key

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


def to_item(grant: Grant) -> dict[str, Any]:
    """A grant as it is stored. `expires_at` is the table's time to live."""
    return {
        **grant_key(grant.uid, grant.gid),
        "client_id": {"S": grant.client_id},
        "scope": {"S": " ".join(grant.scope)},
        "amr": {"S": " ".join(grant.amr)},
        **{name: {"N": str(getattr(grant, name))} for name in NUMBERS},
        **{name: {"S": getattr(grant, name)} for name in TEXTS if getattr(grant, name)},
        **({"unbound_until": {"N": str(grant.unbound_until)}} if grant.unbound_until else {}),
        **({"took_part": {"SS": list(grant.took_part)}} if grant.took_part else {}),
        **({} if grant.client_since is None else {"client_since": {"N": str(grant.client_since)}}),
    }


def from_item(item: Item) -> Grant:
    """The grant in a stored item."""
    return Grant(
        uid=item["pk"]["S"].partition("#")[2],
        gid=item["sk"]["S"].partition("#")[2],
        client_id=item["client_id"]["S"],
        scope=tuple(item["scope"]["S"].split()),
        amr=tuple(item["amr"]["S"].split()),
        took_part=tuple(sorted(item["took_part"]["SS"])) if "took_part" in item else (),
        client_since=int(item["client_since"]["N"]) if "client_since" in item else None,
        unbound_until=int(item["unbound_until"]["N"]) if "unbound_until" in item else 0,
        **_rest(item),
    )


def _rest(item: Item) -> dict[str, Any]:
    texts = {name: item[name]["S"] for name in TEXTS if name in item}
    return {**texts, **{name: int(item[name]["N"]) for name in NUMBERS}}
