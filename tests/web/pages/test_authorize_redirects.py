"""Where the authorization endpoint sends a browser, and what it refuses to be talked into."""

from urllib.parse import urlencode, urlsplit

import pytest

from chalicelib.domain.errors import InvalidRedirectUri
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import CALLBACK, ISSUER, App, Browser, callback_params, forms, place, register, send
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone

CLAIMS_ACR = '{"id_token":{"acr":{"essential":true,"values":["aal3"]}}}'
LONG = "x" * 3000


@pytest.fixture
def native(svc: Services, phone: Phone) -> App:
    """A client on a user's own device."""
    return register(svc, phone, "native")


def page_status(answer: Answer) -> int:
    """The status of a page of our own, which sends nobody anywhere and holds nobody's form but ours."""
    assert answer.header("Location") is None
    assert (answer.header("Content-Type") or "").startswith("text/html")
    assert b"evil" not in answer.body
    for form in forms(answer):
        assert form.startswith("/"), form
    return answer.status


# 21: nothing but a page while it is not known whose request it is
@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": ""},
        {"client_id": "nobody"},
        {"client_id": "x" * 600},
        {"client_id": "a#b"},
        {"client_id": "\x00"},
        {"redirect_uri": None},
        {"redirect_uri": ""},
        {"redirect_uri": "https://evil.example/cb"},
        {"redirect_uri": "https://evil.example/cb", "response_type": "token"},
        {"redirect_uri": "https://evil.example/cb", "code_challenge": None},
        {"redirect_uri": "https://evil.example/cb", "scope": "admin"},
        {"redirect_uri": "https://evil.example/cb", "prompt": "none"},
        {"redirect_uri": "https://evil.example/cb", "request": "x"},
        {"redirect_uri": "https://evil.example/cb", "response_mode": "form_post", "scope": "admin"},
        {"redirect_uri": "x" * 5000},
        {"request_uri": "urn:ietf:params:oauth:request_uri:unknown"},
    ],
    ids=str,
)
def test_a_request_that_cannot_be_answered_safely_is_a_page(
    browser: Browser, app: App, changes: dict[str, str | None]
) -> None:
    assert page_status(browser.authorize(app, **changes)) == 400


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_a_doubled_client_or_redirect_uri_is_a_page(browser: Browser, app: App, name: str) -> None:
    good = list(app.request().items())
    for second in ("https://evil.example/cb", app.request()[name]):
        assert page_status(browser.get("/oauth/authorize", [*good, (name, second)])) == 400
        assert page_status(browser.get("/oauth/authorize", [(name, second), *good])) == 400
        assert page_status(browser.post("/oauth/authorize", [*good, (name, second)])) == 400


# Every other mistake goes to the client's own redirect URI, with the code of the specification that it breaks.
MISTAKES = [
    ({"response_type": None}, "invalid_request"),
    ({"response_type": ""}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "id_token"}, "unsupported_response_type"),
    ({"response_type": "code token"}, "unsupported_response_type"),
    ({"response_type": "code id_token"}, "unsupported_response_type"),
    ({"response_type": "CODE"}, "unsupported_response_type"),
    ({"response_type": "code "}, "unsupported_response_type"),
    ({"response_type": "none"}, "unsupported_response_type"),
    ({"response_type": LONG}, "unsupported_response_type"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"response_mode": "web_message"}, "invalid_request"),
    ({"response_mode": "query.jwt"}, "invalid_request"),
    ({"response_mode": "Query"}, "invalid_request"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": "s256"}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"code_challenge": "A" * 44}, "invalid_request"),
    ({"code_challenge": "A" * 42 + "="}, "invalid_request"),
    ({"scope": "admin"}, "invalid_scope"),
    ({"scope": "admin address"}, "invalid_scope"),
    ({"scope": "OPENID"}, "invalid_scope"),
    ({"scope": 'openid "x"'}, "invalid_scope"),
    ({"scope": "openid\u00e9 openid"}, "invalid_scope"),
    ({"scope": " ".join(["openid"] * 1200)}, "invalid_request"),
    ({"prompt": "none login"}, "invalid_request"),
    ({"prompt": "register"}, "invalid_request"),
    ({"prompt": "NONE"}, "invalid_request"),
    ({"prompt": "none"}, "login_required"),
    ({"max_age": "-1"}, "invalid_request"),
    ({"max_age": "1e3"}, "invalid_request"),
    ({"max_age": "٣"}, "invalid_request"),
    ({"max_age": "9" * 10}, "invalid_request"),
    ({"claims": "{"}, "invalid_request"),
    ({"claims": "[]"}, "invalid_request"),
    ({"claims": '{"id_token":["email"]}'}, "invalid_request"),
    ({"claims": '{"userinfo":"email"}'}, "invalid_request"),
    ({"claims": "[" * 2000}, "invalid_request"),
    ({"claims": '{"id_token":{"acr":"aal1"}}'}, "invalid_request"),
    ({"claims": CLAIMS_ACR}, "unmet_authentication_requirements"),
    ({"request": "e30.e30."}, "request_not_supported"),
    ({"request_uri": "https://evil.example/request.jwt"}, "request_uri_not_supported"),
    ({"resource": "https://evil.example"}, "invalid_target"),
    ({"dpop_jkt": "short"}, "invalid_request"),
    ({"nonce": LONG * 3}, "invalid_request"),
    ({"login_hint": "a\x00b"}, "invalid_request"),
]


