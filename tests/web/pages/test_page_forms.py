"""Every form of a page is answered with a redirect, bound to what it showed, and good for one outcome."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from chalicelib.flows.accounts import mailed_signup, recovery, verification
from chalicelib.services import Services
from chalicelib.web.metadata.apis import operations
from chalicelib.web.pages import html
from local.gateway import Answer
from tests.support import counter, email_change, mailed_login
from tests.support.browser import (
    FORM_TYPE,
    ISSUER,
    App,
    Browser,
    callback_params,
    encoded,
    forms,
    register,
    token_response,
)
from tests.support.forge import peek
from tests.support.marks import TYPED, check_marks
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed
from tests.support.session_end import session_end_link

LOGIN = {"email": EMAIL, "password": PASSWORD}
WRONG = {"email": EMAIL, "password": "a wrong and long password"}
BOB = "bob@example.com"
MISTAKE = "__Host-latchkey-mistake"
MINUTES = 301


@pytest.fixture
def svc(svc: Services) -> Services:
    """Services that send mail."""
    return replace(svc, settings=replace(svc.settings, mail_from="login@id.example"))


@pytest.fixture(autouse=True)
def _second_factor() -> Iterator[None]:
    """Whoever is enrolled has one."""
    with counter.installed():
        yield


def submit(browser: Browser, page: Answer, path: str, **typed: str) -> Answer:
    """The answer to a form itself, which the browser has not yet followed."""
    filled = encoded({**forms(page)[path].hidden, **typed}).encode()
    return browser._call("POST", path, filled, [("Content-Type", FORM_TYPE), ("Origin", ISSUER)])


def follow(browser: Browser, answer: Answer) -> Answer:
    assert answer.status == 303
    return browser.get((answer.header("Location") or "").removeprefix(ISSUER))


def text(page: Answer) -> str:
    return unescape(re.sub(r"<[^>]*>", "", page.body.decode()))


def at_login(browser: Browser, app: App, **changes: str | None) -> Answer:
    return browser.authorize(app, **changes)


def at_consent(browser: Browser, app: App, **changes: str | None) -> Answer:
    return browser.submit(at_login(browser, app, **changes), "/authorize/login", **LOGIN)


def at_choice(browser: Browser, app: App) -> Answer:
    browser.log_in(app)
    return browser.authorize(app, prompt="select_account")


def at_device(browser: Browser, app: App) -> Answer:
    browser.log_in(app)
    return browser.get("/device")


def typed_code(browser: Browser, app: App) -> Answer:
    television = register(app.svc, app.phone, "television")
    code = television.post("/oauth/device", {}).json()["user_code"]
    return browser.submit(at_device(browser, app), "/device", user_code=code)


def at_proof(browser: Browser, app: App) -> Answer:
    counter.enrol(app.svc, app.svc.users.find(EMAIL) or "")
    return at_consent(browser, app)


def at_enrolment(browser: Browser, app: App) -> Answer:
    demanding = register(app.svc, app.phone, require_second_factor=True)
    return browser.submit(browser.authorize(demanding), "/authorize/login", email=EMAIL, password=PASSWORD)


def at_logout(browser: Browser, app: App) -> Answer:
    browser.log_in(app)
    return browser.get("/oauth/logout")


def at_link(browser: Browser, app: App) -> Answer:
    user = app.svc.users.read(app.svc.users.find(EMAIL) or "")
    assert user
    return browser.follow_mail(f"/account/verify-email?{urlencode({'token': verification.link(app.svc, user)})}")


def at_reset_link(browser: Browser, app: App) -> Answer:
    user = app.svc.users.read(app.svc.users.find(EMAIL) or "")
    assert user
    return browser.get(f"/account/reset-password?{urlencode({'token': recovery.link(app.svc, user)})}")


def at_email_change(browser: Browser, app: App) -> Answer:
    user = app.svc.users.read(app.svc.users.find(EMAIL) or "")
    assert user
    return browser.follow_mail(f"/account/change-email?{urlencode({'token': email_change.change_link(app.svc, user)})}")


def at_undo(browser: Browser, app: App) -> Answer:
    user = app.svc.users.read(app.svc.users.find(EMAIL) or "")
    assert user
    return browser.get(f"/account/undo-email-change?{urlencode({'token': email_change.undo_link(app.svc, user)})}")


def at_session_end(browser: Browser, app: App) -> Answer:
    user = app.svc.users.read(app.svc.users.find(EMAIL) or "")
    assert user
    return browser.get(f"/account/end-session?{urlencode({'token': session_end_link(app.svc, user)})}")


def at_login_code(browser: Browser, app: App) -> Answer:
    hidden = forms(at_login(browser, app))["/authorize/login"].hidden
    return browser.post("/authorize/mail", {**hidden, "email": EMAIL})


def at_login_link(browser: Browser, app: App) -> Answer:
    at_login_code(browser, app)
    token = mailed_login.link_for(app.svc, browser.cookies[mailed_login.COOKIE])
    return browser.get(f"/authorize/mailed?{urlencode({'token': token})}")


def at_sign_up_link(browser: Browser, app: App) -> Answer:
    token = mailed_signup.link(app.svc, "new@example.com")
    return browser.get(f"/account/sign-up?{urlencode({'token': token})}")


# What people do with the forms of pages, well and badly.
DEEDS: dict[str, tuple[Callable[[Browser, App], Answer], str, dict[str, str]]] = {
    "log in": (at_login, "/authorize/login", LOGIN),
    "log in with a wrong password": (at_login, "/authorize/login", WRONG),
    "log in without anything": (at_login, "/authorize/login", {}),
    "sign up": (
        lambda b, a: b.sign_up_page(at_login(b, a)),
        "/authorize/signup",
        {"email": "new@example.com", "password": PASSWORD},
    ),
    "sign up with a mistake": (lambda b, a: b.sign_up_page(at_login(b, a)), "/authorize/signup", {"email": "?"}),
    "ask for one more mail": (at_login_code, "/authorize/mail", {}),
    "type a wrong code of a mail": (at_login_code, "/authorize/mailed", {"code": "000000"}),
    "log in by a link": (at_login_link, "/authorize/mailed", {}),
    "go on": (at_choice, "/authorize/continue", {}),
    "allow": (at_consent, "/authorize/consent", {"decision": "allow"}),
    "deny": (at_consent, "/authorize/consent", {"decision": "deny"}),
    "take another account": (at_consent, "/authorize/consent", {"decision": "switch"}),
    "allow by form_post": (
        lambda b, a: at_consent(b, a, response_mode="form_post"),
        "/authorize/consent",
        {"decision": "allow"},
    ),
    "type a wrong code": (at_device, "/device", {"user_code": "BBBB-BBBB"}),
    "type a code": (typed_code, "/device", {}),
    "connect": (typed_code, "/device", {"decision": "allow"}),
    "refuse a device": (typed_code, "/device", {"decision": "deny"}),
    "take another account for a device": (typed_code, "/device", {"decision": "switch"}),
    "choose a factor to add": (at_enrolment, "/authorize/enrol", {"choose": "totp"}),
    "add a factor wrongly": (at_enrolment, "/authorize/enrol", {"answer": "x"}),
    "prove a factor wrongly": (at_proof, "/authorize/proof", {"answer": "x"}),
    "choose a factor": (at_proof, "/authorize/proof", {"choose": "counter"}),
    "choose a new password": (at_reset_link, "/account/reset-password", {"password": "an entirely other phrase 7"}),
    "choose a weak password": (at_reset_link, "/account/reset-password", {"password": "password"}),
    "sign up by mail": (at_sign_up_link, "/account/sign-up", {"password": PASSWORD}),
    "sign up by mail with a weak password": (at_sign_up_link, "/account/sign-up", {"password": "password"}),
    "verify an address": (at_link, "/account/verify-email", {}),
    "change an address": (at_email_change, "/account/change-email", {}),
    "end a session by a mail": (at_session_end, "/account/end-session", {}),
    "undo that": (at_undo, "/account/undo-email-change", {}),
    "log out": (at_logout, "/oauth/logout/confirm", {}),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_every_form_is_answered_with_a_redirect_and_so_is_what_is_stale(browser: Browser, app: App, deed: str) -> None:
    page, path, typed = DEEDS[deed]
    form_page = page(browser, app)
    for change in ({}, {"form_token": "x"}):
        answer = submit(browser, form_page, path, **typed, **change)
        assert (answer.status, answer.body) == (303, b"")
        assert answer.header("Retry-After") is None


def test_no_form_of_ours_has_another_answer_whatever_is_sent(phone: Phone) -> None:
    ours = [each for each in operations() if each.method == "POST" and "form_token" in each.takes]
    assert {each.path for each in ours} >= {path for _, path, _ in DEEDS.values()}
    for each in ours:
        for raw, kind in (
            (b"", FORM_TYPE),
            (b"to=device", FORM_TYPE),
            (b"{}", "application/json"),
            (b"%ff=%ff", FORM_TYPE),
        ):
            assert phone.call(f"POST {each.path}", raw=raw, headers={"Content-Type": kind}).status == 303


def test_form_post_comes_from_a_get(browser: Browser, app: App) -> None:
    answer = submit(
        browser, at_consent(browser, app, response_mode="form_post"), "/authorize/consent", decision="allow"
    )
    page = follow(browser, answer)
    (form,) = forms(page).values()
    assert form.action == "https://app.example/cb"
    assert "code" in form.hidden


# --- a mistake ---


def test_a_mistake_is_told_once_and_to_nobody_else(browser: Browser, app: App, phone: Phone) -> None:
    page = at_login(browser, app)
    answer = submit(browser, page, "/authorize/login", **WRONG)
    location = (answer.header("Location") or "").removeprefix(ISSUER)
    others = Browser(phone)
    others.cookies = {MISTAKE: browser.cookies[MISTAKE]}
    again = browser.get(location)
    assert "is wrong" in text(again)
    assert forms(again)["/authorize/login"].typed == {"email": EMAIL, "password": ""}
    assert "is wrong" not in text(browser.get(location))
    assert "is wrong" not in text(others.get(location))


def test_a_mistake_is_told_by_its_own_form_for_its_own_request_alone(browser: Browser, app: App) -> None:
    page, other = at_login(browser, app), at_login(browser, app, state="another tab")
    answer = submit(browser, page, "/authorize/login", **WRONG)
    for another in (at_login(browser, app, state="another tab"), browser.sign_up_page(page)):
        assert "is wrong" not in text(another)
    assert "is wrong" in text(follow(browser, answer))
    assert "/authorize/consent" in forms(browser.submit(other, "/authorize/login", **LOGIN))


def test_a_mistake_is_forgotten_after_minutes(browser: Browser, app: App, clock: Clock) -> None:
    answer = submit(browser, at_login(browser, app), "/authorize/login", **WRONG)
    assert any(line.startswith(f"{MISTAKE}=") and "Max-Age=300" in line for line in browser.set_cookies)
    clock.advance(MINUTES)
    assert "is wrong" not in text(follow(browser, answer))


def test_what_was_typed_can_be_read_by_nobody_on_the_way(browser: Browser, app: App) -> None:
    name = "Somebody of some name"
    page = browser.sign_up_page(at_login(browser, app))
    typed = {"email": "somebody@example.com", "password": "password1", "name": name}
    answer = submit(browser, page, "/authorize/signup", **typed)
    (line,) = [line for line in browser.set_cookies if line.startswith(f"{MISTAKE}=")]
    for word in ("somebody", "password1", "Somebody"):
        assert word not in line
        assert word not in str(answer.headers)
    assert {"HttpOnly", "SameSite=Lax", "Secure"} <= set(line.split("; "))
    assert "password1" not in follow(browser, answer).body.decode()


def test_what_is_too_long_for_a_cookie_is_a_mistake_without_what_was_typed(browser: Browser, app: App) -> None:
    page = browser.sign_up_page(at_login(browser, app))
    typed = {"email": "\U0001f600" * 300, "name": "\U0001f600" * 300, "password": PASSWORD}
    answer = submit(browser, page, "/authorize/signup", **typed)
    assert all(len(line) < 4000 for line in browser.set_cookies)
    assert "too long" in text(follow(browser, answer))


@pytest.mark.parametrize("deed", DEEDS)
def test_the_page_after_a_form_refers_to_what_is_there_and_has_one_focus(browser: Browser, app: App, deed: str) -> None:
    page, path, typed = DEEDS[deed]
    after = browser.submit(page(browser, app), path, **typed)
    if after.body:  # or back at the client
        marks = check_marks(after)
        assert typed.get("password", PASSWORD) not in {each.get("value") for each in marks.fields.values()}


@pytest.mark.parametrize(("page", "path"), dict.fromkeys((page, path) for page, path, _ in DEEDS.values()))
def test_whatever_is_typed_stays_text_and_what_is_wrong_is_at_its_field(
    browser: Browser, app: App, page: Callable[[Browser, App], Answer], path: str
) -> None:
    at_form = page(browser, app)
    for each in TYPED:
        after = browser.submit(at_form, path, **dict.fromkeys(forms(at_form)[path].typed, each))
        if after.body:
            check_marks(after)
            assert b"<script>x" not in after.body
            at_form = after if path in forms(after) else at_form


# --- bound to what it showed ---


@pytest.fixture
def bob(phone: Phone) -> str:
    phone.sign_up(BOB)
    return BOB


def test_who_goes_on_goes_on_as_who_was_named_or_not_at_all(browser: Browser, app: App, bob: str) -> None:
    page = at_choice(browser, app)
    assert EMAIL in text(page)
    browser.submit(browser.get("/authorize/login"), "/authorize/login", email=bob, password=PASSWORD)
    answer = browser.submit(page, "/authorize/continue")
    assert (answer.status, answer.header("Location")) == (403, None)
    assert bob in text(browser.authorize(app, prompt="select_account"))


def test_what_a_form_leads_to_is_no_use_to_another_user(browser: Browser, app: App, bob: str) -> None:
    onward = submit(browser, at_choice(browser, app), "/authorize/continue")
    browser.submit(browser.get("/authorize/login"), "/authorize/login", email=bob, password=PASSWORD)
    page = follow(browser, onward)
    assert "/authorize/continue" in forms(page)
    assert bob in text(page)


def test_a_device_form_is_for_one_code_on_one_page(browser: Browser, app: App, svc: Services, phone: Phone) -> None:
    television = register(svc, phone, "television")
    mine, theirs = (television.post("/oauth/device", {}).json() for _ in range(2))
    first = at_device(browser, app)
    decision = browser.submit(first, "/device", user_code=mine["user_code"])
    form_tokens = {"the first page's": forms(first)["/device"].hidden["form_token"]}
    form_tokens["the other code's"] = forms(browser.submit(first, "/device", user_code=theirs["user_code"]))[
        "/device"
    ].hidden["form_token"]
    for form_token in form_tokens.values():
        assert browser.submit(decision, "/device", decision="allow", form_token=form_token).status == 403
    assert browser.submit(decision, "/device", decision="allow", user_code=theirs["user_code"]).status == 403
    skipped = {**forms(first)["/device"].hidden, "user_code": theirs["user_code"], "decision": "allow"}
    assert browser.post("/device", skipped).status == 403
    assert "Device connected" in text(browser.submit(decision, "/device", decision="allow"))


# --- one outcome ---


@pytest.mark.parametrize("changes", [{"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "0"}], ids=str)
def test_the_address_that_a_form_leads_to_is_good_for_one_outcome(
    browser: Browser, app: App, svc: Services, clock: Clock, changes: dict[str, str]
) -> None:
    browser.log_in(app)
    clock.advance(10)
    page = browser.authorize(app, **changes)
    onward = submit(browser, page, "/authorize/login", **LOGIN)
    for _ in range(2):  # a button that is pressed twice
        assert "code" in callback_params(follow(browser, onward))
    clock.advance(svc.settings.retry_window_seconds + 1)
    assert "/authorize/login" in forms(follow(browser, onward))


def test_a_refusal_is_an_outcome_too(browser: Browser, app: App, svc: Services, clock: Clock) -> None:
    consent = at_consent(browser, app, prompt="login")
    onward = submit(browser, consent, "/authorize/consent", decision="deny")
    assert callback_params(follow(browser, onward))["error"] == "access_denied"
    clock.advance(svc.settings.retry_window_seconds + 1)
    assert "/authorize/login" in forms(follow(browser, onward))
    assert "/authorize/login" in forms(browser.submit(consent, "/authorize/consent", decision="allow"))


def test_the_address_that_a_form_leads_to_ends_after_minutes(browser: Browser, app: App, clock: Clock) -> None:
    browser.log_in(app)
    onward = submit(browser, browser.authorize(app, prompt="select_account"), "/authorize/continue")
    clock.advance(MINUTES)
    assert "/authorize/continue" in forms(follow(browser, onward))


def test_a_consent_that_is_asked_for_each_time_is_given_once(
    browser: Browser, app: App, svc: Services, clock: Clock
) -> None:
    onward = submit(browser, at_consent(browser, app, prompt="consent"), "/authorize/consent", decision="allow")
    assert "code" in callback_params(follow(browser, onward))
    clock.advance(svc.settings.retry_window_seconds + 1)
    again = follow(browser, onward)
    assert "/authorize/consent" in forms(again)
    assert "code" in callback_params(browser.submit(again, "/authorize/consent", decision="allow"))


@pytest.mark.parametrize("change", ["state=other", "scope=openid"])
def test_what_was_done_for_one_request_was_done_for_no_other(browser: Browser, app: App, change: str) -> None:
    browser.log_in(app)
    onward = submit(browser, browser.authorize(app, prompt="login"), "/authorize/login", **LOGIN)
    name, _, value = change.partition("=")
    target = (onward.header("Location") or "").removeprefix(ISSUER)
    pairs = {**dict(parse_qsl(urlsplit(target).query)), name: value}
    assert "/authorize/login" in forms(browser.get("/oauth/authorize", pairs))


# --- requests that are too long for an address ---


def long_request(app: App, **changes: str | None) -> dict[str, str]:
    claims = json.dumps({"userinfo": {f"x{n}": None for n in range(350)}})
    return app.request(claims=claims, prompt="login", **changes)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_long_request_is_kept_while_its_user_logs_in(browser: Browser, app: App, clock: Clock, method: str) -> None:
    request = long_request(app)
    assert len(encoded(request)) > 6000
    page = browser.get("/oauth/authorize", request) if method == "GET" else browser.post("/oauth/authorize", request)
    again = browser.submit(page, "/authorize/login", **WRONG)
    assert len(forms(again)["/authorize/login"].hidden["to"]) < 300
    clock.advance(3600)
    answer = callback_params(browser.finish(again))
    assert answer["state"] == "xyz"
    assert app.redeem(answer["code"]).status == 200


def test_a_long_request_is_its_own_clients_and_counts_for_no_pushed_one(
    browser: Browser, app: App, svc: Services, phone: Phone
) -> None:
    page = browser.post("/oauth/authorize", long_request(app))
    short = dict(parse_qsl(forms(page)["/authorize/login"].hidden["to"].partition("?")[2]))
    other = register(svc, phone)
    assert browser.get("/oauth/authorize", {**short, "client_id": other.id}).status == 400
    assert browser.get("/oauth/authorize", {"request_uri": short["request_uri"]}).status == 400
    assert browser.get("/oauth/authorize", {**short, "request_uri": f"{short['request_uri']}x"}).status == 400
    strict = register(svc, phone, require_pushed_authorization_requests=True)
    error = callback_params(browser.post("/oauth/authorize", long_request(strict)))
    assert error["error"] == "invalid_request"


def test_nothing_is_kept_for_strangers_and_not_much_for_anybody(browser: Browser, app: App, svc: Services) -> None:
    def stored() -> int:
        items = svc.users._client.call("Scan", TableName=svc.settings.grants_table)["Items"]
        # That the client was refused is kept in one item, whatever was sent (tests/web/oauth/test_client_refusals.py).
        return len([item for item in items if item["sk"] != {"S": "refusals"}])

    before = stored()
    assert browser.post("/oauth/authorize", {**long_request(app), "client_id": "nobody"}).status == 400
    assert browser.post("/oauth/authorize", {**long_request(app), "redirect_uri": "https://evil.example"}).status == 400
    assert stored() == before
    most, _ = svc.settings.limits["pushed_request_network"]
    statuses = {browser.post("/oauth/authorize", long_request(app)).status for _ in range(most + 1)}
    assert statuses == {200, 429}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_uses_up_what_is_kept_for_a_network_keeps_nobody_out_whose_request_fits(
    svc: Services, browser: Browser, app: App, phone: Phone, method: str
) -> None:
    settings = replace(svc.settings, limits={**svc.settings.limits, "pushed_request_network": (1, 900)})
    with installed(replace(svc, settings=settings)):
        stranger = Browser(phone)
        assert [stranger.authorize(app, nonce="x" * 1500).status for _ in range(2)] == [200, 200]
        for size, status in ((1000, 200), (2500, 200), (3500, 429)):
            request = app.request(nonce="x" * size)
            ask = browser.get if method == "GET" else browser.post
            page = ask("/oauth/authorize", request)
            assert page.status == status
        page = browser.authorize(app, nonce="x" * 1500)
        code = callback_params(browser.finish(page))["code"]
        assert peek(token_response(app.redeem(code))["id_token"])[1]["nonce"] == "x" * 1500


# --- too many attempts ---


def test_who_has_tried_too_often_reads_when_to_try_again_and_no_field_is_called_wrong(
    browser: Browser, app: App, clock: Clock
) -> None:
    page = at_login(browser, app)
    for _ in range(5):
        page = browser.submit(page, "/authorize/login", **WRONG)
    assert b'aria-invalid="true"' in page.body
    page = browser.submit(page, "/authorize/login", **LOGIN)
    assert "You can try again in one second." in text(page)
    assert b'aria-invalid="true"' not in page.body
    for wait in range(8):
        clock.advance(1 << wait)
        page = browser.submit(page, "/authorize/login", **WRONG)
    page = browser.submit(page, "/authorize/login", **LOGIN)
    assert "You can try again in 5 minutes." in text(page)
    clock.advance(256 - 61)
    page = browser.submit(page, "/authorize/login", **LOGIN)
    assert "in two minutes" in text(page)
    clock.advance(1)
    page = browser.submit(page, "/authorize/login", **LOGIN)
    assert "in one minute." in text(page)
    arabic = browser.get("/authorize/login", {"to": forms(page)["/authorize/login"].hidden["to"] + "&ui_locales=ar"})
    assert "دقيقة واحدة" in text(browser.submit(arabic, "/authorize/login", **LOGIN))


@pytest.mark.parametrize(
    ("seconds", "arabic"),
    [
        (0, "ثانية واحدة"),
        (2, "ثانيتين"),
        (8, "8 ثوانٍ"),
        (32, "32 ثانية"),
        (60, "دقيقة واحدة"),
        (61, "دقيقتين"),
        (179, "3 دقائق"),
        (600, "10 دقائق"),
        (601, "11 دقيقة"),
        (6180, "103 دقائق"),
        (7201, "3 ساعات"),
        (86400, "24 ساعة"),
    ],
)
def test_arabic_counts_seconds_minutes_and_hours_as_arabic_does(seconds: int, arabic: str) -> None:
    """CLDR's plural rules."""
    assert arabic in html.error_text(html.messages("ar"), "too_many_requests", seconds)


