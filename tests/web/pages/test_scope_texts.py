"""What people read of what an application may do: in words, who made it, what is new, and where it is taken back."""

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from chalicelib.domain.oauth.client import DEVICE_CODE
from chalicelib.services import Services
from deploy.registered_apis import entry
from local.gateway import Answer
from tests.support.browser import API, Browser, callback_params, forms, register, token_response
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed

LOGIN = {"email": EMAIL, "password": PASSWORD}
APPS = "/account/apps"


@pytest.fixture
def ann(phone: Phone) -> Browser:
    """The browser of Ann, who is logged in."""
    phone.sign_up()
    browser = Browser(phone)
    browser.submit(browser.get("/authorize/login"), "/authorize/login", **LOGIN)
    return browser


def lists(page: Answer) -> list[list[str]]:
    """The lists of scopes, each line as it is read."""
    blocks = re.findall(r'<ul class="scopes">(.*?)</ul>', page.body.decode(), re.DOTALL)
    return [[text(line) for line in re.findall(r"<li>(.*?)</li>", each, re.DOTALL)] for each in blocks]


def text(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html)).strip()


def words(page: Answer) -> str:
    main = page.body.decode().partition("<main>")[2].replace("</dt>", " ").replace("</dd>", " ")
    return " ".join(text(main).split())


def allow(browser: Browser, page: Answer) -> None:
    callback_params(browser.submit(page, "/authorize/consent", decision="allow"))


# --- what each scope opens ---


def test_it_says_which_address_is_seen_what_staying_connected_means_and_a_scope_without_words_by_its_name(
    svc: Services, phone: Phone, ann: Browser
) -> None:
    page = ann.authorize(register(svc, phone), scope="openid email offline_access notes:read")
    assert lists(page) == [
        [
            "Know who you are",
            f"See your e-mail address, {EMAIL}",
            "Stay connected while you are away, until you take this back",
            "notes:read",
        ]
    ]
    assert b'<code dir="ltr">notes:read</code>' in page.body
    assert "neither your name" not in words(page)


def test_an_application_that_only_logs_in_is_said_to_learn_no_name(svc: Services, phone: Phone, ann: Browser) -> None:
    page = ann.authorize(register(svc, phone), scope="openid")
    assert lists(page) == [["Know who you are"]]
    assert "It learns neither your name nor your e-mail address." in words(page)


@pytest.fixture
def described(svc: Services) -> dict[str, str]:
    """What an API that is registered says of its scopes."""
    described = {"notes:read": "Read <b>\u202eall</b> your notes", "email": "Nothing at all"}
    api = entry(
        name="notes",
        scopes={"GET /notes": "notes:read"},
        revocation="stateless",
        answer="policy",
        audience=API,
        scope_descriptions=described,
    )
    Path(svc.settings.apis_file).write_text(json.dumps({"abc": api}))
    return described


@pytest.mark.parametrize("resource", [API, None])
def test_an_api_s_own_words_are_read_at_that_api_alone_and_never_take_the_place_of_ours(
    described: dict[str, str], svc: Services, phone: Phone, ann: Browser, resource: str | None
) -> None:
    app = register(svc, phone, resources=(API,))
    page = ann.authorize(app, scope="openid email notes:read", resource=resource)
    own = described["notes:read"] if resource else "notes:read"
    assert lists(page) == [["Know who you are", f"See your e-mail address, {EMAIL}", own]]
    assert (b'<span dir="auto">Read &lt;b&gt;' in page.body) is bool(resource)
    allow(ann, page)
    assert lists(ann.get(APPS)) == [["Know who you are", f"See your e-mail address, {EMAIL}", own]]


def test_fifty_scopes_are_all_read_before_the_button(svc: Services, phone: Phone, ann: Browser) -> None:
    scopes = tuple(f"notes:{number}" for number in range(50))
    with installed(replace(svc, settings=replace(svc.settings, scopes=scopes))):
        page = ann.authorize(register(svc, phone, scopes=scopes), scope=" ".join(scopes))
        assert lists(page) == [list(scopes)]
        assert page.body.rindex(b'<code dir="ltr">notes:49</code>') < page.body.index(b'name="decision"')
        allow(ann, page)


# --- what is new ---


