"""What is stored as another release wrote it: the one before goes on, a later one's is as good as absent, or a loud 500."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import UnreadableRecord
from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, DEVICE_CODE, Client
from chalicelib.flows.clients.authenticate import ASSERTION_TYPE
from chalicelib.flows.sessions import verify
from chalicelib.guard.functions import _in_force
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import (
    CALLBACK,
    FORM_TYPE,
    ISSUER,
    App,
    Browser,
    callback_params,
    encoded,
    forms,
    register,
    send,
    token_response,
)
from tests.support.internet import Internet, Page
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal
from tests.support.prover import Prover
from tests.support.records import rewrite, with_value

LOGIN = {"email": EMAIL, "password": PASSWORD}


def without_version(stored: str) -> str:
    """As the release before wrote it."""
    assert stored.startswith(('{"v": 1, ', '{"v": 1}'))
    return "{" + stored.removeprefix('{"v": 1').removeprefix(", ")


# As no release that this one knows wrote it.
SPOILT: dict[str, Callable[[str], str]] = {
    "a higher version": lambda stored: stored.replace('"v": 1', '"v": 2'),
    "one more member": lambda stored: json.dumps({**json.loads(stored), "more": 1}),
    "cut short": lambda stored: stored[:-1],
    "a list": lambda stored: f"[{stored}]",
    "nothing": lambda _: "",
}


@pytest.fixture
def television(svc: Services, phone: Phone) -> App:
    """A client without a browser."""
    return register(svc, phone, "television")


def begin(app: App) -> dict[str, Any]:
    codes: dict[str, Any] = app.post("/oauth/device", {"scope": "openid offline_access"}).json()
    return codes


def poll(app: App, codes: dict[str, Any]) -> Answer:
    return app.token(DEVICE_CODE, device_code=codes["device_code"])


def typed(browser: Browser, codes: dict[str, Any]) -> Answer:
    page = browser.get("/device")
    if "/authorize/login" in forms(page):
        page = browser.submit(page, "/authorize/login", **LOGIN)
    return browser.submit(page, "/device", user_code=codes["user_code"])


def test_a_device_that_began_before_an_upgrade_gets_its_tokens_once(
    svc: Services, browser: Browser, television: App, clock: Clock
) -> None:
    codes = begin(television)
    assert rewrite(svc, "device", with_value(without_version)) == 1
    assert rewrite(svc, "user code", with_value(without_version)) == 1
    assert refusal(poll(television, codes)) == (400, "authorization_pending")
    clock.advance(codes["interval"])
    page = typed(browser, codes)
    assert rewrite(svc, "device", with_value(without_version)) == 1
    browser.submit(page, "/device", decision="allow")
    assert rewrite(svc, "device", with_value(without_version)) == 1
    token_response(poll(television, codes))
    assert refusal(poll(television, codes)) == (400, "expired_token")


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_device_code_that_cannot_be_read_is_as_good_as_expired(
    svc: Services, browser: Browser, television: App, spoilt: str
) -> None:
    codes = begin(television)
    page = typed(browser, codes)
    assert rewrite(svc, "device", with_value(SPOILT[spoilt])) == 1
    assert refusal(poll(television, codes)) == (400, "expired_token")
    for answer in (browser.submit(page, "/device", decision="allow"), typed(browser, codes)):
        assert (answer.status, "user_code" in forms(answer)["/device"].hidden) == (200, False)
    assert refusal(poll(television, codes)) == (400, "expired_token")


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_user_code_that_cannot_be_read_is_a_wrong_one(
    svc: Services, browser: Browser, television: App, spoilt: str
) -> None:
    codes = begin(television)
    assert rewrite(svc, "user code", with_value(SPOILT[spoilt])) == 1
    answer = typed(browser, codes)
    assert (answer.status, "user_code" in forms(answer)["/device"].hidden) == (200, False)


def pushed(app: App) -> dict[str, str]:
    return {"client_id": app.id, "request_uri": app.post("/oauth/par", app.request()).json()["request_uri"]}


def test_a_request_that_was_pushed_before_an_upgrade_is_answered_once(
    svc: Services, browser: Browser, app: App, clock: Clock
) -> None:
    request = pushed(app)
    assert rewrite(svc, "pushed request", with_value(without_version)) == 1
    page = browser.get("/oauth/authorize", request)
    assert "code" in callback_params(browser.finish(page))
    assert rewrite(svc, "pushed request", with_value(without_version)) == 1
    clock.advance(svc.settings.retry_window_seconds + 1)
    assert browser.get("/oauth/authorize", request).status == 400


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_pushed_request_that_cannot_be_read_is_none(svc: Services, browser: Browser, app: App, spoilt: str) -> None:
    request = pushed(app)
    browser.log_in(app)
    assert rewrite(svc, "pushed request", with_value(SPOILT[spoilt])) == 1
    answer = browser.get("/oauth/authorize", request)
    assert (answer.status, answer.header("Location")) == (400, None)


def long_request(app: App) -> dict[str, str]:
    return app.request(claims=json.dumps({"userinfo": {f"x{n}": None for n in range(350)}}), prompt="login")


def test_a_long_request_of_before_an_upgrade_is_answered(svc: Services, browser: Browser, app: App) -> None:
    page = browser.post("/oauth/authorize", long_request(app))
    assert rewrite(svc, "long request", with_value(without_version)) == 1
    assert callback_params(browser.finish(page))["state"] == "xyz"


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_long_request_that_cannot_be_read_is_none(svc: Services, browser: Browser, app: App, spoilt: str) -> None:
    page = browser.post("/oauth/authorize", long_request(app))
    assert rewrite(svc, "long request", with_value(SPOILT[spoilt])) == 1
    assert browser.submit(page, "/authorize/login", **LOGIN).status == 400


@pytest.mark.parametrize("spoilt", SPOILT)
def test_what_was_done_is_not_done_again_where_its_outcome_cannot_be_read(
    svc: Services, browser: Browser, app: App, spoilt: str
) -> None:
    browser.log_in(app)
    page = browser.authorize(app, prompt="login")
    filled = encoded({**forms(page)["/authorize/login"].hidden, **LOGIN}).encode()
    answer = browser._call("POST", "/authorize/login", filled, [("Content-Type", FORM_TYPE), ("Origin", ISSUER)])
    onward = (answer.header("Location") or "").removeprefix(ISSUER)
    assert "code" in callback_params(browser.get(onward))
    assert "code" in callback_params(browser.get(onward))  # a button that is pressed twice
    assert rewrite(svc, "interaction", with_value(SPOILT[spoilt])) == 2  # the first login's as well
    assert "/authorize/login" in forms(browser.get(onward))


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_proof_is_good_once_even_where_its_record_cannot_be_read(
    svc: Services, phone: Phone, clock: Clock, spoilt: str
) -> None:
    machine, prover = register(svc, phone, "machine"), Prover(clock)
    prover.nonce = machine.token("client_credentials", headers=prover.headers()).header("DPoP-Nonce") or ""
    proof = prover.headers()
    token_response(machine.token("client_credentials", headers=proof))
    assert rewrite(svc, "dpop proof", with_value(SPOILT[spoilt])) == 1
    assert refusal(machine.token("client_credentials", headers=proof)) == (400, "invalid_dpop_proof")


@pytest.mark.parametrize("spoilt", SPOILT)
def test_an_assertion_is_good_once_even_where_its_record_cannot_be_read(
    svc: Services, phone: Phone, spoilt: str
) -> None:
    machine = {"grant_types": (CLIENT_CREDENTIALS,), "redirect_uris": (), "scopes": ("notes:read",)}
    keyed = register(svc, phone, "key", **machine)
    fields = {
        "grant_type": CLIENT_CREDENTIALS,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": keyed.assertion(),
    }
    token_response(send(phone, "/oauth/token", fields))
    assert rewrite(svc, "assertion", with_value(SPOILT[spoilt])) == 1
    assert refusal(send(phone, "/oauth/token", fields)) == (401, "invalid_client")


DOCUMENT_ID = "https://app.example/client.json"
DOCUMENT = {"client_id": DOCUMENT_ID, "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}


@pytest.mark.parametrize("change", [*SPOILT.values(), without_version], ids=[*SPOILT, "the release before"])
def test_a_document_that_cannot_be_read_is_fetched_again_and_one_of_before_an_upgrade_is_not(
    svc: Services, browser: Browser, internet: Internet, change: Callable[[str], str]
) -> None:
    internet.pages[DOCUMENT_ID] = Page(json.dumps(DOCUMENT).encode())
    request = App(browser.phone, svc, Client(client_id=DOCUMENT_ID, redirect_uris=(CALLBACK,))).request(scope="openid")
    with installed(replace(svc, settings=replace(svc.settings, client_documents=True), fetch=internet.fetch())):
        for _ in range(2):
            assert "/authorize/login" in forms(browser.get("/oauth/authorize", request))
        assert len(internet.requests) == 1
        assert rewrite(svc, "document of a client", with_value(change)) == 1
        assert "/authorize/login" in forms(browser.get("/oauth/authorize", request))
        assert len(internet.requests) == (1 if change is without_version else 2)


def other_version(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "v": {"N": "2"}}


@pytest.mark.parametrize("sort", ["profile", "user", "grant#"])
def test_what_lasts_and_cannot_be_read_is_a_500_whose_reason_is_logged(
    svc: Services, phone: Phone, capsys: pytest.CaptureFixture[str], sort: str
) -> None:
    tokens = phone.sign_up()
    table = svc.settings.grants_table if sort == "grant#" else svc.settings.users_table
    assert rewrite(svc, sort, other_version, table=table) == 1
    capsys.readouterr()
    answers = {
        "profile": lambda: phone.call("GET /me", token=tokens["access_token"]),
        "user": lambda: phone.call("POST /login", LOGIN),
        "grant#": lambda: phone.call("POST /refresh", {"refresh_token": tokens["refresh_token"]}),
    }
    assert refusal(answers[sort]()) == (500, "server_error")
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "server_error" in line]
    assert line["reason"].endswith("version {'N': '2'}")


def test_a_guard_that_cannot_read_a_session_does_not_let_it_through(svc: Services, phone: Phone) -> None:
    token = phone.sign_up()["access_token"]
    claims = verify.verify_access_token(svc, token)
    assert _in_force(claims).sid == claims.sid
    rewrite(svc, "grant#", other_version)
    with pytest.raises(UnreadableRecord):
        _in_force(claims)
