"""Requests to addresses that strangers name. Nothing of ours is imported here, nor anything that is slow to start."""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlencode, urlsplit

import msgspec

if TYPE_CHECKING:
    import ssl

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

SECONDS = 3.0
MAX_BYTES = 64 * 1024
MAX_ADDRESSES = 4
PORT = 443
ACCEPT_JSON = {"Accept": "application/json"}
URL = re.compile(r"https://[A-Za-z0-9.\[\]:-]+(/[\x21-\x7e]*)?")
# On a developer's machine alone, and then without a look-up: what is behind this name is not asked of anybody.
LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\]|localhost)(:[0-9]{1,5})?(/[\x21\x22\x24-\x5b\x5d-\x7e]*)?")
LOOPBACK_ADDRESSES = {"127.0.0.1": ("127.0.0.1",), "::1": ("::1",), "localhost": ("127.0.0.1", "::1")}
# Python's is_global goes with its version and is true of more than unicast: these are not for us, whatever it says.
NEVER = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the metadata of every cloud
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast and reserved
        "2001::/23",  # Teredo among them, which has an IPv4 address inside
        "2001:db8::/32",
        "2002::/16",  # 6to4, likewise
        "3fff::/20",
    )
)
# All other unicast of IPv6 is not global: loopback, mapped and compatible IPv4, NAT64, unique local, link-local.
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """An answer; `status` is 0 where none was had, and then `reason` says why, for the log."""

    status: int = 0
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""
    reason: str = ""


class RequestRefused(Exception):
    """A request that is not made, or given up."""


def public(address: Address) -> bool:
    """Whether an address is global unicast, and no other address in disguise."""
    if isinstance(address, ipaddress.IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    return address.is_global and not any(address in network for network in NEVER)


def resolve(name: str) -> list[str]:
    """The addresses of a name."""
    addresses = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in addresses))


def connect(address: str, port: int, seconds: float) -> socket.socket:
    """A connection to an address, never to a name."""
    return socket.create_connection((address, port), seconds)


@cache
def trust() -> "ssl.SSLContext":
    """The certificate authorities of this machine."""
    import ssl

    return ssl.create_default_context()


