"""What the outbox's stream and the scheduler do in a deployment: each message is delivered soon after it is written."""

import logging
import threading
from typing import Any

from chalice.app import Chalice

from chalicelib.services import Services, services
from chalicelib.web.jobs import outbox_delivery
from local import mailbox
from local.api_kinds import Kind
from local.gateway import Answer, Gateway

log = logging.getLogger(__name__)

PAUSE = 5.0  # seconds between looks at an outbox that no request has written to
_alone = threading.Lock()  # two at once would deliver the same messages


def deliver_due(svc: Services) -> bool:
    """Deliver what is new and what is to be tried again by now; False if that was nothing."""
    due = [item for item in svc.outbox.undelivered() if not item.failures or 0 < item.retry_at <= svc.now()]
    outbox_delivery.deliver_all(svc, [(item.message_id, item.kind) for item in due], lambda *_: None)
    return bool(due)


def _deliver_all() -> None:
    with _alone:
        while deliver_due(services()):
            pass  # a message may have been taken apart into others


class DeliveringGateway(Gateway):
    """A gateway behind whose every request the outbox is looked at, in a thread of its own."""

    def __init__(self, app: Chalice, *, kind: Kind) -> None:
        super().__init__(app, kind=kind)
        self._request = threading.Event()
        threading.Thread(target=self._deliver, daemon=True).start()

    def handle(self, method: str, target: str, *arguments: Any, **more: Any) -> Answer:
        """Answer one request."""
        if target in (mailbox.PATH, mailbox.JSON_PATH):
            _deliver_all()
            return mailbox.answer(target)
        answer = super().handle(method, target, *arguments, **more)
        self._request.set()
        return answer

    def _deliver(self) -> None:
        while True:
            self._request.wait(PAUSE)
            self._request.clear()
            try:
                _deliver_all()
            except Exception:
                log.exception("The outbox could not be delivered; it is looked at again")
