"""Messages as they are stored, byte for byte: what was written once can be read for as long as it can be there."""

import json
from typing import Any
from uuid import uuid4

import pytest

from chalicelib.domain import versioned
from chalicelib.domain.errors import UnreadableRecord
from chalicelib.domain.records.outbox import (
    MESSAGES,
    EmailChangeMail,
    EndedSessions,
    ErasedAccount,
    ErasedSessions,
    LoginMail,
    LoginRequest,
    LogoutNotice,
    Mail,
    Message,
    NewDeviceMail,
    OutboxItem,
    ResetRequest,
    SessionCap,
    SignUpRequest,
)
from chalicelib.store import tables
from chalicelib.store.aws.client import AwsClient
from chalicelib.store.outbox import Outbox
from chalicelib.store.transactions import Transactions
from tests.support.aws import transport

NOW, DAY = 1_800_000_000, 24 * 3600
ID = "0" * 32
ENDED = EndedSessions(uid="u", network="192.0.2.1", session_id="s")

# Never change one; add a version.
PINS: list[tuple[Message, str]] = [
    (ENDED, '{"v": 1, "uid": "u", "network": "192.0.2.1", "session_id": "s"}'),
    (
        EndedSessions(uid="u", network="192.0.2.1", token_version=3, kept="s"),
        '{"v": 1, "uid": "u", "network": "192.0.2.1", "token_version": 3, "kept": "s"}',
    ),
    (
        EndedSessions(uid="u", network="192.0.2.1", token_version=3, of_account=True),
        '{"v": 1, "uid": "u", "network": "192.0.2.1", "token_version": 3, "of_account": true}',
    ),
    (
        ErasedSessions(uid="u", network="192.0.2.1", sessions=(("c", 7, "s"), ("d", None, ""))),
        '{"v": 1, "uid": "u", "network": "192.0.2.1", "sessions": [["c", 7, "s"], ["d", null, ""]]}',
    ),
    (ErasedAccount(uid="u"), '{"v": 1, "uid": "u"}'),
    (
        LogoutNotice(uid="u", network="192.0.2.1", client_id="c", client_since=None, session_ids=("a", "")),
        '{"v": 1, "uid": "u", "network": "192.0.2.1", "client_id": "c", "client_since": null, "session_ids": ["a", ""]}',
    ),
    (
        Mail(name="verify_email", uid="u", to="ä@x", language="en"),
        '{"v": 1, "name": "verify_email", "uid": "u", "to": "\\u00e4@x", "language": "en"}',
    ),
    (
        EmailChangeMail(
            name="change_email", uid="u", to="b@x", language="en", email="a@x", token_version=3, email_changed_at=7
        ),
        (
            '{"v": 1, "name": "change_email", "uid": "u", "to": "b@x", "language": "en", "email": "a@x",'
            ' "token_version": 3, "email_changed_at": 7}'
        ),
    ),
    (SessionCap(uid="u", network="192.0.2.1"), '{"v": 1, "uid": "u", "network": "192.0.2.1"}'),
    (
        NewDeviceMail(
            name="new_device",
            uid="u",
            to="a@x",
            language="ar",
            session_id="s",
            browser="Firefox",
            system="",
            network="192.0.2.1",
            at=NOW,
        ),
        (
            '{"v": 1, "name": "new_device", "uid": "u", "to": "a@x", "language": "ar", "session_id": "s",'
            ' "browser": "Firefox", "system": "", "network": "192.0.2.1", "at": 1800000000}'
        ),
    ),
    (
        LoginMail(name="log_in", uid="u", to="a@x", language="en", attempt_id="i", expires_at=9),
        '{"v": 1, "name": "log_in", "uid": "u", "to": "a@x", "language": "en", "attempt_id": "i", "expires_at": 9}',
    ),
    (
        LoginRequest(email="a@x", language="en", attempt_id="i", expires_at=9),
        '{"v": 1, "email": "a@x", "language": "en", "attempt_id": "i", "expires_at": 9}',
    ),
    (ResetRequest(email="a@x", language="en"), '{"v": 1, "email": "a@x", "language": "en"}'),
    (SignUpRequest(email="\u00e4@x", language="ar"), '{"v": 1, "email": "\\u00e4@x", "language": "ar"}'),
]
ITEM: dict[str, Any] = {
    "pk": {"S": f"message#{ID}"},
    "sk": {"S": "ended sessions"},
    "v": {"N": "1"},
    "value": {"S": PINS[0][1]},
    "useful_until": {"N": str(NOW + 3 * DAY)},
    "expires_at": {"N": str(NOW + 33 * DAY)},
}


