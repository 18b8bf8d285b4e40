"""An AWS that answers with what a test has written down, byte by byte, on a real connection."""

import json
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Request:
    """What was asked, and on which connection."""

    connection: int
    headers: dict[str, str]
    body: bytes

    @property
    def credential(self) -> str:
        """The access key that signed."""
        return self.headers["authorization"].partition("Credential=")[2].partition("/")[0]


# What is done with one request: bytes are sent, and True says that the connection goes on.
Step = Callable[[socket.socket, Request], bool]


@dataclass
class ScriptedAws:
    """Takes one step for each request, and the usual one, which answers `{}`, once there are none left."""

    port: int
    steps: list[Step] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    connections: int = 0
    usual: Step | None = None

    @property
    def environ(self) -> dict[str, str]:
        """What leads a client here."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "eu-central-1",
        }

    @property
    def targets(self) -> list[str]:
        """The operations that were asked for, in order."""
        return [request.headers["x-amz-target"].partition(".")[2] for request in self.requests]

    def drip(self, data: bytes, *, pause: float) -> Step:
        """Sends a byte at a time, for as long as the test goes on."""

        def step(sock: socket.socket, _: Request) -> bool:
            for place in range(len(data)):
                if self.over.wait(pause):
                    break
                sock.sendall(data[place : place + 1])
            return True

        return step

    def silent(self, _: socket.socket, __: Request) -> bool:
        """Says nothing while the test goes on."""
        self.over.wait()
        return False

    def serve(self, sock: socket.socket, number: int) -> None:
        """Answers one connection's requests."""
        with sock, suppress(OSError), sock.makefile("rb") as stream:
            while True:
                if not stream.readline():
                    return
                lines = [line.decode().rstrip("\r\n") for line in iter(stream.readline, b"\r\n")]
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                request = Request(number, headers, stream.read(int(headers["content-length"])))
                self.requests.append(request)
                if not (self.steps.pop(0) if self.steps else self.usual or answer())(sock, request):
                    return


@contextmanager
def scripted_aws(certificate: ssl.SSLContext | None = None) -> Iterator[ScriptedAws]:
    """Such an AWS on a free port of loopback, with TLS if it is given a certificate."""
    listening = socket.create_server(("127.0.0.1", 0))
    aws = ScriptedAws(listening.getsockname()[1])

    def accept() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listening.accept()
                aws.connections += 1
                threading.Thread(target=serve, args=(sock, aws.connections), daemon=True).start()

    def serve(sock: socket.socket, number: int) -> None:
        with sock, suppress(OSError):
            aws.serve(certificate.wrap_socket(sock, server_side=True) if certificate else sock, number)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield aws
    finally:
        aws.over.set()
        listening.shutdown(socket.SHUT_RDWR)  # which ends the wait in `accept`
        listening.close()


def http(status: int = 200, body: bytes = b"{}", **headers: str) -> bytes:
    """An answer as it is on the wire; `Content_Length="…"` replaces what is right, "" leaves it out."""
    named = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value)
    return f"HTTP/1.1 {status} Any\r\n{lines}\r\n".encode() + body


def answer(status: int = 200, members: Any = None, **headers: str) -> Step:
    """A whole answer in JSON with its right checksum, after which the connection goes on."""
    body = json.dumps({} if members is None else members).encode()
    return sent(http(status, body, **{"x_amz_crc32": str(zlib.crc32(body)), **headers}))


def error(code: str, status: int = 400, /, **members: Any) -> Step:
    """A refusal as DynamoDB has it."""
    return answer(status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", **members})


def echo(sock: socket.socket, request: Request) -> bool:
    """Answers with what was asked."""
    sock.sendall(http(body=request.body))
    return True


def sent(data: bytes, *, closed: bool = False) -> Step:
    """These very bytes, and then the connection goes on or is closed."""

    def step(sock: socket.socket, _: Request) -> bool:
        sock.sendall(data)
        return not closed

    return step
