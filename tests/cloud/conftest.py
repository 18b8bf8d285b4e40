"""The real zip behind an API Gateway on this machine; each function in processes of its own."""

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from deploy import stages
from deploy.registered_apis import Register
from deploy.stages import PROJECT
from local import cloud
from local.cloud import EXAMPLE, Cloud
from tests.support.commands import run

PASSWORD = "correct horse battery staple"
DEV = stages.read("dev")
RACERS = 4
# Registered as an operator does it, before the APIs exist: the emulator gives an API the id that it is asked for.
HTTP_APIS = {
    "simple": ["--answer", "simple", "--revocation", "strict"],
    "policies": ["--answer", "policy", "--revocation", "bounded"],
}


@dataclass(frozen=True)
class Answer:
    """What came over the wire."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and error code, after checking that the answer has the one error shape."""
        scoped = {"scope"} if self.body["error"] == "insufficient_scope" else set()
        assert set(self.body) - scoped == {"error", "error_description"}, self.body
        return self.status, self.body["error"]


@dataclass(frozen=True)
class Phone:
    """An app on a phone: it knows a base URL and speaks JSON."""

    base: str

    def call(self, line: str, body: object = None, *, token: str | None = None) -> Answer:
        """One request, `"METHOD /path"`."""
        method, _, path = line.partition(" ")
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self.base + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(answer.status, dict(answer.headers), json.loads(answer.read() or b"null"))
        except urllib.error.HTTPError as answer:
            return Answer(answer.code, dict(answer.headers), json.loads(answer.read() or b"null"))

    def sign_up(self) -> dict[str, Any]:
        """A new account's tokens, and its address."""
        email = f"{uuid4().hex}@example.com"
        answer = self.call("POST /signup", {"email": email, "password": PASSWORD})
        assert answer.status == 201, answer
        return {"email": email, **answer.body}

    def log_in(self, email: str, scope: str) -> dict[str, Any]:
        """Tokens for a scope."""
        answer = self.call("POST /login", {"email": email, "password": PASSWORD, "scope": scope})
        assert answer.status == 200, answer
        tokens: dict[str, Any] = answer.body
        return tokens


@pytest.fixture(scope="session")
def running_cloud(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A whole AWS, made once; it is stopped by the process that started it."""
    project = tmp_path_factory.mktemp("project")
    left_out = shutil.ignore_patterns("__pycache__", "deploy*", "apis.json")
    for folder in ("chalicelib", ".chalice"):
        shutil.copytree(PROJECT / folder, project / folder, ignore=left_out)
    for file in ("app.py", "requirements.txt"):
        shutil.copy(PROJECT / file, project / file)
    for api_id, options in HTTP_APIS.items():
        arguments = ["add", "--id", api_id, "--name", api_id, "--file", str(EXAMPLE / "scopes.json"), *options]
        run("apis", *arguments, on=Register(project))
    build = tmp_path_factory.mktemp("build")
    (build / "vendor").symlink_to(wheels)
    with cloud.running(project=project, build=build) as running:
        yield running


def stored_keys(cloud: Cloud) -> list[str]:
    path = DEV.environment()["LATCHKEY_KEYS_PATH"]
    parameters = cloud.client("ssm").get_parameters_by_path(Path=path, Recursive=True)["Parameters"]
    return sorted(parameter["Name"].removeprefix(path) for parameter in parameters)


def processes_of(cloud: Cloud, function: str) -> int:
    """Each process of a function's writes into a log stream of its own."""
    streams = cloud.client("logs").describe_log_streams(logGroupName=DEV.log_group(function))
    return len(streams["logStreams"])


@pytest.fixture(scope="session")
def first_keys(running_cloud: Cloud) -> list[Any]:
    """The key sets that cold functions answered when all were asked at once in an account without keys."""
    assert stored_keys(running_cloud) == []
    stranger = Phone(running_cloud.issuer)
    with ThreadPoolExecutor(RACERS) as threads:
        answers = list(threads.map(lambda _: stranger.call("GET /.well-known/jwks.json"), range(RACERS)))
    assert {answer.status for answer in answers} == {200}
    return [answer.body for answer in answers]


@pytest.fixture(scope="session")
def phone(running_cloud: Cloud, first_keys: list[Any]) -> Phone:
    """A phone that knows Latchkey, in an account whose first keys were made by the race for them."""
    assert first_keys
    return Phone(running_cloud.issuer)


@pytest.fixture(scope="session")
def notes(running_cloud: Cloud) -> Phone:
    """The same phone at the notes example."""
    return Phone(running_cloud.notes_url)
