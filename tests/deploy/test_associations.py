"""What apps and other websites look for at the root of a host is asked for as they ask, and missed as they miss it."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from chalicelib.config import load
from deploy import associations

FINGERPRINT = ":".join(["14", "6D", *["AB"] * 30])
SETTINGS = {
    "LATCHKEY_APPLE_APPS": "A1B2C3D4E5.com.example.app",
    "LATCHKEY_ANDROID_APPS": f"com.example.app={FINGERPRINT}",
    "LATCHKEY_PASSKEY_ORIGINS": "https://garden.example",
}


class Root(ThreadingHTTPServer):
    """The root of a host, with whatever a test puts there: path → (status, headers, body)."""

    files: dict[str, tuple[int, dict[str, str], bytes]]


class _Handler(BaseHTTPRequestHandler):
    server: Root

    def do_GET(self) -> None:
        status, headers, body = self.server.files.get(self.path, (404, {}, b"{}"))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def root() -> Iterator[Root]:
    server = Root(("127.0.0.1", 0), _Handler)
    server.files = {}
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def settings(root: Root, **more: str) -> Any:
    return load({"LATCHKEY_ISSUER": f"http://127.0.0.1:{root.server_port}/api", **more})


def served(document: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(document).encode()


def test_what_is_at_the_root_of_the_host_is_all_there_has_to_be(root: Root) -> None:
    there = associations.expected(settings(root, **SETTINGS))
    assert len(there) == 3
    for address, document in there.items():
        root.files["/" + address.split("/", 3)[3]] = served(document)
    assert associations.problems(settings(root, **SETTINGS)) == []


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ((404, {}, b"{}"), "answers 404"),
        ((302, {"Location": "/elsewhere"}, b"{}"), "answers 302"),
        ((200, {"Content-Type": "text/html"}, b'{"origins": ["https://garden.example"]}'), "has the type text/html"),
        ((200, {"Content-Type": "application/json"}, b'{"origins": []}'), "has something else"),
        ((200, {"Content-Type": "text/html"}, b"<html>"), "cannot be read: "),
    ],
)
def test_what_is_missing_is_reported_with_what_has_to_be_there(
    root: Root, file: tuple[int, dict[str, str], bytes], problem: str
) -> None:
    root.files = {
        "/.well-known/webauthn": file,
        "/elsewhere": served({"origins": ["https://garden.example"]}),
    }
    (text,) = associations.problems(settings(root, LATCHKEY_PASSKEY_ORIGINS="https://garden.example"))
    assert text.startswith(f"http://127.0.0.1:{root.server_port}/.well-known/webauthn {problem}")
    assert json.loads(text.partition("\n")[2]) == {"origins": ["https://garden.example"]}


def test_where_nothing_is_configured_nothing_is_asked_for(root: Root) -> None:
    assert associations.problems(settings(root)) == []
