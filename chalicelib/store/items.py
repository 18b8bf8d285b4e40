"""What all items have that last: the version of their format, and readers that are loud about what they cannot read."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from ..domain.errors import UnreadableRecord
from .dynamo import Item

T = TypeVar("T")

# An item without `v` was written before versions were, and is of this one too.
ONE = {"N": "1"}
VERSION: dict[str, Any] = {"v": ONE}


def reader(kind: str) -> Callable[[Callable[[Item], T]], Callable[[Item], T]]:
    """Has a function that reads items of a kind raise UnreadableRecord for those of another version or shape."""

    def strict(decode: Callable[[Item], T]) -> Callable[[Item], T]:
        @wraps(decode)
        def read(item: Item) -> T:
            version = item.get("v", ONE)
            if version != ONE:
                raise UnreadableRecord(reason=f"{kind}: version {version}")
            try:
                return decode(item)
            except (LookupError, TypeError, ValueError) as error:
                raise UnreadableRecord(reason=f"{kind}: {error!r}") from error

        return read

    return strict
