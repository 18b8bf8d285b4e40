"""The authorization code grant as it should go, for every kind of client (RFC 6749 4.1, RFC 7636, OpenID Connect Core 3.1)."""

import pytest

from chalicelib.flows.clients import manage
from chalicelib.flows.platform import keys
from chalicelib.services import Services
from tests.support.browser import CALLBACK, ISSUER, Browser, callback_params, forms, place, register, token_response
from tests.support.forge import peek
from tests.support.oidc import verified
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone

CODE_KINDS = ("web", "post", "key", "spa", "native")


@pytest.fixture
def browser(phone: Phone) -> Browser:
    """A browser whose user has an account and is not logged in."""
    phone.sign_up(name="Ann")
    return Browser(phone)


@pytest.mark.parametrize("kind", CODE_KINDS)
def test_a_client_of_every_kind_gets_its_tokens_and_refreshes_them(
    svc: Services, phone: Phone, browser: Browser, kind: str
) -> None:
    app = register(svc, phone, kind)
    answer = browser.log_in(app)
    assert set(answer) == {"code", "state", "iss"}
    assert (answer["state"], answer["iss"]) == ("xyz", ISSUER)
    tokens = token_response(app.redeem(answer["code"]))
    assert tokens["token_type"] == "Bearer"
    assert tokens["scope"] == "openid email offline_access notes:read"
    claims = verified(tokens["id_token"], keys.published(svc), audience=app.id)
    assert claims["nonce"] == "n-0S6_WzA2Mj"
    assert phone.call("GET /oauth/userinfo", token=tokens["access_token"]).json()["email"] == EMAIL
    again = token_response(app.refresh(tokens["refresh_token"]))
    assert again["refresh_token"] != tokens["refresh_token"]
    assert peek(again["access_token"])[1]["sid"] == peek(tokens["access_token"])[1]["sid"]


def test_a_session_lives_for_as_long_as_it_can_be_used(
    svc: Services, phone: Phone, browser: Browser, clock: Clock
) -> None:
    for name, scope in (("brief", "openid"), ("long", "openid offline_access")):
        tokens = register(svc, phone, client_name=name).tokens(browser, scope=scope)

    def devices_of_user() -> set[str]:
        sessions = phone.call("GET /me/sessions", token=phone.log_in()["access_token"]).json()["sessions"]
        return {session["device"] for session in sessions} & {"brief", "long"}

    clock.advance(tokens["expires_in"] - 1)
    assert devices_of_user() == {"brief", "long"}
    clock.advance(1)  # without a refresh token, an access token is all that there is to it
    assert devices_of_user() == {"long"}
    clock.advance(svc.settings.refresh_idle_seconds - tokens["expires_in"] - 1)
    assert devices_of_user() == {"long"}
    clock.advance(1)
    assert devices_of_user() == set()


