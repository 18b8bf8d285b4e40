"""HTTP/1.1 as far as AWS's answers need it (RFC 9112), read strictly, and every step of it within a deadline.

http.client would do, but for two things: it bounds each read and not the whole of them, and it spends on the headers what
everything else here costs together.
"""

import select
import socket
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from .endpoint import Endpoint

if TYPE_CHECKING:
    from ssl import SSLContext

MAX_HEAD, MAX_LINE, MAX_BODY = 64 * 1024, 8 * 1024, 8 * 1024 * 1024
READ = 64 * 1024
DIGITS, HEX = frozenset("0123456789"), frozenset(b"0123456789abcdefABCDEF")


class Response(NamedTuple):
    """An answer; the names of its headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class MalformedAnswer(OSError):
    """What came is not what HTTP has, or more than is taken."""


def connect(endpoint: Endpoint, trust: "SSLContext | None", *, seconds: float, until: float) -> "Connection":
    """A connection to the first address that takes one, each within so many seconds and all by `until` (time.monotonic).

    Raises OSError.
    """
    failure = OSError("the name has no address")
    host = endpoint.host.encode("ascii")  # as text it would be looked at for letters beyond, by modules of their own
    for family, kind, protocol, _, address in socket.getaddrinfo(host, endpoint.port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(min(seconds, remaining(until)))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if trust:
                sock = trust.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
                sock.settimeout(min(seconds, remaining(until)))
                sock.do_handshake()
            return Connection(sock)
        except OSError as error:
            sock.close()
            failure = error
    try:
        raise failure
    finally:
        del failure  # which would hold this frame, and that it


def remaining(until: float) -> float:
    """The seconds that are left; raises TimeoutError where there are none."""
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("no answer in time")
    return seconds


class Connection:
    """One connection, for one exchange after the other. After an OSError it is of no more use, for an answer may be under way."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._end = weakref.finalize(self, sock.close)
        self._buffer = bytearray()
        self._until = 0.0
        self.reusable = False
        self._decrypted: Callable[[], int] = getattr(sock, "pending", lambda: 0)
        self._arrivals = select.poll()
        self._arrivals.register(sock, select.POLLIN)

    def quiet(self) -> bool:
        """Whether nothing has come since the last answer: neither the connection's end, nor anything nobody asked for."""
        return not self._decrypted() and not self._arrivals.poll(0)

    def close(self) -> None:
        """The end of it."""
        self._end()

    def exchange(self, request: bytes, *, until: float) -> Response:
        """The answer to a request, had by `until` (time.monotonic); raises OSError."""
        self.reusable, self._until = False, until
        self._send(request)
        status, headers, persistent = self._head()
        while 100 <= status < 200:
            status, headers, persistent = self._head()
        body = self._body(headers)
        # What is there already belongs to no request.
        self.reusable = persistent and not self._buffer
        return Response(status, headers, body)

    def _send(self, request: bytes) -> None:
        view = memoryview(request)
        while view:
            self._sock.settimeout(remaining(self._until))
            view = view[self._sock.send(view) :]

    def _receive(self) -> None:
        self._sock.settimeout(remaining(self._until))
        data = self._sock.recv(READ)
        if not data:
            raise ConnectionResetError("the connection ended before its answer")
        self._buffer += data

    def _through(self, end: bytes, most: int) -> bytes:
        """All until a delimiter, which is left out."""
        while (place := self._buffer.find(end)) < 0:
            if len(self._buffer) > most:
                raise MalformedAnswer("too long")
            self._receive()
        text = bytes(self._buffer[:place])
        del self._buffer[: place + len(end)]
        return text

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._receive()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _head(self) -> tuple[int, dict[str, str], bool]:
        first, *lines = self._through(b"\r\n\r\n", MAX_HEAD).decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        status = rest[:3]
        numeric = len(status) == 3 and DIGITS.issuperset(status) and rest[3:4] in ("", " ")
        if version not in ("HTTP/1.1", "HTTP/1.0") or not numeric or "\n" in rest:
            raise MalformedAnswer("no HTTP")
        headers = _headers(lines)
        closing = "close" in headers.get("connection", "").lower()
        return int(status), headers, version == "HTTP/1.1" and not closing

    def _body(self, headers: dict[str, str]) -> bytes:
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        if coding is not None:
            if coding.lower() != "chunked" or length is not None:
                raise MalformedAnswer("of two lengths, or in a coding that nobody asked for")
            return self._chunks()
        if length is None or not 0 < len(length) < 10 or not DIGITS.issuperset(length):
            raise MalformedAnswer("of no length")
        if int(length) > MAX_BODY:
            raise MalformedAnswer("too long")
        return self._exactly(int(length))

    def _chunks(self) -> bytes:
        body = bytearray()
        while True:
            line = self._through(b"\r\n", MAX_LINE)
            digits = line.partition(b";")[0].rstrip()
            if not 0 < len(digits) < 9 or not HEX.issuperset(digits) or b"\n" in line:
                raise MalformedAnswer("a chunk of no size")
            size = int(digits, 16)
            if len(body) + size > MAX_BODY:
                raise MalformedAnswer("too long")
            if not size:
                break
            body += self._exactly(size)
            if self._exactly(2) != b"\r\n":
                raise MalformedAnswer("a chunk of another size")
        while self._through(b"\r\n", MAX_LINE):
            pass  # a trailer, of which nothing is needed
        return bytes(body)


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name.split() != [name] or "\r" in value or "\n" in value:
            raise MalformedAnswer("no header")
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