@pytest.mark.parametrize(("changes", "code"), MISTAKES, ids=lambda value: str(value)[:60])
def test_a_mistake_is_told_to_the_client_at_its_redirect_uri(
    browser: Browser, app: App, changes: dict[str, str | None], code: str
) -> None:
    answer = browser.authorize(app, **changes)
    assert place(answer) == CALLBACK
    fields = callback_params(answer)
    assert set(fields) == {"error", "error_description", "state", "iss"}
    assert (fields["error"], fields["state"], fields["iss"]) == (code, "xyz", ISSUER)
    assert all(" " <= c <= "~" and c not in '"\\' for c in fields["error_description"])  # RFC 6749 section 4.1.2.1
    by_post = browser.post("/oauth/authorize", app.request(**changes), origin="https://app.example")
    assert callback_params(by_post) == fields


@pytest.mark.parametrize(
    ("changes", "code"), [({"scope": "admin"}, "invalid_scope"), ({"prompt": "none"}, "login_required")]
)
def test_a_mistake_is_told_in_the_response_mode_that_was_asked_for(
    browser: Browser, app: App, changes: dict[str, str], code: str
) -> None:
    answer = browser.authorize(app, response_mode="form_post", **changes)
    (form,) = forms(answer).values()
    assert form.action == CALLBACK
    assert (form.hidden["error"], form.hidden["state"], form.hidden["iss"]) == (code, "xyz", ISSUER)


def test_a_parameter_sent_twice_is_an_invalid_request_and_its_value_is_used_nowhere(browser: Browser, app: App) -> None:
    good = app.request(prompt="login", max_age="1", resource="x", login_hint="a", claims="{}", display="page")
    for name in good:
        if name in ("client_id", "redirect_uri"):
            continue
        answer = browser.get("/oauth/authorize", [*good.items(), (name, "evil")])
        assert place(answer) == CALLBACK
        # One token is for one resource here, and RFC 8707 section 2 has a code for that.
        assert callback_params(answer)["error"] == ("invalid_target" if name == "resource" else "invalid_request"), name
        assert callback_params(answer).get("state") == (None if name == "state" else "xyz")
        assert "evil" not in (answer.header("Location") or "")


def test_a_parameter_without_a_value_is_as_good_as_left_out(browser: Browser, app: App) -> None:
    answer = browser.authorize(app, prompt="", max_age="", claims="", request="", login_hint="", resource="", state="")
    assert "/authorize/login" in forms(answer)
    assert "state" not in callback_params(browser.finish(answer))


def test_parameters_in_the_wrong_place_are_not_seen(browser: Browser, app: App) -> None:
    query = urlencode(app.request())
    assert page_status(browser.post(f"/oauth/authorize?{query}", {})) == 400
    answer = browser.post("/oauth/authorize?redirect_uri=https://evil.example/cb", app.request())
    assert "/authorize/login" in forms(answer)


def test_parameter_names_have_their_case(browser: Browser, app: App) -> None:
    assert (
        page_status(browser.get("/oauth/authorize", {name.upper(): value for name, value in app.request().items()}))
        == 400
    )


def test_a_body_that_is_no_form_is_refused_by_a_page_or_in_json_but_never_understood(phone: Phone, app: App) -> None:
    assert phone.call("POST /oauth/authorize", app.request()).status == 400


