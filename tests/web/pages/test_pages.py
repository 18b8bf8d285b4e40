"""The pages as people meet them: stale tabs, double presses, two tabs, no cookies, and every reader's language."""

import json
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html import unescape
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.config import Settings, load
from chalicelib.config.languages import SHIPPED
from chalicelib.domain.accounts.events import EVENTS
from chalicelib.domain.accounts.password_advice import ADVICE
from chalicelib.flows.accounts import account
from chalicelib.services import Services, use
from chalicelib.web.pages import cookies, html
from local.gateway import Answer
from tests.support.browser import FORM_TYPE, ISSUER, App, Browser, callback_params, encoded, forms, register
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone
from tests.support.wire import down, refusing

PICTURES = "https://images.example"
ROOM = Path(html.__file__).parent
# Of texts that are named as the program runs.
PREFIXES = (
    "scope.",
    "event.",
    "error.",
    "mailed_login.",
    "end_session.",
    "time.",
    "month.",
    *(f"{unit}." for unit in ("seconds", *html.UNITS)),
    "sessions.",
    "account.",
    "apps.",
    "footer.",
    "export.",
    "delete.",
    "password.",
    "your_email.",
    "factor.",
    "factor_kind.",
    "factors.",
    "add_factor.",
    "device.",
    "reset.",
    "email.",
    "sign_up.",
    "strength.",
    "advice.",
)


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    phone.sign_up(name="Ann")
    return register(svc, phone)


@pytest.fixture
def browser(phone: Phone) -> Browser:
    return Browser(phone)


def start_again(page: Answer) -> str:
    """Where the way on of an error page leads, as a path."""
    links = re.findall(r'<a class="button" href="([^"]+)"', page.body.decode())
    assert len(links) == 1, page.body
    return unescape(links[0]).removeprefix(ISSUER)


def language(page: Answer) -> str:
    match = re.search(r'<html lang="(\w+)" dir="(\w+)"', page.body.decode())
    assert match
    assert match[2] == ("rtl" if match[1] == "ar" else "ltr")
    return match[1]


def logged_in(browser: Browser, page: Answer) -> Answer:
    return browser.submit(page, "/authorize/login", email=EMAIL, password=PASSWORD)


# --- who was away for long ---


@pytest.mark.parametrize("way", ["as a link", "pushed"])
def test_a_login_form_that_waited_for_an_hour_still_leads_to_the_client(
    app: App, browser: Browser, clock: Clock, way: str
) -> None:
    page = browser.authorize(app) if way == "as a link" else browser.get("/oauth/authorize", pushed(app))
    clock.advance(3600)
    assert "code" in callback_params(browser.finish(page))


def pushed(app: App, **changes: str | None) -> dict[str, str]:
    answer = app.post("/oauth/par", app.request(**changes))
    return {"client_id": app.id, "request_uri": answer.json()["request_uri"]}


def test_a_form_that_outlived_its_cookie_offers_to_start_again(app: App, browser: Browser) -> None:
    page = browser.authorize(app, state="kept")
    browser.cookies.clear()
    stale = logged_in(browser, page)
    assert stale.status == 403
    assert callback_params(browser.finish(browser.get(start_again(stale))))["state"] == "kept"


def test_without_cookies_a_person_is_told_to_allow_them_and_how_to_go_on(app: App, browser: Browser) -> None:
    page = browser.authorize(app)
    for _ in range(2):
        browser.cookies.clear()
        refusal_page = logged_in(browser, page)
        assert refusal_page.status == 403
        assert "Allow cookies" in refusal_page.body.decode()
        browser.cookies.clear()
        page = browser.get(start_again(refusal_page))


def test_a_stale_device_form_leads_back_to_its_code(svc: Services, phone: Phone, app: App, browser: Browser) -> None:
    television = register(svc, phone, "television")
    code = television.post("/oauth/device", {}).json()["user_code"]
    page = browser.finish(browser.get("/device", {"user_code": code}))
    other = Browser(phone)
    other.finish(other.authorize(app))
    stale = other.submit(page, "/device", decision="allow")
    assert stale.status == 403
    assert forms(other.get(start_again(stale)))["/device"].hidden["user_code"] == code


