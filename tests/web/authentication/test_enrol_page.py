"""A login in a browser of an account that needs a second factor and has none: one page more, which adds it."""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.authentication.attempt import Attempt
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.authenticator import BE, BS, UP, UV, Authenticator
from tests.support.browser import FORM_TYPE, App, Browser, callback_params, encoded, forms, register, token_response
from tests.support.code_app import CodeApp
from tests.support.forge import peek
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed

ENROL, PASSKEY = "/authorize/enrol", "/authorize/enrol/passkey"
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
    assert (page.status, set(forms(page))) == (200, {ENROL, PASSKEY}), page.body
    return page


def choose_factor(browser: Browser, page: Answer) -> Answer:
    return browser.submit(page, ENROL, choose="totp")


def test_the_page_adds_the_factor_and_leads_to_where_the_login_leads(
    required: Services, browser: Browser, app: App, clock: Clock
) -> None:
    page = at_enrolment(browser, app)
    assert SESSION not in browser.cookies
    page = choose_factor(browser, page)
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
    page = choose_factor(browser, at_enrolment(browser, app))
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
    choose_factor(browser, at_enrolment(browser, app))
    for path in ("/device", "/account/sessions", "/authorize/login"):
        assert "/authorize/login" in forms(browser.get(path)), path
    assert callback_params(browser.authorize(app, prompt="none"))["error"] == "login_required"


def test_another_browser_or_nobody_adds_nothing(required: Services, browser: Browser, app: App, clock: Clock) -> None:
    page = choose_factor(browser, at_enrolment(browser, app))
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
    assert set(forms(page)) == {ENROL, PASSKEY}
    page = choose_factor(browser, page)
    answer = browser.submit(page, ENROL, answer=app_of(page, clock).code())
    claims = peek(token_response(app.redeem(callback_params(answer)["code"]))["id_token"])[1]
    assert claims["acr"] == "aal2"
    (after,) = [each for each in svc.sessions.of_user(str(svc.users.find(EMAIL))) if each.client_id == "browser"]
    assert (after.session_id, after.auth_time) == (before.session_id, before.auth_time)


@pytest.mark.usefixtures("required")
def test_who_signs_up_adds_one_before_being_logged_in(browser: Browser, app: App, clock: Clock) -> None:
    page = browser.sign_up_page(browser.authorize(app))
    page = browser.submit(page, "/authorize/signup", email="bob@example.com", password=PASSWORD, name="Bob")
    assert set(forms(page)) == {ENROL, PASSKEY}
    assert SESSION not in browser.cookies
    page = choose_factor(browser, page)
    consent = browser.submit(page, ENROL, answer=app_of(page, clock).code())
    assert "/authorize/consent" in forms(consent)


def test_a_login_that_has_a_factor_by_now_is_asked_for_that(
    required: Services, browser: Browser, app: App, clock: Clock, phone: Phone
) -> None:
    page = choose_factor(browser, at_enrolment(browser, app))
    other = Browser(phone)
    theirs = choose_factor(other, at_enrolment(other, register(required, phone)))
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
    assert set(forms(page)) == {ENROL, PASSKEY}
    page = choose_factor(browser, page)
    clock.advance(Attempt.seconds - 1)  # which is time enough to find one's telephone
    answer = browser.submit(page, ENROL, answer=app_of(page, clock).code())
    assert "code" in callback_params(answer)


# A passkey, by the page's script
def passkey_fields(page: Answer, device: Authenticator, *, options_of: Answer | None = None, **changes: Any) -> Any:
    """What the script of a page sends, with the answer to the options of that page or of another one."""
    text = (options_of or page).body.decode().partition('data-options="')[2].partition('"')[0]
    options = json.loads(html.unescape(text))
    assert set(options) == {"publicKey"}
    answer = json.dumps(device.create(options["publicKey"], **changes))
    return {"enrolment": forms(page)[PASSKEY].hidden["enrolment"], "answer": answer}


