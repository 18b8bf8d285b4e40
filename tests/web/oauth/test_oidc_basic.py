"""The modules of the OpenID Foundation's basic OP test plan (oidcc-basic-certification-test-plan), one test each.

A test is named after its module, with _ for -; docs/conformance.md has the list and what does not apply.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from chalicelib.domain.oauth.client import REFRESH
from chalicelib.flows.platform import keys
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import (
    CHALLENGE,
    FORM_TYPE,
    ISSUER,
    VERIFIER,
    App,
    Browser,
    callback_params,
    forms,
    place,
    register,
    token_response,
)
from tests.support.forge import compact, peek
from tests.support.oidc import half_hash, verified
from tests.support.phone import EMAIL, Clock, Phone, refusal


@pytest.fixture
def browser(phone: Phone) -> Browser:
    """A browser whose user has an account and is not logged in."""
    phone.sign_up(name="Ann")
    return Browser(phone)


WITHOUT_PKCE: dict[str, Any] = {"code_challenge": None, "code_challenge_method": None}


class PlanClient(App):
    """A client as the plan has it: no module but one sends a challenge."""

    def request(self, **changes: str | None) -> dict[str, str]:
        return super().request(**{**WITHOUT_PKCE, **changes})

    def redemption(self, code: str, /, **changes: str | None) -> dict[str, str]:
        return super().redemption(code, **{"code_verifier": None, **changes})


def plan_client(svc: Services, phone: Phone, kind: str = "web") -> PlanClient:
    app = register(svc, phone, kind, require_pkce=False, require_nonce=False)
    return PlanClient(phone, svc, app.client, app.secret)


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    """The client of the plan: response_type code, client_secret_basic, the default response mode."""
    return plan_client(svc, phone)


def logged_in(browser: Browser, app: App, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The tokens of a login that must succeed, and the claims of their id_token, checked as Core 3.1.3.7 has it."""
    tokens = app.tokens(browser, **changes)
    claims = verified(tokens["id_token"], keys.published(app.svc), audience=app.id, now=app.svc.now())
    assert claims["at_hash"] == half_hash(tokens["access_token"])
    assert app.request(**changes).get("nonce") == claims.get("nonce")
    return tokens, claims


def userinfo(phone: Phone, tokens: Mapping[str, Any]) -> dict[str, Any]:
    answer = phone.call("GET /oauth/userinfo", token=tokens["access_token"])
    assert answer.status == 200, answer
    assert (answer.header("Content-Type") or "").startswith("application/json")
    claims: dict[str, Any] = answer.json()
    return claims


def asks_to_log_in(page: Answer) -> bool:
    return page.status == 200 and "/authorize/login" in forms(page)


def test_oidcc_server(browser: Browser, app: App, phone: Phone) -> None:
    answer = browser.log_in(app)
    assert answer["state"] == "xyz"
    tokens = token_response(app.redeem(answer["code"]))
    assert tokens["token_type"].lower() == "bearer"
    assert tokens["expires_in"] > 0
    claims = verified(tokens["id_token"], keys.published(app.svc), audience=app.id, now=app.svc.now())
    assert userinfo(phone, tokens)["sub"] == claims["sub"]
    assert len(claims["sub"]) <= 255


def test_oidcc_response_type_missing(browser: Browser, app: App) -> None:
    assert callback_params(browser.authorize(app, response_type=None))["error"] == "invalid_request"


def test_oidcc_idtoken_signature(browser: Browser, app: App, phone: Phone) -> None:
    published = phone.call("GET /.well-known/jwks.json").json()["keys"]
    tokens, _ = logged_in(browser, app)
    header, _ = peek(tokens["id_token"])
    assert header["kid"] in [key["kid"] for key in published]
    assert verified(tokens["id_token"], published, audience=app.id)


