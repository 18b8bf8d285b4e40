"""Whoever comes by a browser where there is no page reads a page all the same: the cause, a number, and a way on."""

import re
from html import unescape

import pytest

from app import app
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import FORM_TYPE, ISSUER, Browser
from tests.support.phone import Phone
from tests.support.wire import down
from tests.web.http.test_bad_input import from_lambda, lambda_event

NAVIGATION = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
FETCH = {**NAVIGATION, "Sec-Fetch-Mode": "cors"}
# What the Java platform's own client sends by itself.
JAVA = {"Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"}


def number(page: Answer) -> str:
    """What an error page tells people to say when they ask for help."""
    match = re.search(r"this number: <b><bdi>([^<]+)</bdi>", page.body.decode())
    assert match, page.body
    return unescape(match[1])


@pytest.mark.parametrize(
    ("call", "status", "words"),
    [
        ("GET /docs/none", 404, "There is nothing at this address."),
        ("GET /.well-known/oauth-protected-resource/none", 404, "There is nothing at this address."),
        ("POST /oauth/token", 400, "made a mistake"),
    ],
)
def test_a_browser_gets_a_page_and_a_program_what_it_always_got(
    phone: Phone, call: str, status: int, words: str
) -> None:
    page = phone.call(call, headers=NAVIGATION)
    assert (page.status, page.header("Content-Type")) == (status, "text/html; charset=utf-8")
    assert words in page.body.decode()
    assert number(page) == page.header("X-Request-Id")
    assert f'href="{ISSUER}/"' in page.body.decode()
    assert page.header("Cache-Control") == "no-store"
    assert "default-src 'none'" in (page.header("Content-Security-Policy") or "")
    for headers in ({}, FETCH, JAVA, {"Accept": "*/*"}, {"Accept": "application/json"}):
        program = phone.call(call, headers=headers)
        assert (program.status, program.header("Content-Type")) == (status, "application/json")
        assert "error" in program.json()


@pytest.mark.usefixtures("phone")
def test_what_chalice_refuses_by_itself_is_a_page_too() -> None:
    event = lambda_event("GET", "/oauth/token")
    event["multiValueHeaders"] = {name: [value] for name, value in NAVIGATION.items()}
    event["headers"] = dict(NAVIGATION)
    page = from_lambda(app(event, None))
    assert (page.status, page.header("Allow")) == (405, "POST, OPTIONS")
    assert "This address is for programs." in page.body.decode()
    assert number(page) == "request-1"


def test_what_is_busy_or_broken_is_a_page_too(phone: Phone, svc: Services) -> None:
    with down(svc, "dynamodb"):
        page = phone.call(
            "POST /oauth/token", raw=b"grant_type=refresh_token", headers={**NAVIGATION, "Content-Type": FORM_TYPE}
        )
    assert page.status in (400, 401, 503)
    assert page.header("Content-Type") == "text/html; charset=utf-8"
    assert number(page) == page.header("X-Request-Id")


def test_a_page_is_read_by_no_script(phone: Phone) -> None:
    origin = {"Origin": "https://evil.example"}
    assert phone.call("POST /oauth/token", headers=origin).header("Access-Control-Allow-Origin")
    assert (
        phone.call("POST /oauth/token", headers={**NAVIGATION, **origin}).header("Access-Control-Allow-Origin") is None
    )


def test_nothing_that_a_browser_sent_is_on_the_page(phone: Phone) -> None:
    for call in ("GET /docs/evil?evil=evil", "GET /.well-known/oauth-protected-resource/evil"):
        page = phone.call(call, headers={**NAVIGATION, "Cookie": "evil=evil", "User-Agent": "evil"})
        assert page.status == 404
        assert b"evil" not in page.body


def test_an_error_page_is_in_the_readers_language(phone: Phone) -> None:
    page = phone.call("GET /docs/none", headers={**NAVIGATION, "Accept-Language": "ar"})
    assert b'<html lang="ar" dir="rtl">' in page.body


def test_a_form_that_cannot_go_on_shows_the_number_of_its_own_request(phone: Phone) -> None:
    browser = Browser(phone)
    answer = browser._call("POST", "/authorize/login", b"to=account", [("Content-Type", FORM_TYPE)])
    page = browser.get((answer.header("Location") or "").removeprefix(ISSUER))
    assert page.status == 403
    assert number(page) == answer.header("X-Request-Id") != page.header("X-Request-Id")


def test_an_error_of_a_page_shows_the_number_of_its_answer(phone: Phone) -> None:
    page = Browser(phone).get("/oauth/authorize", {"client_id": "nobody"})
    assert page.status == 400
    assert number(page) == page.header("X-Request-Id")
