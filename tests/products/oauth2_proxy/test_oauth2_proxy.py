"""oauth2-proxy in front of a site, by its recipe and as it is without what the recipe adds for safety."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.interop.served import free_port
from tests.products.product import Product

NEEDS = ("go",)
MODULE, VERSION = "github.com/oauth2-proxy/oauth2-proxy/v7", "v7.15.6"
PKCE = "code_challenge_method"
SITE = 202
OF_THE_INSTANCE = (f"--upstream=static://{SITE}", "--cookie-secret=0123456789abcdef", "--cookie-secure=false")


@contextmanager
def proxy(product: Product, *more: str, without: str = "", **metadata: str) -> Iterator[str]:
    """The proxy on a port, by its recipe but for a line of it, and with more options; gives its URL."""
    program, port = product.go(MODULE, VERSION), free_port()
    url = f"http://127.0.0.1:{port}"
    lines = product.connect(url, **metadata).settings["oauth2-proxy.cfg"].splitlines()
    kept = [line for line in lines if not without or not line.startswith(without)]
    assert len(kept) == len(lines) - bool(without)
    file = product.folder / "oauth2-proxy.cfg"
    file.write_text("\n".join(kept))
    command = [program, f"--config={file}", f"--http-address=127.0.0.1:{port}", *OF_THE_INSTANCE, *more]
    with product.running(command, ready=f"{url}/ping"):
        yield url


def logs_in(product: Product, url: str) -> bool:
    """Whether a person with a verified address gets through to the site, and the proxy knows the address."""
    person = product.person()
    reached = person.open(f"{url}/oauth2/start?rd=/").status_code == SITE
    user = person.web.get(f"{url}/oauth2/userinfo")
    return reached and user.ok and user.json()["email"] == person.email


@pytest.fixture(scope="module")
def url(product: Product) -> Iterator[str]:
    """A proxy that all tests of the recipe share."""
    with proxy(product) as url:
        yield url


def test_a_person_logs_in_and_is_known_by_address(product: Product, url: str) -> None:
    assert logs_in(product, url)


def test_a_person_who_signs_out_there_is_logged_out_here(product: Product, url: str) -> None:
    person = product.person()
    person.open(f"{url}/oauth2/start?rd=/")

    person.open(f"{url}/oauth2/sign_out")

    assert "Log in" in person.web.get(f"{product.served.issuer}/account/sessions").text
    assert person.web.get(f"{url}/oauth2/userinfo").status_code == 401


def test_a_person_whose_address_is_not_verified_is_refused(product: Product, url: str) -> None:
    person = product.person(verified=False)

    assert person.open(f"{url}/oauth2/start?rd=/").status_code >= 400
    assert person.web.get(f"{url}/oauth2/userinfo").status_code == 401


def test_a_client_that_is_excused_needs_no_pkce_if_the_proxy_sends_a_nonce(product: Product) -> None:
    with proxy(product, "--insecure-oidc-skip-nonce=false", without=PKCE, require_pkce="no") as url:
        assert logs_in(product, url)


def test_as_it_is_by_its_defaults_it_needs_both_waivers(product: Product) -> None:
    with proxy(product, without=PKCE, require_pkce="no", require_nonce="no") as url:
        assert logs_in(product, url)


def test_without_pkce_any_other_client_is_refused_and_its_log_says_what_to_set(product: Product) -> None:
    with proxy(product, without=PKCE) as url:
        assert not logs_in(product, url)
        assert "require_pkce%3Dno" in (product.folder / "log").read_text()
