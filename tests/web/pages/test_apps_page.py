"""The page of connected applications: what each may do, and that nothing is left of it once that is taken back."""

import re

import pytest

from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import App, Browser, forms, register
from tests.support.delivery import DeliveringPhone
from tests.support.phone import EMAIL, PASSWORD, Phone

PAGE, LOGIN = "/account/apps", "/authorize/login"
HOOK = "https://app.example/backchannel"


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    phone.sign_up()
    return register(svc, phone)


@pytest.fixture
def ann(phone: Phone) -> Browser:
    return Browser(phone)


def buttons(page: Answer) -> list[str]:
    form = forms(page).get(PAGE)
    return [value for _, value in form.buttons] if form else []


def take_back(browser: Browser, client_id: str) -> Answer:
    return browser.submit(browser.get(PAGE), PAGE, revoke=client_id)


def test_an_application_is_listed_once_allowed_and_gone_with_its_tokens_once_taken_back(
    app: App, ann: Browser, phone: Phone
) -> None:
    tokens = app.tokens(ann)
    page = ann.get(PAGE)
    assert buttons(page) == [app.id]
    assert b"Know who you are" in page.body
    page = take_back(ann, app.id)
    assert b"Taken back." in page.body
    assert buttons(page) == []
    assert app.refresh(tokens["refresh_token"]).status == 400
    assert phone.call("GET /oauth/userinfo", token=tokens["access_token"]).status == 401
    assert "/authorize/consent" in forms(ann.authorize(app))


def test_a_code_that_waits_is_worth_nothing_once_access_is_taken_back(app: App, ann: Browser) -> None:
    code = ann.code(app)
    take_back(ann, app.id)
    assert app.redeem(code).json()["error"] == "invalid_grant"


def test_other_applications_and_other_people_keep_what_they_have(
    app: App, ann: Browser, svc: Services, phone: Phone
) -> None:
    other, bob = register(svc, phone), Browser(phone)
    phone.sign_up("bob@example.com")
    app.tokens(ann)
    tokens, bobs = other.tokens(ann), app.tokens(bob, email="bob@example.com")
    take_back(ann, app.id)
    assert buttons(ann.get(PAGE)) == [other.id]
    assert buttons(bob.get(PAGE)) == [app.id]
    assert other.refresh(tokens["refresh_token"]).status == 200
    assert app.refresh(bobs["refresh_token"]).status == 200
    assert LOGIN not in forms(ann.get(PAGE))


@pytest.mark.parametrize("client_id", ["", "x", "browser", "latchkey", "a#b", "%23", "\u00e9"])
def test_what_was_never_allowed_is_not_taken_back(app: App, ann: Browser, svc: Services, client_id: str) -> None:
    tokens = app.tokens(ann)
    assert b"had no access any more" in take_back(ann, client_id).body
    assert buttons(ann.get(PAGE)) == [app.id]
    assert app.refresh(tokens["refresh_token"]).status == 200
    assert len([each for each in svc.sessions.of_user(svc.users.find(EMAIL) or "") if not each.ended]) == 3


def test_an_application_that_is_gone_is_not_listed(app: App, ann: Browser, svc: Services) -> None:
    app.tokens(ann)
    svc.clients.delete(app.id)
    assert buttons(ann.get(PAGE)) == []


def test_an_application_that_wants_to_know_is_notified(svc: Services, phone: DeliveringPhone) -> None:
    phone.sign_up()
    phone.delivers = False
    app, ann = register(svc, phone, backchannel_logout_uri=HOOK), Browser(phone)
    app.tokens(ann)
    take_back(ann, app.id)
    assert [(item.kind, item.failures) for item in svc.outbox.undelivered()] == [("logout", 0)]


def test_somebody_who_has_allowed_much_reads_a_list_in_parts(ann: Browser, phone: Phone, svc: Services) -> None:
    phone.sign_up()
    scopes = ("openid", "account", "email", "profile", "notes:read", "notes:write")
    user = svc.users.read(svc.users.find(EMAIL) or "")
    assert user
    for number in range(24):
        app = register(svc, phone, client_name=f"{number} ".ljust(100, "x"), scopes=scopes)
        assert svc.clients.remember_consent(user, app.id, scopes, since=0, now=svc.now())
    page = ann.submit(ann.get(PAGE), LOGIN, email=EMAIL, password=PASSWORD)
    listed: list[str] = []
    for path in ("", "?from=10", "?from=20"):
        page = ann.get(f"{PAGE}{path}")
        assert len(page.body) < 30_000
        listed += re.findall(r'name="revoke" value="([^"]*)"', page.body.decode())
        assert (f"{PAGE}?from=".encode() in page.body) == (path != "?from=20")
    assert len(listed) == len(set(listed)) == 24
