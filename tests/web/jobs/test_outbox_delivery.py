"""What is delivered by the function that the outbox's stream starts: at least once, and no receiver holds up another."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib import scheduler
from chalicelib.domain.errors import TemporarilyUnavailable
from chalicelib.domain.records.outbox import LogoutNotice
from chalicelib.services import Services
from chalicelib.store.aws.client import AwsError
from chalicelib.web.jobs import outbox_delivery
from tests.support import wire
from tests.support.browser import Browser, register
from tests.support.delivery import ARN, Context, deliver, moto_scheduler, schedules, stream_event, waiting
from tests.support.forge import peek
from tests.support.internet import Internet, Page, running
from tests.support.phone import Clock, Phone

# The scheduler is moto's.
pytestmark = pytest.mark.usefixtures("aws")

HOOK, OTHER_HOOK = "https://app.example/hook", "https://other.example/hook"
MINUTE, HOUR, DAY = 60, 3600, 24 * 3600


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    with running(tmp_path, "app.example", "other.example") as network:
        network.pages |= {HOOK: Page(), OTHER_HOOK: Page()}
        yield network


@pytest.fixture
def svc(svc: Services, internet: Internet) -> Services:
    return replace(svc, fetch=internet.fetch())


@pytest.fixture
def log_out(svc: Services, phone: Phone) -> Callable[..., None]:
    """Somebody who has logged in at clients with these addresses logs out."""
    phone.sign_up()
    while of_other_tests := schedules():  # the scheduler is the account's, and lists a hundred at once
        for schedule in of_other_tests:
            moto_scheduler().delete_schedule(Name=schedule)

    def act(*hooks: str) -> None:
        browser = Browser(phone)
        for hook in hooks:
            register(svc, phone, backchannel_logout_uri=hook).tokens(browser, scope="openid")
        browser.submit(browser.get("/oauth/logout"), "/oauth/logout/confirm")

    return act


def hook_lines(internet: Internet) -> list[str]:
    return [f"https://{request.headers['host']}{request.line.removeprefix('POST ')}" for request in internet.requests]


def jtis(internet: Internet) -> set[Any]:
    return {peek(request.form["logout_token"])[1]["jti"] for request in internet.requests}


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if line.get("failure") == "not delivered"]


def scheduled_event() -> dict[str, Any]:
    """What the scheduler calls the function with, the one time that it was asked to."""
    (schedule,) = schedules().values()
    event: dict[str, Any] = json.loads(schedule["Target"]["Input"])
    return event


def at(schedule: Any, now: int) -> int:
    """How long after `now` a schedule calls."""
    moment = datetime.fromisoformat(schedule["ScheduleExpression"][3:-1]).replace(tzinfo=UTC)
    return int(moment.timestamp()) - now


def test_a_message_is_there_until_it_was_delivered_and_not_delivered_again(
    log_out: Callable[..., None], internet: Internet
) -> None:
    log_out(HOOK)
    event = stream_event(*waiting())
    deliver()
    assert (hook_lines(internet), waiting(), schedules()) == ([HOOK], [], {})
    outbox_delivery.deliver(event, Context())
    assert hook_lines(internet) == [HOOK]


def test_a_receiver_that_is_down_holds_up_no_other_and_is_tried_again_by_a_schedule_of_its_own(
    log_out: Callable[..., None], internet: Internet, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    internet.pages[HOOK] = Page(status=503)
    log_out(HOOK, OTHER_HOOK)
    deliver()
    assert sorted(hook_lines(internet)) == [HOOK, OTHER_HOOK]
    ((name, schedule),) = schedules().items()
    (item,) = waiting()
    assert name == f"latchkey-dev-deliver-{item.message_id[:24]}-1"
    assert at(schedule, clock()) == MINUTE
    assert schedule["ActionAfterCompletion"] == "DELETE"
    assert (schedule["Target"]["Arn"], schedule["Target"]["RoleArn"]) == (
        ARN,
        "arn:aws:iam::123456789012:role/latchkey-dev-deliver-schedule",
    )
    (line,) = logged(capsys)
    assert (line["level"], line["reason"]) == ("warning", "status 503")
    internet.pages[HOOK] = Page()
    outbox_delivery.deliver(scheduled_event(), Context())
    assert waiting() == []
    assert sorted(hook_lines(internet)) == [HOOK, HOOK, OTHER_HOOK]
    assert len(jtis(internet)) == 2  # a second copy has the id of the first


def test_tries_grow_to_one_a_day_until_the_message_is_of_no_use_and_then_it_stays_for_its_operator(
    log_out: Callable[..., None], svc: Services, internet: Internet, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    internet.pages[HOOK] = Page(status=500)
    log_out(HOOK)
    deliver()
    waits = []
    while schedules():
        ((name, schedule),) = schedules().items()
        waits.append(at(schedule, clock()))
        moto_scheduler().delete_schedule(Name=name)
        clock.advance(waits[-1])
        outbox_delivery.deliver(json.loads(schedule["Target"]["Input"]), Context())
    assert waits == [MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 8 * HOUR, DAY, DAY]
    assert [line["level"] for line in logged(capsys)] == ["warning"] * 7 + ["error"]
    (item,) = waiting()
    assert (item.failures, item.reason, item.retry_at) == (8, "status 500", 0)
    assert item.expires_at - item.useful_until == 30 * DAY
    assert svc.outbox.read(item.message_id, item.kind, now=item.expires_at) is None


def test_two_copies_of_one_delivery_that_fail_make_one_retry(log_out: Callable[..., None], internet: Internet) -> None:
    log_out(HOOK)
    outbox_delivery.deliver(stream_event(*waiting()), Context())
    (item,) = waiting()
    copies: list[int] = []

    def copy(_: Any) -> None:
        if not copies:
            copies.append(1)
            outbox_delivery.deliver(stream_event(item), Context())
        raise ConnectionError

    internet.pages[HOOK] = Page(write=copy)
    outbox_delivery.deliver(stream_event(item), Context())
    assert len(hook_lines(internet)) == 2
    assert [each.failures for each in waiting()] == [1]
    assert len(schedules()) == 1


def test_where_neither_the_receiver_nor_the_scheduler_can_be_had_the_stream_calls_again(
    log_out: Callable[..., None], internet: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    internet.pages[HOOK] = Page(status=500)
    log_out(HOOK, OTHER_HOOK)
    outbox_delivery.deliver(stream_event(*waiting()), Context())
    event = stream_event(*waiting())
    monkeypatch.setattr(scheduler, "call_again", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        outbox_delivery.deliver(event, Context())
    monkeypatch.undo()
    (item,) = waiting()
    assert item.failures == 0
    internet.pages[HOOK] = Page()
    outbox_delivery.deliver(event, Context())
    assert waiting() == []
    assert sorted(hook_lines(internet)) == [HOOK, HOOK, OTHER_HOOK]


@pytest.mark.parametrize("event_name", ["MODIFY", "REMOVE"])
def test_what_a_delivery_changes_and_deletes_starts_none(
    log_out: Callable[..., None], internet: Internet, event_name: str
) -> None:
    log_out(HOOK)
    outbox_delivery.deliver(stream_event(*waiting(), event_name=event_name), Context())
    assert internet.requests == []
    assert len(waiting()) == 1


@pytest.mark.parametrize("mode", wire.MODES)
def test_whatever_call_of_a_delivery_fails_each_client_is_told_in_the_end(
    log_out: Callable[..., None], svc: Services, internet: Internet, mode: str
) -> None:
    failure, afterwards = wire.MODES[mode]
    log_out(HOOK, OTHER_HOOK)
    for fail_at in range(1, 12):
        watched = wire.Wire(fail_at=fail_at, failure=failure, afterwards=afterwards)
        with suppress(TemporarilyUnavailable, AwsError), wire.watched(svc, watched):
            deliver()
    for name, schedule in schedules().items():
        moto_scheduler().delete_schedule(Name=name)
        outbox_delivery.deliver(json.loads(schedule["Target"]["Input"]), Context())
    deliver()
    assert waiting() == []
    assert {HOOK, OTHER_HOOK} == set(hook_lines(internet))
    assert len(jtis(internet)) == 2


@pytest.mark.usefixtures("log_out")
def test_more_clients_than_one_transaction_takes_are_all_told(svc: Services, phone: Phone, internet: Internet) -> None:
    browser = Browser(phone)
    app = register(svc, phone, backchannel_logout_uri=HOOK)
    app.tokens(browser, scope="openid")
    (session,) = [each for each in svc.sessions.of_user(uid_of(svc)) if each.client_id == app.id]
    for number in range(120):
        other = register(svc, phone, backchannel_logout_uri=f"{HOOK}?{number}")
        internet.pages[f"{HOOK}?{number}"] = Page()
        write = svc.sessions.creation(replace(session, session_id=f"{number:032}", client_id=other.id))
        svc.transactions.commit(write)
    browser.submit(browser.get("/oauth/logout"), "/oauth/logout/confirm")
    deliver()
    assert len(set(hook_lines(internet))) == 121
    assert waiting() == []


def uid_of(svc: Services) -> str:
    uid = svc.users.find("ann@example.com")
    assert uid
    return uid


def put(svc: Services, **changes: Any) -> None:
    """A message that was written by another release."""
    notice = LogoutNotice(uid="1", network="", client_id="a", client_since=None, session_ids=("",))
    (part,) = svc.outbox.creation(notice, "0" * 32, now=svc.now()).parts
    svc.users._client.call("PutItem", TableName=svc.settings.outbox_table, Item={**part["Put"]["Item"], **changes})


@pytest.mark.usefixtures("log_out")
@pytest.mark.parametrize(
    "changes", [{"sk": {"S": "later"}}, {"value": {"S": '{"v": 2}'}}, {"value": {"S": "x"}}], ids=str
)
def test_a_message_of_a_later_release_is_tried_again(
    svc: Services, capsys: pytest.CaptureFixture[str], changes: dict[str, Any]
) -> None:
    put(svc, **changes)
    deliver()
    assert [(item.failures, bool(item.retry_at)) for item in waiting()] == [(1, True)]
    (line,) = logged(capsys)
    assert line["level"] == "warning"


def test_an_item_of_a_later_release_is_left_alone_and_is_in_nobodys_way(
    svc: Services, log_out: Callable[..., None], internet: Internet, capsys: pytest.CaptureFixture[str]
) -> None:
    log_out(HOOK)
    good = stream_event(*waiting())["Records"]
    put(svc, v={"N": "2"})
    keys = {"pk": {"S": f"message#{'0' * 32}"}, "sk": {"S": "logout"}}
    bad = {"eventName": "INSERT", "dynamodb": {"Keys": keys}}
    outbox_delivery.deliver({"Records": [bad, *good]}, Context())
    (line,) = logged(capsys)
    assert (line["level"], line["message"]) == ("error", "0" * 32)
    svc.outbox.delete("0" * 32, "logout")
    deliver()
    assert hook_lines(internet) == [HOOK]
