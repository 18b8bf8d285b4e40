"""What a client may be registered with, by whomever; through the registration endpoint: tests/web/oauth/test_registration.py."""

from dataclasses import asdict, replace
from typing import Any

import pytest

from chalicelib.domain.errors import InvalidClientMetadata, InvalidRedirectUri
from chalicelib.domain.oauth.client import (
    CODE,
    DEVICE_CODE,
    GRANT_TYPES,
    KEPT_HERE,
    MEMBERS,
    OPERATORS_ALONE,
    PRIVILEGES,
    SELF_REGISTRABLE,
    WAIVERS,
    Client,
)
from chalicelib.domain.oauth.client_rules import check, sector
from chalicelib.domain.oauth.client_values import are_public_keys
from tests.support.forge import b64
from tests.support.grants import EXPECTED

WEB = Client(client_id="shop", redirect_uris=("https://app.example/cb",))
NATIVE = replace(WEB, application_type="native", token_endpoint_auth_method="none")
LIFETIMES = {"access_seconds": 86400, "refresh_idle_seconds": 15_552_000, "refresh_absolute_seconds": 315_360_000}
EC = {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}
KINDS: list[Any] = ["RSA", "EC", "OKP", "oct", "ec", "AKP", None, [], {}, 1, ["EC"]]


def test_grant_types_are_named_as_their_rfcs_name_them_and_are_for_whom_they_are_to_be() -> None:
    assert {name: (rules.public, rules.self_registrable) for name, rules in GRANT_TYPES.items()} == {
        name: (grant.public, grant.self_registrable) for name, grant in EXPECTED.items()
    }


@pytest.mark.parametrize("grant_type", EXPECTED)
def test_a_public_client_has_the_grants_that_prove_their_sender_themselves(grant_type: str) -> None:
    assert registered(WEB, grant_types=(grant_type,))
    assert registered(NATIVE, grant_types=(grant_type,)) is EXPECTED[grant_type].public


def test_a_client_that_says_nothing_of_itself_is_as_rfc_7591_has_it_and_has_no_privilege() -> None:
    assert {name: value for name, value in asdict(Client(client_id="shop")).items() if value} == {
        "client_id": "shop",
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ("authorization_code",),
        "application_type": "web",
        "subject_type": "public",
        "require_pkce": True,
        "require_nonce": True,
        "security_profile": "none",
        "version": 1,
    }


def test_no_client_says_of_itself_what_is_a_privilege_or_what_is_kept_here() -> None:
    assert set(PRIVILEGES) == {
        "first_party",
        "access_token_roles",
        "attributes",
        "introspects",
        "exchanges",
        "assertion_issuers",
    }
    assert set(KEPT_HERE) == {
        "client_id",
        "secrets",
        "registered_without_scope",
        "default_scopes",
        "registration_token",
        "created_at",
        "expires_at",
        "version",
    }
    classes = (*SELF_REGISTRABLE, *OPERATORS_ALONE, *KEPT_HERE)
    assert sorted(classes) == sorted(asdict(Client(client_id="")))
    assert set(WAIVERS) == {"require_pkce", "require_nonce"}
    assert set(PRIVILEGES) | set(WAIVERS) < set(OPERATORS_ALONE)


def registered(client: Client, **changes: Any) -> bool:
    try:
        return check(replace(client, **changes)) == replace(client, **changes)
    except (InvalidClientMetadata, InvalidRedirectUri):
        return False


