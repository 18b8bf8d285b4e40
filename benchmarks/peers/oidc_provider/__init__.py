"""npm oidc-provider over HTTP: the whole process, for it has no app without its server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import environments
from benchmarks.peers.processes import Connection, HttpServer, Process, first_line, started

CLIENT = {"client_id": "bench", "client_secret": "bridges-and-harbours"}
API = "https://api.example"


@contextmanager
def running(folder: Path) -> Iterator[Process]:
    """Have it for the length of a `with` block."""
    program = environments.node("peers/oidc_provider") / "server.js"
    with started(environments.program("node"), program, folder=folder) as process:
        hello = json.loads(first_line(process))
        yield HttpServer(process.pid, Flows(hello).operations())


class Flows:
    """What is asked of it, and the tokens that this needs."""

    def __init__(self, hello: dict[str, Any]) -> None:
        self._server = Connection(hello["port"], {"Host": "id.example", "X-Forwarded-Proto": "https"})
        self._refresh_token = hello["refresh_token"]
        self._opaque = self._token("opaque")["access_token"]

    def operations(self) -> dict[str, Any]:
        """By the names that all peers have for them."""
        return {
            "refresh": self.refresh,
            "client_credentials": lambda: self._token("jwt"),
            "introspect": self.introspect,
            "jwks": lambda: self._server.get("/jwks"),
        }

    def refresh(self) -> None:
        """The next refresh of the one session."""
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        self._refresh_token = self._server.post("/token", **form, **CLIENT)["refresh_token"]

    def introspect(self) -> None:
        """Its own kind of token: it does not introspect JWTs."""
        assert self._server.post("/token/introspection", token=self._opaque, **CLIENT)["active"]

    def _token(self, form: str) -> Any:
        grant = {"grant_type": "client_credentials", "scope": "read", "resource": f"{API}/{form}"}
        return self._server.post("/token", **grant, **CLIENT)
