"""mozilla-django-oidc: it reads no discovery document."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.products import django_project
from tests.products.product import Product

NEEDS: tuple[str, ...] = ()


@pytest.fixture(scope="module")
def site(product: Product) -> Iterator[str]:
    with django_project.serving(product, Path(__file__).parent) as url:
        yield url


def test_a_person_logs_in_and_is_a_user_of_the_site(product: Product, site: str) -> None:
    person = product.person()
    assert person.open(f"{site}/oidc/authenticate/").json() == {"email": person.email}
