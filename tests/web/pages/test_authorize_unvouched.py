"""Clients that nobody here has registered are no way to send people elsewhere unasked (RFC 9700 section 4.11.2)."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from chalicelib.domain.oauth.client import CODE
from chalicelib.flows.clients import authenticate as clients
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import ISSUER, App, Browser, callback_params, forms, place, register
from tests.support.internet import Internet, Page, running
from tests.support.phone import EMAIL, NETWORK, PASSWORD, Phone

STRANGER = "https://stranger.example/client.json"
REDIRECT = "https://elsewhere.example/cb"
LOGIN = {"email": EMAIL, "password": PASSWORD}
DOCUMENT = {"client_name": "Good Inc.", "redirect_uris": [REDIRECT], "grant_types": [CODE]}


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    with running(tmp_path, "stranger.example") as network:
        network.pages[STRANGER] = Page(json.dumps({"client_id": STRANGER, **DOCUMENT}).encode())
        yield network


@pytest.fixture
def svc(svc: Services, internet: Internet) -> Services:
    """A deployment that takes clients that nobody here has registered, of both kinds."""
    settings = replace(svc.settings, client_documents=True, registration_open=True)
    return replace(svc, settings=settings, fetch=internet.fetch())


@pytest.fixture(params=["by a document", "by itself"])
def app(request: pytest.FixtureRequest, svc: Services, phone: Phone) -> App:
    """A client that no operator has made."""
    client_id = STRANGER
    if request.param == "by itself":
        client_id = phone.call("POST /oauth/register", {**DOCUMENT, "token_endpoint_auth_method": "none"}).json()[
            "client_id"
        ]
    client = clients.find(svc, client_id, network=NETWORK)
    assert client
    return App(phone, svc, client)


def way_out(page: Answer) -> tuple[str, dict[str, str]]:
    """Where the link of a page leads that asks before it lets anybody go."""
    assert (page.status, page.header("Location")) == (400, None), page
    assert b"elsewhere.example" in re.sub(rb"<[^>]*>", b"", page.body)
    (link,) = re.findall(r'<a class="button" href="([^"]+)"', page.body.decode())
    url = urlsplit(unescape(link))
    return f"{url.scheme}://{url.netloc}{url.path}", dict(parse_qsl(url.query))


@pytest.mark.parametrize("logged_in", [False, True])
def test_a_mistake_of_a_client_that_nobody_vouched_for_sends_nobody_away_unasked(
    app: App, browser: Browser, logged_in: bool
) -> None:
    if logged_in:
        browser.log_in(app, scope="openid")
    for changes in ({"scope": "admin"}, {"response_type": "token"}, {"state": "xyz", "resource": "https://x.example"}):
        target, fields = way_out(browser.authorize(app, **changes))
        assert target == REDIRECT
        assert {"error", "error_description", "state", "iss"} == set(fields)


def test_nor_does_it_by_a_form_that_sends_itself(app: App, browser: Browser) -> None:
    page = browser.authorize(app, scope="admin", response_mode="form_post")
    assert page.status == 400
    assert b"<script" not in page.body
    (form,) = forms(page).values()
    assert (form.action, form.hidden["error"]) == (REDIRECT, "invalid_scope")


def test_whoever_decided_is_sent_on_at_once(app: App, browser: Browser) -> None:
    page = browser.submit(browser.authorize(app, scope="openid"), "/authorize/login", **LOGIN)
    denied = browser.submit(page, "/authorize/consent", decision="deny")
    assert (place(denied), callback_params(denied)["error"]) == (REDIRECT, "access_denied")
    assert "code" in browser.log_in(app, scope="openid")


def test_a_silent_request_comes_back_silently(app: App, browser: Browser) -> None:
    assert callback_params(browser.authorize(app, scope="openid", prompt="none"))["error"] == "login_required"


def test_a_client_that_an_operator_registered_is_told_of_its_mistakes_at_once(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    mistaken = browser.authorize(register(svc, phone), scope="admin")
    assert callback_params(mistaken)["error"] == "invalid_scope"


# --- who is it that asks? ---


def text_of(page: Answer) -> str:
    return unescape(re.sub(r"<[^>]*>", "", page.body.decode()))


def test_every_page_for_a_client_with_a_document_names_the_host_of_the_document(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    client = clients.find(svc, STRANGER, network=NETWORK)
    assert client
    app = App(phone, svc, client)
    login = browser.authorize(app, scope="openid")
    pages = [login, browser.sign_up_page(login), browser.submit(login, "/authorize/login", **LOGIN)]
    pages.append(browser.submit(login, "/authorize/login", email=EMAIL, password="wrong"))
    for page in pages:
        assert "stranger.example" in text_of(page)
        assert "Good Inc." in text_of(page)
    plain = browser.authorize(register(svc, phone), prompt="login")
    assert "This application is from" not in text_of(plain)


HIDDEN = [
    "Lat\u200bchkey",
    "Lat\u061cchkey",
    "a\u2028b",
    "a\u2029b",
    "\ufeffa",
    "so\u00adft",
    "a\U000e0041",
    "a\u206ab",
]
NOTHING = ["\u200e", " ", "\u3000 ", "\u3164", "\u115f\u1160", "\uffa0", "\u2800", "\u0301"]
ANY_SCRIPT = ["Good Inc.", "\u062a\u0637\u0628\u064a\u0642\u064a", "\u65e5\u672c", "e\u0301t\u00e9", "\U0001f33f", "7"]


@pytest.mark.parametrize("name", ["a\nb", *HIDDEN, *NOTHING], ids=ascii)
def test_a_name_is_what_people_see(svc: Services, phone: Phone, internet: Internet, name: str) -> None:
    told_of_itself = {**DOCUMENT, "client_name": name, "token_endpoint_auth_method": "none"}
    answer = phone.call("POST /oauth/register", told_of_itself)
    assert (answer.status, answer.json()["error"]) == (400, "invalid_client_metadata")
    internet.pages[STRANGER] = Page(json.dumps({"client_id": STRANGER, **told_of_itself}).encode())
    assert clients.find(svc, STRANGER, network=NETWORK) is None


@pytest.mark.parametrize("name", ANY_SCRIPT, ids=ascii)
def test_a_name_may_be_in_any_script(phone: Phone, name: str) -> None:
    answer = phone.call("POST /oauth/register", {**DOCUMENT, "client_name": name})
    assert answer.status == 201
    assert answer.json()["client_name"] == name
    assert ISSUER in answer.json()["registration_client_uri"]


# --- a program on the user's own device ---

LOOPBACK = "http://127.0.0.1/callback"


@pytest.fixture(params=["by a document", "by itself"])
def program(request: pytest.FixtureRequest, svc: Services, phone: Phone, internet: Internet) -> App:
    """A client that no operator has made, and that waits at a port of its user's device."""
    metadata = {**DOCUMENT, "redirect_uris": [LOOPBACK], "token_endpoint_auth_method": "none"}
    client_id = STRANGER
    internet.pages[STRANGER] = Page(json.dumps({"client_id": STRANGER, **metadata}).encode())
    if request.param == "by itself":
        client_id = phone.call("POST /oauth/register", metadata).json()["client_id"]
    client = clients.find(svc, client_id, network=NETWORK)
    assert client
    return App(phone, svc, client)


