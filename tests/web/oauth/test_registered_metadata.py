"""Each metadata that RFC 7591 and OpenID Connect have for clients: what becomes of it is what docs/oauth.md says."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.oauth.registration import REFUSED
from chalicelib.services import Services
from tests.support.forge import jwk, stranger
from tests.support.internet import Internet, Page
from tests.support.phone import Phone

KEYS = {"keys": [{**jwk(stranger("ES256")), "kid": "1"}]}
DOCUMENT = (Path(__file__).parents[3] / "docs" / "oauth.md").read_text()
TABLE = DOCUMENT.partition("### What a registration may say")[2].partition("\n### ")[0]
ROWS = {
    name: outcome
    for names, _, outcome in re.findall(r"^\| (`.*?) \| (.*?) \| (.*?) \|$", TABLE, re.MULTILINE)
    for name in re.findall(r"`(\w+)`", names)
}
# A value for each that a client could mean. RFC 7591 2; OpenID Connect Registration 2; RP-Initiated Logout 3.1,
# Back-Channel Logout 2.2, Front-Channel Logout 2; RFC 9126 6, RFC 9449 5.2, RFC 8705 3.4, RFC 9101 10.5.
VALUES: dict[str, Any] = {
    "redirect_uris": ["https://app.example/cb"],
    "token_endpoint_auth_method": "client_secret_post",
    "grant_types": ["authorization_code"],
    "response_types": ["code"],
    "client_name": "App",
    "client_uri": "https://app.example/",
    "logo_uri": "https://app.example/logo.png",
    "scope": "openid",
    "contacts": ["ann@app.example"],
    "tos_uri": "https://app.example/tos",
    "policy_uri": "https://app.example/policy",
    "jwks_uri": "https://app.example/jwks",
    "jwks": KEYS,
    "software_id": "4NRB1-0XZABZI9E6-5SM3R",
    "software_version": "2.2",
    "software_statement": "eyJ",
    "application_type": "native",
    "sector_identifier_uri": "https://app.example/sector.json",
    "subject_type": "pairwise",
    "id_token_signed_response_alg": "ES256",
    "id_token_encrypted_response_alg": "RSA-OAEP",
    "id_token_encrypted_response_enc": "A128CBC-HS256",
    "userinfo_signed_response_alg": "ES256",
    "userinfo_encrypted_response_alg": "RSA-OAEP",
    "userinfo_encrypted_response_enc": "A128CBC-HS256",
    "request_object_signing_alg": "ES256",
    "request_object_encryption_alg": "RSA-OAEP",
    "request_object_encryption_enc": "A128CBC-HS256",
    "token_endpoint_auth_signing_alg": "ES256",
    "default_max_age": 3600,
    "require_auth_time": True,
    "default_acr_values": ["aal1"],
    "initiate_login_uri": "https://app.example/login",
    "request_uris": ["https://app.example/request.jwt"],
    "post_logout_redirect_uris": ["https://app.example/bye"],
    "frontchannel_logout_uri": "https://app.example/front",
    "frontchannel_logout_session_required": True,
    "backchannel_logout_uri": "https://app.example/back",
    "backchannel_logout_session_required": True,
    "require_pushed_authorization_requests": True,
    "dpop_bound_access_tokens": True,
    "tls_client_certificate_bound_access_tokens": True,
    "require_signed_request_object": True,
}


BESIDE = {"require_signed_request_object": {"jwks": KEYS}}


@pytest.fixture
def svc(svc: Services, internet: Internet) -> Services:
    """A deployment where anybody registers, in an internet with the client's list of redirect URIs."""
    internet.pages["https://app.example/sector.json"] = Page(body=b'["https://app.example/cb"]')
    return replace(svc, settings=replace(svc.settings, registration_open=True), fetch=internet.fetch())


def test_the_table_has_each_of_them_and_no_other() -> None:
    assert sorted(ROWS) == sorted(VALUES)
    assert sorted(name for name, outcome in ROWS.items() if outcome.startswith("refused")) == sorted(REFUSED)


@pytest.mark.parametrize("name", VALUES)
def test_what_the_table_says_becomes_of_it(phone: Phone, name: str) -> None:
    answer = phone.call(
        "POST /oauth/register",
        {**BESIDE.get(name, {}), "redirect_uris": ["https://app.example/cb"], name: VALUES[name]},
    )
    outcome = re.split("[:,]", ROWS[name])[0]
    if outcome == "refused":
        assert (answer.status, answer.json()["error"]) == (400, "invalid_client_metadata")
        assert name in answer.json()["error_description"]
        return
    assert answer.status == 201, answer.body
    assert answer.json().get(name) == (VALUES[name] if outcome == "taken" else None)