def factors_of(svc: Services) -> set[str]:
    user = svc.users.read(str(svc.users.find(EMAIL)))
    assert user
    return {entry.partition("#")[0] for entry in user.factors}


def not_added(page: Answer) -> bool:
    return b"The passkey was not added." in page.body and PASSKEY in forms(page)


@pytest.mark.parametrize(("verified", "key", "acr"), [(UV, "swk", "phr"), (0, "swk", "phr")])
def test_a_passkey_is_added_beside_the_password_and_leads_on(
    required: Services, browser: Browser, app: App, verified: int, key: str, acr: str
) -> None:
    device = Authenticator(flags=UP | BE | BS | verified)
    page = at_enrolment(browser, app)
    consent = browser.submit(page, PASSKEY, **passkey_fields(page, device))
    assert ATTEMPT not in browser.cookies
    code = callback_params(browser.submit(consent, "/authorize/consent", decision="allow"))["code"]
    claims = peek(token_response(app.redeem(code))["id_token"])[1]
    assert (claims["acr"], set(claims["amr"])) == (acr, {"pwd", key, "user", "mfa"})
    assert factors_of(required) == {"passkey"}
    # It is what the next login is asked for.
    browser.cookies.clear()
    proof = browser.submit(browser.authorize(app), "/authorize/login", **LOGIN)
    assert "/authorize/proof" in forms(proof)
    assert b"Use a passkey" in proof.body
    assert SESSION not in browser.cookies


BAD: list[dict[str, Any]] = [
    {"origin": "https://evil.example"},
    {"challenge": "AAAA"},
    {"type": "webauthn.get"},
    {"rp_id": "evil.example"},
    {"flags": UV | BE | BS},
    {"crossOrigin": True},
]


@pytest.mark.parametrize("changes", BAD, ids=lambda changes: next(iter(changes)))
def test_a_passkey_that_was_made_for_something_else_is_not_added(
    required: Services, browser: Browser, app: App, changes: dict[str, Any]
) -> None:
    page = at_enrolment(browser, app)
    assert not_added(browser.submit(page, PASSKEY, **passkey_fields(page, Authenticator(), **changes)))
    assert (factors_of(required), SESSION in browser.cookies) == (set(), False)


@pytest.mark.usefixtures("required")
def test_after_a_wrong_one_and_at_the_form_of_another_kind_a_passkey_can_still_be_added(
    browser: Browser, app: App
) -> None:
    page = choose_factor(browser, at_enrolment(browser, app))
    wrong = browser.submit(page, PASSKEY, **passkey_fields(page, Authenticator(), rp_id="evil.example"))
    assert not_added(wrong)
    assert b'id="answer-error"' not in wrong.body  # it is not the code that was wrong
    browser.submit(wrong, PASSKEY, **passkey_fields(wrong, Authenticator()))
    assert SESSION in browser.cookies


def test_a_passkey_is_good_in_the_login_that_it_was_made_in_alone(
    required: Services, browser: Browser, app: App, phone: Phone
) -> None:
    """Another browser's, another tab's, another account's, and what is no enrolment at all."""
    device, other = Authenticator(), Browser(phone)
    theirs = at_enrolment(other, app)
    page = at_enrolment(browser, app)
    stolen = passkey_fields(theirs, device)
    assert SESSION not in after(browser, page, **stolen).cookies
    mixed = passkey_fields(page, device, options_of=theirs)
    assert not_added(browser.submit(page, PASSKEY, **mixed))
    for text in ("", "x", browser.cookies[ATTEMPT]):
        page = at_enrolment(browser, app)
        assert SESSION not in after(browser, page, enrolment=text, answer=stolen["answer"]).cookies
    earlier = at_enrolment(browser, app)
    at_enrolment(browser, app, state="another tab")
    assert SESSION not in after(browser, earlier, **passkey_fields(earlier, device)).cookies
    assert factors_of(required) == set()


def after(browser: Browser, page: Answer, **fields: str) -> Browser:
    browser.submit(page, PASSKEY, **fields)
    return browser


