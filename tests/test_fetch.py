"""Requests to strangers' addresses: what is never asked, and what is not waited for."""

import ipaddress
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from chalicelib import fetch
from chalicelib.fetch import Fetch, public
from tests.support.internet import PUBLIC, Internet, Page, running

URL = "https://app.example/client.json"


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    with running(tmp_path, "app.example") as network:
        yield network


PRIVATE = [
    "0.0.0.0", "0.1.2.3",  # noqa: S104 - nobody binds to it
    "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254",
    "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.0.170",
    "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:93.184.215.14", "::ffff:a9fe:a9fe", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::5db8:d70e", "64:ff9b:1::a9fe:a9fe", "100::1", "2001::1", "2001:0:7f00:1::",
    "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "5f00::1",
    "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%lo", "fec0::1", "ff02::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_global_unicast_is_never_connected_to(internet: Internet, address: str) -> None:
    internet.addresses["app.example"] = [address]
    assert internet.fetch().get(URL).reason == "no public address"
    assert internet.dialled == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://app.example/x", ""),
        ("https://app.example:443/x", ""),
        ("https://app.example:8443/x", "not the port of https"),
        ("https://app.example:/x", ""),
        ("http://app.example/x", "not an https URL"),
        ("http://localhost/x", "not an https URL"),
        ("https://keycloak/x", "no public name"),
        ("https://localhost/x", "no public name"),
        ("https://a.localhost./x", "no public name"),
        ("https://127.1/x", "no public name"),
        ("https://10.0.0.1/x", "no public address"),
        ("https://169.254.169.254/x", "no public address"),
        ("https://[::1]/x", "no public address"),
        ("https://[fd00::1]/x", "no public address"),
        ("https://1.1.1.1/x", ""),
    ],
)
def test_a_url_that_can_never_be_called_is_known_without_asking_anybody(internet: Internet, url: str, why: str) -> None:
    assert internet.fetch().why_never(url) == why
    assert (internet.resolved, internet.dialled) == ([], [])


def test_other_ports_are_called_if_the_operator_allows_them(internet: Internet) -> None:
    dialled: list[int] = []

    def connect(_: str, port: int, __: float) -> socket.socket:
        dialled.append(port)
        raise OSError

    fetcher = Fetch(resolve=internet.resolve, connect=connect, ports=frozenset({443, 8443}))
    assert fetcher.why_never("https://app.example:8443/x") == ""
    for url in ("https://app.example:8443/x", "https://app.example/x", "https://app.example:8444/x"):
        fetcher.get(url)
    assert dialled == [8443, 443]


@pytest.mark.parametrize("address", ["1.1.1.1", PUBLIC, "100.128.0.1", "172.32.0.1", "2606:4700:4700::1111", "2a00::1"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "0", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"],
)
def test_no_spelling_of_an_address_gets_past_the_check(host: str) -> None:
    dialled: list[str] = []

    def connect(address: str, _: int, __: float) -> socket.socket:
        dialled.append(address)
        raise OSError

    answer = Fetch(resolve=fetch.resolve, connect=connect).get(f"https://{host}/latest/meta-data/")
    assert (answer.status, dialled) == (0, [])


def test_the_address_that_was_checked_is_the_one_that_is_dialled(internet: Internet) -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"]])  # a name that changes its mind between check and use
    fetcher = Fetch(resolve=lambda _: next(answers), connect=internet.connect, trust=lambda: internet.trust, seconds=5)
    internet.pages[URL] = Page(b'{"a": 1}')
    assert fetcher.get(URL).body == b'{"a": 1}'
    assert internet.dialled == [PUBLIC]
    assert next(answers) == ["127.0.0.1"]  # it was asked once


def test_of_several_addresses_only_public_ones_are_tried(internet: Internet) -> None:
    internet.addresses["app.example"] = ["127.0.0.1", "fd00:ec2::254", PUBLIC]
    internet.pages[URL] = Page()
    assert internet.fetch().get(URL).status == 200
    assert internet.dialled == [PUBLIC]


def test_of_many_addresses_a_few_are_tried(internet: Internet) -> None:
    internet.addresses["app.example"] = ["127.0.0.1", *(f"93.184.215.{last}" for last in range(1, 20))]
    dialled: list[str] = []

    def connect(address: str, _: int, __: float) -> socket.socket:
        dialled.append(address)
        raise ConnectionRefusedError

    response = Fetch(resolve=internet.resolve, connect=connect, seconds=5).get(URL)
    assert response.reason == "ConnectionRefusedError"
    assert dialled == [f"93.184.215.{last}" for last in range(1, 5)]


def test_nobody_is_dialled_after_the_time_is_over(internet: Internet) -> None:
    internet.addresses["app.example"] = [f"93.184.215.{last}" for last in range(1, 20)]
    given_up, dialled = threading.Event(), list[str]()
    threads: list[threading.Thread] = []

    def connect(address: str, _: int, __: float) -> socket.socket:
        dialled.append(address)
        threads.append(threading.current_thread())
        given_up.wait(5)
        raise TimeoutError

    assert Fetch(resolve=internet.resolve, connect=connect, seconds=0.1).get(URL).reason == "too slow"
    given_up.set()
    threads[0].join(5)
    assert dialled == ["93.184.215.1"]


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example/client.json",
        "HTTPS://app.example/client.json",
        "https://app.example:8443/client.json",
        "https://app.example:80/",
        "https://app.example:99999/",
        "https://user@app.example/",
        "https://user:pass@app.example/",
        "https://app.example\\@evil.example/",
        "https://app.example/#fragment",
        "https://app.example/a b",
        "https://app.example/\r\nHost: evil.example",
        "https://app.example/é",
        "https://äpp.example/",
        "https://[::1",
        "https://",
        "https:///path",
        "https:app.example",
        "//app.example/",
        "file:///etc/passwd",
        "gopher://app.example/",
        "ftp://app.example/",
        "data:application/json,{}",
        "",
    ],
)
def test_what_is_not_plain_https_is_not_even_looked_up(internet: Internet, url: str) -> None:
    assert internet.fetch().get(url).status == 0
    assert internet.dialled == []


