"""What each parameter of an authorization request may say; mistakes at the endpoint: test_authorize_redirects.py."""

import json
from typing import Any

import pytest

from chalicelib.domain.errors import LatchkeyError
from chalicelib.domain.oauth import authorization_request as oauth
from chalicelib.domain.oauth.client import Client

# RFC 7636 appendix B.
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
API = "https://notes.example"
CLIENT = Client(client_id="shop", scopes=("openid", "email", "notes:read"), resources=(API,))
GOOD = {"response_type": "code", "code_challenge": CHALLENGE, "code_challenge_method": "S256"}


def checked(client: Client = CLIENT, /, **changes: str | None) -> oauth.AuthorizationRequest | str:
    """The request as it is understood, or the code of its refusal; None leaves a parameter out."""
    params = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    try:
        return oauth.validate(params, client)
    except LatchkeyError as refusal:
        return refusal.code


def test_a_request_is_understood_as_it_is_said() -> None:
    params: dict[str, Any] = {
        "redirect_uri": "https://app.example/cb",
        "nonce": "n-1",
        "login_hint": "ann",
        "id_token_hint": "e30",
        "dpop_jkt": CHALLENGE,
        "resource": API,
    }
    assert checked(
        **params,
        state="a state",
        response_mode="form_post",
        scope="openid",
        prompt="login consent",
        max_age="999999999",
        claims=json.dumps(
            {"id_token": {"sub": {"value": "ann"}, "name": None}, "userinfo": {"email_verified": None, "email": None}}
        ),
    ) == oauth.AuthorizationRequest(
        scope=("openid",),
        challenge=CHALLENGE,
        prompt=frozenset({"login", "consent"}),
        max_age=999_999_999,
        claims={"userinfo": ["email", "email_verified"]},  # no scope of the client opens `name`
        subject="ann",
        **params,
    )


def test_what_is_not_said_has_its_default() -> None:
    assert checked() == oauth.AuthorizationRequest(
        redirect_uri="",
        scope=("openid", "email", "notes:read"),
        nonce="",
        challenge=CHALLENGE,
        prompt=frozenset(),
        max_age=None,
        login_hint="",
        claims={},
        subject="",
        resource="",
        dpop_jkt="",
        id_token_hint="",
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request": "e30"}, "request_not_supported"),
        ({"request_uri": "urn:x"}, "request_uri_not_supported"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "a" * 42}, "invalid_request"),
        ({"code_challenge": "a" * 44}, "invalid_request"),
        ({"code_challenge": "a" * 42 + "."}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "profile address"}, "invalid_scope"),
        ({"scope": 'openid "'}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"prompt": "register"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"max_age": ""}, "invalid_request"),
        ({"max_age": "1" * 10}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"dpop_jkt": "a" * 42}, "invalid_request"),
        ({"dpop_jkt": "a" * 44}, "invalid_request"),
        ({"claims": "{"}, "invalid_request"),
        ({"claims": "[]"}, "invalid_request"),
        ({"claims": "null"}, "invalid_request"),
        ({"claims": "[" * 100_000}, "invalid_request"),
        ({"claims": '{"id_token":"email"}'}, "invalid_request"),
        ({"claims": '{"userinfo":["email"]}'}, "invalid_request"),
    ],
)
def test_each_check_is_made(changes: dict[str, str | None], code: str) -> None:
    assert checked(**changes) == code


@pytest.mark.parametrize("letters", ["azAZ09-_", "bcdyBCDY1-8_"])
def test_a_challenge_and_a_thumbprint_are_base64url_of_32_bytes(letters: str) -> None:
    text = (letters * 8)[:43]
    request = checked(code_challenge=text, dpop_jkt=text)
    assert isinstance(request, oauth.AuthorizationRequest)
    assert (request.challenge, request.dpop_jkt) == (text, text)


