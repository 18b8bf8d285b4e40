"""A device on which further factors are not asked for: its owner's wish, for some days, by a record and by nothing else."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.services import Services
from local.gateway import Answer
from tests.support import counter
from tests.support.browser import Browser, forms, register
from tests.support.commands import run
from tests.support.forge import peek
from tests.support.login_clients import CHALLENGE_PATH, REQUEST
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal
from tests.support.staged import before_write
from tests.support.wire import watched

DAY, NEW_PASSWORD, PROOF = 24 * 3600, "an entirely other phrase 7", "/authorize/proof"
FIREFOX = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0"}
MFA_REQUIRED = (401, "mfa_required")
INSUFFICIENT = (403, "insufficient_authorization")


@pytest.fixture(autouse=True)
def _second_factor() -> Iterator[None]:
    with counter.installed():
        yield


@pytest.fixture
def uid(svc: Services, phone: Phone) -> str:
    """An account with two factors."""
    uid: str = phone.sign_up()["user"]["sub"]
    counter.enrol(svc, uid)
    return uid


def log_in(phone: Phone, device_token: str = "", password: str = PASSWORD, **more: str) -> Answer:
    body = {"email": EMAIL, "password": password, "device_token": device_token, **more}
    return phone.call("POST /login", body, headers=FIREFOX)


def error(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json().get("error", "")


def prove(phone: Phone, uid: str, step: int, device_token: str = "", **more: object) -> dict[str, Any]:
    """A login by both factors."""
    answer = log_in(phone, device_token)
    assert error(answer) == MFA_REQUIRED
    token = answer.json()["mfa_token"]
    body = {"mfa_token": token, "factor": "counter", "answer": counter.code(uid, step), "device_token": device_token}
    answer = phone.call("POST /login/proof", {**body, **more}, headers=FIREFOX)
    assert answer.status == 200, answer.body
    tokens: dict[str, Any] = answer.json()
    return tokens


def remember(phone: Phone, uid: str, step: int = 1) -> dict[str, Any]:
    """A login on a device that is remembered by it."""
    return prove(phone, uid, step, remember_device=True)


def test_who_logs_in_on_a_remembered_device_is_never_asked_and_its_tokens_say_so(phone: Phone, uid: str) -> None:
    tokens = remember(phone, uid)
    assert peek(tokens["access_token"])[1]["acr"] == "aal2"
    for _ in range(3):
        answer = log_in(phone, tokens["device_token"])
        assert answer.status == 200
        tokens = answer.json()
        claims = peek(tokens["access_token"])[1]
        assert (claims["amr"], claims["acr"]) == (["pwd"], "aal1")


def test_who_does_not_want_it_is_asked_each_time(phone: Phone, uid: str) -> None:
    tokens = prove(phone, uid, 1)
    assert error(log_in(phone, tokens["device_token"])) == MFA_REQUIRED
    assert error(log_in(phone, prove(phone, uid, 2, remember_device=False)["device_token"])) == MFA_REQUIRED


def test_the_days_end_and_no_login_prolongs_them(phone: Phone, uid: str, clock: Clock) -> None:
    token = remember(phone, uid)["device_token"]
    clock.advance(29 * DAY)
    assert log_in(phone, token).status == 200
    clock.advance(DAY)
    assert error(log_in(phone, token)) == MFA_REQUIRED


def test_a_deployment_that_remembers_no_device_asks(phone: Phone, uid: str, svc: Services) -> None:
    token = remember(phone, uid)["device_token"]
    with installed(replace(svc, settings=replace(svc.settings, remembered_device_days=0))):
        assert error(log_in(phone, token)) == MFA_REQUIRED
        token = prove(phone, uid, 2, remember_device=True)["device_token"]
    with installed(svc):
        assert error(log_in(phone, token)) == MFA_REQUIRED


def new_password(phone: Phone, _: str, __: Services, tokens: dict[str, Any]) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert phone.call("POST /me/password", body, token=tokens["access_token"]).status == 204


def end_others(phone: Phone, _: str, __: Services, tokens: dict[str, Any]) -> None:
    assert phone.call("DELETE /me/sessions", token=tokens["access_token"]).status == 204


def one_factor_more(_: Phone, uid: str, svc: Services, __: dict[str, Any]) -> None:
    counter.enrol(svc, uid)


def another_factor_instead(_: Phone, uid: str, svc: Services, __: dict[str, Any]) -> None:
    counter.withdraw(svc, uid)
    counter.enrol(svc, uid)


def forget_it(phone: Phone, _: str, __: Services, tokens: dict[str, Any]) -> None:
    (device,) = phone.call("GET /me/devices", token=tokens["access_token"]).json()["devices"]
    assert phone.call(f"DELETE /me/devices/{device['id']}", token=tokens["access_token"]).status == 204


def forget_all(phone: Phone, _: str, __: Services, tokens: dict[str, Any]) -> None:
    assert phone.call("DELETE /me/devices", token=tokens["access_token"]).status == 204


def by_operator(_: Phone, __: str, svc: Services, ___: dict[str, Any]) -> None:
    run("users", "forget-devices", EMAIL, on=svc)


ENDS: list[Callable[[Phone, str, Services, dict[str, Any]], None]] = [
    new_password,
    end_others,
    one_factor_more,
    another_factor_instead,
    forget_it,
    forget_all,
    by_operator,
]


@pytest.mark.parametrize("end", ENDS)
def test_what_ends_it_has_the_factor_asked_for_again(
    phone: Phone, uid: str, svc: Services, end: Callable[[Phone, str, Services, dict[str, Any]], None]
) -> None:
    tokens = remember(phone, uid)
    assert log_in(phone, tokens["device_token"]).status == 200
    end(phone, uid, svc, tokens)
    password = NEW_PASSWORD if end is new_password else PASSWORD
    assert error(log_in(phone, tokens["device_token"], password)) == MFA_REQUIRED
    listed = phone.call("GET /me/devices", token=tokens["access_token"])
    assert listed.json() == {"devices": []}


def test_the_record_counts_also_in_the_write_that_begins_the_session(phone: Phone, uid: str, svc: Services) -> None:
    tokens = remember(phone, uid)

    def forget() -> None:
        for device in svc.remembered_devices.of_user(uid):
            svc.remembered_devices.delete(uid, device.device_id)

    before = len(svc.sessions.of_user(uid))
    with before_write(svc.users._client, 2, forget):
        answer = log_in(phone, tokens["device_token"])
    assert answer.status == 503
    assert len(svc.sessions.of_user(uid)) == before
    assert error(log_in(phone, tokens["device_token"])) == MFA_REQUIRED


def test_another_device_and_another_account_are_asked(phone: Phone, uid: str, svc: Services) -> None:
    remember(phone, uid)
    for token in ("", phone.sign_up("ben@example.com")["device_token"], prove(phone, uid, 2)["device_token"]):
        assert error(log_in(phone, token)) == MFA_REQUIRED
    other = svc.users.find("ben@example.com") or ""
    counter.enrol(svc, other)
    mine = remember(phone, uid, 3)["device_token"]
    body = {"email": "ben@example.com", "password": PASSWORD, "device_token": mine}
    assert error(phone.call("POST /login", body)) == MFA_REQUIRED


def test_a_wrong_password_is_wrong_there_too(phone: Phone, uid: str) -> None:
    token = remember(phone, uid)["device_token"]
    assert refusal(log_in(phone, token, "a wrong one")) == (401, "invalid_credentials")


def test_it_stands_in_for_no_level_that_a_request_or_a_deployment_wants(phone: Phone, uid: str, svc: Services) -> None:
    token = remember(phone, uid)["device_token"]
    app = register(svc, phone, "native", first_party=True)
    fields = {**REQUEST, "email": EMAIL, "password": PASSWORD, "device_token": token}
    assert app.post(CHALLENGE_PATH, fields).status == 200
    assert error(app.post(CHALLENGE_PATH, {**fields, "acr_values": "aal2"})) == INSUFFICIENT
    with installed(replace(svc, settings=replace(svc.settings, second_factor="required"))):
        assert error(log_in(phone, token)) == MFA_REQUIRED
    with installed(replace(svc, settings=replace(svc.settings, aal2_scopes=frozenset({"notes:write"})))):
        assert error(log_in(phone, token, scope="notes:write")) == MFA_REQUIRED
        assert log_in(phone, token, scope="notes:read").status == 200


def test_a_login_by_it_changes_no_factor(phone: Phone, uid: str) -> None:
    access = log_in(phone, remember(phone, uid)["device_token"]).json()["access_token"]
    (factor,) = phone.call("GET /me/factors", token=access).json()["factors"]
    assert refusal(phone.call(f"DELETE /me/factors/{factor['id']}", token=access)) == (401, "login_required")


def test_a_first_party_app_is_remembered_as_it_wishes(phone: Phone, uid: str, svc: Services) -> None:
    app = register(svc, phone, "native", first_party=True)
    fields = {**REQUEST, "email": EMAIL, "password": PASSWORD}

    def log_in_app(step: int, **more: str) -> str:
        session = app.post(CHALLENGE_PATH, fields).json()["auth_session"]
        answer = {"auth_session": session, "factor": "counter", "answer": counter.code(uid, step), **more}
        token: str = app.post(CHALLENGE_PATH, answer).json()["device_token"]
        return token

    for step, wish in enumerate(({}, {"remember_device": "false"}, {"remember_device": "1"}), start=1):
        token = log_in_app(step, **wish)
        assert app.post(CHALLENGE_PATH, {**fields, "device_token": token}).status == 403
    token = log_in_app(9, remember_device="true")
    assert app.post(CHALLENGE_PATH, {**fields, "device_token": token}).status == 200


def on_page(browser: Browser) -> Answer:
    return browser.submit(browser.get("/authorize/login"), "/authorize/login", email=EMAIL, password=PASSWORD)


@pytest.mark.parametrize("wish", [True, False])
def test_a_browser_is_remembered_by_the_box_on_its_page(phone: Phone, uid: str, wish: bool) -> None:
    browser = Browser(phone)
    page = on_page(browser)
    assert b'type="checkbox" name="remember"' in page.body
    page = browser.submit(page, PROOF, answer=counter.code(uid, 1), **({"remember": "on"} if wish else {}))
    assert EMAIL.encode() in page.body
    del browser.cookies["__Host-latchkey-session"]
    assert (PROOF in forms(on_page(browser))) is not wish


def test_a_step_up_offers_no_box_and_is_asked_for_where_the_device_is_remembered(
    phone: Phone, uid: str, svc: Services
) -> None:
    app, browser = register(svc, phone), Browser(phone)
    browser.submit(on_page(browser), PROOF, answer=counter.code(uid, 1), remember="on")
    del browser.cookies["__Host-latchkey-session"]
    on_page(browser)
    page = browser.authorize(app, acr_values="aal2")
    assert PROOF in forms(page)
    assert b'name="remember"' not in page.body


@pytest.mark.parametrize("page", ["/account/factors", "/account/add-factor"])
def test_its_owner_comes_to_the_page_of_factors_by_the_factor_alone(phone: Phone, uid: str, page: str) -> None:
    """The login of such a device is never enough for that page, and to ask for it again leads nowhere."""
    browser = Browser(phone)
    browser.submit(on_page(browser), PROOF, answer=counter.code(uid, 1), remember="on")
    del browser.cookies["__Host-latchkey-session"]
    on_page(browser)
    proof = browser.get(page)
    assert set(forms(proof)) == {PROOF}
    assert page in forms(browser.submit(proof, PROOF, answer=counter.code(uid, 2)))


def test_its_owner_sees_and_forgets_it_on_the_page(phone: Phone, uid: str) -> None:
    tokens, browser = remember(phone, uid), Browser(phone)
    browser.submit(on_page(browser), PROOF, answer=counter.code(uid, 2))
    page = browser.get("/account/sessions")
    assert "Firefox on Linux" in page.body.decode()
    (device,) = phone.call("GET /me/devices", token=tokens["access_token"]).json()["devices"]
    stranger = browser.submit(page, "/account/sessions", device="0" * 32)
    assert "Firefox on Linux" in stranger.body.decode()
    page = browser.submit(stranger, "/account/sessions", device=device["id"])
    assert b"The next login there asks for everything again." in page.body
    assert "Firefox on Linux" not in page.body.decode()
    assert error(log_in(phone, tokens["device_token"])) == MFA_REQUIRED


def test_the_list_says_what_is_remembered_and_nobody_elses(phone: Phone, uid: str, clock: Clock) -> None:
    since = clock()
    tokens = remember(phone, uid)
    clock.advance(60)
    access = log_in(phone, tokens["device_token"]).json()["access_token"]
    (device,) = phone.call("GET /me/devices", token=access).json()["devices"]
    device_id = device.pop("id")
    assert device == {
        "browser": "Firefox",
        "system": "Linux",
        "created_at": since,
        "last_used_at": since + 60,
        "expires_at": since + 30 * DAY,
    }
    other = phone.sign_up("ben@example.com")["access_token"]
    assert phone.call("GET /me/devices", token=other).json() == {"devices": []}
    for unknown in (device_id, "x", "a%23b"):
        assert refusal(phone.call(f"DELETE /me/devices/{unknown}", token=other)) == (404, "not_found")
    assert len(phone.call("GET /me/devices", token=access).json()["devices"]) == 1


def test_a_deleted_account_leaves_no_device_behind(phone: Phone, uid: str, svc: Services) -> None:
    tokens = remember(phone, uid)
    counter.withdraw(svc, uid)
    assert phone.call("DELETE /me", {"password": PASSWORD}, token=tokens["access_token"]).status == 204
    assert svc.remembered_devices.of_user(uid) == []


def test_it_costs_one_read_more_and_only_where_a_factor_would_be_asked_for(
    phone: Phone, uid: str, svc: Services
) -> None:
    token = remember(phone, uid)["device_token"]
    with watched(svc) as traffic:
        assert log_in(phone, token).status == 200
    assert traffic.calls == ["GetItem", "GetItem", "TransactWriteItems", "GetItem", "TransactWriteItems"]
    one_factor = phone.sign_up("ben@example.com")["device_token"]
    with watched(svc) as traffic:
        body = {"email": "ben@example.com", "password": PASSWORD, "device_token": one_factor}
        assert phone.call("POST /login", body).status == 200
    assert traffic.calls == ["GetItem", "GetItem", "TransactWriteItems", "TransactWriteItems"]
