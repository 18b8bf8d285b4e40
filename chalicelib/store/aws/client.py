from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

from ...domain.errors import TemporarilyUnavailable

# Carries one operation, as `GetItem`, with its request to a service and gives the answer, both as AWS documents their JSON.
# Raises AwsError for a refusal, and TemporarilyUnavailable where there was no answer in time.
Transport = Callable[[str, Mapping[str, Any]], dict[str, Any]]


class Seconds(NamedTuple):
    """How long to wait at most: for a connection, for one answer, and for a call with all its retries."""

    connection: float = 1.0
    attempt: float = 1.5
    call: float = 3.5


# A request's caller would be gone before long; an operator at a command is not, and would rather wait than begin anew.
USUAL, PATIENT = Seconds(), Seconds(connection=5.0, attempt=20.0, call=60.0)

# Which failures are sent again, as botocore has it.
TRANSIENT_CODES = frozenset({"RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete"})
THROTTLING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
# What a caller may simply try again, beside what has a status for it. A validation or a permission error is a defect of
# ours and stays loud.
RETRYABLE = (
    THROTTLING_CODES
    | TRANSIENT_CODES
    | {
        "InternalServerError",
        "InternalServerErrorException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "TooManyUpdates",
        "TransactionConflictException",
    }
)

# Where an answer says how to go on, and where the next request has it.
NEXT_PAGE = {"Query": ("LastEvaluatedKey", "ExclusiveStartKey"), "Scan": ("LastEvaluatedKey", "ExclusiveStartKey")}
NEXT_TOKEN = ("NextToken", "NextToken")

# The calls of the request that goes on, by name: one list, to which threads add that run in a copy of its context.
round_trips: ContextVar[list[str] | None] = ContextVar("round_trips", default=None)


class AwsError(Exception):
    """A service refused an operation, under one of its documented codes.

    `item` is the one that a condition found; `reasons` say of each part of a transaction why it was cancelled.
    """

    def __init__(
        self,
        operation: str,
        code: str,
        message: str = "",
        *,
        status: int = 400,
        item: Mapping[str, Any] | None = None,
        reasons: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.code = code
        self.status = status
        self.item = item
        self.reasons = reasons
        # Of a wrong signature AWS goes on, lines below, with all that was to be signed: with a session's token.
        first_line = message.partition("\n")[0]
        super().__init__(f"{operation}: {code}: {first_line}")

    @property
    def retryable(self) -> bool:
        """Whether it is no fault of the request, which may be tried again later."""
        return self.code in RETRYABLE or self.status == 429 or self.status >= 500


class AwsClient:
    """DynamoDB or SSM, by whichever transport; whatever the stores ask of them goes through `call`."""

    def __init__(self, transport: Transport, *, counted: bool = True) -> None:
        self.transport = transport
        self._counted = counted

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """The answer to one operation, noted in `round_trips`.

        Raises TemporarilyUnavailable for what may be tried again (throttling, time-outs), AwsError for every other refusal.
        """
        calls = round_trips.get()
        if calls is not None and self._counted:
            calls.append(operation)
        try:
            return self.transport(operation, request)
        except AwsError as error:
            if error.retryable:
                raise TemporarilyUnavailable(reason=error.code) from None
            raise

    def pages(self, operation: str, **request: Any) -> Iterator[dict[str, Any]]:
        """The answers to an operation that gives a long list in parts."""
        answer_field, request_field = NEXT_PAGE.get(operation, NEXT_TOKEN)
        while True:
            answer = self.call(operation, **request)
            yield answer
            if not answer.get(answer_field):
                return
            request[request_field] = answer[answer_field]
