import json
from collections.abc import Mapping
from pathlib import Path

import jwt
import pytest

from chalicelib.config import Settings
from tests.support.phone import Phone

WELL_KNOWN = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")
DOCUMENTS = (*WELL_KNOWN, "/.well-known/jwks.json", "/openapi.json", "/docs")
# RFC 7518 sections 6.2.2, 6.3.2 and 6.4, RFC 8037 section 2: members that only a private key has.
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


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


def test_a_registered_api_is_a_resource_by_its_name_and_no_other_is(phone: Phone, settings: Settings) -> None:
    scopes = {"GET /notes": "notes:read", "POST /notes": "notes:read notes:write"}
    Path(settings.apis_file).write_text(json.dumps({"a1b2c3d4e5": {"name": "notes", "scopes": scopes}}))
    metadata = phone.call("GET /.well-known/oauth-protected-resource/notes").json()
    assert (metadata["resource"], metadata["authorization_servers"]) == (settings.audience, [settings.issuer])
    assert metadata["scopes_supported"] == ["notes:read", "notes:write"]
    assert phone.call("GET /.well-known/oauth-protected-resource/eggs").status == 404