def test_oidcc_idtoken_unsigned(browser: Browser, app: App, phone: Phone) -> None:
    metadata = phone.call("GET /.well-known/openid-configuration").json()
    assert "none" not in metadata["id_token_signing_alg_values_supported"]
    assert peek(logged_in(browser, app)[0]["id_token"])[0]["alg"] != "none"


def test_oidcc_userinfo_get(browser: Browser, app: App, phone: Phone) -> None:
    tokens, claims = logged_in(browser, app)
    assert userinfo(phone, tokens) == {"sub": claims["sub"], "email": EMAIL, "email_verified": False}


def test_oidcc_userinfo_post_header(browser: Browser, app: App, phone: Phone) -> None:
    tokens, claims = logged_in(browser, app)
    answer = phone.call("POST /oauth/userinfo", token=tokens["access_token"])
    assert answer.json()["sub"] == claims["sub"]


def test_oidcc_userinfo_post_body(browser: Browser, app: App, phone: Phone) -> None:
    # RFC 6750 section 2.2 may be left out, and is: the suite warns and goes on when the answer is an HTTP error.
    tokens, _ = logged_in(browser, app)
    raw = f"access_token={tokens['access_token']}".encode()
    answer = phone.call("POST /oauth/userinfo", raw=raw, headers=[("Content-Type", FORM_TYPE)])
    assert refusal(answer) == (401, "invalid_token")


def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(browser: Browser, app: App) -> None:
    _, claims = logged_in(browser, app, nonce=None)
    assert "nonce" not in claims


def test_oidcc_scope_profile(browser: Browser, app: App, phone: Phone) -> None:
    # The suite expects the claims that an account can have; its user has said all of them.
    said = {
        **dict.fromkeys(
            ("given_name", "family_name", "middle_name", "nickname", "preferred_username", "gender"), "Ann"
        ),
        **dict.fromkeys(("profile", "picture", "website"), "https://ann.example"),
        "birthdate": "1990-03-22",
        "zoneinfo": "Europe/Paris",
        "locale": "fr",
    }
    assert phone.call("PATCH /me", said, token=phone.log_in()["access_token"]).status == 200
    tokens, _ = logged_in(browser, app, scope="openid profile")
    claims = userinfo(phone, tokens)
    assert {name: claims.get(name) for name in said} == said
    assert (claims["name"], type(claims["updated_at"])) == ("Ann", int)
    assert set(claims) == {"sub", "name", "updated_at", *said}  # OpenID Connect Core 5.4, the scope profile


def test_oidcc_scope_email(browser: Browser, app: App, phone: Phone) -> None:
    tokens, _ = logged_in(browser, app, scope="openid email")
    claims = userinfo(phone, tokens)
    assert (claims["email"], claims["email_verified"]) == (EMAIL, False)
    assert "name" not in claims


@pytest.mark.parametrize("scope", ["address", "phone"])
def test_oidcc_scope_address_and_phone(browser: Browser, app: App, phone: Phone, scope: str) -> None:
    # Not supported and not advertised, upon which the suite skips both.
    assert scope not in phone.call("GET /.well-known/openid-configuration").json()["scopes_supported"]
    assert logged_in(browser, app, scope=f"openid {scope}")[0]["scope"] == "openid"


def test_oidcc_scope_all(browser: Browser, app: App, phone: Phone) -> None:
    tokens, _ = logged_in(browser, app, scope="openid profile email offline_access")
    assert set(userinfo(phone, tokens)) == {"sub", "name", "email", "email_verified"}


def test_oidcc_alternate_happy_flow(browser: Browser, app: App, phone: Phone) -> None:
    reversed_request = list(reversed(app.request(scope="email openid").items()))
    page = browser.finish(browser.get("/oauth/authorize", reversed_request))
    tokens = token_response(app.redeem(callback_params(page)["code"]))
    assert set(userinfo(phone, tokens)) == {"sub", "email", "email_verified"}
    claims = verified(tokens["id_token"], keys.published(app.svc), audience=app.id, now=app.svc.now())
    assert "email" not in claims  # Core 5.4: with an access token they are for userinfo


