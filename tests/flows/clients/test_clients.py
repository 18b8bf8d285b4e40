"""Clients as data: created, changed, given new secrets and deleted, also by two at once."""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from chalicelib.domain.errors import (
    InvalidClient,
    InvalidClientMetadata,
    InvalidRedirectUri,
    InvalidRequest,
    NotFound,
    TemporarilyUnavailable,
    UnauthorizedClient,
)
from chalicelib.domain.oauth.client import Client
from chalicelib.domain.oauth.client_rules import check, sector
from chalicelib.flows.clients import authenticate as clients
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from tests.support.browser import basic
from tests.support.phone import NETWORK
from tests.support.staged import just_before

WEB = Client(client_id="", client_name="Web", redirect_uris=("https://app.example/cb",), scopes=("openid",))


def stored(svc: Services, client: Client) -> Client:
    client_read = clients.find(svc, client.client_id, network=NETWORK)
    assert client_read is not None
    return client_read


def proves(svc: Services, client: Client, secret: str) -> bool:
    try:
        authenticated = clients.authenticate(svc, {}, basic(client.client_id, secret), network=NETWORK)
        return authenticated.client_id == client.client_id
    except InvalidClient:
        return False


def test_a_client_is_read_as_it_was_created(svc: Services) -> None:
    client, secret = manage.create(svc, WEB)
    assert stored(svc, client) == client
    assert replace(client, client_id="", secrets=(), created_at=0, version=WEB.version) == WEB
    assert client.created_at == svc.now()
    assert secret not in repr(client)
    assert proves(svc, client, secret)


def test_every_member_of_a_client_survives_the_store(svc: Services) -> None:
    full = Client(
        client_id="full",
        client_name="Ünïcode",
        token_endpoint_auth_method="private_key_jwt",
        grant_types=("authorization_code", "refresh_token", "client_credentials"),
        redirect_uris=("https://app.example/cb", "com.example.app:/cb"),
        post_logout_redirect_uris=("https://app.example/left",),
        scopes=("openid", "notes:read"),
        resources=("https://notes.example",),
        application_type="native",
        first_party=True,
        require_pushed_authorization_requests=True,
        dpop_bound_access_tokens=True,
        subject_type="pairwise",
        sector_identifier="app.example",
        security_profile="fapi2",
        token_endpoint_auth_signing_alg="PS256",
        request_object_signing_alg="PS256",
        require_signed_request_object=True,
        id_token_signed_response_alg="ES256",
        userinfo_signed_response_alg="ES256",
        jwks={"keys": [{"kty": "EC", "crv": "P-256", "x": "x", "y": "y"}]},
        backchannel_logout_uri="https://app.example/out",
        backchannel_logout_session_required=True,
        id_token_claims=("email", "groups"),
        introspects=True,
        require_second_factor=True,
        access_token_roles=True,
        attributes=("level",),
        exchanges=("impersonation",),
        assertion_issuers={"https://idp.example": {"jwks_uri": "https://idp.example/keys", "email": True}},
        client_uri="https://app.example/",
        logo_uri="https://app.example/logo.png",
        policy_uri="https://app.example/policy",
        tos_uri="https://app.example/terms",
        access_seconds=60,
        id_token_seconds=90,
        refresh_idle_seconds=600,
        refresh_absolute_seconds=6000,
        operator_set=("client_name",),
        registered_without_scope=True,
        default_scopes=("openid",),
        registration_token="0" * 64,
        expires_at=4_000_000_000,
    )
    without_value = {name for name, usual in asdict(Client(client_id="")).items() if getattr(full, name) == usual}
    # A first-party client needs what `require_pkce` and `require_nonce` require.
    made_here = {"secrets", "created_at", "version"}
    assert without_value == {*made_here, "jwks_uri", "sector_identifier_uri", "require_pkce", "require_nonce"}
    client, secret = manage.create(svc, full)
    assert secret == ""
    assert stored(svc, client) == client == replace(full, created_at=svc.now(), version=client.version)


def test_a_client_without_a_secret_gets_none_whatever_it_brings(svc: Services) -> None:
    client, secret = manage.create(svc, replace(WEB, token_endpoint_auth_method="none", secrets=("0" * 64,)))
    assert (secret, client.secrets) == ("", ())


def test_nobody_brings_a_secret_of_his_own(svc: Services) -> None:
    client, _ = manage.create(svc, replace(WEB, secrets=(clients.digest_of("chosen"),)))
    assert not proves(svc, client, "chosen")