class Table:
    """A table of its own with the store's verbs on it, and what is stored there."""

    def __init__(self) -> None:
        names = {table: f"{table}-{uuid4().hex}" for table in ("users", "grants", "outbox")}
        for definition in tables.definition(**names):
            transport("dynamodb")("CreateTable", definition)
        self.name = names["outbox"]
        self.client = AwsClient(transport("dynamodb"))
        self.outbox = Outbox(self.client, outbox=self.name)
        self.transactions = Transactions(self.client)

    def put(self, **changes: Any) -> None:
        """The pinned item, changed; what is None is left out."""
        item = {name: value for name, value in {**ITEM, **changes}.items() if value is not None}
        self.client.call("PutItem", TableName=self.name, Item=item)

    def items(self) -> list[dict[str, Any]]:
        """All that is stored."""
        items: list[dict[str, Any]] = self.client.call("Scan", TableName=self.name)["Items"]
        return items

    def read(self, now: int = NOW) -> OutboxItem | None:
        """The message that is pinned."""
        return self.outbox.read(ID, "ended sessions", now=now)


@pytest.fixture
def table() -> Table:
    return Table()


def test_every_kind_is_pinned() -> None:
    assert {type(message) for message, _ in PINS} == set(MESSAGES.values())


@pytest.mark.parametrize(("message", "stored"), PINS, ids=range(len(PINS)))
def test_a_message_is_written_and_read_as_it_always_was(message: Message, stored: str) -> None:
    assert json.dumps(versioned.to_members(message)) == stored
    kept = OutboxItem(message_id=ID, kind=message.kind, stored=stored, useful_until=0, expires_at=0)
    assert kept.message == message


@pytest.mark.parametrize("stored", ["", "x", "[]", "{}", '{"v": 2}', PINS[0][1].replace("}", ', "more": 1}')])
@pytest.mark.parametrize("kind", [*MESSAGES, "of a later release"])
def test_a_message_of_another_version_or_shape_is_a_defect_that_says_so(kind: str, stored: str) -> None:
    kept = OutboxItem(message_id=ID, kind=kind, stored=stored, useful_until=0, expires_at=0)
    with pytest.raises(UnreadableRecord) as defect:
        _ = kept.message
    assert defect.value.reason.startswith(kind)


def test_a_message_is_stored_as_it_always_was_and_is_there_until_it_is_deleted_or_expires(table: Table) -> None:
    table.transactions.commit(table.outbox.creation(ENDED, ID, now=NOW))
    assert table.items() == [ITEM]
    kept = table.read()
    assert kept is not None
    assert (kept.message, kept.useful_until, kept.failures) == (ENDED, NOW + 3 * DAY, 0)
    assert table.read(NOW + 33 * DAY) is None
    assert [*table.outbox.undelivered()] == [kept]
    table.outbox.delete(ID, "ended sessions")
    assert table.read() is None


@pytest.mark.parametrize("missing", ["value", "useful_until", "expires_at"])
def test_an_item_without_what_it_needs_is_a_defect(table: Table, missing: str) -> None:
    table.put(**{missing: None})
    with pytest.raises(UnreadableRecord):
        table.read()
    table.put(v={"N": "2"})
    with pytest.raises(UnreadableRecord):
        table.read()


def test_of_two_failures_of_one_try_one_is_noted(table: Table) -> None:
    table.put()
    kept = table.read()
    assert kept is not None
    for reason in ("first", "second"):
        table.outbox.note_failure(kept, reason=reason, retry_at=NOW + 60)
    noted = table.read()
    assert noted is not None
    assert (noted.failures, noted.reason, noted.retry_at) == (1, "first", NOW + 60)
    for reason in ("third", "fourth"):
        table.outbox.note_failure(noted, reason=reason, retry_at=0)
    again = table.read()
    assert again is not None
    assert (again.failures, again.reason, again.retry_at) == (2, "third", 0)


def test_a_failure_of_what_was_delivered_meanwhile_brings_nothing_back(table: Table) -> None:
    table.put()
    kept = table.read()
    assert kept is not None
    table.outbox.delete(ID, "ended sessions")
    table.outbox.note_failure(kept, reason="too late", retry_at=NOW + 60)
    assert table.items() == []


def test_a_message_is_replaced_by_others_in_one_write(table: Table) -> None:
    table.put()
    kept = table.read()
    assert kept is not None
    parts = {str(number) * 32: message for number, (message, _) in enumerate(PINS, start=1)}
    table.transactions.commit(*table.outbox.replacement(kept, parts, now=NOW))
    assert {item.message_id: item.message for item in table.outbox.undelivered()} == parts
