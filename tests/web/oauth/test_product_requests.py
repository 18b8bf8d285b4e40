"""What products send, by kind, to a client that was made by each one's recipe."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, CODE, REFRESH, Client
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from cli import client_metadata, recipes
from tests.support.browser import App, Browser, basic, callback_params, register, send, token_response
from tests.support.forge import peek
from tests.support.phone import EMAIL, Phone, refusal

URL = "https://product.example"


@dataclass(frozen=True)
class Login:
    """How a product logs a person in: what is in its request, and where its secret is at the token endpoint."""

    challenge: bool = True
    nonce: bool = True
    at_code: str = "basic"
    at_refresh: str = "basic"


# As each was seen to, with its recipe's settings; of those that were not run, as their documentation or code has it.
LOGINS = {
    "apache": Login(),
    "appauth": Login(nonce=False, at_code="none", at_refresh="none"),
    "argo-cd": Login(nonce=False),
    "auth-js": Login(),
    "authlib": Login(),
    "aws-load-balancer": Login(challenge=False, nonce=False, at_code="body"),
    "dex": Login(nonce=False),
    "django-allauth": Login(nonce=False),
    "flask-oidc": Login(challenge=False, at_code="body"),
    "gitlab": Login(at_code="body"),
    "go-oidc": Login(nonce=False),
    "grafana": Login(nonce=False),
    "keycloak": Login(at_code="body", at_refresh="body"),
    "kubelogin": Login(at_code="none", at_refresh="none"),
    "mcp-go-sdk": Login(nonce=False, at_code="body", at_refresh="body"),
    "mozilla-django-oidc": Login(at_code="body"),
    "nextcloud": Login(at_code="body", at_refresh="body"),
    "nimbus": Login(),
    "oauth2-proxy": Login(nonce=False),
    "open-webui": Login(at_refresh="body"),
    "openid-client": Login(nonce=False, at_code="body", at_refresh="body"),
    "pac4j": Login(nonce=False),
    "pgadmin": Login(),
    "postman": Login(nonce=False, at_code="none", at_refresh="none"),
    "quarkus": Login(nonce=False),
    "spring-boot-3": Login(challenge=False),
    "spring-boot-4": Login(),
    "superset": Login(),
    "swagger-ui": Login(nonce=False, at_code="none"),
}


def made_by_recipe(svc: Services, phone: Phone, name: str) -> App:
    metadata = client_metadata.metadata(recipes.read(name).metadata([], url=URL))
    client, secret = manage.create(svc, Client(client_id="", **metadata))
    return App(phone, svc, client, secret)


def token(app: App, way: str, **fields: str) -> Any:
    """The answer of the token endpoint to a client that sends its secret one way, or both at once."""
    in_header = [("Authorization", basic(app.id, app.secret))] if way in ("basic", "both") else []
    in_body = {"client_id": app.id, "client_secret": app.secret} if way in ("body", "both") else {}
    public = {"client_id": app.id} if way == "none" else {}
    return send(app.phone, "/oauth/token", {**fields, **in_body, **public}, headers=in_header)


@pytest.mark.parametrize("name", LOGINS)
def test_a_client_made_by_a_recipe_logs_people_in_as_its_product_does(svc: Services, phone: Phone, name: str) -> None:
    phone.sign_up(name="Ann")
    app, login = made_by_recipe(svc, phone, name), LOGINS[name]
    absent: tuple[str, ...] = ("code_challenge", "code_challenge_method") if not login.challenge else ()
    absent += ("nonce",) if not login.nonce else ()
    browser = Browser(phone)
    page = browser.authorize(app, scope=" ".join(app.client.scopes), **dict.fromkeys(absent))
    code = callback_params(browser.finish(page))["code"]
    fields = app.redemption(code, **({} if login.challenge else {"code_verifier": None}))
    tokens = token_response(token(app, login.at_code, **fields))
    expected = set(app.client.id_token_claims) - {"groups"}  # this person is in none
    assert expected <= set(peek(tokens["id_token"])[1])
    assert ("refresh_token" in tokens) is (REFRESH in app.client.grant_types)
    if "refresh_token" in tokens:
        again = token_response(token(app, login.at_refresh, grant_type=REFRESH, refresh_token=tokens["refresh_token"]))
        assert expected <= set(peek(again["id_token"])[1])


def test_each_product_that_logs_people_in_is_tried() -> None:
    logins = {
        name
        for name in recipes.names()
        if "redirect_uris" in recipes.read(name).client
        and name != "mcp-client"  # tests/interop/test_mcp.py has all that it sends
    }
    assert logins <= set(LOGINS)


def test_a_refresh_with_the_secret_in_both_places_is_one_way(svc: Services, phone: Phone, browser: Browser) -> None:
    # As Kubernetes' client for Python sends it.
    app = made_by_recipe(svc, phone, "authlib")
    tokens = app.tokens(browser, scope="openid offline_access")
    assert token_response(token(app, "both", grant_type=REFRESH, refresh_token=tokens["refresh_token"]))


@pytest.mark.parametrize("first", ["basic", "body"])
def test_who_tries_the_other_way_after_any_error_hears_the_same_error(
    svc: Services, phone: Phone, browser: Browser, first: str
) -> None:
    # As Go's x/oauth2 does: had the second try another error, the person would see the wrong one.
    app = made_by_recipe(svc, phone, "grafana")
    fields = app.redemption(browser.code(app, scope="openid"), code_verifier="A" * 43)
    second = "body" if first == "basic" else "basic"
    assert refusal(token(app, first, **fields)) == refusal(token(app, second, **fields)) == (400, "invalid_grant")


@pytest.mark.parametrize("way", ["basic", "body"])
def test_scopes_of_a_person_do_not_spoil_a_machines_request(svc: Services, phone: Phone, way: str) -> None:
    # As kubelogin sends it: it adds `openid` to whatever it asks for.
    machine = register(svc, phone, "machine")
    tokens = token_response(token(machine, way, grant_type=CLIENT_CREDENTIALS, scope="openid notes:read"))
    assert tokens["scope"] == "notes:read"
    assert "id_token" not in tokens


def test_an_api_learns_whose_a_token_is_by_basic_and_the_token_alone(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    # As django-oauth-toolkit sends it: neither a hint nor an Accept of its own.
    api = made_by_recipe(svc, phone, "django-oauth-toolkit")
    app = register(svc, phone, resources=(URL,))
    tokens = app.tokens(browser, scope="openid email notes:read", resource=URL)
    answer = send(
        phone,
        "/oauth/introspect",
        {"token": tokens["access_token"]},
        headers=[("Authorization", basic(api.id, api.secret))],
    )
    assert answer.status == 200
    assert {"active": True, "username": EMAIL, "aud": URL}.items() <= answer.json().items()


def test_a_code_is_redeemed_though_its_request_says_more_than_it_has_to(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    # Scope and state again at the token endpoint, which older libraries send along.
    app = made_by_recipe(svc, phone, "gitlab")
    code = browser.code(app, scope="openid profile email")
    fields = app.redemption(code, scope="openid profile email", state="xyz")
    assert fields["grant_type"] == CODE
    assert token_response(token(app, "body", **fields))


def test_who_asks_for_claims_in_the_id_token_has_those_that_the_scopes_open(svc: Services, phone: Phone) -> None:
    # As Nextcloud sends it: it asks for what nobody has as well.
    phone.sign_up(name="Ann")
    app = made_by_recipe(svc, phone, "nextcloud")
    claims = {"id_token": dict.fromkeys(["email", "name", "quota", "groups"])}
    tokens = app.tokens(Browser(phone), scope="openid profile email", claims=json.dumps(claims))
    in_token = peek(tokens["id_token"])[1]
    assert (in_token["email"], in_token["name"]) == (EMAIL, "Ann")
    assert not {"quota", "groups"} & set(in_token)
