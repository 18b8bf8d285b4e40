"""Which websites' scripts may call what (the Fetch standard, CORS); the JSON API's own cases: test_bad_input.py."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app import app as server
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import App, Browser, register, send
from tests.support.phone import Clock, Phone, installed

ANYBODY, OURS = "https://somebody.example", "https://app.example"
# What a browser-based client and an MCP client need without anybody's leave.
FOR_EVERYBODY = [
    "GET /.well-known/openid-configuration",
    "GET /.well-known/oauth-authorization-server",
    "GET /.well-known/oauth-protected-resource",
    "GET /.well-known/oauth-protected-resource/unknown",
    "GET /.well-known/jwks.json",
    "GET /.well-known/apple-app-site-association",
    "GET /.well-known/assetlinks.json",
    "GET /.well-known/webauthn",
    "GET /.well-known/passkey-endpoints",
    "GET /openapi.json",
    "POST /oauth/token",
    "POST /oauth/revoke",
    "GET /oauth/userinfo",
    "POST /oauth/userinfo",
    "POST /oauth/register",
    "GET /oauth/register/x",
    "PUT /oauth/register/x",
    "DELETE /oauth/register/x",
]
FOR_CONFIGURED = [
    "POST /login",
    "POST /signup",
    "POST /refresh",
    "POST /oauth/introspect",
    "POST /oauth/par",
    "POST /oauth/device",
    "POST /oauth/authorize-challenge",
]
FOR_NOBODY = [
    "GET /oauth/authorize",
    "POST /oauth/authorize",
    "POST /authorize/login",
    "GET /device",
    "POST /device",
    "GET /oauth/logout",
    "GET /.well-known/change-password",
]


@pytest.fixture
def phone(svc: Services, clock: Clock) -> Iterator[Phone]:
    """A deployment that one website may call."""
    with installed(replace(svc, settings=replace(svc.settings, origins=frozenset({OURS})))):
        yield Phone(clock)


def called(phone: Phone, line: str, origin: str) -> Answer:
    return phone.call(line, headers={"Origin": origin})


def preflight(phone: Phone, line: str, origin: str, *headers: str) -> Answer:
    method, _, path = line.partition(" ")
    about_origin = {"Origin": origin, "Access-Control-Request-Method": method}
    more = {"Access-Control-Request-Headers": ",".join(headers)} if headers else {}
    return phone.call(f"OPTIONS {path}", headers={**about_origin, **more})


def allowed_origin(answer: Answer) -> str | None:
    assert answer.header("Access-Control-Allow-Credentials") is None
    return answer.header("Access-Control-Allow-Origin")


@pytest.mark.parametrize("line", FOR_EVERYBODY)
def test_what_needs_no_cookie_is_for_every_website(phone: Phone, line: str) -> None:
    for origin in (ANYBODY, OURS, "null"):
        assert allowed_origin(called(phone, line, origin)) == "*"
        answer = preflight(phone, line, origin)
        assert (answer.status, allowed_origin(answer)) == (204, "*")
        assert line.split()[0] in (answer.header("Access-Control-Allow-Methods") or "").split(",")


@pytest.mark.parametrize("line", FOR_CONFIGURED)
def test_the_rest_is_for_the_websites_that_the_operator_names(phone: Phone, line: str) -> None:
    assert allowed_origin(called(phone, line, OURS)) == allowed_origin(preflight(phone, line, OURS)) == OURS
    for origin in (ANYBODY, "null"):
        assert allowed_origin(called(phone, line, origin)) is allowed_origin(preflight(phone, line, origin)) is None


@pytest.mark.parametrize("line", FOR_NOBODY)
def test_a_page_is_for_no_website_at_all(phone: Phone, line: str) -> None:
    for origin in (ANYBODY, OURS):
        answer = called(phone, line, origin)
        assert answer.status < 500
        assert allowed_origin(answer) is None
        assert not 200 <= preflight(phone, line, origin).status < 300


def test_no_path_is_forgotten() -> None:
    """Whatever is added has to be one of the three, and the list of those that are for everybody is API design."""
    everybody = {path for path in server.routes if path.startswith(("/.well-known/", "/openapi.json"))}
    everybody |= {"/oauth/token", "/oauth/revoke", "/oauth/userinfo", "/oauth/register", "/oauth/register/{client_id}"}
    listed = {line.split()[1].replace("/x", "/{client_id}") for line in FOR_EVERYBODY}
    parameters = {path for path in everybody if "{path}" in path or "{name}" in path}
    pages = {line.split()[1] for line in FOR_NOBODY}
    assert everybody - parameters - pages <= listed


@pytest.mark.parametrize("line", ["POST /oauth/token", "GET /.well-known/openid-configuration", "POST /login"])
def test_a_preflight_may_ask_for_whatever_headers_a_client_sends(phone: Phone, line: str) -> None:
    answer = preflight(phone, line, OURS, "mcp-protocol-version", "Authorization", "x-a.b~c")
    assert answer.header("Access-Control-Allow-Headers") == "mcp-protocol-version,Authorization,x-a.b~c"
    for odd in ("x y", "a;b", "a,,b", "", "é", "x" * 2000, "a,", '"a"'):
        answer = preflight(phone, line, OURS, odd)
        assert answer.header("Access-Control-Allow-Headers") == "Authorization,Content-Type,DPoP"


def test_a_script_of_any_website_reads_the_nonce_and_when_to_come_again(phone: Phone, svc: Services) -> None:
    app = register(svc, phone, "spa")
    answer = send(phone, "/oauth/token", {"client_id": app.id, "grant_type": "x"}, headers=[("Origin", ANYBODY)])
    assert (answer.status, allowed_origin(answer)) == (400, "*")
    assert {"DPoP-Nonce", "Retry-After", "WWW-Authenticate"} <= set(
        (answer.header("Access-Control-Expose-Headers") or "").split(",")
    )


def test_an_answer_that_the_router_gives_by_itself_is_readable_as_well(phone: Phone) -> None:
    assert allowed_origin(called(phone, "GET /oauth/token", ANYBODY)) == "*"


def test_a_logged_in_users_cookie_opens_nothing_to_another_website(svc: Services, phone: Phone) -> None:
    phone.sign_up()
    browser = Browser(phone)
    app: App = register(svc, phone)
    browser.log_in(app)
    answer = browser.get("/oauth/userinfo", headers=[("Origin", ANYBODY)])
    assert answer.status == 401