def test_where_to_start_again_is_on_this_server_whatever_a_form_says(browser: Browser) -> None:
    for request in (
        "https://evil.example/?a=b",
        "//evil.example",
        "a=b#c",
        "a=b\r\nX: y",
        "a=b&c=%0d%0aX: y",
        '"><script>',
    ):
        stale = browser.post("/authorize/login", {"to": f"oauth/authorize?{request}"})
        for link in re.findall(r'href="([^"]+)"', stale.body.decode()):
            assert unescape(link) == f"{ISSUER}/" or unescape(link).startswith(f"{ISSUER}/oauth/authorize?")
            assert re.fullmatch(r"[\w:/?&=%.+-]+", unescape(link), re.ASCII)


@pytest.mark.parametrize("text", ["\r\nSet-Cookie: a=b", "\n", "\x00", " ", "\u2028", "\u00e9"], ids=ascii)
def test_where_a_browser_is_sent_is_one_line_whatever_a_form_says(app: App, browser: Browser, text: str) -> None:
    browser.finish(browser.authorize(app))
    filled = encoded({"to": f"oauth/logout?x={text}"}).encode()
    answer = browser._call("POST", "/oauth/logout/confirm", filled, [("Content-Type", FORM_TYPE)])
    location = answer.header("Location") or ""
    assert location.startswith(f"{ISSUER}/oauth/logout?x=")
    assert re.fullmatch(r"[!-~]+", location)


def test_a_consent_form_of_an_ended_session_asks_for_the_login_again(app: App, browser: Browser, phone: Phone) -> None:
    consent = logged_in(browser, browser.authorize(app))
    token = phone.log_in()["access_token"]
    phone.call("DELETE /me/sessions", token=token)
    page = browser.submit(consent, "/authorize/consent", decision="allow")
    assert "/authorize/login" in forms(page)
    assert "code" in callback_params(browser.finish(page))


def test_what_is_busy_is_a_page_that_offers_to_try_again(svc: Services, app: App, browser: Browser) -> None:
    page = browser.authorize(app, state="kept")
    with down(svc, "dynamodb"):
        answer = logged_in(browser, page)
    assert (answer.status, answer.header("Retry-After")) == (503, "1")
    assert callback_params(browser.finish(browser.get(start_again(answer))))["state"] == "kept"


def test_a_fault_of_ours_is_a_page_that_offers_to_try_again(svc: Services, app: App, browser: Browser) -> None:
    page = browser.authorize(app)
    with down(svc, "dynamodb", refusing("ValidationException")):
        answer = logged_in(browser, page)
    assert answer.status == 500
    assert "Something went wrong on our side" in answer.body.decode()
    assert "code" in callback_params(browser.finish(browser.get(start_again(answer))))


@pytest.mark.parametrize(
    ("raw", "kind", "status"),
    [
        (b"{}", "application/json", 400),
        (b"request=%ff", "application/x-www-form-urlencoded", 400),
        (b"a=" + b"b" * 70_000, "application/x-www-form-urlencoded", 413),
    ],
)
def test_what_cannot_be_read_is_a_page_too(phone: Phone, raw: bytes, kind: str, status: int) -> None:
    redirect = phone.call("POST /authorize/login", raw=raw, headers={"Content-Type": kind})
    assert redirect.status == 303
    answer = Browser(phone).get((redirect.header("Location") or "").removeprefix(ISSUER))
    assert answer.status == status
    assert answer.header("Content-Type") == "text/html; charset=utf-8"
    assert answer.header("WWW-Authenticate") is None


# --- twice, and side by side ---


@pytest.mark.parametrize("way", ["as a link", "pushed"])
def test_a_form_pressed_twice_leads_to_the_client_both_times(
    app: App, phone: Phone, browser: Browser, way: str
) -> None:
    page = browser.authorize(app) if way == "as a link" else browser.get("/oauth/authorize", pushed(app))
    twin = Browser(phone)
    twin.cookies = dict(browser.cookies)
    consent = logged_in(browser, page)
    assert "/authorize/consent" in forms(consent)
    assert "/authorize/consent" in forms(logged_in(twin, page))
    answers = [browser.submit(consent, "/authorize/consent", decision="allow") for _ in range(2)]
    first, second = (callback_params(answer)["code"] for answer in answers)
    assert app.redeem(second).status == 200
    assert first != second


