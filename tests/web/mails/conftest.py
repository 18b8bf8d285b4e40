"""A deployment that sends mail, and where it arrives."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chalicelib.services import Services
from tests.support import ses
from tests.support.delivery import DeliveringPhone
from tests.support.phone import Clock, installed
from tests.support.ses import Ses


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ses]:
    """Everybody's."""
    with ses.running(monkeypatch) as running:
        yield running


@pytest.fixture
def svc(svc: Services) -> Services:
    """Services that send mail."""
    return replace(svc, settings=replace(svc.settings, mail_from="Example <login@id.example>"))


@pytest.fixture
def phone(svc: Services, clock: Clock, mailbox: Ses) -> Iterator[DeliveringPhone]:  # noqa: ARG001 - it is there first
    """A phone whose mails have arrived when its call is answered."""
    with installed(svc):
        yield DeliveringPhone(clock)
