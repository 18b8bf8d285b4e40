"""DynamoDB's expressions, as its developer guide has them: read once a text, then functions of an item and values.

Attributes are top-level ones: a path into a map or a list is refused, for no item of ours has such.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Value = Mapping[str, Any]
Item = Mapping[str, Value]
Values = Mapping[str, Value]
Condition = Callable[[Item], bool]
Pairs = tuple[tuple[str, str], ...]
# What a text says, whatever values are put into it: one reading serves all requests of the same shape.
Operand = Callable[[Item, Values], Value | None]
Predicate = Callable[[Item, Values], bool]

TOKEN = re.compile(r"\s*(?:([:#]?[A-Za-z_][A-Za-z0-9_]*|[:#][0-9][A-Za-z0-9_]*)|(<>|<=|>=|[-+=<>(),]))")
COMPARATORS = ("=", "<>", "<", "<=", ">", ">=")
ORDERED = ("S", "N", "B")
SETS = ("SS", "NS", "BS")
WORD_LIST = ("parsing", "reserved_keywords.txt")
ARITHMETIC = Context(prec=200)
FUNCTIONS = ("attribute_exists", "attribute_not_exists", "begins_with", "contains", "size")


class Invalid(Exception):
    """An expression, a value or a request that DynamoDB refuses with a ValidationException."""


class Unfit(Invalid):
    """An update that does not fit the item that it is for; within a transaction a reason to cancel it."""


@cache
def reserved() -> frozenset[str]:
    """The words that no expression may use as a name, as moto has them in a file."""
    moto = find_spec("moto")
    assert moto
    assert moto.origin
    return frozenset(Path(moto.origin).with_name("dynamodb").joinpath(*WORD_LIST).read_text().split())


@dataclass
class Words:
    """An expression's names and values, and which of them it has used."""

    names: Mapping[str, str]
    values: Mapping[str, Value]
    used: set[str] = field(default_factory=set)

    def name(self, word: str) -> str:
        """The attribute that a word stands for."""
        if word.startswith("#"):
            if word not in self.names:
                raise Invalid(f"an attribute name is not defined: {word}")
            self.used.add(word)
            return self.names[word]
        if word.startswith(":") or word.upper() in reserved():
            raise Invalid(f"not an attribute's name, or a reserved word: {word}")
        return word

    def value(self, word: str) -> str:
        """The kind of the value that a word stands for."""
        if word not in self.values:
            raise Invalid(f"an attribute value is not defined: {word}")
        self.used.add(word)
        (kind,) = self.values[word]
        return kind

    @property
    def shape(self) -> tuple[Pairs, Pairs]:
        """What an expression's meaning depends on: the names, and of the values their kinds."""
        kinds = ((word, kind) for word, value in self.values.items() for kind in value)
        return tuple(sorted(self.names.items())), tuple(sorted(kinds))

    def check_all_used(self) -> None:
        """Refuses names and values that no expression has used, and none where some are announced."""
        if spare := ({*self.names} | {*self.values}) - self.used:
            raise Invalid(f"unused in expressions: {sorted(spare)}")


class Reader:
    """Reads one expression from left to right."""

    def __init__(self, text: str, words: Words) -> None:
        self.tokens = _tokens(text)
        self.place = 0
        self.words = words

    def peek(self) -> str:
        """The next token, "" at the end."""
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self) -> str:
        """The next token, which is then behind us."""
        token = self.peek()
        self.place += 1
        return token

    def accept(self, *tokens: str) -> bool:
        """Takes the next token if it is one of these, whatever its case."""
        if self.peek().upper() not in tokens:
            return False
        self.place += 1
        return True

    def expect(self, token: str) -> None:
        """Takes a token that has to be there."""
        if not self.accept(token):
            raise Invalid(f"expected {token} before {self.peek()!r}")

    def end(self) -> None:
        """Refuses what is left over."""
        if self.peek():
            raise Invalid(f"not expected: {self.peek()!r}")

    def path(self) -> str:
        """The name of an attribute."""
        token = self.take()
        if not re.fullmatch(r"#?\w+", token):
            raise Invalid(f"expected an attribute before {token!r}")
        return self.words.name(token)

    def value(self) -> tuple[str, str]:
        """A value that the request brings: its word and its kind."""
        token = self.take()
        if not token.startswith(":"):
            raise Invalid(f"expected a value before {token!r}")
        return token, self.words.value(token)

    def operand(self) -> Operand:
        """An attribute, a value, or the size of an attribute."""
        if self.peek().startswith(":"):
            word, _ = self.value()
            return lambda _, values: values[word]
        if self.peek() == "size":
            self.take()
            self.expect("(")
            name = self.path()
            self.expect(")")
            return lambda item, _: _size(item.get(name))
        attribute = self.path()
        return lambda item, _: item.get(attribute)

    def operands(self) -> Iterator[Operand]:
        """Operands with commas between them."""
        yield self.operand()
        while self.accept(","):
            yield self.operand()