def test_a_pushed_request_pressed_twice_is_no_use_to_anybody_else(
    app: App, phone: Phone, browser: Browser, clock: Clock, svc: Services
) -> None:
    short = pushed(app)
    assert "code" in callback_params(browser.finish(browser.get("/oauth/authorize", short)))
    phone.sign_up("bob@example.com", PASSWORD)
    bob = Browser(phone)
    answer = bob.finish(bob.get("/oauth/authorize", short), email="bob@example.com")
    assert callback_params(answer)["error"] == "invalid_request_uri"
    clock.advance(svc.settings.retry_window_seconds + 1)
    assert browser.get("/oauth/authorize", short).status == 400


def test_a_sign_up_pressed_twice_leads_to_the_client_both_times(
    svc: Services, app: App, phone: Phone, browser: Browser
) -> None:
    page = browser.sign_up_page(browser.authorize(app))
    twin = Browser(phone)
    twin.cookies = dict(browser.cookies)
    typed = {"email": "new@example.com", "password": PASSWORD}
    pages = [each.submit(page, "/authorize/signup", **typed) for each in (browser, twin)]
    for each, next_page in zip((browser, twin), pages, strict=True):
        assert "code" in callback_params(each.finish(next_page))
    other = browser.submit(page, "/authorize/signup", email="new@example.com", password=f"{PASSWORD} too")
    assert "There is an account with this e-mail address already." in other.body.decode()
    uid = svc.users.find("new@example.com")
    assert uid
    svc.users.disable(uid)
    closed = browser.submit(page, "/authorize/signup", **typed)
    assert "This account has been disabled." in closed.body.decode()


def test_the_sign_up_form_is_no_way_round_the_limit_of_guesses(app: App, browser: Browser) -> None:
    page = browser.sign_up_page(browser.authorize(app))
    for _ in range(10):
        browser.submit(page, "/authorize/signup", email=EMAIL, password="a wrong and long password")
    limited = browser.submit(page, "/authorize/signup", email=EMAIL, password=PASSWORD)
    assert "There were too many attempts." in limited.body.decode()


@pytest.mark.usefixtures("app")
def test_a_device_decision_pressed_twice_is_made_once(svc: Services, phone: Phone, browser: Browser) -> None:
    television = register(svc, phone, "television")
    codes = television.post("/oauth/device", {}).json()
    question = browser.finish(browser.get("/device", {"user_code": codes["user_code"]}))
    for _ in range(2):
        done = browser.submit(question, "/device", decision="allow")
        assert "Device connected" in done.body.decode()
    other_way = browser.submit(question, "/device", decision="deny")
    assert "Device not connected" not in other_way.body.decode()
    token = television.token("urn:ietf:params:oauth:grant-type:device_code", device_code=codes["device_code"])
    assert token.status == 200


def test_logins_in_two_tabs_both_lead_to_the_client(app: App, browser: Browser) -> None:
    first, second = browser.authorize(app, state="1"), browser.authorize(app, state="2")
    one, two = logged_in(browser, first), logged_in(browser, second)
    # The second login goes on in the session that the first tab's consent form belongs to.
    for state, page in (("1", one), ("2", two)):
        assert callback_params(browser.submit(page, "/authorize/consent", decision="allow"))["state"] == state


def test_who_goes_back_after_the_login_is_not_asked_for_it_again(app: App, browser: Browser) -> None:
    browser.finish(browser.authorize(app))
    assert "code" in callback_params(browser.authorize(app))


