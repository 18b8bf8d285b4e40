"""What each parameter of an authorization request may say; how a mistake is told: web/test_authorize_redirects.py."""

import hashlib
import json
from typing import Any

import pytest

from chalicelib.domain.errors import InvalidRequest, InvalidTarget, LatchkeyError
from chalicelib.domain.oauth import authorization_request as oauth
from chalicelib.domain.oauth.client import Client
from tests.support.forge import b64

# RFC 7636 appendix B.
VERIFIER, CHALLENGE = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
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
        ({"prompt": "create"}, "invalid_request"),
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


@pytest.mark.parametrize(
    ("name", "value", "usable"),
    [
        ("state", "a\x00b", False),
        ("state", "a\ufffdb", False),
        ("state", "a\x01é", True),
    ],
)
def test_a_value_has_no_letters_that_were_lost(name: str, value: str, usable: bool) -> None:
    params, faults = oauth.collect_parameters([("nonce", "n"), (name, value)])
    assert params == {"nonce": "n", **({name: value} if usable else {})}
    assert set(faults) == (set() if usable else {name})


def test_a_parameter_is_said_once_or_counts_nowhere() -> None:
    pairs = [("state", "a"), ("unknown", "x"), ("nonce", ""), ("state", "a"), ("nonce", "n"), ("unknown", "x")]
    params, faults = oauth.collect_parameters(pairs)
    assert params == {"nonce": "n"}  # RFC 6749 section 3.1: one without a value is as good as left out
    assert set(faults) == {"state"}
    assert oauth.parse_parameters(pairs, known=frozenset({"nonce"})) == {"nonce": "n"}
    with pytest.raises(InvalidRequest):
        oauth.parse_parameters(pairs, known=frozenset({"state"}))


@pytest.mark.parametrize("values", [("a", "b"), ("a\x00",)], ids=["two", "broken"])
def test_a_resource_that_cannot_be_used_is_a_target_that_there_is_not(values: tuple[str, ...]) -> None:
    with pytest.raises(InvalidTarget):
        oauth.parse_parameters([("resource", value) for value in values], known=frozenset({"resource"}))


@pytest.mark.parametrize("name", ["state", "nonce", "login_hint", "claims", "id_token_hint"])
def test_a_request_is_measured_as_a_whole_and_none_of_its_values(name: str) -> None:
    pairs = [("client_id", "c" * 92), (name, "x" * 8100), ("unknown", "x" * 9000)]
    assert oauth.collect_parameters(pairs) == ({"client_id": "c" * 92, name: "x" * 8100}, {})
    params, faults = oauth.collect_parameters([*pairs, ("prompt", "y")])
    assert params[name] == "x" * 8100  # the state too has to go back
    with pytest.raises(InvalidRequest):
        oauth.check_faults(faults)


@pytest.mark.parametrize(("most", "usable"), [(3, True), (2, False)])
def test_an_endpoint_may_take_requests_of_another_length(most: int, usable: bool) -> None:
    _, faults = oauth.collect_parameters([("code", "abc")], known=frozenset({"code"}), most=most)
    assert (not faults) is usable
    try:
        assert oauth.parse_parameters([("code", "abc")], known=frozenset({"code"}), most=most) == {"code": "abc"}
    except LatchkeyError:
        assert not usable


PARAMETERS = {
    "RFC 6749 section 4.1.1": ("response_type", "client_id", "redirect_uri", "scope", "state"),
    "RFC 7636 section 4.3": ("code_challenge", "code_challenge_method"),
    "RFC 8707 section 2": ("resource",),
    "RFC 9101 section 5": ("request", "request_uri"),
    "RFC 9449 section 10": ("dpop_jkt",),
    "OAuth 2.0 Multiple Response Types section 2.1": ("response_mode",),
    "OpenID Connect Core 3.1.2.1, how": ("nonce", "display", "prompt", "max_age", "acr_values"),
    "OpenID Connect Core 3.1.2.1, who": ("ui_locales", "id_token_hint", "login_hint"),
    "OpenID Connect Core 5": ("claims", "claims_locales"),
}
NAMES = [name for names in PARAMETERS.values() for name in names]


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_of_the_specifications_is_heard_and_once_only(name: str) -> None:
    assert oauth.collect_parameters([(name, "x")]) == ({name: "x"}, {})
    params, faults = oauth.collect_parameters([(name, "x"), (name, "x")])
    assert (params, set(faults)) == ({}, {name})


def test_no_other_parameter_is_heard() -> None:
    params, _ = oauth.collect_parameters([(name, "x") for name in (*NAMES, "code", "client_secret", "State")])
    assert set(params) == set(NAMES)


@pytest.mark.parametrize(
    ("verifier", "expected"),
    [
        ("a" * 42, False),
        ("a" * 43, True),
        ("a" * 128, True),
        ("a" * 129, False),
        ("azAZ09-._~" * 5, True),
        ("a" * 42 + "!", False),
        ("a" * 42 + "é", False),
        ("a" * 43 + "\n", False),
    ],
)
def test_a_verifier_is_as_rfc_7636_has_it_and_answers_its_own_challenge_alone(verifier: str, expected: bool) -> None:
    assert oauth.verify_code_verifier(VERIFIER, CHALLENGE)
    assert oauth.verify_code_verifier(verifier, b64(hashlib.sha256(verifier.encode()).digest())) is expected
    assert not oauth.verify_code_verifier(verifier, CHALLENGE)