def _tokens(text: str) -> list[str]:
    tokens, place = [], 0
    while match := TOKEN.match(text, place):
        tokens.append(match[1] or match[2])
        place = match.end()
    if text[place:].strip() or not tokens:
        raise Invalid(f"syntax error: {text!r} at {text[place : place + 9]!r}")
    return tokens


def condition(text: str, words: Words) -> Condition:
    """What a condition or a filter says of an item; that of nothing is {}."""
    holds, used = _predicate(text, *words.shape)
    words.used |= used
    return lambda item: holds(item, words.values)


@cache
def _predicate(text: str, names: Pairs, kinds: Pairs) -> tuple[Predicate, frozenset[str]]:
    reader = Reader(text, _of_shape(names, kinds))
    holds = _either(reader)
    reader.end()
    return holds, frozenset(reader.words.used)


def _of_shape(names: Pairs, kinds: Pairs) -> Words:
    return Words(dict(names), {word: {kind: None} for word, kind in kinds})


def _either(reader: Reader) -> Predicate:
    parts = [_all(reader)]
    while reader.accept("OR"):
        parts.append(_all(reader))
    return parts[0] if len(parts) == 1 else lambda item, values: any(part(item, values) for part in parts)


def _all(reader: Reader) -> Predicate:
    parts = [_one(reader)]
    while reader.accept("AND"):
        parts.append(_one(reader))
    return parts[0] if len(parts) == 1 else lambda item, values: all(part(item, values) for part in parts)


def _one(reader: Reader) -> Predicate:
    if reader.accept("NOT"):
        inner = _one(reader)
        return lambda item, values: not inner(item, values)
    if reader.accept("("):
        inner = _either(reader)
        reader.expect(")")
        return inner
    if reader.peek() in FUNCTIONS and reader.peek() != "size":
        return _function(reader, reader.take())
    return _comparison(reader)


def _function(reader: Reader, function: str) -> Predicate:
    reader.expect("(")
    name = reader.path()
    if function.startswith("attribute"):
        reader.expect(")")
        there = function == "attribute_exists"
        return lambda item, _: (name in item) is there
    reader.expect(",")
    operand = reader.operand()
    reader.expect(")")
    test = _begins if function == "begins_with" else _contains
    return lambda item, values: test(item.get(name), operand(item, values))


def _comparison(reader: Reader) -> Predicate:
    left = reader.operand()
    if reader.accept("BETWEEN"):
        low = reader.operand()
        reader.expect("AND")
        high = reader.operand()
        return lambda item, values: (
            _compare(">=", left(item, values), low(item, values))
            and _compare("<=", left(item, values), high(item, values))
        )
    if reader.accept("IN"):
        reader.expect("(")
        choices = [*reader.operands()]
        reader.expect(")")
        return lambda item, values: any(_compare("=", left(item, values), choice(item, values)) for choice in choices)
    comparator = reader.take()
    if comparator not in COMPARATORS:
        raise Invalid(f"expected a comparison before {comparator!r}")
    _check_ordered(reader, comparator)
    right = reader.operand()
    return lambda item, values: _compare(comparator, left(item, values), right(item, values))


def _check_ordered(reader: Reader, comparator: str) -> None:
    value = reader.words.values.get(reader.peek())
    if value is not None and comparator not in ("=", "<>") and not {*value} & {*ORDERED}:
        raise Invalid(f"incorrect operand type for {comparator}: {value}")


