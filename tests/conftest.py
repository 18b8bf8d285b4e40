import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import hypothesis
import pytest

# `make test-fast`; a test that says its own number of examples keeps it.
hypothesis.settings.register_profile("fast", max_examples=20)

# Before anything of boto3 is imported: no test may reach an account, whatever the developer's shell is set to.
for name in [name for name in os.environ if name.startswith(("AWS_", "LATCHKEY_"))]:
    del os.environ[name]
os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

from chalicelib.config import Settings
from chalicelib.services import Services
from tests.support.aws import container, undeploy
from tests.support.phone import Clock, Phone, deployed, installed
from tests.support.qr_codes import drawn_at_once
from tests.support.strength import judged_once


def pytest_collection_finish() -> None:
    """What is imported by now stays, and no collection of garbage has to look through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def aws() -> Iterator[None]:
    """moto, for what asks boto3: its calls are made one after the other, for moto itself is not atomic across threads."""
    import moto.dynamodb.responses
    from moto import mock_aws

    handler, lock = moto.dynamodb.responses.DynamoHandler, threading.RLock()
    unlocked = handler.call_action

    def locked(self: moto.dynamodb.responses.DynamoHandler) -> object:
        with lock:
            return unlocked(self)

    handler.call_action = locked  # type: ignore[method-assign]
    with mock_aws():
        yield
    handler.call_action = unlocked  # type: ignore[method-assign]


@pytest.fixture
def clock() -> Clock:
    """A clock that stands until it is moved."""
    return Clock()


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheels that ship are unpacked and compiled: once in a run, whichever of its workers is the first."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "wheels"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what few tests write: one for each test would cost as much as a request."""
    return tmp_path_factory.mktemp("files")


@pytest.fixture
def settings(files: Path) -> Iterator[Settings]:
    """Settings of a deployment of this test's own."""
    own = uuid4().hex
    settings = deployed(
        LATCHKEY_ORIGINS="https://app.example",
        LATCHKEY_APIS_FILE=str(files / f"apis-{own}.json"),
        LATCHKEY_JWKS_FILE=str(files / f"jwks-{own}.json"),
    )
    yield settings
    undeploy(settings)


@pytest.fixture
def svc(settings: Settings, clock: Clock) -> Iterator[Services]:
    """Services on this test's own deployment, with its clock and the cheapest password hash."""
    with judged_once(), drawn_at_once():
        yield container(settings, now=clock)


@pytest.fixture
def phone(svc: Services, clock: Clock) -> Iterator[Phone]:
    """A client at the public endpoints: app.py behind a gateway that asks the guard, in this process."""
    with installed(svc):
        yield Phone(clock)
