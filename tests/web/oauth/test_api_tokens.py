"""Access tokens as an API's operator wants them: with the `typ` of any JWT, and with claims about the user."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.config import Settings
from chalicelib.domain.oauth import tokens as jwts
from chalicelib.domain.oauth.client import CODE, REFRESH, TOKEN_EXCHANGE
from chalicelib.flows.clients import manage
from chalicelib.flows.platform import keys
from chalicelib.guard.verifier import Guard, Unauthorized
from chalicelib.services import Services
from tests.support.browser import API, App, Browser, callback_params, forms, register, token_response
from tests.support.forge import peek
from tests.support.phone import EMAIL, Phone, refusal

OTHER = "https://other.example"
SCOPES = ("openid", "profile", "email", "offline_access", "groups", "notes:read")
ARN = "arn:aws:execute-api:eu-west-1:123456789012:{}/prod/GET/notes"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
INVALID = (401, "invalid_token")


def entry(name: str, audience: str, **options: Any) -> dict[str, Any]:
    scopes = {"GET /notes": "notes:read"}
    usual = {"name": name, "audience": audience, "revocation": "stateless", "answer": "policy", "scopes": scopes}
    return {**usual, **options}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A deployment with an API that wants `typ` JWT and claims, one that wants nothing, and our own name for itself."""
    apis = {
        "notes": entry("notes", API, typ="JWT", access_token_claims=["email", "groups", "name"]),
        "other": entry("other", OTHER),
        "ours": entry("ours", settings.audience, typ="JWT"),
    }
    Path(settings.apis_file).write_text(json.dumps(apis))
    return settings


@pytest.fixture
def browser(phone: Phone, svc: Services) -> Browser:
    phone.sign_up(name="Ann")
    svc.users.set_roles(str(svc.users.find(EMAIL)), roles=("admin",))
    return Browser(phone)


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    return register(svc, phone, resources=(API, OTHER), scopes=SCOPES, grant_types=(CODE, REFRESH))


def passes(svc: Services, api_id: str, token: str) -> bool:
    """Whether the guard of an API takes a token."""
    guard = Guard(svc.settings, fetch=lambda _: keys.published(svc), in_force=lambda verified: verified, now=svc.now)
    _, api = guard.api(ARN.format(api_id), unknown_is_ours=True)
    try:
        guard.claims(api, f"Bearer {token}")
    except Unauthorized:
        return False
    return True


def signed(svc: Services, claims: dict[str, Any], typ: str = "JWT") -> str:
    """What only this server could sign."""
    return jwts.sign(claims, keys.current(svc).signer(svc.now()), typ=typ)


def typ(token: str) -> object:
    return peek(token)[0]["typ"]


def introspected(svc: Services, phone: Phone, token: str) -> dict[str, Any]:
    api = register(svc, phone, "api", resources=(API, OTHER))
    claims: dict[str, Any] = api.post("/oauth/introspect", {"token": token}).json()
    return claims


def test_tokens_for_the_api_have_the_typ_that_it_wants_and_its_guard_alone_takes_them(
    svc: Services, browser: Browser, app: App
) -> None:
    notes = app.tokens(browser, scope="openid notes:read", resource=API)["access_token"]
    other = app.tokens(browser, scope="openid notes:read", resource=OTHER)["access_token"]
    assert (typ(notes), typ(other)) == ("JWT", "at+jwt")
    assert [passes(svc, api, notes) for api in ("notes", "other", "unknown")] == [True, False, False]
    assert [passes(svc, api, other) for api in ("notes", "other", "unknown")] == [False, True, False]
    # Those of before the operator chose are good until they expire.
    assert passes(svc, "notes", signed(svc, peek(notes)[1], typ="at+jwt"))


def test_an_id_token_is_never_an_access_token_there(svc: Services, browser: Browser, app: App, phone: Phone) -> None:
    tokens = app.tokens(browser, scope="openid email notes:read", resource=API)
    claims = peek(tokens["id_token"])[1]
    for forged in (claims, {**claims, "aud": API}, {**claims, "aud": API, "scope": "notes:read"}):
        token = signed(svc, forged)
        assert not passes(svc, "notes", token)
        assert introspected(svc, phone, token) == {"active": False}
        assert refusal(phone.call("GET /oauth/userinfo", token=token)) == INVALID


