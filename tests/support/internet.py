"""Other people's servers: a TLS server of this test's own on loopback, which every name of the test's internet leads to."""

import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chalicelib.fetch import Fetch

# Any public addresses will do: nothing is ever sent to them.
PUBLIC = "93.184.215.14"


@dataclass
class Page:
    """What a server answers at one URL; `write` says it all by itself instead."""

    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    write: Callable[[BaseHTTPRequestHandler], None] | None = None


@dataclass
class Request:
    """What a server was asked."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The body as the form that it is."""
        return dict(parse_qsl(self.body.decode()))


@dataclass
class Internet:
    """Names with their addresses, and pages by URL; all that was asked of it and dialled is kept.

    Another server of the test's, with the same `chain` for its certificate, has an address of its own in `ports`.
    """

    port: int
    authority: Path
    chain: Path
    trust: ssl.SSLContext
    ports: dict[str, int] = field(default_factory=dict)
    pages: dict[str, Page] = field(default_factory=dict)
    addresses: dict[str, list[str]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)
    dialled: list[str] = field(default_factory=list)

    def resolve(self, name: str) -> list[str]:
        """The addresses of a name; each has a public one unless the test says otherwise."""
        self.resolved.append(name)
        return self.addresses.get(name, [PUBLIC])

    def connect(self, address: str, _: int, seconds: float) -> socket.socket:
        """A connection to a server on loopback, whatever address it is that was dialled."""
        self.dialled.append(address)
        return socket.create_connection(("127.0.0.1", self.ports.get(address, self.port)), seconds)

    def fetch(self, *, seconds: float = 5) -> Fetch:
        """The real thing, with this internet for the world."""
        return Fetch(resolve=self.resolve, connect=self.connect, trust=lambda: self.trust, seconds=seconds)


class _Handler(BaseHTTPRequestHandler):
    internet: Internet

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.internet.requests.append(Request(f"{self.command} {self.path}", headers, body))
        page = self.internet.pages.get(f"https://{headers['host']}{self.path}", Page(status=404))
        if page.write:
            page.write(self)
            return
        self.send_response(page.status)
        for name, value in {**page.headers, "Content-Length": str(len(page.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(page.body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass  # a client that hangs up is what some tests are about


@contextmanager
def running(folder: Path, *names: str) -> Iterator[Internet]:
    """An internet whose one server has a certificate for these names, from an authority that only it trusts."""
    authority, chain = _certified(folder, names)
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    trust = ssl.create_default_context(cafile=authority)
    handler.internet = Internet(server.server_address[1], authority, chain, trust)  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield handler.internet  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


def _certified(folder: Path, names: tuple[str, ...]) -> tuple[Path, Path]:
    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "The test's authority")])
    own = _builder(issuer, issuer, root).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    root_of_all = own.add_extension(usage, critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(root.public_key())
    signed_root = root_of_all.add_extension(identifier, critical=False).sign(root, hashes.SHA256())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    by_root = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())
    builder = _builder(subject, issuer, leaf).add_extension(alternatives, critical=False)
    certificate = builder.add_extension(by_root, critical=False).sign(root, hashes.SHA256())
    pem = serialization.Encoding.PEM
    key = leaf.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    authority, chain = folder / "authority.pem", folder / "server.pem"
    authority.write_bytes(signed_root.public_bytes(pem))
    chain.write_bytes(key + certificate.public_bytes(pem))
    return authority, chain


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )
