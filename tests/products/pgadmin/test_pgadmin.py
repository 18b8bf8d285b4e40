"""pgAdmin in server mode: it knows a person by the id token alone."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.interop.person import Person
from tests.interop.served import free_port
from tests.products.product import Product

HERE = Path(__file__).parent
NEEDS: tuple[str, ...] = ()
LONG = True
# Beside the recipe: where this instance keeps its things, and where it listens.
INSTANCE = """
DATA_DIR = "{data}"
LOG_FILE = "{data}/pgadmin.log"
SQLITE_PATH = "{data}/pgadmin.db"
SESSION_DB_PATH = "{data}/sessions"
STORAGE_DIR = "{data}/storage"
DEFAULT_SERVER = "localhost"
DEFAULT_SERVER_PORT = {port}
UPGRADE_CHECK_ENABLED = False
MASTER_PASSWORD_REQUIRED = False
"""


@pytest.fixture(scope="module")
def site(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    python, port = product.python(HERE / "requirements.txt"), free_port()
    url = f"http://localhost:{port}"
    data = tmp_path_factory.mktemp("pgadmin")
    settings = product.connect(url).settings["config_local.py"]
    (product.folder / "config_local.py").write_text(settings + INSTANCE.format(data=data, port=port))
    where = [python, "-c", "import pgadmin4; print(pgadmin4.__path__[0])"]
    package = Path(subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip())
    setup = {"PGADMIN_SETUP_EMAIL": "admin@example.com", "PGADMIN_SETUP_PASSWORD": "rivers-and-lanterns"}
    environment = {"PYTHONPATH": str(product.folder), **setup}
    with product.running([python, package / "pgAdmin4.py"], ready=f"{url}/login", env=environment):
        yield url


def log_in(site: str, person: Person) -> requests.Response:
    """A click on the log-in page's button, and what comes after; then what the site says of its user."""
    page = person.web.get(f"{site}/login").text
    token = re.search(r"csrfToken[^:]*: *\S*?([\w.-]{20,})", page)
    assert token, page
    form = {"csrf_token": token[1], "oauth2_button": "latchkey"}
    answer = person.web.post(f"{site}/authenticate/login", form, allow_redirects=False)
    assert answer.is_redirect, answer.text
    person.open(answer.headers["Location"])
    return person.web.get(f"{site}/user_management/current_user.js")


def test_a_person_logs_in_and_is_a_user_of_that_address(product: Product, site: str) -> None:
    person = product.person()
    assert f"'email': '{person.email}'" in log_in(site, person).text


def test_a_person_who_refuses_is_no_user(product: Product, site: str) -> None:
    person = product.person()
    person.decision = "deny"
    assert "/login" in log_in(site, person).url
