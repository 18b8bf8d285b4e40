"""kubelogin, which gets kubectl a token of its user, by a browser, by a device code and by a refresh token."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest

from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS
from tests.interop.person import Person
from tests.interop.served import free_port
from tests.products.product import Connection, Product

NEEDS = ("go",)
MODULE, VERSION = "github.com/int128/kubelogin", "v1.36.3"
SECONDS = 60
WITHOUT_A_BROWSER = ("--skip-open-browser", "--authentication-timeout-sec=50")
CONFIDENTIAL = {"token_endpoint_auth_method": "client_secret_basic"}


@contextmanager
def started(product: Product, connection: Connection, *options: str, port: int = 0) -> Iterator[subprocess.Popen[str]]:
    """The program as kubectl starts it, by its recipe and with more options, on a free port or this one."""
    program = product.go(MODULE, VERSION)
    documented = connection.settings["command"].removeprefix("kubectl oidc-login").split()
    command = [program, *documented, *WITHOUT_A_BROWSER, f"--listen-address=127.0.0.1:{port or free_port()}", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def address(process: subprocess.Popen[str]) -> str:
    """Where the program asks its user to go."""
    assert process.stderr
    for line in process.stderr:
        if visit := re.search(r"http://\S+", line):
            return visit[0]
    pytest.fail("it asked for nothing")


def claims(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What the token says that kubectl is given."""
    output, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    token: str = json.loads(output)["status"]["token"]
    return jwt.decode(token, options={"verify_signature": False})


def logged_in(product: Product, connection: Connection, person: Person, *options: str) -> dict[str, Any]:
    """What the token says that kubectl is given, once a person has logged in."""
    with started(product, connection, *options) as process:
        person.open(address(process))
        return claims(process)


def cache(folder: Path) -> str:
    return f"--token-cache-dir={folder}"


def secret(connection: Connection) -> str:
    return f"--oidc-client-secret={connection.client_secret}"


def test_kubectl_gets_an_id_token_that_names_the_user(product: Product, tmp_path: Path) -> None:
    connection, person = product.connect(), product.person()

    token = logged_in(product, connection, person, cache(tmp_path))

    assert (token["aud"], token["email"]) == (connection.client_id, person.email)


def test_a_new_token_needs_no_browser(product: Product, tmp_path: Path) -> None:
    connection, person = product.connect(), product.person()
    first = logged_in(product, connection, person, cache(tmp_path))

    with started(product, connection, cache(tmp_path), "--force-refresh") as process:
        second = claims(process)

    assert second["sub"] == first["sub"]
    assert second["email"] == person.email


def test_a_device_code_does_as_well(product: Product, tmp_path: Path) -> None:
    connection, person = product.connect(), product.person()

    with started(product, connection, cache(tmp_path), "--grant-type=device-code") as process:
        person.visit(address(process))
        token = claims(process)

    assert token["email"] == person.email


def test_a_client_with_a_secret_logs_in_by_a_browser(product: Product, tmp_path: Path) -> None:
    where = free_port()
    connection = product.connect(f"http://localhost:{where}", **CONFIDENTIAL, application_type="web")
    person = product.person()

    with started(product, connection, cache(tmp_path), secret(connection), port=where) as process:
        person.open(address(process))
        token = claims(process)

    assert token["email"] == person.email


def test_a_client_with_a_secret_gets_a_device_code_as_well(product: Product, tmp_path: Path) -> None:
    connection = product.connect(**CONFIDENTIAL)

    device = (secret(connection), "--grant-type=device-code")
    with started(product, connection, cache(tmp_path), *device) as process:
        product.person().visit(address(process))
        token = claims(process)

    assert token["aud"] == connection.client_id


def test_a_machine_gets_a_token_although_it_asks_for_openid(product: Product, tmp_path: Path) -> None:
    of_a_machine = {
        "grant_types": CLIENT_CREDENTIALS,
        "scopes": "notes:read",
        "redirect_uris": "",
        "id_token_claims": "",
    }
    connection = product.connect(**CONFIDENTIAL, **of_a_machine)

    machine = (secret(connection), "--grant-type=client-credentials", "--oidc-use-access-token")
    with started(product, connection, cache(tmp_path), *machine) as process:
        token = claims(process)

    assert (token["sub"], token["scope"]) == (connection.client_id, "notes:read")
