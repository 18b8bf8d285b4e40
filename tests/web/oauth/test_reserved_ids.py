"""Ids that no client has: those of our own endpoints, and whatever a token can be for, in any spelling of it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.domain.errors import InvalidClientMetadata, InvalidRequest
from chalicelib.domain.oauth.client import Client
from chalicelib.flows.clients import authenticate as clients
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from tests.support.browser import CALLBACK, App, Browser, send
from tests.support.commands import run
from tests.support.internet import Internet, Page, running
from tests.support.phone import NETWORK, Phone, refusal

DOCUMENT = "https://mcp.example/mcp"
RESERVED = [
    "latchkey",  # the JSON API's
    "browser",  # the pages'
    "https://id.example",  # the issuer
    "https://id.example/",
    "HTTPS://ID.example:443/",
    "https://%69d.example",
    "https://api.example/v1",  # the audience
    "https://API.example:443/./v1",
    DOCUMENT,  # a registered API's
    "https://mcp.EXAMPLE/%6dcp",
    "urn:shop",  # another's, which is no URL
    "https://strangers.example/",  # what clients that nobody registered may have tokens for
    "https://strangers.example",
]
FREE = ["Latchkey", "latchkey2", "https://id.example/app", "https://id.example:8443", "http://id.example", "urn:shop2"]


@pytest.fixture
def svc(svc: Services) -> Services:
    """A deployment with an audience, two registered APIs and a resource for strangers."""
    entry = {"name": "x", "revocation": "stateless", "answer": "policy", "scopes": {"GET /": "x"}}
    apis = {"a1": {**entry, "audience": DOCUMENT}, "b2": {**entry, "audience": "urn:shop"}, "c3": entry}
    Path(svc.settings.apis_file).write_text(json.dumps(apis))
    settings = replace(
        svc.settings,
        audience="https://api.example/v1",
        client_documents=True,
        self_registered_resources=("https://strangers.example/",),
    )
    return replace(svc, settings=settings)


@pytest.mark.parametrize("client_id", RESERVED)
def test_no_client_is_made_under_such_an_id(svc: Services, client_id: str) -> None:
    with pytest.raises(InvalidRequest):
        manage.create(svc, Client(client_id=client_id, redirect_uris=(CALLBACK,)))
    with pytest.raises(SystemExit, match="reserved") as ended:
        run("clients", "create", "--id", client_id, f"redirect_uris={CALLBACK}", on=svc)
    assert "\n" not in str(ended.value)
    assert svc.clients.read(client_id) is None


@pytest.mark.parametrize("client_id", FREE)
def test_an_id_that_is_only_like_one_is_free(svc: Services, client_id: str) -> None:
    created, _ = manage.create(svc, Client(client_id=client_id, redirect_uris=(CALLBACK,)))
    assert clients.find(svc, client_id, network=NETWORK) == created


@pytest.mark.parametrize("client_id", RESERVED)
def test_one_that_was_made_before_counts_for_nothing(svc: Services, phone: Phone, client_id: str) -> None:
    old = Client(
        client_id=client_id,
        token_endpoint_auth_method="none",
        grant_types=("authorization_code", "refresh_token"),
        redirect_uris=(CALLBACK,),
        scopes=("account",),
        created_at=1,
    )
    assert svc.clients.create(old)
    app = App(phone, svc, old)
    page = Browser(phone).authorize(app, scope="account")
    assert (page.status, page.header("Location")) == (400, None)
    tokens = phone.sign_up()  # at the JSON API, whose client is `latchkey`
    assert refusal(app.refresh(tokens["refresh_token"])) == (401, "invalid_client")
    assert phone.refresh(tokens["refresh_token"])


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    with running(tmp_path, "mcp.example") as network:
        yield network


@pytest.mark.parametrize("client_id", [DOCUMENT, "https://mcp.EXAMPLE/%6dcp", "https://mcp.example:443/mcp"])
def test_no_document_makes_a_client_of_an_api(svc: Services, internet: Internet, client_id: str) -> None:
    document = {"client_id": client_id, "redirect_uris": [CALLBACK]}
    internet.pages |= {
        f"https://{host}{path}": Page(json.dumps(document).encode())
        for host in ("mcp.example", "mcp.EXAMPLE", "mcp.example:443")
        for path in ("/mcp", "/%6dcp")
    }
    assert clients.find(replace(svc, fetch=internet.fetch()), client_id, network=NETWORK) is None
    assert internet.requests == []


def test_a_client_is_no_resource_of_its_own(svc: Services) -> None:
    resources = ("https://other.example", "HTTPS://app.example/")
    with pytest.raises(InvalidClientMetadata):
        manage.create(svc, Client(client_id="https://app.example", redirect_uris=(CALLBACK,), resources=resources))


def test_the_json_apis_own_client_stays_as_it_is(phone: Phone) -> None:
    tokens = phone.sign_up()
    fields = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": "latchkey"}
    assert refusal(send(phone, "/oauth/token", fields)) == (401, "invalid_client")
    assert phone.refresh(tokens["refresh_token"])