@pytest.mark.parametrize(
    ("uri", "web", "native"),
    [
        ("https://a", True, True),
        ("https://A9", True, True),
        ("https://aBc.ExamplE/", True, True),
        ("https://a-b.c-d.example", True, True),
        ("https://0.example/", True, True),
        ("https://z9.example:8/", True, True),
        ("https://app.example:65535?x=y", True, True),
        ("https://app.example:655350/", False, False),
        ("https://app.example./", False, False),
        ("https://.app.example/", False, False),
        ("https://app_1.example/", False, False),
        ("https://app.example;/", False, False),
        ("https://app.example/XYZ~!$&'()+,;=:@%20?a=b&c[]=d", True, True),
        ("https://app.example/a*", False, False),
        ("https://app.example/" + "x" * 1980, True, True),
        ("https://app.example/" + "x" * 1981, False, False),
        ("http://127.0.0.1", False, True),
        ("http://127.0.0.1/", False, True),
        ("http://127.0.0.1:65535/a/b?x=y", False, True),
        ("http://127.0.0.1:655350/", False, False),
        ("http://127.0.0.1?x=y", False, True),
        ("http://127.0.0.1/?", False, True),
        ("http://127x0.0.1/", False, False),
        ("http://127.0x0.1/", False, False),
        ("http://127.0.0x1/", False, False),
        ("http://[::1]:1/cb", False, True),
        ("http://localhost/cb", False, True),
        ("http://app.example/", False, False),
        ("com.example:/cb", False, True),
        ("com.example-1.app+b:/cb?x=y", False, True),
        ("z9+-z.a:cb", False, True),
        ("a.0:", False, True),
        ("com.example.app:///cb", False, False),
        ("9com.example:/cb", False, False),
        ("com..example:/cb", False, False),
        ("com.example.:/cb", False, False),
        (".example:/cb", False, False),
        ("comexample:/cb", False, False),
        ("com.exam_ple:/cb", False, False),
        ("com.example", False, False),
        ("com.example:/" + "x" * 1987, False, True),
        ("com.example:/" + "x" * 1988, False, False),
        ("com.example:/a b", False, False),
        ("com.example:/a~!", False, True),
    ],
)
def test_where_a_client_may_send_its_users(uri: str, web: bool, native: bool) -> None:
    for member in ("redirect_uris", "post_logout_redirect_uris"):
        uris = {"redirect_uris": WEB.redirect_uris, member: (*WEB.redirect_uris, uri)}
        assert registered(WEB, **uris) is web
        assert registered(NATIVE, **uris) is native
        # An operator's web client may be on its developer's machine, but in no app of a private scheme.
        assert registered(WEB, created_at=1, **uris) is (web or (native and uri.startswith("http:")))


@pytest.mark.parametrize(
    ("uri", "repeated"),
    [
        ("http://app.example/", "http://app.example/"),
        ("http://" + "x" * 192, "http://" + "x" * 192),
        ("http://" + "x" * 193, "One"),
        ("http://app.example/\u202e", "One"),
        ("http://app.example/\n", "One"),
    ],
)
def test_a_refusal_repeats_a_uri_only_if_it_is_short_and_can_be_shown(uri: str, repeated: str) -> None:
    with pytest.raises(InvalidRedirectUri) as refusal:
        check(replace(WEB, redirect_uris=(uri,)))
    assert refusal.value.description == (
        f"{repeated} cannot be a redirect URI of a web client: it is https, without fragment and wildcard."
    )


@pytest.mark.parametrize("member", [name for name in MEMBERS if name.endswith("_uri")])
@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://app.example/X", True),
        ("https://app.example/" + "x" * 1980, True),
        ("https://app.example/" + "x" * 1981, False),
        ("https://app.example/x#y", False),
        ("https://app.example/x\\y", False),
        ("https://app.example/x y", False),
        ("http://app.example/x", False),
        ("com.example:/x", False),
    ],
)  # fmt: skip
def test_whatever_is_fetched_or_linked_is_behind_https(member: str, uri: str, expected: bool) -> None:
    assert registered(WEB, **{member: uri}) is expected
    assert registered(NATIVE, **{member: uri}) is expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"application_type": ""}, False),
        ({"token_endpoint_auth_method": "client_secret_post"}, True),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, False),
        ({"grant_types": ("refresh_token",), "redirect_uris": ()}, True),
        ({"grant_types": ("client_credentials",), "redirect_uris": ()}, True),
        ({"grant_types": tuple(GRANT_TYPES)}, True),
        ({"grant_types": ("authorization_code", "password")}, False),
        ({"grant_types": ("authorization_code",), "redirect_uris": ()}, False),
        ({"token_endpoint_auth_method": "private_key_jwt"}, False),
        ({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [EC]}}, True),
        ({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://a.example/"}, True),
        (
            {
                "token_endpoint_auth_method": "private_key_jwt",
                "jwks": {"keys": [EC]},
                "jwks_uri": "https://a.example/",
            },
            False,
        ),
        ({"jwks": {"keys": []}}, False),
        ({"jwks": {"keys": [EC]}}, True),
        ({"scopes": ("account",)}, True),
        ({"subject_type": "pairwise"}, True),
        ({"subject_type": "pairwise", "scopes": ("account",)}, False),
        ({"subject_type": "sector"}, False),
        # Nothing shows that a device is of the host that it names: an operator has to say so.
        ({"subject_type": "pairwise", "grant_types": (CODE, DEVICE_CODE)}, False),
        ({"subject_type": "pairwise", "grant_types": (CODE, DEVICE_CODE), "sector_identifier": "app.example"}, True),
        ({"subject_type": "public", "grant_types": (CODE, DEVICE_CODE)}, True),
        ({"subject_type": "pairwise", "client_id": "https://app.example/client.json"}, True),
        ({"subject_type": "pairwise", "client_id": "https://evil.example/app.example"}, False),
        ({"subject_type": "public", "client_id": "https://evil.example/app.example"}, True),
        *[({name: seconds}, True) for name in LIFETIMES for seconds in (1, LIFETIMES[name])],
        *[({name: seconds}, False) for name in LIFETIMES for seconds in (-1, LIFETIMES[name] + 1)],
    ],
)
def test_what_belongs_together_and_what_does_not(changes: dict[str, Any], expected: bool) -> None:
    assert registered(WEB, **changes) is expected


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])  # RFC 7518 sections 6.2 to 6.4
def test_a_key_with_a_private_member_is_no_public_key(member: str) -> None:
    assert not are_public_keys({"keys": [EC, {**EC, member: "AA"}]})


