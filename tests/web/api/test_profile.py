"""What a person says of themselves (OpenID Connect Core 5.1), to whom it goes, and what is no such thing."""

from typing import Any

import pytest

from chalicelib.domain.accounts.profile import CLAIMS
from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, CODE
from chalicelib.services import Services
from tests.support.browser import App, Browser, register
from tests.support.forge import peek
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, refusal

# OpenID Connect Core 5.1, the members that the scope `profile` opens, beside name and updated_at (section 5.4).
SAID = {
    "given_name": "Ann Jane",
    "family_name": "Äther",
    "middle_name": "J.",
    "nickname": "Annie",
    "preferred_username": "j.doe",
    "profile": "https://example.com/ann",
    "picture": "https://example.com/ann.jpg",
    "website": "http://example.com",
    "gender": "female",
    "birthdate": "0000-03-22",
    "zoneinfo": "America/Argentina/Buenos_Aires",
    "locale": "en-GB",
}
OPEN = "openid profile notes:read"


@pytest.fixture
def ann(phone: Phone) -> str:
    """An access token of a user who is called Ann."""
    token: str = phone.sign_up(name="Ann")["access_token"]
    return token


def change(phone: Phone, token: str, **members: Any) -> dict[str, Any]:
    answer = phone.call("PATCH /me", members, token=token)
    assert answer.status == 200, answer.body
    body: dict[str, Any] = answer.json()
    return body


def userinfo(phone: Phone, tokens: dict[str, Any]) -> dict[str, Any]:
    claims: dict[str, Any] = phone.call("GET /oauth/userinfo", token=tokens["access_token"]).json()
    return claims


def test_all_of_the_profile_is_the_persons_to_say_and_comes_with_its_scope_alone(
    svc: Services, phone: Phone, ann: str, clock: Clock
) -> None:
    assert set(SAID) == set(CLAIMS)
    app, browser = register(svc, phone), Browser(phone)
    before = userinfo(phone, app.tokens(browser, scope=OPEN))
    assert set(before) == {"sub", "name"}  # what is not known is absent
    clock.advance(60)
    answer = change(phone, ann, **SAID)
    assert answer == {**phone.call("GET /me", token=ann).json(), **SAID, "name": "Ann", "updated_at": clock()}
    tokens = app.tokens(browser, scope=OPEN)
    assert userinfo(phone, tokens) == {**before, **SAID, "updated_at": clock()}
    assert set(SAID) & set(peek(tokens["id_token"])[1]) == set()  # userinfo has them (Core 5.4)
    assert set(userinfo(phone, app.tokens(browser, scope="openid email"))) == {"sub", "email", "email_verified"}
    assert set(SAID) & set(peek(tokens["access_token"])[1]) == set()


def test_what_is_named_changes_and_nothing_else_and_nothing_takes_it_away(phone: Phone, ann: str) -> None:
    change(phone, ann, **SAID)
    assert change(phone, ann, locale="fr")["locale"] == "fr"
    left = change(phone, ann, birthdate="", gender="")
    expected = {name for name in SAID if name not in ("birthdate", "gender")}
    assert set(left) & set(SAID) == expected
    assert change(phone, ann, name="")["name"] == ""
    assert set(change(phone, ann, **dict.fromkeys(SAID, ""))) & set(SAID) == set()


