"""Forms of other sites, other browsers and other requests (RFC 9700 section 4.7), and old tabs."""

from dataclasses import replace

import pytest

from chalicelib.services import Services
from chalicelib.web.pages.authorize import MAX_QUERY
from local.gateway import Answer
from tests.support.browser import App, Browser, callback_params, encoded, forms, register
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed

MAX_BYTES = 30_000  # of a page

LOGIN = {"email": EMAIL, "password": PASSWORD}
FOREIGN_ORIGINS = [
    "https://evil.example",
    "null",
    "http://id.example",
    "https://id.example:8443",
    "https://id.example.evil.example",
    "https://ID.example.",
    "file://",
    "",
]


def assert_stale(browser: Browser, answer: Answer) -> None:
    """The page that says that this form is none of ours; nobody is logged in by it, and no code leaves."""
    assert answer.status == 403
    assert answer.header("Location") is None
    assert b"stale_page" in answer.body
    assert not any(line.startswith("__Host-latchkey-session=") for line in browser.set_cookies)


def at_consent(browser: Browser, app: App, **changes: str | None) -> Answer:
    return browser.submit(browser.authorize(app, **changes), "/authorize/login", **LOGIN)


def at_device(browser: Browser, svc: Services, phone: Phone) -> Answer:
    app = register(svc, phone, "television")
    code = app.post("/oauth/device", {}).json()["user_code"]
    page = browser.get("/device", {"user_code": code})
    if "/authorize/login" in forms(page):
        page = browser.submit(page, "/authorize/login", **LOGIN)
    return page


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_a_form_from_another_origin_does_nothing(
    browser: Browser, app: App, svc: Services, phone: Phone, origin: str
) -> None:
    page = browser.authorize(app)
    assert_stale(browser, browser.submit(page, "/authorize/login", origin=origin, **LOGIN))
    sign_up = browser.sign_up_page(page)
    assert_stale(
        browser,
        browser.submit(sign_up, "/authorize/signup", origin=origin, email="new@example.com", password=PASSWORD),
    )
    consent = browser.submit(page, "/authorize/login", **LOGIN)
    assert_stale(browser, browser.submit(consent, "/authorize/consent", origin=origin, decision="allow"))
    assert_stale(browser, browser.submit(at_device(browser, svc, phone), "/device", origin=origin, decision="allow"))
    assert "/authorize/consent" in forms(browser.authorize(app))


def test_a_form_without_an_origin_counts_by_its_mark_alone(browser: Browser, app: App) -> None:
    consent = browser.submit(browser.authorize(app), "/authorize/login", origin=None, **LOGIN)
    assert "code" in callback_params(browser.submit(consent, "/authorize/consent", origin=None, decision="allow"))


@pytest.mark.parametrize("form_token", ["", "x", "A" * 43, "é" * 43, "\x00"])
def test_a_form_without_a_mark_of_ours_does_nothing(
    browser: Browser, app: App, svc: Services, phone: Phone, form_token: str
) -> None:
    page = browser.authorize(app)
    assert_stale(browser, browser.submit(page, "/authorize/login", form_token=form_token, **LOGIN))
    assert_stale(browser, browser.submit(browser.sign_up_page(page), "/authorize/signup", form_token=form_token))
    consent = browser.submit(page, "/authorize/login", **LOGIN)
    assert_stale(browser, browser.submit(consent, "/authorize/consent", form_token=form_token, decision="allow"))
    assert_stale(
        browser, browser.submit(at_device(browser, svc, phone), "/device", form_token=form_token, decision="allow")
    )


def test_a_login_form_of_another_browser_logs_nobody_in(browser: Browser, app: App, phone: Phone) -> None:
    # Login CSRF: the attacker fetches a form of his own and has the victim's browser send it.
    attackers = Browser(phone)
    page = attackers.authorize(app)
    assert_stale(browser, browser.submit(page, "/authorize/login", **LOGIN))
    browser.authorize(app)
    assert_stale(browser, browser.submit(page, "/authorize/login", **LOGIN))