def test_a_login_that_a_client_asks_for_is_good_for_that_request_only(
    svc: Services, app: App, browser: Browser, clock: Clock
) -> None:
    browser.finish(browser.authorize(app, prompt="login"))
    assert "/authorize/login" in forms(browser.authorize(app, prompt="login", state="another"))
    form = forms(browser.authorize(app, prompt="login"))["/authorize/login"]
    filled = encoded({**form.hidden, "email": EMAIL, "password": PASSWORD}).encode()
    answer = browser._call("POST", "/authorize/login", filled, [("Content-Type", FORM_TYPE)])
    onward = (answer.header("Location") or "").removeprefix(ISSUER)
    other = Browser(browser.phone)
    other.finish(other.authorize(app))
    assert "/authorize/login" in forms(other.get(onward))  # the form token is of a session, not of a user
    assert "/authorize/login" in forms(browser.get(onward.replace("state=xyz", "state=abc")))
    assert "code" in callback_params(browser.get(onward))
    clock.advance(svc.settings.fresh_login_seconds + 1)
    assert "/authorize/login" in forms(browser.get(onward))


def test_another_account_can_be_taken_at_the_consent(app: App, browser: Browser, phone: Phone) -> None:
    phone.sign_up("bob@example.com", PASSWORD)
    consent = logged_in(browser, browser.authorize(app))
    login = browser.submit(consent, "/authorize/consent", decision="switch")
    consent = browser.submit(login, "/authorize/login", email="bob@example.com", password=PASSWORD)
    assert "bob@example.com" in consent.body.decode()
    assert EMAIL not in consent.body.decode()
    code = callback_params(browser.submit(consent, "/authorize/consent", decision="allow"))["code"]
    assert phone.call("GET /oauth/userinfo", token=app.redeem(code).json()["access_token"]).json()["email"] == (
        "bob@example.com"
    )


@pytest.mark.parametrize(
    ("name", "claims", "face"),
    [
        ("Ann", {}, ">A</span>"),
        ("", {}, ">A</span>"),  # ann@example.com
        ("\u202e\u200f", {"picture": "http://ann.example/me.png"}, ">A</span>"),
        ('"><script>x</script>', {}, ">S</span>"),
        ("\u0639\u0628\u064a\u0631", {}, ">\u0639</span>"),
        (
            "x" * 200,
            {"picture": f"{PICTURES}/me.png?a=1&b=2"},
            f'>X<img src="{PICTURES}/me.png?a=1&amp;b=2"',
        ),
        # An app could have set these to see when this person logs in.
        ("Ann", {"picture": "https://evil.example/pixel.png"}, ">A</span>"),
        ("Ann", {"picture": f"{PICTURES}.evil.example/pixel.png"}, ">A</span>"),
        ("Ann", {"picture": f"{PICTURES}:8443/pixel.png"}, ">A</span>"),
        ("Ann", {"picture": PICTURES.replace("//", "//a@") + "/pixel.png"}, ">A</span>"),
    ],
)
def test_who_is_logged_in_is_shown_as_an_account_to_choose_with_another_behind_it(
    app: App, browser: Browser, svc: Services, name: str, claims: dict[str, str], face: str
) -> None:
    browser.finish(browser.authorize(app))
    user = svc.users.read(svc.users.find(EMAIL) or "")
    assert user
    account.change_profile(svc, user, {"name": name, **claims})
    brand = svc.settings.brand._replace(picture_origins=(PICTURES,))
    use(replace(svc, settings=replace(svc.settings, brand=brand)))
    page = browser.authorize(app, prompt="select_account")
    body = page.body.decode()
    assert "Choose an account" in body
    row = body.partition('<button class="account')[2].partition("</button>")[0]
    assert face in row
    assert "<script" not in row
    assert f"<bdi>{EMAIL}</bdi>" in row
    assert '<details class="another">' in body
    again = browser.submit(page, "/authorize/login", email="", password="x")
    assert "The e-mail address or the password is wrong." in again.body.decode()
    assert "code" in callback_params(browser.submit(page, "/authorize/continue"))


def test_who_logs_in_for_nothing_in_particular_and_is_logged_in_finds_the_own_account_first(
    app: App, browser: Browser, phone: Phone
) -> None:
    assert "/authorize/continue" not in forms(browser.get("/authorize/login"))
    consent = logged_in(browser, browser.authorize(app))
    page = browser.get("/authorize/login")
    assert f"You are logged in as <b><bdi>{EMAIL}".encode() in browser.submit(page, "/authorize/continue").body
    # Whoever wants another account for something gets the form for that at once.
    assert "/authorize/continue" not in forms(browser.submit(consent, "/authorize/consent", decision="switch"))
    phone.sign_up("bob@example.com", PASSWORD)
    other = browser.submit(page, "/authorize/login", email="bob@example.com", password=PASSWORD)
    assert b"You are logged in as <b><bdi>bob@example.com" in other.body


