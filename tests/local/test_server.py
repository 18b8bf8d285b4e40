"""The gateway on a port: what HTTP itself can carry, and what it cannot."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from chalice.app import Chalice, Response

from local import ports, server
from local.gateway import BODY_LIMIT, Gateway


def app() -> Chalice:
    made = Chalice("served")

    @made.route("/body", methods=["POST", "PUT"], content_types=["*/*"])
    def body() -> Any:
        request: Any = made.current_request
        return {"length": len(request.raw_body), "start": request.raw_body[:20].decode()}

    @made.route("/empty", methods=["GET", "HEAD"])
    def empty() -> Any:
        return Response("", status_code=204)

    @made.route("/page", methods=["GET", "HEAD", "OPTIONS"])
    def page() -> Any:
        return Response("hello", headers={"Content-Type": "text/plain", "Set-Cookie": ["a=1", "b=2"]})

    @made.route("/event")
    def event() -> Any:
        request: Any = made.current_request
        return request.to_original_event()

    return made


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    listening = ports.listen()
    with server.serving(Gateway(app()), listening):
        yield listening.getsockname()[1]


@pytest.fixture
def connection(port: int) -> Iterator[http.client.HTTPConnection]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as made:
        yield made


def raw(port: int, request: bytes) -> bytes:
    """Send bytes as they are; return all that comes back until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        return everything(client)


def everything(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65536), b""))


def test_one_connection_carries_many_requests(connection: http.client.HTTPConnection) -> None:
    ports = set()
    for method, path in [
        ("GET", "/page"),
        ("POST", "/body"),
        ("HEAD", "/page"),
        ("GET", "/empty"),
        ("GET", "/no"),
    ]:
        connection.request(method, path)
        connection.getresponse().read()
        ports.add(connection.sock.getsockname()[1])
    assert len(ports) == 1


