"""Sign-up with a passkey on the pages, beside the password."""

import json
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib.flows.accounts import mailed_signup
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import passkey_sign_up
from tests.support.authenticator import UP, Authenticator
from tests.support.browser import App, Browser, callback_params, forms
from tests.support.phone import EMAIL, Phone, installed

NEW = "new@example.com"
SIGN_UP, PASSKEY, MAILED, BY_LINK = (
    "/authorize/signup", "/authorize/signup/passkey", "/account/sign-up", "/account/sign-up/passkey",
)  # fmt: skip
SESSION = "__Host-latchkey-session"


def options_of(page: Answer) -> dict[str, Any]:
    text = page.body.decode().partition('data-options="')[2].partition('"')[0]
    options: dict[str, Any] = json.loads(unescape(text))
    return options


def send(browser: Browser, page: Answer, path: str = PASSKEY, email: str = NEW, **changes: Any) -> Answer:
    options, device = options_of(page), changes.pop("device", Authenticator())
    fields = {"name": changes.pop("name", "Ann"), "attempt": changes.pop("attempt", options["attempt"])}
    answer = json.dumps(device.create(options["publicKey"], **changes))
    return browser.submit(page, path, answer=answer, email=email, **fields)


@pytest.fixture
def page(browser: Browser, app: App) -> Answer:
    return browser.sign_up_page(browser.authorize(app))


def test_it_makes_the_account_and_leads_where_the_sign_up_leads(browser: Browser, page: Answer, svc: Services) -> None:
    consent = send(browser, page)
    assert "code" in callback_params(browser.submit(consent, "/authorize/consent", decision="allow"))
    user = svc.users.read(svc.users.find(NEW) or "")
    assert user
    assert (user.name, user.email_verified, user.password_hash, len(user.factors)) == ("Ann", False, "", 1)


@pytest.mark.parametrize(
    ("changes", "field", "error"),
    [({"origin": "https://evil.example"}, "", b"No passkey was made."), ({"flags": UP}, "", b"No passkey was made."),
     ({"attempt": "x"}, "", b"No passkey was made."), ({"email": "?"}, "email", b"mail"), ({"email": ""}, "email", b"mail"),
     ({"email": EMAIL}, "email", b"account"), ({"name": "x" * 300}, "name", b"name")],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_what_is_wrong_leads_back_to_the_form_and_makes_no_account(
    browser: Browser, page: Answer, svc: Services, changes: dict[str, Any], field: str, error: bytes
) -> None:
    back = send(browser, page, **changes)
    place = f'class="error" id="{field}-error"' if field else 'role="alert" id="error"'
    assert error in back.body.partition(place.encode())[2].partition(b"</p>")[0]
    assert forms(back)[SIGN_UP].typed["email"] == changes.get("email", NEW)
    assert SESSION not in browser.cookies
    assert svc.users.find(NEW) is None


def test_what_was_begun_for_an_app_is_none_of_a_page_s_and_the_other_way_round(
    browser: Browser, page: Answer, phone: Phone
) -> None:
    text, options = passkey_sign_up.begin(phone, NEW)
    device = Authenticator()
    answer = json.dumps(device.create(options))
    back = browser.submit(page, PASSKEY, attempt=text, answer=answer, email=NEW, name="")
    assert b"No passkey was made." in back.body
    of_page = options_of(page)
    refused = passkey_sign_up.confirm(phone, of_page["attempt"], device.create(of_page["publicKey"]))
    assert refused.json()["error"] == "login_expired"


def test_the_page_of_a_mailed_link_takes_one_too_once(browser: Browser, svc: Services) -> None:
    with installed(replace(svc, settings=replace(svc.settings, sign_up="verified"))):
        link = f"{MAILED}?{urlencode({'token': mailed_signup.link(svc, NEW)})}"
        page = browser.get(link)
        assert b"You are logged in" in send(browser, page, BY_LINK, email="eve@example.com").body
        user = svc.users.read(svc.users.find(NEW) or "")
        assert user
        assert (user.email_verified, user.name, svc.users.find("eve@example.com")) == (True, "Ann", None)
        browser.cookies.pop(SESSION)
        again = browser.get(link)
        assert SESSION not in browser.cookies
        send(browser, again, BY_LINK)
        assert SESSION not in browser.cookies


def test_where_a_mail_comes_first_the_first_page_asks_for_no_passkey(browser: Browser, app: App, svc: Services) -> None:
    with installed(replace(svc, settings=replace(svc.settings, sign_up="verified"))):
        page = browser.sign_up_page(browser.authorize(app))
        assert set(forms(page)) == {SIGN_UP}


def test_the_page_of_a_link_whose_domain_is_refused_by_now_is_shown_without_it(browser: Browser, svc: Services) -> None:
    link = f"{MAILED}?{urlencode({'token': mailed_signup.link(svc, NEW)})}"
    with installed(replace(svc, settings=replace(svc.settings, refused_mail_domains=("example.com",)))):
        page = browser.get(link)
        assert (page.status, set(forms(page))) == (200, {MAILED})
