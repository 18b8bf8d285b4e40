"""Revocation (RFC 7009): what ends, what does not, and what is said about it."""

import pytest

from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, TOKEN_EXCHANGE
from chalicelib.services import Services
from tests.support import wire
from tests.support.browser import App, Browser, register, send, token_response
from tests.support.phone import Phone, refusal

ACCESS = "urn:ietf:params:oauth:token-type:access_token"


def alive(app: App, tokens: dict[str, str]) -> bool:
    """Whether a session goes on, by its access token."""
    return app.phone.call("GET /oauth/userinfo", token=tokens["access_token"]).status == 200


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "id_token", "x"])
def test_either_token_ends_the_session_whatever_the_hint(
    browser: Browser, app: App, kind: str, hint: str | None
) -> None:
    tokens, other = app.tokens(browser), app.tokens(browser)
    hint_params = {"token_type_hint": hint} if hint else {}
    for _ in range(2):  # RFC 7009 section 2.2: what is revoked already is as good as revoked now
        answer = app.post("/oauth/revoke", {"token": tokens[kind], **hint_params})
        assert (answer.status, answer.body) == (200, b"")
    assert not alive(app, tokens)
    assert refusal(app.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
    assert alive(app, other)


def test_any_generation_of_a_refresh_token_revokes(browser: Browser, app: App) -> None:
    first = app.tokens(browser)
    second = token_response(app.refresh(first["refresh_token"]))
    third = token_response(app.refresh(second["refresh_token"]))
    assert app.post("/oauth/revoke", {"token": first["refresh_token"]}).status == 200
    assert refusal(app.refresh(third["refresh_token"])) == (400, "invalid_grant")


@pytest.mark.parametrize("kind", ["web", "post", "key", "spa", "native", "machine"])
def test_another_clients_token_is_a_200_without_effect(
    browser: Browser, app: App, svc: Services, phone: Phone, kind: str
) -> None:
    tokens = app.tokens(browser)
    thief = register(svc, phone, kind)
    for text in (tokens["access_token"], tokens["refresh_token"], tokens["id_token"]):
        answer = thief.post("/oauth/revoke", {"token": text})
        assert (answer.status, answer.body) == (200, b"")
    assert alive(app, tokens)
    token_response(app.refresh(tokens["refresh_token"]))


def test_the_json_apis_session_cannot_be_revoked_by_an_oauth_client(app: App, phone: Phone) -> None:
    session = phone.sign_up()
    for text in (session["access_token"], session["refresh_token"]):
        assert app.post("/oauth/revoke", {"token": text}).status == 200
    assert phone.call("GET /me", token=session["access_token"]).status == 200


def test_what_is_no_token_is_a_200_without_effect(browser: Browser, app: App) -> None:
    code = browser.code(app)
    tokens = app.tokens(browser)
    cookie = browser.cookies["__Host-latchkey-session"]
    bent = tokens["access_token"][:-4] + "AAAA"
    for text in ("x", "é", "x" * 8000, "e30.e30.", bent, tokens["refresh_token"][:-1], tokens["id_token"], cookie):
        assert app.post("/oauth/revoke", {"token": text}).status == 200
    assert alive(app, tokens)
    token_response(app.redeem(code))


def test_what_cannot_be_revoked_is_not_said_to_be(browser: Browser, app: App, svc: Services, phone: Phone) -> None:
    """RFC 7009 section 2.2.1: a token in no session of its client's is good until it expires."""
    machine, service = register(svc, phone, "machine"), register(svc, phone, "exchanger")
    tokens = app.tokens(browser)
    subject = {"subject_token": tokens["access_token"], "subject_token_type": ACCESS}
    exchanged = token_response(service.token(TOKEN_EXCHANGE, **subject))["access_token"]
    own = token_response(machine.token(CLIENT_CREDENTIALS))["access_token"]
    for client, token in ((machine, own), (service, exchanged)):
        for _ in range(2):
            assert refusal(client.post("/oauth/revoke", {"token": token})) == (400, "unsupported_token_type")
    assert alive(app, tokens)
    app.post("/oauth/revoke", {"token": tokens["refresh_token"]})
    assert refusal(service.post("/oauth/revoke", {"token": exchanged})) == (400, "unsupported_token_type")
    # Whose token it is, nobody else is told by it.
    for client, token in ((service, own), (machine, exchanged), (app, exchanged)):
        assert client.post("/oauth/revoke", {"token": token}).status == 200


def test_without_a_token_or_with_two_it_is_malformed(browser: Browser, app: App) -> None:
    tokens = app.tokens(browser)
    malformed = (400, "invalid_request")
    assert refusal(app.post("/oauth/revoke", {})) == malformed
    assert refusal(app.post("/oauth/revoke", {"token": ""})) == malformed
    assert refusal(app.post("/oauth/revoke", {"token": "x" * 33_000})) == malformed
    assert refusal(app.post("/oauth/revoke", [("token", tokens["refresh_token"])] * 2)) == malformed
    assert refusal(app.post(f"/oauth/revoke?token={tokens['refresh_token']}", {})) == malformed
    assert alive(app, tokens)


def test_a_public_client_revokes_its_own_tokens_by_its_id(browser: Browser, svc: Services, phone: Phone) -> None:
    app = register(svc, phone, "spa")
    tokens = app.tokens(browser)
    assert refusal(send(phone, "/oauth/revoke", {"token": tokens["refresh_token"]})) == (401, "invalid_client")
    assert alive(app, tokens)
    assert app.post("/oauth/revoke", {"token": tokens["refresh_token"]}).status == 200
    assert not alive(app, tokens)


@pytest.mark.parametrize("place", [1, 2])
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_storage_failure_is_a_503_and_never_a_false_success(
    browser: Browser, app: App, svc: Services, kind: str, place: int
) -> None:
    tokens = app.tokens(browser)
    failing = wire.Wire(fail_at=place, failure=wire.refusing("ThrottlingException"))
    with wire.watched(svc, failing):
        assert refusal(app.post("/oauth/revoke", {"token": tokens[kind]})) == (503, "temporarily_unavailable")
    assert failing.calls == ["GetItem", "TransactWriteItems"][:place]
    assert alive(app, tokens)
    assert app.post("/oauth/revoke", {"token": tokens[kind]}).status == 200
    assert not alive(app, tokens)
