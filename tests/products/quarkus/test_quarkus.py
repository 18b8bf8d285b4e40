"""Quarkus as a web application that people log in to, and stay logged in to."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.interop.person import Person
from tests.interop.served import free_port
from tests.products.product import Product

NEEDS = ("java", "mvn")
VERSION = "3.33.2"
PROJECT = Path(__file__).parent
SECONDS = 10  # of an access token, which is renewed when half of them are left


@contextmanager
def site(product: Product, *more: str, **metadata: str) -> Iterator[str]:
    """A site by the recipe, with more properties; gives its URL."""
    port = free_port()
    url = f"http://localhost:{port}"
    settings = product.connect(url, **metadata).settings["application.properties"]
    jar = product.maven(PROJECT, VERSION)
    (product.folder / "config").mkdir(exist_ok=True)
    here = (f"quarkus.http.port={port}", "quarkus.http.host=127.0.0.1")
    (product.folder / "config" / "application.properties").write_text("\n".join([settings, *here, *more]))
    with product.running(["java", "-Xmx512m", "-jar", jar], ready=url):
        yield url


@pytest.fixture(scope="module")
def url(product: Product) -> Iterator[str]:
    """A site that all tests of the recipe share."""
    with site(product, access_seconds=str(SECONDS)) as url:
        yield url


def user(person: Person, url: str) -> list[str]:
    """Whom the site knows a person as, and by which access token."""
    answer = person.open(f"{url}/user")
    assert answer.status_code == 200, answer.text
    return answer.text.split()


def test_a_person_logs_in(product: Product, url: str) -> None:
    person = product.person()

    assert user(person, url)[0] == person.email


def test_who_stays_has_new_tokens_before_the_old_ones_end_and_is_never_sent_away(product: Product, url: str) -> None:
    person = product.person()
    first = user(person, url)

    latest, end = first, time.monotonic() + 6 * SECONDS
    while latest == first and time.monotonic() < end:
        answer = person.web.get(f"{url}/user", allow_redirects=False)  # never by way of our log-in
        assert answer.status_code == 200, answer.headers
        latest = answer.text.split()

    assert latest[0] == first[0]
    assert latest[1] != first[1]


def test_without_pkce_it_sends_no_nonce_either_and_needs_both_waivers(product: Product, url: str) -> None:
    with site(product, "quarkus.oidc.authentication.pkce-required=false", require_pkce="no", require_nonce="no") as url:
        person = product.person()

        assert user(person, url)[0] == person.email