# --- the language of a device's user ---


def test_the_language_that_a_device_asks_for_lasts_through_all_its_pages(
    browser: Browser, app: App, svc: Services, phone: Phone
) -> None:
    television = register(svc, phone, "television")
    code = television.post("/oauth/device", {}).json()["user_code"]
    login = browser.get("/device", {"user_code": "BBBB-BBBB", "ui_locales": "ar"})
    wrong = browser.submit(login, "/authorize/login", **WRONG)
    mistaken = browser.submit(wrong, "/authorize/login", **LOGIN)
    mistyped = browser.submit(mistaken, "/device", user_code="BBBB-BBBC")
    decision = browser.submit(mistyped, "/device", user_code=code)
    done = browser.submit(decision, "/device", decision="allow")
    for page in (login, browser.sign_up_page(login), wrong, mistaken, mistyped, decision, done):
        assert b'lang="ar" dir="rtl"' in page.body
    assert callback_params(browser.authorize(app, prompt="none"))["error"] == "consent_required"


# --- the page at the root ---


def test_the_page_at_the_root_says_what_runs_here_and_leads_everywhere(browser: Browser, phone: Phone) -> None:
    page = browser.get("/")
    links = [unescape(each) for each in re.findall(r'<a[^>]* href="([^"]+)"', page.body.decode())]
    assert len(links) >= 6
    for link in links:
        assert link.startswith(f"{ISSUER}/")
        assert phone.call(f"GET {link.removeprefix(ISSUER)}").status == 200


