"""A gateway on a port: many threads, kept-alive connections without delay, bodies announced or in chunks.

What is not well-formed HTTP never reaches the gateway and is refused here, in our error shape.
"""

import json
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local import ports
from local.gateway import BODY_LIMIT, Answer, Gateway

log = logging.getLogger(__name__)

HEADERS_LIMIT = 10_240  # API Gateway's own, of all headers together
LINE_LIMIT = 8_192
LINGER_SECONDS = 2.0
NO_BODY = {204, 304}


class Malformed(Exception):
    """The request is not well-formed HTTP."""


class Server(ThreadingHTTPServer):
    """Serves a gateway on a port taken with `ports.listen`."""

    daemon_threads = True

    def __init__(self, gateway: Gateway, listening: socket.socket) -> None:
        super().__init__(listening.getsockname(), Connection, bind_and_activate=False)
        self.socket.close()  # the one that the base class made and that was never bound
        self.socket = listening
        self.gateway = gateway

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's
        """Log what went wrong with a connection."""
        log.debug("The connection of %s broke off", client_address, exc_info=True)


@contextmanager
def serving(gateway: Gateway, listening: socket.socket) -> Iterator[str]:
    """Serve in a thread for the length of a `with` block; gives the base URL."""
    server = Server(gateway, listening)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield ports.url(listening)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Connection(BaseHTTPRequestHandler):
    """One connection, which may carry many requests."""

    protocol_version = "HTTP/1.1"
    # Without these two, an answer's last segment waits for the client's delayed acknowledgement: 44 ms each.
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 75

    server: Server

    def __getattr__(self, name: str) -> Any:
        """Serve whatever method: which ones there are is the gateway's to say."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        started = time.monotonic()
        try:
            self._check_headers()
            body = self._body()
        except Malformed as error:
            self._refuse(400, str(error))
            return
        if sum(len(name) + len(value) for name, value in self.headers.items()) > HEADERS_LIMIT:
            self._refuse(431, "The headers are too large.")
            return
        answer = self.server.gateway.handle(
            self.command, self.path, self.headers.items(), body, source_ip=self.client_address[0]
        )
        took = 1000 * (time.monotonic() - started)
        log.info("%s %s %d %.0f ms", self.command, self.path.partition("?")[0], answer.status, took)
        self._send(answer)
        if body is None:
            self._linger()

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        self.send_header("Date", self.date_time_string())
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.status not in NO_BODY:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD" and answer.status not in NO_BODY:
            self.wfile.write(answer.body)
        self.wfile.flush()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what the base class cannot read; its message echoes the request, so it is not sent."""
        log.debug("%d %s %s", code, message, explain)
        self._refuse(code, "The request is not well-formed HTTP.")

    def _refuse(self, code: int, description: str) -> None:
        content = json.dumps({"error": "invalid_request", "error_description": description}).encode()
        self.close_connection = True  # where this request ends, and another begins, is not known
        self._send(Answer(code, [("Content-Type", "application/json"), ("Connection", "close")], content))
        self._linger()

    def handle_expect_100(self) -> bool:
        """Ask for the body, unless its announced length already decides the answer."""
        try:
            if (self._announced() or 0) > BODY_LIMIT:
                return True
        except Malformed:
            return True
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def _check_headers(self) -> None:
        # RFC 9112 sections 5.1 and 5.2: readers differ in what such a line is, and in what comes after it.
        if self.headers.defects or any(re.search(r"[\r\n]", value) for value in self.headers.values()):
            raise Malformed("A header is not one line with a name and a colon.")

    def _body(self) -> bytes | None:
        """Read the body; None stands for one that is longer than anybody takes, and is not read."""
        length = self._announced()
        body = self._chunks() if length is None else self._exactly(length)
        if body is None:
            self.close_connection = True
        return body

    def _announced(self) -> int | None:
        """Return the announced length of the body, or None if it comes in chunks."""
        lengths = set(self.headers.get_all("Content-Length", []))
        codings = [coding.strip().lower() for coding in self.headers.get_all("Transfer-Encoding", [])]
        # Both at once, or a coding nobody knows: where two readers differ, the second request is smuggled in.
        if codings and (lengths or codings != ["chunked"]):
            raise Malformed("The length of the body is not told in one way.")
        if codings:
            return None
        if len(lengths) > 1 or not all(re.fullmatch("[0-9]{1,18}", length) for length in lengths):
            raise Malformed("The Content-Length is not one number.")
        return int(lengths.pop()) if lengths else 0

    def _chunks(self) -> bytes | None:
        body = bytearray()
        while size := self._chunk_size():
            chunk = self._exactly(size)
            if chunk is None or len(body) + size > BODY_LIMIT:
                return None
            body += chunk
            if self.rfile.readline(3) != b"\r\n":
                raise Malformed("A chunk is longer than it says.")
        while self.rfile.readline(LINE_LIMIT) not in {b"\r\n", b"\n", b""}:
            pass  # trailing headers
        return bytes(body)

    def _chunk_size(self) -> int:
        line = self.rfile.readline(LINE_LIMIT)
        size = re.fullmatch(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?\r?\n", line)
        if size is None:
            raise Malformed("A chunk does not say its size.")
        return int(size[1], 16)

    def _exactly(self, length: int) -> bytes | None:
        if length > BODY_LIMIT:
            return None
        body = self.rfile.read(length)
        if len(body) != length:
            raise Malformed("The body is shorter than it says.")
        return body

    def _linger(self) -> None:
        # Hanging up on a client that still sends would reset the connection and lose the answer on its way.
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(LINGER_SECONDS)
        until = time.monotonic() + LINGER_SECONDS
        while time.monotonic() < until and self.rfile.read1(65536):
            pass

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
        """Keep the base class's own lines for those who look for trouble: they have the query in them."""
        log.debug(format, *arguments)