def test_an_id_that_is_taken_stays_its_owners(svc: Services) -> None:
    client, secret = manage.create(svc, replace(WEB, client_id="shop"))
    with pytest.raises(InvalidRequest):
        manage.create(svc, replace(WEB, client_id="shop", client_name="Another"))
    assert stored(svc, client).client_name == "Web"
    assert proves(svc, client, secret)


def test_of_two_that_create_the_same_id_at_once_one_does(svc: Services) -> None:
    def rival() -> None:
        manage.create(svc, replace(WEB, client_id="shop", client_name="Rival"))

    with just_before(svc.clients._client, "PutItem", rival), pytest.raises(InvalidRequest):
        manage.create(svc, replace(WEB, client_id="shop"))
    assert stored(svc, replace(WEB, client_id="shop")).client_name == "Rival"


@pytest.mark.parametrize("client_id", ["", "a#b", "a%23b", "client#shop", "x" * 501, "x" * 2000, "\x00", "ü" * 400])
def test_an_id_that_nobody_has_is_nobodys(svc: Services, client_id: str) -> None:
    assert clients.find(svc, client_id, network=NETWORK) is None


def test_ids_that_look_alike_in_a_key_are_different_clients(svc: Services) -> None:
    for client_id in ("a#b", "a%23b", "a%2523b"):
        manage.create(svc, replace(WEB, client_id=client_id, client_name=client_id))
    assert [stored(svc, replace(WEB, client_id=c)).client_name for c in ("a#b", "a%23b", "a%2523b")] == [
        "a#b",
        "a%23b",
        "a%2523b",
    ]


RIVALS: dict[str, Callable[[Services, Client], object]] = {
    "change": lambda svc, client: manage.change(svc, client, replace(client, client_name="Rival")),
    "secret": lambda svc, client: manage.rotate_secret(svc, client, keep_old=False),
    "deletion": lambda svc, client: manage.delete(svc, client.client_id),
}


@pytest.mark.parametrize("rival", RIVALS)
def test_a_change_never_overwrites_what_came_between(svc: Services, rival: str) -> None:
    client, _ = manage.create(svc, WEB)
    clients_read: list[Client | None] = []

    def step_in() -> None:
        RIVALS[rival](svc, client)
        clients_read.append(clients.find(svc, client.client_id, network=NETWORK))

    with just_before(svc.clients._client, "PutItem", step_in), pytest.raises(TemporarilyUnavailable):
        manage.change(svc, client, replace(client, client_name="Mine"))
    assert [clients.find(svc, client.client_id, network=NETWORK)] == clients_read


def test_a_change_with_what_was_read_long_ago_is_refused(svc: Services) -> None:
    client, _ = manage.create(svc, WEB)
    manage.change(svc, client, replace(client, client_name="Newer"))
    with pytest.raises(TemporarilyUnavailable):
        manage.change(svc, client, replace(client, client_name="Older"))
    assert stored(svc, client).client_name == "Newer"


def test_a_change_that_may_not_be_changes_nothing(svc: Services) -> None:
    client, _ = manage.create(svc, WEB)
    with pytest.raises(InvalidRedirectUri):
        manage.change(svc, client, replace(client, redirect_uris=("javascript:alert(1)",)))
    assert stored(svc, client) == client


def test_a_new_secret_stands_beside_the_old_one_until_the_next(svc: Services) -> None:
    client, first = manage.create(svc, WEB)
    second = manage.rotate_secret(svc, client, keep_old=True)
    assert [proves(svc, client, secret) for secret in (first, second)] == [True, True]
    third = manage.rotate_secret(svc, stored(svc, client), keep_old=True)
    assert [proves(svc, client, secret) for secret in (first, second, third)] == [False, True, True]


def test_a_secret_that_was_betrayed_is_gone_at_once(svc: Services) -> None:
    client, first = manage.create(svc, WEB)
    second = manage.rotate_secret(svc, client, keep_old=False)
    assert [proves(svc, client, secret) for secret in (first, second)] == [False, True]


def test_of_two_new_secrets_at_once_only_the_one_that_is_told_counts(svc: Services) -> None:
    client, first = manage.create(svc, WEB)
    secrets: list[str] = []

    def rival() -> None:
        secrets.append(manage.rotate_secret(svc, client, keep_old=False))

    with just_before(svc.clients._client, "PutItem", rival), pytest.raises(TemporarilyUnavailable):
        manage.rotate_secret(svc, client, keep_old=False)
    assert [proves(svc, client, secret) for secret in (first, *secrets)] == [False, True]