# 22 to 24
TRICKS = [
    "https://APP.example/cb",
    "HTTPS://app.example/cb",
    "https://app.example/CB",
    "https://app.example/cb/",
    "https://app.example/cb?x=1",
    "https://app.example/cb?",
    "https://app.example/cb#",
    "https://app.example/cb#x",
    "https://app.example:443/cb",
    "https://app.example:8443/cb",
    "https://app.example./cb",
    "https://app.example/./cb",
    "https://app.example/x/../cb",
    "https://app.example/../cb",
    "https://app.example//cb",
    "https://app.example/cb/../evil",
    "https://app.example/%63b",
    "https://app.example/cb%2f",
    "https://app.example/cb%00",
    "https://app.example/cb%0d%0aLocation:%20https://evil.example",
    "https://app.example/cb\r\nLocation: https://evil.example",
    "https://app.example/cb\\",
    "https:\\\\app.example\\cb",
    "https:/app.example/cb",
    "https:app.example/cb",
    "https:evil.example",
    "//evil.example/cb",
    "//app.example/cb",
    "/cb",
    "cb",
    "?",
    "http://app.example/cb",
    "https://app.example.evil.example/cb",
    "https://app.example@evil.example/cb",
    "https://evil.example/https://app.example/cb",
    "https://evil.example#https://app.example/cb",
    "https://evil.example?https://app.example/cb",
    "https://user@app.example/cb",
    "https://app.example:@evil.example/cb",
    "https://app.example%2eevil.example/cb",
    "https://app.example。evil.example/cb",
    "https://аpp.example/cb",
    "https://ⓐpp.example/cb",
    "https://xn--pp-uja.example/cb",
    "https://other.execute-api.amazonaws.com/cb",
    "https://other.github.io/cb",
    "https://*.example/cb",
    "https://app.example/*",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "java\tscript:alert(1)",
    "\x01javascript:alert(1)",
    "javascript://app.example/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://app.example/cb",
    "about:blank",
    "urn:ietf:wg:oauth:2.0:oob",
    " https://app.example/cb",
    "https://app.example/cb ",
    "\thttps://app.example/cb",
    "https://app.example/cb\x00",
    "https://app.example/cb\ufffd",
    "https://app.example/cb,https://evil.example",
    "https://app.example/cb https://evil.example",
    '["https://app.example/cb"]',
    "https://[::1]/cb",
    "https://[/cb",
]


@pytest.mark.parametrize("uri", TRICKS, ids=ascii)
def test_nothing_but_the_registered_redirect_uri_to_the_letter_is_taken(
    browser: Browser, app: App, native: App, uri: str
) -> None:
    for client in (app, native):
        assert page_status(browser.authorize(client, redirect_uri=uri)) == 400
        assert page_status(browser.authorize(client, redirect_uri=uri, scope="admin")) == 400
        assert client.post("/oauth/par", client.request(redirect_uri=uri)).status == 400


LOOPBACK_TRICKS = [
    "http://localhost/cb",
    "http://localhost:8080/cb",
    "http://127.0.0.2/cb",
    "http://127.1/cb",
    "http://2130706433/cb",
    "http://0x7f.0.0.1/cb",
    "http://0.0.0.0/cb",
    "http://[::1]/cb",
    "http://127.0.0.1/other",
    "http://127.0.0.1/cb/",
    "http://127.0.0.1/cb?x=1",
    "http://127.0.0.1:80:80/cb",
    "http://127.0.0.1:/cb",
    "http://127.0.0.1:-1/cb",
    "http://127.0.0.1:999999/cb",
    "http://127.0.0.1:80@evil.example/cb",
    "http://127.0.0.1.evil.example/cb",
    "http://127.0.0.1:8080\n/cb",
    "http://127.0.0.1:8080/cb\n",
    "http://127.0.0.1:٣/cb",
    "https://127.0.0.1/cb",
    "HTTP://127.0.0.1/cb",
    "com.example.app://cb",
    "com.example.app:/cb/",
    "COM.EXAMPLE.APP:/cb",
    "com.example.app:cb",
    "com.example.other:/cb",
]


@pytest.mark.parametrize("uri", LOOPBACK_TRICKS, ids=ascii)
def test_only_the_port_of_a_native_clients_loopback_floats(browser: Browser, native: App, uri: str) -> None:
    assert page_status(browser.authorize(native, redirect_uri=uri)) == 400


def test_a_web_clients_port_never_floats(svc: Services, phone: Phone, browser: Browser, native: App) -> None:
    assert place(browser.authorize(native, redirect_uri="http://127.0.0.1:5000/cb", scope="admin")) == (
        "http://127.0.0.1:5000/cb"
    )
    web = register(svc, phone, redirect_uris=("https://127.0.0.1/cb",))
    assert page_status(browser.authorize(web, redirect_uri="https://127.0.0.1:5000/cb")) == 400