def test_what_was_begun_for_a_session_or_by_the_json_api_is_not_taken_here(
    svc: Services, browser: Browser, app: App, phone: Phone
) -> None:
    access = phone.log_in()["access_token"]
    begun = phone.call("POST /me/factors", {"kind": "passkey"}, token=access).json()
    answer = json.dumps(Authenticator().create(begun["challenge"]["publicKey"]))
    app.client = manage.change(svc, app.client, replace(app.client, require_second_factor=True))
    page = browser.submit(at_enrolment(browser, app), PASSKEY, enrolment=begun["token"], answer=answer)
    assert set(forms(page)) == {ENROL, PASSKEY}
    assert factors_of(svc) == set()


def test_reloaded_and_gone_back_to_the_page_adds_one_passkey(required: Services, browser: Browser, app: App) -> None:
    first = at_enrolment(browser, app)
    second = browser.get(ENROL, {"to": forms(first)[ENROL].hidden["to"]})
    of_first, of_second = (passkey_fields(page, Authenticator()) for page in (first, second))
    browser.submit(first, PASSKEY, **of_first)  # each is good as long as none was taken
    assert SESSION in browser.cookies
    for page, fields in ((first, of_first), (second, of_second)):
        browser.submit(page, PASSKEY, **fields)
    assert len(required.factors.of_user(user_of(required))) == 1


def user_of(svc: Services) -> Any:
    user = svc.users.read(str(svc.users.find(EMAIL)))
    assert user
    return user


def test_of_two_tabs_one_adds_its_own_and_the_other_is_asked_for_that(
    required: Services, browser: Browser, app: App, phone: Phone
) -> None:
    other = Browser(phone)
    theirs, page = at_enrolment(other, app), at_enrolment(browser, app)
    other.submit(theirs, PASSKEY, **passkey_fields(theirs, Authenticator()))
    late = browser.submit(page, PASSKEY, **passkey_fields(page, Authenticator()))
    assert "/authorize/login" in forms(late)
    assert SESSION not in browser.cookies
    # Whoever comes back to the page is led away from it.
    assert "/authorize/login" in forms(browser.get(ENROL, {"to": forms(page)[ENROL].hidden["to"]}))
    assert len(required.factors.of_user(user_of(required))) == 1


def test_a_passkey_raises_the_session_of_who_is_logged_in(svc: Services, browser: Browser, app: App) -> None:
    browser.log_in(app)
    app.client = manage.change(svc, app.client, replace(app.client, require_second_factor=True))
    page = browser.authorize(app)
    answer = browser.submit(page, PASSKEY, **passkey_fields(page, Authenticator()))
    claims = peek(token_response(app.redeem(callback_params(answer)["code"]))["id_token"])[1]
    assert claims["acr"] == "phr"


def test_who_may_add_no_passkey_sees_none(svc: Services, browser: Browser, clock: Clock) -> None:
    assert browser.cookies == {}
    for issuer, there in (("http://127.0.0.1:8000", False), ("http://localhost", True)):
        settings = replace(svc.settings, second_factor="required", issuer=issuer)
        with installed(replace(svc, settings=settings)):
            page = local_enrolment(Phone(clock), issuer)
            assert (b'id="passkey"' in page, b'value="totp"' in page) == (there, True)


def local_enrolment(phone: Phone, issuer: str) -> bytes:
    """The page of a deployment at another address."""
    page = phone.call("GET /authorize/login")
    cookies = [line.partition(";")[0] for name, line in page.headers if name.lower() == "set-cookie"]
    fields = {**forms(page)[f"{issuer}/authorize/login"].hidden, **LOGIN}
    headers = [("Content-Type", FORM_TYPE), ("Origin", issuer), ("Cookie", "; ".join(cookies))]
    answer = phone.call("POST /authorize/login", raw=encoded(fields).encode(), headers=headers)
    cookies += [line.partition(";")[0] for name, line in answer.headers if name.lower() == "set-cookie"]
    target = (answer.header("Location") or "").removeprefix(issuer)
    return phone.call(f"GET {target}", headers=[("Cookie", "; ".join(cookies))]).body
