"""Pushed requests (RFC 9126): a minute and a half to bring one to a browser, a day for the user in front of it, and no hoards."""

import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import ISSUER, App, Browser, callback_params, forms, register
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone

LOGIN = {"email": EMAIL, "password": PASSWORD}
LATE = 95
FORMS = ["/authorize/consent", "/authorize/login", "/authorize/signup", "/authorize/continue"]


def pushed(app: App, **changes: str | None) -> dict[str, str]:
    answer = app.post("/oauth/par", app.request(**changes))
    return {"client_id": app.id, "request_uri": answer.json()["request_uri"]}


def link(page: Answer) -> str:
    """The one link of a page that leads to the authorization endpoint, or to the login for it, as a path."""
    (address,) = re.findall(r'<a[^>]* href="([^"]+/authorize(?:/login)?\?[^"]+)"', page.body.decode())
    return unescape(address).removeprefix(ISSUER)


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("knows_us", [False, True])
def test_no_form_brings_a_pushed_request_after_its_time(
    app: App, browser: Browser, clock: Clock, path: str, knows_us: bool
) -> None:
    short = pushed(app)
    clock.advance(LATE)
    if knows_us:
        browser.get("/oauth/authorize", pushed(app))
    answer = browser.post(path, {"to": f"oauth/authorize?{urlencode(short)}", **LOGIN})
    assert answer.status in (400, 403)
    assert forms(answer) == {}
    assert browser.get("/oauth/authorize", short).status == 400


def test_somebody_slow_gets_on_from_every_page_of_ours(app: App, browser: Browser, clock: Clock) -> None:
    short = pushed(app)
    page = browser.get("/oauth/authorize", short)
    sign_up = browser.sign_up_page(page)
    clock.advance(LATE)
    assert "/authorize/login" in forms(browser.get("/oauth/authorize", short))
    page = browser.get(link(sign_up))
    consent = browser.submit(page, "/authorize/login", **LOGIN)
    clock.advance(LATE)
    assert "/authorize/consent" in forms(browser.get("/oauth/authorize", short))
    switch = browser.submit(consent, "/authorize/consent", decision="switch")
    assert "code" in callback_params(browser.finish(switch))


def test_somebody_slow_may_start_again(app: App, phone: Phone, browser: Browser, clock: Clock) -> None:
    phone.sign_up("bob@example.com")
    consent = browser.submit(browser.get("/oauth/authorize", pushed(app)), "/authorize/login", **LOGIN)
    clock.advance(LATE)
    # In another tab, which ends the session that the page was for.
    browser.log_in(app, email="bob@example.com", prompt="login")
    stale = browser.submit(consent, "/authorize/consent", decision="allow")
    assert stale.status == 403
    assert "code" in callback_params(browser.finish(browser.get(link(stale))))


def test_who_was_logged_out_meanwhile_logs_in_again_for_a_pushed_request(
    app: App, phone: Phone, browser: Browser, clock: Clock
) -> None:
    consent = browser.submit(browser.get("/oauth/authorize", pushed(app)), "/authorize/login", **LOGIN)
    phone.call("DELETE /me/sessions", token=phone.log_in()["access_token"])
    clock.advance(LATE)
    login = browser.submit(consent, "/authorize/consent", decision="allow")
    assert "code" in callback_params(browser.finish(login))


def test_a_pushed_request_is_remembered_for_the_browser_that_it_came_to_alone(
    app: App, phone: Phone, browser: Browser, clock: Clock
) -> None:
    short = pushed(app)
    browser.get("/oauth/authorize", short)
    clock.advance(LATE)
    assert Browser(phone).get("/oauth/authorize", short).status == 400
    clock.advance(24 * 3600)
    assert browser.get("/oauth/authorize", short).status == 400