def test_a_wrong_password_asks_again_with_the_address_kept_and_the_request_goes_on(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    app = register(svc, phone)
    page = browser.authorize(app)
    wrong = browser.submit(page, "/authorize/login", email=EMAIL, password="wrong")
    assert forms(wrong)["/authorize/login"].typed == {"email": EMAIL, "password": ""}
    assert b'role="alert"' in wrong.body
    assert "code" in callback_params(browser.finish(wrong))


def test_consent_is_asked_once_for_each_client_and_scope(svc: Services, phone: Phone, browser: Browser) -> None:
    app, other = register(svc, phone), register(svc, phone)
    browser.log_in(app)
    assert "code" in callback_params(browser.authorize(app, prompt="none"))
    assert "code" in callback_params(browser.authorize(app, scope="openid"))
    assert "/authorize/consent" in forms(browser.authorize(app, scope="openid profile"))
    assert "/authorize/consent" in forms(browser.authorize(other))


def test_a_new_client_of_an_old_ones_id_is_asked_for_anew(
    svc: Services, phone: Phone, browser: Browser, clock: Clock
) -> None:
    old = register(svc, phone, client_id="shop")
    old.tokens(browser, scope="openid email")
    manage.delete(svc, "shop")
    clock.advance(1)
    new = register(svc, phone, client_id="shop", redirect_uris=("https://other.example/cb",))
    page = browser.authorize(new, scope="openid")
    callback_params(browser.submit(page, "/authorize/consent", decision="allow"))
    assert "code" in callback_params(browser.authorize(new, scope="openid"))
    assert "/authorize/consent" in forms(browser.authorize(new, scope="openid email"))


def test_a_first_party_client_needs_no_consent(svc: Services, phone: Phone, browser: Browser) -> None:
    app = register(svc, phone, first_party=True)
    page = browser.submit(browser.authorize(app), "/authorize/login", email=EMAIL, password=PASSWORD)
    assert "code" in callback_params(page)


def test_whoever_refuses_goes_back_to_the_client_with_access_denied(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    app = register(svc, phone)
    page = browser.submit(browser.authorize(app), "/authorize/login", email=EMAIL, password=PASSWORD)
    answer = browser.submit(page, "/authorize/consent", decision="deny")
    assert place(answer) == CALLBACK
    assert callback_params(answer)["error"] == "access_denied"
    assert callback_params(answer)["state"] == "xyz"
    assert callback_params(answer)["iss"] == ISSUER


def test_somebody_new_signs_up_on_the_way(svc: Services, phone: Phone) -> None:
    app, browser = register(svc, phone), Browser(phone)
    page = browser.sign_up_page(browser.authorize(app))
    page = browser.submit(page, "/authorize/signup", email="bob@example.com", password=PASSWORD, name="Bob")
    tokens = token_response(app.redeem(callback_params(browser.finish(page))["code"]))
    assert phone.call("GET /oauth/userinfo", token=tokens["access_token"]).json()["email"] == "bob@example.com"


def test_the_session_cookie_is_out_of_reach_and_changes_with_every_login(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    app = register(svc, phone, first_party=True)
    page = browser.authorize(app)
    browser.submit(page, "/authorize/login", email=EMAIL, password=PASSWORD)
    (cookie,) = [line for line in browser.set_cookies if line.startswith("__Host-latchkey-session=")]
    attributes = {part.strip().partition("=")[0].lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "secure", "samesite", "path"} <= attributes
    assert "domain" not in attributes
    assert "SameSite=Lax" in cookie
    first = browser.cookies["__Host-latchkey-session"]
    browser.finish(browser.authorize(app, prompt="login"))
    assert browser.cookies["__Host-latchkey-session"] != first
    thief = Browser(phone)
    thief.cookies["__Host-latchkey-session"] = first
    assert callback_params(thief.authorize(app, prompt="none"))["error"] == "login_required"


def test_form_post_carries_the_answer_in_a_form_for_the_client(svc: Services, phone: Phone, browser: Browser) -> None:
    app = register(svc, phone, first_party=True)
    page = browser.finish(browser.authorize(app, response_mode="form_post"))
    assert page.status == 200
    (form,) = forms(page).values()
    assert form.action == CALLBACK
    assert set(form.hidden) == {"code", "state", "iss"}
    token_response(app.redeem(form.hidden["code"]))


def test_a_pushed_request_is_good_once_for_its_own_client_and_for_a_short_while(
    svc: Services, phone: Phone, browser: Browser, clock: Clock
) -> None:
    app, other = register(svc, phone, first_party=True), register(svc, phone)
    pushed = app.post("/oauth/par", app.request())
    assert pushed.status == 201
    short = {"client_id": app.id, "request_uri": pushed.json()["request_uri"]}
    assert browser.get("/oauth/authorize", {**short, "client_id": other.id}).status == 400
    assert "code" in callback_params(browser.finish(browser.get("/oauth/authorize", short)))
    clock.advance(svc.settings.retry_window_seconds + 1)
    again = browser.get("/oauth/authorize", short)
    assert (again.status, place(again)) == (400, "")
    late = app.post("/oauth/par", app.request()).json()
    clock.advance(late["expires_in"])
    assert browser.get("/oauth/authorize", {**short, "request_uri": late["request_uri"]}).status == 400


@pytest.mark.parametrize(
    ("kind", "uri"),
    [
        ("native", "http://127.0.0.1:51004/cb"),
        ("native", "com.example.app:/cb"),
        ("native", CALLBACK),
        ("web", CALLBACK),
    ],
)
def test_a_client_may_be_answered_at_any_of_its_own_redirect_uris(
    svc: Services, phone: Phone, browser: Browser, kind: str, uri: str
) -> None:
    app = register(svc, phone, kind, first_party=True)
    answer = browser.finish(browser.authorize(app, redirect_uri=uri))
    assert place(answer) == uri
    token_response(app.redeem(callback_params(answer)["code"], redirect_uri=uri))
