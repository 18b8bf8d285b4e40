"""Clients beside a local run: what is at loopback addresses works for those that its operator made, and nowhere else."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

import pytest

from chalicelib import config
from chalicelib.domain.errors import InvalidClientMetadata
from chalicelib.domain.oauth.client import Client
from chalicelib.fetch import Fetch
from chalicelib.flows.clients import authenticate as clients
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from deploy import stages
from tests.support.aws import container
from tests.support.browser import App, Browser, register
from tests.support.delivery import deliver
from tests.support.forge import jwk, peek, stranger
from tests.support.internet import Page, running
from tests.support.phone import NETWORK, Clock, Phone, installed, refusal

HOSTS = ["127.0.0.1", "localhost", "[::1]"]
KEY = stranger("ES256")


def new_client(svc: Services, **metadata: Any) -> Client:
    """A client that the operator makes."""
    return manage.create(svc, Client(client_id="", redirect_uris=("https://app.example/cb",), **metadata))[0]


MEMBERS = ("jwks_uri", "backchannel_logout_uri", "client_uri", "logo_uri", "policy_uri", "tos_uri")


class Neighbour:
    """Another server of the developer's, on both loopback addresses at one port; it keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        requests, body = self.requests, json.dumps({"keys": [{**jwk(KEY), "kid": "1"}]}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body_read = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                requests.append(
                    (f"{self.command} {self.path}", self.headers["Host"], dict(parse_qsl(body_read.decode())))
                )
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        class Six(ThreadingHTTPServer):
            address_family = socket.AF_INET6

        four = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = four.server_address[1]
        self.servers = [four, *([Six(("::1", self.port), Handler)] if socket.has_ipv6 else [])]
        for server in self.servers:
            Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()


@pytest.fixture
def neighbour() -> Iterator[Neighbour]:
    server = Neighbour()
    yield server
    server.stop()


@pytest.fixture
def svc(svc: Services) -> Services:
    """A developer's machine, where clients may register themselves as well."""
    here = replace(svc.settings, local=True, registration_open=True, client_documents=True)
    return replace(svc, settings=here, fetch=container(here).fetch)


@pytest.mark.parametrize("host", HOSTS)
def test_a_client_beside_the_server_is_told_of_a_logout(
    svc: Services, phone: Phone, neighbour: Neighbour, host: str
) -> None:
    phone.sign_up()
    app = register(svc, phone, backchannel_logout_uri=f"http://{host}:{neighbour.port}/out?of=latchkey")
    browser = Browser(phone)
    tokens = app.tokens(browser, scope="openid")
    browser.get("/oauth/logout", {"id_token_hint": tokens["id_token"]})
    deliver()
    ((line, authority, form),) = neighbour.requests
    assert (line, authority) == ("POST /out?of=latchkey", f"{host}:{neighbour.port}")
    assert peek(form["logout_token"])[1]["aud"] == app.id


def proves(app: App) -> bool | tuple[int, str]:
    answer = app.post("/oauth/revoke", {"token": "x"})
    return answer.status == 200 or refusal(answer)


@pytest.mark.parametrize("host", HOSTS)
def test_a_clients_keys_are_read_beside_the_server(
    svc: Services, phone: Phone, neighbour: Neighbour, host: str
) -> None:
    app = register(svc, phone, "key", jwks={}, jwks_uri=f"http://{host}:{neighbour.port}/jwks")
    app.key = KEY
    assert proves(app) is True


@pytest.mark.parametrize("local", [True, False])
def test_a_page_shows_a_logo_of_this_machine_in_a_local_run_alone(svc: Services, clock: Clock, local: bool) -> None:
    app = register(svc, Phone(clock), logo_uri="http://localhost:3000/logo.png")
    with installed(replace(svc, settings=replace(svc.settings, local=local))):
        app.phone = Phone(clock)
        app.phone.sign_up()
        browser = Browser(app.phone)
        login = browser.authorize(app)
        page = browser.submit(
            login, "/authorize/login", email="ann@example.com", password="correct horse battery staple"
        )
        policy = str(page.header("Content-Security-Policy"))
    images = next(part.split()[1:] for part in policy.split("; ") if part.startswith("img-src"))
    assert b'src="http://localhost:3000/logo.png"' in page.body
    assert ("http:" in images) is local


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("host", HOSTS)
def test_nobody_elses_client_has_an_address_of_this_machine(
    svc: Services, phone: Phone, member: str, host: str
) -> None:
    metadata: dict[str, Any] = {"redirect_uris": ["https://app.example/cb"], member: f"http://{host}:3000/x"}
    assert refusal(phone.call("POST /oauth/register", metadata)) == (400, "invalid_client_metadata")
    assert getattr(new_client(svc, **{member: metadata[member]}), member) == metadata[member]


def test_a_document_brings_no_address_of_this_machine(svc: Services, tmp_path: Path) -> None:
    client_id = "https://app.example/client.json"
    with running(tmp_path, "app.example") as internet:
        document = {"client_id": client_id, "redirect_uris": ["https://app.example/cb"]}
        internet.pages[client_id] = Page(json.dumps(document).encode())
        assert clients.find(replace(svc, fetch=internet.fetch()), client_id, network=NETWORK)
        other = {**document, "client_id": f"{client_id}?2", "logo_uri": "http://localhost:3000/logo.png"}
        internet.pages[f"{client_id}?2"] = Page(json.dumps(other).encode())
        client = clients.find(replace(svc, fetch=internet.fetch()), f"{client_id}?2", network=NETWORK)
        assert client
        assert (client.redirect_uris, client.logo_uri) == (("https://app.example/cb",), "")


