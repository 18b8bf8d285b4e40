"""A client of the public endpoints, as a phone would be one; every test of an endpoint comes through here."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import chalicelib.services
from app import app
from chalicelib.config import Settings, load
from chalicelib.flows.platform import keys
from chalicelib.guard import functions as guard
from chalicelib.guard.verifier import Guard
from chalicelib.services import Services
from local.gateway import Answer, Gateway
from tests.support.aws import deploy

EMAIL = "ann@example.com"
PASSWORD = "correct horse battery staple"
# What is fetched for nobody in particular counts against this network, from which no phone calls.
NETWORK = "192.0.2.9"


@dataclass
class Clock:
    """Seconds since 1970, moved by hand."""

    seconds: int = 1_800_000_000

    def __call__(self) -> int:
        return self.seconds

    def advance(self, seconds: int) -> None:
        """Lets time pass."""
        self.seconds += seconds


def deployed(**more: str) -> Settings:
    """Settings of a new deployment, its tables made and its keys to be: ES256, for those are made at once."""
    own = uuid4().hex
    settings = load(
        {
            "LATCHKEY_ISSUER": "https://id.example",
            "LATCHKEY_USERS_TABLE": f"users-{own}",
            "LATCHKEY_GRANTS_TABLE": f"grants-{own}",
            "LATCHKEY_OUTBOX_TABLE": f"outbox-{own}",
            "LATCHKEY_KEYS_PATH": f"/{own}/keys",
            "LATCHKEY_ALGORITHM": "ES256",
            "LATCHKEY_SCOPES": "account notes:read notes:write",
            **more,
        }
    )
    deploy(settings)
    return settings


@contextmanager
def installed(svc: Services) -> Iterator[None]:
    """Makes these the services, and a guard on their keys the guard, of this process."""
    chalicelib.services.use(svc)
    guard.use(
        Guard(
            svc.settings,
            fetch=lambda _: keys.published(svc),
            in_force=guard._in_force,
            now=svc.now,
        )
    )
    yield
    chalicelib.services._of_this_container.clear()
    guard._of_this_container.clear()


class Phone:
    """Calls the app through the gateway, from one address."""

    def __init__(self, clock: Clock, *, address: str = "198.51.100.7") -> None:
        self.gateway = Gateway(app, now=clock)
        self.address = address

    def call(
        self,
        line: str,
        body: object = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        raw: bytes | None = None,
    ) -> Answer:
        """One request, `"METHOD /path"`; a `raw` body goes out as it is."""
        method, _, path = line.partition(" ")
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        if token is not None:
            pairs.append(("Authorization", f"Bearer {token}"))
        if raw is None:
            raw = b"" if body is None else json.dumps(body).encode()
        if raw and not any(name.lower() == "content-type" for name, _ in pairs):
            pairs.append(("Content-Type", "application/json"))
        return self.gateway.handle(method, path, pairs, raw, source_ip=self.address)

    def sign_up(self, email: str = EMAIL, password: str = PASSWORD, **fields: Any) -> dict[str, Any]:
        """The answer to a sign-up that must succeed."""
        return self._expect(201, "POST /signup", {"email": email, "password": password, **fields})

    def log_in(self, email: str = EMAIL, password: str = PASSWORD, **fields: Any) -> dict[str, Any]:
        """The answer to a login that must succeed."""
        return self._expect(200, "POST /login", {"email": email, "password": password, **fields})

    def refresh(self, refresh_token: str, **fields: Any) -> dict[str, Any]:
        """The answer to a refresh that must succeed."""
        return self._expect(200, "POST /refresh", {"refresh_token": refresh_token, **fields})

    def _expect(self, status: int, line: str, body: object) -> dict[str, Any]:
        answer = self.call(line, body)
        assert answer.status == status, (answer.status, answer.body)
        tokens: dict[str, Any] = answer.json()
        return tokens


def refusal(answer: Answer) -> tuple[int, str]:
    """Status and error code of a refusal, after checking that it has the one error shape."""
    body = answer.json()
    # A 403 of the gateway's own says which scopes to ask for.
    own = {"insufficient_scope": {"scope"}, "weak_password": {"rule"}}.get(body["error"], set())
    assert {"error", "error_description"} <= set(body) <= {"error", "error_description"} | own, body
    challenged = answer.header("WWW-Authenticate") is not None
    assert challenged if answer.status == 401 else answer.status == 403 or not challenged  # RFC 6750 section 3
    assert answer.status not in (429, 503) or int(answer.header("Retry-After") or 0) > 0
    return answer.status, body["error"]
