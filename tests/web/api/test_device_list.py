"""The list of sessions as a person reads it: in which order, when each was last used, and what each is called."""

from typing import Any

import pytest

from chalicelib.domain.oauth.client import DEVICE_CODE
from chalicelib.services import Services
from tests.support.browser import App, Browser, forms, register, token_response
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone
from tests.support.staged import before_write

DAY = 24 * 3600
DOCUMENT = "https://app.example/client.json"


def list_sessions(phone: Phone, session: dict[str, Any]) -> list[dict[str, Any]]:
    sessions: list[dict[str, Any]] = phone.call("GET /me/sessions", token=session["access_token"]).json()["sessions"]
    return sessions


def approve(browser: Browser, television: App) -> dict[str, Any]:
    codes = token_response(television.post("/oauth/device", {"scope": "notes:read"}))
    page = browser.get("/device")
    if "/device" not in forms(page):
        page = browser.submit(page, "/authorize/login", email=EMAIL, password=PASSWORD)
    page = browser.submit(page, "/device", user_code=codes["user_code"])
    browser.submit(page, "/device", decision="allow")
    return codes


def test_the_current_session_comes_first_then_the_latest_used_and_of_those_the_newest(
    phone: Phone, clock: Clock
) -> None:
    mine = phone.sign_up(device="mine")
    others = {name: phone.log_in(device=name) for name in ("tablet", "laptop", "television")}
    for name, session in (("mine", mine), ("laptop", others["laptop"])):
        first, *rest = list_sessions(phone, session)
        assert (first["device"], first["current"], [each["current"] for each in rest]) == (name, True, [False] * 3)
    clock.advance(10)
    phone.refresh(others["laptop"]["refresh_token"])
    phone.log_in(device="new")
    assert [each["device"] for each in list_sessions(phone, mine)][:3] == ["mine", "new", "laptop"]


def test_a_code_and_an_approval_are_uses_of_the_browsers_session(
    svc: Services, phone: Phone, browser: Browser, clock: Clock
) -> None:
    app, television = register(svc, phone), register(svc, phone, "television")
    app.tokens(browser)
    for use in (lambda: browser.code(app), lambda: approve(browser, television)):
        clock.advance(2 * DAY)
        use()
        (browser_session,) = [each for each in list_sessions(phone, phone.log_in()) if each["client_id"] == "browser"]
        assert browser_session["last_used_at"] == clock() > browser_session["created_at"]


@pytest.mark.parametrize("client_id", ["kitchen-display", DOCUMENT])
def test_the_sessions_of_a_client_without_a_name_are_called_by_its_documents_host_or_its_id(
    svc: Services, phone: Phone, browser: Browser, client_id: str
) -> None:
    nameless = {"client_id": client_id, "client_name": ""}
    label = {DOCUMENT: "app.example"}.get(client_id, client_id)
    app = register(svc, phone, **nameless)
    app.tokens(browser)
    assert [e["device"] for e in list_sessions(phone, phone.log_in()) if e["client_id"] == client_id] == [label]


def test_a_device_whose_client_has_no_name_is_called_by_its_id(svc: Services, phone: Phone, browser: Browser) -> None:
    television = register(svc, phone, "television", client_id="kitchen-display", client_name="")
    codes = approve(browser, television)
    token_response(television.token(DEVICE_CODE, device_code=codes["device_code"]))
    devices = [
        each["device"] for each in list_sessions(phone, phone.log_in()) if each["client_id"] == "kitchen-display"
    ]
    assert devices == ["kitchen-display"]


def test_an_approval_in_a_browser_that_is_logged_out_meanwhile_is_none(
    svc: Services, phone: Phone, browser: Browser, clock: Clock
) -> None:
    television = register(svc, phone, "television")
    codes = token_response(television.post("/oauth/device", {"scope": "notes:read"}))
    page = browser.submit(browser.get("/device"), "/authorize/login", email=EMAIL, password=PASSWORD)
    page = browser.submit(page, "/device", user_code=codes["user_code"])
    access = phone.log_in()["access_token"]

    def leave() -> None:
        assert phone.call("DELETE /me/sessions", token=access).status == 204

    with before_write(svc.users._client, 1, leave) as writes:
        browser.submit(page, "/device", decision="allow")
    assert len(writes) == 1
    clock.advance(10)
    answer = television.token(DEVICE_CODE, device_code=codes["device_code"])
    assert answer.json()["error"] == "authorization_pending"
