"""One thing in several spellings, all of them legal or common: what clients in the field send means what they meant."""

import base64
from typing import Any

import pytest

from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, TOKEN_EXCHANGE
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import (
    API,
    CALLBACK,
    FORM_TYPE,
    App,
    Browser,
    basic,
    callback_params,
    encoded,
    place,
    register,
    send,
    token_response,
)
from tests.support.forge import peek
from tests.support.phone import EMAIL, PASSWORD, Phone, refusal

ACCESS = "urn:ietf:params:oauth:token-type:access_token"
# RFC 3986 sections 6.2.2 and 6.2.3.
SPELLINGS = [f"{API}/", f"{API}:443", "HTTPS://Notes.EXAMPLE", "https://n%6ftes.example:443/"]
OTHERS = [f"{API}/x", "http://notes.example", f"{API}:8443", f"{API}.", f"{API}?", f"{API}#", f"{API}@evil.example/"]


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    """A client with an API besides ours."""
    return register(svc, phone, resources=(API,))


def audience(tokens: dict[str, Any]) -> object:
    return peek(tokens["access_token"])[1]["aud"]


@pytest.mark.parametrize("resource", SPELLINGS)
def test_an_api_may_be_asked_for_in_any_spelling_and_its_tokens_have_the_registered_one(
    browser: Browser, app: App, svc: Services, phone: Phone, resource: str
) -> None:
    tokens = app.tokens(browser, resource=resource)
    assert audience(tokens) == API
    # All who name it again may do so in whatever spelling they like.
    code = browser.code(app, resource=API)
    tokens = token_response(app.redeem(code, resource=resource))
    assert audience(token_response(app.refresh(tokens["refresh_token"], resource=resource))) == API
    pushed = app.post("/oauth/par", app.request(resource=resource)).json()["request_uri"]
    page = browser.get("/oauth/authorize", {"client_id": app.id, "request_uri": pushed})
    assert audience(token_response(app.redeem(callback_params(browser.finish(page))["code"]))) == API
    machine = register(svc, phone, "machine", resources=(API,))
    assert audience(token_response(machine.token(CLIENT_CREDENTIALS, resource=resource))) == API


@pytest.mark.parametrize("resource", SPELLINGS)
def test_so_it_is_in_an_exchange_for_a_device_and_in_a_first_party_app(
    browser: Browser, app: App, svc: Services, phone: Phone, resource: str
) -> None:
    token = app.tokens(browser)["access_token"]
    exchanger = register(svc, phone, "exchanger")
    subject = {"subject_token": token, "subject_token_type": ACCESS}
    for target in ({"resource": resource}, {"audience": resource}, {"resource": resource, "audience": API}):
        exchanged = token_response(exchanger.post("/oauth/token", {"grant_type": TOKEN_EXCHANGE, **subject, **target}))
        assert audience(exchanged) == API
    television = register(svc, phone, "television", resources=(API,))
    assert television.post("/oauth/device", {"resource": resource}).status == 200
    ours = register(svc, phone, "spa", first_party=True, resources=(API,))
    params = {name: ours.request()[name] for name in ("response_type", "code_challenge", "code_challenge_method")}
    auth_session = ours.post("/oauth/authorize-challenge", {**params, "resource": resource}).json()["auth_session"]
    right = {"auth_session": auth_session, "email": EMAIL, "password": PASSWORD, "resource": API}
    code = ours.post("/oauth/authorize-challenge", right).json()["authorization_code"]
    assert audience(token_response(ours.redeem(code, redirect_uri=None))) == API


@pytest.mark.parametrize("spelling", ["/", ":443", ":443/"])
def test_so_it_is_with_our_own_api(browser: Browser, app: App, svc: Services, spelling: str) -> None:
    own = svc.settings.audience
    tokens = app.tokens(browser, resource=own + spelling)
    assert audience(tokens) == own
    assert audience(token_response(app.refresh(tokens["refresh_token"], resource=own + spelling))) == own


@pytest.mark.parametrize("resource", OTHERS)
def test_an_api_that_is_only_spelled_alike_is_none_of_the_clients(
    browser: Browser, app: App, svc: Services, phone: Phone, resource: str
) -> None:
    assert callback_params(browser.authorize(app, resource=resource))["error"] == "invalid_target"
    code = browser.code(app, resource=API)
    assert refusal(app.redeem(code, resource=resource)) == (400, "invalid_target")
    machine = register(svc, phone, "machine", resources=(API,))
    assert refusal(machine.token(CLIENT_CREDENTIALS, resource=resource)) == (400, "invalid_target")


