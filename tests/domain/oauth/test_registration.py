"""What of a client's own words counts; through the registration endpoint: tests/web/oauth/test_registration.py."""

from typing import Any

import msgspec
import pytest

from chalicelib.domain.errors import InvalidClientMetadata
from chalicelib.domain.oauth.client import SELF_REGISTRABLE, Client
from chalicelib.domain.oauth.registration import ClientMetadata, fields, metadata_of
from tests.support.grants import EXPECTED, UNKNOWN

SELF_REGISTRABLE_GRANTS = [name for name, grant in EXPECTED.items() if grant.self_registrable]
OFFERED = ("openid", "email")
CODE = "authorization_code"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
METADATA = {
    "redirect_uris": ["https://app.example/cb"],
    "token_endpoint_auth_method": "none",
    "grant_types": SELF_REGISTRABLE_GRANTS,
    "response_types": ["code"],
    "client_name": "Shop",
    "client_uri": "https://app.example/",
    "logo_uri": "https://app.example/logo",
    "policy_uri": "https://app.example/policy",
    "tos_uri": "https://app.example/terms",
    "scope": "email",
    "jwks": {"keys": []},
    "jwks_uri": "https://app.example/jwks",
    "application_type": "native",
    "subject_type": "pairwise",
    "sector_identifier_uri": "https://app.example/sector",
    "token_endpoint_auth_signing_alg": "ES256",
    "id_token_signed_response_alg": "RS256",
    "userinfo_signed_response_alg": "RS256",
    "post_logout_redirect_uris": ["https://app.example/left"],
    "backchannel_logout_uri": "https://app.example/out",
    "backchannel_logout_session_required": True,
    "require_pushed_authorization_requests": True,
    "require_signed_request_object": True,
    "request_object_signing_alg": "PS256",
    "dpop_bound_access_tokens": True,
    "id_token_claims": ["email"],
}


def registered(**metadata_fields: Any) -> dict[str, Any]:
    metadata = msgspec.convert(metadata_fields, ClientMetadata)
    return fields(metadata, offered=OFFERED, default_method="client_secret_basic")


def test_what_a_client_says_of_itself_is_what_is_told_of_it_again() -> None:
    expected = {name: tuple(value) if isinstance(value, list) else value for name, value in METADATA.items()}
    del expected["response_types"]
    assert sorted(SELF_REGISTRABLE) == sorted({*expected, "scopes"} - {"scope"})
    expected["scopes"] = (expected.pop("scope"),)
    assert registered(**METADATA) == {**expected, "registered_without_scope": False}
    assert metadata_of(Client(client_id="shop", **registered(**METADATA))) == {**METADATA, "client_id": "shop"}


def test_what_a_client_does_not_say_is_as_rfc_7591_has_it() -> None:
    defaults = registered()
    assert defaults == {
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": (CODE,),
        "scopes": OFFERED,
        "registered_without_scope": True,
        "application_type": "web",
        "subject_type": "public",
        "id_token_claims": (),
        "jwks": {},
        **dict.fromkeys(("redirect_uris", "post_logout_redirect_uris"), ()),
        **dict.fromkeys(("client_name", "client_uri", "logo_uri", "policy_uri", "tos_uri"), ""),
        **dict.fromkeys(("jwks_uri", "backchannel_logout_uri", "sector_identifier_uri"), ""),
        **dict.fromkeys(("token_endpoint_auth_signing_alg", "id_token_signed_response_alg"), ""),
        "userinfo_signed_response_alg": "",
        **dict.fromkeys(("backchannel_logout_session_required", "require_pushed_authorization_requests"), False),
        "dpop_bound_access_tokens": False,
        "require_signed_request_object": False,
        "request_object_signing_alg": "",
    }
    assert registered(**dict.fromkeys(METADATA)) == defaults
    assert metadata_of(Client(client_id="shop", **defaults)) == {
        "client_id": "shop",
        "scope": "openid email",
        "redirect_uris": [],
        "response_types": ["code"],
        "grant_types": [CODE],
        "token_endpoint_auth_method": "client_secret_basic",
        "application_type": "web",
        "subject_type": "public",
    }
    assert metadata_of(Client(client_id="tv", grant_types=(DEVICE_CODE,)))["response_types"] == []


@pytest.mark.parametrize(
    ("uris", "expected"),
    [
        (["https://a.example/"], "web"),
        (["https://a.example/", "com.example:/cb"], "native"),
        (["http://127.0.0.1/"], "native"),
        ([], "web"),
    ],
)
def test_a_uri_that_is_no_web_clients_makes_a_native_one(uris: list[str], expected: str) -> None:
    assert registered(redirect_uris=uris)["application_type"] == expected
    assert registered(redirect_uris=uris, application_type="web")["application_type"] == "web"


@pytest.mark.parametrize(
    "wrong",
    [
        *[{"grant_types": [name]} for name, grant in EXPECTED.items() if not grant.self_registrable],
        *[{"grant_types": [name]} for name in UNKNOWN],
        {"response_types": ["token"]},
        {"scope": "openid  email"},
    ],
)
def test_what_nobody_may_say_of_himself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidClientMetadata):
        registered(**wrong)


def test_of_the_scopes_that_are_asked_for_those_that_are_offered_count() -> None:
    assert registered(scope="admin email")["scopes"] == ("email",)
    assert registered(scope="")["scopes"] == OFFERED


@pytest.mark.parametrize(
    "letter",
    [
        "\x00",
        "\x1f",
        "\x7f",
        "\x9f",
        "\u200b",
        "\u200e",
        "\u200f",
        "\u2028",
        "\u2029",
        "\u202a",
        "\u202e",
        "\u2066",
        "\ufeff",
    ],
)
def test_no_name_has_letters_that_cannot_be_seen_or_that_turn_the_text_around(letter: str) -> None:
    with pytest.raises(InvalidClientMetadata):
        registered(client_name=f"Pay{letter}pal")


@pytest.mark.parametrize("name", ["", " ~", "\xa0\xff", "می\u200cخواهم", "👩\u200d🌾 Farm", "中文 العربية", "x" * 100])
def test_a_name_is_of_any_other_letters(name: str) -> None:
    assert registered(client_name=name)["client_name"] == name


@pytest.mark.parametrize("name", [" ", "\xa0", "\u200d\u200c", "\u3164\u2800"])
def test_a_name_of_nothing_that_can_be_seen_is_none(name: str) -> None:
    with pytest.raises(InvalidClientMetadata):
        registered(client_name=name)


TEXTS = sorted(
    name
    for name, value in METADATA.items()
    if isinstance(value, str) and name not in ("client_name", "scope", "token_endpoint_auth_method")
)


@pytest.mark.parametrize("name", [*TEXTS, "scope", "token_endpoint_auth_method"])
def test_a_text_has_at_most_2000_characters(name: str) -> None:
    msgspec.convert({name: "x" * 2000}, ClientMetadata)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({name: "x" * 2001}, ClientMetadata)


@pytest.mark.parametrize("name", ["redirect_uris", "post_logout_redirect_uris", "grant_types", "response_types"])
def test_a_list_has_at_most_20_texts(name: str) -> None:
    msgspec.convert({name: ["x" * 2000] * 20}, ClientMetadata)
    for wrong in (["x"] * 21, ["x" * 2001], [1], "x"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({name: wrong}, ClientMetadata)


def test_a_name_has_at_most_100_characters() -> None:
    with pytest.raises(msgspec.ValidationError):
        registered(client_name="x" * 101)
