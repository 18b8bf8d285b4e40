"""The bytes of what is good once: read and written as they were pinned here, and nothing else read in them."""

import hashlib
from typing import Any
from uuid import uuid4

import pytest

from chalicelib.domain.records.once import (
    ONCE,
    ClientDocument,
    ClientKeys,
    DeviceCode,
    FinishedLogin,
    LongRequest,
    OnceItem,
    OnceRecord,
    PushedRequest,
    SectorMembers,
    SpentAssertion,
    SpentInteraction,
    SpentProof,
    SpentSignUpLink,
    UserCode,
)
from chalicelib.store import tables
from chalicelib.store.aws.client import AwsClient
from chalicelib.store.once import Once
from tests.support import aws

NOW = 1_800_000_000

PENDING = DeviceCode(
    client_id="tv",
    client_since=1_799_999_000,
    scope="account notes:read",
    resource="https://notes.example",
    status="pending",
    polled_at=1_799_999_990,
    interval=5,
)
APPROVED = DeviceCode(
    client_id="tv",
    client_since=1_799_999_000,
    scope="account",
    status="approved",
    polled_at=1_799_999_990,
    interval=10,
    uid="21b2efff062d43f2acc4ec61a8d22ea3",
    browser="97b739dd1db547f38eb66a34575e5551",
    auth_time=1_799_999_500,
    amr="pwd otp",
)
DECIDED = DeviceCode(
    client_id="tv",
    client_since=1_799_999_000,
    scope="account",
    status="approved",
    polled_at=1_799_999_990,
    interval=10,
    auth_time=1_799_999_500,
    amr="pwd otp",
    decided_by="c2VhbGVk",
)
PUSHED = PushedRequest(params={"client_id": "app", "state": "ä"}, client_since=0, until=1_800_000_060)
SPENT = PushedRequest(
    params={"client_id": "app"}, client_since=0, until=1_800_000_060, spent=("21b2efff", 1_800_000_090)
)
DOCUMENT = ClientDocument(text='{"client_id": "x"}', why="status 200", at=1_799_999_000, until=1_800_002_600)
# Each record with the text that it is stored as. A text here never changes: what was written once can be read for ever.
PINS: list[tuple[OnceRecord, str]] = [
    (
        PENDING,
        (
            '{"v": 1, "client_id": "tv", "client_since": 1799999000, "scope": "account notes:read",'
            ' "resource": "https://notes.example", "status": "pending", "polled_at": 1799999990, "interval": 5}'
        ),
    ),
    (
        DECIDED,
        (
            '{"v": 1, "client_id": "tv", "client_since": 1799999000, "scope": "account", "status": "approved",'
            ' "polled_at": 1799999990, "interval": 10, "auth_time": 1799999500, "amr": "pwd otp",'
            ' "decided_by": "c2VhbGVk"}'
        ),
    ),
    (
        APPROVED,
        (
            '{"v": 1, "client_id": "tv", "client_since": 1799999000, "scope": "account", "status": "approved",'
            ' "polled_at": 1799999990, "interval": 10, "uid": "21b2efff062d43f2acc4ec61a8d22ea3",'
            ' "browser": "97b739dd1db547f38eb66a34575e5551", "auth_time": 1799999500, "amr": "pwd otp"}'
        ),
    ),
    (UserCode(code_digest="9e7e24e0"), '{"v": 1, "place": "9e7e24e0"}'),
    (
        PUSHED,
        '{"v": 1, "params": {"client_id": "app", "state": "\\u00e4"}, "client_since": 0, "until": 1800000060}',
    ),
    (
        SPENT,
        (
            '{"v": 1, "params": {"client_id": "app"}, "client_since": 0, "until": 1800000060,'
            ' "spent": ["21b2efff", 1800000090]}'
        ),
    ),
    (
        LongRequest(pairs=(("client_id", "app"), ("state", "\ud800"))),
        '{"v": 1, "pairs": [["client_id", "app"], ["state", "\\ud800"]]}',
    ),
    (
        LongRequest(pairs=(("client_id", "app"),), signed=True),
        '{"v": 1, "pairs": [["client_id", "app"]], "signed": true}',
    ),
    (
        LongRequest(pairs=(("client_id", "app"), ("login_hint", "")), hints="c2VhbGVk"),
        '{"v": 1, "pairs": [["client_id", "app"], ["login_hint", ""]], "hints": "c2VhbGVk"}',
    ),
    (
        PushedRequest(params={"client_id": "app", "login_hint": ""}, until=1_800_000_060, hints="c2VhbGVk"),
        '{"v": 1, "params": {"client_id": "app", "login_hint": ""}, "until": 1800000060, "hints": "c2VhbGVk"}',
    ),
    (SpentInteraction(until=1_800_000_030), '{"v": 1, "until": 1800000030}'),
    (SpentProof(), '{"v": 1}'),
    (SpentSignUpLink(), '{"v": 1}'),
    (SpentAssertion(), '{"v": 1}'),
    (FinishedLogin(), '{"v": 1}'),
    (
        DOCUMENT,
        '{"v": 1, "text": "{\\"client_id\\": \\"x\\"}", "why": "status 200", "at": 1799999000, "until": 1800002600}',
    ),
    (
        ClientKeys(text=None, why="timed out", at=1_799_999_000, until=1_799_999_060),
        '{"v": 1, "text": null, "why": "timed out", "at": 1799999000, "until": 1799999060}',
    ),
    (
        SectorMembers(text='["https://a.example/cb"]', why="status 200", at=1_799_999_000, until=1_800_002_600),
        (
            '{"v": 1, "text": "[\\"https://a.example/cb\\"]", "why": "status 200", "at": 1799999000,'
            ' "until": 1800002600}'
        ),
    ),
]
# As the releases before versions wrote them; the first ones did not keep when a client was made, nor an API.
UNVERSIONED: list[tuple[OnceRecord, str]] = [
    (
        PENDING,
        (
            '{"client_id": "tv", "client_since": 1799999000, "scope": "account notes:read",'
            ' "resource": "https://notes.example", "status": "pending", "polled_at": 1799999990, "interval": 5}'
        ),
    ),
    (
        APPROVED,
        (
            '{"client_id": "tv", "client_since": 1799999000, "scope": "account", "resource": "", "status": "approved",'
            ' "polled_at": 1799999990, "interval": 10, "uid": "21b2efff062d43f2acc4ec61a8d22ea3",'
            ' "browser": "97b739dd1db547f38eb66a34575e5551", "auth_time": 1799999500, "amr": "pwd otp"}'
        ),
    ),
    (
        DeviceCode(client_id="tv", scope="account", status="pending", polled_at=0, interval=5),
        '{"client_id": "tv", "scope": "account", "status": "pending", "polled_at": 0, "interval": 5}',
    ),
    (UserCode(code_digest="9e7e24e0"), '{"place": "9e7e24e0"}'),
    (PUSHED, '{"params": {"client_id": "app", "state": "\\u00e4"}, "client_since": 0, "until": 1800000060}'),
    (
        SPENT,
        '{"params": {"client_id": "app"}, "client_since": 0, "until": 1800000060, "spent": ["21b2efff", 1800000090]}',
    ),
    (
        PushedRequest(params={"client_id": "app"}, until=1_800_000_060),
        '{"params": {"client_id": "app"}, "until": 1800000060}',
    ),
    (LongRequest(pairs=(("client_id", "app"),)), '{"pairs": [["client_id", "app"]]}'),
    (SpentInteraction(until=1_800_000_030), '{"until": 1800000030}'),
    (SpentProof(), "{}"),
    (SpentAssertion(), "{}"),
    (FinishedLogin(), "{}"),
    (
        DOCUMENT,
        '{"text": "{\\"client_id\\": \\"x\\"}", "why": "status 200", "at": 1799999000, "until": 1800002600}',
    ),
    (
        ClientKeys(text=None, why="timed out", at=1_799_999_000, until=1_799_999_060),
        '{"text": null, "why": "timed out", "at": 1799999000, "until": 1799999060}',
    ),
]