def test_a_consent_form_of_another_users_session_does_nothing(browser: Browser, app: App, phone: Phone) -> None:
    phone.sign_up("eve@example.com")
    eves = Browser(phone)
    page = eves.submit(eves.authorize(app), "/authorize/login", email="eve@example.com", password=PASSWORD)
    at_consent(browser, app)
    assert_stale(browser, browser.submit(page, "/authorize/consent", decision="allow"))
    assert "/authorize/consent" in forms(browser.authorize(app))


def test_a_consent_form_of_the_same_users_other_browser_does_nothing(browser: Browser, app: App, phone: Phone) -> None:
    page = at_consent(browser, app)
    other = Browser(phone)
    at_consent(other, app)
    assert_stale(other, other.submit(page, "/authorize/consent", decision="allow"))


def test_a_mark_is_for_one_request_alone(browser: Browser, app: App, svc: Services, phone: Phone) -> None:
    eves = register(svc, phone, redirect_uris=("https://evil.example/cb",))
    mine, theirs = at_consent(browser, app), browser.authorize(eves)
    form_token = forms(mine)["/authorize/consent"].hidden["form_token"]
    assert_stale(browser, browser.submit(theirs, "/authorize/consent", form_token=form_token, decision="allow"))
    wider = browser.authorize(app, scope="notes:write")
    assert_stale(browser, browser.submit(wider, "/authorize/consent", form_token=form_token, decision="allow"))
    request = forms(theirs)["/authorize/consent"].hidden["to"]
    assert_stale(browser, browser.submit(mine, "/authorize/consent", to=request, decision="allow"))


def test_a_mark_is_for_one_kind_of_form_alone(browser: Browser, app: App, svc: Services, phone: Phone) -> None:
    device = at_device(browser, svc, phone)
    consent = browser.authorize(app)
    consent_form_token = forms(consent)["/authorize/consent"].hidden["form_token"]
    device_form_token = forms(device)["/device"].hidden["form_token"]
    assert_stale(browser, browser.submit(consent, "/authorize/consent", form_token=device_form_token, decision="allow"))
    assert_stale(browser, browser.submit(device, "/device", form_token=consent_form_token, decision="allow"))
    login = Browser(phone).authorize(app)
    assert_stale(
        browser,
        browser.submit(consent, "/authorize/consent", form_token=forms(login)["/authorize/login"].hidden["form_token"]),
    )


def test_a_consent_form_after_its_session_has_ended_gives_no_code(browser: Browser, app: App) -> None:
    page = at_consent(browser, app)
    del browser.cookies["__Host-latchkey-session"]
    answer = browser.submit(page, "/authorize/consent", decision="allow")
    assert answer.header("Location") is None
    assert answer.status in (200, 403)


def test_a_disabled_users_browser_is_logged_out(browser: Browser, app: App, svc: Services, phone: Phone) -> None:
    uid = phone.log_in()
    page = at_consent(browser, app)
    svc.users.disable(app.svc.users.find(EMAIL) or uid["user"]["sub"])
    assert browser.submit(page, "/authorize/consent", decision="allow").header("Location") is None
    assert callback_params(browser.authorize(app, prompt="none"))["error"] == "login_required"


def test_an_expired_browser_session_has_to_log_in(browser: Browser, app: App, clock: Clock) -> None:
    browser.log_in(app)
    clock.advance(366 * 24 * 3600)
    assert callback_params(browser.authorize(app, prompt="none"))["error"] == "login_required"


@pytest.mark.parametrize("decision", ["", "deny", "ALLOW", "allow ", "yes", "1"])
def test_only_the_word_allow_allows(browser: Browser, app: App, decision: str) -> None:
    answer = browser.submit(at_consent(browser, app), "/authorize/consent", decision=decision)
    assert callback_params(answer)["error"] == "access_denied"


def test_a_doubled_field_decides_nothing(browser: Browser, app: App) -> None:
    hidden = forms(at_consent(browser, app))["/authorize/consent"].hidden
    pairs = [*hidden.items(), ("decision", "allow"), ("decision", "deny")]
    answer = browser.post("/authorize/consent", pairs)
    assert answer.header("Location") is None or "code" not in callback_params(answer)


