"""Superset, whose log-in is Flask-AppBuilder's."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.person import Person
from tests.interop.served import free_port
from tests.products.product import Product
from tests.support.commands import run

HERE = Path(__file__).parent
NEEDS = ("python3.11",)  # it knows no newer one yet
LONG = True
INSTANCE = """
SECRET_KEY = "only for tests"
SQLALCHEMY_DATABASE_URI = "sqlite:///{data}/superset.db"
"""


@pytest.fixture(scope="module")
def site(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    python = product.python(HERE / "requirements.txt", interpreter="python3.11")
    port = str(free_port())
    url = f"http://localhost:{port}"
    product.connect(url).write(product.folder)
    data = tmp_path_factory.mktemp("superset")
    with (product.folder / "superset_config.py").open("a") as file:
        file.write(INSTANCE.format(data=data))
    environment = {
        "PYTHONPATH": str(product.folder),
        "SUPERSET_CONFIG_PATH": str(product.folder / "superset_config.py"),
        "SUPERSET_HOME": str(data),
        "FLASK_APP": "superset.app:create_app()",
    }
    superset = [str(python.with_name("superset"))]
    for command in (["db", "upgrade"], ["init"]):
        subprocess.run([*superset, *command], env=environment, cwd=product.folder, check=True)
    with product.running([*superset, "run", "--port", port], ready=f"{url}/health", env=environment):
        yield url


def me(site: str, person: Person) -> dict[str, Any]:
    """Whom the site takes a browser's visitor for."""
    answer: dict[str, Any] = person.web.get(f"{site}/api/v1/me/roles/").json().get("result", {})
    return answer


def test_a_person_logs_in_and_is_a_user_with_the_usual_role(product: Product, site: str) -> None:
    person = product.person()
    person.open(f"{site}/login/latchkey")
    assert me(site, person)["email"] == person.email
    assert set(me(site, person)["roles"]) == {"Gamma"}


def test_a_person_with_the_role_of_an_administrator_is_one_there_too(product: Product, site: str) -> None:
    person = product.person()
    run("users", "roles", person.email, "Admin", on=product.served.svc)
    person.open(f"{site}/login/latchkey")
    assert "Admin" in me(site, person)["roles"]


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        ({"given_name": "Ann Jane", "family_name": "Archer"}, ("Ann Jane", "Archer")),
        ({}, ("Ann", "")),
        ({"name": ""}, ("", "")),
    ],
)
def test_a_person_is_called_there_by_what_is_known(
    product: Product, site: str, profile: dict[str, str], names: tuple[str, str]
) -> None:
    person = product.person(**profile)
    person.open(f"{site}/login/latchkey")
    assert (me(site, person)["firstName"], me(site, person)["lastName"]) == names


def test_a_person_who_refuses_is_no_user(product: Product, site: str) -> None:
    person = product.person()
    person.decision = "deny"
    person.open(f"{site}/login/latchkey")
    assert me(site, person) == {}