# Media types


@pytest.mark.parametrize(
    "content_type",
    [
        FORM_TYPE,
        f"{FORM_TYPE}; charset=utf8",
        f"{FORM_TYPE}; charset=UTF-8",
        f"{FORM_TYPE};charset=iso-8859-1",
        f"{FORM_TYPE} ; charset='utf-8'",
        f"{FORM_TYPE}; charset=utf-8; boundary=x",
        f"{FORM_TYPE};",
        "Application/X-WWW-Form-Urlencoded",
    ],
)
def test_a_form_is_known_by_its_type_and_subtype(phone: Phone, svc: Services, content_type: str) -> None:
    machine = register(svc, phone, "machine")
    proof, _ = machine.credentials()
    headers = [*proof, ("Content-Type", content_type)]
    raw = encoded({"grant_type": CLIENT_CREDENTIALS}).encode()
    token_response(phone.call("POST /oauth/token", raw=raw, headers=headers))
    spoilt = phone.call("POST /oauth/token", raw=raw + b"&scope=%ff", headers=headers)
    assert refusal(spoilt) == (400, "invalid_request")


@pytest.mark.parametrize(
    "path", ["token", "revoke", "introspect", "par", "device", "authorize-challenge"], ids=lambda path: path
)
@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", f"x{FORM_TYPE}", "", ";", f"{FORM_TYPE}, x"]
)
def test_what_is_no_form_is_an_invalid_request_in_the_words_of_oauth(
    phone: Phone, path: str, content_type: str
) -> None:
    """RFC 6749 section 5.2."""
    answer = phone.call(f"POST /oauth/{path}", raw=b"grant_type=x", headers=[("Content-Type", content_type)])
    assert refusal(answer) == (400, "invalid_request")


# The redirect URI (OAuth 2.1 section 4.1.1)


def test_a_client_with_one_redirect_uri_need_not_name_it(browser: Browser, app: App) -> None:
    params: dict[str, Any] = {"redirect_uri": None, "scope": "email notes:read"}
    answer = browser.finish(browser.authorize(app, **params))
    assert place(answer) == CALLBACK
    token_response(app.redeem(callback_params(answer)["code"], redirect_uri=None))
    token_response(app.redeem(browser.code(app, **params), redirect_uri=CALLBACK))
    assert place(browser.authorize(app, **{**params, "response_type": "token"})) == CALLBACK
    pushed = app.post("/oauth/par", app.request(**params)).json()["request_uri"]
    page = browser.get("/oauth/authorize", {"client_id": app.id, "request_uri": pushed})
    assert place(browser.finish(page)) == CALLBACK


def test_a_code_whose_request_named_no_redirect_uri_is_good_with_no_other(browser: Browser, app: App) -> None:
    code = browser.code(app, redirect_uri=None, scope="email")
    assert refusal(app.redeem(code, redirect_uri="https://evil.example/cb")) == (400, "invalid_grant")
    token_response(app.redeem(code, redirect_uri=None))


@pytest.mark.parametrize("uris", [(CALLBACK, f"{CALLBACK}2"), (CALLBACK,)])
@pytest.mark.parametrize("scope", ["openid email", "email"])
def test_where_it_is_missing_and_needed_the_message_says_so(
    svc: Services, phone: Phone, browser: Browser, uris: tuple[str, ...], scope: str
) -> None:
    app = register(svc, phone, redirect_uris=uris)
    if (len(uris), scope) == (1, "email"):
        return
    page = browser.authorize(app, redirect_uri=None, scope=scope)
    assert (page.status, page.header("Location")) == (400, None)
    assert "`redirect_uri` is missing" in page.body.decode()
    pushed = app.post("/oauth/par", app.request(redirect_uri=None, scope=scope))
    assert refusal(pushed) == (400, "invalid_request")
    assert "`redirect_uri` is missing" in pushed.json()["error_description"]


# Client authentication (RFC 6749 section 2.3.1)


