"""Login, refresh and a machine's token request as Lambda runs them, from event to answer, against one `jwt.encode` and the
same calls by a bare client.

The calls go to the embedded AWS: it is another process, whose time is not counted, and its answers are real. With moto in
this process its own work, ten times ours, would drown the difference. The password hash is the cheapest there is.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from itertools import count
from os import devnull, environ
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

import boto3
import jwt

from app import app
from benchmarks.rounds import Comparison, compared
from benchmarks.routes import event
from chalicelib import config, services
from chalicelib.domain.accounts.passwords import CHEAPEST_ONLY_FOR_TESTS
from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, Client
from chalicelib.flows.clients import manage
from chalicelib.flows.platform import keys
from chalicelib.services import Services
from chalicelib.store import tables
from chalicelib.store.aws.boto3_transport import boto3_transport
from local import aws

AT_MOST = 1.3
ACCOUNTS, CALLS, ROUNDS = 40, 8, 41
PASSWORD = "correct horse battery staple"

Call = tuple[str, dict[str, Any]]


def measure() -> Iterator[Comparison]:
    """Login, then refresh, then client_credentials."""
    with _deployment() as svc, Path(devnull).open("w") as nowhere:
        with redirect_stdout(nowhere):  # where the log lines go; making them is part of the work
            bench = Bench(svc)
        for name, work in (
            ("login without the hash", bench.login),
            ("refresh", bench.refresh),
            ("client_credentials", bench.client_credentials),
        ):
            with redirect_stdout(nowhere):
                bench.prepare(work)
                comparison = compared(name, work, bench.replay, at_most=AT_MOST, calls=CALLS, rounds=ROUNDS)
            yield comparison


@contextmanager
def _deployment() -> Iterator[Services]:
    before = dict(environ)
    with TemporaryDirectory() as folder, aws.running(state=Path(folder)) as cloud:
        environ.update(cloud.environment())
        svc = services.build(config.load({"LATCHKEY_ISSUER": "https://id.example"}), hashing=CHEAPEST_ONLY_FOR_TESTS)
        tables.ensure(boto3.client("dynamodb"), **svc.settings.tables)
        keys.ensure(svc)
        services.use(svc)
        yield svc
    environ.clear()
    environ.update(before)


class Bench:
    """Does the work while noting its calls, and does the noted calls again, bare, on rows of their own."""

    def __init__(self, svc: Services) -> None:
        self._svc = svc
        self._bare = boto3_transport("dynamodb")
        self._noted: list[list[Call]] = []
        self._numbers = count()
        self._accounts = [self._sign_up() for _ in range(ACCOUNTS)]
        self._refresh_token = self._accounts[0][1]
        signer = keys.current(svc).signer(svc.now())
        self._key, self._algorithm, self._headers = (
            signer.private,
            signer.algorithm,
            {"kid": signer.kid, "typ": "at+jwt"},
        )
        self._claims = jwt.decode(self._accounts[0][2], options={"verify_signature": False})
        self._machine = self._register()
        self._twins = list(zip(self._session(0), self._session(1), strict=True))
        self._send = svc.users._client.transport
        svc.users._client.transport = self._note

    def prepare(self, work: Callable[[], None]) -> None:
        """Does as much unmeasured work as one round needs, so that its repetition can go first."""
        self._noted.clear()
        for _ in range(CALLS):
            work()

    def login(self) -> None:
        """One login of one of the accounts, from a network of its own."""
        address, _, _ = self._accounts[next(self._numbers) % ACCOUNTS]
        self._noted.append([])
        self._answer("POST", "/login", {"email": address, "password": PASSWORD})

    def refresh(self) -> None:
        """The next refresh of one session."""
        self._noted.append([])
        self._refresh_token = self._answer("POST", "/refresh", {"refresh_token": self._refresh_token})["refresh_token"]

    def client_credentials(self) -> None:
        """One token for a machine that authenticates with its secret."""
        self._noted.append([])
        answer = app(event("POST", "/oauth/token", form=self._machine), None)
        assert answer["statusCode"] == 200, answer

    def replay(self) -> None:
        """Signs a token, and makes the calls of one piece of work that was done, without the work."""
        jwt.encode(self._claims, self._key, algorithm=self._algorithm, headers=self._headers)
        for name, parameters in self._noted.pop(0):
            self._bare(name, parameters)

    def _note(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        self._noted[-1].append((operation, self._elsewhere(request)))
        return self._send(operation, request)

    def _elsewhere(self, params: Mapping[str, Any]) -> dict[str, Any]:
        # A second refresh of the same row would be a reuse: the repetition keeps a row of its own, in step.
        text = json.dumps(params)
        for ours, theirs in self._twins:
            text = text.replace(ours, theirs)
        replaced: dict[str, Any] = json.loads(text)
        return replaced

    def _session(self, number: int) -> tuple[str, str]:
        claims = jwt.decode(self._accounts[number][2], options={"verify_signature": False})
        return claims["sub"], claims["sid"]

    def _sign_up(self) -> tuple[str, str, str]:
        address = f"{uuid.uuid4().hex}@example.com"
        answer = self._answer("POST", "/signup", {"email": address, "password": PASSWORD})
        return address, answer["refresh_token"], answer["access_token"]

    def _register(self) -> str:
        machine = Client(
            client_id="",
            token_endpoint_auth_method="client_secret_post",
            grant_types=(CLIENT_CREDENTIALS,),
            scopes=("notes:read", "notes:write"),
        )
        client, secret = manage.create(self._svc, machine)
        fields = {"grant_type": CLIENT_CREDENTIALS, "client_id": client.client_id, "client_secret": secret}
        return urlencode(fields)

    def _answer(self, method: str, path: str, body: object) -> Any:
        network = next(self._numbers)
        answer = app(
            event(method, path, body, network=f"10.{network >> 16}.{network >> 8 & 255}.{network & 255}"), None
        )
        assert answer["statusCode"] in (200, 201), answer
        return json.loads(answer["body"])