def test_an_access_token_of_that_typ_is_never_an_id_token(browser: Browser, app: App) -> None:
    token = app.tokens(browser, scope="openid notes:read", resource=API)["access_token"]
    assert "/oauth/logout/confirm" in forms(browser.get("/oauth/logout", {"id_token_hint": token}))
    app.tokens(browser, scope="openid")
    silent = browser.authorize(app, scope="openid", prompt="none", id_token_hint=token)
    assert callback_params(silent)["error"] == "login_required"


def test_this_server_itself_never_takes_that_typ_even_if_it_is_registered_so(
    svc: Services, browser: Browser, app: App, phone: Phone
) -> None:
    ours = phone.log_in()["access_token"]
    assert typ(ours) == "at+jwt"
    claims = peek(ours)[1]
    for aud in (svc.settings.audience, [svc.settings.audience, API], [API, svc.settings.audience]):
        token = signed(svc, {**claims, "aud": aud})
        assert refusal(phone.call("GET /me", token=token)) == INVALID
        assert phone.call("POST /verify", {"token": token}).json() == {"active": False}
        assert not passes(svc, "notes", token)
        assert not passes(svc, "ours", token)
        assert introspected(svc, phone, token) == {"active": False}
    notes = app.tokens(browser, scope="openid notes:read", resource=API)["access_token"]
    assert refusal(phone.call("GET /me", token=notes)) == INVALID


def test_nor_does_an_api_that_did_not_ask_for_it(svc: Services, browser: Browser, app: App, phone: Phone) -> None:
    claims = peek(app.tokens(browser, scope="notes:read", resource=OTHER)["access_token"])[1]
    token = signed(svc, claims)
    assert not passes(svc, "other", token)
    assert not passes(svc, "notes", token)
    assert introspected(svc, phone, token) == {"active": False}


def test_whoever_takes_tokens_for_any_api_takes_it(svc: Services, browser: Browser, app: App, phone: Phone) -> None:
    token = app.tokens(browser, scope="openid email notes:read", resource=API)["access_token"]
    assert introspected(svc, phone, token)["active"] is True
    assert phone.call("GET /oauth/userinfo", token=token).json()["email"] == EMAIL
    exchanger = register(svc, phone, "exchanger", resources=(API,))
    subject = {"subject_token": token, "subject_token_type": ACCESS}
    exchanged = token_response(exchanger.token(TOKEN_EXCHANGE, **subject))["access_token"]
    assert typ(exchanged) == "JWT"
    assert app.post("/oauth/revoke", {"token": token}).status == 200
    assert introspected(svc, phone, token) == {"active": False}


# Claims about the user (RFC 9068 section 2.2.2).


def claims_of(token: str) -> dict[str, Any]:
    return {
        name: value for name, value in peek(token)[1].items() if name in ("email", "email_verified", "name", "groups")
    }


def test_a_token_has_the_claims_that_the_api_wants_as_far_as_its_scopes_open_them(browser: Browser, app: App) -> None:
    tokens = app.tokens(browser, scope="openid email groups offline_access notes:read", resource=API)
    assert claims_of(tokens["access_token"]) == {"email": EMAIL, "groups": ["admin"]}
    narrow = token_response(app.refresh(tokens["refresh_token"], scope="groups notes:read"))
    assert claims_of(narrow["access_token"]) == {"groups": ["admin"]}
    again = token_response(app.refresh(narrow["refresh_token"]))
    assert claims_of(again["access_token"]) == {"email": EMAIL, "groups": ["admin"]}
    assert claims_of(app.tokens(browser, scope="openid profile notes:read", resource=API)["access_token"]) == {
        "name": "Ann"
    }
    assert claims_of(app.tokens(browser, scope="notes:read", resource=API)["access_token"]) == {}


def test_no_other_api_gets_them_and_no_client_that_may_not_have_the_scope(
    svc: Services, browser: Browser, app: App, phone: Phone
) -> None:
    assert claims_of(app.tokens(browser, scope="openid email notes:read", resource=OTHER)["access_token"]) == {}
    assert claims_of(app.tokens(browser, scope="openid email notes:read")["access_token"]) == {}
    tokens = app.tokens(browser, scope="openid email offline_access notes:read", resource=API)
    exchanger = register(svc, phone, "exchanger", resources=(API,))
    subject = {"subject_token": tokens["access_token"], "subject_token_type": ACCESS}
    assert claims_of(token_response(exchanger.token(TOKEN_EXCHANGE, **subject))["access_token"]) == {}
    manage.change(svc, app.client, replace(app.client, scopes=("openid", "offline_access", "notes:read")))
    assert claims_of(token_response(app.refresh(tokens["refresh_token"]))["access_token"]) == {}
