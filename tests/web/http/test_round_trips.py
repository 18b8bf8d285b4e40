"""The budget of round trips, counted on the wire and in the order in which they happen."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from chalicelib.domain.accounts import passwords
from chalicelib.flows.platform import keys
from chalicelib.guard import functions as guard
from chalicelib.guard.events import policy
from chalicelib.guard.verifier import Guard
from chalicelib.services import Services
from tests.support import forge, passkey_sign_up
from tests.support.authenticator import Authenticator
from tests.support.browser import Browser, forms, register, token_response
from tests.support.code_app import CodeApp
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed
from tests.support.wire import Wire, watched

RIGHT = {"email": EMAIL, "password": PASSWORD}
HASH = "hash"


@contextmanager
def in_order(svc: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Calls and password hashes, as they happen."""
    with watched(svc) as traffic, monkeypatch.context() as patch:

        class Noted:
            def __new__(cls, **kwargs: Any) -> Any:
                traffic.calls.append(HASH)
                return Argon2id(**kwargs)

            @staticmethod
            def verify_phc_encoded(secret: bytes, stored: str) -> None:
                traffic.calls.append(HASH)
                Argon2id.verify_phc_encoded(secret, stored)

        patch.setattr(passwords, "Argon2id", Noted)
        yield traffic.calls


