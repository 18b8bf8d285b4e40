"""dex, with us behind its connector `oidc`: whoever logs in to a client of dex does so here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest
import requests

from tests.interop.person import Person
from tests.interop.served import free_port
from tests.products.product import Product
from tests.support.commands import run

NEEDS = ("go",)
# v2.45.1 by its commit: a module whose path does not end in /v2 has no such version in Go's eyes.
MODULE, VERSION = "github.com/dexidp/dex", "v0.0.0-20260303133905-11d2eeb52b42"
OF_THE_INSTANCE = """
issuer: {url}
storage: {{type: memory}}
web: {{http: {address}}}
oauth2: {{skipApprovalScreen: true}}
staticClients:
- {{id: site, name: Site, secret: of the site, redirectURIs: ["{url}/healthz"]}}
"""


@contextmanager
def dex(product: Product, **metadata: str) -> Iterator[str]:
    """A dex with its connector by the recipe; gives its URL."""
    program = product.go(MODULE, VERSION, package="/cmd/dex")
    address = f"127.0.0.1:{free_port()}"
    url = f"http://{address}/dex"
    file = product.folder / "dex.yaml"
    connectors = product.connect(url, **metadata).settings["connectors.yaml"]
    file.write_text(OF_THE_INSTANCE.format(url=url, address=address) + connectors)
    with product.running([program, "serve", file], ready=f"{url}/healthz"):
        yield url


def open_page(person: Person, url: str) -> requests.Response:
    """Where a person ends who logs in to a client of dex, which is a page of dex itself."""
    scope = "openid profile email groups"
    query = {"client_id": "site", "redirect_uri": f"{url}/healthz", "response_type": "code", "scope": scope}
    return person.open(f"{url}/auth/latchkey?{urlencode(query)}")


def claims(person: Person, url: str) -> dict[str, Any]:
    """What dex says of a person to its client."""
    code = dict(parse_qsl(urlsplit(open_page(person, url).url).query))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": f"{url}/healthz"}
    answer = requests.post(f"{url}/token", form, auth=("site", "of the site"), timeout=10).json()
    return jwt.decode(answer["id_token"], options={"verify_signature": False})


@pytest.fixture(scope="module")
def url(product: Product) -> Iterator[str]:
    """A dex that all tests of the recipe share."""
    with dex(product) as url:
        yield url


def test_dex_knows_its_users_by_name_and_address(product: Product, url: str) -> None:
    person = product.person()

    of_dex = claims(person, url)

    assert (of_dex["name"], of_dex["email"], of_dex["email_verified"]) == ("Ann", person.email, True)


def test_roles_of_here_are_groups_there(product: Product, url: str) -> None:
    person = product.person()
    run("users", "roles", person.email, "admin", on=product.served.svc)

    assert claims(person, url)["groups"] == ["admin"]


def test_without_claims_in_the_id_token_dex_fails(product: Product) -> None:
    with dex(product, id_token_claims="") as url:
        assert open_page(product.person(), url).status_code == 500