def test_oidcc_display_page(browser: Browser, app: App) -> None:
    assert logged_in(browser, app, display="page")


def test_oidcc_display_popup(browser: Browser, app: App) -> None:
    assert logged_in(browser, app, display="popup")


def test_oidcc_prompt_login(browser: Browser, app: App, clock: Clock) -> None:
    _, first = logged_in(browser, app)
    clock.advance(10)
    page = browser.authorize(app, prompt="login")
    assert asks_to_log_in(page)
    tokens = token_response(app.redeem(callback_params(browser.finish(page))["code"]))
    claims = peek(tokens["id_token"])[1]
    assert (claims["sub"], claims["auth_time"]) == (first["sub"], first["auth_time"] + 10)


def test_oidcc_prompt_none_not_logged_in(browser: Browser, app: App) -> None:
    answer = browser.authorize(app, prompt="none")
    assert callback_params(answer)["error"] == "login_required"
    assert callback_params(answer)["state"] == "xyz"


def test_oidcc_prompt_none_logged_in(browser: Browser, app: App, clock: Clock) -> None:
    _, first = logged_in(browser, app)
    clock.advance(10)
    tokens = token_response(app.redeem(callback_params(browser.authorize(app, prompt="none"))["code"]))
    claims = peek(tokens["id_token"])[1]
    assert (claims["sub"], claims["auth_time"]) == (first["sub"], first["auth_time"])


def test_oidcc_max_age_1(browser: Browser, app: App, clock: Clock) -> None:
    _, first = logged_in(browser, app)
    clock.advance(2)
    page = browser.authorize(app, max_age="1")
    assert asks_to_log_in(page)
    tokens = token_response(app.redeem(callback_params(browser.finish(page))["code"]))
    claims = peek(tokens["id_token"])[1]
    assert claims["auth_time"] > first["auth_time"]
    assert clock() - claims["auth_time"] <= 1


def test_oidcc_max_age_10000(browser: Browser, app: App, clock: Clock) -> None:
    _, first = logged_in(browser, app)
    clock.advance(2)
    tokens = token_response(app.redeem(callback_params(browser.authorize(app, max_age="10000"))["code"]))
    claims = peek(tokens["id_token"])[1]
    assert (claims["sub"], claims["auth_time"]) == (first["sub"], first["auth_time"])


def test_oidcc_ensure_request_with_unknown_parameter_succeeds(browser: Browser, app: App) -> None:
    assert logged_in(browser, app, extra="foobar")


def test_oidcc_id_token_hint(browser: Browser, app: App) -> None:
    tokens, first = logged_in(browser, app)
    answer = browser.authorize(app, prompt="none", id_token_hint=tokens["id_token"])
    again = token_response(app.redeem(callback_params(answer)["code"]))
    assert peek(again["id_token"])[1]["sub"] == first["sub"]


def test_oidcc_login_hint(browser: Browser, app: App) -> None:
    page = browser.authorize(app, login_hint=EMAIL)
    assert forms(page)["/authorize/login"].typed["email"] == EMAIL
    assert "code" in callback_params(browser.finish(page))


def test_oidcc_ui_locales(browser: Browser, app: App) -> None:
    assert b'lang="ar"' in browser.authorize(app, ui_locales="xx ar en").body
    assert logged_in(browser, app, ui_locales="se")


def test_oidcc_claims_locales(browser: Browser, app: App) -> None:
    assert logged_in(browser, app, claims_locales="se")


def test_oidcc_ensure_request_with_acr_values_succeeds(browser: Browser, app: App) -> None:
    _, claims = logged_in(browser, app, acr_values="1 2 aal1")
    assert claims["acr"] == "aal1"
    assert logged_in(browser, app, acr_values="never-heard-of")


def test_oidcc_codereuse(browser: Browser, app: App) -> None:
    code = browser.code(app)
    token_response(app.redeem(code))
    assert refusal(app.redeem(code)) == (400, "invalid_grant")


