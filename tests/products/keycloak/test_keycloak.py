"""Keycloak, with us as an identity provider of a realm: whoever logs in to a client of Keycloak does so here."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from zipfile import ZipFile

import jwt
import pytest
import requests

from local.gateway import Answer
from tests.interop.person import Person
from tests.interop.served import free_port
from tests.products.product import Product
from tests.support.browser import forms
from tests.support.delivery import deliver
from tests.support.phone import PASSWORD

NEEDS = ("java", "mvn")
VERSION = "26.4.7"
DISTRIBUTION = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
# Our server knows Keycloak by a name of the internet; the person, who has no name server, by that of the machine.
NAME, ADDRESS = "wiki.example", "93.184.215.15"
REALMS: dict[str, dict[str, str]] = {"by-recipe": {}, "by-defaults": {"pkceEnabled": "false"}}
SITE = {"clientId": "site", "publicClient": True, "redirectUris": ["*"]}


def distribution(folder: Path) -> Path:
    """Keycloak, downloaded and built for a database in memory, once a version."""
    home = folder / f"keycloak-{VERSION}"
    if not home.exists():
        get = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={DISTRIBUTION}", f"-DoutputDirectory={folder}"]
        subprocess.run(get, check=True)
        with (
            TemporaryDirectory(dir=folder) as unpacked,
            ZipFile(folder / f"keycloak-quarkus-dist-{VERSION}.zip") as files,
        ):
            files.extractall(unpacked)
            build = ["bash", f"{unpacked}/{home.name}/bin/kc.sh", "build", "--db=dev-mem"]
            subprocess.run(build, check=True)
            Path(unpacked, home.name).rename(home)
    return home


@contextmanager
def keycloak(product: Product) -> Iterator[str]:
    """A Keycloak with a realm by the recipe, and one whose provider has the defaults; gives its URL."""
    home, port = distribution(product.folder), free_port()
    url = f"https://localhost:{port}"
    product.served.internet.addresses[NAME], product.served.internet.ports[ADDRESS] = [ADDRESS], port
    shutil.rmtree(home / "data", ignore_errors=True)
    (home / "data" / "import").mkdir(parents=True)
    for name in REALMS:
        realm = {"realm": name, "enabled": True, "identityProviders": [provider(product, url, name)], "clients": [SITE]}
        (home / "data" / "import" / f"{name}-realm.json").write_text(json.dumps(realm))
    chain = product.served.internet.chain
    tls = [f"--https-certificate-file={chain}", f"--https-certificate-key-file={chain}", f"--https-port={port}"]
    here = ["--http-host=127.0.0.1", "--hostname-strict=false", "--cache=local", "--import-realm"]
    command = ["bash", home / "bin" / "kc.sh", "start", "--optimized", *tls, *here]
    with product.running(command, log_text="Listening on", env={"JAVA_OPTS_KC_HEAP": "-Xmx512m"}):
        yield url


def provider(product: Product, url: str, realm: str) -> dict[str, Any]:
    """The identity provider of a realm, by the recipe but for what the realm changes."""
    changed = REALMS[realm]
    connection = product.connect(
        f"{url}/realms/{realm}",
        require_pkce="no" if changed else "yes",
        backchannel_logout_uri=f"https://{NAME}/realms/{realm}/protocol/openid-connect/logout/backchannel-logout",
    )
    settings: dict[str, Any] = json.loads(connection.settings["identity-provider.json"])
    settings["config"] |= changed
    return settings


@dataclass(frozen=True)
class Realm:
    """A realm of a Keycloak that runs."""

    url: str

    def authorize(self, **more: str) -> str:
        """Where a client of Keycloak sends its users; they end on a document of the realm."""
        query = {"client_id": "site", "response_type": "code", "scope": "openid", "redirect_uri": self.back, **more}
        return f"{self.url}/protocol/openid-connect/auth?{urlencode(query)}"

    @property
    def back(self) -> str:
        """Where a client of Keycloak gets its answer."""
        return f"{self.url}/.well-known/openid-configuration"

    def log_in(self, person: Person) -> dict[str, str]:
        """What the client gets for a person who logs in with us, and is asked for the name once."""
        review = person.open(self.authorize(kc_idp_hint="latchkey"))
        form = next(iter(forms(Answer(200, [], review.content)).values()))
        return parameters(person.web.post(form.action, {**form.typed, **form.hidden, "lastName": "Archer"}))

    def claims(self, person: Person, code: str) -> dict[str, Any]:
        """What Keycloak says of a user to its client."""
        form = {"grant_type": "authorization_code", "client_id": "site", "code": code, "redirect_uri": self.back}
        answer = person.web.post(f"{self.url}/protocol/openid-connect/token", form).json()
        return jwt.decode(answer["id_token"], options={"verify_signature": False})


def parameters(answer: requests.Response) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(answer.url).query))


@pytest.fixture(scope="module")
def url(product: Product) -> Iterator[str]:
    """A Keycloak that all tests share."""
    with keycloak(product) as url:
        yield url


@pytest.fixture
def person(product: Product) -> Person:
    """A person whose browser trusts the Keycloak's certificate."""
    person = product.person()
    person.web.verify, person.web.trust_env = str(product.served.internet.authority), False
    return person


@pytest.mark.parametrize("realm", REALMS)
def test_a_person_logs_in_to_a_client_of_keycloak(person: Person, url: str, realm: str) -> None:
    site = Realm(f"{url}/realms/{realm}")

    claims = site.claims(person, site.log_in(person)["code"])

    assert claims["email"] == person.email


def test_who_has_said_given_and_family_name_is_asked_for_nothing(person: Person, url: str) -> None:
    site = Realm(f"{url}/realms/by-recipe")
    login = {"email": person.email, "password": PASSWORD}
    token = person.web.post(f"{person.issuer}/login", json=login).json()["access_token"]
    names = {"given_name": "Ann", "family_name": "Archer"}
    said = person.web.patch(f"{person.issuer}/me", json=names, headers={"Authorization": f"Bearer {token}"})
    assert said.ok, said.text

    claims = site.claims(person, parameters(person.open(site.authorize(kc_idp_hint="latchkey")))["code"])

    assert (claims["given_name"], claims["family_name"]) == ("Ann", "Archer")


def test_an_address_that_is_not_verified_here_is_not_there_either(product: Product, person: Person, url: str) -> None:
    site, stranger = Realm(f"{url}/realms/by-recipe"), product.person(verified=False)
    stranger.web.verify, stranger.web.trust_env = person.web.verify, False

    claims = site.claims(stranger, site.log_in(stranger)["code"])

    assert (claims["email"], claims["email_verified"]) == (stranger.email, False)


def test_who_logs_out_here_is_logged_out_there(product: Product, person: Person, url: str) -> None:
    site = Realm(f"{url}/realms/by-recipe")
    site.log_in(person)
    assert "code" in parameters(person.open(site.authorize(prompt="none")))

    person.visit(f"{product.served.issuer}/oauth/logout")
    deliver()

    assert parameters(person.open(site.authorize(prompt="none")))["error"] == "login_required"
