"""The service as Lambda runs it, from event to answer, log line and all, and the same work by bare libraries.

The calls go to the embedded AWS: it is another process, whose time is not counted, and its answers are real. With moto in
this process its own work, ten times ours, would drown the difference. The password hash is the cheapest there is.
"""

import json
import uuid
from collections.abc import Mapping
from itertools import count
from time import process_time
from typing import Any
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from app import app
from benchmarks.routes import event
from chalicelib.domain.accounts import passwords
from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, Client
from chalicelib.flows.clients import manage
from chalicelib.flows.platform import keys
from chalicelib.guard.events import policy
from chalicelib.guard.verifier import Guard
from chalicelib.services import Services

ACCOUNTS = 40
PASSWORD = "correct horse battery staple"
ARN = "arn:aws:execute-api:eu-central-1:123456789012:own/api/GET/me"

Call = tuple[str, dict[str, Any]]


class Ours:
    """Does the work, counts its CPU in `seconds` (from event to answer), and notes its calls, to be made again without it."""

    def __init__(self, svc: Services) -> None:
        self._svc = svc
        self.seconds = 0.0
        self._noted: list[list[Call]] = []
        self._numbers = count()
        self._accounts = [self._sign_up() for _ in range(ACCOUNTS)]
        _, self._refresh_token, self.access_token = self._accounts[0]
        signer = keys.current(svc).signer(svc.now())
        assert isinstance(signer.private, rsa.RSAPrivateKey)
        self._private, self._public = signer.private, signer.private.public_key()
        self._headers = {"kid": signer.kid, "typ": "at+jwt"}
        self._claims = jwt.decode(self.access_token, options={"verify_signature": False})
        signed, _, signature = self.access_token.rpartition(".")
        self._signed, self._signature = signed.encode(), jwt.utils.base64url_decode(signature)
        self._password_hash = passwords.hash_password(PASSWORD, profile=svc.hashing)
        self._machine, self._resource_server = self._register(introspects=False), self._register(introspects=True)
        self._guard = Guard(svc.settings, fetch=lambda _: keys.published(svc), in_force=lambda claims: claims)
        self.transport = svc.users._client.transport
        svc.users._client.transport = self._note

    def login(self) -> None:
        """One login of one of the accounts, from a network of its own."""
        address, _, _ = self._accounts[next(self._numbers) % ACCOUNTS]
        self._json("/login", {"email": address, "password": PASSWORD})

    def refresh(self) -> None:
        """The next refresh of one session."""
        self._refresh_token = self._json("/refresh", {"refresh_token": self._refresh_token})["refresh_token"]

    def client_credentials(self) -> None:
        """One token for a machine that authenticates with its secret."""
        self._form("/oauth/token", self._machine | {"grant_type": CLIENT_CREDENTIALS})

    def introspect(self) -> None:
        """A user's access token, by an API that authenticates with its secret."""
        assert self._form("/oauth/introspect", self._resource_server | {"token": self.access_token})["active"]

    def verify(self) -> None:
        """A request that API Gateway has no cached policy for, at the guard of an API that trusts the token till it expires."""
        started = process_time()
        base, api = self._guard.api(ARN, unknown_is_ours=True)
        assert policy(self._guard, base, api, arn=ARN, authorization=f"Bearer {self.access_token}")
        self.seconds += process_time() - started

    def jwks(self) -> None:
        """The key set."""
        self._answer("GET", "/.well-known/jwks.json")

    def take_calls(self) -> list[list[Call]]:
        """The calls of each request since this was last asked."""
        calls, self._noted = self._noted, []
        return calls

    def elsewhere(self, calls: list[list[Call]], account: int) -> list[list[Call]]:
        """Calls with the rows of another account in the place of the first one's: a second refresh of one would be a reuse."""
        text = json.dumps(calls)
        for own, other in zip(self._session(0), self._session(account), strict=True):
            text = text.replace(own, other)
        replaced: list[list[Call]] = json.loads(text)
        for _, request in (call for each in replaced for call in each):
            if "ClientRequestToken" in request:
                request["ClientRequestToken"] = uuid.uuid4().hex  # by its old one it would be known as written
        return replaced

    def check_password(self) -> None:
        """The cheapest hash there is, which is part of a login here."""
        assert passwords.verify_password(PASSWORD, stored=self._password_hash)

    def encode(self) -> object:
        """One access token."""
        return jwt.encode(self._claims, self._private, algorithm="RS256", headers=self._headers)

    def decode(self) -> object:
        """One access token, as an API would with PyJWT alone."""
        issuer = self._svc.settings.issuer
        return jwt.decode(self.access_token, self._public, algorithms=["RS256"], audience=issuer, issuer=issuer)

    def sign(self) -> object:
        """The signature of an access token."""
        return self._private.sign(b"." * 800, padding.PKCS1v15(), hashes.SHA256())

    def verify_signature(self) -> None:
        """The check of one."""
        self._public.verify(self._signature, self._signed, padding.PKCS1v15(), hashes.SHA256())

    def _note(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        self._noted[-1].append((operation, dict(request)))
        return self.transport(operation, request)

    def _session(self, number: int) -> tuple[str, str]:
        claims = jwt.decode(self._accounts[number][2], options={"verify_signature": False})
        return claims["sub"], claims["sid"]

    def _sign_up(self) -> tuple[str, str, str]:
        address = f"{uuid.uuid4().hex}@example.com"
        answer = self._json("/signup", {"email": address, "password": PASSWORD})
        return address, answer["refresh_token"], answer["access_token"]

    def _register(self, *, introspects: bool) -> dict[str, str]:
        machine = Client(
            client_id="",
            token_endpoint_auth_method="client_secret_post",
            grant_types=(CLIENT_CREDENTIALS,),
            scopes=("notes:read", "notes:write"),
            introspects=introspects,
        )
        client, secret = manage.create(self._svc, machine)
        return {"client_id": client.client_id, "client_secret": secret}

    def _form(self, path: str, fields: Mapping[str, str]) -> Any:
        return self._answer("POST", path, form=urlencode(fields))

    def _json(self, path: str, body: object) -> Any:
        return self._answer("POST", path, body=body)

    def _answer(self, method: str, path: str, **content: Any) -> Any:
        number = next(self._numbers)
        request = event(method, path, network=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", **content)
        self._noted.append([])
        started = process_time()
        answer = app(request, None)
        self.seconds += process_time() - started
        assert answer["statusCode"] in (200, 201), answer
        return json.loads(answer["body"])