def test_no_segment_waits_for_an_acknowledgement(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    options = []
    handle = server.Connection.handle

    def spy(self: server.Connection) -> None:
        options.append(self.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        handle(self)

    monkeypatch.setattr(server.Connection, "handle", spy)
    assert raw(port, b"GET /page HTTP/1.1\r\nConnection: close\r\n\r\n").endswith(b"hello")
    assert all(options)
    assert len(options) == 1


def test_a_burst_of_connections_waits_in_the_queue_until_it_is_served() -> None:
    listening = ports.listen()
    clients = [socket.create_connection(listening.getsockname(), timeout=30) for _ in range(60)]
    for client in clients:
        client.sendall(b"GET /page HTTP/1.1\r\nConnection: close\r\n\r\n")
    with server.serving(Gateway(app()), listening):
        answers = [everything(client) for client in clients]
    for client in clients:
        client.close()
    assert all(answer.endswith(b"hello") for answer in answers)


def test_head_has_the_headers_of_get_and_no_body(connection: http.client.HTTPConnection) -> None:
    connection.request("HEAD", "/page")
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Content-Length"), answer.read()) == (200, "5", b"")


def test_options_answers(connection: http.client.HTTPConnection) -> None:
    connection.request("OPTIONS", "/page")
    assert connection.getresponse().status == 200


def test_204_has_neither_body_nor_length(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/empty")
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Content-Length"), answer.read()) == (204, None, b"")


def test_headers_sent_several_times_arrive_so_both_ways(connection: http.client.HTTPConnection) -> None:
    connection.putrequest("GET", "/event?a=1&a=2")
    connection.putheader("X-Many", "1")
    connection.putheader("X-Many", "2")
    connection.endheaders()
    event = json.loads(connection.getresponse().read())
    assert event["multiValueHeaders"]["X-Many"] == ["1", "2"]
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
    assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"

    connection.request("GET", "/page")
    answer = connection.getresponse()
    assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2"]


def test_a_body_in_chunks_is_read_and_the_connection_goes_on(connection: http.client.HTTPConnection) -> None:
    for _ in range(2):
        connection.request("POST", "/body", iter([b"hello ", b"x" * 70_000, b" world"]), encode_chunked=True)
        assert json.loads(connection.getresponse().read()) == {
            "length": 70_012,
            "start": "hello xxxxxxxxxxxxxx",
        }


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_over_ten_megabytes_is_413_and_the_answer_arrives(port: int, chunked: bool) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        part = b"x" * 1024 * 1024
        body: Any = iter([part] * 11) if chunked else part * 11
        connection.request("POST", "/body", body, encode_chunked=chunked)
        answer = connection.getresponse()
        assert answer.status == 413
        assert json.loads(answer.read())["error"] == "payload_too_large"
        assert answer.getheader("X-Request-Id")


def test_ten_megabytes_are_taken(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/body", b"x" * BODY_LIMIT)
    assert json.loads(connection.getresponse().read())["length"] == BODY_LIMIT


@pytest.mark.parametrize(("length", "first"), [(5, b"HTTP/1.1 100 "), (BODY_LIMIT + 1, b"HTTP/1.1 413 ")])
def test_a_client_that_asks_first_is_told_to_go_on_or_why_not(port: int, length: int, first: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(b"POST /body HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % length)
        assert client.recv(13) == first


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /body HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST /body HTTP/1.1\r\nContent-Length: +5\r\n\r\nhello",
        b"POST /body HTTP/1.1\r\nContent-Length: five\r\nExpect: 100-continue\r\n\r\nhello",
        b"POST /body HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /body HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
        b"POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n",
        b"POST /body HTTP/1.1\r\nContent-Length: 50\r\n\r\nhello",
        b"GET /secret nonsense HTTP/1.1\r\n\r\n",
        # RFC 9112 sections 5.1, 5.2: readers differ in where such headers begin, and in what comes after them.
        b"POST /body HTTP/1.1\r\nX-Own: a\r\n X-Other: b\r\nContent-Length: 5\r\n\r\nhello",
        b"POST /body HTTP/1.1\r\nX-Own: a\r\n\tb\r\nContent-Length: 5\r\n\r\nhello",
        b"POST /body HTTP/1.1\r\n X-Own: a\r\nContent-Length: 5\r\n\r\nhello",
        b"POST /body HTTP/1.1\r\nX-Own : a\r\nContent-Length: 5\r\n\r\nhello",
        b"POST /body HTTP/1.1\r\nX-Own\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
def test_what_is_not_well_formed_http_is_a_400_in_our_shape_and_ends_the_connection(
    port: int, request_bytes: bytes
) -> None:
    head, _, body = raw(port, request_bytes + b"GET /page HTTP/1.1\r\n\r\n").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert set(json.loads(body)) == {"error", "error_description"}
    assert b"secret" not in body


@pytest.mark.parametrize("headers", [{"X-Long": "x" * 10_300}, {f"X-{number}": "x" for number in range(200)}])
def test_too_many_or_too_long_headers_are_431(connection: http.client.HTTPConnection, headers: dict[str, str]) -> None:
    connection.request("GET", "/page", headers=headers)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["error"]) == (431, "invalid_request")


def test_a_method_nobody_has_heard_of_is_the_gateway_s_404(connection: http.client.HTTPConnection) -> None:
    connection.request("BREW", "/page")
    assert connection.getresponse().status == 404


def test_many_threads_get_their_own_answers(port: int) -> None:
    wrong = []

    def client(name: str) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            for number in range(20):
                connection.request("POST", "/body", f"{name} {number}")
                start = json.loads(connection.getresponse().read())["start"]
                if start != f"{name} {number}":
                    wrong.append(start)

    threads = [threading.Thread(target=client, args=(f"client {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_taken_port_is_an_os_error() -> None:
    with ports.listen() as listening, pytest.raises(OSError, match="in use"):
        ports.listen(listening.getsockname()[1])
