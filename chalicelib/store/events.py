import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from ..domain import versioned
from ..domain.accounts.events import MOST_THAT_RECUR, Event
from ..domain.durations import HOUR
from .aws.client import AwsClient
from .dynamo import Item, delete_all, key
from .items import ONE
from .transactions import Write

HOURS_AT_ONCE = 25  # of one read; a year has more
LATEST = 10**12 - 1  # of what a key has digits for
FIRST = "first_"  # of each kind that recurs, in an attribute of its own


class Events:
    """The security events of accounts: one item an account and hour, which takes no more than so many.

    They end with their time (epoch seconds), which is compared here: the table sweeps late. What cannot be read is as good
    as absent.
    """

    def __init__(self, client: AwsClient, *, grants: str) -> None:
        self._client = client
        self._grants = grants

    def addition(self, uid: str, events: tuple[Event, ...], *, seconds: int, now: int) -> Write:
        """Events of now, kept for so many seconds, if their hour has room; raises ValueError where no user has such an id."""
        texts = [{"S": _text(event)} for event in events]
        part = {
            "TableName": self._grants,
            "Key": _key(uid, now),
            "UpdateExpression": (
                "SET #events = list_append(if_not_exists(#events, :none), :new), expires_at = :end, v = :v"
            ),
            "ConditionExpression": "attribute_not_exists(#events) OR size(#events) < :most",
            "ExpressionAttributeNames": {"#events": "events"},
            "ExpressionAttributeValues": {
                ":none": {"L": []},
                ":new": {"L": texts},
                ":end": {"N": str(now + seconds)},
                ":most": {"N": str(max(event.most for event in events))},
                ":v": ONE,
            },
        }
        return Write(({"Update": part},))

    def first(self, uid: str, event: Event, *, seconds: int, now: int) -> Write:
        """The same of an event that recurs: nothing where its client was the cause before in this hour, from its network.

        It takes none of the others' places, and nothing is in its way before there are so many clients and networks.
        """
        of_client = hashlib.sha256(f"{event.type} {event.client} {event.network}".encode()).hexdigest()[:16]
        part = {
            "TableName": self._grants,
            "Key": _key(uid, now),
            "UpdateExpression": (
                "SET #first = if_not_exists(#first, :new), expires_at = :end, v = :v ADD firsts :of_client"
            ),
            "ConditionExpression": ("attribute_exists(#first) OR attribute_not_exists(firsts) OR size(firsts) < :most"),
            "ExpressionAttributeNames": {"#first": FIRST + of_client},
            "ExpressionAttributeValues": {
                ":new": {"S": _text(event)},
                ":of_client": {"SS": [of_client]},
                ":end": {"N": str(now + seconds)},
                ":most": {"N": str(MOST_THAT_RECUR)},
                ":v": ONE,
            },
        }
        return Write(({"Update": part},))

    def of_user(self, uid: str, *, before: int, since: int, least: int) -> tuple[list[Event], int]:
        """Events of the hours that begin before a time, not before another, the latest first: until there are as many as `least`.

        With it the hour that the next ones are before, 0 where there are none.
        """
        events: dict[str, Event] = {}
        for item in self._items(uid, since, before):
            for event in reversed(_events_of(item)):
                # One that was sent twice, as its answer was lost, is there twice.
                if event.at >= since:
                    events.setdefault(event.id, event)
            if len(events) >= least:
                return [*events.values()], int(item["sk"]["S"].partition("#")[2])
        return [*events.values()], 0

    def erase(self, uid: str) -> None:
        """Erases all events of a user."""
        delete_all(self._client, self._grants, [*self._items(uid, 0, None, ProjectionExpression="pk, sk")])

    def _items(self, uid: str, since: int, before: int | None, **more: Any) -> Iterator[Item]:
        first, last = _key(uid, since), _key(uid, LATEST if before is None else before - 1)
        if first["sk"]["S"] > last["sk"]["S"]:
            return iter(())  # DynamoDB refuses to look between the two
        pages = self._client.pages(
            "Query",
            TableName=self._grants,
            KeyConditionExpression="pk = :user AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={":user": first["pk"], ":first": first["sk"], ":last": last["sk"]},
            ScanIndexForward=False,
            Limit=HOURS_AT_ONCE,
            ConsistentRead=True,
            **more,
        )
        return (item for page in pages for item in page["Items"])


def _events_of(item: Item) -> Sequence[Event]:
    if item.get("v", ONE) != ONE:
        return ()
    try:
        texts = [each["S"] for each in item["events"]["L"]] if "events" in item else []
        texts += [value["S"] for name, value in item.items() if name.startswith(FIRST)]
    except (LookupError, TypeError):
        return ()
    return sorted((event for text in texts for event in _decode(text)), key=lambda event: event.at)


def _text(event: Event) -> str:
    return json.dumps(versioned.to_members(event))


def _decode(text: str) -> tuple[Event, ...]:
    try:
        return (versioned.from_members(json.loads(text), Event),)
    except ValueError:
        return ()


def _key(uid: str, at: int) -> dict[str, Any]:
    # Of the same length each, so that they sort as numbers do.
    return key(("user", uid), ("event", f"{min(max(at, 0), LATEST) // HOUR * HOUR:012d}"))
