"""Keycloak's own distribution over HTTP: the whole process, in development mode on its H2, warmed first.

Passwords are hashed by one PBKDF2 iteration, and refresh tokens rotate. It takes a minute to start.
"""

import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks import environments
from benchmarks.peers.processes import Connection, HttpServer, Process, started, wait_for_port
from local import ports

ARTIFACT = "org.keycloak:keycloak-quarkus-dist:26.4.7"
START_SECONDS, WARM, USERS = 300, 100, 40
PASSWORD = "correct horse battery staple"
CLIENT = {"client_id": "bench", "client_secret": "bridges-and-harbours"}
PROTOCOL = "/realms/bench/protocol/openid-connect"
REALM = {
    "realm": "bench",
    "enabled": True,
    "sslRequired": "none",
    "accessTokenLifespan": 3600,
    "passwordPolicy": "hashAlgorithm(pbkdf2-sha256) and hashIterations(1)",
    "revokeRefreshToken": True,
    "clients": [
        {
            "clientId": CLIENT["client_id"],
            "secret": CLIENT["client_secret"],
            "serviceAccountsEnabled": True,
            "directAccessGrantsEnabled": True,
            "standardFlowEnabled": False,
        }
    ],
    "users": [
        {
            "username": f"ann{number}",
            "email": f"ann{number}@example.com",
            "firstName": "Ann",
            "lastName": "Bee",
            "enabled": True,
            "emailVerified": True,
            "credentials": [{"type": "password", "value": PASSWORD}],
        }
        for number in range(USERS)
    ],
}


@contextmanager
def running(folder: Path) -> Iterator[Process]:
    """Have it for the length of a `with` block."""
    java = environments.program("java")
    home = environments.maven(ARTIFACT, inside="keycloak-26.4.7")
    realm = home / "data" / "import" / "bench-realm.json"
    realm.parent.mkdir(parents=True, exist_ok=True)
    realm.write_text(json.dumps(REALM))
    port = _free_port()
    options = ("start-dev", "--import-realm", "--http-host=127.0.0.1", f"--http-port={port}", "--db=dev-mem")
    with started("sh", home / "bin" / "kc.sh", *options, folder=folder) as process:
        wait_for_port(port, process, seconds=START_SECONDS)
        flows = Flows(port)
        yield HttpServer(_java(process.pid, java), flows.operations())


def _free_port() -> int:
    with closing(ports.listen()) as listening:
        return int(listening.getsockname()[1])


def _java(pid: int, java: str) -> int:
    """The process that does the work: the script's own, or its child."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    by_name = {os.path.realpath(f"/proc/{each}/exe"): int(each) for each in (str(pid), *children)}
    return by_name[os.path.realpath(java)]


class Flows:
    """What is asked of it, after so much of it that the compiler has been at it."""

    def __init__(self, port: int) -> None:
        self._server = Connection(port, {"Host": f"127.0.0.1:{port}"})
        self._numbers = count()
        self._refresh_token = self.login()["refresh_token"]
        self._access_token = self.client_credentials()["access_token"]
        for operation in self.operations().values():
            for _ in range(WARM):
                operation()

    def operations(self) -> dict[str, Any]:
        """By the names that all peers have for them."""
        return {
            "login": self.login,
            "refresh": self.refresh,
            "client_credentials": self.client_credentials,
            "introspect": self.introspect,
            "jwks": lambda: self._server.get(f"{PROTOCOL}/certs"),
        }

    def login(self) -> Any:
        """A login of one of the users, by the password grant."""
        user = f"ann{next(self._numbers) % USERS}"
        return self._token(grant_type="password", username=user, password=PASSWORD)

    def refresh(self) -> None:
        """The next refresh of the one session."""
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        self._refresh_token = self._token(**form)["refresh_token"]

    def client_credentials(self) -> Any:
        """A machine's token."""
        return self._token(grant_type="client_credentials")

    def introspect(self) -> None:
        """A machine's token, which is a JWT."""
        assert self._server.post(f"{PROTOCOL}/token/introspect", token=self._access_token, **CLIENT)["active"]

    def _token(self, **form: str) -> Any:
        return self._server.post(f"{PROTOCOL}/token", **form, **CLIENT)