def modulus(bits: int) -> str:
    return b64((2 ** (bits - 1) + 1).to_bytes((bits + 7) // 8))


@pytest.mark.parametrize(
    ("jwks", "expected"),
    [
        # RFC 7518 section 3.3: 2048 bits or more; zeros before the first bit are none.
        ({"keys": [{"kty": "RSA", "n": modulus(2048), "e": "AQAB"}]}, True),
        ({"keys": [{"kty": "RSA", "n": modulus(2048) + "==", "e": "AQAB"}]}, True),
        ({"keys": [{"kty": "RSA", "n": modulus(2047), "e": "AQAB"}]}, False),
        ({"keys": [{"kty": "RSA", "n": "AAAA" + modulus(1024), "e": "AQAB"}]}, False),
        ({"keys": [{"kty": "RSA", "n": "A", "e": "AQAB"}]}, False),
        ({"keys": [{"kty": "RSA", "n": "é", "e": "AQAB"}]}, False),
        ({"keys": [{**EC, "crv": "P-384"}]}, False),
        ({"keys": [{"kty": "OKP", "crv": "Ed448", "x": "AA"}]}, False),
        ({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}]}, True),
        *[({"keys": [{"kty": kind}]}, False) for kind in KINDS],
        *[({"keys": [{**EC, name: value}]}, False) for name in ("kty", "crv", "x", "y") for value in KINDS[6:]],
        # RFC 7517 section 5: keys that are not understood are passed over
        *[({"keys": [{"kty": kind}, EC]}, True) for kind in KINDS],
        ({"keys": [{}]}, False),
        ({"keys": [EC] * 20}, True),
        ({"keys": [EC] * 21}, False),
        ({"keys": [EC, "EC"]}, False),
        ({"keys": {"kty": "EC"}}, False),
        ({"keys": []}, False),
        ({}, False),
    ],
)
def test_a_key_set_is_a_few_keys_for_signatures(jwks: dict[str, Any], expected: bool) -> None:
    assert are_public_keys(jwks) is expected


@pytest.mark.parametrize(
    ("uris", "expected"),
    [
        ((), ""),
        (("https://app.example/a", "https://app.example:8443/b"), "app.example"),
        (("https://app.example/a", "https://other.example/a"), ""),
        (("com.example.app:/cb",), "com.example.app:/cb"),
        (("http://127.0.0.1/cb",), ""),  # every native app's
        (("http://localhost:80/cb", "http://[::1]/cb"), ""),
        (("http://localhost/cb", "https://app.example/a"), ""),
    ],
)
def test_the_sector_is_the_one_host_that_is_the_clients_own(uris: tuple[str, ...], expected: str) -> None:
    assert sector(replace(WEB, redirect_uris=uris)) == expected
    assert sector(replace(WEB, redirect_uris=uris, sector_identifier="as.told")) == "as.told"
    assert (
        sector(replace(WEB, redirect_uris=uris, sector_identifier_uri="https://of.example/uris.json")) == "of.example"
    )
