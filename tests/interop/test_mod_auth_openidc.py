"""Apache with mod_auth_openidc, configured as its recipe has it, in front of a site that people log in to."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_string
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests
from cryptography.hazmat.primitives import serialization

from chalicelib.domain.oauth.client import CODE, REFRESH
from cli import recipes
from tests.interop import apache
from tests.interop.person import Person
from tests.interop.served import Served, free_port
from tests.support.delivery import deliver
from tests.support.forge import stranger

apache.needed()
ALGORITHM = "RS256"
# Our server knows Apache by a name of the internet; the person, who has no name server, by that of the machine.
NAME, ADDRESS = "wiki.example", "93.184.215.15"
USER = "X-Remote-User"


@dataclass
class Site:
    """A site behind Apache."""

    url: str

    def visit(self, person: Person, path: str) -> Message:
        """The headers that the application is shown, once a person has opened a page and logged in where asked to."""
        step = person.visit(self.url + path)
        for _ in ("back at Apache", "at the page"):
            step = person.visit(step["url"]) if "url" in step else step
        assert step["page"] == 200, step
        return message_from_string(step["text"])

    def get(self, browser: requests.Session, path: str) -> requests.Response:
        """Apache's own answer."""
        return browser.get(self.url + path, allow_redirects=False)


@contextmanager
def site(served: Served, folder: Path, method: str, *lines: str, **metadata: Any) -> Iterator[Site]:
    """Has Apache serve a site as the recipe says, and these lines; a new client authenticates by the method."""
    port = free_port()
    url = f"https://localhost:{port}"
    served.internet.addresses[NAME], served.internet.ports[ADDRESS] = [ADDRESS], port
    usual = {"redirect_uris": (f"{url}/oidc",), "post_logout_redirect_uris": (f"{url}/bye",)}
    registration = served.client(
        method, **usual, backchannel_logout_uri=f"https://{NAME}/oidc?logout=backchannel", **metadata
    )
    text = "\n".join([documented(served, registration), f"OIDCAuthNHeader {USER}", *lines])
    with apache.serving(folder, port=port, chain=served.internet.chain, site=text):
        yield Site(url)


def documented(served: Served, registration: dict[str, Any]) -> str:
    """The recipe's lines for a client."""
    client = served.svc.clients.read(registration["client_id"])
    assert client
    filled = recipes.read("apache").for_client(served.issuer, client, registration["client_secret"])
    text = filled.files["site.conf"]
    return text if registration["client_secret"] else re.sub(r"OIDCClientSecret .*", "", text)


@pytest.fixture
def person(served: Served) -> Person:
    """Somebody whose browser trusts Apache's certificate."""
    somebody = served.person()
    somebody.web.verify, somebody.web.trust_env = str(served.internet.authority), False
    return somebody


@pytest.fixture
def key(tmp_path: Path) -> tuple[str, ...]:
    """What configures a key of Apache's own to authenticate with."""
    private_key, pem = stranger("RS256"), serialization.Encoding.PEM
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    private.write_bytes(private_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    public.write_bytes(private_key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    return f"OIDCPrivateKeyFiles {private}", f"OIDCPublicKeyFiles {public}"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_a_page_behind_apache_is_for_those_who_log_in(
    served: Served, person: Person, tmp_path: Path, method: str
) -> None:
    with site(served, tmp_path, method, f"OIDCProviderTokenEndpointAuth {method}") as wiki:
        away = urlsplit(wiki.get(person.web, "/notes").headers["Location"])
        page = wiki.visit(person, "/notes")
    assert f"{away.scheme}://{away.netloc}" == served.issuer
    assert parse_qs(away.query)["code_challenge_method"] == ["S256"]
    assert page[USER] == page["OIDC_CLAIM_sub"]
    assert (page["OIDC_CLAIM_email"], page["OIDC_CLAIM_name"]) == (person.email, "Ann")


def test_apache_proves_itself_with_a_key_that_it_publishes(
    served: Served, person: Person, tmp_path: Path, key: tuple[str, ...]
) -> None:
    lines = (*key, "OIDCProviderTokenEndpointAuth private_key_jwt")
    published = f"https://{NAME}/oidc?jwks=rsa"
    with site(served, tmp_path, "private_key_jwt", *lines, jwks_uri=published) as wiki:
        assert wiki.visit(person, "/notes")[USER]


def test_who_leaves_by_apaches_button_has_to_log_in_again(served: Served, person: Person, tmp_path: Path) -> None:
    with site(served, tmp_path, "client_secret_basic") as wiki:
        wiki.visit(person, "/notes")
        del person.web.cookies["mod_auth_openidc_session"]
        again = person.web.get(f"{wiki.url}/notes")
        page = person.visit(f"{wiki.url}/oidc?logout={quote(f'{wiki.url}/bye', safe='')}")
        deliver()
        bye, login = wiki.get(person.web, "/bye"), person.web.get(f"{wiki.url}/notes")
    assert again.url == f"{wiki.url}/notes"
    assert page == {"url": f"{wiki.url}/bye"}
    assert USER not in bye.text
    assert bye.status_code == 200
    assert login.url.startswith(f"{served.issuer}/oauth/authorize")


def test_apache_logs_out_who_logs_out_elsewhere(served: Served, person: Person, tmp_path: Path) -> None:
    with site(served, tmp_path, "client_secret_basic") as wiki:
        wiki.visit(person, "/notes")
        before = wiki.get(person.web, "/notes")
        person.visit(f"{served.issuer}/oauth/logout")
        deliver()
        after = wiki.get(person.web, "/notes")
    assert (before.status_code, after.status_code) == (200, 302)


def test_apache_refreshes_access_tokens_before_they_expire(served: Served, person: Person, tmp_path: Path) -> None:
    lines = 'OIDCScope "openid offline_access"', "OIDCRefreshAccessTokenBeforeExpiry 120"
    metadata = {"grant_types": (CODE, REFRESH), "access_seconds": 60}
    with site(served, tmp_path, "client_secret_basic", *lines, **metadata) as wiki:
        tokens = [wiki.visit(person, "/notes")["OIDC_access_token"] for _ in range(3)]
    assert len(set(tokens)) == 3
