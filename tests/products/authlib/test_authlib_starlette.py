"""Authlib's client for Starlette and FastAPI, which is also what Open WebUI logs people in with."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.served import free_port
from tests.products.product import Product

HERE = Path(__file__).parent
NEEDS: tuple[str, ...] = ()


@pytest.fixture(scope="module")
def site(product: Product) -> Iterator[str]:
    python, port = product.python(HERE / "requirements.txt"), str(free_port())
    url = f"http://localhost:{port}"
    product.connect(url).write(product.folder)
    shutil.copy(HERE / "app.py", product.folder)
    with product.running([python, "-m", "uvicorn", "--port", port, "app:app"], ready=url):
        yield url


def test_a_person_logs_in_and_the_tokens_are_refreshed(product: Product, site: str) -> None:
    person = product.person()
    page = person.open(f"{site}/login").json()
    assert page == {"email": person.email, "name": "Ann", "scope": "openid profile email offline_access"}
