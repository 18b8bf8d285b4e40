"""Which parameters count, of all that are sent; what each of an authorization request says: test_authorization_request.py."""

import pytest

from chalicelib.domain.errors import InvalidRequest, InvalidTarget, LatchkeyError
from chalicelib.domain.oauth import parameters


@pytest.mark.parametrize(
    ("name", "value", "usable"),
    [
        ("state", "a\x00b", False),
        ("state", "a\ufffdb", False),
        ("state", "a\x01é", True),
    ],
)
def test_a_value_has_no_letters_that_were_lost(name: str, value: str, usable: bool) -> None:
    params, faults = parameters.collect([("nonce", "n"), (name, value)])
    assert params == {"nonce": "n", **({name: value} if usable else {})}
    assert set(faults) == (set() if usable else {name})


def test_a_parameter_is_said_once_or_counts_nowhere() -> None:
    pairs = [("state", "a"), ("unknown", "x"), ("nonce", ""), ("state", "a"), ("nonce", "n"), ("unknown", "x")]
    params, faults = parameters.collect(pairs)
    assert params == {"nonce": "n"}  # RFC 6749 section 3.1: one without a value is as good as left out
    assert set(faults) == {"state"}
    assert parameters.parse(pairs, known=frozenset({"nonce"})) == {"nonce": "n"}
    with pytest.raises(InvalidRequest):
        parameters.parse(pairs, known=frozenset({"state"}))


@pytest.mark.parametrize("values", [("a", "b"), ("a\x00",)], ids=["two", "broken"])
def test_a_resource_that_cannot_be_used_is_a_target_that_there_is_not(values: tuple[str, ...]) -> None:
    with pytest.raises(InvalidTarget):
        parameters.parse([("resource", value) for value in values], known=frozenset({"resource"}))


@pytest.mark.parametrize("name", ["state", "nonce", "login_hint", "claims", "id_token_hint"])
def test_a_request_is_measured_as_a_whole_and_none_of_its_values(name: str) -> None:
    pairs = [("client_id", "c" * 92), (name, "x" * 8100), ("unknown", "x" * 9000)]
    assert parameters.collect(pairs) == ({"client_id": "c" * 92, name: "x" * 8100}, {})
    params, faults = parameters.collect([*pairs, ("prompt", "y")])
    assert params[name] == "x" * 8100  # the state too has to go back
    with pytest.raises(InvalidRequest):
        parameters.check_faults(faults)


@pytest.mark.parametrize(("most", "usable"), [(3, True), (2, False)])
def test_an_endpoint_may_take_requests_of_another_length(most: int, usable: bool) -> None:
    _, faults = parameters.collect([("code", "abc")], known=frozenset({"code"}), most=most)
    assert (not faults) is usable
    try:
        assert parameters.parse([("code", "abc")], known=frozenset({"code"}), most=most) == {"code": "abc"}
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
    assert parameters.collect([(name, "x")]) == ({name: "x"}, {})
    params, faults = parameters.collect([(name, "x"), (name, "x")])
    assert (params, set(faults)) == ({}, {name})


def test_no_other_parameter_is_heard() -> None:
    params, _ = parameters.collect([(name, "x") for name in (*NAMES, "code", "client_secret", "State")])
    assert set(params) == set(NAMES)