def test_the_language_that_the_page_at_the_root_is_asked_for_goes_along_with_who_leaves_it(browser: Browser) -> None:
    root = browser.get("/", {"ui_locales": "ar"})
    for_people = root.body.decode().partition("<details>")[0]
    links = [unescape(each).removeprefix(ISSUER) for each in re.findall(r'<a[^>]* href="([^"]+)"', for_people)]
    assert len(links) == 3
    linked = [browser.get(link) for link in links]
    login = browser.get("/authorize/login", {"ui_locales": "ar"})
    wrong = browser.submit(login, "/authorize/login", **WRONG)
    home = browser.submit(wrong, "/authorize/login", **LOGIN)
    for page in (root, *linked, login, wrong, home):
        assert b'lang="ar" dir="rtl"' in page.body


def test_who_logs_in_for_nothing_in_particular_is_told_so_and_may_log_out(browser: Browser) -> None:
    home = browser.submit(browser.get("/authorize/login"), "/authorize/login", **LOGIN)
    assert f"You are logged in as {EMAIL}." in text(home)
    out = browser.submit(browser.get("/oauth/logout"), "/oauth/logout/confirm")
    assert "You are logged out" in text(out)
    assert EMAIL not in text(browser.get("/"))


@pytest.mark.parametrize(
    "to", ["https://evil.example", "//evil.example", "/evil", "evil?a=b", "\\evil", "docs", "oauth/token?x=y"]
)
def test_a_login_leads_to_no_place_but_ours(browser: Browser, to: str) -> None:
    page = browser.get("/authorize/login", {"to": to})
    assert b"evil" not in page.body
    home = browser.submit(page, "/authorize/login", **LOGIN)
    assert f"You are logged in as {EMAIL}." in text(home)


@pytest.mark.parametrize("what", ["", "x", "A" * 200])
def test_nobody_makes_us_say_that_something_went_wrong(browser: Browser, what: str) -> None:
    assert browser.get("/error", {"what": what}).status == 404