class Table:
    """A table with the store's verbs on it, and what is stored there, by keys that are made by hand."""

    def __init__(self) -> None:
        self.client = client = AwsClient(aws.DYNAMODB)
        self.name = f"grants-{uuid4().hex}"
        others = {table: f"{table}-{uuid4().hex}" for table in ("users", "outbox")}
        for definition in tables.definition(**others, grants=self.name):
            client.call("CreateTable", **definition)
        self.once = Once(client, grants=self.name)

    def key(self, kind: str, text: str) -> dict[str, Any]:
        digest = hashlib.sha256(kind.encode() + b"\0" + text.encode()).hexdigest()
        return {"pk": {"S": f"once#{digest}"}, "sk": {"S": kind}}

    def stored(self, kind: str, text: str) -> str:
        item = self.client.call("GetItem", TableName=self.name, Key=self.key(kind, text))["Item"]
        value: str = item["value"]["S"]
        return value

    def put(self, kind: str, text: str, stored: str) -> None:
        item = {**self.key(kind, text), "expires_at": {"N": str(NOW + 60)}, "value": {"S": stored}}
        self.client.call("PutItem", TableName=self.name, Item=item)


@pytest.fixture(scope="module")
def table() -> Table:
    """One table for all tests here, each with texts of its own."""
    return Table()


