"""Who most tests of this room begin with; a file whose user or client is another has its own."""

import pytest

from chalicelib.services import Services
from tests.support.browser import App, Browser, register
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
