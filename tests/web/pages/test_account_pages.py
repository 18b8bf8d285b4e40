"""Every page for who is logged in, and each form on it, as all of them have to be; a new page is one of them by itself."""

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

import pytest

from chalicelib.services import Services
from local.gateway import Answer
from tests.support import account_pages
from tests.support.browser import FORM_TYPE, ISSUER, App, Browser, encoded, forms
from tests.support.marks import TYPED, check_marks
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone
from tests.web.http.test_unauthenticated_writes import written

LOGIN = {"email": EMAIL, "password": PASSWORD}
LANGUAGES = {"en": b'<html lang="en" dir="ltr"', "ar": b'<html lang="ar" dir="rtl"'}
DOWNLOADS = {"/account/export"}
pytestmark = pytest.mark.parametrize("path", account_pages.PATHS)


@pytest.fixture
def svc(svc: Services) -> Services:
    """Services that send mail, for which there are forms."""
    return replace(svc, settings=replace(svc.settings, mail_from="login@id.example"))


@pytest.fixture
def ann(svc: Services, browser: Browser) -> Browser:
    """A browser in which somebody is logged in who has all that the pages show."""
    account_pages.prepare(svc, EMAIL)
    browser.submit(browser.get("/authorize/login"), "/authorize/login", **LOGIN)
    return browser


def heading(page: Answer) -> str:
    match = re.search(r"<h1>(.*?)</h1>", page.body.decode())
    assert match, page
    return match[1]


def buttons(page: Answer) -> Iterator[tuple[str, dict[str, str], tuple[str, str]]]:
    """Every button of every form on a page, with where it leads and the hidden fields."""
    page_forms = forms(page)
    assert page_forms
    for path, form in page_forms.items():
        assert form.buttons, path
        for button in form.buttons:
            yield path, form.hidden, button


def send(browser: Browser, path: str, fields: dict[str, str], *, origin: str = ISSUER) -> Answer:
    """The answer to a form itself."""
    headers = [("Content-Type", FORM_TYPE), ("Origin", origin)]
    return browser._call("POST", path, encoded(fields).encode(), headers)


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_is_not_logged_in_logs_in_first_and_is_led_back_in_the_same_language(
    browser: Browser, path: str, language: str
) -> None:
    login = browser.get(path, {"ui_locales": language})
    assert login.status == 200
    assert set(forms(login)) == {"/authorize/login", "/authorize/passkey"}
    page = browser.submit(login, "/authorize/login", **LOGIN)
    directly = browser.get(path, {"ui_locales": language})
    assert (page.status, heading(page)) == (200, heading(directly))
    assert heading(page) != heading(login)
    for each in (login, page, directly):
        assert LANGUAGES[language] in each.body


def test_what_needs_a_fresh_login_asks_for_one_and_nothing_else_does(
    ann: Browser, svc: Services, clock: Clock, path: str
) -> None:
    assert len(account_pages.FRESH) > 5
    assert account_pages.FRESH_FORMS <= account_pages.FRESH  # whose form would else lead back to itself
    clock.seconds += svc.settings.fresh_login_seconds + 1
    page = ann.get(path)
    assert ("/authorize/login" in forms(page)) is (path in account_pages.FRESH)
    if path in account_pages.FRESH:
        back = ann.submit(page, "/authorize/login", **LOGIN)
        assert (back.status, heading(back)) == (200, heading(ann.get(path)))
        assert "/authorize/login" not in forms(back)


def test_a_form_that_needs_a_fresh_login_leads_to_one(ann: Browser, svc: Services, clock: Clock, path: str) -> None:
    if path not in account_pages.FRESH_FORMS:
        return
    form = forms(ann.get(path))[path]
    clock.seconds += svc.settings.fresh_login_seconds + 1
    answers = [send(ann, path, {**form.hidden, **dict(buttons)}) for buttons in (form.buttons[:1], [("remove", "one")])]
    assert f"{ISSUER}{path}" in [dict(each.headers).get("Location") for each in answers]


def test_somebody_new_is_led_back_too(browser: Browser, path: str) -> None:
    sign_up = browser.sign_up_page(browser.get(path))
    page = browser.submit(sign_up, "/authorize/signup", email="new@example.com", password=PASSWORD)
    assert heading(page) == heading(browser.get(path))


