"""The list at a `sector_identifier_uri` (OpenID Connect Core 8.1, Registration 5), fetched as a `jwks_uri` is."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from chalicelib.services import Services
from tests.support.browser import App, Browser, register, token_response
from tests.support.commands import run
from tests.support.forge import peek
from tests.support.internet import Internet, Page, running
from tests.support.phone import Clock, Phone, refusal

URIS = ["https://a.example/cb", "https://b.example/cb"]
LIST = "https://sector.example/uris.json"
INVALID = (400, "invalid_client_metadata")


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    """An internet with the host of a sector, and the host of a document."""
    with running(tmp_path, "sector.example", "app.example") as network:
        yield network


@pytest.fixture
def svc(svc: Services, internet: Internet) -> Services:
    """A deployment where anybody registers, in that internet."""
    settings = replace(svc.settings, registration_open=True, client_documents=True)
    return replace(svc, settings=settings, fetch=internet.fetch(seconds=1))


def publish(internet: Internet, members: Any, **page: Any) -> None:
    internet.pages[LIST] = Page(body=json.dumps(members).encode(), **page)


def metadata(**changes: Any) -> dict[str, Any]:
    pairwise = {"subject_type": "pairwise", "sector_identifier_uri": LIST, "redirect_uris": URIS, "scope": "openid"}
    return {**pairwise, "grant_types": ["authorization_code"], **changes}


def answer_of(phone: Phone, **changes: Any) -> Any:
    return phone.call("POST /oauth/register", metadata(**changes))


def refused(phone: Phone, **changes: Any) -> str:
    answer = answer_of(phone, **changes)
    assert refusal(answer) == INVALID
    description: str = answer.json()["error_description"]
    return description


def test_the_list_names_the_sector_of_clients_on_several_hosts(svc: Services, phone: Phone, internet: Internet) -> None:
    publish(internet, [*URIS, "https://c.example/cb"])
    phone.sign_up()
    subjects = set()
    for uris in (URIS, ["https://c.example/cb"]):
        answer = answer_of(phone, redirect_uris=uris).json()
        assert answer["sector_identifier_uri"] == LIST
        client = svc.clients.read(answer["client_id"])
        assert client is not None
        app = App(phone, svc, client, answer["client_secret"])
        tokens = token_response(app.redeem(Browser(phone).code(app, scope="openid")))
        subjects.add(peek(tokens["id_token"])[1]["sub"])
        assert peek(tokens["access_token"])[1]["sector"] == "sector.example"
    assert len(subjects) == 1
    assert len(internet.requests) == 1


def test_who_is_not_in_the_list_is_not_of_the_sector(phone: Phone, internet: Internet) -> None:
    publish(internet, URIS)
    for uri in ("https://evil.example/cb", "https://a.example/cb/", "https://a.example/CB", "https://a.example"):
        assert uri in refused(phone, redirect_uris=[*URIS, uri])
    publish(internet, [])
    assert refused(phone, subject_type="public", sector_identifier_uri="https://sector.example/none.json")


LIES: dict[str, Any] = {
    "an object": {"redirect_uris": URIS},
    "a text": "https://a.example/cb https://b.example/cb",
    "numbers beside": [*URIS, 1],
    "nested": [URIS],
    "null": None,
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_what_is_no_list_of_texts_is_none(phone: Phone, internet: Internet, lie: Any) -> None:
    publish(internet, lie)
    assert "no JSON list" in refused(phone)


@pytest.mark.parametrize("status", [201, 204, 301, 302, 404, 500])
def test_neither_a_redirect_nor_an_error_is_a_list(phone: Phone, internet: Internet, status: int) -> None:
    elsewhere = "https://sector.example/elsewhere.json"
    internet.pages[elsewhere] = Page(body=json.dumps(URIS).encode())
    publish(internet, URIS, status=status, headers={"Location": elsewhere})
    assert "without a redirect" in refused(phone)
    assert [request.line for request in internet.requests] == ["GET /uris.json"]


def test_a_slow_list_and_one_that_is_too_long_hold_nobody_up(phone: Phone, internet: Internet) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(40):
            handler.wfile.write(b" ")
            time.sleep(0.1)

    internet.pages[LIST] = Page(write=drip)
    assert "three seconds" in refused(phone)
    long = "https://sector.example/long.json"
    internet.pages[long] = Page(body=json.dumps([*URIS, "x" * 70_000]).encode())
    assert refused(phone, sector_identifier_uri=long)


@pytest.mark.parametrize(
    "uri",
    [
        "http://sector.example/uris.json",
        "https://sector.example:8443/uris.json",
        "https://sector.example/uris.json#x",
        "https://user@sector.example/uris.json",
        "https://id.example/uris.json",
        "https://ID.example./.well-known/jwks.json",
        "file:///etc/passwd",
    ],
)
def test_no_other_place_and_none_of_ours_is_asked(phone: Phone, internet: Internet, uri: str) -> None:
    assert refused(phone, sector_identifier_uri=uri)
    assert internet.dialled == []


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "fd00::1"])
def test_no_private_address_is_dialled(phone: Phone, internet: Internet, address: str) -> None:
    internet.addresses["sector.example"] = [address]
    assert refused(phone)
    assert internet.dialled == []


def test_a_uri_that_was_added_to_the_list_is_found_a_minute_later(
    phone: Phone, internet: Internet, clock: Clock
) -> None:
    publish(internet, URIS[:1])
    assert refused(phone)
    publish(internet, URIS)
    assert refused(phone)
    clock.advance(61)
    assert answer_of(phone).status == 201


def test_a_client_does_not_change_to_redirect_uris_outside_the_list(phone: Phone, internet: Internet) -> None:
    publish(internet, URIS)
    registered = answer_of(phone).json()
    path = registered["registration_client_uri"].removeprefix("https://id.example")
    token = registered["registration_access_token"]

    def put(**changes: Any) -> Any:
        body = metadata(client_id=registered["client_id"], **changes)
        return phone.call(f"PUT {path}", body, token=token)

    assert refusal(put(redirect_uris=[*URIS, "https://evil.example/cb"])) == INVALID
    assert refusal(put(sector_identifier_uri="https://other.example/uris.json")) == INVALID
    assert put(redirect_uris=URIS[:1]).status == 200


def test_a_device_is_of_no_sector_by_a_list(phone: Phone, internet: Internet) -> None:
    publish(internet, URIS)
    device = "urn:ietf:params:oauth:grant-type:device_code"
    assert "sector_identifier" in refused(phone, grant_types=["authorization_code", device])
    assert refused(phone, grant_types=[device], redirect_uris=[])


def test_a_document_is_of_the_sector_of_its_own_host_by_a_list_there_alone(
    svc: Services, phone: Phone, internet: Internet
) -> None:
    document, own_list = "https://app.example/client.json", "https://app.example/uris.json"
    publish(internet, URIS)
    for uri, members, good in ((LIST, URIS, False), (own_list, URIS[:1], False), (own_list, URIS, True)):
        internet.pages[own_list] = Page(body=json.dumps(members).encode())
        internet.pages[document] = Page(
            body=json.dumps(
                {**metadata(sector_identifier_uri=uri), "client_id": document, "token_endpoint_auth_method": "none"}
            ).encode()
        )
        request = register(svc, phone, "spa").request(client_id=document, redirect_uri=URIS[0], scope="openid")
        page = Browser(phone).get("/oauth/authorize", request)
        assert (page.status == 200) is good, page.body
        svc.now.advance(61)  # type: ignore[attr-defined]


def test_an_operators_command_looks_at_the_list_too(svc: Services, internet: Internet) -> None:
    publish(internet, URIS[:1])
    typed = ["clients", "create", f"redirect_uris={' '.join(URIS)}", f"sector_identifier_uri={LIST}"]
    with pytest.raises(SystemExit, match=r"without https://b\.example/cb"):
        run(*typed, on=svc)
    run(*typed[:2], f"redirect_uris={URIS[0]}", typed[3], on=svc)
