"""The start of a person's own pages: the profile on it, and the way to each other page and back."""

import re
from html import unescape

import pytest

from chalicelib.services import Services
from chalicelib.web.pages.account_menu import MENU
from local.gateway import Answer
from tests.support import account_pages
from tests.support.browser import ISSUER, Browser, forms
from tests.support.phone import EMAIL, PASSWORD, Phone

PAGE = "/account"
# Pages that only another page of the account leads to.
BEYOND = {PAGE, "/account/add-factor", "/account/add-passkey"}


@pytest.fixture
def access(phone: Phone) -> str:
    return str(phone.sign_up(name="Ann")["access_token"])


@pytest.fixture
def ann(phone: Phone, access: str) -> Browser:  # noqa: ARG001 - the account is there first
    browser = Browser(phone)
    browser.submit(browser.get("/authorize/login"), "/authorize/login", email=EMAIL, password=PASSWORD)
    return browser


def links(page: Answer) -> set[str]:
    return {unescape(link).removeprefix(ISSUER) for link in re.findall(r'href="([^"]+)"', page.body.decode())}


def save(browser: Browser, **typed: str) -> Answer:
    return browser.submit(browser.get(PAGE), PAGE, **typed)


def test_each_page_of_the_account_is_in_the_menu_and_leads_back_in_the_same_language(ann: Browser) -> None:
    paths = {f"/{path}" for path, _ in MENU}
    assert paths == {path for path in account_pages.PATHS if path.startswith("/account")} - BEYOND
    page = ann.get(PAGE, {"ui_locales": "ar"})
    assert {f"{path}?ui_locales=ar" for path in paths} <= links(page)
    for path in paths:
        assert f"{PAGE}?ui_locales=ar" in links(ann.get(path, {"ui_locales": "ar"})), path


def test_what_is_saved_is_the_profile_and_an_empty_field_takes_it_away(ann: Browser, phone: Phone, access: str) -> None:
    said = {"name": " Ann B ", "given_name": "Ann", "nickname": "Annie", "website": "https://ann.example"}
    page = save(ann, **said)
    assert b"Your profile is saved." in page.body
    profile = phone.call("GET /me", token=access).json()
    assert {name: profile.get(name) for name in said} == {**said, "name": "Ann B"}
    typed = forms(page)[PAGE].typed
    assert (typed["name"], typed["website"], typed["family_name"]) == ("Ann B", "https://ann.example", "")
    save(ann, nickname="")
    profile = phone.call("GET /me", token=access).json()
    assert ("nickname" in profile, profile["given_name"]) == (False, "Ann")


def test_what_is_not_on_the_page_stays_as_it_is(ann: Browser, phone: Phone, access: str) -> None:
    phone.call("PATCH /me", {"birthdate": "1990", "zoneinfo": "Asia/Amman"}, token=access)
    save(ann, name="Ann B", email_verified="true", roles="admin", birthdate="2000", uid="x")
    profile = phone.call("GET /me", token=access).json()
    assert (profile["birthdate"], profile["zoneinfo"], profile["name"]) == ("1990", "Asia/Amman", "Ann B")
    assert profile["email_verified"] is False


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("name", "n" * 201, "This name is too long."),
        ("nickname", "An\x7fn", "It may have 200 characters, on one line."),
        ("website", "javascript:alert(1)", "A website begins with https://"),
        ("website", "https://ann.example/a b", "A website begins with https://"),
    ],
)
def test_a_mistake_is_told_at_its_field_with_what_was_typed_and_changes_nothing(
    ann: Browser, phone: Phone, access: str, field: str, text: str, message: str
) -> None:
    before = phone.call("GET /me", token=access).json()
    page = save(ann, **{"given_name": "Ann", field: text})
    assert message in unescape(page.body.decode())
    (marked,) = re.findall(r'<input id="(\w+)"[^>]*aria-invalid="true"[^>]* autofocus>', page.body.decode())
    assert marked == field
    assert forms(page)[PAGE].typed["given_name"] == "Ann"
    assert phone.call("GET /me", token=access).json() == before
    assert message not in unescape(ann.get(PAGE).body.decode())


def test_no_text_of_a_profile_becomes_markup(ann: Browser) -> None:
    page = save(ann, name='"><script>x</script>', nickname="\u202eAnn")
    assert b"<script>x" not in page.body
    assert forms(page)[PAGE].typed["name"] == '"><script>x</script>'


def test_the_form_of_an_account_that_is_gone_makes_none(ann: Browser, svc: Services, phone: Phone, access: str) -> None:
    page = ann.get(PAGE)
    phone.call("DELETE /me", {"password": PASSWORD}, token=access)
    assert "/authorize/login" in forms(ann.submit(page, PAGE, name="Ann"))
    assert svc.users.find(EMAIL) is None
