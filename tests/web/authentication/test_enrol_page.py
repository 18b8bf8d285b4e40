"""A login in a browser of an account that needs a second factor and has none: one page more, which adds it."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from chalicelib.domain.authentication.attempt import Attempt
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import App, Browser, callback_params, forms, register, token_response
from tests.support.code_app import CodeApp
from tests.support.forge import peek
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed

ENROL = "/authorize/enrol"
LOGIN = {"email": EMAIL, "password": PASSWORD}
SESSION, ATTEMPT = "__Host-latchkey-session", "__Host-latchkey-attempt"


@pytest.fixture
def required(svc: Services, browser: Browser) -> Iterator[Services]:  # noqa: ARG001 - who signed up before
    """A deployment that has come to demand two factors, where the browser's user has an account."""
    changed = replace(svc, settings=replace(svc.settings, second_factor="required"))
    with installed(changed):
        yield changed
    import chalicelib.services

    chalicelib.services.use(svc)


def app_of(page: Answer, clock: Clock) -> CodeApp:
    """The app that has read the page's key."""
    (uri,) = re.findall(r'href="(otpauth:[^"]+)"', page.body.decode())
    app = CodeApp(html.unescape(uri), clock)
    assert app.parameters["secret"] in page.body.decode().replace(" ", "")
    assert b"<svg" in page.body
    return app


def at_enrolment(browser: Browser, app: App, **changes: str | None) -> Answer:
    page = browser.submit(browser.authorize(app, **changes), "/authorize/login", **LOGIN)
    assert (page.status, set(forms(page))) == (200, {ENROL}), page.body
    return page


def chosen(browser: Browser, page: Answer) -> Answer:
    return browser.submit(page, ENROL, choose="totp")


def test_the_page_adds_the_factor_and_leads_to_where_the_login_leads(
    required: Services, browser: Browser, app: App, clock: Clock
) -> None:
    page = at_enrolment(browser, app)
    assert SESSION not in browser.cookies
    page = chosen(browser, page)
    code_app = app_of(page, clock)
    assert SESSION not in browser.cookies
    consent = browser.submit(page, ENROL, answer=f"Your code is {code_app.code()}!")
    assert ATTEMPT not in browser.cookies
    code = callback_params(browser.submit(consent, "/authorize/consent", decision="allow"))["code"]
    claims = peek(token_response(app.redeem(code))["id_token"])[1]
    assert (claims["acr"], claims["amr"]) == ("aal2", ["pwd", "otp", "mfa"])
    user = required.users.read(str(required.users.find(EMAIL)))
    assert user
    assert {entry.partition("#")[0] for entry in user.factors} == {"totp"}


@pytest.mark.usefixtures("required")
def test_after_a_wrong_code_and_a_reload_the_same_key_is_shown(browser: Browser, app: App, clock: Clock) -> None:
    page = chosen(browser, at_enrolment(browser, app))
    first = app_of(page, clock)
    wrong = browser.submit(page, ENROL, answer="000000" if first.code() != "000000" else "111111")
    assert b"This is wrong" in wrong.body
    assert app_of(wrong, clock).uri == first.uri
    clock.advance(5)
    assert app_of(browser.get(ENROL, {"to": forms(page)[ENROL].hidden["to"]}), clock).uri == first.uri
    browser.submit(wrong, ENROL, answer=first.code())
    assert SESSION in browser.cookies


@pytest.mark.usefixtures("required")
def test_until_the_factor_is_there_nobody_is_logged_in_anywhere(browser: Browser, app: App) -> None:
    chosen(browser, at_enrolment(browser, app))
    for path in ("/device", "/account/sessions", "/authorize/login"):
        assert "/authorize/login" in forms(browser.get(path)), path
    assert callback_params(browser.authorize(app, prompt="none"))["error"] == "login_required"