class Fetch:
    """GET and POST over https, to some `ports` of public addresses; no redirect is followed and no proxy asked.

    A name is resolved once and the connection goes to an address that was checked, so it cannot change in between.
    With `local`, which no deployment has, http://localhost and its addresses are asked as well, on any port.
    """

    def __init__(
        self,
        *,
        resolve: Callable[[str], list[str]] = resolve,
        connect: Callable[[str, int, float], socket.socket] = connect,
        trust: "Callable[[], ssl.SSLContext]" = trust,
        seconds: float = SECONDS,
        ports: frozenset[int] = frozenset({PORT}),
        local: bool = False,
    ) -> None:
        self.seconds = seconds
        self._ports = ports
        self._local = local
        self._resolve = resolve
        self._connect = connect
        self._trust = trust

    def get(self, url: str, headers: Mapping[str, str] = ACCEPT_JSON) -> Response:
        """What is at a URL."""
        return self._within_time(_Request("GET", url, headers=headers))

    def post(self, url: str, form: Mapping[str, str]) -> Response:
        """The answer to a form."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._within_time(_Request("POST", url, headers=kind, body=urlencode(form).encode()))

    def why_never(self, url: str) -> str:
        """Why nothing can ever be had from a URL, as far as it says so itself, without a look at any name; "" if it may be."""
        if self._local and LOOPBACK.fullmatch(url):
            return ""
        try:
            host = str(self._split(url).hostname).removesuffix(".")
        except (RequestRefused, ValueError) as refused:
            return str(refused)
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            # A name without a dot is no public one, nor one below localhost (RFC 6761 section 6.3) or a number (127.1).
            last = host.rpartition(".")[2]
            return "no public name" if last in (host, "localhost") or last[:1].isdigit() else ""
        return "" if public(address) else "no public address"

    def _split(self, url: str) -> SplitResult:
        if not URL.fullmatch(url) or "#" in url or "\\" in url:
            raise RequestRefused("not an https URL")
        parts = urlsplit(url)
        if not parts.hostname or (PORT if parts.port is None else parts.port) not in self._ports:
            raise RequestRefused("not the port of https")
        return parts

    def _within_time(self, request: "_Request") -> Response:
        # Only another thread bounds all together: a slow name server, a slow handshake and an answer that drips.
        import queue
        import threading

        outcome: queue.SimpleQueue[Response] = queue.SimpleQueue()
        threading.Thread(target=lambda: outcome.put(self._answer(request)), daemon=True).start()
        try:
            return outcome.get(timeout=self.seconds)
        except queue.Empty:
            request.give_up()
            return Response(reason="too slow")

    def _answer(self, request: "_Request") -> Response:
        import http.client

        try:
            if self._local and LOOPBACK.fullmatch(request.url):
                with self._dial_loopback(request, urlsplit(request.url)) as connection:
                    return request.exchange(connection)
            parts = self._split(request.url)
            with self._connect_tls(request, str(parts.hostname), parts.port or PORT) as connection:
                request.check()
                connection.do_handshake()
                return request.exchange(connection)
        except RequestRefused as refused:
            return Response(reason=str(refused))
        except (OSError, ValueError, http.client.HTTPException) as failure:
            return Response(reason=type(failure).__name__)

    def _connect_tls(self, request: "_Request", name: str, port: int) -> "ssl.SSLSocket":
        raw = self._dial(request, name, port)
        try:
            secured = self._trust().wrap_socket(raw, server_hostname=name, do_handshake_on_connect=False)
        except BaseException:
            raw.close()
            raise
        request.connection = secured
        return secured

    def _dial(self, request: "_Request", name: str, port: int) -> socket.socket:
        def connect(address: str, seconds: float) -> socket.socket:
            return self._connect(address, port, seconds)

        addresses = [address for address in self._resolve(name) if public(ipaddress.ip_address(address))]
        return self._connect_to_first(request, addresses[:MAX_ADDRESSES], connect)

    def _dial_loopback(self, request: "_Request", parts: SplitResult) -> socket.socket:
        def connect(address: str, seconds: float) -> socket.socket:
            return socket.create_connection((address, parts.port or 80), seconds)

        request.connection = self._connect_to_first(request, LOOPBACK_ADDRESSES[str(parts.hostname)], connect)
        return request.connection

    def _connect_to_first(
        self, request: "_Request", addresses: Iterable[str], connect: Callable[[str, float], socket.socket]
    ) -> socket.socket:
        failure: Exception = RequestRefused("no public address")
        for address in addresses:
            request.check()
            try:
                return connect(address, self.seconds)
            except OSError as unreachable:
                failure = unreachable
        raise failure


class _Request:
    """One request, which another thread may give up at any time."""

    def __init__(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.connection: socket.socket | None = None
        self._given_up = False

    def exchange(self, connected: socket.socket) -> Response:
        """Sends the request over a connection that is made already, and reads what comes back as far as it may go."""
        import http.client

        parts = urlsplit(self.url)
        port = None if (parts.scheme, parts.port) == ("https", PORT) else parts.port
        connection = http.client.HTTPConnection(str(parts.hostname), port)
        connection.sock = connected
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(self.method, target or "/", body=self.body, headers={**self.headers, "Connection": "close"})
        with connection.getresponse() as answer:
            return Response(
                status=answer.status,
                headers={name.lower(): value for name, value in answer.getheaders()},
                body=self._read(answer),
            )

    def _read(self, answer: Any) -> bytes:
        body = b""
        while chunk := answer.read1(MAX_BYTES):
            body += chunk
            if len(body) > MAX_BYTES:
                raise RequestRefused("too long")
        return body

    def check(self) -> None:
        """Raises Refused if nobody waits for this request any more."""
        if self._given_up:
            raise RequestRefused("too slow")

    def give_up(self) -> None:
        """Breaks the connection, so that the thread that uses it comes to its end."""
        self._given_up = True
        if self.connection is not None:
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