def test_a_page_is_in_no_frame_in_no_cache_and_has_no_script_but_ours(ann: Browser, path: str) -> None:
    page = ann.get(path)
    policy = page.header("Content-Security-Policy") or ""
    assert {"default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"} <= set(policy.split("; "))
    assert page.header("X-Frame-Options") == "DENY"
    assert page.header("Cache-Control") == "no-store"
    assert page.header("Access-Control-Allow-Origin") is None
    # Each has the one that helps in forms; the pages with passkeys, which are nothing without one, have theirs.
    scripts = re.findall(rb"<script(?: data-[a-z-]+=\"[^\"]*\")*>(.*?)</script>", page.body, re.DOTALL)
    assert page.body.count(b"<script") == len(scripts)
    assert len(scripts) == 1 + (path in {"/account/add-passkey", "/account/factors"})
    (sources,) = (each.removeprefix("script-src ") for each in policy.split("; ") if each.startswith("script-src "))
    for script in scripts:
        assert f"'sha256-{b64encode(sha256(script).digest()).decode()}'" in sources.split()


def test_to_look_at_a_page_writes_nothing(ann: Browser, svc: Services, path: str) -> None:
    with written(svc) as keys:
        assert ann.get(path).status == 200
    assert keys == []


def test_a_form_without_this_browsers_token_does_nothing(
    ann: Browser, app: App, svc: Services, phone: Phone, path: str
) -> None:
    page, other = ann.get(path), Browser(phone)
    other.submit(other.get("/authorize/login"), "/authorize/login", **LOGIN)
    login_token = forms(Browser(phone).authorize(app))["/authorize/login"].hidden["form_token"]
    with written(svc) as keys:
        for to, hidden, (name, value) in buttons(page):
            pressed = {**hidden, name: value}
            answers = [send(ann, to, {**pressed, "form_token": token}) for token in ("", "x", "é", login_token)]
            answers += [send(ann, to, {**pressed, "to": "oauth/logout"}), send(other, to, pressed)]
            answers += [send(ann, to, pressed, origin=origin) for origin in ("https://evil.example", "null")]
            assert {answer.status for answer in answers} == {303}
            locations = [answer.header("Location") or "" for answer in answers]
            assert all(location.startswith(f"{ISSUER}/error?") for location in locations)
            assert ann.get(locations[0].removeprefix(ISSUER)).status == 403
    assert keys == []


def test_each_button_is_answered_with_a_redirect_or_a_file_to_keep(ann: Browser, path: str) -> None:
    for to, hidden, (name, value) in buttons(ann.get(path)):
        answer = send(ann, to, {**hidden, name: value})
        if to in DOWNLOADS:
            assert (answer.header("Content-Disposition") or "").startswith("attachment; ")
            continue
        assert (answer.status, answer.body) == (303, b"")
        assert (answer.header("Location") or "").startswith(f"{ISSUER}/")


def test_a_form_of_a_session_that_has_ended_meanwhile_asks_for_the_login_and_does_nothing(
    ann: Browser, svc: Services, phone: Phone, path: str
) -> None:
    page = ann.get(path)
    phone.call("DELETE /me/sessions", token=phone.log_in()["access_token"])
    with written(svc) as keys:
        for to, hidden, (name, value) in buttons(page):
            login = ann.post(to, {**hidden, name: value})
            assert (login.status, set(forms(login))) == (200, {"/authorize/login", "/authorize/passkey"})
    assert keys == []
    assert heading(ann.submit(login, "/authorize/login", **LOGIN)) == heading(page)


def test_whatever_is_typed_stays_text_and_what_is_wrong_is_at_its_field(ann: Browser, path: str) -> None:
    page = ann.get(path)
    for action, form in forms(page).items():
        for typed in TYPED if form.typed else ():
            name, value = form.buttons[0]
            fields = dict.fromkeys(form.typed, typed) | ({name: value} if name else {})
            after = ann.submit(page, action, **fields)
            check_marks(after)
            assert b"<script>x" not in after.body
    check_marks(ann.get(path))
