"""What happens rarely, happening every time: a rival steps in just before our own call leaves, an answer is lost behind it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

WRITING = ("BatchWriteItem", "DeleteItem", "PutItem", "TransactWriteItems", "UpdateItem")


@contextmanager
def just_before(client: Any, operation: str, rival: Callable[[], object]) -> Iterator[None]:
    """Lets the rival act once, right before the client's first call of an operation, as `UpdateItem`."""
    event = f"before-call.{client.meta.service_model.service_id.hyphenize()}.{operation}"
    pending = [rival]

    def step_in(**_: Any) -> None:
        if pending:
            pending.pop()()

    client.meta.events.register_first(event, step_in)
    yield
    client.meta.events.unregister(event, step_in)
    assert not pending, f"{operation} was never called"


@contextmanager
def before_write(client: Any, number: int, rival: Callable[[], object]) -> Iterator[list[str]]:
    """Lets the rival act once, right before the client's write of this number; gives the writes up to then."""
    writes: list[str] = []

    def step_in(model: Any, **_: Any) -> None:
        if len(writes) < number and model.name in WRITING:
            writes.append(model.name)
            if len(writes) == number:
                rival()

    client.meta.events.register_first("before-call.dynamodb", step_in)
    yield writes
    client.meta.events.unregister("before-call.dynamodb", step_in)


@contextmanager
def answer_lost(client: Any, operation: str) -> Iterator[None]:
    """Has the client's own retry send the first call of an operation again, after it was carried out."""
    event = f"needs-retry.{client.meta.service_model.service_id.hyphenize()}.{operation}"
    seconds = [0]  # that the retry waits

    def lose(**_: Any) -> int | None:
        return seconds.pop() if seconds else None

    client.meta.events.register_first(event, lose)
    yield
    client.meta.events.unregister(event, lose)
    assert not seconds, f"{operation} was never called"
