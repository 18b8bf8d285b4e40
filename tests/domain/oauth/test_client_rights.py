"""What a client may still have of a token that was issued to it before its registration changed."""

from typing import Any

import pytest

from chalicelib.domain.errors import InvalidToken
from chalicelib.domain.oauth import client_rights
from chalicelib.domain.oauth.client import Client
from chalicelib.domain.oauth.tokens import VerifiedClaims

OWN, API, OTHER = "https://id.example", "https://notes.example", "https://other.example"
NOW = 1_800_000_000
CLIENT = {"scopes": ("notes:read", "notes:write"), "resources": (API,), "created_at": NOW}


def claims(**changes: Any) -> VerifiedClaims:
    every = {"iss": OWN, "sub": "ann", "sid": "s1", "client_id": "app", "scope": "notes:write notes:read", **changes}
    every = {"aud": OWN, "exp": NOW + 900, "iat": NOW, "jti": "1", **every}
    return VerifiedClaims(
        sub=every["sub"],
        sid=every["sid"],
        client_id=every["client_id"],
        scope=tuple(every["scope"].split()),
        exp=every["exp"],
        all=every,
    )


def narrow(token: VerifiedClaims, **changes: Any) -> VerifiedClaims:
    client = Client(**{"client_id": "app", **CLIENT, **changes})
    return client_rights.narrow(token, client, own_audience=OWN)


def test_a_token_of_which_nothing_was_taken_is_as_it_was() -> None:
    assert narrow(claims()) == claims()


def test_a_token_keeps_the_scopes_that_its_client_still_has_and_all_else() -> None:
    left = narrow(claims(roles=["editor"]), scopes=("notes:write", "files:read"))
    assert left == claims(roles=["editor"], scope="notes:write")


def test_a_token_without_any_scope_has_none_to_lose() -> None:
    assert narrow(claims(scope=""), scopes=()).scope == ()


@pytest.mark.parametrize("aud", [OWN, API, [OTHER, API], "https://NOTES.example/"], ids=str)
def test_a_token_is_for_an_api_that_its_client_may_have_tokens_for(aud: Any) -> None:
    assert narrow(claims(aud=aud)).audiences == ((aud,) if isinstance(aud, str) else tuple(aud))


@pytest.mark.parametrize(
    ("token", "client"),
    [
        ({}, {"scopes": ("files:read",)}),
        ({}, {"scopes": ()}),
        ({"aud": OTHER}, {}),
        ({"aud": API}, {"resources": ()}),
        ({"aud": [OTHER, "https://notes.example.evil"]}, {}),
        ({"iat": NOW - 1}, {}),
        ({"sub": "app", "sid": ""}, {"grant_types": ("authorization_code",)}),
    ],
    ids=str,
)
def test_a_token_of_which_nothing_is_left_is_invalid(token: dict[str, Any], client: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        narrow(claims(**token), **client)


def test_a_client_that_may_act_for_itself_does_so_without_a_session() -> None:
    token = claims(sub="app", sid="")
    assert narrow(token, grant_types=("client_credentials",)) == token