NOT_HERE = [
    "http://127.0.0.2:3000/", "http://0.0.0.0/", "http://127.1/", "http://2130706433/", "http://[::ffff:127.0.0.1]/",
    "http://localhost.evil.example/", "http://localhost@evil.example/", "http://user@localhost/", "http://LOCALHOST/",
    "http://localhost:3000\\@evil.example/", "http://localhost:3000/a b", "http://localhost:3000/#x",
    "http://169.254.169.254/latest/meta-data/", "http://192.168.1.1/", "http://app.example/", "ftp://localhost/",
]  # fmt: skip


@pytest.mark.parametrize("uri", NOT_HERE)
def test_no_other_address_without_https_is_this_machine(svc: Services, uri: str) -> None:
    for member in MEMBERS:
        with pytest.raises(InvalidClientMetadata):
            new_client(svc, **{member: uri})
    assert svc.fetch.get(uri).reason == "not an https URL"


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://inside.example/"]
)
def test_a_local_run_asks_no_private_address_by_any_other_way(url: str) -> None:
    dialled: list[str] = []

    def connect(address: str, _: int, __: float) -> socket.socket:
        dialled.append(address)
        raise OSError

    fetch = Fetch(resolve=lambda _: ["127.0.0.1", "::1", "192.168.1.1"], connect=connect, local=True)
    assert (fetch.get(url).reason, dialled) == ("no public address", [])


# In a deployment there is none of it.


def test_a_deployment_takes_no_client_with_an_address_of_its_own_machine(svc: Services) -> None:
    deployed = replace(svc, settings=replace(svc.settings, local=False))
    for member in MEMBERS:
        with pytest.raises(InvalidClientMetadata):
            new_client(deployed, **{member: "http://localhost/"})


def test_a_deployment_asks_nothing_of_its_own_machine_though_a_client_says_so(
    svc: Services, clock: Clock, neighbour: Neighbour
) -> None:
    app = register(svc, Phone(clock), "key", jwks={}, jwks_uri=f"http://127.0.0.1:{neighbour.port}/jwks")
    deployed = replace(svc.settings, local=False)
    with installed(replace(svc, settings=deployed, fetch=container(deployed).fetch)):
        app.phone, app.key = Phone(clock), KEY
        assert proves(app) == (503, "temporarily_unavailable")
    assert neighbour.requests == []


@pytest.mark.parametrize(
    "uri", ["http://localhost:3000/callback", "http://127.0.0.1:4180/oauth2/callback", "http://[::1]/cb"]
)
def test_a_web_application_on_its_developers_machine_logs_users_in_by_its_operators_word(
    svc: Services, clock: Clock, uri: str
) -> None:
    with installed(replace(svc, settings=replace(svc.settings, local=False))):
        phone = Phone(clock)
        phone.sign_up()
        app = register(svc, phone, application_type="web", redirect_uris=(uri,), post_logout_redirect_uris=(uri,))
        assert {"access_token", "id_token"} <= set(app.tokens(Browser(phone), scope="openid"))
        elsewhere = uri.replace("3000", "3001").replace("4180", "4181").replace("[::1]", "[::1]:1")
        page = Browser(phone).authorize(app, redirect_uri=elsewhere)  # its port does not float
        assert (page.status, page.header("Location")) == (400, None)


def test_a_web_client_that_registered_itself_has_no_such_place(phone: Phone) -> None:
    metadata = {"redirect_uris": ["http://localhost:3000/callback"], "application_type": "web"}
    assert refusal(phone.call("POST /oauth/register", metadata)) == (400, "invalid_redirect_uri")


GOOD = {"LATCHKEY_ISSUER": "http://127.0.0.1:8000", "LATCHKEY_LOCAL": "on"}


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:8000/path"])
def test_the_setting_is_for_an_issuer_on_this_machine(issuer: str) -> None:
    assert config.load({**GOOD, "LATCHKEY_ISSUER": issuer}).local
    assert not config.load({"LATCHKEY_ISSUER": issuer}).local


@pytest.mark.parametrize(
    "wrong",
    [
        {"LATCHKEY_ISSUER": "https://id.example"},
        {"LATCHKEY_ISSUER": "http://id.example"},
        {"LATCHKEY_ISSUER": "http://localhost.id.example"},
        {"LATCHKEY_ISSUER": "http://127.0.0.1@id.example"},
        {"LATCHKEY_ISSUER": "https://localhost"},
        {"AWS_LAMBDA_FUNCTION_NAME": "latchkey-dev"},
        {"LATCHKEY_LOCAL": "yes"},
    ],
    ids=str,
)
def test_no_deployment_starts_with_it(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="LATCHKEY_LOCAL"):
        config.load({**GOOD, **wrong})


@pytest.mark.parametrize("stage", stages.names())
def test_no_stage_has_it(stage: str) -> None:
    configuration = stages.read(stage)
    assert not any("LATCHKEY_LOCAL" in configuration.environment(function) for function in configuration.functions)
