"""Clients that log a user in by password and factors, each with its own endpoints and words for the same steps."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import CHALLENGE, App, register, token_response
from tests.support.phone import EMAIL, PASSWORD, Phone

CHALLENGE_PATH = "/oauth/authorize-challenge"
REQUEST = {
    "response_type": "code",
    "scope": "openid notes:read",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@dataclass
class LoginClient(ABC):
    """A client of one login flow, and how its endpoints say that an answer is wrong, or that a login is over."""

    svc: Services
    phone: Phone
    wrong: tuple[int, str]
    over: tuple[int, str]
    member: str

    @abstractmethod
    def password(self, email: str = EMAIL, password: str = PASSWORD) -> Answer:
        """The first step."""

    @abstractmethod
    def prove(self, token: str, factor: str, answer: str) -> Answer:
        """Another step."""

    @abstractmethod
    def challenge(self, token: str, factor: str) -> dict[str, Any]:
        """What is to be shown for a factor; empty where that is refused."""

    @abstractmethod
    def begin_passkey(self, **request: str) -> Answer:
        """The first step of a login without a user name."""

    @abstractmethod
    def access_token(self, answer: Answer) -> str:
        """The access token after a last step that must have succeeded."""

    def token(self, answer: Answer) -> str:
        """What carries the login on, of an answer that asks for one proof more."""
        token: str = answer.json()[self.member]
        assert self.error(answer) == self.more, answer.body
        return token

    @property
    @abstractmethod
    def more(self) -> tuple[int, str]:
        """How it says that one more proof is needed."""

    def error(self, answer: Answer) -> tuple[int, str]:
        """Status and error code."""
        assert answer.header("Cache-Control") == "no-store"
        return answer.status, answer.json()["error"]


class Json(LoginClient):
    """POST /login."""

    more = (401, "mfa_required")

    def password(self, email: str = EMAIL, password: str = PASSWORD) -> Answer:
        return self.phone.call("POST /login", {"email": email, "password": password})

    def begin_passkey(self, **request: str) -> Answer:
        return self.phone.call("POST /login/passkey", request)

    def prove(self, token: str, factor: str, answer: str) -> Answer:
        return self.phone.call("POST /login/proof", {"mfa_token": token, "factor": factor, "answer": answer})

    def challenge(self, token: str, factor: str) -> dict[str, Any]:
        answer = self.phone.call("POST /login/challenge", {"mfa_token": token, "factor": factor})
        challenge: dict[str, Any] = answer.json().get("challenge", {})
        return challenge

    def access_token(self, answer: Answer) -> str:
        access_token: str = token_response(answer)["access_token"]
        return access_token


class FirstParty(LoginClient):
    """The authorization challenge endpoint."""

    app: App
    more = (403, "insufficient_authorization")

    def send(self, **fields: str) -> Answer:
        return self.app.post(CHALLENGE_PATH, fields)

    def password(self, email: str = EMAIL, password: str = PASSWORD) -> Answer:
        return self.send(**REQUEST, email=email, password=password)

    def begin_passkey(self, **request: str) -> Answer:
        return self.send(**REQUEST, factor="passkey", **request)

    def prove(self, token: str, factor: str, answer: str) -> Answer:
        return self.send(auth_session=token, factor=factor, answer=answer)

    def challenge(self, token: str, factor: str) -> dict[str, Any]:
        challenge: dict[str, Any] = self.send(auth_session=token, factor=factor).json().get("challenge", {})
        return challenge

    def access_token(self, answer: Answer) -> str:
        code = token_response(answer)["authorization_code"]
        access_token: str = token_response(self.app.redeem(code, redirect_uri=None))["access_token"]
        return access_token


def login_client(name: str, svc: Services, phone: Phone) -> LoginClient:
    """A client by its name."""
    if name == "json":
        return Json(svc, phone, (401, "invalid_credentials"), (401, "login_expired"), "mfa_token")
    client = FirstParty(svc, phone, (403, "insufficient_authorization"), (400, "invalid_session"), "auth_session")
    client.app = register(svc, phone, "native", first_party=True)
    return client


LOGIN_CLIENTS = ("json", "first-party")
