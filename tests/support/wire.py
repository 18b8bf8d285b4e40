"""What goes over the wire to DynamoDB and SSM: watched, counted and failed, between the clients and their transport."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

from chalicelib.domain.errors import TemporarilyUnavailable
from chalicelib.services import Services
from chalicelib.store.aws.client import AwsClient, AwsError, Transport

EVERY_CALL = ("dynamodb", "ssm")

# What stands in a call's way: it is given the operation and its request, and goes on by the transport, or does not.
Step = Callable[[Transport, str, Mapping[str, Any]], Any]
# What a call that fails comes to: it raises, or answers in the service's place.
Failure = Callable[[str], Any]


class Intercepted:
    """A client's transport with steps before it, the first of them farthest out."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.steps: list[Step] = []

    def __call__(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        return self._after(tuple(self.steps), operation, request)

    def _after(self, steps: tuple[Step, ...], operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if not steps:
            return self.transport(operation, request)
        answer: dict[str, Any] = steps[0](lambda *call: self._after(steps[1:], *call), operation, request)
        return answer


@contextmanager
def intercepted(client: AwsClient, step: Step, *, first: bool = False) -> Iterator[None]:
    """Has every call of a client go through a step for the length of a `with` block, the last of all or the first."""
    if not isinstance(client.transport, Intercepted):
        client.transport = Intercepted(client.transport)
    steps = client.transport.steps
    steps.insert(0 if first else len(steps), step)
    try:
        yield
    finally:
        steps.remove(step)


def is_note(operation: str, request: Mapping[str, Any]) -> bool:
    """Whether a call notes that a client was refused; tests/web/oauth/test_client_refusals.py has how often there is one."""
    return operation == "UpdateItem" and request["Key"]["sk"] == {"S": "refusals"}


def is_event(operation: str, request: Mapping[str, Any]) -> bool:
    """Whether a call writes an event alone, after what it is of; tests/web/api/test_activity.py has that it hinders nothing."""
    parts = [(kind, each) for part in request.get("TransactItems", ()) for kind, each in part.items()]
    writes = [each["Key"]["sk"]["S"] for kind, each in parts if kind != "ConditionCheck" and "Key" in each]
    others = any("Key" not in each for _, each in parts)
    return operation == "TransactWriteItems" and not others and [key[:6] for key in writes] == ["event#"]


@dataclass
class Wire:
    """The calls that were made, by name in order, with their requests, and what is to happen to them."""

    calls: list[str] = field(default_factory=list)
    requests: list[Mapping[str, Any]] = field(default_factory=list)
    fail_at: int = 0
    failure: Failure | None = None
    afterwards: bool = False
    times: int = 1

    @property
    def calls_of_flows(self) -> list[str]:
        """The calls without the note that a client was refused, which comes when the answer is made."""
        return [call for call, request in zip(self.calls, self.requests, strict=True) if not is_note(call, request)]

    def step(self, proceed: Transport, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Notes a call and fails the one whose turn it is, and as many as follow it, before it is sent or after."""
        self.calls.append(operation)
        self.requests.append(request)
        turn = self.fail_at <= len(self.calls) < self.fail_at + self.times
        if turn and self.failure and not self.afterwards:
            self.failure(operation)
        answer = proceed(operation, request)
        if turn and self.failure and self.afterwards:
            self.failure(operation)
        return answer


def clients(svc: Services) -> tuple[AwsClient, AwsClient]:
    """The DynamoDB and the SSM client of these services."""
    return svc.users._client, svc.keys._client


@contextmanager
def watched(svc: Services, wire: Wire | None = None) -> Iterator[Wire]:
    """Watches all calls of these services for the length of a `with` block."""
    wire = wire or Wire()
    dynamodb, ssm = clients(svc)
    with intercepted(dynamodb, wire.step), intercepted(ssm, wire.step):
        yield wire


@contextmanager
def down(svc: Services, service: str, failure: Failure | None = None) -> Iterator[None]:
    """Fails every call to one of the services for the length of a `with` block, by time-outs unless told otherwise."""
    (client,) = [c for c, name in zip(clients(svc), EVERY_CALL, strict=True) if name == service]

    def fail(_: Transport, operation: str, __: Mapping[str, Any]) -> Any:
        return (failure or timing_out)(operation)

    with intercepted(client, fail):
        yield


def refusing(code: str, *, reasons: tuple[str, ...] = ()) -> Failure:
    """A failure: the service refuses the call with this error code, before anything is done."""

    def refuse(operation: str) -> None:
        raise AwsError(operation, code, "injected", reasons=[{"Code": reason} for reason in reasons])

    return refuse


def timing_out(_: str) -> NoReturn:
    """A failure: no answer within the time, whether the call was carried out or not."""
    raise TemporarilyUnavailable(reason="no answer in time")


CONFLICT = refusing("TransactionCanceledException", reasons=("None", "TransactionConflict"))


def in_conflict(operation: str) -> None:
    """A failure: somebody's transaction is in the way, which a transaction is told otherwise than a single call."""
    if operation == "TransactWriteItems":
        CONFLICT(operation)
    refusing("TransactionConflictException")(operation)


# How a call can fail: what stands for it, and whether it has been carried out by then.
MODES: dict[str, tuple[Failure, bool]] = {
    "throttled": (refusing("ThrottlingException"), False),
    "never sent": (timing_out, False),
    "answer lost": (timing_out, True),
    "in conflict": (in_conflict, False),
}
# What the caller is told of each, in JSON.
UNAVAILABLE = (503, "temporarily_unavailable")