def test_an_error_is_never_told_to_another_clients_redirect_uri(svc: Services, phone: Phone, browser: Browser) -> None:
    mine = register(svc, phone, redirect_uris=("https://evil.example/cb",))
    app = register(svc, phone)
    assert page_status(browser.authorize(app, redirect_uri=mine.request()["redirect_uri"])) == 400
    assert page_status(browser.authorize(mine, redirect_uri=CALLBACK)) == 400


def test_a_query_in_a_registered_redirect_uri_is_kept(svc: Services, phone: Phone, browser: Browser) -> None:
    app = register(svc, phone, redirect_uris=("https://app.example/cb?tenant=1&x",))
    location = browser.authorize(app, scope="admin").header("Location") or ""
    assert location.startswith("https://app.example/cb?tenant=1&x&error=invalid_scope&")


def test_a_pushed_request_stands_alone(svc: Services, phone: Phone, browser: Browser) -> None:
    app = register(svc, phone, first_party=True)
    pushed = app.post("/oauth/par", app.request()).json()["request_uri"]
    short = {"client_id": app.id, "request_uri": pushed}
    mixed = {**short, "redirect_uri": "https://evil.example/cb", "scope": "admin", "state": "evil", "prompt": "none"}
    answer = browser.finish(browser.get("/oauth/authorize", mixed))
    assert place(answer) == CALLBACK
    assert callback_params(answer)["state"] == "xyz"


