"""What happens rarely, happening every time: a rival steps in just before our own call leaves, an answer is lost behind it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from chalicelib.store.aws.client import AwsClient, Transport
from tests.support.wire import intercepted

WRITING = ("BatchWriteItem", "DeleteItem", "PutItem", "TransactWriteItems", "UpdateItem")


@contextmanager
def just_before(client: AwsClient, operation: str, rival: Callable[[], object]) -> Iterator[None]:
    """Lets the rival act once, right before the client's first call of an operation, as `UpdateItem`."""
    pending = [rival]

    def step_in(proceed: Transport, called: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if pending and called == operation:
            pending.pop()()
        return proceed(called, request)

    with intercepted(client, step_in, first=True):
        yield
    assert not pending, f"{operation} was never called"


@contextmanager
def before_write(client: AwsClient, number: int, rival: Callable[[], object]) -> Iterator[list[str]]:
    """Lets the rival act once, right before the client's write of this number; gives the writes up to then."""
    writes: list[str] = []

    def step_in(proceed: Transport, called: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if len(writes) < number and called in WRITING:
            writes.append(called)
            if len(writes) == number:
                rival()
        return proceed(called, request)

    with intercepted(client, step_in, first=True):
        yield writes


@contextmanager
def answer_lost(client: AwsClient, operation: str) -> Iterator[None]:
    """Has the first call of an operation sent again after it was carried out, as a retry below the call would."""
    pending = [operation]

    def lose(proceed: Transport, called: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if called in pending:
            pending.remove(called)
            proceed(called, request)
        return proceed(called, request)

    with intercepted(client, lose):
        yield
    assert not pending, f"{operation} was never called"