def test_oidcc_codereuse_30seconds(browser: Browser, app: App, phone: Phone, clock: Clock) -> None:
    code = browser.code(app)
    tokens = token_response(app.redeem(code))
    clock.advance(30)
    assert refusal(app.redeem(code)) == (400, "invalid_grant")
    # RFC 6749 section 4.1.2: tokens of a code that is used twice should be revoked.
    assert phone.call("GET /oauth/userinfo", token=tokens["access_token"]).status == 401


def test_oidcc_ensure_registered_redirect_uri(browser: Browser, app: App) -> None:
    page = browser.authorize(app, redirect_uri="https://app.example/cb/other")
    assert (page.status, place(page)) == (400, "")


def test_oidcc_ensure_post_request_succeeds(browser: Browser, app: App) -> None:
    page = browser.post("/oauth/authorize", app.request(), origin="https://app.example")
    tokens = token_response(app.redeem(callback_params(browser.finish(page))["code"]))
    assert verified(tokens["id_token"], keys.published(app.svc), audience=app.id)


def test_oidcc_server_client_secret_post(browser: Browser, svc: Services, phone: Phone) -> None:
    assert logged_in(browser, plan_client(svc, phone, "post"))


def test_oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported(browser: Browser, app: App) -> None:
    answer = browser.authorize(app, request_uri="https://app.example/request.jwt")
    assert callback_params(answer)["error"] == "request_uri_not_supported"


def unsigned(claims: Mapping[str, object]) -> str:
    return compact({"alg": "none"}, claims, lambda _: b"")


def test_oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(
    browser: Browser, app: App
) -> None:
    answer = browser.authorize(app, request=unsigned({"state": "inside", "client_id": app.id}))
    assert callback_params(answer)["error"] == "request_not_supported"
    assert callback_params(answer)["state"] == "xyz"


def test_oidcc_claims_essential(browser: Browser, app: App, phone: Phone) -> None:
    claims = json.dumps({"userinfo": {"name": {"essential": True}}})
    tokens, _ = logged_in(browser, app, scope="openid", claims=claims)
    assert userinfo(phone, tokens)["name"] == "Ann"


def test_oidcc_ensure_request_object_with_redirect_uri(browser: Browser, app: App) -> None:
    # With request objects refused, what counts is that neither redirect URI is taken from inside or out.
    inside = unsigned({**app.request(), "iss": app.id, "aud": ISSUER})
    page = browser.authorize(app, request=inside, redirect_uri="https://app.example/invalid")
    assert (page.status, place(page)) == (400, "")
    evil = unsigned({**app.request(), "redirect_uri": "https://evil.example/cb"})
    assert place(browser.authorize(app, request=evil)) == app.request()["redirect_uri"]


def test_oidcc_refresh_token(browser: Browser, app: App, svc: Services, phone: Phone, clock: Clock) -> None:
    first, claims = logged_in(browser, app, prompt="consent")
    clock.advance(1)
    second = token_response(app.refresh(first["refresh_token"]))
    assert second["access_token"] != first["access_token"]
    again = verified(second["id_token"], keys.published(svc), audience=app.id)
    names = ("iss", "sub", "aud", "auth_time")
    assert [again[name] for name in names] == [claims[name] for name in names]
    assert again["iat"] > claims["iat"]
    assert userinfo(phone, second)["sub"] == claims["sub"]
    assert REFRESH in phone.call("GET /.well-known/openid-configuration").json()["grant_types_supported"]
    other, _ = logged_in(browser, plan_client(svc, phone))
    assert refusal(app.refresh(other["refresh_token"])) == (400, "invalid_grant")


def test_oidcc_ensure_request_with_valid_pkce_succeeds(browser: Browser, app: App) -> None:
    code = browser.code(app, code_challenge=CHALLENGE, code_challenge_method="S256")
    assert token_response(app.redeem(code, code_verifier=VERIFIER))
