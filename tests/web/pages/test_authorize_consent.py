"""What a user agrees to, and when it is asked: no more than was shown, never by nobody, and nothing told before."""

import json
from dataclasses import replace

import pytest

from chalicelib.flows.clients import manage
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import API, App, Browser, callback_params, forms, register, token_response
from tests.support.forge import peek
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone

LOGIN = {"email": EMAIL, "password": PASSWORD}
LOOPBACK, SCHEME = "http://127.0.0.1:4000/cb", "com.example.app:/cb"


def at_consent(browser: Browser, app: App, **changes: str | None) -> Answer:
    page = browser.authorize(app, **changes)
    return browser.submit(page, "/authorize/login", **LOGIN) if "/authorize/login" in forms(page) else page


def allow(browser: Browser, page: Answer, **changed: str) -> Answer:
    return browser.submit(page, "/authorize/consent", decision="allow", **changed)


def widen(app: App, *scopes: str) -> None:
    """The client's registration changes while a page is open."""
    client = app.svc.clients.read(app.id)
    assert client
    manage.change(app.svc, client, replace(client, scopes=scopes))


# --- no more than was shown ---


@pytest.mark.parametrize("pushed", [False, True], ids=["as a link", "pushed"])
def test_nobody_agrees_to_a_scope_that_the_page_did_not_show(
    svc: Services, phone: Phone, browser: Browser, pushed: bool
) -> None:
    app = register(svc, phone, scopes=("openid",))
    request = app.request(scope=None)
    if pushed:
        request = {"client_id": app.id, "request_uri": app.post("/oauth/par", request).json()["request_uri"]}
    page = browser.submit(browser.get("/oauth/authorize", request), "/authorize/login", **LOGIN)
    widen(app, "openid", "email", "offline_access")
    again = allow(browser, page)
    assert b"See your e-mail address" in again.body
    assert callback_params(browser.authorize(app, scope="openid email", prompt="none"))["error"] == "consent_required"
    code = callback_params(allow(browser, again))["code"]
    assert token_response(app.redeem(code))["scope"] == "openid email"


