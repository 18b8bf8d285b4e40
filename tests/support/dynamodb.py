"""DynamoDB in this process: what our stores ask of it, atomic across threads, and strict about what it is asked.

It stands where the network would, below `call`. The stores' contract runs on it as on the other engines, and at random
it is held against one. Expiry is noted by nobody: the real one sweeps late.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import msgspec

from chalicelib.store.aws.client import AwsError
from tests.support.expressions import (
    SETS,
    Condition,
    Invalid,
    Item,
    Unfit,
    Words,
    condition,
    number,
    projection,
    update,
)

MAX_ITEM, MAX_PAGE = 400 * 1024, 1024 * 1024
MAX_KEY = {"pk": 2048, "sk": 1024}
KEY = ("pk", "sk")
MAX_WRITES, MAX_READS, MAX_PARTS = 25, 100, 100

TABLE_EXTRAS = ("DeletionProtectionEnabled", "StreamSpecification")  # for whoever deploys

TYPES: dict[str, tuple[type, ...]] = {"S": (str,), "BOOL": (bool,), "NULL": (bool,), "B": (bytes, str)}

Key = tuple[str, str]
Table = dict[Key, Item]
Request = Mapping[str, Any]

COMMON = {"TableName", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics"}
EXPRESSION = {"ExpressionAttributeNames", "ExpressionAttributeValues"}
CONDITION = {"ConditionExpression", "ReturnValuesOnConditionCheckFailure"} | EXPRESSION
READ = {"ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"}
PAGE = {"FilterExpression", "Limit", "ExclusiveStartKey", *READ, *EXPRESSION}
# What each operation takes; anything else is refused, as botocore would.
FIELDS: dict[str, set[str]] = {
    "GetItem": COMMON | READ | {"Key"},
    "PutItem": COMMON | CONDITION | {"Item", "ReturnValues"},
    "UpdateItem": COMMON | CONDITION | {"Key", "UpdateExpression", "ReturnValues"},
    "DeleteItem": COMMON | CONDITION | {"Key", "ReturnValues"},
    "Query": COMMON | PAGE | {"KeyConditionExpression", "ScanIndexForward"},
    "Scan": COMMON | PAGE,
    "BatchGetItem": {"RequestItems"},
    "BatchWriteItem": {"RequestItems"},
    "TransactWriteItems": {"TransactItems", "ClientRequestToken"},
    "CreateTable": {"TableName", "AttributeDefinitions", "KeySchema", "BillingMode", *TABLE_EXTRAS},
    "DeleteTable": {"TableName"},
    "Put": {"TableName", "Item"} | CONDITION,
    "Update": {"TableName", "Key", "UpdateExpression"} | CONDITION,
    "Delete": {"TableName", "Key"} | CONDITION,
    "ConditionCheck": {"TableName", "Key"} | CONDITION,
}


class Refusal(Exception):
    """An error that the service answers with, besides a ValidationException."""

    def __init__(self, code: str, message: str = "", **more: Any) -> None:
        self.code, self.message, self.more = code, message, more
        super().__init__(code)


class DynamoDB:
    """Tables in memory; calling it carries out one operation."""

    def __init__(self) -> None:
        self._tables: dict[str, Table] = {}
        self._committed: dict[str, Request] = {}
        self._lock = threading.Lock()
        self._operations: dict[str, Callable[[Request], dict[str, Any]]] = {
            "GetItem": self._get,
            "PutItem": lambda request: self._write("Put", request),
            "UpdateItem": lambda request: self._write("Update", request),
            "DeleteItem": lambda request: self._write("Delete", request),
            "Query": self._query,
            "Scan": self._scan,
            "BatchGetItem": self._batch_get,
            "BatchWriteItem": self._batch_write,
            "TransactWriteItems": self._transact,
            "CreateTable": self._create,
            "DeleteTable": self._drop,
        }

    def __call__(self, operation: str, request: Request) -> dict[str, Any]:
        """The answer to an operation; raises AwsError for what DynamoDB refuses."""
        try:
            _check_fields(operation, request)
            with self._lock:
                return self._operations[operation](request)
        except Invalid as error:
            raise AwsError(operation, "ValidationException", str(error)) from None
        except Refusal as error:
            raise AwsError(operation, error.code, error.message, **error.more) from None

    @contextmanager
    def undone(self, names: Iterable[str]) -> Iterator[None]:
        """Undoes all that is written into these tables within a `with` block, at its end."""
        with self._lock:
            before = {name: dict(self._table(name)) for name in names}  # an item is never changed, only replaced
        try:
            yield
        finally:
            with self._lock:
                self._tables |= before

    def _create(self, request: Request) -> dict[str, Any]:
        if request["TableName"] in self._tables:
            raise Refusal("ResourceInUseException")
        if tuple(part["AttributeName"] for part in request["KeySchema"]) != KEY:
            raise NotImplementedError(f"a table with another key than {KEY}")
        self._tables[request["TableName"]] = {}
        return {}

    def _drop(self, request: Request) -> dict[str, Any]:
        self._table(request["TableName"])
        del self._tables[request["TableName"]]
        return {}

    def _table(self, name: str) -> Table:
        if name not in self._tables:
            raise Refusal("ResourceNotFoundException", name)
        return self._tables[name]

    def _get(self, request: Request) -> dict[str, Any]:
        words = _words(request)
        shape = _projector(request, words)
        words.check_all_used()
        item = self._table(request["TableName"]).get(_key(request["Key"]))
        return {} if item is None else {"Item": shape(item)}

    def _write(self, kind: str, request: Request) -> dict[str, Any]:
        write = Write(kind, request)
        table = self._table(request["TableName"])
        old = table.get(write.key)
        if not write.holds(old or {}):
            raise Refusal("ConditionalCheckFailedException", **write.obstacle(old))
        new = write.outcome(old)
        _store(table, write.key, new)
        attributes = {"NONE": None, "ALL_OLD": old, "ALL_NEW": new}[request.get("ReturnValues", "NONE")]
        return {"Attributes": _copied(attributes)} if attributes else {}

    def _query(self, request: Request) -> dict[str, Any]:
        words = _words(request)
        holds = condition(request["KeyConditionExpression"], words)
        partition = _partition(request["KeyConditionExpression"], words)
        table = self._table(request["TableName"])
        rows = [(key, item) for key, item in table.items() if key[0] == partition and holds(_only_key(item))]
        rows.sort(key=lambda row: row[0][1].encode(), reverse=not request.get("ScanIndexForward", True))
        return _page(rows, request, words)

    def _scan(self, request: Request) -> dict[str, Any]:
        return _page([*self._table(request["TableName"]).items()], request, _words(request))

    def _batch_get(self, request: Request) -> dict[str, Any]:
        responses: dict[str, list[Any]] = {}
        every = [(name, _key(key)) for name, part in request["RequestItems"].items() for key in part["Keys"]]
        _check_batch(every, MAX_READS)
        for name, part in request["RequestItems"].items():
            if not part.keys() <= {"Keys", "ConsistentRead"}:
                raise NotImplementedError(f"BatchGetItem with {[*part]}")
            table = self._table(name)
            items = [table[key] for key in map(_key, part["Keys"]) if key in table]
            responses[name] = [_copied(item) for item in items]
        return {"Responses": responses, "UnprocessedKeys": {}}

    def _batch_write(self, request: Request) -> dict[str, Any]:
        writes = []
        for name, parts in request["RequestItems"].items():
            for ((kind, part),) in (part.items() for part in parts):
                writes.append((self._table(name), name, Write(kind.removesuffix("Request"), part)))
        _check_batch([(name, write.key) for _, name, write in writes], MAX_WRITES)
        for table, _, write in writes:
            _store(table, write.key, write.outcome(table.get(write.key)))
        return {"UnprocessedItems": {}}

    def _transact(self, request: Request) -> dict[str, Any]:
        token = request.get("ClientRequestToken", "")
        if token and token in self._committed:
            if self._committed[token] != request:
                raise Refusal("IdempotentParameterMismatchException")
            return {}
        writes = []
        for ((kind, part),) in (part.items() for part in request["TransactItems"]):
            _check_fields(kind, part)
            writes.append((self._table(part["TableName"]), Write(kind, part)))
        _check_batch([(id(table), write.key) for table, write in writes], MAX_PARTS)
        self._commit(writes)
        if token:
            self._committed[token] = request
        return {}

    def _commit(self, writes: list[tuple[Table, "Write"]]) -> None:
        outcomes, reasons = [], []
        for table, write in writes:
            old, reason = table.get(write.key), {"Code": "None"}
            try:
                outcomes.append(write.outcome(old))
            except Unfit as error:
                reason = {"Code": "ValidationError", "Message": str(error)}
            if not write.holds(old or {}):
                reason = {"Code": "ConditionalCheckFailed", "Message": "no", **write.obstacle(old, "Item")}
            reasons.append(reason)
        if any(reason["Code"] != "None" for reason in reasons):
            raise Refusal("TransactionCanceledException", reasons=reasons)
        for (table, write), new in zip(writes, outcomes, strict=True):
            _store(table, write.key, new)


class Write:
    """One write, read and checked before anything is done: a Put, an Update, a Delete, or a ConditionCheck."""

    def __init__(self, kind: str, request: Request) -> None:
        words = _words(request)
        self._kind = kind
        self._put = _checked(request["Item"]) if kind == "Put" else {}
        self.key = _key(_only_key(self._put) if kind == "Put" else request["Key"])
        text = request.get("ConditionExpression")
        self.holds: Condition = (lambda _: True) if text is None else condition(text, words)
        self._changes = update(request["UpdateExpression"], words, keys=KEY) if "UpdateExpression" in request else {}
        self._gives_old = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        words.check_all_used()

    def obstacle(self, old: Item | None, name: str = "item") -> dict[str, Any]:
        """The item that a condition did not hold for, if it was asked for and is there."""
        return {name: _copied(old)} if old is not None and self._gives_old else {}

    def outcome(self, old: Item | None) -> Item | None:
        """The item as it is afterwards, None for none."""
        if self._kind in ("ConditionCheck", "Delete"):
            return old if self._kind == "ConditionCheck" else None
        if self._kind == "Put":
            return self._put
        before = old or {name: {"S": part} for name, part in zip(KEY, self.key, strict=True)}
        after = {name: change(before) for name, change in self._changes.items()}
        new = {name: value for name, value in {**before, **after}.items() if value is not None}
        return _fitting(new)


def _check_fields(operation: str, request: Request) -> None:
    if spare := request.keys() - FIELDS[operation]:
        raise NotImplementedError(f"{operation} with {sorted(spare)}")


def _check_batch(keys: list[Any], most: int) -> None:
    if not 0 < len(keys) <= most or len({*keys}) < len(keys):
        raise Invalid(f"none, more than {most}, or the same item twice")


def _words(request: Request) -> Words:
    for name in EXPRESSION & request.keys():
        if not request[name]:
            raise Invalid(f"{name} must not be empty")
    names = request.get("ExpressionAttributeNames", {})
    return Words(names, {name: _value(value) for name, value in request.get("ExpressionAttributeValues", {}).items()})


def _projector(request: Request, words: Words) -> Callable[[Item], dict[str, Any]]:
    if "ProjectionExpression" not in request:
        return _copied
    projected_names = projection(request["ProjectionExpression"], words)
    return lambda item: _copied({name: item[name] for name in projected_names if name in item})


def _partition(text: str, words: Words) -> str:
    # The one form there is here; a partition key that is not given, or by another comparison, is refused.
    first, equal, value, *_ = text.split()
    if (first, equal) != ("pk", "=") or words.value(value) != "S":
        raise Invalid(f"query key condition not supported: {text}")
    return str(words.values[value]["S"])


def _page(rows: list[tuple[Key, Item]], request: Request, words: Words) -> dict[str, Any]:
    holds = condition(request["FilterExpression"], words) if "FilterExpression" in request else lambda _: True
    shape = _projector(request, words)
    words.check_all_used()
    if "ExclusiveStartKey" in request:
        keys = [key for key, _ in rows]
        rows = rows[keys.index(_key(request["ExclusiveStartKey"])) + 1 :]
    length = _length(rows[: request.get("Limit")])
    items = [shape(item) for _, item in rows[:length] if holds(item)]
    # DynamoDB does not look ahead: a page that ends by its limit names where it ended, be it the last.
    more = length < len(rows) or length == request.get("Limit")
    last = {"LastEvaluatedKey": _only_key(rows[length - 1][1])} if more and length else {}
    return {"Items": items, "Count": len(items), "ScannedCount": length, **last}


def _length(rows: list[tuple[Key, Item]]) -> int:
    """How many rows a page has: it ends with the one by which it is too long."""
    length, size = 0, 0
    if sum(_most_bytes(item) for _, item in rows) <= MAX_PAGE:
        return len(rows)
    for _, item in rows:
        length, size = length + 1, size + _bytes(item)
        if size > MAX_PAGE:
            break
    return length


def _store(table: Table, key: Key, new: Item | None) -> None:
    if new is None:
        table.pop(key, None)
    else:
        table[key] = new


def _only_key(item: Item) -> dict[str, Any]:
    return {name: dict(item[name]) for name in KEY if name in item}


def _key(key: Item) -> Key:
    if key.keys() != {*KEY} or any(key[name].keys() != {"S"} for name in KEY):
        raise Invalid(f"the provided key element does not match the schema: {key}")
    pk, sk = (key[name]["S"] for name in KEY)
    for name, text in (("pk", pk), ("sk", sk)):
        if not 0 < len(_utf8(text)) <= MAX_KEY[name]:
            raise Invalid(f"a key that is empty or too long: {name}")
    return pk, sk


def _checked(item: Item) -> Item:
    return _fitting({name: _value(value) for name, value in item.items()})


def _fitting(item: Item) -> Item:
    if _most_bytes(item) > MAX_ITEM and _bytes(item) > MAX_ITEM:
        raise Unfit("item size has exceeded the maximum allowed size")
    return item


def _most_bytes(item: Item) -> int:
    """What an item has at most, found out in a tenth of the time: as JSON nothing is shorter than as it is counted."""
    try:
        return len(msgspec.json.encode(item))
    except UnicodeEncodeError:
        raise Refusal("SerializationException", "half a surrogate pair") from None


def _bytes(item: Item) -> int:
    return sum(len(_utf8(name)) + _weight(value) for name, value in item.items())


def _weight(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind in ("BOOL", "NULL"):
        return 1
    if kind == "N":
        return len(content) // 2 + 2
    if kind in ("S", "B"):
        return len(_utf8(content)) if kind == "S" else len(content)
    if kind in SETS:
        return sum(len(_utf8(each)) if isinstance(each, str) else len(each) for each in content)
    values: Iterator[Any] = iter(content.values() if kind == "M" else content)
    return 3 + (sum(len(_utf8(name)) for name in content) if kind == "M" else 0) + sum(1 + _weight(v) for v in values)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Refusal("SerializationException", "half a surrogate pair") from None


def _value(value: Mapping[str, Any]) -> dict[str, Any]:
    """A value as it is kept: numbers and sets have one form each, so that what is equal is the same."""
    ((kind, content),) = value.items()
    if kind in SETS:
        elements = [_value({kind[:1]: each})[kind[:1]] for each in content]
        if not elements or len({*elements}) < len(elements):
            raise Invalid(f"a set that is empty or has the same twice: {content}")
        return {kind: sorted(elements)}
    if kind == "N":
        return {"N": _number(content)}
    if kind in ("L", "M"):
        return {kind: [*map(_value, content)] if kind == "L" else {name: _value(v) for name, v in content.items()}}
    if not isinstance(content, TYPES.get(kind, ())):
        raise Invalid(f"not a value of the type {kind}: {content!r}")
    return {kind: content}


@lru_cache(maxsize=10_000)  # most are times, and a test's clock stands
def _number(text: str) -> str:
    try:
        return number(Decimal(text))
    except InvalidOperation:
        raise Invalid(f"not a number: {text}") from None


def _copied(item: Item) -> dict[str, Any]:
    return {name: _twin(value) for name, value in item.items()}


def _twin(value: Mapping[str, Any]) -> dict[str, Any]:
    ((kind, content),) = value.items()
    if kind == "M":
        return {kind: _copied(content)}
    if kind == "L":
        return {kind: [*map(_twin, content)]}
    return {kind: [*content] if kind in SETS else content}
