"""The page of an account's factors: for who has just logged in with all of them, whatever is pressed on it and by whom."""

import re
from dataclasses import replace
from html import unescape

import pytest

from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import FORM_TYPE, ISSUER, Browser, encoded, forms
from tests.support.code_app import CodeApp
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed

PAGE, ADD, PROOF, LOGIN = "/account/factors", "/account/add-factor", "/authorize/proof", "/authorize/login"


@pytest.fixture
def ann(browser: Browser) -> Browser:
    """A browser in which somebody has just logged in by the password, all that the account has."""
    log_in(browser, browser.get(LOGIN))
    return browser


def log_in(browser: Browser, page: Answer) -> Answer:
    return browser.submit(page, LOGIN, email=EMAIL, password=PASSWORD)


def app_on(page: Answer, clock: Clock) -> CodeApp:
    """What has read the QR code of a page."""
    (uri,) = re.findall(r'href="(otpauth:[^"]+)"', page.body.decode())
    return CodeApp(unescape(uri), clock)


def add(browser: Browser, clock: Clock, name: str = "") -> tuple[CodeApp, Answer]:
    """Adds an app on the pages; the page that comes of it."""
    page = browser.submit(browser.get(PAGE), PAGE, add="totp")
    app = app_on(page, clock)
    return app, browser.submit(page, ADD, answer=app.code(), name=name)


def codes_on(page: Answer) -> list[str]:
    return re.findall(r"<li><code>([0-9a-z-]{19})</code></li>", page.body.decode())


def test_an_app_is_added_by_its_picture_or_its_key_and_then_asked_for(ann: Browser, clock: Clock, phone: Phone) -> None:
    page = ann.submit(ann.get(PAGE), PAGE, add="totp")
    assert page.body.partition(b"<script")[0].count(b"<svg") == 1
    app = app_on(page, clock)
    key = re.sub(
        r"\s", "", re.findall(r'<p class="shown" dir="ltr"><code>(.*?)</code>', page.body.decode(), re.DOTALL)[0]
    )
    assert key == app.parameters["secret"]
    assert b'inputmode="numeric"' in page.body
    assert b'autocomplete="one-time-code"' in page.body
    assert b"maxlength" not in page.body
    wrong = ann.submit(page, ADD, answer="000 000", name="  Ann's\n phone ")
    assert b"This is wrong" in wrong.body
    assert app_on(wrong, clock) == app  # the same picture, not another one
    done = ann.submit(wrong, ADD, answer=f"It says {app.code()}.", name="  Ann's\n phone ")
    assert b"From now on you are asked for it" in done.body
    assert b"<bdi>Ann&#39;s phone</bdi>" in done.body
    clock.advance(30)
    other = Browser(phone)
    proof = log_in(other, other.get(LOGIN))
    assert forms(proof)[PROOF].hidden["factor"] == "totp"
    assert b"Log out" in other.submit(proof, PROOF, answer=app.code()).body


def test_recovery_codes_are_shown_once_and_log_in_from_the_same_page(ann: Browser, clock: Clock, phone: Phone) -> None:
    assert b"New recovery codes" not in ann.get(PAGE).body
    add(ann, clock)
    page = ann.submit(ann.get(PAGE), PAGE, codes="new")
    codes = codes_on(page)
    assert len(codes) == 10
    assert not codes_on(ann.get(PAGE))
    other = Browser(phone)
    proof = log_in(other, other.get(LOGIN))
    assert ("choose", "recovery_code") in forms(proof)[PROOF].buttons
    form = other.submit(proof, PROOF, choose="recovery_code")
    assert b"inputmode" not in form.body
    assert form.body.count(b'name="answer"') == 1
    assert b"Log out" in other.submit(form, PROOF, answer=codes[9].upper()).body
    assert b"<dd>9</dd>" in ann.get(PAGE).body


def test_what_is_shown_of_recovery_codes_is_for_the_session_that_made_them(
    ann: Browser, clock: Clock, phone: Phone
) -> None:
    app, _ = add(ann, clock)
    fields = {**forms(ann.get(PAGE))[PAGE].hidden, "codes": "new"}
    headers = [("Content-Type", FORM_TYPE), ("Origin", ISSUER)]
    answer = ann._call("POST", PAGE, encoded(fields).encode(), headers)
    location = (answer.header("Location") or "").removeprefix(ISSUER)
    assert len(codes_on(ann.get(location))) == 10
    clock.advance(30)
    other = Browser(phone)
    other.submit(log_in(other, other.get(LOGIN)), PROOF, answer=app.code())
    assert codes_on(other.get(location)) == []
    assert codes_on(Browser(phone).get(location)) == []
    clock.advance(301)
    assert codes_on(ann.get(location)) == []