def _compare(comparator: str, left: Value | None, right: Value | None) -> bool:
    if left is None or right is None:
        # What is missing equals nothing, and so it differs from everything.
        return comparator == "<>" and left is not right
    if comparator in ("=", "<>"):
        return (left == right) is (comparator == "=")
    (kind, a), (other, b) = *left.items(), *right.items()
    if kind != other or kind not in ORDERED:
        return False
    a, b = _rank(kind, a), _rank(kind, b)
    return bool({"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[comparator])


def _rank(kind: str, value: Any) -> Any:
    return Decimal(value) if kind == "N" else value.encode() if kind == "S" else value


def _begins(value: Value | None, start: Value | None) -> bool:
    if value is None or start is None or value.keys() != start.keys():
        return False
    ((kind, text),) = value.items()
    return kind in ("S", "B") and bool(text.startswith(start[kind]))


def _contains(value: Value | None, part: Value | None) -> bool:
    if value is None or part is None:
        return False
    (kind, content), (other, element) = *value.items(), *part.items()
    if kind == "L":
        return part in content
    return element in content if other in (kind, kind[:1]) and kind in (*SETS, "S", "B") else False


def _size(value: Value | None) -> Value | None:
    if value is None:
        return None
    ((kind, content),) = value.items()
    if kind not in (*SETS, "S", "B", "L", "M"):
        return None
    return {"N": str(len(content.encode()) if kind == "S" else len(content))}


def projection(text: str, words: Words) -> tuple[str, ...]:
    """The attributes that an answer is to have."""
    reader = Reader(text, words)
    names = [reader.path()]
    while reader.accept(","):
        names.append(reader.path())
    reader.end()
    return tuple(names)


# What an update makes of the attribute that it names, None for nothing; it is computed from the item as it was.
Change = Callable[[Item], Value | None]


def update(text: str, words: Words, *, keys: tuple[str, ...]) -> dict[str, Change]:
    """What an update does to each attribute that it names."""
    changes, used = _changes(text, *words.shape, keys)
    words.used |= used
    values = words.values
    return {name: partial(_applied, change, values) for name, change in changes.items()}


def _applied(change: Operand, values: Values, item: Item) -> Value | None:
    return change(item, values)


@cache
def _changes(
    text: str, names: Pairs, kinds: Pairs, keys: tuple[str, ...]
) -> tuple[Mapping[str, Operand], frozenset[str]]:
    reader, changes = Reader(text, _of_shape(names, kinds)), dict[str, Operand]()
    clauses, seen = {"SET": _set, "REMOVE": _remove, "ADD": _add, "DELETE": _delete}, set[str]()
    while reader.peek():
        clause = reader.take().upper()
        if clause not in clauses or clause in seen:
            raise Invalid(f"not a clause, or a second one: {clause}")
        seen.add(clause)
        while True:
            name = reader.path()
            if name in changes or name in keys:
                raise Invalid(f"a path twice, or a part of the key: {name}")
            changes[name] = clauses[clause](reader, name)
            if not reader.accept(","):
                break
    return changes, frozenset(reader.words.used)


def _set(reader: Reader, _: str) -> Operand:
    reader.expect("=")
    left = _settable(reader)
    if reader.peek() not in ("+", "-"):
        return lambda item, values: _there(left(item, values))
    sign = 1 if reader.take() == "+" else -1
    right = _settable(reader)
    return lambda item, values: _sum(_there(left(item, values)), _there(right(item, values)), sign)


def _settable(reader: Reader) -> Operand:
    if reader.peek() == "list_append":
        return _list_append(reader)
    if reader.peek() != "if_not_exists":
        return reader.operand()
    reader.take()
    reader.expect("(")
    name = reader.path()
    reader.expect(",")
    otherwise = _settable(reader)
    reader.expect(")")
    return lambda item, values: item[name] if name in item else otherwise(item, values)


def _list_append(reader: Reader) -> Operand:
    reader.take()
    reader.expect("(")
    first = _settable(reader)
    reader.expect(",")
    second = _settable(reader)
    reader.expect(")")

    def append(item: Item, values: Values) -> Value:
        both = [_there(first(item, values)), _there(second(item, values))]
        if any("L" not in each for each in both):
            raise Unfit("an operand in the update expression has an incorrect data type")
        return {"L": [element for each in both for element in each["L"]]}

    return append


def _there(value: Value | None) -> Value:
    if value is None:
        raise Unfit("the provided expression refers to an attribute that does not exist in the item")
    return value


def _sum(left: Value, right: Value, sign: int) -> Value:
    if "N" not in left or "N" not in right:
        raise Unfit("an operand in the update expression has an incorrect data type")
    return {"N": number(ARITHMETIC.fma(Decimal(right["N"]), Decimal(sign), Decimal(left["N"])))}


def _remove(_: Reader, __: str) -> Operand:
    return lambda _, __: None


def _add(reader: Reader, name: str) -> Operand:
    word, kind = reader.value()
    if kind != "N" and kind not in SETS:
        raise Invalid(f"incorrect operand type for ADD: {kind}")

    def add(item: Item, values: Values) -> Value:
        old, value = item.get(name), values[word]
        if old is None:
            return value
        if kind not in old:
            raise Unfit("an operand in the update expression has an incorrect data type")
        return _sum(old, value, 1) if kind == "N" else {kind: sorted({*old[kind], *value[kind]})}

    return add


def _delete(reader: Reader, name: str) -> Operand:
    word, kind = reader.value()
    if kind not in SETS:
        raise Invalid(f"incorrect operand type for DELETE: {kind}")

    def delete(item: Item, values: Values) -> Value | None:
        old = item.get(name)
        if old is None:
            return None
        if kind not in old:
            raise Unfit("an operand in the update expression has an incorrect data type")
        rest = sorted({*old[kind]} - {*values[word][kind]})
        return {kind: rest} if rest else None

    return delete


def number(value: Decimal) -> str:
    """A number as DynamoDB gives it back: no sign of how it was written, at most 38 digits."""
    value = value.normalize(ARITHMETIC)
    if not value.is_finite() or len(value.as_tuple().digits) > 38 or not -130 <= value.adjusted() <= 125:
        raise Invalid(f"not a number that can be stored: {value}")
    return format(value, "f") if value else "0"