def test_several_tabs_wait_each_for_its_own_pushed_request(app: App, browser: Browser, clock: Clock) -> None:
    tabs = [pushed(app, state=str(number)) for number in range(4)]
    for short in tabs:
        browser.get("/oauth/authorize", short)
    clock.advance(LATE)
    for number, short in enumerate(tabs):
        assert callback_params(browser.finish(browser.get("/oauth/authorize", short)))["state"] == str(number)


def test_what_a_browser_remembers_of_pushed_requests_does_not_grow_without_end(app: App, browser: Browser) -> None:
    sizes = []
    for _ in range(12):
        browser.get("/oauth/authorize", pushed(app))
        sizes.append(len(str(browser.cookies)))
    assert sizes[-1] == sizes[-2] < 1000


# --- what is kept of it ---


def stored(svc: Services) -> str:
    """All that the table of what ends has."""
    items: Any = svc.users._client.call("Scan", TableName=svc.settings.grants_table)["Items"]
    return json.dumps(items)


def test_whom_it_is_for_is_on_the_page_and_cannot_be_read_in_the_table(
    svc: Services, app: App, browser: Browser
) -> None:
    """Nobody could find it there to erase it with the account."""
    page = browser.get("/oauth/authorize", pushed(app, login_hint=EMAIL, state="kept"))
    assert f'value="{EMAIL}"' in page.body.decode()
    assert "kept" in stored(svc)
    assert EMAIL not in stored(svc)


def test_so_it_is_of_a_request_that_is_too_long_for_an_address(svc: Services, app: App, browser: Browser) -> None:
    page = browser.authorize(app, login_hint=EMAIL, state="kept" * 500, nonce="kept" * 500)
    assert f'value="{EMAIL}"' in page.body.decode()
    assert "kept" in stored(svc)
    assert EMAIL not in stored(svc)


@pytest.mark.parametrize("kept", ["pushed", "too long for an address"])
def test_what_is_kept_already_is_kept_once_whatever_comes_beside_it(
    app: App, browser: Browser, svc: Services, clock: Clock, kept: str
) -> None:
    if kept == "pushed":
        short = pushed(app, state="kept")
    else:
        page = browser.authorize(app, state="kept", nonce="x" * 1500)
        short = dict(parse_qsl(forms(page)["/authorize/login"].hidden["to"].partition("?")[2]))
    items = len(svc.users._client.call("Scan", TableName=svc.settings.grants_table)["Items"])
    page = browser.get("/oauth/authorize", {**short, "state": "x" * 1500, "scope": "account"})
    assert forms(page)["/authorize/login"].hidden["to"] == f"oauth/authorize?{urlencode(short)}"
    assert len(svc.users._client.call("Scan", TableName=svc.settings.grants_table)["Items"]) == items
    clock.advance(LATE)
    assert callback_params(browser.finish(browser.submit(page, "/authorize/login", **LOGIN)))["state"] == "kept"


# --- what a push may cost ---


def test_no_more_is_kept_of_a_push_than_a_request_needs(app: App, browser: Browser) -> None:
    short = pushed(app, unknown="x" * 2000, login_hint="x" * 2000, claims='{"id_token":{}}' + " " * 4000)
    assert "/authorize/login" in forms(browser.get("/oauth/authorize", short))
    for text in ("x", "\x01", "\u00e9"):
        long = dict.fromkeys(("state", "nonce", "login_hint", "ui_locales", "display"), text * 2000)
        answer = app.post("/oauth/par", app.request(**long))
        assert (answer.status, answer.json()["error"]) == (400, "invalid_request")


def test_pushes_of_clients_that_prove_nothing_are_counted(svc: Services, phone: Phone, app: App, clock: Clock) -> None:
    public = register(svc, phone, "spa")
    statuses = [public.post("/oauth/par", public.request()).status for _ in range(201)]
    assert statuses == [201] * 200 + [429]
    assert app.post("/oauth/par", app.request()).status == 201
    public.phone = Phone(clock, address="203.0.113.9")
    assert public.post("/oauth/par", public.request()).status == 201
    clock.advance(15 * 60)
    public.phone = phone
    assert public.post("/oauth/par", public.request()).status == 201
