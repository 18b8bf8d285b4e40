"""Who most tests of this room begin with; a file whose user or client is another has its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.services import Services
from tests.support.browser import App, Browser, register
from tests.support.internet import Internet, running
from tests.support.issuer import Issuer, trusting
from tests.support.phone import Phone


@pytest.fixture
def browser(phone: Phone) -> Browser:
    """A browser whose user has an account and is not logged in."""
    phone.sign_up()
    return Browser(phone)


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    """A web client."""
    return register(svc, phone)


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    """The rest of the internet, with one host in it; a file that needs others or more at it has its own."""
    with running(tmp_path, "app.example") as network:
        yield network


@pytest.fixture
def issuer() -> Issuer:
    """Somebody who may vouch for users at the client."""
    return Issuer()


@pytest.fixture
def trusted(svc: Services, phone: Phone, issuer: Issuer) -> App:
    """A client whose operator trusts the issuer."""
    return trusting(svc, phone, issuer)