# --- mistakes in a form ---


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"email": "not an address"}, "This is not an e-mail address."),
        ({"email": EMAIL, "password": f"{PASSWORD} too"}, "There is an account with this e-mail address already."),
        ({"password": "password1"}, "This password is too easy to guess."),
        ({"password": "x" * 257}, "This password is too long."),
        ({"name": "n" * 201}, "This name is too long."),
        ({"name": "No\x7fra"}, "This name is too long. It may have 200 characters, on one line."),
    ],
)
def test_a_mistake_at_sign_up_is_told_in_the_form_with_what_was_typed(
    app: App, browser: Browser, fields: dict[str, str], message: str
) -> None:
    page = browser.sign_up_page(browser.authorize(app))
    typed = {"email": "new@example.com", "password": PASSWORD, "name": "Nora", **fields}
    again = browser.submit(page, "/authorize/signup", **typed)
    assert message in unescape(again.body.decode())
    typed_again = forms(again)["/authorize/signup"].typed
    assert (typed_again["email"], typed_again["name"], typed_again["password"]) == (typed["email"], typed["name"], "")


def marked(page: Answer) -> dict[str, str]:
    """What is said below each field that is marked as wrong, in the order of the page."""
    body = page.body.decode()
    wrong = re.findall(r'<input id="(\w+)"[^>]*aria-invalid="true" aria-describedby="\1-error[" ]', body)
    below = {
        field: re.findall(rf'<div class="error" id="{field}-error">(.*?)</div>', body, re.DOTALL) for field in wrong
    }
    return {field: unescape(re.sub(r"<[^>]*>", "", "".join(text))) for field, text in below.items()}


def test_all_that_is_wrong_in_a_form_is_told_at_once_each_at_its_field(app: App, browser: Browser) -> None:
    page = browser.sign_up_page(browser.authorize(app))
    wrong = {"name": "n" * 201, "email": "no address", "password": "short"}
    again = browser.submit(page, "/authorize/signup", **wrong)
    assert list(marked(again)) == ["name", "email", "password"]
    for text, message in zip(marked(again).values(), ("too long", "not an e-mail address", "too short"), strict=True):
        assert message in text
    assert re.findall(r'<input id="(\w+)"[^>]* autofocus', again.body.decode()) == ["name"]
    assert b'id="error"' not in again.body
    again = browser.submit(again, "/authorize/signup", **{**wrong, "name": "Nora"})
    assert list(marked(again)) == ["email", "password"]


def test_a_profile_with_several_mistakes_has_each_at_its_field(app: App, browser: Browser) -> None:
    browser.log_in(app)
    page = browser.get("/account")
    again = browser.submit(page, "/account", given_name="n" * 201, nickname="fine", website="no site")
    assert list(marked(again)) == ["given_name", "website"]
    assert forms(again)["/account"].typed["nickname"] == "fine"


