"""Auth.js in an Express application."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.served import free_port
from tests.products.product import Product

HERE = Path(__file__).parent
NEEDS = ("node", "npm")


@pytest.fixture(scope="module")
def site(product: Product) -> Iterator[str]:
    folder = product.node_modules(HERE)
    port = str(free_port())
    url = f"http://localhost:{port}"
    product.connect(url).write(folder)
    environment = {"PORT": port, "AUTH_SECRET": "only for tests, and long enough"}
    with product.running(["node", "app.js"], ready=url, env=environment):
        yield url


def test_a_person_logs_in_and_the_session_has_the_address(product: Product, site: str) -> None:
    person = product.person()
    csrf = person.web.get(f"{site}/auth/csrf").json()["csrfToken"]
    sign_in = person.web.post(f"{site}/auth/signin/latchkey", {"csrfToken": csrf}, allow_redirects=False)
    page = person.open(sign_in.headers["Location"])
    assert page.url.startswith(site), page.url
    assert person.web.get(site).json()["user"] == {"name": "Ann", "email": person.email}
