"""A site of Spring Boot's, which people log in to, and which is an API as well."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, Client
from cli import recipes
from tests.interop.person import Person
from tests.interop.served import free_port
from tests.products.product import Connection, Product

PROJECT = Path(__file__).parent / "spring_boot"
API_RECIPE = recipes.read("spring-resource-server")
# APIs by their audience, with the type of their access tokens.
TYPS = {"https://notes.example": "at+jwt", "https://old.example": "JWT"}
BY_RECIPE, BY_TYP = TYPS


@dataclass(frozen=True)
class Site:
    """A site that runs, its client, and the audience of its API."""

    url: str
    product: Product
    connection: Connection
    audience: str

    def user(self, person: Person) -> requests.Response:
        """What the site knows of a person who goes to log in there."""
        person.open(f"{self.url}/oauth2/authorization/latchkey")
        return person.web.get(f"{self.url}/user", allow_redirects=False)

    def status(self, token: str) -> int:
        """What the API answers to a token."""
        answer = requests.get(f"{self.url}/notes", headers={"Authorization": f"Bearer {token}"}, timeout=30)
        return answer.status_code


@contextmanager
def site(
    product: Product, version: str, *, audience: str, classes: tuple[str, ...] = (), **metadata: str
) -> Iterator[Site]:
    """A site by the recipes for log-in and for APIs; of the latter only those classes that are named."""
    url = f"http://localhost:{free_port()}"
    connection = product.connect(url, **metadata)
    of_api = api_settings(product, audience)
    jar = product.maven(PROJECT, version, {"src/main/java/AccessTokens.java": of_api["AccessTokens.java"]})
    (product.folder / "login.yml").write_text(connection.settings["application.yml"])
    (product.folder / "api.yml").write_text(of_api["application.yml"])
    files = f"-Dspring.config.location=file:{product.folder}/login.yml,file:{product.folder}/api.yml"
    here = ("-Dserver.address=127.0.0.1", f"-Dserver.port={url.rpartition(':')[2]}")
    with product.running(["java", "-Xmx512m", files, *here, "-jar", jar, *classes], ready=url):
        yield Site(url, product, connection, audience)


def api_settings(product: Product, audience: str) -> Mapping[str, str]:
    """The files of the recipe for APIs, for one that is registered with this audience."""
    scopes = {"GET /notes": "notes:read"}
    product.register({typ: {"audience": of_typ, "typ": typ, "scopes": scopes} for of_typ, typ in TYPS.items()})
    return API_RECIPE.for_client(product.served.issuer, Client(client_id="", resources=(audience,))).files


def access_token(product: Product, audience: str) -> str:
    """An access token of a machine for an API."""
    client = product.served.client(
        "client_secret_basic", grant_types=(CLIENT_CREDENTIALS,), resources=(audience,), scopes=("notes:read",)
    )
    answer = requests.post(
        f"{product.served.issuer}/oauth/token",
        {"grant_type": CLIENT_CREDENTIALS, "resource": audience},
        auth=(client["client_id"], client["client_secret"]),
        timeout=10,
    )
    token: str = answer.json()["access_token"]
    return token