def test_a_login_makes_three_calls_before_the_hash_and_one_after(
    phone: Phone, svc: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.sign_up()
    with in_order(svc, monkeypatch) as happened:
        phone.log_in()
    # The attempt is counted first: a limit that came after the hash would protect nothing.
    assert happened == ["TransactWriteItems", "GetItem", "GetItem", HASH, "TransactWriteItems"]


def test_a_failed_login_makes_the_same_calls_whether_or_not_there_is_an_account_and_writes_no_session(
    phone: Phone, svc: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.sign_up()
    svc.users.disable(phone.sign_up("disabled@example.com")["user"]["sub"])
    for email in (EMAIL, "unknown@example.com", "disabled@example.com"):
        with in_order(svc, monkeypatch) as happened:
            phone.call("POST /login", {"email": email, "password": "wrong"})
        assert happened == ["TransactWriteItems", "GetItem", "GetItem", HASH, "UpdateItem"], email


def test_a_sign_up_counts_then_hashes_then_writes_all_at_once(
    phone: Phone, svc: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.current(svc)
    with in_order(svc, monkeypatch) as happened:
        phone.sign_up()
    assert happened == ["TransactWriteItems", HASH, "TransactWriteItems"]


def test_a_sign_up_that_counts_against_the_budget_of_hashes_costs_no_call_more(
    phone: Phone, svc: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.current(svc)
    with installed(replace(svc, settings=replace(svc.settings, daily_hashes=1000))):
        with in_order(svc, monkeypatch) as happened:
            phone.sign_up()
        assert happened == ["TransactWriteItems", HASH, "TransactWriteItems"]
        with in_order(svc, monkeypatch) as happened:
            phone.call("POST /signup", {"email": "weak@example.com", "password": "password"})
        assert happened == ["TransactWriteItems", *["UpdateItem"] * 3]  # each limit given back


def test_a_sign_up_by_a_passkey_asks_nobody_at_first_then_counts_and_writes_all_at_once(
    phone: Phone, svc: Services
) -> None:
    keys.current(svc)
    with watched(svc) as traffic:
        token, options = passkey_sign_up.begin(phone)
        assert traffic.calls == []
        assert passkey_sign_up.confirm(phone, token, Authenticator().create(options)).status == 201
    assert traffic.calls == ["TransactWriteItems", "TransactWriteItems"]


def test_a_refresh_is_one_read_and_one_write_and_its_retry_one_read(phone: Phone, svc: Services) -> None:
    first = phone.sign_up()["refresh_token"]
    with watched(svc) as traffic:
        phone.refresh(first)
        assert traffic.calls == ["BatchGetItem", "UpdateItem"]
        phone.refresh(first)
        assert traffic.calls == ["BatchGetItem", "UpdateItem", "BatchGetItem"]


ONE_CALL: dict[str, tuple[Callable[[dict[str, Any]], tuple[str, Any]], list[str]]] = {
    "verify": (lambda s: ("POST /verify", {"token": s["access_token"]}), ["BatchGetItem"]),
    "log out": (lambda s: ("POST /logout", {"refresh_token": s["refresh_token"]}), ["TransactWriteItems"]),
    "profile": (lambda _: ("GET /me", None), ["BatchGetItem"]),
    "rename": (lambda _: ("PATCH /me", {"name": "Ann"}), ["BatchGetItem", "UpdateItem"]),
    "sessions": (lambda _: ("GET /me/sessions", None), ["BatchGetItem", "Query"]),
    "end others": (lambda _: ("DELETE /me/sessions", None), ["BatchGetItem", "TransactWriteItems"]),
    "end one": (lambda _: ("DELETE /me/sessions/x", None), ["BatchGetItem", "TransactWriteItems"]),
    "keys": (lambda _: ("GET /.well-known/jwks.json", None), []),
    "metadata": (lambda _: ("GET /.well-known/oauth-authorization-server", None), []),
    "OIDC metadata": (lambda _: ("GET /.well-known/openid-configuration", None), []),
    "OpenAPI": (lambda _: ("GET /openapi.json", None), []),
    "docs": (lambda _: ("GET /docs", None), []),
    "preflight": (lambda _: ("OPTIONS /me", None), []),
    "malformed": (lambda _: ("POST /login", {"email": 1}), []),
    "no token": (lambda _: ("PATCH /me", {"nam": "Ann"}), []),
}


@pytest.mark.parametrize("name", ONE_CALL)
def test_every_other_operation_keeps_its_budget_and_says_so_in_its_log_line(
    phone: Phone, svc: Services, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    session = phone.sign_up()
    request, budget = ONE_CALL[name]
    line, body = request(session)
    capsys.readouterr()
    with watched(svc) as traffic:
        phone.call(line, body, token=session["access_token"] if "/me" in line else None)
    assert traffic.calls == budget
    (logged,) = [json.loads(text) for text in capsys.readouterr().out.splitlines() if '"route"' in text]
    assert logged["dynamodb_calls"] == len(budget)


def test_second_factors_are_read_and_changed_within_their_budget(phone: Phone, svc: Services, clock: Clock) -> None:
    token = phone.sign_up()["access_token"]
    limit, written = "TransactWriteItems", "TransactWriteItems"
    with watched(svc) as traffic:

        def calls_of(line: str, body: Any = None) -> tuple[Any, list[str]]:
            before = len(traffic.calls)
            answer = phone.call(line, body, token=token if "/me" in line else None)
            return json.loads(answer.body or b"{}"), traffic.calls[before:]

        begun, calls = calls_of("POST /me/factors", {"kind": "totp"})
        assert calls == ["BatchGetItem"]
        app = CodeApp(begun["challenge"]["uri"], clock)
        factor, calls = calls_of("POST /me/factors/confirm", {"token": begun["token"], "answer": app.code()})
        assert calls == ["BatchGetItem", limit, limit, written]
        assert calls_of("POST /me/factors/recovery-codes")[1] == ["BatchGetItem", limit, written]
        assert calls_of("GET /me/factors")[1] == ["BatchGetItem", "Query"]
        login, calls = calls_of("POST /login", RIGHT)
        assert calls == [limit, "GetItem", "GetItem", *["UpdateItem"] * 3]
        proof = {"mfa_token": login["mfa_token"], "factor": "totp", "remember_device": True}
        assert calls_of("POST /login/proof", {**proof, "answer": "-"})[1] == [
            "GetItem",
            limit,
            "Query",
            "UpdateItem",
            written,
        ]
        clock.advance(30)
        tokens, calls = calls_of("POST /login/proof", {**proof, "answer": app.code()})
        assert calls == ["GetItem", limit, "Query", "UpdateItem", written]
        known = {**RIGHT, "device_token": tokens["device_token"]}
        assert calls_of("POST /login", known)[1] == ["GetItem", "GetItem", limit, "GetItem", written]
        assert calls_of("GET /me/devices")[1] == ["BatchGetItem", "Query"]
        assert calls_of("DELETE /me/devices")[1] == ["BatchGetItem", "Query", written]
        path = f"/me/factors/{factor['id']}"
        assert calls_of(f"PATCH {path}", {"name": "phone"})[1] == ["BatchGetItem", "GetItem", "UpdateItem"]
        assert calls_of(f"DELETE {path}")[1] == ["BatchGetItem", limit, written]


def test_what_applications_may_do_is_read_and_taken_back_within_its_budget(phone: Phone, svc: Services) -> None:
    token = phone.sign_up()["access_token"]
    app = register(svc, phone)
    with watched(svc) as traffic:
        phone.call("GET /me/consents", token=token)
        assert traffic.calls == ["BatchGetItem", "Query"]
        app.tokens(Browser(phone))
        traffic.calls.clear()
        (consent,) = phone.call("GET /me/consents", token=token).json()["consents"]
        assert traffic.calls == ["BatchGetItem", "Query", "BatchGetItem", "Query"]
        traffic.calls.clear()
        phone.call(f"DELETE /me/consents/{consent['id']}", token=token)
        read = ["BatchGetItem", "Query", "Query"]
        assert traffic.calls == [*read, "UpdateItem", "Query", "GetItem", "TransactWriteItems", "Query"]


def test_a_factor_that_a_login_needs_is_added_in_its_budget(phone: Phone, svc: Services, clock: Clock) -> None:
    phone.sign_up()
    demanding = replace(svc, settings=replace(svc.settings, second_factor="required"))
    with installed(demanding), watched(demanding) as traffic:
        mfa_token = phone.call("POST /login", RIGHT).json()["mfa_token"]
        traffic.calls.clear()
        begun = phone.call("POST /login/enrolment", {"mfa_token": mfa_token, "kind": "totp"}).json()
        assert traffic.calls == ["GetItem"]
        answer = CodeApp(begun["challenge"]["uri"], clock).code()
        confirmation = {"mfa_token": mfa_token, "token": begun["token"], "answer": answer}
        assert phone.call("POST /login/enrolment/confirm", confirmation).status == 200
        assert traffic.calls[1:] == ["GetItem", *["TransactWriteItems"] * 3, "GetItem", "TransactWriteItems"]


def test_a_passkey_that_a_login_needs_is_added_in_its_budget(phone: Phone, svc: Services) -> None:
    phone.sign_up()
    demanding = replace(svc, settings=replace(svc.settings, second_factor="required"))
    with installed(demanding), watched(demanding) as traffic:
        browser = Browser(phone)
        page = browser.submit(browser.get("/authorize/login"), "/authorize/login", **RIGHT)
        traffic.calls.clear()
        form = forms(page)["/authorize/enrol/passkey"].hidden
        browser.get("/authorize/enrol", {"to": form["to"]})
        assert traffic.calls == ["GetItem"]
        text = unescape(page.body.decode().partition('data-options="')[2].partition('"')[0])
        answer = json.dumps(Authenticator().create(json.loads(text)["publicKey"]))
        traffic.calls.clear()
        browser.submit(page, "/authorize/enrol/passkey", answer=answer)
        assert traffic.calls[:6] == ["GetItem", *["TransactWriteItems"] * 3, "GetItem", "TransactWriteItems"]


def test_the_guard_asks_nobody_once_it_has_its_keys(phone: Phone, svc: Services) -> None:
    access = phone.sign_up()["access_token"]
    arn = "arn:aws:execute-api:eu-central-1:123456789012:api1234567/prod/GET/me"
    event = {"type": "TOKEN", "methodArn": arn, "authorizationToken": f"Bearer {access}"}
    guard.guard(event, None)
    with watched(svc) as traffic:
        for _ in range(3):
            guard.guard(event, None)
    assert traffic.calls == []


def test_a_guard_with_shipped_keys_fetches_none_even_at_its_start(phone: Phone, svc: Services, clock: Clock) -> None:
    access = phone.sign_up()["access_token"]
    shipped = {"keys": [dict(jwk) for jwk in keys.published(svc)]}
    Path(svc.settings.jwks_file).write_text(json.dumps(shipped))
    fetched: list[str] = []

    def fetch(url: str) -> list[Any]:
        fetched.append(url)
        return []

    cold = Guard(svc.settings, fetch=fetch, in_force=guard._in_force, now=clock)
    arn = "arn:aws:execute-api:eu-central-1:123456789012:api1234567/prod/GET/me"
    base, api = cold.api(arn, unknown_is_ours=True)
    with watched(svc) as traffic:
        assert policy(cold, base, api, arn=arn, authorization=f"Bearer {access}")["principalId"]
    assert (traffic.calls, fetched) == ([], [])


def test_a_forged_or_malformed_token_of_any_kind_costs_no_call(phone: Phone, svc: Services) -> None:
    session = phone.sign_up()
    access, refresh = session["access_token"], session["refresh_token"]
    stranger = forge.by(forge.stranger("ES256"))
    forged = [forge.resigned(access, stranger), access[:-8], access[8:], access + "x", "x.y.z", "x", refresh]
    spoilt = [refresh[:-4], refresh[:-4] + "AAAA", "x", "x" * 100, access]
    with watched(svc) as traffic:
        for token in forged:
            phone.call("GET /me", token=token)
            phone.call("POST /verify", {"token": token})
        for token in spoilt:
            phone.call("POST /refresh", {"refresh_token": token})
            phone.call("POST /logout", {"refresh_token": token})
    assert traffic.calls == []


def test_warm_containers_read_their_keys_once_in_ten_minutes(phone: Phone, svc: Services, clock: Clock) -> None:
    phone.sign_up()
    with watched(svc, Wire()) as traffic:
        for minute in range(21):
            phone.call("GET /.well-known/jwks.json")
            assert len(traffic.calls) == minute // 10
            clock.advance(60)
    assert set(traffic.calls) == {"GetParametersByPath"}


# The standard endpoints
def test_a_code_is_redeemed_by_reading_client_and_grant_and_one_write(phone: Phone, svc: Services) -> None:
    phone.sign_up()
    for kind in ("web", "spa"):
        app = register(svc, phone, kind)
        code = Browser(phone).code(app)
        with watched(svc) as traffic:
            token_response(app.redeem(code))
        assert traffic.calls == ["GetItem", "BatchGetItem", "UpdateItem"]


def test_a_standard_refresh_is_reading_client_and_grant_and_one_write(phone: Phone, svc: Services) -> None:
    phone.sign_up()
    app = register(svc, phone, "spa")
    tokens = app.tokens(Browser(phone))
    with watched(svc) as traffic:
        token_response(app.refresh(tokens["refresh_token"]))
    assert traffic.calls == ["GetItem", "BatchGetItem", "UpdateItem"]


def test_a_pairwise_client_costs_no_call_more(phone: Phone, svc: Services) -> None:
    phone.sign_up()
    app, api = register(svc, phone, subject_type="pairwise"), register(svc, phone, "api")
    code = Browser(phone).code(app)
    with watched(svc) as traffic:
        tokens = token_response(app.redeem(code))
        assert traffic.calls == ["GetItem", "BatchGetItem", "UpdateItem"]
        traffic.calls.clear()
        assert phone.call("GET /oauth/userinfo", token=tokens["access_token"]).status == 200
        assert traffic.calls == ["BatchGetItem"]
        traffic.calls.clear()
        assert api.post("/oauth/introspect", {"token": tokens["access_token"]}).json()["active"]
        assert traffic.calls == ["GetItem", "BatchGetItem"]
        traffic.calls.clear()
        app.post("/oauth/revoke", {"token": tokens["access_token"]})
        assert traffic.calls == ["GetItem", "TransactWriteItems"]


def test_a_machine_gets_its_token_for_one_read(phone: Phone, svc: Services) -> None:
    app = register(svc, phone, "machine")
    keys.current(svc)
    with watched(svc) as traffic:
        token_response(app.token("client_credentials"))
    assert traffic.calls == ["GetItem"]


def test_a_forged_text_at_the_standard_endpoints_costs_the_clients_read_alone(phone: Phone, svc: Services) -> None:
    phone.sign_up()
    app, api = register(svc, phone, "spa"), register(svc, phone, "api")
    tokens = app.tokens(Browser(phone))
    stranger = forge.by(forge.stranger("ES256"))
    with watched(svc) as traffic:
        for text in ("x", tokens["refresh_token"][:-4] + "AAAA", forge.resigned(tokens["access_token"], stranger)):
            assert app.redeem(text).status == 400
            assert app.refresh(text).status == 400
            assert app.post("/oauth/revoke", {"token": text}).status == 200
            assert api.post("/oauth/introspect", {"token": text}).json() == {"active": False}
            assert phone.call("GET /oauth/userinfo", token=text).status == 401
    assert traffic.calls == ["GetItem"] * 12
