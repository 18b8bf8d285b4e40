"""oauth4webapi, where openid-client has no call: resources, APIs that check tokens by themselves, first-party apps."""

import pytest

from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS
from tests.interop import javascript
from tests.interop.javascript import run
from tests.interop.served import API, OF_THE_API, Served
from tests.support.phone import PASSWORD

javascript.needed()
ALGORITHM = "EdDSA"
MACHINE = {"grant_types": (CLIENT_CREDENTIALS,), "redirect_uris": (), "scopes": OF_THE_API}


def test_a_client_that_knows_only_this_servers_api_finds_the_server(served: Served) -> None:
    answer = run("oauth4webapi/resource.mjs", {"resource": served.issuer})
    assert answer["resource"]["resource"] == answer["server"]["issuer"] == served.issuer
    assert answer["server"]["token_endpoint"].startswith(served.issuer)


def test_a_signed_introspection_answer_is_evidence(served: Served) -> None:
    registration = served.client("client_secret_basic", introspects=True, **MACHINE)
    answer = run("oauth4webapi/introspection.mjs", registration)
    assert answer["type"] == "application/token-introspection+jwt"
    assert answer["claims"]["client_id"] == registration["client_id"]


@pytest.mark.parametrize("dpop", ["", "ES256", "RS256", "PS256", "Ed25519"])
@pytest.mark.parametrize("audience", ["", API])
def test_an_api_checks_access_tokens_by_itself(served: Served, dpop: str, audience: str) -> None:
    registration = served.client("client_secret_basic", **MACHINE, resources=(API,))
    parameters = {"scope": "notes:read", **({"resource": audience} if audience else {})}
    claims = run(
        "oauth4webapi/access_token.mjs",
        registration,
        audience=audience or served.issuer,
        dpop=dpop,
        parameters=parameters,
    )
    assert (claims["sub"], claims["scope"]) == (registration["client_id"], "notes:read")
    assert ("cnf" in claims) == bool(dpop)


def test_a_first_party_app_logs_in_through_its_own_form(served: Served) -> None:
    registration = served.client(
        "none", application_type="native", redirect_uris=("com.example.app:/cb",), first_party=True
    )
    email = served.person().email
    answer = run("oauth4webapi/first_party.mjs", registration, email=email, password=PASSWORD)
    assert (answer["first"]["status"], answer["first"]["error"]) == (403, "insufficient_authorization")
    assert answer["claims"]["aud"] == registration["client_id"]
    assert "refresh_token" in answer["tokens"]
