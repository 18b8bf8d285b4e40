"""Races that happen every time: a rival steps in just before our own call leaves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


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