OF_NO_CLAIM: list[Any] = [None, 7, ["x"], {}, True, "a\nb", "a\x00", "a\n", "a\x9b2J", "a\u2028b", "x" * 2001]
NO_LINKS = ("javascript:alert(1)", "data:text/html,x", "//example.com", "example.com", "https://", "https://a b")
NO_VALUES: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("profile", "picture", "website"), NO_LINKS),
    "birthdate": ("22.3.1990", "1990-13-01", "1990-1-1", "1990-03", "90", "1990-03-22T00:00Z"),
    "zoneinfo": ("Europe/", "/Paris", "Europe//Paris", "../etc", "Europe Paris"),
    "locale": ("e", "en-", "-GB", "en GB", "en-GB;q=1"),
    "updated_at": (1,),
    "email": ("eve@example.com",),
    "email_verified": (True,),
    "sub": ("x",),
    "roles": (["admin"],),
    "address": ("x",),
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in SAID for value in OF_NO_CLAIM),
        *((name, value) for name, values in NO_VALUES.items() for value in values),
    ],
)
def test_what_is_no_claim_or_no_value_of_one_is_refused_and_nothing_is_changed(
    phone: Phone, ann: str, name: str, value: Any
) -> None:
    before = phone.call("GET /me", token=ann).json()
    assert refusal(phone.call("PATCH /me", {"given_name": "Eve", name: value}, token=ann)) == (400, "invalid_request")
    assert phone.call("GET /me", token=ann).json() == before


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("website", "example.com", "is not as described in /docs - at `$.website`"),
        ("nickname", "a\nb", "has control characters in it - at `$.nickname`"),
    ],
)
def test_a_refusal_names_the_claim_and_what_is_wrong_with_it(
    phone: Phone, ann: str, name: str, value: str, why: str
) -> None:
    refused = phone.call("PATCH /me", {name: value}, token=ann).json()
    assert refused["error_description"] == f"The body {why}."


@pytest.mark.parametrize("value", ["1990-03-22", "1990", "0000-03-22"])
def test_a_birthdate_is_a_date_or_what_there_is_of_it(phone: Phone, ann: str, value: str) -> None:
    assert change(phone, ann, birthdate=value)["birthdate"] == value


def test_a_preferred_username_is_nobodys_alone(phone: Phone, ann: str) -> None:
    eve = phone.sign_up("eve@example.com")["access_token"]
    for token in (ann, eve):
        assert change(phone, token, preferred_username="ann")["preferred_username"] == "ann"


def test_a_client_that_is_registered_for_them_has_them_in_its_id_tokens_as_far_as_its_scopes_go(
    svc: Services, phone: Phone, ann: str
) -> None:
    change(phone, ann, **SAID)
    names = ("preferred_username", "given_name", "picture", "updated_at")
    app, browser = register(svc, phone, id_token_claims=names), Browser(phone)
    tokens = app.tokens(browser, scope=f"{OPEN} offline_access")
    claims = peek(tokens["id_token"])[1]
    assert {name: claims.get(name) for name in names[:3]} == {name: SAID[name] for name in names[:3]}
    assert claims["updated_at"] == svc.now()
    assert "family_name" not in claims
    again = app.refresh(tokens["refresh_token"]).json()
    assert peek(again["id_token"])[1]["preferred_username"] == "j.doe"
    assert set(names) & set(peek(app.tokens(browser, scope="openid email")["id_token"])[1]) == set()


@pytest.mark.usefixtures("ann")
def test_who_allows_a_client_the_profile_reads_that_it_is_more_than_a_name(svc: Services, phone: Phone) -> None:
    app, browser = register(svc, phone), Browser(phone)
    page = browser.submit(browser.authorize(app, scope=OPEN), "/authorize/login", email=EMAIL, password=PASSWORD)
    assert b"what else you have said of yourself" in page.body


def introspected(app: App, token: str) -> dict[str, Any]:
    body: dict[str, Any] = app.post("/oauth/introspect", {"token": token}).json()
    return body


def test_nobody_is_another_at_an_api_by_what_they_say_of_themselves(svc: Services, phone: Phone, ann: str) -> None:
    """Of RFC 7662's `username`, by which APIs find their users (django-oauth-toolkit makes an account of each)."""
    metadata: dict[str, Any] = {"introspects": True, "grant_types": (CODE, CLIENT_CREDENTIALS)}
    app, browser = register(svc, phone, **metadata), Browser(phone)
    names = ("preferred_username", "nickname", "given_name", "family_name")
    change(phone, ann, name="eve@example.com", **dict.fromkeys(names, "eve@example.com"))
    for scope, username in [
        ("openid profile email", "ann@example.com"),
        ("openid email", "ann@example.com"),
        ("openid profile", None),
        ("openid notes:read", None),
    ]:
        assert introspected(app, app.tokens(browser, scope=scope)["access_token"]).get("username") == username