@pytest.mark.parametrize(
    ("accepted", "texts"),
    [
        ("en", ("very weak", "It is one of the hundred most used passwords.", "Add another word or two.")),
        ("ar", ("ضعيفة جدًا", "هذه من أكثر مئة كلمة مرور استخدامًا.", "أضف كلمة أو كلمتين.")),
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused_with_advice_in_the_readers_language(
    app: App, browser: Browser, accepted: str, texts: tuple[str, ...]
) -> None:
    page = browser.sign_up_page(browser.authorize(app, ui_locales=accepted))
    # zxcvbn: rank 26 of its list of common passwords
    again = browser.submit(page, "/authorize/signup", email="new@example.com", password="superman")
    for text in texts:
        assert text in marked(again)["password"]
    assert "superman" not in again.body.decode()


@pytest.mark.parametrize("fields", [{}, {"email": EMAIL}, {"email": "?", "password": "x" * 2000}])
def test_a_malformed_login_is_a_wrong_one(app: App, browser: Browser, fields: dict[str, str]) -> None:
    again = browser.submit(browser.authorize(app), "/authorize/login", **fields)
    assert "The e-mail address or the password is wrong." in again.body.decode()


# --- the reader's language ---


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", "en"),
        ("ar", "ar"),
        ("AR-eg", "ar"),
        ("de, ar;q=0.5", "ar"),
        ("ar;q=0.2, en;q=0.8", "en"),
        ("en;q=0.1,ar;q=0.9", "ar"),
        ("fr;q=1, ar;q=0", "en"),
        ("en;q=0, ar;q=0.001", "ar"),
        ("ar;q=2, en", "en"),
        ("ar;q=nan", "en"),
        ("arc, en", "en"),
        ("*", "en"),
        (";;,,q=1;" * 2000, "en"),
    ],
)
def test_accept_language_is_weighed(phone: Phone, accepted: str, expected: str) -> None:
    assert language(phone.call("GET /device", headers={"Accept-Language": accepted})) == expected


@pytest.mark.parametrize("way", ["as a link", "pushed", "by POST"])
def test_the_language_that_a_client_asks_for_lasts_through_all_forms(app: App, browser: Browser, way: str) -> None:
    request = app.request(ui_locales="fr ar-EG en")
    if way == "by POST":
        page = browser.post("/oauth/authorize", request, origin="https://app.example")
    else:
        page = browser.get("/oauth/authorize", pushed(app, ui_locales="fr ar-EG en") if way == "pushed" else request)
    pages = [page, browser.submit(page, "/authorize/login", email=EMAIL, password="wrong")]
    pages.append(browser.sign_up_page(page))
    pages.append(logged_in(browser, page))
    assert [language(page) for page in pages] == ["ar"] * 4
    browser.cookies.clear()
    stale = logged_in(browser, page)
    assert way == "pushed" or language(stale) == "ar"  # a stale form is not believed, so nothing is looked up for it


def texts(tongue: str) -> dict[str, str]:
    pairs: list[tuple[str, str]] = json.loads(
        (ROOM / "messages" / f"{tongue}.json").read_text(), object_pairs_hook=list
    )
    assert len({key for key, _ in pairs}) == len(pairs), "a text twice"
    return dict(pairs)


def test_every_language_has_every_text_with_the_same_places_in_it() -> None:
    english = texts("en")
    for tongue in SHIPPED:
        assert {p.stem for p in (ROOM / "messages").glob("*.json")} == set(SHIPPED)
        assert list(texts(tongue)) == list(english)
        for key, text in texts(tongue).items():
            assert places(text) == places(english[key]), key
            assert text.strip()


def test_every_language_has_the_advice_for_a_password() -> None:
    codes = {f"advice.{code}" for code in ADVICE.values()}
    for tongue in SHIPPED:
        assert {key for key in texts(tongue) if key.startswith("advice.")} == codes


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_arabic_is_written_in_arabic() -> None:
    for key, text in texts("ar").items():
        words = re.sub(r"\{\w+\}", "", text)
        letters = [c for c in words if c.isalpha()]
        assert letters or not words, key  # a text that is a name alone has no language
        assert all("\u0600" <= c <= "\u06ff" for c in letters), key


def test_the_templates_use_all_texts_and_no_others() -> None:
    sources = "".join(p.read_text() for p in [*(ROOM / "templates").glob("*.html"), *ROOM.rglob("*.py")])
    keys = set(re.findall(r"\bt\.(\w+)", sources)) - {"get"}
    keys |= {key for key in texts("en") if key.startswith(PREFIXES)} | set(re.findall(r'\bt\["([\w.]+)"\]', sources))
    assert keys == set(texts("en"))


def test_each_kind_of_event_that_is_kept_has_its_words() -> None:
    names = {tuple(key.split(".")[1:]) for key in texts("en") if key.startswith("event.")}
    assert {name for name, *reason in names if not reason} == {name for name, kind in EVENTS.items() if kind.kept}
    assert {name for name, *_ in names} <= {*EVENTS}


# --- cookies and headers ---


