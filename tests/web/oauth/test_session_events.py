"""Each session that begins is in its account's trail, whoever begins it, and no program drowns the trail by that."""

import json
from typing import Any

import pytest

from chalicelib.services import Services
from tests.support.browser import API, App, Browser, register, token_response
from tests.support.forge import peek
from tests.support.issuer import Issuer, present
from tests.support.phone import Clock, Phone, refusal
from tests.support.staged import just_before
from tests.support.wire import watched
from tests.web.oauth.test_exchange import exchange
from tests.web.pages.test_device import begin, decided, poll

ELSEWHERE = "203.0.113.9"


def activity(phone: Phone, token: str) -> list[dict[str, Any]]:
    """What the account's user is told, the latest first."""
    events: list[dict[str, Any]] = phone.call("GET /me/activity", token=token).json()["events"]
    return events


def began(phone: Phone, token: str) -> list[tuple[str, str, str, str]]:
    """By what, in which session, at which client and from where sessions began without a login, the latest first."""
    of_type = [each for each in activity(phone, token) if each["type"] == "session_began"]
    return [(each["reason"], each["session"], each["client_id"], each["network"]) for each in of_type]


def lines(capsys: pytest.CaptureFixture[str], name: str) -> list[dict[str, Any]]:
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in written if line.get("event") == name]


@pytest.fixture
def token(browser: Browser) -> str:
    """An access token of the account's user, who looks at what has happened."""
    access_token: str = browser.phone.log_in()["access_token"]
    return access_token


def sid(tokens: dict[str, Any]) -> str:
    return str(peek(tokens["access_token"])[1]["sid"])


def test_an_application_that_gets_a_code_where_its_user_is_logged_in_is_there(
    browser: Browser, app: App, phone: Phone, token: str
) -> None:
    """Also one that was allowed long ago, and asks nobody: whoever has stolen the browser's cookie is seen by it."""
    first = app.tokens(browser)
    phone.address = ELSEWHERE
    again = app.tokens(browser)
    listed = [("code", sid(again), app.id, ELSEWHERE), ("code", sid(first), app.id, "198.51.100.7")]
    assert began(phone, token) == listed


def test_a_device_that_comes_for_its_tokens_is_there_with_where_it_is(
    browser: Browser, svc: Services, phone: Phone, clock: Clock, token: str
) -> None:
    television = register(svc, phone, "television")
    codes = begin(television)
    decided(browser, codes)
    assert began(phone, token) == []
    clock.advance(codes["interval"])
    phone.address = ELSEWHERE
    tokens = token_response(poll(television, codes))
    assert poll(television, codes).status == 400
    assert began(phone, token) == [("device", sid(tokens), television.id, ELSEWHERE)]


def test_whom_an_issuer_vouches_for_is_told_and_not_of_an_assertion_that_is_no_good(
    phone: Phone, trusted: App, issuer: Issuer, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    signed_up = phone.sign_up()
    uid = signed_up["user"]["sub"]
    assertion = issuer.assertion(uid, now=clock())
    tokens = token_response(present(trusted, assertion))
    assert refusal(present(trusted, assertion)) == (400, "invalid_grant")
    assert began(phone, signed_up["access_token"]) == [("assertion", sid(tokens), trusted.id, phone.address)]
    (line,) = lines(capsys, "session_began")
    assert (line["session"], line["client"], line["network"], line["outcome"], line["uid"]) == (
        sid(tokens),
        trusted.id,
        phone.address,
        "ok",
        uid,
    )


def test_a_machine_that_begins_a_session_each_minute_leaves_one_record_an_hour_and_hides_no_login(
    svc: Services, phone: Phone, trusted: App, issuer: Issuer, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is a line, and none costs a call more than the first."""
    signed_up = phone.sign_up()
    clock.advance(3600 - clock() % 3600)
    calls = set()
    for _ in range(59):
        with watched(svc) as traffic:
            token_response(present(trusted, issuer.assertion(signed_up["user"]["sub"], now=clock())))
        calls.add(tuple(call for call in traffic.calls if call != "GetParametersByPath"))  # every ten minutes
        clock.advance(60)
    phone.log_in()
    assert calls == {("GetItem", "GetItem", "TransactWriteItems")}
    assert [line.get("unrecorded") for line in lines(capsys, "session_began")] == [None] * 59
    listed = [each["type"] for each in activity(phone, phone.log_in()["access_token"])]
    assert listed == ["login", "login", "session_began", "signed_up"]
    clock.advance(60)
    token_response(present(trusted, issuer.assertion(signed_up["user"]["sub"], now=clock())))
    clock.advance(1)
    latest = activity(phone, phone.log_in()["access_token"])[:3]
    assert [each["type"] for each in latest] == ["login", "session_began", "login"]


def test_a_session_that_begins_while_its_account_goes_leaves_no_record(
    phone: Phone, svc: Services, trusted: App, issuer: Issuer, clock: Clock
) -> None:
    signed_up = phone.sign_up()
    assertion = issuer.assertion(signed_up["user"]["sub"], now=clock())

    def erase() -> None:
        assert phone.call("DELETE /me", token=signed_up["access_token"]).status == 204

    with just_before(svc.users._client, "TransactWriteItems", erase):
        assert present(trusted, assertion).status == 503
    left = svc.users._client.call("Scan", TableName=svc.settings.grants_table)["Items"]
    assert [item for item in left if item["sk"]["S"].startswith("event#")] == []


def test_an_exchanged_token_is_a_line_with_its_session_and_no_record_and_costs_no_call(
    svc: Services, browser: Browser, app: App, phone: Phone, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exchanger = register(svc, phone, "exchanger")
    subject = app.tokens(browser)["access_token"]
    before = activity(phone, token)
    capsys.readouterr()
    with watched(svc) as traffic:
        token_response(exchange(exchanger, subject, resource=API))
    assert traffic.calls == ["GetItem", "BatchGetItem"]
    assert exchange(exchanger, subject, scope="admin").status == 400
    (line,) = lines(capsys, "token_exchanged")
    assert (line["session"], line["client"], line["network"], line["reason"]) == (
        peek(subject)[1]["sid"],
        exchanger.id,
        phone.address,
        "impersonation",
    )
    assert line["uid"] == peek(subject)[1]["sub"]
    assert activity(phone, token) == before
