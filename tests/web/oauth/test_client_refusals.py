"""What a client was refused for: said to it, in the log and kept for its operator, and what strangers make of that."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.oauth.causes import CAUSES
from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, DEVICE_CODE, MEMBERS, REFRESH, TOKEN_EXCHANGE
from chalicelib.flows.clients import manage, refusals
from chalicelib.flows.oauth import dpop
from chalicelib.services import Services
from chalicelib.store import refusals as store
from chalicelib.store.aws.client import Transport
from local.gateway import Answer
from tests.support import wire
from tests.support.aws import container
from tests.support.browser import (
    ASSERTION_TYPE,
    ISSUER,
    App,
    Browser,
    basic,
    callback_params,
    register,
    send,
    token_response,
)
from tests.support.forge import PrivateKey, jwk, stranger
from tests.support.internet import Page, running
from tests.support.issuer import Issuer, present, trusting
from tests.support.phone import Clock, Phone, installed, refusal
from tests.support.prover import Prover

DAY, MINUTE = 24 * 3600, 60
MARK = "marked-by-a-stranger"


@dataclass
class Room:
    """What a refusal may need."""

    svc: Services
    phone: Phone
    browser: Browser
    clock: Clock

    def app(self, kind: str = "web", **metadata: Any) -> App:
        """A client."""
        return register(self.svc, self.phone, kind, **metadata)


@pytest.fixture
def room(svc: Services, phone: Phone, browser: Browser, clock: Clock) -> Room:
    """A deployment with a user."""
    return Room(svc, phone, browser, clock)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def by_secret(app: App, secret: str) -> Answer:
    return send(
        app.phone,
        "/oauth/token",
        {"grant_type": CLIENT_CREDENTIALS},
        headers=[("Authorization", basic(app.id, secret))],
    )


def by_assertion(app: App, **changes: Any) -> Answer:
    fields = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": app.assertion(**changes), "token": "x"}
    return send(app.phone, "/oauth/revoke", fields)


def signed_by_another(app: App) -> Answer:
    return by_assertion(replace(app, key=stranger("ES256")))


def twice(app: App) -> Answer:
    by_assertion(app, jti="1")
    return by_assertion(app, jti="1")


def redeemed(room: Room, app: App) -> Answer:
    return app.redeem(room.browser.code(app))


def redeemed_late(room: Room, app: App) -> Answer:
    code = room.browser.code(app)
    room.clock.advance(61)
    return app.redeem(code)


def redeemed_twice(room: Room, app: App) -> Answer:
    code = room.browser.code(app)
    token_response(app.redeem(code))
    return app.redeem(code)


def redeemed_by_another(room: Room, app: App) -> Answer:
    return app.redeem(room.browser.code(room.app()))


def refreshed_with_an_old_one(room: Room, app: App) -> Answer:
    tokens = app.tokens(room.browser)
    again = token_response(app.refresh(tokens["refresh_token"]))
    token_response(app.refresh(again["refresh_token"]))
    room.clock.advance(60)
    return app.refresh(tokens["refresh_token"])


def refreshed_by_another(room: Room, app: App) -> Answer:
    return app.refresh(room.app().tokens(room.browser)["refresh_token"])


def refreshed_without_scope(room: Room, app: App) -> Answer:
    tokens = app.tokens(room.browser)
    manage.change(room.svc, app.client, replace(app.client, scopes=()))
    return app.refresh(tokens["refresh_token"])


def headless_assertion(app: App) -> Answer:
    _, claims, signature = app.assertion().split(".")
    fields = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": f"e.{claims}.{signature}", "token": "x"}
    return send(app.phone, "/oauth/revoke", fields)


def with_nonce(room: Room, key: PrivateKey) -> Prover:
    prover = Prover(room.clock, key)
    prover.nonce = dpop.nonce(room.svc)
    return prover


def proved_by_rsa(room: Room, app: App) -> Answer:
    prover = with_nonce(room, stranger("RS256"))
    return app.token(CLIENT_CREDENTIALS, headers=prover.headers(header={"alg": "RS256"}))


def proved_twice(room: Room, app: App) -> Answer:
    headers = with_nonce(room, stranger("ES256")).headers()
    token_response(app.token(CLIENT_CREDENTIALS, headers=headers))
    return app.token(CLIENT_CREDENTIALS, headers=headers)


def redeemed_by_another_key(room: Room, app: App) -> Answer:
    prover = with_nonce(room, stranger("ES256"))
    return app.redeem(room.browser.code(app, dpop_jkt="x" * 43), headers=prover.headers())


def exchanged(room: Room, app: App) -> Answer:
    kind = "urn:ietf:params:oauth:token-type:access_token"
    return app.token(TOKEN_EXCHANGE, subject_token=room.phone.log_in()["access_token"], subject_token_type=kind)


Deed = Callable[[Room, App], Answer]
# What the client is, what it does, and which of its settings is then named.
REFUSED: dict[str, tuple[str, dict[str, Any], Deed, str]] = {
    "another method": ("spa", {}, lambda _, app: by_secret(app, "x"), "token_endpoint_auth_method"),
    "wrong secret": ("web", {}, lambda _, app: by_secret(app, MARK), "secrets"),
    "assertion's signature": ("key", {}, lambda _, app: signed_by_another(app), "jwks"),
    "assertion's algorithm": (
        "key", {"token_endpoint_auth_signing_alg": "PS256"}, lambda _, app: by_assertion(app), "token_endpoint_auth_signing_alg",
    ),
    "assertion for another": ("key", {}, lambda _, app: by_assertion(app, aud=MARK), ""),
    "assertion for another audience": (
        "key", {"security_profile": "fapi2"}, lambda _, app: by_assertion(app, aud=[ISSUER]), "security_profile",
    ),
    "assertion expired or too long-lived": ("key", {}, lambda _, app: by_assertion(app, exp=1), ""),
    "assertion not yet valid": ("key", {}, lambda _, app: by_assertion(app, iat=2_000_000_000), ""),
    "assertion without jti": ("key", {}, lambda _, app: by_assertion(app, jti=None), ""),
    "assertion replayed": ("key", {}, lambda _, app: twice(app), ""),
    "assertion is a request object": ("key", {}, lambda _, app: by_assertion(app, scope=MARK), ""),
    "grant type": ("web", {}, lambda _, app: app.token(CLIENT_CREDENTIALS), "grant_types"),
    "no PKCE": ("web", {}, lambda room, app: room.browser.authorize(app, code_challenge=None), "require_pkce"),
    "no nonce": (
        "web", {"require_pkce": False},
        lambda room, app: room.browser.authorize(app, code_challenge=None, code_challenge_method=None, nonce=None),
        "require_nonce",
    ),
    "not pushed": (
        "web", {"require_pushed_authorization_requests": True}, lambda room, app: room.browser.authorize(app),
        "require_pushed_authorization_requests",
    ),
    "not signed": (
        "key", {"require_signed_request_object": True}, lambda room, app: room.browser.authorize(app),
        "require_signed_request_object",
    ),
    "request object's key": (
        "key", {}, lambda room, app: room.browser.authorize(app, request=replace(app, key=stranger("ES256")).assertion()), "jwks",
    ),
    "request object's algorithm": (
        "key", {"request_object_signing_alg": "PS256"}, lambda room, app: room.browser.authorize(app, request=app.assertion()),
        "request_object_signing_alg",
    ),
    "invalid_request_object": (
        "key", {}, lambda room, app: room.browser.authorize(app, request=app.assertion()), "",
    ),
    "redirect URI": (
        "web", {}, lambda room, app: room.browser.authorize(app, redirect_uri=f"https://{MARK}.example/"), "redirect_uris",
    ),
    "post-logout URI": (
        "web", {},
        lambda room, app: room.browser.get(
            "/oauth/logout", {"client_id": app.id, "post_logout_redirect_uri": f"https://{MARK}.example/"}
        ),
        "post_logout_redirect_uris",
    ),
    "invalid_scope": ("web", {}, lambda room, app: room.browser.authorize(app, scope=MARK), "scopes"),
    "invalid_target": ("web", {}, lambda room, app: room.browser.authorize(app, resource=f"https://{MARK}"), "resources"),
    "invalid_request": ("web", {}, lambda _, app: app.token(REFRESH), ""),
    "unsupported_grant_type": ("web", {}, lambda _, app: app.token("password", password=MARK), ""),
    "unsupported_response_type": ("web", {}, lambda room, app: room.browser.authorize(app, response_type=MARK), ""),
    "request_not_supported": ("web", {}, lambda room, app: room.browser.authorize(app, request="e30.e30."), "jwks"),
    "request_uri_not_supported": (
        "web", {}, lambda room, app: room.browser.authorize(app, request_uri=f"https://{MARK}"), "",
    ),
    "invalid_request_uri": (
        "web", {}, lambda room, app: room.browser.authorize(app, request_uri=f"urn:ietf:params:oauth:request_uri:{MARK}"), "",
    ),
    "unmet_authentication_requirements": (
        "web", {},
        lambda room, app: room.browser.authorize(app, claims='{"id_token":{"acr":{"essential":true,"value":"gold"}}}'), "",
    ),
    "no DPoP proof": (
        "web", {"dpop_bound_access_tokens": True}, redeemed, "dpop_bound_access_tokens",
    ),
    "not first-party": ("web", {}, lambda _, app: app.post("/oauth/authorize-challenge", {}), "first_party"),
    "may not introspect": ("web", {}, lambda _, app: app.post("/oauth/introspect", {"token": MARK}), "introspects"),
    "code for another redirect URI": (
        "web", {}, lambda room, app: app.redeem(room.browser.code(app), redirect_uri=f"https://{MARK}"), "redirect_uris",
    ),
    "code without its verifier": (
        "web", {}, lambda room, app: app.redeem(room.browser.code(app), code_verifier=None), "require_pkce",
    ),
    "code of another client": ("web", {}, redeemed_by_another, ""),
    "code expired": ("web", {}, redeemed_late, ""),
    "code replayed": ("web", {}, redeemed_twice, ""),
    "assertion malformed": ("key", {}, lambda _, app: headless_assertion(app), ""),
    "DPoP algorithm": (
        "key", {"security_profile": "fapi2", "grant_types": (CLIENT_CREDENTIALS,), "redirect_uris": ()}, proved_by_rsa,
        "security_profile",
    ),
    "invalid_dpop_proof": ("machine", {}, proved_twice, ""),
    "code of another key": ("web", {}, redeemed_by_another_key, ""),
    "may not exchange": ("exchanger", {"exchanges": ("delegation",)}, exchanged, "exchanges"),
    "refresh token reused": ("web", {}, refreshed_with_an_old_one, ""),
    "refresh token of another client": ("web", {}, refreshed_by_another, ""),
    "taken from its client": ("web", {}, refreshed_without_scope, "scopes"),
}  # fmt: skip


@pytest.mark.parametrize("cause", REFUSED)
def test_a_refusal_is_said_in_the_log_and_kept_for_the_operator_with_the_setting_concerned(
    room: Room, capsys: pytest.CaptureFixture[str], cause: str
) -> None:
    kind, metadata, deed, setting = REFUSED[cause]
    app = room.app(kind, **metadata)
    lines(capsys)
    deed(room, app)
    logged = lines(capsys)[-1]
    assert logged["outcome"] != "ok"
    assert logged.get("reason", "").partition(":")[0] == cause or logged["outcome"] == cause
    assert (logged["client"], logged.get("setting", "")) == (app.id, setting)
    assert refusals.of_client(room.svc, app.client) == {cause: room.clock()}
    assert setting == CAUSES[cause].setting
    stored = stored_item(room.svc, app)
    assert set(stored) == {"pk", "sk", "v", "expires_at", cause}  # nothing of what was sent
    assert MARK not in json.dumps([stored, logged])


def stored_item(svc: Services, app: App) -> dict[str, Any]:
    dynamodb, _ = wire.clients(svc)
    answer = dynamodb.call("GetItem", TableName=svc.settings.grants_table, Key=store._key(app.id))
    item: dict[str, Any] = answer.get("Item", {})
    return item


def test_every_cause_is_tried_and_its_setting_is_one() -> None:
    assert set(CAUSES) == set(REFUSED) | {"issuer's assertion", "keys unreadable"}
    assert {cause.setting for cause in CAUSES.values()} - {""} <= set(MEMBERS)


def test_a_device_code_of_another_client_is_a_code_of_another_client(room: Room) -> None:
    app, other = room.app("television"), room.app("television")
    code = other.post("/oauth/device", {}).json()["device_code"]
    assert refusal(app.token(DEVICE_CODE, device_code=code)) == (400, "invalid_grant")
    assert list(refusals.of_client(room.svc, app.client)) == ["code of another client"]


def test_who_signs_for_users_is_a_setting_too(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    issuer = Issuer()
    app = trusting(room.svc, room.phone, issuer)
    present(app, issuer.assertion(MARK, now=room.clock(), aud=MARK))
    logged = lines(capsys)[-1]
    assert (logged["client"], logged["setting"]) == (app.id, "assertion_issuers")
    assert list(refusals.of_client(room.svc, app.client)) == ["issuer's assertion"]


def test_keys_that_cannot_be_read_are_named(svc: Services, clock: Clock, tmp_path: Path) -> None:
    with running(tmp_path, "keys.example") as internet:
        svc = replace(svc, fetch=internet.fetch())
        with installed(svc):
            app = register(svc, Phone(clock), "key", jwks={}, jwks_uri="https://keys.example/none")
            assert by_assertion(app).status == 503
            assert list(refusals.of_client(svc, app.client)) == ["keys unreadable"]


# What strangers make of it.
def writes(traffic: wire.Wire) -> int:
    return len([call for call in traffic.calls if call != "GetItem"])


def test_a_thousand_refusals_are_one_write_a_minute_in_each_container(room: Room) -> None:
    app = room.app()
    with wire.watched(room.svc) as traffic:
        for _ in range(30):
            assert refusal(by_secret(app, "wrong")) == (401, "invalid_client")
        for _ in range(970):
            refusals.keep(room.svc, app.client, code="invalid_client", reason="wrong secret")
        assert writes(traffic) == 1
        room.clock.advance(MINUTE - 1)
        by_secret(app, "wrong")
        assert writes(traffic) == 1
        room.clock.advance(1)
        by_secret(app, "wrong")
        assert writes(traffic) == 2
    other = container(room.svc.settings, now=room.clock)
    with wire.watched(other) as traffic:
        refusals.keep(other, app.client, code="invalid_client", reason="wrong secret")
    assert writes(traffic) == 1


def test_whatever_strangers_send_there_are_no_more_slots_than_causes(room: Room) -> None:
    app = room.app("spa")
    with wire.watched(room.svc) as traffic:
        for number in range(20):
            room.browser.authorize(app, scope=f"{MARK}{number}", response_type=f"{MARK}{number}")
            room.browser.authorize(app, redirect_uri=f"https://{MARK}{number}.example")
            send(
                room.phone, "/oauth/token", {"client_id": app.id, "grant_type": REFRESH, "refresh_token": "x" * number}
            )
        assert writes(traffic) <= 3
    assert set(refusals.of_client(room.svc, app.client)) <= set(CAUSES)


def test_a_container_remembers_no_more_than_it_may_and_then_writes_nothing(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST", 5)
    with wire.watched(room.svc) as traffic:
        for number in range(50):
            room.svc.refusals.keep(f"client-{number}", "wrong secret", now=room.clock())
        assert writes(traffic) == 5
        room.svc.refusals.keep("one-more", "wrong secret", now=room.clock() + MINUTE)
        assert writes(traffic) == 6


def test_of_a_client_that_nobody_registered_nothing_is_written(
    svc: Services, clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path, "app.example") as internet:
        svc = replace(svc, fetch=internet.fetch(), settings=replace(svc.settings, client_documents=True))
        with installed(svc), wire.watched(svc) as traffic:
            browser = Browser(Phone(clock))
            for unknown in ("nobody", "https://app.example/none.json"):
                browser.get("/oauth/authorize", {"client_id": unknown, "redirect_uri": "https://x.example"})
                send(browser.phone, "/oauth/token", {"client_id": unknown, "grant_type": REFRESH})
            assert all("client" not in line for line in lines(capsys))
            document: dict[str, Any] = {
                "client_id": "https://app.example/c.json",
                "redirect_uris": ["https://app.example/cb"],
            }
            internet.pages["https://app.example/c.json"] = Page(json.dumps(document).encode())
            browser.get("/oauth/authorize", {"client_id": document["client_id"], "redirect_uri": "https://x.example"})
            assert lines(capsys)[-1]["client"] == document["client_id"]
    assert "UpdateItem" not in traffic.calls


def test_who_is_refused_gets_the_same_answer_whatever_becomes_of_the_note(
    room: Room, capsys: pytest.CaptureFixture[str]
) -> None:
    app, other = room.app(), room.app()
    right = by_secret(app, "wrong")
    lines(capsys)

    def lose_updates(proceed: Transport, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        return wire.timing_out(operation) if operation == "UpdateItem" else proceed(operation, request)

    dynamodb, _ = wire.clients(room.svc)
    with wire.watched(room.svc) as traffic, wire.intercepted(dynamodb, lose_updates):
        answer = by_secret(other, "wrong")
        assert (answer.status, answer.body) == (right.status, right.body)
        fault, logged = lines(capsys)
        assert fault["fault"] == "TemporarilyUnavailable"
        assert (logged["outcome"], logged["client"], logged["setting"]) == ("invalid_client", other.id, "secrets")
        tried = writes(traffic)
        app.token(CLIENT_CREDENTIALS)  # for a minute nobody else waits for it
        assert writes(traffic) == tried
    room.clock.advance(MINUTE)
    by_secret(other, "wrong")
    assert list(refusals.of_client(room.svc, other.client)) == ["wrong secret"]


def test_a_refusal_is_forgotten_after_a_day_by_itself(room: Room) -> None:
    app = room.app()
    by_secret(app, "wrong")
    room.clock.advance(DAY - 1)
    app.token(CLIENT_CREDENTIALS)
    assert list(refusals.of_client(room.svc, app.client)) == ["grant type", "wrong secret"]
    room.clock.advance(1)
    assert list(refusals.of_client(room.svc, app.client)) == ["grant type"]
    assert stored_item(room.svc, app)["expires_at"] == {"N": str(room.clock() - 1 + DAY)}


def test_a_client_does_not_get_the_refusals_of_another_that_had_its_id(room: Room) -> None:
    app = room.app(client_id="wiki")
    by_secret(app, "wrong")
    manage.delete(room.svc, app.id)
    room.clock.advance(1)
    assert refusals.of_client(room.svc, room.app(client_id="wiki").client) == {}


def test_what_is_no_fault_of_a_client_or_its_settings_is_not_kept(room: Room) -> None:
    app = room.app()
    assert callback_params(room.browser.authorize(app, prompt="none"))["error"] == "login_required"
    assert refusal(app.redeem("x")) == (400, "invalid_grant")
    assert refusal(app.refresh("x" * 80)) == (400, "invalid_grant")
    assert refusals.of_client(room.svc, app.client) == {}


def test_a_client_that_is_not_refused_has_its_name_in_the_log_and_nothing_written(
    room: Room, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = room.app("machine")
    with wire.watched(room.svc) as traffic:
        token_response(machine.token(CLIENT_CREDENTIALS))
    assert traffic.calls.count("UpdateItem") == 0
    logged = lines(capsys)[-1]
    assert (logged["client"], logged["outcome"]) == (machine.id, "ok")
    assert "setting" not in logged


def test_the_log_of_a_token_says_by_which_profile_it_was_issued(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    key = stranger("ES256")
    app = room.app("key", security_profile="fapi2", jwks={"keys": [jwk(key)]})
    by_assertion(replace(app, key=key), aud=ISSUER)
    assert lines(capsys)[-1]["security_profile"] == "fapi2"