def test_a_program_that_waits_on_the_device_learns_of_its_mistake(program: App, browser: Browser) -> None:
    waits_at = LOOPBACK.replace("127.0.0.1", "127.0.0.1:49152")
    for changes, error in (
        ({"scope": "admin"}, "invalid_scope"),
        ({"resource": "https://x.example"}, "invalid_target"),
    ):
        answer = browser.authorize(program, redirect_uri=waits_at, state="xyz", **changes)
        assert (place(answer), callback_params(answer)["error"]) == (waits_at, error)
        assert callback_params(answer)["state"] == "xyz"


@pytest.mark.parametrize(
    "elsewhere",
    ["http://127.0.0.1/other", "http://127.0.0.1/callback/", "http://127.0.0.1/callback?x=1", "http://127.0.0.1@evil.example/callback",
     "http://127.0.0.1.evil.example/callback", "http://localhost/callback", "http://192.168.0.1/callback", "https://127.0.0.1/callback"],
)  # fmt: skip
def test_no_error_leads_to_what_is_not_registered_path_and_all(program: App, browser: Browser, elsewhere: str) -> None:
    page = browser.authorize(program, redirect_uri=elsewhere, scope="admin")
    assert (page.status, page.header("Location")) == (400, None)


def test_no_form_sends_itself_to_the_device(program: App, browser: Browser) -> None:
    page = browser.authorize(program, scope="admin", response_mode="form_post")
    assert (page.status, page.header("Location")) == (400, None)
    assert b"<script" not in page.body


def test_who_runs_a_program_on_the_device_is_not_said_by_the_host_of_its_document(
    program: App, browser: Browser
) -> None:
    login = browser.authorize(program, scope="openid")
    consent = browser.submit(login, "/authorize/login", **LOGIN)
    for page in (login, consent):
        assert "This application is from" not in text_of(page)
    assert "You then go back to 127.0.0.1, which is this device." in text_of(consent)