@pytest.mark.parametrize("prompt", ["", "none", "login", "consent", "select_account", "select_account login consent"])
def test_a_prompt_is_a_set_of_those_of_core_3_1_2_1(prompt: str) -> None:
    request = checked(prompt=prompt)
    assert isinstance(request, oauth.AuthorizationRequest)
    assert request.prompt == set(prompt.split())


@pytest.mark.parametrize("seconds", ["0", "7", "123456789"])
def test_an_age_is_a_number_of_seconds(seconds: str) -> None:
    request = checked(max_age=seconds)
    assert isinstance(request, oauth.AuthorizationRequest)
    assert request.max_age == int(seconds)


def test_a_client_that_is_not_registered_for_codes_gets_none() -> None:
    assert checked(Client(client_id="tv", grant_types=("refresh_token",))) == "unauthorized_client"


@pytest.mark.parametrize(
    ("sub", "expected"),
    [
        (None, ""),
        ("ann", ""),
        ({}, ""),
        ({"essential": True}, ""),
        ({"value": "ann"}, "ann"),
        ({"value": ""}, "invalid_request"),
        ({"value": None}, "invalid_request"),
        ({"value": ["ann"]}, "invalid_request"),
    ],
)
def test_a_client_asks_for_one_user_by_one_name(sub: Any, expected: str) -> None:
    request = checked(claims=json.dumps({"id_token": {"sub": sub}}))
    assert (request if isinstance(request, str) else request.subject) == expected
    elsewhere = checked(claims=json.dumps({"userinfo": {"sub": sub}}))
    assert not isinstance(elsewhere, str)
    assert elsewhere.subject == ""


UNMET, MALFORMED = "unmet_authentication_requirements", "invalid_request"


@pytest.mark.parametrize(
    ("acr", "refusal"),
    [
        (None, ""),
        ({}, ""),
        ({"essential": True}, ""),
        ({"essential": True, "value": "aal1"}, ""),
        ({"essential": True, "values": ["aal2", "aal1"]}, ""),
        ({"essential": False, "value": "aal2"}, ""),
        ({"value": "aal2"}, ""),
        ({"essential": True, "value": "aal2"}, UNMET),
        ({"essential": True, "values": ["aal2", "AAL1"]}, UNMET),
        ({"essential": True, "values": []}, UNMET),
        ("aal2", MALFORMED),
        ([], MALFORMED),
        ({"essential": "true", "value": "aal2"}, MALFORMED),
        ({"essential": 1}, MALFORMED),
        ({"essential": True, "values": 7}, MALFORMED),
        ({"essential": True, "values": "aal1"}, MALFORMED),
        ({"essential": True, "values": ["aal1", 1]}, MALFORMED),
        ({"essential": True, "value": {}}, MALFORMED),
        ({"value": None}, MALFORMED),
    ],
)
def test_only_an_essential_level_that_we_do_not_reach_is_unmet(acr: Any, refusal: str) -> None:
    request = checked(claims=json.dumps({"id_token": {"acr": acr}}))
    assert (request if isinstance(request, str) else "") == refusal
    assert not isinstance(checked(claims=json.dumps({"userinfo": {"acr": acr}})), str)


@pytest.mark.parametrize(
    ("scope", "claims", "expected"),
    [
        ("openid", {}, ("openid",)),
        ("openid", {"id_token": {"email": None}}, ("openid", "email")),
        ("openid", {"userinfo": {"email_verified": None}}, ("openid", "email")),
        ("email openid", {"userinfo": {"email": None}}, ("email", "openid")),
        ("openid", {"userinfo": {"phone_number": None}}, ("openid",)),
    ],
)
def test_a_single_claim_needs_the_consent_that_its_scope_needs(
    scope: str, claims: dict[str, Any], expected: tuple[str, ...]
) -> None:
    request = checked(scope=scope, claims=json.dumps(claims))
    assert isinstance(request, oauth.AuthorizationRequest)
    assert request.consent == expected