@pytest.mark.parametrize(
    ("issuer", "name", "path", "secure"),
    [
        ("https://id.example", "__Host-latchkey-session", "/", True),
        ("https://abc.execute-api.eu-central-1.amazonaws.com/api", "__Secure-latchkey-session", "/api", True),
        ("http://127.0.0.1:8000", "latchkey-session", "/", False),
    ],
)
def test_a_cookie_is_as_narrow_as_the_address_allows(
    settings: Settings, issuer: str, name: str, path: str, secure: bool
) -> None:
    here = replace(settings, issuer=issuer)
    pair, *attributes = cookies.write(here, cookies.SESSION, "value", seconds=60).split("; ")
    assert pair == f"{name}=value"
    expected = {f"Path={path}", "Max-Age=60", "HttpOnly", "SameSite=Lax"} | ({"Secure"} if secure else set())
    assert set(attributes) == expected
    assert cookies.read(here, {"cookie": f"a=b; {pair}; c=d"}, cookies.SESSION) == "value"


@pytest.mark.parametrize("other", ['theme={"dark":true}', "a b=c", "=", ";;", 'x="', "päge=1", "[1]=2"])
def test_cookies_of_others_on_the_host_do_no_harm(settings: Settings, other: str) -> None:
    header = {"cookie": f"{other}; __Host-latchkey-form=mine; {other}"}
    assert cookies.read(settings, header, cookies.FORM) == "mine"


def test_a_name_that_only_looks_like_ours_is_not(settings: Settings) -> None:
    for header in (
        "",
        "x__Host-latchkey-form=1",
        "latchkey-form=1",
        "__Secure-latchkey-form=1",
        "__Host-latchkey-form",
    ):
        assert cookies.read(settings, {"cookie": header}, cookies.FORM) == ""


@pytest.mark.parametrize("colour", ["#1f5fbf", "#aa3355"])
def test_a_page_has_its_style_in_it_and_its_policy_allows_no_other(settings: Settings, colour: str) -> None:
    branded = replace(settings, brand=settings.brand._replace(colour=colour))
    answer = html.page(branded, "device_done.html", language="en", now=0, approved=True)
    (sheet,) = re.findall(r"<style>(.*?)</style>", str(answer.body), re.DOTALL)
    policy = str(answer.headers["Content-Security-Policy"]).split("; ")
    assert f"style-src 'sha256-{b64encode(sha256(sheet.encode()).digest()).decode()}'" in policy
    assert colour in sheet
    assert 'rel="stylesheet"' not in str(answer.body)
    assert "style=" not in str(answer.body)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LATCHKEY_BRAND_COLOUR", "red"),
        ("LATCHKEY_BRAND_COLOUR", "#fff"),
        ("LATCHKEY_BRAND_COLOUR", "#123456;} body{display:none"),
        ("LATCHKEY_BRAND_LOGO", "http://insecure.example/logo.png"),
        ("LATCHKEY_BRAND_LOGO", "javascript:alert(1)"),
    ],
)
def test_a_brand_that_cannot_be_shown_stops_the_start(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        load({"LATCHKEY_ISSUER": ISSUER, name: value})


def test_the_brand_is_on_the_page(settings: Settings) -> None:
    branded = load(
        {
            "LATCHKEY_ISSUER": ISSUER,
            "LATCHKEY_BRAND_NAME": "Fern & Co",
            "LATCHKEY_BRAND_LOGO": "https://f.example/l.svg",
        }
    )
    body = str(html.page(branded, "device_done.html", language="en", now=0, approved=True).body)
    assert '<img src="https://f.example/l.svg" alt="Fern &amp; Co">' in body
    assert "· Fern &amp; Co</title>" in body
    assert settings.brand.name in str(html.page(settings, "device_done.html", language="en", now=0, approved=True).body)


@given(st.text(st.characters(codec="utf-8", exclude_characters="&"), max_size=40))
def test_a_value_in_a_text_stays_text(value: str) -> None:
    markup = html.fill("{client} & more", client=value)
    assert unescape(re.sub("</?(b|bdi)>", "", markup)) == f"{value} & more"
    assert markup.count("<") == 4