def test_another_browser_or_nobody_adds_nothing(required: Services, browser: Browser, app: App, clock: Clock) -> None:
    page = chosen(browser, at_enrolment(browser, app))
    code = app_of(page, clock).code()
    fields = {**forms(page)[ENROL].hidden, "answer": code}
    thief = Browser(browser.phone)
    thief.post(ENROL, fields)
    thief.cookies[ATTEMPT] = browser.cookies[ATTEMPT]
    thief.post(ENROL, fields)
    assert SESSION not in thief.cookies
    user = required.users.read(str(required.users.find(EMAIL)))
    assert user
    assert user.factors == frozenset()
    for path in ("", "?to=x"):
        answer = Browser(browser.phone).get(f"{ENROL}{path}")
        assert "/authorize/login" in forms(answer)


def test_a_session_that_is_too_weak_for_a_client_is_raised_by_a_factor_that_is_added(
    svc: Services, browser: Browser, app: App, clock: Clock
) -> None:
    browser.log_in(app)
    (before,) = [each for each in svc.sessions.of_user(str(svc.users.find(EMAIL))) if each.client_id == "browser"]
    app.client = manage.change(svc, app.client, replace(app.client, require_second_factor=True))
    page = browser.authorize(app)
    assert set(forms(page)) == {ENROL}
    page = chosen(browser, page)
    answer = browser.submit(page, ENROL, answer=app_of(page, clock).code())
    claims = peek(token_response(app.redeem(callback_params(answer)["code"]))["id_token"])[1]
    assert claims["acr"] == "aal2"
    (after,) = [each for each in svc.sessions.of_user(str(svc.users.find(EMAIL))) if each.client_id == "browser"]
    assert (after.session_id, after.auth_time) == (before.session_id, before.auth_time)


@pytest.mark.usefixtures("required")
def test_who_signs_up_adds_one_before_being_logged_in(browser: Browser, app: App, clock: Clock) -> None:
    page = browser.sign_up_page(browser.authorize(app))
    page = browser.submit(page, "/authorize/signup", email="bob@example.com", password=PASSWORD, name="Bob")
    assert set(forms(page)) == {ENROL}
    assert SESSION not in browser.cookies
    page = chosen(browser, page)
    consent = browser.submit(page, ENROL, answer=app_of(page, clock).code())
    assert "/authorize/consent" in forms(consent)


def test_a_login_that_has_a_factor_by_now_is_asked_for_that(
    required: Services, browser: Browser, app: App, clock: Clock, phone: Phone
) -> None:
    page = chosen(browser, at_enrolment(browser, app))
    other = Browser(phone)
    theirs = chosen(other, at_enrolment(other, register(required, phone)))
    other.submit(theirs, ENROL, answer=app_of(theirs, clock).code())
    late = browser.submit(page, ENROL, answer=app_of(page, clock).code())
    assert "/authorize/login" in forms(late)
    page = browser.submit(late, "/authorize/login", **LOGIN)
    assert set(forms(page)) == {"/authorize/proof"}


def test_a_browser_that_was_logged_in_long_ago_adds_none_before_a_new_login(
    svc: Services, browser: Browser, app: App, clock: Clock
) -> None:
    """Whoever finds it open would else have a factor of their own there, and the owner none of theirs."""
    browser.log_in(app)
    clock.advance(svc.settings.fresh_login_seconds + 1)
    app.client = manage.change(svc, app.client, replace(app.client, require_second_factor=True))
    page = browser.authorize(app)
    assert "/authorize/login" in forms(page)
    assert ENROL not in forms(page)
    assert "/authorize/login" in forms(browser.get(ENROL, {"to": forms(page)["/authorize/login"].hidden["to"]}))
    page = browser.submit(page, "/authorize/login", **LOGIN)
    assert set(forms(page)) == {ENROL}
    page = chosen(browser, page)
    clock.advance(Attempt.seconds - 1)  # which is time enough to find one's telephone
    answer = browser.submit(page, ENROL, answer=app_of(page, clock).code())
    assert "code" in callback_params(answer)