def test_a_public_client_has_no_secret_to_renew(svc: Services) -> None:
    client, _ = manage.create(svc, replace(WEB, token_endpoint_auth_method="none"))
    with pytest.raises(UnauthorizedClient):
        manage.rotate_secret(svc, client, keep_old=True)


def test_a_deleted_client_is_gone_and_is_deleted_once(svc: Services) -> None:
    client, secret = manage.create(svc, WEB)
    manage.delete(svc, client.client_id)
    assert clients.find(svc, client.client_id, network=NETWORK) is None
    assert not proves(svc, client, secret)
    with pytest.raises(NotFound):
        manage.delete(svc, client.client_id)


# What may be registered, also by an operator.


@pytest.mark.parametrize(
    "wrong",
    [
        {"grant_types": ()},
        {"grant_types": ("password",)},
        {"redirect_uris": ()},
        {"token_endpoint_auth_method": "none", "grant_types": ("client_credentials",)},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://a.example/", "jwks": {"keys": [{"kty": "EC"}]}},
        {"application_type": "browser"},
        {"subject_type": "pairwise", "redirect_uris": ("https://a.example/cb", "https://b.example/cb")},
        {"subject_type": "pairwise", "redirect_uris": (), "grant_types": ("client_credentials",)},
        {"backchannel_logout_uri": "https://a.example/#x"},
        {"logo_uri": "data:image/png;base64,x"},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_not_registered(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidClientMetadata):
        check(replace(WEB, **wrong))


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/CB",
        "https://APP.example/cb",
        "HTTPS://app.example/cb",
        "https://app.example/cb/",
        "https://app.example/cb?",
        "https://app.example/cb?x=y",
        "https://app.example/cb#",
        "https://app.example:443/cb",
        "https://app.example:8443/cb",
        "https://app.example/./cb",
        "https://app.example/x/../cb",
        "https://app.example/%63b",
        "https://app.example//cb",
        "https://app.example./cb",
        "https://sub.app.example/cb",
        "https://app.example.evil.example/cb",
        "https://app.example@evil.example/cb",
        "http://app.example/cb",
        " https://app.example/cb",
        "https://app.example/cb\n",
        "",
    ],
)
def test_a_redirect_uri_is_matched_to_the_letter(uri: str) -> None:
    assert WEB.redirects_to("https://app.example/cb")
    assert not WEB.redirects_to(uri)


NATIVE = replace(WEB, application_type="native", redirect_uris=("http://127.0.0.1:8080/cb", "http://[::1]/cb?a=b"))


@pytest.mark.parametrize(
    ("uri", "matches"),
    [
        ("http://127.0.0.1/cb", True),
        ("http://127.0.0.1:1/cb", True),
        ("http://127.0.0.1:65535/cb", True),
        ("http://[::1]:7/cb?a=b", True),
        ("http://[::1]:7/cb", False),
        ("http://127.0.0.1:1/cb/", False),
        ("http://127.0.0.1:1/cb#x", False),
        ("http://127.0.0.1:1/cb?a=b", False),
        ("http://127.0.0.1:1@evil.example/cb", False),
        ("http://127.0.0.1:/cb", False),
        ("http://127.0.0.1:x/cb", False),
        ("http://127.0.0.2:1/cb", False),
        ("http://127.0.0.1.evil.example/cb", False),
        ("http://localhost:8080/cb", False),
        ("https://127.0.0.1:1/cb", False),
    ],
)
def test_of_a_loopback_address_the_port_alone_floats_and_for_native_clients_alone(uri: str, matches: bool) -> None:
    assert NATIVE.redirects_to(uri) == matches
    assert not replace(NATIVE, application_type="web").redirects_to(uri)


@pytest.mark.parametrize("suffix", ["amazonaws.com", "on.aws", "github.io"])
def test_a_sibling_under_a_shared_suffix_is_a_stranger(suffix: str) -> None:
    client = replace(WEB, redirect_uris=(f"https://mine.{suffix}/cb",))
    assert not client.redirects_to(f"https://yours.{suffix}/cb")
    with pytest.raises(InvalidRedirectUri):
        check(replace(WEB, redirect_uris=(f"https://*.{suffix}/cb",)))


def test_a_sector_is_the_one_host_or_what_an_operator_says() -> None:
    assert sector(WEB) == "app.example"
    several = replace(WEB, redirect_uris=("https://a.example/cb", "https://b.example/cb"))
    assert sector(several) == ""
    assert sector(replace(several, sector_identifier="a.example")) == "a.example"
