"""What clients get that nobody here has registered: what is offered to their like by now, at each API what its map knows."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.oauth.client import Client
from chalicelib.flows.clients import authenticate as clients
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from deploy.registered_apis import entry
from tests.support.browser import App, Browser, callback_params
from tests.support.commands import run
from tests.support.internet import Internet, Page, running
from tests.support.phone import NETWORK, Clock, Phone, installed, refusal

MCP, NOTES = "https://mcp.example/mcp", "https://notes.example"
DOCUMENT = "https://app.example/client.json"
REDIRECT = "https://app.example/cb"
OFFER = ("openid", "offline_access", "mcp:read", "mcp:write", "notes:read")
METADATA: dict[str, Any] = {
    "redirect_uris": [REDIRECT],
    "grant_types": ["authorization_code", "refresh_token"],
    "token_endpoint_auth_method": "none",
    "scope": "mcp:read",
}


def with_settings(svc: Services, **settings: Any) -> Services:
    return replace(svc, settings=replace(svc.settings, **settings))


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    with running(tmp_path, "app.example") as network:
        network.pages[DOCUMENT] = Page(json.dumps({"client_id": DOCUMENT, **METADATA}).encode())
        yield network


@pytest.fixture
def svc(svc: Services, internet: Internet, tmp_path: Path) -> Services:
    """A deployment with an MCP server, open to clients of both kinds."""
    mcp = entry(
        name="mcp",
        scopes={"POST /mcp": "mcp:read", "POST /mcp/admin": "mcp:write mcp:admin"},
        revocation="stateless",
        answer="simple",
        audience=MCP,
    )
    file = tmp_path / "apis.json"
    file.write_text(json.dumps({"0123456789": mcp}))
    svc = with_settings(
        svc,
        client_documents=True,
        registration_open=True,
        apis_file=str(file),
        self_registered_scopes=OFFER,
        self_registered_resources=(MCP,),
    )
    return replace(svc, fetch=internet.fetch())


def client_of(svc: Services, client_id: str) -> Client:
    client = clients.find(svc, client_id, network=NETWORK)
    assert client
    return client


@pytest.fixture(params=["by a document", "by itself"])
def app(request: pytest.FixtureRequest, svc: Services, phone: Phone) -> App:
    """A client that named the scope of its first challenge when it was registered, or in its document."""
    client_id = DOCUMENT
    if request.param == "by itself":
        answer = phone.call("POST /oauth/register", METADATA)
        assert (answer.status, answer.json()["scope"]) == (201, "mcp:read")
        client_id = answer.json()["client_id"]
    return App(phone, svc, client_of(svc, client_id))


def granted(app: App, browser: Browser, scope: str | None, resource: str = MCP) -> str:
    scope_granted: str = app.tokens(browser, scope=scope, resource=resource)["scope"]
    return scope_granted


def test_what_a_client_registered_is_what_it_gets_without_asking_and_it_can_ask_for_more(
    app: App, browser: Browser
) -> None:
    assert granted(app, browser, None) == "mcp:read"
    tokens = app.tokens(browser, scope="mcp:read mcp:write offline_access", resource=MCP)
    assert tokens["scope"] == "mcp:read mcp:write offline_access"
    assert set(tokens) >= {"access_token", "refresh_token"}


@pytest.mark.parametrize("scope", ["account", "mcp:admin", "notes:read", "notes:write"])
def test_nobody_steps_up_to_a_scope_that_is_not_offered_or_that_the_api_does_not_know(
    app: App, browser: Browser, scope: str
) -> None:
    assert granted(app, browser, f"mcp:read {scope}") == "mcp:read"
    silent = callback_params(browser.authorize(app, scope=scope, resource=MCP, prompt="none"))
    assert silent["error"] == "invalid_scope"


def test_a_token_of_before_is_worth_what_is_offered_by_now(
    svc: Services, app: App, browser: Browser, clock: Clock
) -> None:
    tokens = app.tokens(browser, scope="openid notes:read mcp:read offline_access")
    with installed(with_settings(svc, self_registered_scopes=("openid", "offline_access", "mcp:read"))):
        phone = Phone(clock)
        verified = phone.call("POST /verify", {"token": tokens["access_token"]}).json()
        assert set(verified["claims"]["scope"].split()) == {"openid", "mcp:read", "offline_access"}
        refreshed = App(phone, svc, app.client).refresh(tokens["refresh_token"]).json()
        assert set(refreshed["scope"].split()) == {"openid", "mcp:read", "offline_access"}


def test_an_api_that_is_offered_later_is_there_for_clients_of_before(
    svc: Services, app: App, browser: Browser, clock: Clock
) -> None:
    assert callback_params(browser.authorize(app, resource=NOTES, prompt="none"))["error"] == "invalid_target"
    later = with_settings(svc, self_registered_resources=(MCP, NOTES))
    with installed(later):
        phone = Phone(clock)
        assert granted(App(phone, later, app.client), Browser(phone), "notes:read", NOTES) == "notes:read"
    with installed(with_settings(svc, self_registered_resources=(NOTES,))):
        refused = callback_params(Browser(Phone(clock)).authorize(app, resource=MCP, prompt="none"))
        assert refused["error"] == "invalid_target"


def test_what_an_operator_set_for_a_client_is_what_it_may_have(svc: Services, phone: Phone, browser: Browser) -> None:
    client_id = phone.call("POST /oauth/register", METADATA).json()["client_id"]
    run("clients", "change", client_id, "scopes=mcp:read", "resources=", on=svc)
    client = client_of(svc, client_id)
    assert (client.scopes, client.resources) == (("mcp:read",), ())
    app = App(phone, svc, client)
    assert (
        callback_params(browser.authorize(app, scope="mcp:read", resource=MCP, prompt="none"))["error"]
        == "invalid_target"
    )
    run("clients", "change", client_id, f"resources={MCP}", on=svc)
    assert granted(app, browser, "mcp:read mcp:write") == "mcp:read"


def test_a_client_registered_by_an_earlier_release_keeps_its_resources_and_gets_those_of_today(
    svc: Services, phone: Phone
) -> None:
    """It was written with the list of its day, and an operator may have added to it."""
    client_id = phone.call("POST /oauth/register", METADATA).json()["client_id"]
    old = svc.clients.read(client_id)
    assert old
    assert old.resources == ()
    manage.replace_by(svc, old, replace(old, resources=(NOTES,)), network=NETWORK)
    assert client_of(svc, client_id).resources == (NOTES, MCP)


def test_a_device_steps_up_and_gets_no_scope_that_the_api_does_not_know(svc: Services, phone: Phone) -> None:
    grants = [*METADATA["grant_types"], "urn:ietf:params:oauth:grant-type:device_code"]
    client_id = phone.call("POST /oauth/register", {**METADATA, "grant_types": grants}).json()["client_id"]
    app = App(phone, svc, client_of(svc, client_id))
    assert app.post("/oauth/device", {"scope": "mcp:write notes:read", "resource": MCP}).status == 200
    refused = app.post("/oauth/device", {"scope": "notes:read", "resource": MCP})
    assert refusal(refused) == (400, "invalid_scope")


def test_a_pairwise_client_never_gets_the_scope_of_the_account_itself(svc: Services, phone: Phone) -> None:
    metadata = {**METADATA, "subject_type": "pairwise", "scope": "openid"}
    offering = with_settings(svc, self_registered_scopes=(*OFFER, "account"))
    client_id = phone.call("POST /oauth/register", metadata).json()["client_id"]
    assert "account" not in client_of(offering, client_id).scopes
    assert "account" in client_of(offering, DOCUMENT).scopes


def test_what_is_offered_is_never_written_into_a_clients_record(svc: Services, phone: Phone) -> None:
    answer = phone.call("POST /oauth/register", METADATA).json()
    uri = answer["registration_client_uri"].removeprefix("https://id.example")
    body = {**METADATA, "client_id": answer["client_id"]}
    changed = phone.call(f"PUT {uri}", body, token=answer["registration_access_token"])
    assert (changed.status, changed.json()["scope"]) == (200, "mcp:read")
    record = svc.clients.read(answer["client_id"])
    assert record
    assert (record.scopes, record.resources, record.default_scopes) == (("mcp:read",), (), ())
