"""Spring Boot 3, by its recipes for log-in and for an API."""

from collections.abc import Iterator

import pytest

from tests.products.product import Product
from tests.products.spring_site import BY_RECIPE, BY_TYP, Site, access_token, site

NEEDS = ("java", "mvn")
RECIPE, VERSION = "spring-boot-3", "3.5.7"


@pytest.fixture(scope="module")
def by_recipe(product: Product) -> Iterator[Site]:
    with site(product, VERSION, audience=BY_RECIPE, classes=("AccessTokens",)) as running:
        yield running


@pytest.fixture(scope="module")
def by_defaults(product: Product, by_recipe: Site) -> Iterator[Site]:  # noqa: ARG001 - after it, since each is a JVM
    with site(product, VERSION, audience=BY_TYP, require_pkce="yes") as running:
        yield running


def test_a_person_logs_in(by_recipe: Site, product: Product) -> None:
    person = product.person()

    assert by_recipe.user(person).json()["email"] == person.email


def test_an_api_with_the_class_takes_access_tokens_and_nothing_else(by_recipe: Site, product: Product) -> None:
    id_token = by_recipe.user(product.person()).json()["id_token"]

    assert by_recipe.status(access_token(product, BY_RECIPE)) == 200
    assert by_recipe.status(access_token(product, BY_TYP)) == 401
    assert by_recipe.status(id_token) == 401


def test_an_api_without_it_takes_access_tokens_of_the_type_jwt(by_defaults: Site, product: Product) -> None:
    assert by_defaults.status(access_token(product, BY_TYP)) == 200
    assert by_defaults.status(access_token(product, BY_RECIPE)) == 401


def test_an_api_without_it_takes_no_id_token(by_recipe: Site, by_defaults: Site, product: Product) -> None:
    id_token = by_recipe.user(product.person()).json()["id_token"]

    assert by_defaults.status(id_token) == 401


def test_a_client_that_is_not_excused_from_pkce_is_sent_back_with_what_to_set(
    by_defaults: Site, product: Product
) -> None:
    person = product.person()
    login = person.web.get(f"{by_defaults.url}/oauth2/authorization/latchkey", allow_redirects=False)

    assert "require_pkce%3Dno" in person.visit(login.headers["Location"])["url"]