def test_the_port_of_https_may_be_named(internet: Internet) -> None:
    internet.pages[URL] = Page()
    assert internet.fetch().get("https://app.example:443/client.json").status == 200


def test_a_certificate_for_another_name_is_refused(internet: Internet) -> None:
    internet.pages["https://other.example/"] = Page()
    assert internet.fetch().get("https://other.example/").reason == "SSLCertVerificationError"
    assert internet.requests == []


def test_an_authority_that_this_machine_does_not_know_is_refused(internet: Internet) -> None:
    fetcher = Fetch(resolve=internet.resolve, connect=internet.connect)
    assert fetcher.get(URL).reason == "SSLCertVerificationError"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(internet: Internet, status: int) -> None:
    internet.pages[URL] = Page(status=status, headers={"Location": "https://app.example/elsewhere"})
    internet.pages["https://app.example/elsewhere"] = Page()
    assert internet.fetch().get(URL).status == status
    assert [request.line for request in internet.requests] == ["GET /client.json"]


def test_no_proxy_of_the_environment_is_asked(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    internet.pages[URL] = Page()
    assert internet.fetch().get(URL).status == 200


def chunks(length: int, size: int = 1024) -> Page:
    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(length // size):
            handler.wfile.write(b"%x\r\n" % size + b"x" * size + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    return Page(write=write)


@pytest.mark.parametrize(
    ("page", "fits"),
    [
        (Page(b"x" * 65536), True),
        (Page(b"x" * 65537), False),
        (chunks(65536), True),
        (chunks(66560), False),
        (chunks(50_000_000), False),
    ],
    ids=["just", "one more", "just in chunks", "more in chunks", "endless"],
)
def test_an_answer_has_at_most_64_kilobytes(internet: Internet, page: Page, fits: bool) -> None:
    internet.pages[URL] = page
    answer = internet.fetch().get(URL)
    assert (answer.status, answer.reason) == ((200, "") if fits else (0, "too long"))


def dripping(first: bytes) -> Page:
    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(first)
        try:
            while True:  # until the other side hangs up
                handler.wfile.write(b"x")
                threading.Event().wait(0.01)
        except OSError:
            return

    return Page(write=write)


@pytest.mark.parametrize(
    "first",
    [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"],
)
def test_a_server_that_never_comes_to_an_end_is_given_up(internet: Internet, first: bytes) -> None:
    internet.pages[URL] = dripping(first)
    assert internet.fetch(seconds=0.3).get(URL).reason in ("too slow", "BadStatusLine")


def test_a_name_server_that_does_not_answer_is_given_up() -> None:
    forever = threading.Event()

    def resolve(_: str) -> list[str]:
        forever.wait()
        return []

    assert Fetch(resolve=resolve, seconds=0.1).get(URL).reason == "too slow"
    forever.set()


def test_a_server_that_says_nothing_after_the_connection_is_given_up(internet: Internet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        fetcher = Fetch(
            resolve=internet.resolve,
            connect=lambda _, __, seconds: socket.create_connection(silent.getsockname(), seconds),
            trust=lambda: internet.trust,
            seconds=0.2,
        )
        assert fetcher.get(URL).status == 0


@pytest.mark.parametrize(
    "raw", [b"", b"\x00\xff\n\n", b"HTTP/1.1 999999 X\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200]
)
def test_an_answer_that_is_not_http_is_no_answer(internet: Internet, raw: bytes) -> None:
    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(raw)

    internet.pages[URL] = Page(write=write)
    assert internet.fetch().get(URL).status == 0


def test_a_form_arrives_with_the_name_that_was_asked_for(internet: Internet) -> None:
    internet.pages["https://app.example/hook?a=b"] = Page()
    assert internet.fetch().post("https://app.example/hook?a=b", {"logout_token": "a+b c"}).status == 200
    (request,) = internet.requests
    assert request.line == "POST /hook?a=b"
    assert request.headers["host"] == "app.example"
    assert request.form == {"logout_token": "a+b c"}
    assert "cookie" not in request.headers
