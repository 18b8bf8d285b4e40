"""django-allauth: its OpenID Connect provider."""

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
    page = person.open(f"{site}/accounts/oidc/latchkey/login/")
    assert page.json() == {"email": person.email}


def test_a_person_who_refuses_is_no_user(product: Product, site: str) -> None:
    person = product.person()
    person.decision = "deny"
    page = person.open(f"{site}/accounts/oidc/latchkey/login/")
    assert "cancel" in page.url
    assert person.open(f"{site}/me").json() == {"email": None}
