"""What can stand behind a gateway that is not in its process: somebody's Chalice app, or any HTTP server."""

import atexit
import base64
import http.client
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from chalice.app import Authorizer, Chalice, CORSConfig, CustomAuthorizer

from deploy.local_state import OURS
from local.authorizers import DEFAULT_TTL_SECONDS, Handler
from local.function import LAMBDA_MILLISECONDS

FUNCTION = Path(__file__).with_name("function.py")
STOP_SECONDS = 5.0
GUARD_URI = "the guard beside it"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# Of the connection, or said anew; RFC 9110 7.6.1.
HOP_BY_HOP = {
    *("connection", "content-length", "expect", "host", "keep-alive", "proxy-authenticate", "proxy-authorization"),
    *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
}
# The claims that the guard read in the token go under it, to a server that has no requestContext.
HEADER_PREFIX = "X-Latchkey-"


class CannotIntegrateError(Exception):
    """The app does not start, or asks for something that is not there; the message says what."""


class Function(Chalice):
    """A Chalice app in a process of its own; its routes are known here, and calls of them go there."""

    def __init__(self, folder: Path, *, shell: Mapping[str, str]) -> None:
        self.own_authorizers: dict[str, Handler] = {}
        self._pending: dict[int, Future[Any]] = {}
        self._numbers = itertools.count()
        self._turn = threading.Lock()
        self._stopping = False
        reading, writing = os.pipe()
        self._process = subprocess.Popen(
            [python_of(folder), FUNCTION, folder, str(writing)],
            cwd=folder,
            env=environment_of(folder, shell=shell),
            stdin=subprocess.PIPE,
            pass_fds=[writing],
            text=True,
        )
        os.close(writing)
        atexit.register(self.stop)
        self._answers = os.fdopen(reading)
        described = self._answers.readline()
        if not described:
            raise CannotIntegrateError(f"{folder / 'app.py'} cannot be imported, see above")
        self._take(json.loads(described))
        threading.Thread(target=self._listen, daemon=True).start()

    def _take(self, described: Mapping[str, Any]) -> None:
        super().__init__(described["name"])
        self.api.binary_types = described["binary_types"]
        known: dict[str, Authorizer] = {}
        for route in described["routes"]:
            named = route["authorizer"]
            declare = self.route(
                route["path"],
                methods=[route["method"]],
                authorizer=named and known.setdefault(named["name"], self._authorizer(**named)),
                cors=route["cors"] and _Cors(route["cors"]),
                api_key_required=route["api_key"],
            )
            declare(lambda: None)

    def _authorizer(self, *, kind: str, name: str, ttl: int | None = None, header: str = "") -> Authorizer:
        if kind == "own":
            self.own_authorizers[name] = lambda event, _context: self.invoke(event, function=name)
        elif kind != "custom":
            raise CannotIntegrateError(f"the authorizer {name} is a {kind}, which only AWS can ask")
        ttl_seconds = DEFAULT_TTL_SECONDS if ttl is None else ttl
        return CustomAuthorizer(name, authorizer_uri=GUARD_URI, ttl_seconds=ttl_seconds, header=header)

    def __call__(self, event: Any, _context: Any) -> Any:
        """Have the app answer a request."""
        return self.invoke(event)

    def invoke(self, event: Any, *, function: str = "") -> Any:
        """Have the app, or an authorizer of its own, answer an event; raise what it raised."""
        number, answer = next(self._numbers), Future[Any]()
        self._pending[number] = answer
        with self._turn:
            assert self._process.stdin is not None  # noqa: S101 - for the type checker: it was asked for
            print(
                json.dumps({"id": number, "function": function, "event": event}), file=self._process.stdin, flush=True
            )
        reply = answer.result(LAMBDA_MILLISECONDS / 1000)
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply["answer"]

    def _listen(self) -> None:
        for line in self._answers:
            reply = json.loads(line)
            self._pending.pop(reply["id"]).set_result(reply)
        if not self._stopping:  # the app has ended, and this gateway with it: whoever started it starts both anew
            os.kill(os.getpid(), signal.SIGTERM)

    def stop(self) -> None:
        """End the app's process."""
        self._stopping = True
        assert self._process.stdin is not None  # noqa: S101 - as above
        self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class _Cors(CORSConfig):
    """An app's own headers for a preflight, as it told them."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__()
        self._headers = headers

    def get_access_control_headers(self) -> dict[str, str]:
        """Return them."""
        return self._headers


def python_of(folder: Path) -> Path:
    """Return the Python of the app's own environment, or ours where it has none beside it."""
    own = (folder / name / "bin" / "python" for name in (".venv", "venv"))
    return next((python for python in own if python.exists()), Path(sys.executable))


