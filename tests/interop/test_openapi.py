"""schemathesis, which asks every operation of the OpenAPI document for what the document does not promise."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.transport.requests import ManagedCookiesSession

from chalicelib.domain.authentication.user_agent import UserAgent
from chalicelib.domain.oauth.client import GRANT_TYPES
from chalicelib.flows.accounts import signup
from chalicelib.flows.clients import authenticate as clients
from chalicelib.web.metadata import apis
from tests.interop.served import API, REGISTRATION_TOKEN, Served
from tests.support.browser import basic
from tests.support.phone import PASSWORD

ALGORITHM = "ES256"
BOUNDED = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def client(served: Served) -> str:
    """The credentials of a client that may do everything."""
    registration = served.client(
        "client_secret_basic",
        grant_types=tuple(GRANT_TYPES),
        resources=(API,),
        exchanges=("impersonation", "delegation"),
        introspects=True,
        first_party=True,
    )
    return basic(registration["client_id"], registration["client_secret"])


@pytest.fixture(scope="module")
def session() -> Iterator[ManagedCookiesSession]:
    """One connection for all requests; no cookie of one goes with the next."""
    with ManagedCookiesSession() as session:
        session.trust_env = False  # loopback needs no proxy, which would be looked for anew each time
        yield session


def user(served: Served) -> str:
    """The access token of a new user: some operations are the end of the one who asks for them."""
    email = f"{uuid4().hex}@example.com"
    agent = UserAgent(network=email, language="en")
    _, tokens = signup.sign_up(served.svc, address=email, password=PASSWORD, agent=agent)
    return tokens.access_token


# By hand and not by schemathesis's own decorator: its tests all have one name in pytest, and of those xdist runs one.
SCHEMA = schemathesis.openapi.from_dict(apis._document("http://127.0.0.1"))
OPERATIONS = {result.ok().label: result.ok() for result in SCHEMA.get_all_operations() if isinstance(result, Ok)}
OF_CLIENTS = [
    f"POST /oauth/{name}" for name in ("token", "par", "device", "revoke", "introspect", "authorize-challenge")
]


def call(line: str, send: Callable[[Any], None], *, examples: int) -> None:
    """Sends requests to an operation, about half of them such as it does not take."""
    modes = [GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if takes_anything(line) else [])]
    either = st.one_of([OPERATIONS[line].as_strategy(generation_mode=mode) for mode in modes])
    settings(BOUNDED, max_examples=examples)(given(case=either)(send))()


def takes_anything(line: str) -> bool:
    """Whether there is something that could be wrong with a request."""
    raw = OPERATIONS[line].definition.raw
    return "requestBody" in raw or any(parameter["in"] == "query" for parameter in raw.get("parameters", []))


@pytest.mark.parametrize("line", OPERATIONS)
def test_whatever_is_asked_the_answer_is_no_5xx_and_as_documented(
    served: Served, session: ManagedCookiesSession, line: str
) -> None:
    of_user = "/me" in line or "/userinfo" in line

    def send(case: Any) -> None:
        bearer = user(served) if of_user else REGISTRATION_TOKEN
        headers = {"Authorization": f"Bearer {bearer}"}
        case.call_and_validate(headers=headers, base_url=served.issuer, checks=CHECKS, session=session)

    call(line, send, examples=15)


@pytest.mark.parametrize("line", OF_CLIENTS)
def test_so_it_is_for_a_client_that_has_proved_itself(
    served: Served, session: ManagedCookiesSession, client: str, line: str
) -> None:
    def send(case: Any) -> None:
        if isinstance(case.body, dict):
            # What is made up would be a second way to authenticate, and nothing else would be looked at.
            case.body = {name: value for name, value in case.body.items() if name not in clients.CREDENTIALS}
        headers = {"Authorization": client}
        case.call_and_validate(headers=headers, base_url=served.issuer, checks=CHECKS, session=session)

    call(line, send, examples=30)
