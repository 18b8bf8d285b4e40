"""Erasure wins every race: whatever is being written for a user while they erase the account, nothing of it is left."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import Browser, forms, register, send, token_response
from tests.support.phone import EMAIL, PASSWORD, Phone
from tests.support.staged import before_write, just_before

Right = dict[str, str]
Act = Callable[[], Answer]


def everything(svc: Services) -> list[dict[str, Any]]:
    """All that is stored, but for counters, clients, and what strangers may ask for without being anybody."""
    tables = (svc.settings.users_table, svc.settings.grants_table)
    stored = [item for table in tables for item in svc.users._client.call("Scan", TableName=table)["Items"]]
    return [item for item in stored if item["sk"]["S"] in ("profile", "user") or item["pk"]["S"].startswith("user#")]


def log_in(phone: Phone, _: Services, right: Right) -> Act:
    return lambda: phone.call("POST /login", right)


def log_in_on_a_page(phone: Phone, svc: Services, right: Right) -> Act:
    browser = Browser(phone)
    page = browser.authorize(register(svc, phone))
    return lambda: browser.submit(page, "/authorize/login", **right)


def log_in_again_on_a_page(phone: Phone, svc: Services, right: Right) -> Act:
    browser = Browser(phone)
    app = register(svc, phone)
    app.tokens(browser, email=right["email"])
    page = browser.authorize(app, prompt="login")
    return lambda: browser.submit(page, "/authorize/login", **right)


def log_in_at_the_native_endpoint(phone: Phone, svc: Services, right: Right) -> Act:
    app = register(svc, phone, "native", first_party=True)
    fields = {name: value for name, value in app.request().items() if name not in ("state", "redirect_uri")}
    return lambda: send(phone, "/oauth/authorize-challenge", {**fields, **right})


def consent(phone: Phone, svc: Services, right: Right) -> Act:
    browser = Browser(phone)
    page = browser.submit(browser.authorize(register(svc, phone)), "/authorize/login", **right)
    return lambda: browser.submit(page, "/authorize/consent", decision="allow")


def get_a_code_without_being_asked(phone: Phone, svc: Services, right: Right) -> Act:
    browser = Browser(phone)
    app = register(svc, phone)
    app.tokens(browser, email=right["email"])
    return lambda: browser.authorize(app, prompt="none")


def redeem_a_code(phone: Phone, svc: Services, right: Right) -> Act:
    app = register(svc, phone, backchannel_logout_uri="https://app.example/out")
    code = Browser(phone).code(app, email=right["email"])
    return lambda: app.redeem(code)


def refresh(phone: Phone, svc: Services, right: Right) -> Act:
    app = register(svc, phone)
    tokens = app.tokens(Browser(phone), email=right["email"])
    return lambda: app.refresh(tokens["refresh_token"])


def rename(phone: Phone, _: Services, right: Right) -> Act:
    access = phone.log_in(right["email"])["access_token"]
    return lambda: phone.call("PATCH /me", {"name": "Ann"}, token=access)


def come_for_a_devices_tokens(phone: Phone, svc: Services, right: Right) -> Act:
    app = register(svc, phone, "television")
    codes = token_response(app.post("/oauth/device", {"scope": "notes:read"}))
    browser = Browser(phone)
    page = browser.submit(browser.get("/device"), "/authorize/login", **right)
    page = browser.submit(page, "/device", user_code=codes["user_code"])
    assert ("decision", "allow") in forms(page)["/device"].buttons
    browser.submit(page, "/device", decision="allow")
    grant_type = "urn:ietf:params:oauth:grant-type:device_code"
    return lambda: app.token(grant_type, device_code=codes["device_code"])


WRITES = (
    log_in,
    log_in_on_a_page,
    log_in_again_on_a_page,
    log_in_at_the_native_endpoint,
    consent,
    get_a_code_without_being_asked,
    redeem_a_code,
    refresh,
    rename,
    come_for_a_devices_tokens,
)


@pytest.mark.parametrize("write", WRITES, ids=lambda each: each.__name__)
def test_nothing_is_left_of_what_is_written_while_its_user_is_erased(
    phone: Phone, svc: Services, write: Callable[[Phone, Services, Right], Act]
) -> None:
    """With the erasure right before the first write, then right before the second, and so on to the last."""
    for number in count(1):
        phone.address = f"10.0.0.{number}"
        right = {"email": f"ann{number}@example.com", "password": PASSWORD}
        access = phone.sign_up(right["email"])["access_token"]
        act = write(phone, svc, right)

        def erase(access: str = access) -> None:
            assert phone.call("DELETE /me", token=access).status == 204

        with before_write(svc.users._client, number, erase) as writes:
            answer = act()
        if len(writes) < number:
            break
        assert everything(svc) == [], writes
        assert b"access_token" not in answer.body, writes
        assert "code=" not in (answer.header("Location") or ""), writes
    assert number > 1


@pytest.mark.parametrize("write", [log_in, consent], ids=lambda each: each.__name__)
def test_nothing_is_left_of_what_begins_in_the_middle_of_an_erasure(
    phone: Phone, svc: Services, write: Callable[[Phone, Services, Right], Act]
) -> None:
    """Between the erasure of what the account has and that of the account itself, when the user is still there."""
    access = phone.sign_up()["access_token"]
    act = write(phone, svc, {"email": EMAIL, "password": PASSWORD})
    with just_before(svc.users._client, "TransactWriteItems", act):
        assert phone.call("DELETE /me", token=access).status == 204
    assert everything(svc) == []
