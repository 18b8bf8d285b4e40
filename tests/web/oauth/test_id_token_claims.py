"""Claims about the user in id_tokens by a client's registration, and how long an id_token is good."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import InvalidClientMetadata
from chalicelib.domain.oauth.client import CODE, DEVICE_CODE, REFRESH
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from tests.support.browser import App, Browser, register, token_response
from tests.support.forge import peek
from tests.support.phone import EMAIL, PASSWORD, Phone, installed, refusal

ALL = ("email", "email_verified", "name", "groups", "roles")
OF_EMAIL = {"email": EMAIL, "email_verified": False}
OF_GROUPS = {"groups": ["admin"], "roles": ["admin"]}
SCOPES = ("openid", "profile", "email", "groups", "offline_access", "notes:read")


@pytest.fixture
def browser(phone: Phone, svc: Services) -> Browser:
    """The browser of a user with a name and a role."""
    phone.sign_up(name="Ann")
    svc.users.set_roles(str(svc.users.find(EMAIL)), roles=("admin",))
    return Browser(phone)


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    """A client for whose id_tokens an operator wants all claims."""
    return register(svc, phone, scopes=SCOPES, id_token_claims=ALL, grant_types=(CODE, REFRESH, DEVICE_CODE))


def claims_of(tokens: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in peek(tokens["id_token"])[1].items() if name in ALL}


def test_an_id_token_has_the_claims_of_its_client_that_the_scopes_open_after_a_refresh_too(
    browser: Browser, app: App
) -> None:
    tokens = app.tokens(browser, scope="openid email groups offline_access")
    assert claims_of(tokens) == {**OF_EMAIL, **OF_GROUPS}
    refreshed = token_response(app.refresh(tokens["refresh_token"]))
    assert claims_of(refreshed) == {**OF_EMAIL, **OF_GROUPS}
    assert claims_of(token_response(app.refresh(refreshed["refresh_token"], scope="openid groups"))) == OF_GROUPS
    assert claims_of(app.tokens(browser, scope="openid profile")) == {"name": "Ann"}
    assert claims_of(app.tokens(browser, scope="openid")) == {}


def test_so_has_that_of_a_device(browser: Browser, app: App) -> None:
    codes = app.post("/oauth/device", {"scope": "openid email"}).json()
    page = browser.submit(browser.get("/device"), "/authorize/login", email=EMAIL, password=PASSWORD)
    page = browser.submit(page, "/device", user_code=codes["user_code"])
    browser.submit(page, "/device", decision="allow")
    assert claims_of(token_response(app.token(DEVICE_CODE, device_code=codes["device_code"]))) == OF_EMAIL


def test_a_claim_without_a_value_is_absent(phone: Phone, app: App) -> None:
    phone.sign_up("bob@example.com")
    tokens = app.tokens(Browser(phone), email="bob@example.com", scope="openid profile groups")
    assert claims_of(tokens) == {}


def test_a_client_has_no_claim_of_a_scope_that_it_may_not_have(browser: Browser, svc: Services, phone: Phone) -> None:
    app = register(svc, phone, scopes=("openid", "offline_access"), id_token_claims=ALL)
    assert claims_of(app.tokens(browser, scope="openid email profile groups")) == {}
    with_email = register(svc, phone, id_token_claims=ALL)
    tokens = with_email.tokens(browser, scope="openid email offline_access")
    assert claims_of(tokens) == OF_EMAIL
    # What is taken from it is in no token from the next refresh on.
    manage.change(svc, with_email.client, replace(with_email.client, scopes=("openid", "offline_access")))
    assert claims_of(token_response(with_email.refresh(tokens["refresh_token"]))) == {}


def test_groups_are_for_whom_an_operator_gave_the_scope(browser: Browser, svc: Services, phone: Phone) -> None:
    app = register(svc, phone)
    tokens = app.tokens(browser, scope="openid groups", claims='{"id_token": {"groups": null, "roles": null}}')
    assert tokens["scope"] == "openid"
    assert claims_of(tokens) == {}
    assert not set(OF_GROUPS) & set(phone.call("GET /oauth/userinfo", token=tokens["access_token"]).json())
    theirs = register(svc, phone, scopes=SCOPES).tokens(browser, scope="openid groups")
    userinfo = phone.call("GET /oauth/userinfo", token=theirs["access_token"]).json()
    assert {name: userinfo[name] for name in OF_GROUPS} == OF_GROUPS


@pytest.mark.parametrize("claim", ["groups", "roles", "password_hash", "sub", "iss", "acr"])
def test_a_client_that_registers_itself_does_not_say_so_for_what_is_an_operators_or_no_claim_of_a_user(
    svc: Services, phone: Phone, claim: str
) -> None:
    open_svc = replace(svc, settings=replace(svc.settings, registration_open=True))
    metadata = {"redirect_uris": ["https://app.example/cb"], "id_token_claims": ["email"]}
    with installed(open_svc):
        assert phone.call("POST /oauth/register", metadata).json()["id_token_claims"] == ["email"]
        refused = phone.call("POST /oauth/register", {**metadata, "id_token_claims": ["email", claim]})
        assert refusal(refused) == (400, "invalid_client_metadata")
        client = svc.clients.read(phone.call("POST /oauth/register", metadata).json()["client_id"])
        assert client
    if claim in OF_GROUPS:
        assert manage.change(svc, client, replace(client, id_token_claims=(claim,))).id_token_claims == (claim,)
    else:
        with pytest.raises(InvalidClientMetadata):
            manage.change(svc, client, replace(client, id_token_claims=(claim,)))


@pytest.mark.parametrize(("access", "own", "seconds"), [(0, 0, 900), (60, 0, 60), (7200, 0, 7200), (60, 3600, 3600)])
def test_an_id_token_lives_as_long_as_the_access_token_beside_it_unless_its_client_says_otherwise(
    browser: Browser, svc: Services, phone: Phone, access: int, own: int, seconds: int
) -> None:
    app = register(svc, phone, access_seconds=access, id_token_seconds=own)
    claims = peek(app.tokens(browser)["id_token"])[1]
    assert claims["exp"] - claims["iat"] == seconds
