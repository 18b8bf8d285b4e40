"""Passkeys on the pages: a login of its own beside any other in the browser, and an offer to whoever has just logged in."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.accounts.model import EnrolledFactor
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import counter, passkeys
from tests.support.authenticator import BE, BS, UP, Authenticator, encode
from tests.support.browser import ISSUER, App, Browser, callback_params, forms, token_response
from tests.support.forge import peek
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed

LOGIN, PASSKEY, PROOF, ADD = "/authorize/login", "/authorize/passkey", "/authorize/proof", "/account/add-passkey"
SESSION, ATTEMPT = "__Host-latchkey-session", "__Host-latchkey-attempt"


@pytest.fixture
def device() -> Authenticator:
    return Authenticator()


@pytest.fixture
def uid(svc: Services, browser: Browser) -> str:  # noqa: ARG001 - whose user has an account
    return str(svc.users.find(EMAIL))


@pytest.fixture
def kept(svc: Services, uid: str, device: Authenticator) -> EnrolledFactor:
    return passkeys.enrol(svc, uid, device)


def options_of(browser: Browser, page: Answer) -> dict[str, Any]:
    """What the page's script fetches."""
    answer = browser.get(PASSKEY, {"to": forms(page)[PASSKEY].hidden["to"]})
    assert (answer.status, answer.header("Cache-Control")) == (200, "no-store")
    options: dict[str, Any] = answer.json()
    return options


def send(browser: Browser, page: Answer, device: Authenticator, options: dict[str, Any], **changes: Any) -> Answer:
    answer = json.dumps(device.get(options["publicKey"], **changes))
    return browser.submit(page, PASSKEY, attempt=options["attempt"], answer=answer)


@pytest.mark.usefixtures("kept")
def test_a_passkey_leads_where_the_login_leads(browser: Browser, app: App, device: Authenticator) -> None:
    page = browser.authorize(app)
    consent = send(browser, page, device, options_of(browser, page))
    code = callback_params(browser.submit(consent, "/authorize/consent", decision="allow"))["code"]
    claims = peek(token_response(app.redeem(code))["id_token"])[1]
    assert (claims["amr"], claims["acr"]) == (["swk", "user", "mfa"], "phr")


@pytest.mark.usefixtures("kept")
def test_the_options_are_an_attempt_of_their_own_and_leave_one_that_waits_as_it_is(
    browser: Browser, app: App, svc: Services, uid: str
) -> None:
    with counter.installed():
        counter.enrol(svc, uid)
        page = browser.authorize(app)
        waiting = browser.submit(page, LOGIN, email=EMAIL, password=PASSWORD)
        before = browser.cookies[ATTEMPT]
        options_of(browser, browser.authorize(app))
        assert browser.cookies[ATTEMPT] == before
        page = browser.submit(waiting, PROOF, choose="counter")
        assert "/authorize/consent" in forms(browser.submit(page, PROOF, factor="counter", answer=counter.code(uid, 1)))


@pytest.mark.usefixtures("kept")
def test_an_answer_is_good_in_its_own_browser_and_for_its_own_way_alone(
    browser: Browser, app: App, device: Authenticator, phone: Phone
) -> None:
    page, other = browser.authorize(app), Browser(phone)
    options = options_of(browser, page)
    foreign = other.authorize(app)
    assert refused(send(other, foreign, device, options))
    elsewhere = browser.authorize(app, state="another")
    assert refused(send(browser, elsewhere, device, options))
    assert "/authorize/consent" in forms(send(browser, page, device, options))
    browser.cookies.pop(SESSION)
    assert refused(send(browser, page, device, options))


def refused(page: Answer) -> bool:
    return b"The passkey did not work." in page.body and LOGIN in forms(page)


BAD = [{"origin": "https://evil.example"}, {"challenge": encode(bytes(32))}, {"flags": UP | BS}, {"handle": ""}]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("changes", BAD, ids=lambda changes: next(iter(changes)))
def test_a_wrong_answer_leads_back_to_the_form(
    browser: Browser, app: App, device: Authenticator, changes: dict[str, Any]
) -> None:
    page = browser.authorize(app)
    assert refused(send(browser, page, device, options_of(browser, page), **changes))
    assert SESSION not in browser.cookies


@pytest.mark.parametrize("fields", [{}, {"attempt": "x"}, {"answer": "{}"}, {"attempt": "x", "answer": "x"}])
def test_a_form_without_an_answer_leads_back(browser: Browser, app: App, fields: dict[str, str]) -> None:
    assert refused(browser.submit(browser.authorize(app), PASSKEY, **fields))


def test_only_a_passkey_that_is_unknown_is_to_be_forgotten(
    browser: Browser, app: App, svc: Services, kept: EnrolledFactor, device: Authenticator
) -> None:
    page = browser.authorize(app)
    assert b"data-unknown" not in send(browser, page, device, options_of(browser, page), flags=UP | BS).body
    passkeys.withdraw(svc, kept)
    page = browser.authorize(app)
    answer = send(browser, page, device, options_of(browser, page))
    assert b"This passkey is not in use here any more." in answer.body
    assert b'data-unknown="1"' in answer.body


@pytest.mark.usefixtures("kept")
def test_a_key_that_verified_nobody_leads_to_the_password(browser: Browser, app: App, device: Authenticator) -> None:
    page = browser.authorize(app)
    proof = send(browser, page, device, options_of(browser, page), flags=UP | BE | BS)
    assert SESSION not in browser.cookies
    proof = browser.submit(proof, PROOF, choose="password")
    # Password managers fill in the password of whom the page names.
    assert re.findall(
        r'<input id="email"[^>]* autocomplete="username" readonly value="([^"]*)"', proof.body.decode()
    ) == [EMAIL]
    assert "/authorize/consent" in forms(browser.submit(proof, PROOF, factor="password", answer=PASSWORD))