def test_a_client_that_has_to_push_cannot_send_its_request_through_the_browser(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    app = register(svc, phone, require_pushed_authorization_requests=True)
    assert callback_params(browser.authorize(app))["error"] == "invalid_request"
    pushed = app.post("/oauth/par", app.request()).json()["request_uri"]
    page = browser.get("/oauth/authorize", {"client_id": app.id, "request_uri": pushed})
    assert "code" in callback_params(browser.finish(page))


def test_a_client_without_the_grant_is_unauthorized(svc: Services, phone: Phone, browser: Browser) -> None:
    app = register(svc, phone, grant_types=("client_credentials",))
    assert callback_params(browser.authorize(app))["error"] == "unauthorized_client"


# 26
def test_headers_poison_neither_issuer_nor_redirect_nor_form(browser: Browser, app: App, phone: Phone) -> None:
    poison = [
        ("Host", "evil.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-Original-URL", "/evil"),
        ("Forwarded", "host=evil.example;proto=http"),
        ("Referer", "https://evil.example/"),
    ]
    page = browser.get("/oauth/authorize", app.request(), headers=poison)
    assert b"evil" not in page.body
    assert set(forms(page)) == {"/authorize/login", "/authorize/passkey"}
    assert callback_params(browser.get("/oauth/authorize", app.request(scope="x"), headers=poison))["iss"] == ISSUER
    for document in ("openid-configuration", "oauth-authorization-server"):
        answer = phone.call(f"GET /.well-known/{document}", headers=poison)
        assert answer.json()["issuer"] == ISSUER
        assert b"evil" not in answer.body
    device = register(app.svc, phone, "television")
    begun = send(phone, "/oauth/device", {"client_id": device.id}, headers=poison)
    assert begun.json()["verification_uri"].startswith(ISSUER)


# 28
def test_no_page_can_be_framed_sniffed_cached_or_made_to_run_a_script(browser: Browser, app: App) -> None:
    login = browser.authorize(app)
    consent = browser.submit(login, "/authorize/login", email=EMAIL, password=PASSWORD)
    pages = [login, consent, browser.get("/device"), browser.authorize(app, client_id=None)]
    pages += [Browser(browser.phone).get("/device"), browser.authorize(app, response_mode="form_post", scope="admin")]
    for page in pages:
        policy = page.header("Content-Security-Policy") or ""
        directives = {part.split()[0]: part.split()[1:] for part in policy.split(";")}
        assert directives["frame-ancestors"] == ["'none'"]
        assert directives["default-src"] == ["'none'"]
        assert directives["base-uri"] == ["'none'"]
        assert "unsafe" not in policy
        assert page.header("X-Frame-Options") == "DENY"
        assert page.header("X-Content-Type-Options") == "nosniff"
        assert page.header("Referrer-Policy") in ("no-referrer", "same-origin")  # RFC 9700 section 4.2.4
        assert page.header("Cache-Control") == "no-store"


def test_a_forms_target_is_ourselves_or_behind_https(browser: Browser, app: App) -> None:
    policy = browser.authorize(app).header("Content-Security-Policy") or ""
    (sources,) = [part.split()[1:] for part in policy.split(";") if part.split()[0] == "form-action"]
    # Not the client's place alone: browsers hold a form to this also when the client's own server redirects on.
    assert sources == ["'self'", "https:"]


@pytest.mark.parametrize("text", ['"><script>alert(1)</script>', "'-alert(1)-'", "</title><h1>"], ids=str)
def test_what_a_request_says_is_text_on_every_page(svc: Services, phone: Phone, browser: Browser, text: str) -> None:
    app = register(svc, phone, client_name=text)
    page = browser.authorize(app, login_hint=text, state=text, nonce=text)
    assert text.encode() not in page.body
    assert forms(page)["/authorize/login"].typed["email"] == text
    consent = browser.submit(page, "/authorize/login", email=EMAIL, password=PASSWORD)
    assert text.encode() not in consent.body
    assert callback_params(browser.finish(consent))["state"] == text
    posted = browser.authorize(app, state=text, response_mode="form_post", scope="admin")
    (form,) = forms(posted).values()
    assert form.hidden["state"] == text
    assert text.encode() not in posted.body


def test_a_redirect_is_a_303_without_a_referrer(browser: Browser, app: App) -> None:
    answer = browser.finish(browser.authorize(app))
    assert answer.status == 303  # RFC 9700 section 4.12: never 307, which would repeat the password to the client
    assert answer.header("Referrer-Policy") == "no-referrer"
    assert answer.header("Cache-Control") == "no-store"
    assert not urlsplit(answer.header("Location") or "").fragment


def test_max_age_and_an_id_token_hint_of_another_user_ask_for_a_login(
    phone: Phone, browser: Browser, app: App, clock: Clock
) -> None:
    tokens = app.tokens(browser)
    phone.sign_up("bob@example.com")
    other = app.tokens(Browser(phone), email="bob@example.com")
    assert "code" in callback_params(browser.authorize(app, prompt="none", id_token_hint=tokens["id_token"]))
    answer = browser.authorize(app, prompt="none", id_token_hint=other["id_token"])
    assert callback_params(answer)["error"] == "login_required"
    clock.advance(100)
    assert callback_params(browser.authorize(app, prompt="none", max_age="99"))["error"] == "login_required"
    assert callback_params(browser.authorize(app, prompt="none", max_age="0"))["error"] == "login_required"
    assert "code" in callback_params(browser.authorize(app, prompt="none", max_age="100"))


def test_pkce_is_advertised(phone: Phone) -> None:
    for document in ("openid-configuration", "oauth-authorization-server"):
        metadata = phone.call(f"GET /.well-known/{document}").json()
        assert metadata["code_challenge_methods_supported"] == ["S256"]
        assert metadata["authorization_response_iss_parameter_supported"] is True


@pytest.mark.parametrize(
    ("kind", "uri"),
    [
        ("web", "http://app.example/cb"),
        ("native", "http://app.example/cb"),
        ("native", "http://127.0.0.1.evil.example/cb"),
        ("spa", "http://192.168.0.1/cb"),
    ],
)
def test_a_redirect_uri_that_would_be_sent_in_the_clear_cannot_be_registered(
    svc: Services, phone: Phone, kind: str, uri: str
) -> None:
    with pytest.raises(InvalidRedirectUri):
        register(svc, phone, kind, redirect_uris=(uri,))


@pytest.mark.parametrize("origin", ["https://evil.example", "https://app.example"])
def test_no_other_site_may_read_what_the_authorization_endpoint_says(browser: Browser, app: App, origin: str) -> None:
    for answer in (
        browser.get("/oauth/authorize", app.request(), headers=[("Origin", origin)]),
        browser.get("/oauth/authorize", app.request(prompt="none"), headers=[("Origin", origin)]),
    ):
        assert answer.header("Access-Control-Allow-Credentials") is None
        assert answer.header("Access-Control-Allow-Origin") is None


def test_an_access_token_in_a_query_is_not_seen(browser: Browser, app: App, phone: Phone) -> None:
    token = app.tokens(browser)["access_token"]
    for line in ("GET /oauth/userinfo", "POST /oauth/userinfo", "GET /me"):
        assert phone.call(f"{line}?access_token={token}").status == 401


def test_the_consent_page_names_the_client_and_the_host_that_it_leads_to(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    app = register(svc, phone, client_name="Somebody")
    page = browser.submit(browser.authorize(app), "/authorize/login", email=EMAIL, password=PASSWORD)
    assert b"Somebody" in page.body
    assert b"app.example" in page.body.partition(b"<form")[0]
