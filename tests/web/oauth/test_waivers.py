"""A confidential client that an operator has excused from PKCE, or from a nonce besides, and who would profit from it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import InvalidClientMetadata
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from tests.support.browser import (
    VERIFIER,
    App,
    Browser,
    callback_params,
    register,
    send,
    token_response,
)
from tests.support.phone import EMAIL, PASSWORD, Phone, refusal

INVALID_GRANT = (400, "invalid_grant")
WITHOUT: dict[str, Any] = {"code_challenge": None, "code_challenge_method": None}
BOTH = ("require_pkce", "require_nonce")


@pytest.fixture
def excused(svc: Services, phone: Phone) -> App:
    """A client with a secret that need not send a challenge."""
    return register(svc, phone, require_pkce=False)


def error(browser: Browser, app: App, **changes: str | None) -> dict[str, str]:
    """The error that a request comes back with."""
    return callback_params(browser.authorize(app, **changes))


@pytest.mark.parametrize("kind", ["web", "post", "key"])
def test_an_excused_client_gets_its_tokens_without_a_challenge(
    svc: Services, phone: Phone, browser: Browser, kind: str
) -> None:
    app = register(svc, phone, kind, require_pkce=False)
    tokens = token_response(app.redeem(browser.code(app, **WITHOUT), code_verifier=None))
    assert token_response(app.refresh(tokens["refresh_token"]))


def test_an_excused_client_pushes_its_request_without_a_challenge(browser: Browser, excused: App) -> None:
    pushed = excused.post("/oauth/par", excused.request(**WITHOUT))
    assert pushed.status == 201
    page = browser.get("/oauth/authorize", {"client_id": excused.id, "request_uri": pushed.json()["request_uri"]})
    code = callback_params(browser.finish(page))["code"]
    assert refusal(excused.redeem(code)) == INVALID_GRANT
    assert token_response(excused.redeem(code, code_verifier=None))


def test_a_challenge_that_an_excused_client_sends_counts_as_ever(browser: Browser, excused: App) -> None:
    code = browser.code(excused)
    assert refusal(excused.redeem(code, code_verifier=None)) == INVALID_GRANT
    assert refusal(excused.redeem(code, code_verifier="A" * 43)) == INVALID_GRANT
    assert token_response(excused.redeem(code))


@pytest.mark.parametrize(
    "half",
    [
        {"code_challenge": None},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge": "short"},
        {"code_challenge": "", "code_challenge_method": "S256"},
    ],
    ids=str,
)
def test_half_a_challenge_is_none_and_is_refused(browser: Browser, excused: App, half: dict[str, str | None]) -> None:
    assert error(browser, excused, **half)["error"] == "invalid_request"


def test_with_neither_challenge_nor_nonce_a_client_has_to_be_excused_from_both(
    svc: Services, phone: Phone, browser: Browser, excused: App
) -> None:
    refused = error(browser, excused, **WITHOUT, nonce=None)
    assert refused["error"] == "invalid_request"
    assert "require_nonce=no" in refused["error_description"]
    app = register(svc, phone, require_pkce=False, require_nonce=False)
    assert token_response(app.redeem(browser.code(app, **WITHOUT, nonce=None), code_verifier=None))
    no_use = register(svc, phone, require_nonce=False)
    assert error(browser, no_use, **WITHOUT)["error"] == "invalid_request"


def test_a_code_without_challenge_is_refused_with_a_verifier_and_stays_its_owners(
    browser: Browser, excused: App
) -> None:
    # RFC 9700 section 4.8.2: who sends a verifier sent a challenge, and somebody took it out of the request.
    code = browser.code(excused, **WITHOUT)
    for verifier in (VERIFIER, "A" * 43, "x"):
        assert refusal(excused.redeem(code, code_verifier=verifier)) == INVALID_GRANT
    assert token_response(excused.redeem(code, code_verifier=None))


@pytest.mark.parametrize("kind", ["web", "post", "key", "spa", "native"])
def test_a_code_without_challenge_is_worth_nothing_to_another_client(
    svc: Services, phone: Phone, browser: Browser, excused: App, kind: str
) -> None:
    waiver: dict[str, Any] = {} if kind in ("spa", "native") else {"require_pkce": False, "require_nonce": False}
    other = register(svc, phone, kind, **waiver)
    code = browser.code(excused, **WITHOUT)
    assert refusal(other.redeem(code, code_verifier=None)) == INVALID_GRANT
    impostor = replace(excused, secret=other.secret)
    assert refusal(impostor.redeem(code, code_verifier=None)) == (401, "invalid_client")
    by_id_alone = {**excused.redemption(code, code_verifier=None), "client_id": excused.id}
    assert refusal(send(phone, "/oauth/token", by_id_alone)) == (401, "invalid_client")
    assert token_response(excused.redeem(code, code_verifier=None))


def test_a_code_without_challenge_that_is_redeemed_twice_ends_its_session(
    phone: Phone, browser: Browser, excused: App
) -> None:
    code = browser.code(excused, **WITHOUT)
    tokens = token_response(excused.redeem(code, code_verifier=None))
    assert refusal(excused.redeem(code, code_verifier=None)) == INVALID_GRANT
    assert phone.call("GET /oauth/userinfo", token=tokens["access_token"]).status == 401
    assert refusal(excused.refresh(tokens["refresh_token"])) == INVALID_GRANT


def test_a_client_that_becomes_public_loses_the_codes_that_it_got_without_challenge(
    svc: Services, browser: Browser, excused: App
) -> None:
    code = browser.code(excused, **WITHOUT)
    with pytest.raises(InvalidClientMetadata):
        manage.change(svc, excused.client, replace(excused.client, token_endpoint_auth_method="none", secrets=()))
    public = replace(excused.client, token_endpoint_auth_method="none", secrets=(), require_pkce=True)
    now_public = replace(excused, client=manage.change(svc, excused.client, public))
    assert refusal(now_public.redeem(code, code_verifier=None)) == INVALID_GRANT
    assert refusal(now_public.redeem(code)) == INVALID_GRANT


@pytest.mark.parametrize("waiver", BOTH)
@pytest.mark.parametrize("more", [{"token_endpoint_auth_method": "none"}, {"first_party": True}], ids=str)
def test_no_public_and_no_first_party_client_is_excused(
    svc: Services, phone: Phone, waiver: str, more: dict[str, Any]
) -> None:
    with pytest.raises(InvalidClientMetadata) as refused:
        register(svc, phone, **{**more, waiver: False})
    assert f"{waiver}=no is for" in refused.value.description


def test_the_native_challenge_endpoint_is_not_for_excused_clients(phone: Phone, excused: App) -> None:
    fields = {"response_type": "code", "scope": "openid", "nonce": "n", "email": EMAIL, "password": PASSWORD}
    phone.sign_up()
    assert refusal(excused.post("/oauth/authorize-challenge", fields)) == (400, "unauthorized_client")


@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
def test_no_client_excuses_itself_at_registration(svc: Services, phone: Phone, browser: Browser, method: str) -> None:
    object.__setattr__(svc.settings, "registration_open", True)
    metadata = {
        "redirect_uris": ["https://app.example/cb"],
        "token_endpoint_auth_method": method,
        **dict.fromkeys(BOTH, False),
    }
    registered = phone.call("POST /oauth/register", metadata).json()
    assert not set(BOTH) & set(registered)
    client = svc.clients.read(registered["client_id"])
    assert client is not None
    assert client.waivers == ()
    app = App(phone, svc, client, registered.get("client_secret", ""))
    page = browser.authorize(app, **WITHOUT, scope="openid")
    assert page.status == 400
    assert b"code_challenge" in page.body
    assert (b"require_pkce=no" in page.body) is (method != "none")


def logged(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The last line of the log."""
    line: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return line


def test_the_log_of_every_token_that_a_waiver_let_through_says_so(
    svc: Services, phone: Phone, browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    app = register(svc, phone, require_pkce=False, require_nonce=False)
    for request, verifier, waived in (
        ({}, VERIFIER, None),
        (WITHOUT, None, ["require_pkce"]),
        ({**WITHOUT, "nonce": None}, None, ["require_pkce", "require_nonce"]),
    ):
        tokens = token_response(app.redeem(browser.code(app, **request), code_verifier=verifier))
        assert logged(capsys).get("waived") == waived
        token_response(app.refresh(tokens["refresh_token"]))
        assert logged(capsys).get("waived") == waived
    phone.log_in()
    assert "waived" not in logged(capsys)
