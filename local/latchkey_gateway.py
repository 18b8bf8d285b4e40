"""Latchkey's own gateway: what the outbox's stream and the scheduler do in a deployment, and one name for browsers."""

import logging
import threading
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

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


class LatchkeyGateway(Gateway):
    """A gateway behind whose every request the outbox is looked at, in a thread of its own.

    A browser that comes under another name of this machine is led to the issuer: cookies, form tokens and passkeys hold
    for one name, and a passkey's is never an IP address.
    """

    def __init__(self, app: Chalice, *, issuer: str, kind: Kind) -> None:
        super().__init__(app, kind=kind)
        self._issuer = issuer
        self._request = threading.Event()
        threading.Thread(target=self._deliver, daemon=True).start()

    def handle(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        *arguments: Any,
        **more: Any,
    ) -> Answer:
        """Answer one request."""
        pairs = tuple(headers.items() if isinstance(headers, Mapping) else headers)
        if method == "GET" and target.startswith("/") and self._is_elsewhere(dict(pairs)):
            return Answer(307, [("Location", self._issuer + target), ("Cache-Control", "no-store")], b"")
        if target in (mailbox.PATH, mailbox.JSON_PATH):
            _deliver_all()
            return mailbox.answer(target)
        answer = super().handle(method, target, pairs, *arguments, **more)
        self._request.set()
        return answer

    def _is_elsewhere(self, headers: Mapping[str, str]) -> bool:
        values = {name.lower(): value for name, value in headers.items()}
        host = values.get("host", "").lower()
        return "text/html" in values.get("accept", "") and host not in {"", urlsplit(self._issuer).netloc}

    def _deliver(self) -> None:
        while True:
            self._request.wait(PAUSE)
            self._request.clear()
            try:
                _deliver_all()
            except Exception:
                log.exception("The outbox could not be delivered; it is looked at again")
