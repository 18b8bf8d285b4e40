"""What has happened to an account: each deed once, with where it came from, for its owner alone, and for some months."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.accounts.events import EVENTS
from chalicelib.domain.records.outbox import ResetRequest
from chalicelib.flows.accounts import recovery
from chalicelib.flows.platform import audit, origin
from chalicelib.services import Services, use
from tests.support import code_app, counter, wire
from tests.support.browser import Browser, register
from tests.support.delivery import waiting
from tests.support.forge import peek
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal
from tests.support.wire import Wire, intercepted, watched

DAY, HOUR = 24 * 3600, 3600
NEW_PASSWORD = "an entirely other phrase 7"
FIREFOX = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
RIGHT = {"email": EMAIL, "password": PASSWORD}


def activity(phone: Phone, token: str, query: str = "") -> list[dict[str, Any]]:
    answer = phone.call(f"GET /me/activity{query}", token=token)
    assert answer.status == 200, answer
    events: list[dict[str, Any]] = answer.json()["events"]
    return events


def types(phone: Phone, token: str) -> list[str]:
    return [each["type"] for each in activity(phone, token)]


def event_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in written if "event" in line]


def is_record(request: Mapping[str, Any]) -> bool:
    """Whether a call writes events, by itself or with others."""
    return any("event#" in str(part.get("Update", part)) for part in request.get("TransactItems", [request]))


def test_a_login_is_there_with_its_session_its_device_and_where_it_came_from(phone: Phone, clock: Clock) -> None:
    phone.sign_up()
    clock.advance(60)
    phone.address = "203.0.113.7"
    tokens = phone.call("POST /login", RIGHT, headers=FIREFOX).json()
    event, first = activity(phone, tokens["access_token"])
    sid = peek(tokens["access_token"])[1]["sid"]
    assert event == {
        "id": event["id"],
        "type": "login",
        "outcome": "ok",
        "at": clock(),
        "session": sid,
        "current": True,
        "client_id": "latchkey",
        "client_name": "",
        "network": "203.0.113.7",
        "browser": "Firefox",
        "system": "Linux",
        "device": "new",
        "amr": ["pwd"],
        "factor": "",
        "reason": "",
        "by": "",
    }
    assert (first["type"], first["at"], first["factor"], first["current"]) == (
        "signed_up",
        clock() - 60,
        "password",
        False,
    )
    known = phone.call("POST /login", {**RIGHT, "device_token": tokens["device_token"]}).json()
    assert activity(phone, known["access_token"])[0]["device"] == "known"


def test_the_line_of_an_event_says_all_that_is_kept_of_it(phone: Phone, capsys: pytest.CaptureFixture[str]) -> None:
    phone.sign_up()
    capsys.readouterr()
    tokens = phone.call("POST /login", RIGHT, headers=FIREFOX).json()
    (line,) = event_lines(capsys)
    event = activity(phone, tokens["access_token"])[0]
    names = {"type": "event", "client_id": "client"}
    kept = {names.get(name, name): value for name, value in event.items() if value}
    for name in ("id", "current", "client_name"):  # which the answer alone has
        kept.pop(name, None)
    assert kept.items() <= line.items()
    assert set(line) - set(kept) == {"request_id", "level", "uid"}


def change_password(phone: Phone, token: str) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert phone.call("POST /me/password", body, token=token).status == 204


def test_each_deed_of_an_owner_is_there_once_and_the_latest_first(phone: Phone, clock: Clock) -> None:
    token = phone.sign_up()["access_token"]
    clock.advance(1)
    app = code_app.enrol(phone, token, clock)
    phone.call("POST /me/factors/recovery-codes", token=token)
    (factor,) = [
        each for each in phone.call("GET /me/factors", token=token).json()["factors"] if each["kind"] == "totp"
    ]
    begun = phone.call("POST /login", RIGHT).json()
    proof = {"mfa_token": begun["mfa_token"], "factor": "totp", "remember_device": True}
    assert phone.call("POST /login/proof", {**proof, "answer": "000000"}).status == 401
    clock.advance(30)
    other = phone.call("POST /login/proof", {**proof, "answer": app.code()}).json()
    phone.call("DELETE /me/devices", token=token)
    phone.call(f"DELETE /me/sessions/{peek(other['access_token'])[1]['sid']}", token=token)
    change_password(phone, token)
    phone.call("DELETE /me/sessions", token=token)
    phone.call(f"DELETE /me/factors/{factor['id']}", token=token)
    listed = [(each["type"], each["factor"]) for each in activity(phone, token)]
    assert listed == [
        *reversed(
            [
                ("signed_up", "password"),
                ("factor_added", "totp"),
                ("recovery_codes_replaced", ""),
                ("factor_failed", "totp"),
                ("login", ""),
                ("device_remembered", ""),
                ("device_forgotten", ""),
                ("session_ended", ""),
                ("password_changed", ""),
                ("other_sessions_ended", ""),
                ("factor_removed", "recovery_code"),
                ("factor_removed", "totp"),
            ]
        )
    ]


def test_ten_logins_at_once_all_succeed_and_all_are_there(phone: Phone) -> None:
    token = phone.sign_up()["access_token"]
    with ThreadPoolExecutor(10) as pool:
        answers = [*pool.map(lambda _: phone.call("POST /login", RIGHT), range(10))]
    assert [answer.status for answer in answers] == [200] * 10
    sids = {peek(answer.json()["access_token"])[1]["sid"] for answer in answers}
    listed = [each["session"] for each in activity(phone, token) if each["type"] == "login"]
    assert (len(listed), {*listed}) == (10, sids)


def test_a_login_whose_record_is_in_another_one_s_way_is_there_all_the_same(phone: Phone, svc: Services) -> None:
    token = phone.sign_up()["access_token"]
    pending = ["conflict"]

    def once(proceed: Any, operation: str, request: Mapping[str, Any]) -> Any:
        if operation == "TransactWriteItems" and is_record(request) and pending:
            pending.pop()
            reasons = ["TransactionConflict" if "event#" in str(p) else "None" for p in request["TransactItems"]]
            wire.refusing("TransactionCanceledException", reasons=tuple(reasons))(operation)
        return proceed(operation, request)

    with intercepted(wire.clients(svc)[0], once):
        assert phone.log_in()
    assert types(phone, token) == ["login", "signed_up"]


FAILURES: dict[str, Callable[[str], Any]] = {
    "throttled": wire.refusing("ThrottlingException"),
    "a defect": wire.refusing("ValidationException"),
    "no answer": wire.timing_out,
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_deed_whose_record_cannot_be_written_is_done_and_its_line_says_so(
    phone: Phone, svc: Services, capsys: pytest.CaptureFixture[str], failure: str
) -> None:
    token = phone.sign_up()["access_token"]

    def fail(proceed: Any, operation: str, request: Mapping[str, Any]) -> Any:
        if is_record(request) and operation == "TransactWriteItems" and len(request["TransactItems"]) > 2:
            reasons = ["ThrottlingError" if "event#" in str(each) else "None" for each in request["TransactItems"]]
            wire.refusing("TransactionCanceledException", reasons=tuple(reasons))(operation)
        if is_record(request):
            FAILURES[failure](operation)
        return proceed(operation, request)

    capsys.readouterr()
    with intercepted(wire.clients(svc)[0], fail):
        change_password(phone, token)
        assert (
            phone.call("POST /me/password", {"current_password": "x", "new_password": "y"}, token=token).status == 401
        )
    changed, failed = event_lines(capsys)
    assert (changed["event"], changed["level"], bool(changed["unrecorded"])) == ("password_changed", "warning", True)
    assert (failed["event"], bool(failed["unrecorded"])) == ("factor_failed", True)
    assert phone.call("POST /login", {"email": EMAIL, "password": NEW_PASSWORD}).status == 200
    assert "password_changed" not in types(phone, token)


def test_a_deed_that_fails_leaves_neither_line_nor_record(
    phone: Phone, svc: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    token = phone.sign_up()["access_token"]
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    capsys.readouterr()
    with watched(svc, Wire(fail_at=4, failure=wire.timing_out)) as traffic:
        assert phone.call("POST /me/password", body, token=token).status == 503
    assert is_record(traffic.requests[3])
    assert event_lines(capsys) == []
    assert types(phone, token) == ["signed_up"]


def test_a_deed_that_is_refused_as_it_is_written_leaves_no_line(
    phone: Phone, capsys: pytest.CaptureFixture[str]
) -> None:
    phone.sign_up()
    capsys.readouterr()
    assert refusal(phone.call("POST /signup", {"email": EMAIL, "password": PASSWORD})) == (409, "email_taken")
    assert event_lines(capsys) == []


def test_what_is_done_to_one_account_in_the_session_of_another_names_no_session(
    phone: Phone, svc: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    ann, bob = (phone.sign_up(f"{name}@example.com")["user"]["sub"] for name in ("one", "two"))
    capsys.readouterr()
    with origin.OfRequest(lambda: origin.Origin("r1", "203.0.113.7", "Firefox", "Linux")):
        origin.set_session(ann, "s1")
        for uid in (ann, bob):
            audit.record(svc, uid, audit.event(svc, "factor_failed"))
    audit.record(svc, ann, audit.event(svc, "factor_failed"))
    lines = [(line.get("session"), line.get("network"), line["request_id"]) for line in event_lines(capsys)]
    assert lines == [("s1", "203.0.113.7", "r1"), (None, "203.0.113.7", "r1"), (None, None, "")]


def unrecorded(capsys: pytest.CaptureFixture[str], name: str) -> list[str]:
    return [line.get("unrecorded", "") for line in event_lines(capsys) if line["event"] == name]


def test_nobody_hides_a_change_behind_logins(phone: Phone, capsys: pytest.CaptureFixture[str]) -> None:
    token = phone.sign_up()["access_token"]
    for _ in range(102):
        phone.log_in()
    assert unrecorded(capsys, "login") == [*[""] * 99, *["full for this hour"] * 3]
    change_password(phone, token)
    assert types(phone, token)[0] == "password_changed"


def test_nobody_hides_a_login_behind_what_a_session_can_do_without_end(
    phone: Phone, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stolen access token ends sessions, as an application can, and has no password to log in by."""
    token = phone.sign_up()["access_token"]
    for _ in range(51):
        assert phone.call("DELETE /me/sessions", token=token).status == 204
    assert unrecorded(capsys, "other_sessions_ended") == [*[""] * 49, *["full for this hour"] * 2]
    assert types(phone, phone.log_in()["access_token"])[0] == "login"


