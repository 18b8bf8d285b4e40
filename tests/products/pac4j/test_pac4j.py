"""pac4j in a servlet container: it takes the first way to authenticate that the metadata name and it knows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.served import free_port
from tests.products.product import Product

NEEDS = ("java", "mvn")
VERSION = "6.3.0"


@pytest.fixture(scope="module")
def url(product: Product) -> Iterator[str]:
    """A site by the recipe."""
    url = f"http://localhost:{free_port()}"
    jar = product.maven(Path(__file__).parent, VERSION)
    product.connect(url).write(product.folder)
    command = ["java", "-Xmx256m", "-jar", jar, product.folder / "application.properties", url]
    with product.running(command, ready=url):
        yield url


def test_a_person_logs_in(product: Product, url: str) -> None:
    person = product.person()

    assert person.open(f"{url}/user").text == person.email