def test_it_is_a_second_factor_on_the_page_for_one_proof_more(
    browser: Browser, app: App, svc: Services, uid: str, device: Authenticator, kept: EnrolledFactor
) -> None:
    with counter.installed():
        counter.enrol(svc, uid)
        page = browser.submit(browser.authorize(app), LOGIN, email=EMAIL, password=PASSWORD)
        page = browser.submit(page, PROOF, choose="passkey")
        assert kept.id
        text = page.body.decode().partition('data-options="')[2].partition('"')[0].replace("&#34;", '"')
        answer = json.dumps(device.get(json.loads(text), flags=UP | BE | BS))
        assert "/authorize/consent" in forms(browser.submit(page, PROOF, factor="passkey", answer=answer))


def log_in(browser: Browser, page: Answer, **more: str) -> Answer:
    return browser.submit(page, LOGIN, email=EMAIL, password=PASSWORD, **more)


def attempts_on(page: Answer) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options for a passkey that is asked for, and for one that the browser makes by itself."""
    text = page.body.decode()
    first, automatic = (
        json.loads(text.partition(f'data-{name}="')[2].partition('"')[0].replace("&#34;", '"'))
        for name in ("options", "automatic")
    )
    return first, automatic


def test_after_the_password_a_browser_that_can_is_offered_one_and_led_on(
    browser: Browser, app: App, svc: Services, uid: str, device: Authenticator
) -> None:
    offer = log_in(browser, browser.authorize(app), passkeys="1")
    assert ADD in forms(offer)
    options, _ = attempts_on(offer)
    answer = json.dumps(device.create(options["publicKey"]))
    consent = browser.submit(offer, ADD, attempt=options["attempt"], answer=answer)
    assert "/authorize/consent" in forms(consent)
    user = svc.users.read(uid)
    assert user
    assert user.has_factor("passkey")


def test_the_offer_comes_once_and_not_without_a_script_or_in_the_way_of_a_fresh_login(
    browser: Browser, app: App, phone: Phone
) -> None:
    assert ADD not in forms(log_in(browser, browser.authorize(app)))
    for changes in ({"prompt": "login"}, {"max_age": "60"}):
        other = Browser(phone)
        assert "/authorize/consent" in forms(log_in(other, other.authorize(app, **changes), passkeys="1"))
    other = Browser(phone)
    assert ADD in forms(log_in(other, other.authorize(app), passkeys="1"))
    other.cookies.pop(SESSION)
    assert ADD not in forms(log_in(other, other.authorize(app), passkeys="1"))


@pytest.mark.usefixtures("kept")
def test_whoever_has_one_is_offered_none(browser: Browser, app: App) -> None:
    assert ADD not in forms(log_in(browser, browser.authorize(app), passkeys="1"))


@pytest.mark.parametrize("onward", ["https://evil.example", "//evil.example", "/\\evil.example", "/no-such-page", "x"])
def test_the_offer_leads_on_to_our_own_pages_alone(browser: Browser, onward: str) -> None:
    log_in(browser, browser.get(LOGIN))
    page = browser.get(ADD, {"onward": onward})
    assert f'<a href="{ISSUER}/">' in page.body.decode()
    assert b"evil" not in page.body.partition(b"<main>")[2].partition(b"<form")[0]


def test_one_that_the_browser_made_by_itself_is_taken_only_for_an_attempt_that_allowed_it(
    browser: Browser, app: App, svc: Services, uid: str
) -> None:
    offer = log_in(browser, browser.authorize(app), passkeys="1")
    ordinary, automatic = attempts_on(offer)
    absent = Authenticator(flags=BE | BS)
    answer = json.dumps(absent.create(ordinary["publicKey"]))
    assert b"The passkey was not added." in browser.submit(offer, ADD, attempt=ordinary["attempt"], answer=answer).body
    answer = json.dumps(absent.create(automatic["publicKey"]))
    assert b"not added" in browser.submit(offer, ADD, attempt=ordinary["attempt"], answer=answer).body
    assert "/authorize/consent" in forms(browser.submit(offer, ADD, attempt=automatic["attempt"], answer=answer))
    user = svc.users.read(uid)
    assert user
    assert len(svc.factors.of_user(user)) == 1


def test_a_stale_login_adds_none_and_says_why(browser: Browser, clock: Clock) -> None:
    log_in(browser, browser.get(LOGIN))
    fresh = browser.get(ADD)
    clock.advance(301)
    assert b"log in again first" in browser.get(ADD).body
    answer = browser.submit(fresh, ADD, attempt="x", answer="{}")
    assert b"not added" in answer.body


@pytest.mark.usefixtures("kept")
def test_the_ids_of_an_account_s_passkeys_are_on_its_own_page_alone(
    browser: Browser, device: Authenticator, app: App
) -> None:
    own = encode(device.credential_id).encode()
    page = browser.authorize(app)
    assert own not in page.body
    assert options_of(browser, page)["publicKey"]["allowCredentials"] == []
    log_in(browser, browser.get(LOGIN))
    assert own in browser.get(ADD).body


def test_a_host_that_is_an_address_shows_no_sign_of_them(svc: Services, clock: Clock) -> None:
    for issuer, there in (("http://127.0.0.1:8000", False), ("http://[::1]:8000", False), ("http://localhost", True)):
        with installed(replace(svc, settings=replace(svc.settings, issuer=issuer))):
            page = Phone(clock).call("GET /authorize/login")
            assert (b"passkey" in page.body.partition(b"</form>")[2]) == there
