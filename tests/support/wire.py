"""What goes over the wire to DynamoDB and SSM: watched, counted and failed, through botocore's own events."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ReadTimeoutError

from chalicelib.services import Services

EVERY_CALL = ("dynamodb", "ssm")


class Refused:
    """The HTTP half of a refusal, which is all that botocore asks of it."""

    status_code = 400


@dataclass
class Wire:
    """The calls that were made, by name in order, and what is to happen to them."""

    calls: list[str] = field(default_factory=list)
    fail_at: int = 0
    failure: Callable[[str], Any] | None = None
    afterwards: bool = False
    times: int = 1

    def before(self, model: Any, **_: Any) -> Any:
        """Notes a call and fails the one whose turn it is, and as many as follow it, before it is sent."""
        self.calls.append(model.name)
        turn = self.fail_at <= len(self.calls) < self.fail_at + self.times
        if turn and self.failure and not self.afterwards:
            return self.failure(model.name)
        return None

    def after(self, model: Any, **_: Any) -> None:
        """Loses the answer of the call whose turn it is, after it has been carried out."""
        if len(self.calls) == self.fail_at and self.failure and self.afterwards:
            self.failure(model.name)


def clients(svc: Services) -> tuple[Any, Any]:
    """The DynamoDB and the SSM client of these services."""
    return svc.users._client, svc.keys._client


@contextmanager
def watched(svc: Services, wire: Wire | None = None) -> Iterator[Wire]:
    """Watches all calls of these services for the length of a `with` block."""
    wire = wire or Wire()
    # Last in line: what fails a call must not keep the services' own counter from counting it.
    for client, service in zip(clients(svc), EVERY_CALL, strict=True):
        client.meta.events.register_last(f"before-call.{service}", wire.before)
        client.meta.events.register_last(f"after-call.{service}", wire.after)
    try:
        yield wire
    finally:
        for client, service in zip(clients(svc), EVERY_CALL, strict=True):
            client.meta.events.unregister(f"before-call.{service}", wire.before)
            client.meta.events.unregister(f"after-call.{service}", wire.after)


@contextmanager
def down(svc: Services, service: str, failure: Callable[[str], Any] | None = None) -> Iterator[None]:
    """Fails every call to one of the services for the length of a `with` block, by time-outs unless told otherwise."""
    (client,) = [c for c, name in zip(clients(svc), EVERY_CALL, strict=True) if name == service]

    def fail(model: Any, **_: Any) -> Any:
        return (failure or timing_out)(model.name)

    client.meta.events.register_last(f"before-call.{service}", fail)
    try:
        yield
    finally:
        client.meta.events.unregister(f"before-call.{service}", fail)


def refusing(code: str, *, reasons: tuple[str, ...] = ()) -> Callable[[str], Any]:
    """A failure: the service refuses the call with this error code, before anything is done."""
    cancellation = [{"Code": reason} for reason in reasons]
    parsed = {
        "Error": {"Code": code, "Message": "injected"},
        "CancellationReasons": cancellation,
        "ResponseMetadata": {},
    }
    return lambda _: (Refused(), parsed)


def timing_out(_: str) -> None:
    """A failure: no answer within the time, whether the call was carried out or not."""
    raise ReadTimeoutError(endpoint_url="https://aws.example")


# How a call can fail: what stands for it, and whether it has been carried out by then.
CONFLICT = refusing("TransactionCanceledException", reasons=("None", "TransactionConflict"))
MODES: dict[str, tuple[Callable[[str], Any], bool]] = {
    "throttled": (refusing("ThrottlingException"), False),
    "never sent": (timing_out, False),
    "answer lost": (timing_out, True),
    "in conflict": (CONFLICT, False),
}
# What the caller is told of each, in JSON.
UNAVAILABLE = (503, "temporarily_unavailable")
