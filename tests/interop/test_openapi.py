"""schemathesis, which asks every operation of the OpenAPI document for what the document does not promise."""

import re
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from chalicelib.domain.client import CLIENT_CREDENTIALS, CODE, DEVICE_CODE, REFRESH, TOKEN_EXCHANGE
from chalicelib.flows import signup
from chalicelib.web import discovery
from tests.browser import basic
from tests.interop.served import API, REGISTRATION_TOKEN, Served
from tests.phone import PASSWORD

ALGORITHM = "ES256"
EXAMPLES = 10
OF_CLIENTS = re.compile("/oauth/(token|par|device|revoke|introspect|authorize-challenge)")
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
    told = served.client(
        "client_secret_basic",
        grant_types=(CODE, REFRESH, CLIENT_CREDENTIALS, DEVICE_CODE, TOKEN_EXCHANGE),
        resources=(API,),
        exchanges=("impersonation", "delegation"),
        introspects=True,
        first_party=True,
    )
    return basic(told["client_id"], told["client_secret"])


def user(served: Served) -> str:
    """The access token of a new user: some operations are the end of the one who asks for them."""
    email = f"{uuid4().hex}@example.com"
    _, tokens = signup.sign_up(served.svc, address=email, password=PASSWORD, name="", device="", network=email)
    return f"Bearer {tokens.access_token}"


schema = schemathesis.openapi.from_dict(discovery._document("http://127.0.0.1"))


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_whatever_is_asked_the_answer_is_no_5xx_and_as_documented(case: Any, served: Served, client: str) -> None:
    asks = case.operation.path
    credentials = client if OF_CLIENTS.fullmatch(asks) else f"Bearer {REGISTRATION_TOKEN}"
    if asks.startswith("/me") or asks == "/oauth/userinfo":
        credentials = user(served)
    case.call_and_validate(headers={"Authorization": credentials}, base_url=served.issuer, checks=CHECKS)
