import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.config import Settings
from chalicelib.domain.oauth.client import TYPES
from chalicelib.flows.clients import authenticate as flow
from chalicelib.services import Services
from tests.support.aws import on_moto
from tests.support.commands import run
from tests.support.forge import jwk, stranger
from tests.support.phone import NETWORK, Clock, Phone, installed

WEB = (
    "client_name=Notes for the web",
    "redirect_uris=https://a.example/cb https://b.example/cb",
    "scopes=openid email",
)


def did(capsys: pytest.CaptureFixture[str], svc: Services, *arguments: str) -> tuple[dict[str, Any], str]:
    run("clients", *arguments, on=svc)
    registration, _, secret = capsys.readouterr().out.partition("client_secret (told this once): ")
    return json.loads(registration), secret.strip()


def works(svc: Services, client_id: str, secret: str) -> bool:
    try:
        flow.authenticate(svc, {"client_id": client_id, "client_secret": secret}, "", network=NETWORK)
    except Exception:
        return False
    return True


def test_a_client_is_created_with_what_was_typed_and_its_secret_works(
    svc: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    registration, secret = did(
        capsys,
        svc,
        "create",
        *WEB,
        "first_party=yes",
        "access_seconds=600",
        "token_endpoint_auth_method=client_secret_post",
    )
    client = svc.clients.read(registration["client_id"])
    assert client is not None
    assert client.redirect_uris == ("https://a.example/cb", "https://b.example/cb")
    assert client.scopes == ("openid", "email")
    assert (client.client_name, client.first_party, client.access_seconds) == ("Notes for the web", True, 600)
    assert works(svc, client.client_id, secret)


@pytest.mark.usefixtures("aws")
def test_all_clients_are_listed_with_what_each_may_beyond_the_usual(
    settings: Settings, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    svc = on_moto(settings, now=clock)  # which the list asks by itself
    with installed(svc):
        Phone(clock).sign_up()  # the table has others than clients
    run("clients", "list", on=svc)
    assert "No clients yet" in capsys.readouterr().out
    did(capsys, svc, "create", "--id", "wiki", *WEB, "require_pkce=no")
    did(capsys, svc, "create", "--id", "api", *WEB, "introspects=yes")
    key = f"jwks={json.dumps({'keys': [jwk(stranger('ES256'))]})}"
    keyed = ("security_profile=fapi2", "token_endpoint_auth_method=private_key_jwt", key)
    did(capsys, svc, "create", "--id", "bank", *WEB, *keyed)
    run("clients", "list", on=svc)
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == ["api", "bank", "wiki"]
    assert [row.split()[-1] for row in rows] == ["introspects", "security_profile=fapi2", "require_pkce=no"]


def test_all_that_holds_is_printed_what_was_not_chosen_too(svc: Services, capsys: pytest.CaptureFixture[str]) -> None:
    created, _ = did(capsys, svc, "create", "--id", "shop", *WEB, "access_seconds=60")
    assert did(capsys, svc, "show", "shop")[0] == created
    assert set(created) == set(TYPES)
    assert (created["token_endpoint_auth_method"], created["require_pkce"]) == ("client_secret_basic", True)
    lifetimes = ("access_seconds", "id_token_seconds", "refresh_idle_seconds", "refresh_absolute_seconds")
    day = 24 * 3600
    assert [created[name] for name in lifetimes] == [60, 60, 30 * day, 365 * day]


@pytest.mark.parametrize(
    ("typed", "way_out"),
    [
        (("redirect_uris=https://a.example/cb",), "scopes=openid"),
        (("scopes=openid", "grant_types=refresh_token"), "grant_types=authorization_code refresh_token"),
    ],
)
def test_a_client_that_can_get_no_token_is_made_and_the_way_out_said(
    svc: Services, capsys: pytest.CaptureFixture[str], typed: tuple[str, ...], way_out: str
) -> None:
    run("clients", "create", "--id", "shop", *typed, on=svc)
    assert f"clients change shop {way_out}" in capsys.readouterr().err.replace('"', "")


def test_a_scope_is_given_as_scopes_and_whoever_types_it_otherwise_is_told(svc: Services) -> None:
    with pytest.raises(SystemExit, match="did you mean scopes"):
        run("clients", "create", *WEB[:2], "scope=openid", on=svc)


def test_a_public_client_under_an_id_of_its_own_has_no_secret(
    svc: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    registration, secret = did(capsys, svc, "create", "--id", "my-app", *WEB, "token_endpoint_auth_method=none")
    assert (registration["client_id"], secret) == ("my-app", "")
    with pytest.raises(SystemExit, match="taken"):
        run("clients", "create", "--id", "my-app", *WEB, on=svc)


def test_what_is_shown_has_no_digest_in_it(svc: Services, capsys: pytest.CaptureFixture[str]) -> None:
    _, secret = did(capsys, svc, "create", "--id", "my-app", *WEB)
    registration, again = did(capsys, svc, "show", "my-app")
    assert again == ""
    assert flow.digest_of(secret) not in json.dumps(registration)
    assert registration["client_name"] == "Notes for the web"


def test_a_change_leaves_the_rest_and_the_secret_as_they_were(
    svc: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    before, secret = did(capsys, svc, "create", *WEB, "token_endpoint_auth_method=client_secret_post")
    registration, none = did(capsys, svc, "change", before["client_id"], "scopes=openid")
    assert (registration["scopes"], none) == (["openid"], "")
    assert registration["redirect_uris"] == before["redirect_uris"]
    assert works(svc, before["client_id"], secret)


def test_a_rotation_keeps_the_old_secret_unless_told_otherwise(
    svc: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    registration, first = did(capsys, svc, "create", *WEB, "token_endpoint_auth_method=client_secret_post")
    name = registration["client_id"]
    _, second = did(capsys, svc, "rotate-secret", name)
    assert [works(svc, name, secret) for secret in (first, second)] == [True, True]
    _, third = did(capsys, svc, "rotate-secret", name, "--at-once")
    assert [works(svc, name, secret) for secret in (first, second, third)] == [False, False, True]


def test_a_deleted_client_is_gone(svc: Services, capsys: pytest.CaptureFixture[str]) -> None:
    did(capsys, svc, "create", "--id", "my-app", *WEB)
    run("clients", "delete", "my-app", on=svc)
    assert svc.clients.read("my-app") is None


def test_a_scope_that_is_still_to_come_is_taken_if_it_is_meant(
    svc: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    registration, _ = did(capsys, svc, "create", *WEB[:2], "scopes=machines:start", "--new-scopes")
    assert registration["scopes"] == ["machines:start"]
    registration, _ = did(
        capsys, svc, "change", registration["client_id"], "scopes=machines:start openid"
    )  # it has it already
    assert registration["scopes"] == ["machines:start", "openid"]


def test_a_scope_of_a_registered_api_is_known(svc: Services, capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"name": "shop", "revocation": "stateless", "answer": "policy", "scopes": {"GET /carts": "carts:read"}}
    Path(svc.settings.apis_file).write_text(json.dumps({"a1b2c3d4e5": entry}))
    assert did(capsys, svc, "create", *WEB[:2], "scopes=carts:read")[0]["scopes"] == ["carts:read"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "scopes"], "name=value"),
        (["create", "secrets=x"], "name=value"),
        (["create", "colour=blue"], "name=value"),
        (["create", "first_party=perhaps"], "yes or no"),
        (["create", "jwks={"], "JSON"),
        (["create", "redirect_uris=http://a.example/cb"], "redirect URI"),
        (
            ["create", "subject_type=pairwise", "redirect_uris=https://a.example/ https://b.example/"],
            "sector_identifier",
        ),
        (["create", "scope=openid"], "^'scope' is no metadata of a client; did you mean scopes"),
        (["create", "acces_seconds=60"], "did you mean access_seconds"),
        (["create", "access_seconds=5min"], "^access_seconds=5min: it is seconds, a whole number up to 86400"),
        (["create", "access_seconds=-1"], "^access_seconds=-1: it is seconds"),
        (["create", "access_seconds=86401"], "^access_seconds=86401: it is seconds"),
        (["create", "refresh_idle_seconds=1e3"], "^refresh_idle_seconds=1e3: it is seconds"),
        (["create", "first_party=true"], "^first_party=true: it is yes or no"),
        (["create", "jwks=[]"], "^jwks=.*JSON"),
        (["create", "assertion_issuers=https://idp.example"], "^assertion_issuers=.*JSON, a few issuers"),
        (["create", *WEB, 'assertion_issuers={"https://idp.example": {}}'], "`assertion_issuers` is a few issuers"),
        (["create", "scopes=openid emial"], "^scopes=emial: nothing here knows it; did you mean email"),
        (["create", "scopes=note:read"], "did you mean notes:read"),
        (["create", "scopes=notes:red"], "--new-scopes"),
        (["create", "grant_types=device_code"], "did you mean urn:ietf:params:oauth:grant-type:device_code"),
        (["create", "token_endpoint_auth_method=client_secret"], "did you mean client_secret_"),
        (["create", "application_type=desktop"], "^application_type=desktop: there is no such. There are native, web"),
        (["create", "exchanges=impersonate"], "did you mean impersonation"),
        (
            ["create", "redirect_uris=https://a.example/", "logo_uri=http://a.example/x"],
            "`logo_uri`.*http://a.example/x",
        ),
        (["create", "redirect_uris=http://a.example/"], "^http://a.example/ cannot be.* it is https or http at 127"),
        (["show", "nobody"], "no client 'nobody'"),
        (["change", "nobody", "scopes=openid"], "no client"),
        (["rotate-secret", "nobody"], "no client"),
        (["delete", "nobody"], "no client 'nobody'"),
        (["show", "\udcff"], "^The id is not in UTF-8"),
        (["create", *WEB[1:], "client_name=Caf\udce9"], r"^client_name is not in UTF-8: 'Caf\\udce9'"),
        (
            ["create", "redirect_uris=https://a.example/", "redirect_uris=https://b.example/"],
            "redirect_uris is given twice",
        ),
        (["create", *WEB, "resources=mcp.example"], "^resources=mcp.example: it is a URI without a fragment"),
        (["create", *WEB, "resources=https://a.example#b"], "^resources=https://a.example#b: it is a URI without"),
        (["create", "redirect_uris=https://a.example/,https://b.example/"], "spaces, not commas"),
        (["create", *WEB, "subject_type=public pairwise"], "^subject_type=public pairwise: there is no such"),
        (["create", *WEB, "token_endpoint_auth_method="], "^token_endpoint_auth_method=: there is no such"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(svc: Services, arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=message) as ended:
        run("clients", *arguments, on=svc)
    assert "\n" not in str(ended.value)
