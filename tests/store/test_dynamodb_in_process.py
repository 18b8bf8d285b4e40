"""The DynamoDB that tests have in their process, held against one that we did not write, on calls made at random."""

import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chalicelib.store import tables
from chalicelib.store.aws.boto3_transport import boto3_transport
from chalicelib.store.aws.client import PATIENT, AwsClient, AwsError, Transport
from tests.support.dynamodb import DynamoDB

Call = tuple[str, dict[str, Any]]
# What an answer has besides items and codes.
SILENT = ("ResponseMetadata", "Message", "ConsumedCapacity", "ItemCollectionMetrics")
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)  # to explain takes minutes of calls
ATTRIBUTES = ("a", "b", "n", "t")
KEYS = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in (("p", "a"), ("p", "a#b"), ("p", "é"), ("q", "a"))]
WORDS, NUMBERS = ("", "x", "xy", "é", "ab"), ("0", "1", "-1", "2", "10", "1.50")

texts = st.sampled_from(WORDS).map(lambda text: {"S": text})
numbers = st.sampled_from(NUMBERS).map(lambda number: {"N": number})
flags = st.booleans().map(lambda flag: {"BOOL": flag})
text_sets = st.sets(st.sampled_from(("x", "xy", "é")), min_size=1).map(lambda texts: {"SS": sorted(texts)})
number_sets = st.sets(st.sampled_from(("0", "1", "10")), min_size=1).map(lambda numbers: {"NS": sorted(numbers)})
lists = st.lists(st.one_of(texts, numbers), max_size=2).map(lambda values: {"L": values})
values = st.one_of(texts, numbers, numbers, flags, text_sets, number_sets, lists, st.just({"NULL": True}))
# `t` is a text and `n` a number wherever they are: what others make of operands of another type differs.
attributes = st.fixed_dictionaries({}, optional={"a": values, "b": values, "n": numbers, "t": texts})
keys = st.sampled_from(KEYS)
names = st.sampled_from(ATTRIBUTES)


