"""What all records have that are stored or sealed: a version that is written with them, and one strict way to read them."""

from typing import Any, ClassVar, TypeVar

import msgspec


class Record(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, tag_field="v", tag=1):
    """A frozen value that is kept as JSON, with its class's version as the member `v`.

    A text without `v` is of version 1: it was written before versions were. Another meaning or shape is another version
    (`tag=2`), and the older class stays for as long as its texts can turn up.
    """


class SealedRecord(Record, frozen=True):
    """A record whose text is good for its `purpose` alone, and for so many `seconds`."""

    purpose: ClassVar[bytes]
    seconds: ClassVar[int]


R = TypeVar("R", bound=Record)


def to_members(record: Record) -> dict[str, Any]:
    """The members of the JSON object that a record is kept as."""
    members: dict[str, Any] = msgspec.to_builtins(record)
    return members


def from_members(members: object, kind: type[R]) -> R:
    """The record of a JSON object; raises ValueError for another version, or a member missing, unknown or of another type."""
    return msgspec.convert(members, kind)