def test_nobody_hides_a_login_on_a_new_device_behind_those_on_a_known_one(
    phone: Phone, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a script's that logs in each minute, or those of whoever has got hold of such a device's token."""
    known = {**RIGHT, "device_token": phone.sign_up()["device_token"]}
    for _ in range(76):
        assert phone.call("POST /login", known).status == 200
    assert unrecorded(capsys, "login") == [*[""] * 74, *["full for this hour"] * 2]
    phone.call("POST /login", RIGHT)
    assert unrecorded(capsys, "login") == [""]


def test_what_strangers_cause_is_a_line_and_no_record(phone: Phone, capsys: pytest.CaptureFixture[str]) -> None:
    signed_up = phone.sign_up()
    capsys.readouterr()
    for email in (EMAIL, "nobody@example.com"):
        phone.call("POST /login", {"email": email, "password": "wrong"})
    known, unknown = event_lines(capsys)
    assert (known["event"], known["outcome"], known["uid"]) == ("login_failed", "failed", signed_up["user"]["sub"])
    assert (unknown["event"], "uid" in unknown, unknown["network"]) == ("login_failed", False, phone.address)
    assert types(phone, signed_up["access_token"]) == ["signed_up"]


def test_a_right_password_that_is_refused_is_kept(
    phone: Phone, svc: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    uid = phone.sign_up()["user"]["sub"]
    svc.users.disable(uid)
    capsys.readouterr()
    assert phone.call("POST /login", RIGHT).status == 403
    (line,) = event_lines(capsys)
    assert (line["event"], line["outcome"], line["reason"]) == ("login_refused", "refused", "account disabled")
    stored, _ = svc.events.of_user(uid, before=svc.now() + HOUR, since=0, least=9)
    assert [event.type for event in stored] == ["login_refused", "signed_up"]


def test_a_reused_refresh_token_ends_the_session_and_is_an_event_of_the_server(phone: Phone, clock: Clock) -> None:
    token, stolen = phone.sign_up()["access_token"], phone.log_in()["refresh_token"]
    phone.refresh(phone.refresh(stolen)["refresh_token"])
    clock.advance(61)
    assert refusal(phone.call("POST /refresh", {"refresh_token": stolen})) == (401, "invalid_grant")
    event = activity(phone, token)[0]
    assert (event["type"], event["reason"], event["by"]) == ("session_ended", "reuse", "server")


def test_an_application_that_is_allowed_is_named(phone: Phone, svc: Services, browser: Browser) -> None:
    token = phone.log_in()["access_token"]
    app = register(svc, phone, client_name="Garden Planner")
    app.tokens(browser)
    beginning, consent = activity(phone, token)[:2]
    assert [each["type"] for each in (beginning, consent)] == ["session_began", "consent_given"]
    assert {(each["client_id"], each["client_name"]) for each in (beginning, consent)} == {(app.id, "Garden Planner")}


def test_a_link_that_is_asked_for_is_a_line_for_an_account_that_is_there_and_no_record(
    svc: Services, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with installed(replace(svc, settings=replace(svc.settings, mail_from="login@id.example"))):
        phone = Phone(clock)
        signed_up = phone.sign_up()
        capsys.readouterr()
        for email in ("nobody@example.com", EMAIL):
            phone.call("POST /password/reset", {"email": email})
        assert event_lines(capsys) == []
        requests = [item for item in waiting() if item.kind == "password reset"]
        for item in requests:
            assert isinstance(item.message, ResetRequest)
            recovery.mail_of(svc, item.message_id, item.message)
        (line,) = event_lines(capsys)
        assert (line["event"], line["uid"]) == ("password_reset_requested", signed_up["user"]["sub"])
        assert types(phone, signed_up["access_token"]) == ["signed_up"]


def test_an_operator_s_link_is_in_the_account_and_so_is_its_use(phone: Phone, svc: Services) -> None:
    token = phone.sign_up()["access_token"]
    user = svc.users.read(svc.users.find(EMAIL) or "")
    assert user
    link = recovery.operator_link(svc, user, without_factors=True, operator="olive")
    assert activity(phone, token)[0]["type"] == "operator_link_created"
    assert phone.call("POST /password/reset/confirm", {"token": link, "new_password": NEW_PASSWORD}).status == 204
    token = phone.log_in(password=NEW_PASSWORD)["access_token"]
    _, event, _, _ = activity(phone, token)
    assert (event["type"], event["by"]) == ("password_reset", "operator")


def test_more_than_an_answer_holds_is_in_the_next_and_nothing_is_left_out(phone: Phone, clock: Clock) -> None:
    token, expected = phone.sign_up()["access_token"], 1
    for _ in range(5):
        clock.advance(40 * 60)
        for _ in range(11):
            clock.advance(1)
            phone.log_in()
            phone.log_in()
            expected += 2
    token = phone.log_in()["access_token"]
    first = phone.call("GET /me/activity", token=token).json()
    second = phone.call(f"GET /me/activity?before={first['next']}", token=token).json()
    third = phone.call(f"GET /me/activity?before={second['next']}", token=token).json()
    listed = [*first["events"], *second["events"], *third["events"]]
    assert (len({each["id"] for each in listed}), len(listed), third["next"]) == (expected + 1, expected + 1, 0)
    assert [each["at"] for each in listed] == sorted((each["at"] for each in listed), reverse=True)
    assert 50 <= len(first["events"]) <= 52


@pytest.mark.parametrize("before", ["x", "-1", "1.5", "1" * 13, "%D9%A1"])
def test_a_time_that_is_none_is_refused(phone: Phone, before: str) -> None:
    token = phone.sign_up()["access_token"]
    assert refusal(phone.call(f"GET /me/activity?before={before}", token=token)) == (400, "invalid_request")


def test_the_beginning_of_time_has_no_events_before_it(phone: Phone) -> None:
    token = phone.sign_up()["access_token"]
    assert phone.call("GET /me/activity?before=1", token=token).json() == {"events": [], "next": 0}


def test_events_are_kept_for_as_long_as_the_deployment_says_and_not_at_all_where_it_says_so(
    phone: Phone, svc: Services, clock: Clock
) -> None:
    phone.sign_up()
    clock.advance(90 * DAY)
    token = phone.log_in()["access_token"]
    assert types(phone, token) == ["login", "signed_up"]
    clock.advance(1)
    assert types(phone, phone.log_in()["access_token"])[-1] == "login"
    use(replace(svc, settings=replace(svc.settings, activity_days=0)))
    clock.advance(HOUR)
    phone.log_in()
    assert types(phone, phone.log_in()["access_token"]) == []


def test_nobody_sees_what_happened_to_another(phone: Phone) -> None:
    phone.sign_up()
    bob = phone.sign_up("bob@example.com")["access_token"]
    assert types(phone, bob) == ["signed_up"]


def test_an_account_that_is_erased_leaves_no_event_and_gets_none(
    phone: Phone, svc: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    signed_up = phone.sign_up()
    uid = signed_up["user"]["sub"]
    capsys.readouterr()
    assert phone.call("DELETE /me", {"password": PASSWORD}, token=signed_up["access_token"]).status == 204
    (line,) = event_lines(capsys)
    assert (line["event"], line["uid"], line["reason"]) == ("account_erased", uid, "by its user")
    grants = svc.users._client.call("Scan", TableName=svc.settings.grants_table)["Items"]
    assert [item for item in grants if uid in item["pk"]["S"]] == []
    # A request that was on its way when the account went.
    audit.record(svc, uid, audit.event(svc, "factor_failed"))
    (line,) = event_lines(capsys)
    assert line["unrecorded"] == "account gone"
    grants = svc.users._client.call("Scan", TableName=svc.settings.grants_table)["Items"]
    assert [item for item in grants if uid in item["pk"]["S"]] == []


def test_a_refresh_is_no_event(phone: Phone, capsys: pytest.CaptureFixture[str]) -> None:
    tokens = phone.sign_up()
    capsys.readouterr()
    phone.refresh(tokens["refresh_token"])
    assert event_lines(capsys) == []
    assert types(phone, tokens["access_token"]) == ["signed_up"]


def test_an_event_has_a_name_of_the_list(svc: Services) -> None:
    with pytest.raises(ValueError, match="no event"):
        audit.event(svc, "anything")
    assert all(len(name) <= 40 for name in EVENTS)


def test_a_recovery_code_that_is_used_is_an_event(phone: Phone, svc: Services) -> None:
    token = phone.sign_up()["access_token"]
    with counter.installed():
        counter.enrol(svc, peek(token)[1]["sub"])
        mfa_token = phone.call("POST /login", RIGHT).json()["mfa_token"]
        body = {"mfa_token": mfa_token, "factor": "counter", "answer": counter.code(peek(token)[1]["sub"], 1)}
        both = phone.call("POST /login/proof", body).json()["access_token"]
        (code, *_) = phone.call("POST /me/factors/recovery-codes", token=both).json()["codes"]
        mfa_token = phone.call("POST /login", RIGHT).json()["mfa_token"]
        body = {"mfa_token": mfa_token, "factor": "recovery_code", "answer": code}
        assert phone.call("POST /login/proof", body).status == 200
        assert types(phone, both)[:2] == ["login", "recovery_code_used"]