def test_what_was_allowed_before_is_told_from_what_is_new(svc: Services, phone: Phone, ann: Browser) -> None:
    app = register(svc, phone)
    first = ann.authorize(app, scope="openid email")
    assert "before" not in words(first)
    allow(ann, first)
    page = ann.authorize(app, scope="openid notes:read email")
    assert lists(page) == [["notes:read"], ["Know who you are", f"See your e-mail address, {EMAIL}"]]
    assert "and now asks for more" in words(page)
    allow(ann, page)
    again = ann.authorize(app, scope="openid notes:read", prompt="consent")
    assert lists(again) == [["Know who you are", "notes:read"]]
    assert "You have allowed all of this before." in words(again)


def test_what_another_person_or_another_client_of_the_id_was_allowed_counts_as_new(
    svc: Services, phone: Phone, ann: Browser, clock: Clock
) -> None:
    app = register(svc, phone, client_id="garden")
    phone.sign_up("bob@example.com")
    Browser(phone).log_in(app, email="bob@example.com", scope="openid")
    assert "before" not in words(ann.authorize(app, scope="openid email"))
    ann.log_in(app, scope="openid")
    svc.clients.delete("garden")
    clock.advance(1)
    register(svc, phone, client_id="garden")
    page = ann.authorize(app, scope="openid email")
    assert "before" not in words(page)
    assert len(lists(page)) == 1


def test_what_was_allowed_at_another_api_counts_as_new(svc: Services, phone: Phone, ann: Browser) -> None:
    app = register(svc, phone, resources=(API,))
    ann.log_in(app, scope="notes:read")
    page = ann.authorize(app, scope="notes:read notes:write", resource=API)
    assert lists(page) == [["notes:read", "notes:write"]]


# --- who asks, and where it is taken back ---


NAMES = ("<script>alert(1)</script>", "\u202egnaf", "تطبيق الحديقة", "x" * 200, "a\"b'c", "{user}")


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_is_shown_as_it_is_and_disturbs_nothing_around_it(
    svc: Services, phone: Phone, ann: Browser, name: str
) -> None:
    app = register(svc, phone, client_name=name)
    page = ann.authorize(app)
    isolated = re.findall(r"<bdi>(.*?)</bdi>", page.body.decode())
    assert unescape(isolated[0]) == name
    assert text(page.body.decode().partition("<main>")[2]).count(name) == 1
    assert "<script>alert" not in page.body.decode()
    allow(ann, page)
    assert name in [unescape(each) for each in re.findall(r"<bdi>(.*?)</bdi>", ann.get(APPS).body.decode())]


@pytest.mark.parametrize(
    ("name", "face"),
    [
        ("Garden Planner", ["G"]),
        ("1st garden", ["S"]),
        ("\u202e\u200fgarden", ["G"]),
        ("\u062d\u062f\u064a\u0642\u0629", ["\u062d"]),
        ("\u00dfaum", ["S"]),
        ("\U0001f331 Garden", ["G"]),
        ("\U0001f331\u200d\U0001f33b", []),
        ('"><b>x</b>', ["B"]),
        ("<1>", []),
    ],
    ids=ascii,
)
def test_an_application_without_a_logo_has_the_first_letter_of_its_name_for_eyes_alone(
    svc: Services, phone: Phone, ann: Browser, name: str, face: list[str]
) -> None:
    consent = ann.authorize(register(svc, phone, client_name=name))
    allow(ann, consent)
    assert faces(consent) == faces(ann.get(APPS)) == face


def test_an_application_with_a_logo_has_that(svc: Services, phone: Phone, ann: Browser) -> None:
    page = ann.authorize(register(svc, phone, logo_uri="https://garden.example/logo.png"))
    assert b'<img class="logo" src="https://garden.example/logo.png" alt="">' in page.body
    assert faces(page) == []


def faces(page: Answer) -> list[str]:
    """The letters that stand for pictures, which nobody is read."""
    return re.findall(r'<span class="face(?: logo)?" aria-hidden="true">([^<]*)</span>', page.body.decode())