def test_the_login_is_asked_again_with_prompt_login_even_if_the_form_is_skipped(browser: Browser, app: App) -> None:
    browser.log_in(app)
    page = browser.authorize(app, prompt="login consent")
    assert "/authorize/consent" not in forms(page)
    assert "/authorize/continue" not in forms(page)
    # A form made for a plain request does not pass for this one.
    plain = forms(browser.authorize(app, prompt="consent"))["/authorize/consent"].hidden
    request = forms(page)["/authorize/login"].hidden["to"]
    assert_stale(browser, browser.post("/authorize/consent", {**plain, "to": request, "decision": "allow"}))


def test_a_consent_from_an_older_tab_still_counts_and_a_double_click_gives_two_working_codes(
    browser: Browser, app: App
) -> None:
    page = at_consent(browser, app)
    browser.authorize(app, state="other tab")
    first = callback_params(browser.submit(page, "/authorize/consent", decision="allow"))["code"]
    second = callback_params(browser.submit(page, "/authorize/consent", decision="allow"))["code"]
    assert first != second
    assert app.redeem(second).status == app.redeem(first).status == 200


@pytest.mark.parametrize("place", ["code", "refresh_token", "access_token"])
def test_no_other_token_passes_for_the_session_cookie(browser: Browser, app: App, phone: Phone, place: str) -> None:
    code = browser.code(app)
    cookie = {"code": code, **app.redeem(browser.code(app)).json()}[place]
    stranger = Browser(phone)
    stranger.cookies["__Host-latchkey-session"] = cookie
    assert callback_params(stranger.authorize(app, prompt="none"))["error"] == "login_required"


@pytest.mark.parametrize("cookie", ["x", "x; __Host-latchkey-session=y", '"', "\\", "a=b=c", "é", "A" * 144])
def test_a_cookie_that_is_none_of_ours_is_nobody(app: App, phone: Phone, cookie: str) -> None:
    stranger = Browser(phone)
    stranger.cookies["__Host-latchkey-session"] = cookie
    assert callback_params(stranger.authorize(app, prompt="none"))["error"] == "login_required"


@pytest.mark.parametrize(
    "changes", [{"prompt": "login"}, {"max_age": "0"}, {"prompt": "login select_account"}], ids=str
)
def test_going_on_as_who_is_logged_in_never_takes_the_place_of_a_login_that_was_asked_for(
    browser: Browser, app: App, clock: Clock, changes: dict[str, str]
) -> None:
    browser.log_in(app)
    clock.advance(10)
    page = browser.authorize(app, **changes)
    hidden = forms(page)["/authorize/login"].hidden
    answer = browser.post("/authorize/continue", hidden)
    assert answer.header("Location") is None
    assert "/authorize/consent" not in forms(answer)


def test_going_on_as_who_is_logged_in_is_offered_where_an_account_is_to_be_chosen(browser: Browser, app: App) -> None:
    browser.log_in(app)
    page = browser.authorize(app, prompt="select_account")
    assert "code" in callback_params(browser.submit(page, "/authorize/continue"))


def test_the_login_page_is_small_with_the_longest_request_that_it_carries_itself(
    svc: Services, browser: Browser, app: App
) -> None:
    settings = replace(svc.settings, mail_from="login@id.example", login_by_mail=True)
    short = len(encoded(app.request(prompt="select_account", state="")))
    most = (MAX_QUERY - short) // 3  # a slash is three bytes in a form and five in a link
    with installed(replace(svc, settings=settings)):
        browser.log_in(app)
        for slashes, is_carried in ((most, True), (most + 1, False), (3000, False)):
            request = {"prompt": "select_account", "state": "/" * slashes}
            hidden = forms(browser.authorize(app, **request))["/authorize/login"].hidden
            assert ("%2F%2F" in hidden["to"]) is is_carried
            browser.post("/authorize/mail", {**hidden, "email": EMAIL})
            # All that the page can have: an account to choose, and a login by mail that waits for its code.
            page = browser.get(f"/{hidden['to']}")
            assert {"/authorize/continue", "/authorize/login", "/authorize/passkey"} == set(forms(page))
            assert b"I have a code from a mail" in page.body
            assert len(page.body) < MAX_BYTES
