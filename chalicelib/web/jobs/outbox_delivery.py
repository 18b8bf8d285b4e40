from collections.abc import Iterable, Mapping
from contextvars import copy_context
from typing import Any

from chalice.app import Blueprint

from ...domain.records.outbox import (
    MESSAGES,
    EndedSessions,
    ErasedAccount,
    ErasedSessions,
    LoginRequest,
    LogoutNotice,
    Mail,
    Message,
    OutboxItem,
    ResetRequest,
    SessionCap,
    SignUpRequest,
)
from ...flows.accounts import deletion, mailed_signup, recovery
from ...flows.authentication import mailed_login
from ...flows.platform import outbox
from ...flows.platform.outbox import Delivery, FailedDelivery, Retry
from ...flows.sessions import back_channel, session_cap
from ...services import Services, services
from ..http import request_log

functions = Blueprint(__name__)


# What follows is a module of the app too, which starts without what its own work alone needs.
def _deliver_mail(svc: Services, message_id: str, message: Mail) -> Mapping[str, Message]:
    from ..mails import delivery

    return delivery.deliver(svc, message_id, message)


# A kind of message is a line here, and a record in `MESSAGES`; one that is a mail is that record alone.
DELIVERIES: Mapping[str, Delivery] = {
    **{kind: _deliver_mail for kind, message in MESSAGES.items() if issubclass(message, Mail)},
    EndedSessions.kind: back_channel.notify_participants,
    ErasedSessions.kind: back_channel.notify_of_erased,
    ErasedAccount.kind: deletion.sweep_again,
    SessionCap.kind: session_cap.end_oldest,
    LogoutNotice.kind: back_channel.deliver,
    LoginRequest.kind: mailed_login.mail_of,
    ResetRequest.kind: recovery.mail_of,
    SignUpRequest.kind: mailed_signup.mail_of,
}
AT_ONCE = 10


@functions.lambda_function(name="deliver")
def deliver(event: Mapping[str, Any], context: Any) -> None:
    """Delivers the messages that the outbox's stream says are new, or the one that a schedule of ours is for.

    It succeeds though a delivery fails, so that no receiver holds up those behind it in the stream.
    """

    def retry(item: OutboxItem, at: int) -> None:
        from ... import scheduler

        again = {"message": item.message_id, "kind": item.kind}
        name = f"{item.message_id[:24]}-{item.failures + 1}"
        scheduler.call_again(context.invoked_function_arn, again, name=name, at=at)

    deliver_all(services(), messages_of(event), retry)


def messages_of(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The messages that an event is about, each by its id and kind."""
    if "message" in event:
        return [(event["message"], event["kind"])]
    keys = [record["dynamodb"]["Keys"] for record in event["Records"] if record["eventName"] == "INSERT"]
    return [(each["pk"]["S"].partition("#")[2], each["sk"]["S"]) for each in keys]


def deliver_all(svc: Services, messages: Iterable[tuple[str, str]], retry: Retry) -> None:
    """Delivers these messages at once, each in its own time; raises once all are done where one has to be called again."""
    from concurrent.futures import ThreadPoolExecutor  # which the app, whose module this is too, does not need

    with ThreadPoolExecutor(AT_ONCE) as pool:
        deliveries = [
            pool.submit(copy_context().run, outbox.deliver, svc, message_id, kind, DELIVERIES, retry)
            for message_id, kind in messages
        ]
    for each in deliveries:
        if failure := each.result():
            _log(failure)


def _log(failure: FailedDelivery) -> None:
    request_log.write(
        level="warning" if failure.retry_at else "error",
        failure="not delivered",
        message=failure.message_id,
        kind=failure.kind,
        receiver=failure.receiver,
        reason=failure.reason,
    )