def test_the_page_leads_to_where_it_is_taken_back(svc: Services, phone: Phone, ann: Browser) -> None:
    page = ann.authorize(register(svc, phone))
    assert b'href="https://id.example/account/apps"' in page.body
    television = register(svc, phone, "television")
    codes = token_response(television.post("/oauth/device", {"scope": "notes:read"}))
    page = ann.submit(ann.get("/device"), "/device", user_code=codes["user_code"])
    # A device's approval is no consent that lasts: what ends it is the end of its session.
    assert b'href="https://id.example/account/sessions"' in page.body
    ann.submit(page, "/device", decision="allow")
    token_response(television.token(DEVICE_CODE, device_code=codes["device_code"]))
    assert "No application may use your account" in words(ann.get(APPS))


@pytest.mark.parametrize("by_itself", [True, False])
def test_of_an_application_that_registered_itself_it_is_said_that_nobody_has_checked_it(
    svc: Services, phone: Phone, ann: Browser, by_itself: bool
) -> None:
    app = register(svc, phone, registration_token="a digest" if by_itself else "")
    assert ("Nobody here has checked who made it." in words(ann.authorize(app))) is by_itself


def test_what_an_application_may_do_follows_the_words_that_announce_it_and_the_warning_stands_before_both(
    svc: Services, phone: Phone, ann: Browser
) -> None:
    page = ann.authorize(register(svc, phone, registration_token="a digest"))
    sentence, rest = words(page).split("This application named itself. Nobody here has checked who made it.")
    assert sentence.strip().endswith(f"asks to use your account {EMAIL}.")
    assert rest.strip().startswith("If you allow that, the application can do this at Latchkey: Know who you are")


# --- the page of applications ---


def test_the_page_says_for_each_api_what_an_application_may_do_there(
    svc: Services, phone: Phone, ann: Browser, clock: Clock
) -> None:
    app = register(svc, phone, resources=(API, "https://gone.example"))
    for resource in (API, None, "https://gone.example"):
        ann.log_in(app, scope="openid email" if resource is None else "notes:read", resource=resource)
        clock.advance(3 * 3600)
    client = svc.clients.read(app.id)
    assert client
    assert svc.clients.replace(client, replace(client, resources=(API,), version=client.version + 1))
    page = ann.get(APPS)
    at_ours = ["Know who you are", f"See your e-mail address, {EMAIL}"]
    assert lists(page) == [at_ours, ["notes:read"], ["notes:read"]]
    assert "At notes.example:" in words(page)
    assert "At a service that is no longer known here:" in words(page)
    assert "gone.example" not in words(page)
    assert list(forms(page)) == [APPS]


def test_the_page_says_when_an_application_was_last_used(
    svc: Services, phone: Phone, ann: Browser, clock: Clock
) -> None:
    app = register(svc, phone)
    code = ann.code(app)
    assert "Last used" not in words(ann.get(APPS))
    tokens = token_response(app.redeem(code))
    clock.advance(2 * 24 * 3600)
    app.refresh(tokens["refresh_token"])
    clock.advance(3600)
    assert (
        "Allowed two days ago · 15 January 2027, 08:00 UTC Last used one hour ago · 17 January 2027, 08:00 UTC"
        in words(ann.get(APPS))
    )


def test_a_use_by_another_application_of_the_same_id_is_none(
    svc: Services, phone: Phone, ann: Browser, clock: Clock
) -> None:
    register(svc, phone, client_id="garden").tokens(ann)
    svc.clients.delete("garden")
    clock.advance(1)
    ann.code(register(svc, phone, client_id="garden"))
    assert "Last used" not in words(ann.get(APPS))


def test_who_is_asked_in_arabic_reads_all_of_it_in_arabic(svc: Services, phone: Phone, ann: Browser) -> None:
    app = register(svc, phone)
    allow(ann, ann.authorize(app, scope="openid"))
    page = ann.authorize(app, scope="openid email offline_access", ui_locales="ar")
    left = re.sub(
        r"<style.*?</style>|<head.*?</head>|<script.*?</script>|<footer.*?</footer>",
        "",
        page.body.decode(),
        flags=re.DOTALL,
    )
    for name in (EMAIL, "The web client", "Latchkey", "app.example", "id.example"):
        left = left.replace(name, "")
    assert re.findall(r"[A-Za-z]{3,}", text(left)) == []