def test_who_has_not_just_logged_in_does_so_first_and_with_both_factors(
    ann: Browser, clock: Clock, svc: Services
) -> None:
    app, page = add(ann, clock)
    clock.advance(svc.settings.fresh_login_seconds + 1)
    login = ann.get(PAGE)
    assert set(forms(login)) == {LOGIN, "/authorize/passkey"}
    assert EMAIL.encode() in login.body
    (entry,) = [value for name, value in forms(page)[PAGE].buttons if name == "codes"]
    assert set(forms(ann.submit(page, PAGE, codes=entry))) == {LOGIN, "/authorize/passkey"}
    proof = log_in(ann, login)
    assert set(forms(proof)) == {PROOF}
    back = ann.submit(proof, PROOF, answer=app.code())
    assert b"Second steps</h1>" in back.body
    assert len(codes_on(ann.submit(back, PAGE, codes="new"))) == 10


def test_a_browser_that_knows_the_password_alone_sees_and_changes_nothing_once_there_is_an_app(
    ann: Browser, clock: Clock, phone: Phone, svc: Services
) -> None:
    thief = Browser(phone)
    log_in(thief, thief.get(LOGIN))
    list_before, adding = thief.get(PAGE), thief.submit(thief.get(PAGE), PAGE, add="totp")
    own = app_on(adding, clock)
    add(ann, clock, "Ann's")
    user = svc.users.read(svc.users.find(EMAIL) or "")
    assert user
    (factor,) = svc.factors.of_user(user)
    for page in (
        thief.get(PAGE),
        thief.get(ADD),
        thief.submit(list_before, PAGE, remove=factor.id),
        thief.submit(list_before, PAGE, codes="new"),
        thief.submit(adding, ADD, answer=own.code()),
    ):
        assert set(forms(page)) == {PROOF}
        assert b"Ann&#39;s" not in page.body
    assert svc.factors.of_user(user) == [factor]


def test_a_factor_is_named_and_removed(ann: Browser, clock: Clock) -> None:
    add(ann, clock, "Old")
    page = ann.get(PAGE)
    (factor_id,) = re.findall(r'name="rename" value="([0-9a-f]+)"', page.body.decode())
    renamed = ann.submit(page, PAGE, rename=factor_id, name="x" * 300)
    assert b"The name is changed" in renamed.body
    assert b"<bdi>" + b"x" * 100 + b"</bdi>" in renamed.body
    removed = ann.submit(renamed, PAGE, remove=factor_id)
    assert b"Removed." in removed.body
    assert factor_id.encode() not in removed.body
    assert b"removed already" in ann.submit(renamed, PAGE, remove=factor_id).body
    assert b"removed already" in ann.submit(renamed, PAGE, rename=factor_id, name="y").body


def test_an_app_too_many_is_refused_and_the_page_says_why(ann: Browser, clock: Clock) -> None:
    fourth = ann.submit(ann.get(PAGE), PAGE, add="totp")
    for _ in range(3):
        add(ann, clock)
        clock.advance(30)
    page = ann.submit(fourth, ADD, answer=app_on(fourth, clock).code())
    assert b"as many of these as it can have" in page.body
    assert b"Second steps</h1>" in ann.submit(ann.get(PAGE), PAGE, add="totp").body


@pytest.mark.parametrize("query", [{"kind": "x"}, {"kind": "password"}, {"kind": "recovery_code"}])
def test_what_cannot_be_added_leads_back_to_the_list(ann: Browser, query: dict[str, str]) -> None:
    assert b"Second steps</h1>" in ann.get(ADD, query).body


def test_an_address_to_add_an_app_is_of_one_session(ann: Browser, phone: Phone, clock: Clock) -> None:
    page = ann.submit(ann.get(PAGE), PAGE, add="totp")
    token = forms(page)[ADD].hidden["token"]
    other = Browser(phone)
    log_in(other, other.get(LOGIN))
    for text in (token, "x"):
        assert app_on(other.get(ADD, {"token": text}), clock) != app_on(page, clock)
    own = other.submit(other.get(PAGE), PAGE, add="totp")
    swapped = other.submit(own, ADD, token=token, answer=app_on(own, clock).code())
    assert b"Start again" in swapped.body


def test_where_second_factors_are_off_none_can_be_added(ann: Browser, svc: Services) -> None:
    with installed(replace(svc, settings=replace(svc.settings, second_factor="off"))):
        assert b'name="add"' not in ann.get(PAGE).body
        assert b"otpauth" not in ann.get(ADD).body
