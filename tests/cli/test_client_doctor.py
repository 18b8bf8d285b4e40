"""`./latchkey clients doctor`: a newcomer whose client is refused finds the mend in what it prints."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.oauth.causes import CAUSES
from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, CODE, REFRESH
from chalicelib.services import Services
from tests.support.browser import App, Browser, register
from tests.support.commands import run
from tests.support.internet import Page, running
from tests.support.phone import Clock, Phone


def printed(capsys: pytest.CaptureFixture[str], svc: Services, *arguments: str) -> str:
    capsys.readouterr()
    run("clients", "doctor", *arguments, on=svc)
    return capsys.readouterr().out


def test_the_last_refusals_are_told_with_time_setting_and_way_out(
    svc: Services, phone: Phone, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    app = register(svc, phone, client_id="wiki", client_name="Wiki")
    Browser(phone).authorize(app, code_challenge=None)
    clock.advance(5)
    App(phone, svc, app.client, "wrong").token(CLIENT_CREDENTIALS)
    diagnosis_text = printed(capsys, svc, "wiki")
    # 1,800,000,000 is 2027-01-15 08:00:00 UTC.
    assert "2027-01-15 08:00:00  no PKCE (require_pkce)" in diagnosis_text
    assert "2027-01-15 08:00:05  wrong secret (secrets)" in diagnosis_text
    assert diagnosis_text.index("wrong secret") < diagnosis_text.index("no PKCE")
    for cause in ("no PKCE", "wrong secret"):
        assert CAUSES[cause].words in diagnosis_text
        assert CAUSES[cause].way_out in diagnosis_text
    diagnosis = json.loads(printed(capsys, svc, "wiki", "--json"))
    assert set(diagnosis) == {"client_id", "client_name", "refusals", "holds", "warnings"}
    assert diagnosis["refusals"][0] == {
        "reason": "wrong secret",
        "at": "2027-01-15 08:00:05",
        **CAUSES["wrong secret"]._asdict(),
    }
    assert diagnosis["refusals"][1]["reason"] == "no PKCE"


def test_a_client_that_nobody_refused_and_that_is_as_usual_has_nothing(
    svc: Services, phone: Phone, capsys: pytest.CaptureFixture[str]
) -> None:
    register(svc, phone, client_id="wiki")
    diagnosis = json.loads(printed(capsys, svc, "wiki", "--json"))
    assert (diagnosis["refusals"], diagnosis["holds"], diagnosis["warnings"]) == ([], [], [])
    assert "No refusal is known." in printed(capsys, svc, "wiki")


@pytest.mark.parametrize(
    ("kind", "metadata", "words"),
    [
        ("web", {"require_pkce": False}, "require_pkce=no: who steals a code"),
        ("web", {"require_pkce": False, "require_nonce": False}, "require_nonce=no: with neither"),
        ("key", {"security_profile": "fapi2"}, "security_profile=fapi2: it pushes"),
        ("web", {"dpop_bound_access_tokens": True}, "DPoP proofs"),
        ("key", {"require_signed_request_object": True}, "sign its authorization requests"),
        ("web", {"require_pushed_authorization_requests": True}, "push its authorization requests"),
    ],
)
def test_waivers_and_what_is_demanded_beyond_the_usual_are_told(
    svc: Services,
    phone: Phone,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    metadata: dict[str, Any],
    words: str,
) -> None:
    register(svc, phone, kind, client_id="wiki", **metadata)
    assert words in printed(capsys, svc, "wiki")


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"scopes": ()}, "scopes=openid"),
        ({"grant_types": (REFRESH,)}, f"grant_types={CODE} {REFRESH}"),
        ({"grant_types": (CODE, CLIENT_CREDENTIALS), "scopes": ("openid",)}, "no scope of its own"),
        ({"scopes": ("openid",)}, "offline_access"),
        ({"scopes": ("openid", "offline_access", "nots:read")}, "knows the scopes nots:read"),
        ({"scopes": ("openid", "offline_access"), "id_token_claims": ("email",)}, "id_token_claims email"),
        ({"backchannel_logout_session_required": True}, "of no use without backchannel_logout_uri"),
    ],
)
def test_what_cannot_work_is_told_with_the_way_out(
    svc: Services, phone: Phone, capsys: pytest.CaptureFixture[str], metadata: dict[str, Any], words: str
) -> None:
    register(svc, phone, client_id="wiki", **metadata)
    assert words in printed(capsys, svc, "wiki")


def test_what_an_earlier_release_took_and_would_refuse_today_is_told(
    svc: Services, phone: Phone, capsys: pytest.CaptureFixture[str]
) -> None:
    client = register(svc, phone, client_id="wiki").client
    changes: tuple[tuple[dict[str, Any], str], ...] = (
        ({"backchannel_logout_uri": "https://wiki.example:8443/out"}, "`backchannel_logout_uri` cannot be called"),
        ({"jwks": {"keys": [{"kty": "RSA", "n": "AA", "e": "AQAB"}]}}, "2048 bits"),
    )
    for change, words in changes:
        stored = svc.clients.read("wiki")
        assert stored
        svc.clients.replace(stored, replace(client, version=stored.version + 1, **change))
        assert words in printed(capsys, svc, "wiki")


def test_a_client_is_compared_with_what_a_product_needs(
    svc: Services, phone: Phone, capsys: pytest.CaptureFixture[str]
) -> None:
    register(svc, phone, client_id="proxy", scopes=("openid", "offline_access"))
    assert "oauth2-proxy needs scopes=openid email profile." in printed(capsys, svc, "proxy", "--for", "oauth2-proxy")
    register(svc, phone, client_id="fit", scopes=("openid", "offline_access", "email", "profile"))
    assert json.loads(printed(capsys, svc, "fit", "--for", "oauth2-proxy", "--json"))["warnings"] == []


def test_an_id_that_is_no_clients_is_told_to_be_none(svc: Services) -> None:
    with pytest.raises(SystemExit, match="no client 'nobody'"):
        run("clients", "doctor", "nobody", on=svc)


def test_of_a_client_with_a_document_it_is_told_what_is_wrong_with_that(
    svc: Services, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "https://app.example/client.json"
    document = {"client_id": url, "redirect_uris": ["https://app.example/cb"]}
    with running(tmp_path, "app.example") as internet:
        svc = replace(svc, fetch=internet.fetch(), settings=replace(svc.settings, client_documents=True))
        internet.pages[url] = Page(json.dumps({**document, "client_name": 7}).encode())
        with pytest.raises(SystemExit, match=r"no good here: .*client_name"):
            run("clients", "doctor", url, on=svc)
        other = url.replace("client", "other")
        internet.pages[other] = Page(json.dumps({**document, "client_id": other}).encode())
        assert json.loads(printed(capsys, svc, other, "--json"))["client_id"] == other
