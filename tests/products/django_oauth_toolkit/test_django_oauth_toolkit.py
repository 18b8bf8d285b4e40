"""django-oauth-toolkit as an API: it asks at the introspection endpoint whose a token is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.interop import javascript
from tests.interop.person import Person
from tests.products import django_project
from tests.products.product import Product

javascript.needed()
NEEDS = ("node",)


@pytest.fixture(scope="module")
def api(product: Product) -> Iterator[str]:
    with django_project.serving(product, Path(__file__).parent) as url:
        yield url


def access_token(product: Product, person: Person, scope: str, **resource: str) -> str:
    """A token as a client of a person gets it."""
    client = product.served.client("none", resources=tuple(resource.values()))
    answer = javascript.run("openid_client/code.mjs", client, person, parameters={"scope": scope, **resource})
    token: str = answer["tokens"]["access_token"]
    return token


def called(api: str, token: str) -> requests.Response:
    return requests.get(f"{api}/notes", headers={"Authorization": f"Bearer {token}"}, timeout=10)


def test_the_api_knows_the_user_of_a_token_by_the_address(product: Product, api: str) -> None:
    person = product.person()
    answer = called(api, access_token(product, person, "openid email notes:read", resource=api))
    assert (answer.status_code, answer.json()) == (200, {"user": person.email})


@pytest.mark.parametrize("scope", ["openid email", "openid email notes:write"])
def test_a_token_without_the_scope_is_refused(product: Product, api: str, scope: str) -> None:
    assert called(api, access_token(product, product.person(), scope, resource=api)).status_code == 403


def test_a_token_for_another_api_is_refused(product: Product, api: str) -> None:
    token = access_token(product, product.person(), "openid email notes:read", resource="https://other.example")
    assert called(api, token).status_code == 403


def test_what_is_no_token_is_refused(api: str) -> None:
    assert called(api, "e30.e30.").status_code == 403
