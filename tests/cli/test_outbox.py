import json
from typing import Any

import pytest

from chalicelib.domain.records.outbox import Mail
from chalicelib.services import Services
from tests.support.commands import run

ID = "0" * 32


def listed(capsys: pytest.CaptureFixture[str], svc: Services) -> list[dict[str, Any]]:
    capsys.readouterr()
    run("outbox", "list", on=svc)
    messages: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return messages


def test_an_operator_sees_what_has_failed_and_why_and_to_whom_it_was_is_not_printed(
    svc: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    mail = Mail(name="verify_email", uid="u", to="ann@example.com", language="en")
    for message_id in (ID, "1" * 32):
        svc.transactions.commit(svc.outbox.creation(mail, message_id, now=svc.now()))
    assert listed(capsys, svc) == []
    item = svc.outbox.read(ID, "mail", now=svc.now())
    assert item
    svc.outbox.note_failure(item, reason="MessageRejected", retry_at=svc.now() + 60)
    (message,) = listed(capsys, svc)
    assert (message["message_id"], message["kind"], message["failures"]) == (ID, "mail", 1)
    assert (message["reason"], message["retry_at"]) == ("MessageRejected", svc.now() + 60)
    assert "ann@example.com" not in json.dumps(message)


def test_an_operator_drops_a_message_and_no_other(svc: Services) -> None:
    mail = Mail(name="verify_email", uid="u", to="ann@example.com", language="en")
    for message_id in (ID, "1" * 32):
        svc.transactions.commit(svc.outbox.creation(mail, message_id, now=svc.now()))
    run("outbox", "drop", ID, on=svc)
    assert [item.message_id for item in svc.outbox.undelivered()] == ["1" * 32]
    with pytest.raises(SystemExit, match="no message"):
        run("outbox", "drop", ID, on=svc)
