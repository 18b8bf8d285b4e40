"""A factor of one's own: one file, one line in the list, and its texts; every way in then has it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chalicelib.domain.authentication import levels
from chalicelib.domain.authentication.model import Proof
from chalicelib.flows.authentication import attempts, policy
from chalicelib.flows.clients import own
from chalicelib.services import Services
from chalicelib.web.pages import html
from tests.support import counter
from tests.support.browser import Browser, forms
from tests.support.forge import peek
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed

LOGIN, PROOF, ENROL = "/authorize/login", "/authorize/proof", "/authorize/enrol"
PAGE, ADD = "/account/factors", "/account/add-factor"
RIGHT = {"email": EMAIL, "password": PASSWORD}
TEXTS = {"factor": "Next number", "factor_kind": "Numbers", "add_factor": "Begin to count."}


@pytest.fixture(autouse=True)
def _one_file_one_line_and_its_texts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The factor of tests/support/counter.py, put into the list of all, and what people call it."""
    for language in ("en", "ar"):
        for text, words in TEXTS.items():
            monkeypatch.setitem(html.messages(language), f"{text}.counter", words)
    with counter.installed(on_pages=True):
        yield


def shows(page: bytes, *texts: str) -> bool:
    return all(text.encode() in page for text in texts)


def test_it_is_added_asked_for_and_removed_on_the_pages(browser: Browser, phone: Phone, svc: Services) -> None:
    uid = str(svc.users.find(EMAIL))
    browser.submit(browser.get(LOGIN), LOGIN, **RIGHT)
    listing = browser.get(PAGE)
    assert shows(listing.body, "Numbers")
    page = browser.submit(listing, PAGE, add="counter")
    assert shows(page.body, "Begin to count.", "count from nought", "Next number")
    assert b'inputmode="numeric"' not in page.body  # what is typed has letters
    assert b"This is wrong" in browser.submit(page, ADD, answer=counter.code(uid, 1)).body
    assert shows(browser.submit(page, ADD, answer=counter.code(uid, 0)).body, "From now on you are asked for it")
    other = Browser(phone)
    proof = other.submit(other.get(LOGIN), LOGIN, **RIGHT)
    assert forms(proof)[PROOF].hidden["factor"] == "counter"
    assert shows(proof.body, "Next number")
    assert b"Log out" in other.submit(proof, PROOF, answer=counter.code(uid, 1)).body
    user = svc.users.read(uid)
    assert user
    (factor,) = svc.factors.of_user(user)
    other.submit(other.get(PAGE), PAGE, remove=factor.id)
    assert phone.log_in()["access_token"]


def test_it_raises_a_login_of_the_json_api(phone: Phone) -> None:
    token = phone.sign_up()["access_token"]
    uid = peek(token)[1]["sub"]
    assert "counter" in phone.call("GET /me/factors", token=token).json()["kinds"]
    begun = phone.call("POST /me/factors", {"kind": "counter"}, token=token).json()
    assert begun["challenge"] == {"hint": "count from nought"}
    confirmation = {"token": begun["token"], "answer": counter.code(uid, 0)}
    assert phone.call("POST /me/factors/confirm", confirmation, token=token).status == 201
    answer = phone.call("POST /login", RIGHT)
    assert (answer.json()["error"], answer.json()["factors"]) == ("mfa_required", ["counter"])
    proof = {"mfa_token": answer.json()["mfa_token"], "factor": "counter", "answer": counter.code(uid, 1)}
    assert peek(phone.call("POST /login/proof", proof).json()["access_token"])[1]["acr"] == "aal2"
    assert phone.call("POST /login/proof", proof).status == 401


def test_a_login_that_needs_a_second_factor_offers_it(browser: Browser, svc: Services, clock: Clock) -> None:
    uid = str(svc.users.find(EMAIL))
    with installed(replace(svc, settings=replace(svc.settings, second_factor="required"))):
        kinds = Phone(clock).call("POST /login", RIGHT).json()["kinds"]
        page = browser.submit(browser.get(LOGIN), LOGIN, **RIGHT)
        assert "counter" in kinds
        page = browser.submit(page, ENROL, choose="counter")
        assert shows(page.body, "Begin to count.", "count from nought", "Next number")
        assert b'inputmode="numeric"' not in page.body
        assert b"Log out" in browser.submit(page, ENROL, answer=counter.code(uid, 0)).body


def test_one_that_stands_in_for_others_goes_with_the_last_of_them(browser: Browser, svc: Services) -> None:
    uid = str(svc.users.find(EMAIL))
    with counter.installed("spare", stands_in=True):
        counter.enrol(svc, uid)
        counter.enrol(svc, uid, "spare")
        proof = browser.submit(browser.get(LOGIN), LOGIN, **RIGHT)
        assert b"Log out" in browser.submit(proof, PROOF, answer=counter.code(uid, 1)).body
        user = svc.users.read(uid)
        assert user
        (factor,) = svc.factors.of_user(user, "counter")
        browser.submit(browser.get(PAGE), PAGE, remove=factor.id)
        user = svc.users.read(uid)
        assert user
        assert user.factors == frozenset()


def test_one_that_comes_by_mail_proves_nothing_beside_a_mail(phone: Phone, svc: Services) -> None:
    uid = str(peek(phone.sign_up()["access_token"])[1]["sub"])
    mailed = attempts.begin(svc, "a login by mail", own.json_api(svc))
    for by_mail, missing in ((False, {"counter"}), (True, {"password"})):
        with counter.installed(by_mail=by_mail):
            counter.enrol(svc, uid)
            user = svc.users.read(uid)
            assert user
            attempt = mailed.of(user).with_proof(Proof("mail", (levels.EMAIL,), svc.now()))
            assert {*policy.missing(svc, user, attempt)} == missing
            counter.withdraw(svc, uid)


def test_one_that_a_script_proves_has_its_options_on_the_page_and_no_field(browser: Browser, svc: Services) -> None:
    options = {"publicKey": {"of": "a gesture"}}
    with counter.installed("gesture", by_script=True, challenge=lambda *_: options):
        counter.enrol(svc, str(svc.users.find(EMAIL)), "gesture")
        page = browser.submit(browser.get(LOGIN), LOGIN, **RIGHT)
        assert shows(page.body, "of&#34;: &#34;a gesture")
        assert b'type="text"' not in page.body