def by_header(client_id: str, secret: str) -> list[tuple[str, str]]:
    return [("Authorization", "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode())]


def test_an_empty_secret_is_no_secret(browser: Browser, svc: Services, phone: Phone) -> None:
    app = register(svc, phone, "spa")
    form = app.redemption(browser.code(app))
    token_response(send(phone, "/oauth/token", form, headers=by_header(app.id, "")))
    form = {**app.redemption(browser.code(app)), "client_id": app.id, "client_secret": ""}
    token_response(send(phone, "/oauth/token", form))


@pytest.mark.parametrize("kind", ["web", "post", "key"])
def test_who_has_a_secret_or_a_key_needs_it(browser: Browser, svc: Services, phone: Phone, kind: str) -> None:
    app = register(svc, phone, kind)
    form = app.redemption(browser.code(app))
    assert refusal(send(phone, "/oauth/token", form, headers=by_header(app.id, ""))) == (401, "invalid_client")
    both = {**form, "client_id": app.id, "client_secret": ""}
    assert refusal(send(phone, "/oauth/token", both)) == (401, "invalid_client")
    token_response(app.post("/oauth/token", form))


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_client_that_knows_its_secret_may_send_it_in_either_place(svc: Services, phone: Phone, method: str) -> None:
    app = register(svc, phone, "machine", token_endpoint_auth_method=method)
    form = {"grant_type": CLIENT_CREDENTIALS}

    def tried(secret: str) -> list[Answer]:
        posted = send(phone, "/oauth/token", {**form, "client_id": app.id, "client_secret": secret})
        return [posted, send(phone, "/oauth/token", form, headers=by_header(app.id, secret))]

    for answer in tried(app.secret):
        token_response(answer)
    for answer in tried(app.secret + "x"):
        assert refusal(answer) == (401, "invalid_client")


@pytest.mark.parametrize("kind", ["spa", "key"])
def test_a_client_without_a_secret_is_not_known_by_one(svc: Services, phone: Phone, kind: str) -> None:
    app = register(svc, phone, kind)
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    for answer in (
        send(phone, "/oauth/token", {**form, "client_id": app.id, "client_secret": "x"}),
        send(phone, "/oauth/token", form, headers=by_header(app.id, "x")),
    ):
        assert refusal(answer) == (401, "invalid_client")


# Scopes (OpenID Connect Core 3.1.2.1)


@pytest.mark.parametrize(
    "scope",
    [
        "openid email groups",
        "groups openid https://x.example/$a email",
        "openid  email ",
        " ".join(["openid email", *map(str, range(60))]),
    ],
)
def test_scopes_that_are_not_understood_are_passed_over_and_the_answer_says_what_was_granted(
    browser: Browser, app: App, svc: Services, phone: Phone, scope: str
) -> None:
    granted_scope = app.tokens(browser, scope=scope)["scope"]
    assert granted_scope == "openid email"
    pushed = app.post("/oauth/par", app.request(scope=scope)).json()["request_uri"]
    page = browser.get("/oauth/authorize", {"client_id": app.id, "request_uri": pushed})
    assert token_response(app.redeem(callback_params(browser.finish(page))["code"]))["scope"] == "openid email"
    television = register(svc, phone, "television")
    assert television.post("/oauth/device", {"scope": scope}).status == 200


@pytest.mark.parametrize(
    "scope", ["groups", "groups roles", " ", 'openid "email"', "openid\temail", "openid\u00e9 openid"]
)
def test_a_client_that_may_have_none_of_what_it_asks_for_is_refused(
    browser: Browser, app: App, svc: Services, phone: Phone, scope: str
) -> None:
    assert callback_params(browser.authorize(app, scope=scope))["error"] == "invalid_scope"
    assert refusal(app.post("/oauth/par", app.request(scope=scope))) == (400, "invalid_scope")
    television = register(svc, phone, "television")
    assert refusal(television.post("/oauth/device", {"scope": scope})) == (400, "invalid_scope")


def test_at_the_token_endpoint_too_what_nothing_here_knows_is_passed_over(
    browser: Browser, app: App, svc: Services, phone: Phone
) -> None:
    tokens = app.tokens(browser, scope="openid email offline_access notes:read")
    refreshed = token_response(app.refresh(tokens["refresh_token"], scope="wiki email https://x.example/$a"))
    assert refreshed["scope"] == "email"
    machine, exchanger = register(svc, phone, "machine"), register(svc, phone, "exchanger")
    assert token_response(machine.token(CLIENT_CREDENTIALS, scope="wiki notes:read"))["scope"] == "notes:read"
    subject = {"subject_token": tokens["access_token"], "subject_token_type": ACCESS}
    exchanged = token_response(exchanger.token(TOKEN_EXCHANGE, scope="notes:read wiki", **subject))
    assert exchanged["scope"] == "notes:read"
    assert refusal(app.refresh(refreshed["refresh_token"], scope="wiki")) == (400, "invalid_scope")
    assert refusal(machine.token(CLIENT_CREDENTIALS, scope="wiki")) == (400, "invalid_scope")


def test_where_no_user_is_asked_a_known_scope_too_many_is_refused(
    browser: Browser, app: App, svc: Services, phone: Phone
) -> None:
    """RFC 6749 section 6: a refresh must not include any that was not granted; nor is there anybody to see what is left."""
    tokens = app.tokens(browser, scope="openid email offline_access")
    for scope in ("email profile", "email notes:read", "email account"):
        assert refusal(app.refresh(tokens["refresh_token"], scope=scope)) == (400, "invalid_scope")
    machine = register(svc, phone, "machine", scopes=("notes:read",))
    assert refusal(machine.token(CLIENT_CREDENTIALS, scope="notes:read notes:write")) == (400, "invalid_scope")


def test_a_request_without_scope_is_for_the_registered_ones_but_not_for_the_users_absence(
    browser: Browser, app: App, svc: Services, phone: Phone
) -> None:
    granted_scope = app.tokens(browser, scope=None)["scope"].split()
    assert granted_scope == [scope for scope in app.client.scopes if scope != "offline_access"]
    only_absence = register(svc, phone, scopes=("offline_access",))
    for refused in (only_absence, register(svc, phone, scopes=())):
        assert callback_params(browser.authorize(refused, scope=None))["error"] == "invalid_scope"
    television = register(svc, phone, "television", scopes=("offline_access",))
    assert refusal(television.post("/oauth/device", {})) == (400, "invalid_scope")


# Length


@pytest.mark.parametrize("length", [2049, 4000, 7000])
@pytest.mark.parametrize("mode", ["query", "form_post"])
def test_a_state_of_any_length_comes_back_as_it_came(browser: Browser, app: App, length: int, mode: str) -> None:
    state = ("st%2B+&=" * length)[:length]
    for send_it in (browser.get, browser.post):
        request = app.request(state=state, scope="admin", response_mode=mode)
        answer = send_it("/oauth/authorize", request)
        if mode == "query":
            assert (callback_params(answer)["error"], callback_params(answer)["state"]) == ("invalid_scope", state)
        else:
            assert answer.body.decode().count(state.replace("&", "&amp;")) == 1
    assert browser.log_in(app, state=state)["state"] == state


def test_a_request_that_is_too_long_is_told_with_its_state(browser: Browser, app: App) -> None:
    request = app.request(state="s" * 5000, nonce="n" * 5000)
    answer = callback_params(browser.post("/oauth/authorize", request))
    assert (answer["error"], answer["state"]) == ("invalid_request", "s" * 5000)
    assert refusal(app.post("/oauth/par", request)) == (400, "invalid_request")


@pytest.mark.parametrize("name", ["nonce", "login_hint", "acr_values", "ui_locales", "display", "claims_locales"])
def test_no_other_value_has_a_length_of_its_own_either(browser: Browser, app: App, name: str) -> None:
    fields = browser.log_in(app, **{name: "x" * 5000})
    tokens = token_response(app.redeem(fields["code"]))
    if name == "nonce":
        assert peek(tokens["id_token"])[1]["nonce"] == "x" * 5000


# The Authorization header (RFC 6750 section 2.1: 1*SP)


@pytest.mark.parametrize("gap", [" ", "   "])
def test_a_token_stands_after_as_many_spaces_as_one_likes(
    browser: Browser, app: App, svc: Services, phone: Phone, gap: str
) -> None:
    token = app.tokens(browser)["access_token"]
    assert phone.call("GET /oauth/userinfo", headers=[("Authorization", f"Bearer{gap}{token}")]).status == 200
    account = phone.log_in()["access_token"]
    assert phone.call("GET /me", headers=[("Authorization", f"Bearer{gap}{account}")]).status == 200
    machine = register(svc, phone, "machine")
    _, _, credentials = basic(machine.id, machine.secret).partition(" ")
    form = {"grant_type": CLIENT_CREDENTIALS}
    token_response(send(phone, "/oauth/token", form, headers=[("Authorization", f"Basic{gap}{credentials}")]))