def test_what_a_client_no_longer_has_does_not_keep_its_user_from_agreeing_to_the_rest(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    app = register(svc, phone)
    page = at_consent(browser, app, scope=None)
    widen(app, "openid")
    assert token_response(app.redeem(callback_params(allow(browser, page))["code"]))["scope"] == "openid"


def test_what_a_consent_form_says_was_shown_is_under_its_mark(svc: Services, phone: Phone, browser: Browser) -> None:
    app = register(svc, phone, scopes=("openid",))
    page = at_consent(browser, app, scope=None)
    widen(app, "openid", "email")
    for scope in ("openid email", "", "openid email offline_access"):
        assert allow(browser, page, shown=scope).status == 403


# --- asked, also where there is little to ask ---


def test_a_client_of_one_scope_is_asked_for_once(svc: Services, phone: Phone, browser: Browser) -> None:
    app = register(svc, phone, scopes=("notes:read",))
    page = at_consent(browser, app, scope=None)
    assert callback_params(browser.authorize(app, scope=None, prompt="none"))["error"] == "consent_required"
    assert "code" in callback_params(allow(browser, page))
    assert "code" in callback_params(browser.authorize(app, scope=None, prompt="none"))
    assert "code" in callback_params(allow(browser, browser.authorize(app, scope=None, prompt="consent")))


# --- at which API ---


def test_who_agreed_for_one_api_is_asked_again_for_another(svc: Services, phone: Phone, browser: Browser) -> None:
    other = "https://other.example/api"
    app = register(svc, phone, resources=(API, other))
    for resource, name in ((API, b"notes.example"), (other, b"other.example/api"), (None, b"Latchkey")):
        silent = callback_params(browser.authorize(app, resource=resource, prompt="none"))["error"]
        assert silent == ("login_required" if resource == API else "consent_required")
        page = at_consent(browser, app, resource=resource)
        assert b"at <b><bdi>" + name + b"</bdi></b>" in page.body
        assert "code" in callback_params(allow(browser, page))
        assert "code" in callback_params(browser.authorize(app, resource=resource, prompt="none"))


def test_our_own_api_is_one_whether_it_is_named_or_not(svc: Services, phone: Phone, browser: Browser) -> None:
    app = register(svc, phone, resources=(API,))
    browser.log_in(app, resource=svc.settings.audience)
    assert "code" in callback_params(browser.authorize(app, prompt="none"))
    assert callback_params(browser.authorize(app, resource=API, prompt="none"))["error"] == "consent_required"


# --- nothing is told of a user who has not agreed ---


def test_a_client_learns_nothing_of_its_visitor_before_the_visitor_has_agreed(
    svc: Services, phone: Phone, browser: Browser, clock: Clock
) -> None:
    ann = phone.log_in()
    other = register(svc, phone)
    hints = {"none": {}, "hint": {"id_token_hint": other.tokens(browser)["id_token"]}}
    app = register(svc, phone)
    clock.advance(100)
    for who in (peek(ann["access_token"])[1]["sub"], "somebody else"):
        hints[who] = {"claims": json.dumps({"id_token": {"sub": {"value": who}}})}
    for changes in (*hints.values(), {"max_age": "1"}, {"id_token_hint": "garbage"}):
        assert callback_params(browser.authorize(app, prompt="none", **changes))["error"] == "consent_required"


@pytest.mark.parametrize("hint", ["garbage", "e30.e30.e30"])
def test_a_hint_that_cannot_be_read_names_nobody_who_is_logged_in(
    svc: Services, phone: Phone, browser: Browser, hint: str
) -> None:
    app = register(svc, phone)
    browser.log_in(app)
    assert callback_params(browser.authorize(app, prompt="none", id_token_hint=hint))["error"] == "login_required"
    assert "code" in callback_params(browser.authorize(app, id_token_hint=hint))


def test_going_on_is_not_offered_to_another_user_than_the_client_asks_for(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    app = register(svc, phone)
    phone.sign_up("bob@example.com")
    bobs = app.tokens(Browser(phone), email="bob@example.com")["id_token"]
    browser.log_in(app)
    page = browser.authorize(app, id_token_hint=bobs)
    assert "/authorize/login" in forms(page)
    assert "/authorize/continue" not in forms(page)


# --- apps that anybody on the device can pass for (RFC 8252 section 8.6) ---


@pytest.mark.parametrize("uri", [LOOPBACK, SCHEME])
def test_a_public_client_on_the_device_never_gets_a_code_without_its_user(
    svc: Services, phone: Phone, browser: Browser, uri: str
) -> None:
    app = register(svc, phone, "native")
    browser.log_in(app, redirect_uri=uri)
    assert callback_params(browser.authorize(app, redirect_uri=uri, prompt="none"))["error"] == "interaction_required"
    page = browser.authorize(app, redirect_uri=uri)
    assert "/authorize/consent" in forms(page)
    assert "code" in callback_params(allow(browser, page))
    answer = browser.submit(browser.authorize(app, redirect_uri=uri, prompt="select_account"), "/authorize/continue")
    assert "code" in callback_params(answer)  # who has just said to go on was there


@pytest.mark.parametrize("uri", [LOOPBACK, SCHEME])
def test_nor_does_an_app_of_ours_on_the_device(svc: Services, phone: Phone, browser: Browser, uri: str) -> None:
    app = register(svc, phone, "native", first_party=True)
    assert "code" in browser.log_in(app, redirect_uri=uri)  # who has just logged in was there
    assert callback_params(browser.authorize(app, redirect_uri=uri, prompt="none"))["error"] == "interaction_required"
    page = browser.authorize(app, redirect_uri=uri)
    assert page.status == 200
    assert "code" in callback_params(browser.submit(page, "/authorize/continue"))


def test_a_client_that_can_be_told_from_others_needs_its_user_once(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    proves_itself = register(svc, phone, "native", token_endpoint_auth_method="client_secret_basic")
    for app, uri in ((register(svc, phone, "native"), None), (proves_itself, SCHEME)):
        changes = {"redirect_uri": uri or app.client.redirect_uris[-1]}
        browser.log_in(app, **changes)
        assert "code" in callback_params(browser.authorize(app, prompt="none", **changes))


# --- a login that the client wants to see ---


def test_an_age_of_nothing_is_a_login_of_now(svc: Services, phone: Phone, browser: Browser) -> None:
    app = register(svc, phone)
    browser.log_in(app)
    assert callback_params(browser.authorize(app, prompt="none", max_age="0"))["error"] == "login_required"
    page = browser.authorize(app, max_age="0")
    assert "/authorize/login" in forms(page)
    assert "/authorize/continue" not in forms(page)
    assert "code" in callback_params(browser.finish(page))


@pytest.mark.parametrize("changes", [{"prompt": "login consent"}, {"max_age": "60", "prompt": "consent"}], ids=str)
def test_a_consent_that_waited_too_long_is_no_proof_of_a_login(
    svc: Services, phone: Phone, browser: Browser, clock: Clock, changes: dict[str, str]
) -> None:
    app = register(svc, phone)
    page = at_consent(browser, app, **changes)
    clock.advance(svc.settings.fresh_login_seconds + 1)
    login = allow(browser, page)
    assert "/authorize/login" in forms(login)
    claims = peek(token_response(app.redeem(callback_params(browser.finish(login))["code"]))["id_token"])[1]
    assert claims["auth_time"] == clock()


def test_a_consent_may_wait_where_no_login_was_asked_for(
    svc: Services, phone: Phone, browser: Browser, clock: Clock
) -> None:
    app = register(svc, phone, resources=(API,))
    page = at_consent(browser, app, prompt="select_account")
    clock.advance(10 * svc.settings.fresh_login_seconds)
    assert "code" in callback_params(allow(browser, page))