def leaves(base: type[OnceRecord]) -> set[type[OnceRecord]]:
    below = {leaf for each in base.__subclasses__() for leaf in leaves(each)}
    return below or {base}


def test_every_record_is_in_the_list_under_a_kind_of_its_own_and_is_pinned() -> None:
    assert leaves(OnceRecord) == set(ONCE)
    assert len({each.kind for each in ONCE}) == len(ONCE)
    assert {type(record) for record, _ in PINS} == set(ONCE)
    assert {type(record) for record, _ in UNVERSIONED} == set(ONCE) - {SectorMembers, SpentSignUpLink}


@pytest.mark.parametrize(("record", "stored"), PINS, ids=range(len(PINS)))
def test_a_record_is_written_as_it_is_pinned_and_read_again(table: Table, record: OnceRecord, stored: str) -> None:
    text = uuid4().hex
    assert table.once.put_if_absent(record, text, expires_at=NOW + 60, now=NOW)
    assert table.stored(record.kind, text) == stored
    table.put(record.kind, text, stored)
    assert table.once.read(type(record), text, now=NOW) == OnceItem(text, record, stored)


@pytest.mark.parametrize(("record", "stored"), UNVERSIONED, ids=range(len(UNVERSIONED)))
def test_what_was_written_before_versions_is_read_and_changed_as_it_stands(
    table: Table, record: OnceRecord, stored: str
) -> None:
    text = uuid4().hex
    table.put(record.kind, text, stored)
    item = table.once.read(type(record), text, now=NOW)
    assert item == OnceItem(text, record, stored)
    changed = table.once.change(item, record, now=NOW)
    assert changed is not None
    assert table.stored(record.kind, text) == changed.stored != stored
    assert table.once.change(item, record, now=NOW) is None


@pytest.mark.parametrize(
    "stored",
    [
        '{"v": 2, "until": 1800000030}',
        '{"v": 0, "until": 1800000030}',
        '{"v": "1", "until": 1800000030}',
        '{"v": null, "until": 1800000030}',
        '{"v": 1}',
        '{"v": 1, "until": "1800000030"}',
        '{"v": 1, "until": 1800000030.5}',
        '{"v": 1, "until": true}',
        '{"v": 1, "until": null}',
        '{"v": 1, "until": 1800000030, "more": 1}',
        '{"v": 1, "until": 18',
        "[]",
        "null",
        "1",
        "",
        "x",
    ],
)
def test_what_this_release_cannot_read_is_as_good_as_absent_but_keeps_its_place(table: Table, stored: str) -> None:
    text, record = uuid4().hex, SpentInteraction(until=NOW)
    table.put("interaction", text, stored)
    assert table.once.read(SpentInteraction, text, now=NOW) is None
    assert table.once.put_if_absent(record, text, expires_at=NOW + 60, now=NOW) is False
    assert table.stored("interaction", text) == stored
    assert table.once.put_if_absent(record, text, expires_at=NOW + 120, now=NOW + 60) is True


@pytest.mark.parametrize(
    "spoilt", [{"value": {"N": "1"}}, {"expires_at": {"S": "x"}}, {"expires_at": {"N": "1.5"}}], ids=str
)
def test_an_item_of_another_shape_is_as_good_as_absent(table: Table, spoilt: dict[str, Any]) -> None:
    text = uuid4().hex
    item = {**table.key("interaction", text), "expires_at": {"N": str(NOW + 60)}, "value": {"S": '{"until": 1}'}}
    for name in spoilt:
        for stored in ({**item, **spoilt}, {key: value for key, value in item.items() if key != name}):
            table.client.call("PutItem", TableName=table.name, Item=stored)
            assert table.once.read(SpentInteraction, text, now=NOW) is None


@pytest.mark.parametrize("record", ONCE, ids=[each.kind for each in ONCE])
def test_no_record_of_a_higher_version_is_read(table: Table, record: type[OnceRecord]) -> None:
    text = uuid4().hex
    stored = next(stored for each, stored in PINS if type(each) is record)
    table.put(record.kind, text, stored.replace('"v": 1', '"v": 2'))
    assert table.once.read(record, text, now=NOW) is None
    assert (
        table.once.put_if_absent(next(r for r, _ in PINS if type(r) is record), text, expires_at=NOW, now=NOW) is False
    )
