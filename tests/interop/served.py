"""Latchkey as clients find it that know nothing but its address."""

import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec

from app import app
from chalicelib.config import load
from chalicelib.domain.authentication.user_agent import UserAgent
from chalicelib.domain.oauth.client import CODE, REFRESH, Client
from chalicelib.flows.accounts import signup
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from local.gateway import Answer, Gateway
from local.ports import listen, url
from local.server import serving
from tests.interop.javascript import resident
from tests.interop.person import Person
from tests.support.aws import container, deploy
from tests.support.documented import check
from tests.support.forge import b64, jwk, stranger
from tests.support.internet import Internet, running
from tests.support.phone import PASSWORD, installed
from tests.support.strength import judged_once

API = "https://notes.example"
CALLBACK = "https://app.example/cb"
REGISTRATION_TOKEN = "an initial access token"
OF_USERS = ("openid", "profile", "email", "offline_access")
OF_THE_API = ("notes:read", "notes:write")


class Recording(Gateway):
    """A gateway that keeps every answer, to hold them all against the OpenAPI document in the end."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._answers: list[tuple[str, Answer]] = []

    def handle(self, method: str, target: str, *arguments: Any, **more: Any) -> Answer:
        """Answers one request, on the record."""
        answer = super().handle(method, target, *arguments, **more)
        self._answers.append((f"{method} {target.partition('?')[0]}", answer))
        return answer

    def check(self) -> None:
        """Asserts that every answer was one that the document describes."""
        document = super().handle("GET", "/openapi.json").json()
        for line, answer in self._answers:
            # What the gateway answers by itself is in no document: there is no such route, or it is a preflight.
            if answer.status != 404 and not line.startswith("OPTIONS "):
                check(document, line, answer)


@dataclass
class Served:
    """An issuer on loopback, the services behind it to register clients and users by, and the internet that it sees."""

    issuer: str
    svc: Services
    internet: Internet

    def client(self, method: str, **metadata: Any) -> dict[str, Any]:
        """A new client that authenticates by a method; gives what its developer knows of it."""
        key = {}
        if method == "private_key_jwt" and "jwks_uri" not in metadata:
            key = private_jwk()
            metadata["jwks"] = {"keys": [{name: value for name, value in key.items() if name != "d"}]}
        usual = {"scopes": (*OF_USERS, *OF_THE_API), "grant_types": (CODE, REFRESH), "redirect_uris": (CALLBACK,)}
        new_client = Client(**{"client_id": "", "token_endpoint_auth_method": method, **usual, **metadata})
        client, secret = manage.create(self.svc, new_client)
        return {
            "issuer": self.issuer,
            "client_id": client.client_id,
            "client_secret": secret,
            "key": key,
            "method": method,
            "redirect_uri": client.redirect_uris[0] if client.redirect_uris else "",
        }

    def person(self, decision: str = "allow") -> Person:
        """A new user at a new browser."""
        email = f"{uuid4().hex}@example.com"
        agent = UserAgent(network=email, language="en")
        signup.sign_up(self.svc, address=email, password=PASSWORD, name="Ann", agent=agent)
        return Person(self.issuer, email, decision)


def private_jwk() -> dict[str, str]:
    """A new ES256 key of a client's own, with its private half."""
    key = stranger("ES256")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    d = b64(key.private_numbers().private_value.to_bytes(32, "big"))
    return {**jwk(key), "d": d, "kid": "1", "alg": "ES256"}


def free_port() -> int:
    """A port of loopback that nobody has, for a peer that takes it by itself."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def latchkey(algorithm: str, files: Path, **more: str) -> Iterator[Served]:
    """Serves app.py on a free port, by the real clock, with tables and keys of its own and perhaps more settings."""
    own, listening = uuid4().hex, listen()
    settings = load(
        {
            "LATCHKEY_ISSUER": url(listening),
            "LATCHKEY_USERS_TABLE": f"users-{own}",
            "LATCHKEY_GRANTS_TABLE": f"grants-{own}",
            "LATCHKEY_OUTBOX_TABLE": f"outbox-{own}",
            "LATCHKEY_KEYS_PATH": f"/{own}/keys",
            "LATCHKEY_ALGORITHM": algorithm,
            "LATCHKEY_SCOPES": "account notes:read notes:write",
            "LATCHKEY_REGISTRATION_TOKEN_SHA256": hashlib.sha256(REGISTRATION_TOKEN.encode()).hexdigest(),
            "LATCHKEY_CLIENT_DOCUMENTS": "on",
            "LATCHKEY_APIS_FILE": str(files / "apis.json"),
            "LATCHKEY_JWKS_FILE": str(files / "jwks.json"),
            **more,
        }
    )
    deploy(settings)
    with running(files, "app.example", "wiki.example", "localhost") as internet:
        svc = replace(container(settings), fetch=internet.fetch())
        gateway = Recording(app)
        with installed(svc), judged_once(), serving(gateway, listening) as issuer, resident():
            yield Served(issuer, svc, internet)
            gateway.check()