def environment_of(folder: Path, *, shell: Mapping[str, str]) -> dict[str, str]:
    """Return what the app runs with: the developer's own shell, its stage `dev`, and a guard's URI."""
    file = folder / ".chalice" / "config.json"
    config = json.loads(file.read_text()) if file.exists() else {}
    stage = config.get("stages", {}).get("dev", {})
    function = stage.get("lambda_functions", {}).get("api_handler", {})
    declared = [part.get("environment_variables", {}) for part in (config, stage, function)]
    neutral = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    merged = {name: value for part in declared for name, value in part.items()}
    return {**neutral, **shell, **merged, "LATCHKEY_GUARD_URI": GUARD_URI}


class Upstream(Chalice):
    """An HTTP server behind the routes of a scope map, as an API's HTTP proxy integration reaches it."""

    def __init__(self, name: str, url: str, *, guarded: Iterable[str], public: Iterable[str]) -> None:
        super().__init__(name)
        self.api.binary_types = ["*/*"]
        self._place = urlsplit(url)
        guard = CustomAuthorizer("latchkey", authorizer_uri=GUARD_URI)
        lines = [(line, guard) for line in guarded] + [(line, None) for line in public]
        for line, authorizer in sorted(lines, key=lambda each: each[0].startswith("ANY ")):
            method, _, path = line.partition(" ")
            left = [each for each in METHODS if each not in self.routes.get(path, {})]
            self.route(path, methods=left if method == "ANY" else [method], authorizer=authorizer)(lambda: None)
        for path in list(self.routes):
            if "OPTIONS" not in self.routes[path]:  # a preflight has no token to show
                self.route(path, methods=["OPTIONS"])(lambda: None)

    def __call__(self, event: Any, _context: Any) -> Any:
        """Ask the server what was asked here, if it cannot take that for another route's."""
        if {".", ".."} & set(re.split(r"[/\\]", unquote(event["path"]))):
            return {"statusCode": 400, "body": json.dumps({"error": "invalid_request"})}
        connection = self._connect()
        try:
            target = self._place.path.rstrip("/") + event["path"]
            if query := event["multiValueQueryStringParameters"]:
                target += "?" + urlencode(query, doseq=True)
            connection.putrequest(event["httpMethod"], target, skip_accept_encoding=True)
            body = base64.b64decode(event["body"] or "")
            for name, value in (*_passed_on(event), *_context_headers(event)):
                connection.putheader(name, value)
            if body or event["httpMethod"] in {"POST", "PUT", "PATCH"}:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            return _answer(connection.getresponse())
        except OSError as error:
            raise RuntimeError(f"{self._place.geturl()} does not answer: {error}") from None
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        kinds: dict[str, Callable[..., http.client.HTTPConnection]] = {
            "http": http.client.HTTPConnection,
            "https": http.client.HTTPSConnection,
        }
        return kinds[self._place.scheme](self._place.netloc, timeout=LAMBDA_MILLISECONDS / 1000)


def _passed_on(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The caller's headers, less those that are of its connection and those that only the guard may say."""
    return [
        (name, value)
        for name, values in event["multiValueHeaders"].items()
        if name.lower() not in HOP_BY_HOP and not _normal(name).startswith(_normal(HEADER_PREFIX))
        for value in values
    ]


def _normal(name: str) -> str:
    """Many a server takes `_` and `-` in a header's name for the same, some whatever is neither letter nor digit."""
    return re.sub("[^a-z0-9]", "-", name.lower())


def _context_headers(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    context: dict[str, str] = event["requestContext"].get("authorizer") or {}
    return [(HEADER_PREFIX + name.replace("_", "-").title(), value) for name, value in context.items()]


def _answer(answer: http.client.HTTPResponse) -> dict[str, Any]:
    headers: dict[str, list[str]] = {}
    for name, value in answer.getheaders():
        if name.lower() not in HOP_BY_HOP:
            headers.setdefault(name, []).append(value)
    body = base64.b64encode(answer.read()).decode()
    return {"statusCode": answer.status, "multiValueHeaders": headers, "body": body, "isBase64Encoded": True}
