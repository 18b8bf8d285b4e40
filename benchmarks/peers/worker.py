"""A peer in its own environment: `python worker.py <folder> <scratch folder>` does what stdin asks for and says what it took.

A line of stdin is an operation and a number of times; the answer is the seconds of CPU that one serving took, the making
of the request and the reading of the answer left out. It imports nothing of the project's.
"""

import asyncio
import importlib
import io
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

Operation = Callable[[], None]


class Client:
    """Sends requests to an app in this process, and counts the CPU of the serving alone."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def post(self, path: str, *, form: Any = None, body: Any = None, bearer: str = "", basic: str = "") -> Any:
        """The parsed answer to a form or a JSON body, which must be a good one."""
        content = urlencode(form).encode() if form is not None else json.dumps(body).encode()
        kind = "application/x-www-form-urlencoded" if form is not None else "application/json"
        return self._sent("POST", path, content, {"content-type": kind, **_authorization(bearer, basic)})

    def get(self, path: str, *, bearer: str) -> Any:
        """The parsed answer to a request with a token."""
        return self._sent("GET", path, b"", _authorization(bearer, ""))

    def _sent(self, method: str, path: str, content: bytes, headers: Mapping[str, str]) -> Any:
        serve = self.prepared(method, path, content, headers)
        started = time.process_time()
        status, answer = serve()
        self.seconds += time.process_time() - started
        if status not in (200, 201):
            raise RuntimeError(f"{path}: {status} {answer[:2000]!r}")
        return json.loads(answer)

    def prepared(
        self, method: str, path: str, content: bytes, headers: Mapping[str, str]
    ) -> Callable[[], tuple[int, bytes]]:
        """What serves the request when it is called."""
        raise NotImplementedError


def _authorization(bearer: str, basic: str) -> dict[str, str]:
    value = f"Bearer {bearer}" if bearer else f"Basic {basic}"
    return {"authorization": value} if bearer or basic else {}


class Wsgi(Client):
    """Calls a WSGI app, as a server of one process does."""

    def __init__(self, app: Any) -> None:
        super().__init__()
        self._app = app

    def prepared(
        self, method: str, path: str, content: bytes, headers: Mapping[str, str]
    ) -> Callable[[], tuple[int, bytes]]:
        """The app's call."""
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "id.example",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.1",
            "HTTP_HOST": "id.example",
            "CONTENT_LENGTH": str(len(content)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(content),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in headers.items():
            environ["CONTENT_TYPE" if name == "content-type" else "HTTP_" + name.upper().replace("-", "_")] = value
        return lambda: self._serve(environ)

    def _serve(self, environ: dict[str, Any]) -> tuple[int, bytes]:
        status: list[int] = []
        parts = self._app(environ, lambda line, *_: status.append(int(line.split()[0])))
        try:
            return status[0], b"".join(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()


class Asgi(Client):
    """Calls an ASGI app on one event loop."""

    def __init__(self, app: Any) -> None:
        super().__init__()
        self._app = app
        self._loop = asyncio.new_event_loop()

    def prepared(
        self, method: str, path: str, content: bytes, headers: Mapping[str, str]
    ) -> Callable[[], tuple[int, bytes]]:
        """The app's call, until it is done."""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"id.example"), *((k.encode(), v.encode()) for k, v in headers.items())],
            "client": ("192.0.2.1", 50000),
            "server": ("id.example", 443),
        }
        return lambda: self._loop.run_until_complete(self._serve(scope, content))

    async def _serve(self, scope: dict[str, Any], content: bytes) -> tuple[int, bytes]:
        messages: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            messages.append(message)

        await self._app(scope, receive, send)
        return messages[0]["status"], b"".join(message.get("body", b"") for message in messages)


def main(folder: str, scratch: str) -> None:
    """Serve until stdin ends."""
    sys.path.insert(0, folder)
    client, operations = importlib.import_module("server").make(scratch)
    print("ready", flush=True)
    for line in sys.stdin:
        name, times = line.split()
        client.seconds = 0.0
        for _ in range(int(times)):
            operations[name]()
        print(client.seconds / int(times), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
