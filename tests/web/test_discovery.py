from collections.abc import Mapping

import jwt
import pytest

from app import app
from chalicelib.config import Settings
from tests.phone import Phone

WELL_KNOWN = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")
DOCUMENTS = (*WELL_KNOWN, "/.well-known/jwks.json", "/openapi.json", "/docs")
# RFC 7518 sections 6.2.2, 6.3.2 and 6.4, RFC 8037 section 2: members that only a private key has.
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest.mark.parametrize("path", WELL_KNOWN)
def test_the_metadata_says_what_is_true_of_this_server_and_no_more(phone: Phone, settings: Settings, path: str) -> None:
    told = phone.call(f"GET {path}").json()
    assert told == {
        "issuer": settings.issuer,
        "jwks_uri": f"{settings.issuer}/.well-known/jwks.json",
        "scopes_supported": list(settings.scopes),
        # No OAuth endpoint is served, so there is nothing to offer there.
        "response_types_supported": [],
        "grant_types_supported": [],
        "service_documentation": f"{settings.issuer}/docs",
    }


@pytest.mark.parametrize("path", WELL_KNOWN)
def test_every_address_in_the_metadata_is_a_route_of_this_server(phone: Phone, settings: Settings, path: str) -> None:
    told = phone.call(f"GET {path}").json()
    addresses = [v for name, v in told.items() if isinstance(v, str) and name != "issuer"]
    assert {a.removeprefix(settings.issuer) for a in addresses} <= set(app.routes)
    assert all(phone.call(f"GET {a.removeprefix(settings.issuer)}").status == 200 for a in addresses)


def test_every_scope_in_the_metadata_can_be_had(phone: Phone) -> None:
    phone.sign_up()
    scopes = phone.call(f"GET {WELL_KNOWN[0]}").json()["scopes_supported"]
    assert phone.log_in(scope=" ".join(scopes))["scope"].split() == scopes


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        *[(path, "application/json") for path in WELL_KNOWN],
        ("/.well-known/jwks.json", "application/jwk-set+json"),  # RFC 7517 section 8.5.2
        ("/openapi.json", "application/json"),
        ("/docs", "text/html; charset=utf-8"),
    ],
)
def test_a_document_may_be_kept_for_minutes_by_anyone_and_says_what_it_is(
    phone: Phone, path: str, content_type: str
) -> None:
    answer = phone.call(f"GET {path}")
    assert answer.header("Content-Type") == content_type
    assert answer.header("Cache-Control") == "public, max-age=300, stale-while-revalidate=60"


@pytest.mark.parametrize("path", DOCUMENTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-Port": "81"},
        {"Forwarded": "host=evil.example;proto=http", "X-Original-Host": "evil.example", "X-Rewrite-URL": "/evil"},
    ],
)
def test_no_header_of_a_caller_enters_a_document(phone: Phone, path: str, headers: Mapping[str, str]) -> None:
    answer = phone.call(f"GET {path}", headers=headers)
    assert answer.body == phone.call(f"GET {path}").body
    assert not any("evil" in value for _, value in answer.headers)


def test_the_key_set_verifies_a_token_by_itself_and_holds_nothing_private(phone: Phone, settings: Settings) -> None:
    token = phone.sign_up()["access_token"]
    jwks = phone.call("GET /.well-known/jwks.json").json()
    assert not any(PRIVATE & set(jwk) for jwk in jwks["keys"])
    key = jwt.PyJWKSet.from_dict(jwks)[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(
        token,
        key,
        algorithms=["ES256"],
        audience=settings.audience,
        issuer=settings.issuer,
        options={"verify_exp": False, "verify_iat": False},  # the test's clock is another
    )
    assert claims["client_id"] == settings.client_id


def test_every_key_says_what_it_is_for(phone: Phone) -> None:
    (jwk,) = phone.call("GET /.well-known/jwks.json").json()["keys"]
    assert (jwk["use"], jwk["alg"], jwk["kty"], jwk["crv"]) == ("sig", "ES256", "EC", "P-256")
