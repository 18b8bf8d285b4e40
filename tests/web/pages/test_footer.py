"""The foot of every page: the language that its reader chooses, and where the operator's links lead."""

import re
from dataclasses import replace
from html import unescape

import pytest

from chalicelib.config import Brand, Settings, load
from chalicelib.services import Services
from chalicelib.web.pages import html
from local.gateway import Answer
from tests.support.browser import CALLBACK, ISSUER, App, Browser, callback_params, forms, register
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed
from tests.web.http.test_unauthenticated_writes import written

LOGIN = {"email": EMAIL, "password": PASSWORD}


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    phone.sign_up(name="Ann")
    return register(svc, phone)


@pytest.fixture
def browser(phone: Phone) -> Browser:
    return Browser(phone)


def language(page: Answer) -> str:
    match = re.search(r'<html lang="([\w-]+)"', page.body.decode())
    assert match, page
    return match[1]


def fields(page: Answer) -> dict[str, str]:
    """What the footer's form carries by itself."""
    footer = page.body.decode().partition("<footer>")[2]
    return {name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', footer)}


def choose(browser: Browser, page: Answer, tag: str, *, at: str = "", origin: str | None = ISSUER) -> Answer:
    """The page on which a reader is after they chose a language on one; `at` is its address, for browsers that say it."""
    headers = [("Referer", f"{ISSUER}{at}")] if at else []
    return browser.post("/language", {**fields(page), "language": tag}, origin=origin, headers=headers)


def test_a_choice_lasts_through_a_login_and_leads_to_the_client(app: App, browser: Browser) -> None:
    page = browser.authorize(app, state="kept")
    assert language(page) == "en"
    page = choose(browser, page, "ar")
    assert language(page) == "ar"
    assert language(browser.submit(page, "/authorize/login", email=EMAIL, password="wrong")) == "ar"
    consent = browser.submit(page, "/authorize/login", **LOGIN)
    assert language(consent) == "ar"
    assert callback_params(browser.submit(consent, "/authorize/consent", decision="allow"))["state"] == "kept"


def test_a_reader_stays_on_the_page_where_they_chose_with_all_of_its_address(browser: Browser) -> None:
    at = "/account/reset-password?token=x"
    page = browser.get(at)
    arabic = choose(browser, page, "ar", at=at)
    assert language(arabic) == "ar"
    assert html.messages("ar")["reset.reset_too_old"] in arabic.body.decode()


def test_who_chose_on_a_page_in_a_requests_language_has_the_choice_there_and_where_that_is_asked_for_again(
    app: App, browser: Browser
) -> None:
    page = browser.authorize(app, ui_locales="en")
    assert language(choose(browser, page, "ar")) == "ar"
    assert language(browser.authorize(app, ui_locales="en")) == "ar"
    # What nobody chose against is the request's to say, and what is said nowhere is the choice.
    assert language(browser.authorize(app, ui_locales="en-GB")) == "en"
    assert language(browser.authorize(app)) == "ar"


def test_a_choice_within_a_pushed_request_counts_too(app: App, browser: Browser) -> None:
    answer = app.post("/oauth/par", app.request(ui_locales="ar"))
    request = {"client_id": app.id, "request_uri": answer.json()["request_uri"]}
    page = browser.get("/oauth/authorize", request)
    assert language(page) == "ar"
    assert language(choose(browser, page, "en")) == "en"


def test_the_request_then_the_choice_then_the_account_then_the_browser_say_the_language(
    svc: Services, app: App, browser: Browser
) -> None:
    arabic = [("Accept-Language", "ar")]
    browser.submit(browser.get("/authorize/login"), "/authorize/login", **LOGIN)
    assert language(browser.get("/account", headers=arabic)) == "ar"
    uid = svc.users.find(EMAIL) or ""
    svc.users.change_profile(uid, {"locale": "en-GB"}, now=svc.now())
    for path in ("/account", "/", "/account/sessions"):
        assert language(browser.get(path, headers=arabic)) == "en"
    assert language(browser.get("/oauth/authorize", app.request(), headers=arabic)) == "en"
    choose(browser, browser.get("/account"), "ar")
    assert language(browser.get("/account")) == "ar"
    assert language(browser.get("/account", {"ui_locales": "en"})) == "en"


@pytest.mark.usefixtures("app")
def test_an_error_page_is_in_the_language_that_was_chosen(browser: Browser) -> None:
    choose(browser, browser.get("/"), "ar")
    assert language(browser.get("/oauth/authorize", {"client_id": "nobody"})) == "ar"
    assert language(browser.post("/authorize/login", {})) == "ar"


@pytest.mark.usefixtures("app")
def test_a_choice_on_the_account_page_is_the_accounts_and_takes_the_place_of_one_in_this_browser(
    svc: Services, browser: Browser, phone: Phone
) -> None:
    browser.submit(browser.get("/authorize/login"), "/authorize/login", **LOGIN)
    choose(browser, browser.get("/account"), "ar")
    page = browser.submit(browser.get("/account"), "/account", locale="en")
    assert language(page) == "en"
    user = svc.users.read(svc.users.find(EMAIL) or "")
    assert user
    assert user.claims["locale"] == "en"
    other = Browser(phone)
    other.submit(other.get("/authorize/login"), "/authorize/login", **LOGIN)
    assert language(other.get("/account", headers=[("Accept-Language", "ar")])) == "en"
    browser.submit(browser.get("/account"), "/account", locale="")
    assert language(browser.get("/account", headers=[("Accept-Language", "ar")])) == "ar"


@pytest.mark.usefixtures("app")
def test_a_language_that_an_app_has_set_stays_when_the_profile_is_saved(svc: Services, browser: Browser) -> None:
    uid = svc.users.find(EMAIL) or ""
    svc.users.change_profile(uid, {"locale": "de-CH"}, now=svc.now())
    browser.submit(browser.get("/authorize/login"), "/authorize/login", **LOGIN)
    page = browser.get("/account").body.decode()
    assert "<option selected>de-CH</option>" in page
    browser.submit(browser.get("/account"), "/account", name="Ann B", locale="de-CH")
    user = svc.users.read(uid)
    assert user
    assert (user.name, user.claims["locale"]) == ("Ann B", "de-CH")


# --- what somebody else could make of it ---


@pytest.mark.parametrize(
    "referrer",
    ["https://evil.example/", f"{ISSUER}.evil.example/", f"{ISSUER}@evil.example/", "//evil.example", "/x", ""],
)
def test_a_choice_leads_to_no_other_site(browser: Browser, referrer: str) -> None:
    for to in ("https://evil.example", "//evil.example", "account/../../x", "oauth/authorize"):
        data = {"language": "ar", "to": to, "instead_of": "x"}
        headers = [("Referer", referrer)] if referrer else []
        answer = browser._call("POST", "/language", html_form(data), [*FORM, ("Origin", ISSUER), *headers])
        assert (answer.status, answer.header("Location")) == (303, f"{ISSUER}/")


FORM = [("Content-Type", "application/x-www-form-urlencoded")]


def html_form(data: dict[str, str]) -> bytes:
    return "&".join(f"{name}={value}" for name, value in data.items()).encode()


def test_another_site_chooses_nothing(browser: Browser) -> None:
    for origin in ("https://evil.example", "null"):
        assert choose(browser, browser.get("/"), "ar", origin=origin).status == 403
    assert language(browser.get("/")) == "en"


@pytest.mark.parametrize("tag", ["xx", "", "ar; Secure", "en.ar", "x" * 5000, "ar\r\nX: y"])
def test_what_is_no_language_is_not_kept(browser: Browser, tag: str) -> None:
    choose(browser, browser.get("/"), tag)
    assert not [name for name in browser.cookies if "language" in name]


@pytest.mark.parametrize("instead_of", ["; Domain=evil.example", "x" * 17, "é", "\r\n"])
def test_what_else_the_form_says_is_in_no_cookie_but_as_a_digest(browser: Browser, instead_of: str) -> None:
    browser.post("/language", {"language": "ar", "instead_of": instead_of, "to": ""})
    assert browser.cookies["__Host-latchkey-language"] == "ar."


@pytest.mark.usefixtures("app")
def test_the_cookie_says_a_language_and_nothing_of_anybody(phone: Phone) -> None:
    values = set()
    for _ in range(2):
        browser = Browser(phone)
        browser.submit(browser.get("/authorize/login"), "/authorize/login", **LOGIN)
        choose(browser, browser.get("/account"), "ar")
        values.add(browser.cookies["__Host-latchkey-language"])
        assert any("SameSite=Lax" in line and "HttpOnly" in line for line in browser.set_cookies)
    assert len(values) == 1


def test_a_choice_writes_nothing(svc: Services, browser: Browser) -> None:
    with written(svc) as keys:
        choose(browser, browser.get("/"), "ar")
    assert keys == []


# --- the operator's links ---

LINKS = {
    "LATCHKEY_BRAND_FAVICON": "https://f.example/icon.png",
    "LATCHKEY_BRAND_HELP": "mailto:help@f.example?subject=Login",
    "LATCHKEY_BRAND_PRIVACY": "https://f.example/{language}/privacy?a=1&b=2",
    "LATCHKEY_BRAND_TERMS": "https://f.example/terms",
}


def page_of(settings: Settings, tag: str = "en") -> str:
    return str(html.page(settings, "device_done.html", language=tag, now=0, approved=True).body)


def test_links_of_the_operators_are_in_the_footer_in_the_readers_language() -> None:
    settings = load({"LATCHKEY_ISSUER": ISSUER, **LINKS})
    english, arabic = page_of(settings), page_of(settings, "ar")
    assert '<a href="https://f.example/en/privacy?a=1&amp;b=2">Privacy</a>' in english
    assert 'href="https://f.example/ar/privacy?a=1&amp;b=2"' in arabic
    assert '<a href="mailto:help@f.example?subject=Login">Help</a>' in english
    assert '<a href="https://f.example/terms">Terms</a>' in english
    assert '<link rel="icon" href="https://f.example/icon.png">' in english
    plain = page_of(load({"LATCHKEY_ISSUER": ISSUER}))
    assert "Privacy" not in plain
    assert 'rel="icon"' not in plain


@pytest.mark.parametrize("name", LINKS)
@pytest.mark.parametrize(
    "value", ["http://f.example", "javascript:alert(1)", "https://f.example/{user}", 'https://f.example/"x', "mailto:"]
)
def test_a_link_that_is_none_stops_the_start(name: str, value: str) -> None:
    if name != "LATCHKEY_BRAND_FAVICON" or not value.startswith("https:"):
        with pytest.raises(ValueError, match=name):
            load({"LATCHKEY_ISSUER": ISSUER, name: value})


def test_the_browsers_own_request_for_a_sign_is_answered(svc: Services, clock: Clock, phone: Phone) -> None:
    none = phone.call("GET /favicon.ico")
    assert (none.status, none.body) == (204, b"")
    brand = Brand(favicon="https://f.example/icon.png")
    with installed(replace(svc, settings=replace(svc.settings, brand=brand))):
        answer = Phone(clock).call("GET /favicon.ico")
    assert (answer.status, answer.header("Location")) == (303, "https://f.example/icon.png")
    assert "max-age" in (answer.header("Cache-Control") or "")


@pytest.mark.parametrize("name", ["Fern \u202e& Co", "<script>alert(1)</script>", "n" * 200])
def test_a_name_stays_text_and_by_itself(name: str) -> None:
    page = page_of(load({"LATCHKEY_ISSUER": ISSUER, "LATCHKEY_BRAND_NAME": name}))
    assert (
        f'<p class="brand" dir="auto">{name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")}</p>'
        in page
    )
    assert "<script>alert" not in page


def test_the_forms_of_a_page_are_without_that_of_its_footer(browser: Browser) -> None:
    page = browser.get("/authorize/login")
    assert "/language" not in forms(page)
    assert page.body.count(b'action="https://id.example/language"') == 1
    assert CALLBACK not in page.body.decode()
