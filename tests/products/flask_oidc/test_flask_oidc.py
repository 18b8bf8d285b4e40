"""Flask-OIDC: a web application that sends no PKCE, and its secret in the body."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.interop.served import free_port
from tests.products.product import Product

HERE = Path(__file__).parent
NEEDS = ()


@pytest.fixture(scope="module")
def site(product: Product) -> Iterator[str]:
    python = product.python(HERE / "requirements.txt")
    url = f"http://localhost:{free_port()}"
    product.connect(url).write(product.folder)
    shutil.copy(HERE / "app.py", product.folder)
    serve = [python, "-m", "flask", "--app", "app.py", "run", "--port", url.rpartition(":")[2]]
    with product.running(serve, ready=url):
        yield url


def test_a_person_logs_in_and_the_application_knows_the_address(product: Product, site: str) -> None:
    person = product.person()
    page = person.open(f"{site}/private")
    assert page.status_code == 200, page.text
    assert page.json()["email"] == person.email
    assert page.json()["email_verified"] is True


def test_without_a_login_there_is_no_page(site: str) -> None:
    assert requests.get(f"{site}/private", allow_redirects=False, timeout=10).is_redirect
