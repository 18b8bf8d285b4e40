"""Userinfo as a JWT (OpenID Connect Core 5.3.2), for clients that are registered for one."""

from chalicelib.flows.platform import keys
from chalicelib.services import Services
from tests.support.browser import ISSUER, Browser, forms, register
from tests.support.forge import peek
from tests.support.oidc import signed_by
from tests.support.phone import EMAIL, Phone, refusal


def test_userinfo_is_signed_for_a_client_that_asks_and_for_no_other(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    app = register(svc, phone, userinfo_signed_response_alg="ES256")
    tokens = app.tokens(browser, scope="openid email")
    for method in ("GET", "POST"):
        answer = phone.call(f"{method} /oauth/userinfo", token=tokens["access_token"])
        assert answer.header("Content-Type") == "application/jwt"
        text = answer.body.decode()
        (key,) = keys.published(svc)
        assert signed_by(key, text)
        sub = peek(tokens["id_token"])[1]["sub"]
        assert peek(text)[1] == {"iss": ISSUER, "aud": app.id, "sub": sub, "email": EMAIL, "email_verified": False}
    other = register(svc, phone).tokens(browser, scope="openid email")
    plain = phone.call("GET /oauth/userinfo", token=other["access_token"])
    assert (plain.header("Content-Type"), plain.json()["email"]) == ("application/json", EMAIL)


def test_an_error_is_no_jwt(svc: Services, phone: Phone, browser: Browser) -> None:
    app = register(svc, phone, userinfo_signed_response_alg="ES256")
    tokens = app.tokens(browser, scope="notes:read")
    assert refusal(phone.call("GET /oauth/userinfo", token=tokens["access_token"])) == (403, "insufficient_scope")


def test_signed_userinfo_is_neither_an_id_token_nor_an_access_token(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    app = register(svc, phone, userinfo_signed_response_alg="ES256")
    tokens = app.tokens(browser)
    text = phone.call("GET /oauth/userinfo", token=tokens["access_token"]).body.decode()
    assert forms(browser.get("/oauth/logout", {"id_token_hint": text}))  # the user is asked
    assert phone.call("POST /verify", {"token": text}).json() == {"active": False}
    assert phone.call("GET /oauth/userinfo", token=text).status == 401
    assert not forms(browser.get("/oauth/logout", {"id_token_hint": tokens["id_token"]}))