class Writing:
    """An expression while it is written: each value gets a word."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.values: dict[str, Any] = {}

    def value(self, kind: st.SearchStrategy[Any]) -> str:
        word = f":v{len(self.values)}"
        self.values[word] = self.draw(kind)
        return word

    def leaf(self) -> str:
        name = self.draw(names)
        form = self.draw(st.integers(0, 7))
        if form < 3:
            return f"attribute_{self.draw(st.sampled_from(('not_exists', 'exists')))}({name})"
        if form == 3:
            return f"begins_with(t, {self.value(texts)})"
        if form == 4:
            return f"{name} {self.draw(st.sampled_from(('=', '<>')))} {self.value(values)}"
        if form == 5:
            comparator = self.draw(st.sampled_from(("<", "<=", ">", ">=")))
            return f"{name} {comparator} {self.value(st.one_of(texts, numbers))}"
        if form == 6:
            self.values |= {":low": {"N": "0"}, ":high": {"N": "2"}}
            return f"{name} BETWEEN :low AND :high"
        return f"{name} IN ({self.value(values)}, {self.value(numbers)})"

    def set_to(self) -> str:
        return f"= {self.value(values)}"

    def set_text(self) -> str:
        return f"= {self.value(texts)}"

    def set_number(self) -> str:
        return f"= {self.value(numbers)}"

    def set_sum(self) -> str:
        return f"= n + {self.value(numbers)}"

    def set_if_missing(self) -> str:
        return f"= if_not_exists({self.draw(names)}, {self.value(values)})"

    def remove(self) -> str:
        return ""

    def add(self) -> str:
        return self.value(st.one_of(numbers, text_sets, number_sets))

    def add_number(self) -> str:
        return self.value(numbers)

    def delete(self) -> str:
        return self.value(st.one_of(text_sets, number_sets))

    def condition(self, depth: int = 2) -> str:
        form = self.draw(st.integers(0, 5)) if depth else 0
        if form < 3:
            return self.leaf()
        if form == 3:
            return f"NOT ({self.condition(depth - 1)})"
        word = self.draw(st.sampled_from(("AND", "OR")))
        return f"({self.condition(depth - 1)}) {word} {self.condition(depth - 1)}"

    def update(self) -> str:
        clauses: dict[str, list[str]] = {}
        for name in self.draw(st.lists(names, min_size=1, max_size=3, unique=True)):
            clause, change = self.draw(st.sampled_from(CHANGES.get(name, CHANGES_OF_ANY)))
            clauses.setdefault(clause, []).append(f"{name} {change(self)}".strip())
        return " ".join(f"{clause} {', '.join(changes)}" for clause, changes in clauses.items())


SUM, REMOVAL = ("SET", Writing.set_sum), ("REMOVE", Writing.remove)
CHANGES_OF_ANY = (
    *(("SET", Writing.set_to), SUM, ("SET", Writing.set_if_missing), REMOVAL),
    *(("ADD", Writing.add), ("DELETE", Writing.delete)),
)
CHANGES = {
    "t": (("SET", Writing.set_text), REMOVAL),
    "n": (("SET", Writing.set_number), SUM, REMOVAL, ("ADD", Writing.add_number)),
}


@st.composite
def writes(draw: st.DrawFn, *, alone: bool = True) -> tuple[str, dict[str, Any]]:
    """A Put, an Update, a Delete or a ConditionCheck, and what it asks for."""
    kind = draw(st.sampled_from(("Put", "Update", "Update", "Delete") if alone else PARTS))
    writing, request = Writing(draw), dict[str, Any]()
    if kind == "Put":
        request["Item"] = {**draw(keys), **draw(attributes)}
    else:
        request["Key"] = draw(keys)
    if kind == "Update":
        request["UpdateExpression"] = writing.update()
    if kind == "ConditionCheck" or draw(st.booleans()):
        request |= {"ConditionExpression": writing.condition(), "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    if writing.values:
        request["ExpressionAttributeValues"] = writing.values
    return kind, request


PARTS = ("Put", "Update", "Delete", "ConditionCheck")


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """One call, without the table that it is for."""
    form = draw(st.integers(0, 5))
    if form < 3:
        kind, request = draw(writes())
        returned = {"Update": "ALL_NEW", "Put": "ALL_OLD", "Delete": "ALL_OLD"}[kind]
        return f"{kind}Item", {**request, "ReturnValues": returned}
    if form < 5:
        parts = draw(st.lists(writes(alone=False), min_size=1, max_size=3))
        return "TransactWriteItems", {"TransactItems": [{kind: request} for kind, request in parts]}
    start = {":p": {"S": "p"}, ":s": {"S": draw(st.sampled_from(("a", "é", "b")))}}
    listing = {"KeyConditionExpression": "pk = :p AND begins_with(sk, :s)", "ExpressionAttributeValues": start}
    return "Query", {**listing, "ProjectionExpression": "sk, a", "ScanIndexForward": draw(st.booleans())}


def at(table: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """A request at a table, in each part of a transaction."""
    if "TransactItems" not in request:
        return {**request, "TableName": table}
    parts = [{kind: at(table, part)} for each in request["TransactItems"] for kind, part in each.items()]
    return {"TransactItems": parts}


def plain(value: Any) -> Any:
    """An answer without what says nothing of the items, its sets in order, its numbers in one spelling."""
    if isinstance(value, dict) and value.keys() == {"N"}:
        return {"N": Decimal(value["N"]).normalize()}
    if isinstance(value, dict):
        kept = {name: plain(each) for name, each in value.items() if name not in SILENT}
        return {name: sorted(each) if name in ("SS", "NS") else each for name, each in kept.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def outcome(engine: Transport, operation: str, request: Mapping[str, Any]) -> Any:
    """What came of a call: its answer, or its refusal with all that it says of items."""
    try:
        return plain(engine(operation, request))
    except AwsError as error:
        return error.code, plain(error.item), plain(error.reasons)


@pytest.fixture(scope="module")
def other(embedded_aws: dict[str, str]) -> Transport:
    """An engine that others wrote, the one that is closest to DynamoDB; of many of these calls moto thinks otherwise."""
    return boto3_transport("dynamodb", seconds=PATIENT, **embedded_aws)


@pytest.mark.slow
# The same calls each time: the other one has faults of its own, which no run should come upon by chance.
@settings(max_examples=60, deadline=None, phases=PHASES, derandomize=True)
@given(sequence=st.lists(calls(), min_size=1, max_size=8))
def test_every_call_comes_to_the_same_here_and_there(other: Transport, sequence: list[Call]) -> None:
    ours, own = DynamoDB(), uuid4().hex
    _, table, _ = tables.definition(users="", grants=own, outbox="")
    for engine in (ours, other):
        engine("CreateTable", table)
    for operation, request in sequence:
        here, there = (outcome(engine, operation, at(own, request)) for engine in (ours, other))
        assert here == there, (operation, request)
    scans = [outcome(engine, "Scan", {"TableName": own})["Items"] for engine in (ours, other)]
    assert sorted(scans[0], key=str) == sorted(scans[1], key=str)
    other("DeleteTable", {"TableName": own})


@pytest.fixture
def alone() -> DynamoDB:
    """An engine with one table that is empty, `t`."""
    engine = DynamoDB()
    _, table, _ = tables.definition(users="", grants="t", outbox="")
    engine("CreateTable", table)
    return engine


# What its names and values have in UTF-8 (DynamoDB Developer Guide, "Item sizes and formats"): pk, p, sk, a and n are 7.
@pytest.mark.parametrize("letter", ["x", "é", "\N{GRINNING FACE}", "\n", "\x01"])
def test_an_item_has_400_kb_of_names_and_values_and_not_one_byte_more(alone: DynamoDB, letter: str) -> None:
    room = 400 * 1024 - len("pk" + "p" + "sk" + "a" + "n")
    count, rest = divmod(room, len(letter.encode()))
    for more, code in (("", None), ("x", "ValidationException")):
        item = {**KEYS[0], "n": {"S": letter * count + "x" * rest + more}}
        answer = outcome(alone, "PutItem", at("t", {"Item": item}))
        assert (answer[0] if isinstance(answer, tuple) else None) == code


def test_a_page_of_a_query_ends_at_a_megabyte_and_the_pages_have_each_item_once(alone: DynamoDB) -> None:
    big = {"S": "x" * 300 * 1024}
    for number in range(8):
        alone("PutItem", at("t", {"Item": {"pk": {"S": "p"}, "sk": {"S": str(number)}, "n": big}}))
    query = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "p"}}}
    pages = list(AwsClient(alone).pages("Query", **at("t", query)))
    assert [item["sk"]["S"] for page in pages for item in page["Items"]] == [str(number) for number in range(8)]
    # A page may have the item with which it passes the megabyte, and no other after that.
    assert all(len(page["Items"]) <= 4 for page in pages)


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads that give way to each other at every few instructions."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("eager_threads")
def test_calls_from_many_threads_are_carried_out_one_after_the_other(alone: DynamoDB) -> None:
    threads, times = 8, 50
    addition = {"UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(threads * times):
            pool.submit(alone, "UpdateItem", at("t", {"Key": KEYS[0], **addition}))
    assert alone("GetItem", at("t", {"Key": KEYS[0]}))["Item"]["n"] == {"N": str(threads * times)}
