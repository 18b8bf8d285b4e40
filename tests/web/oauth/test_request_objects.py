"""Request objects by value (RFC 9101): what their client signed is all that counts, and nothing passes for one."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from chalicelib.domain.oauth.client import REFRESH
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import (
    ASSERTION_TYPE,
    CALLBACK,
    ISSUER,
    App,
    Browser,
    callback_params,
    forms,
    place,
    register,
    send,
    token_response,
)
from tests.support.forge import by, by_hmac, compact, jwk, peek, stranger
from tests.support.internet import Internet, Page
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, refusal
from tests.support.wire import watched

TYPE = "oauth-authz-req+jwt"
INVALID = "invalid_request_object"
HOUR = 3600


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    """A client with a key."""
    return register(svc, phone, "key")


def request_object(app: App, *, header: Mapping[str, Any] | None = None, sign: Any = None, **changes: Any) -> str:
    """A good request of a client as it signs it, changed; None leaves a claim out."""
    assert app.key is not None
    now = app.svc.now()
    times = {"iat": now, "nbf": now, "exp": now + 60}
    good: dict[str, Any] = {**app.request(), "iss": app.id, "aud": ISSUER, **times, **changes}
    claims = {name: value for name, value in good.items() if value is not None}
    usual = {"alg": "ES256", "kid": "1", "typ": TYPE}
    return compact(usual if header is None else header, claims, sign or by(app.key))


def open_page(browser: Browser, app: App, text: str, **beside: str) -> Answer:
    """What the authorization endpoint answers to a request object, with parameters beside it."""
    return browser.get("/oauth/authorize", {"client_id": app.id, "redirect_uri": CALLBACK, "request": text, **beside})


def error_of(browser: Browser, app: App, text: str, **beside: str) -> str:
    return callback_params(open_page(browser, app, text, **beside))["error"]


def test_a_signed_request_is_answered(browser: Browser, app: App) -> None:
    answer = callback_params(browser.finish(open_page(browser, app, request_object(app))))
    assert answer["state"] == "xyz"
    tokens = token_response(app.redeem(answer["code"]))
    assert peek(tokens["id_token"])[1]["nonce"] == "n-0S6_WzA2Mj"


def test_a_signed_request_can_be_pushed(browser: Browser, app: App) -> None:
    pushed = app.post("/oauth/par", {"request": request_object(app), "scope": "admin", "state": "outside"})
    assert pushed.status == 201, pushed.body
    page = browser.get("/oauth/authorize", {"client_id": app.id, "request_uri": pushed.json()["request_uri"]})
    answer = callback_params(browser.finish(page))
    assert answer["state"] == "xyz"
    assert token_response(app.redeem(answer["code"]))["scope"] == app.request()["scope"]


def test_nothing_beside_the_object_counts(browser: Browser, app: App) -> None:
    # RFC 9101 section 6.3.
    beside = {
        "state": "outside",
        "scope": "openid profile",
        "nonce": "outside",
        "prompt": "none",
        "response_type": "token",
    }
    page = open_page(browser, app, request_object(app, redirect_uri=CALLBACK), **beside, max_age="x")
    answer = callback_params(browser.finish(page))
    assert answer["state"] == "xyz"
    tokens = token_response(app.redeem(answer["code"]))
    assert tokens["scope"] == app.request()["scope"]
    assert peek(tokens["id_token"])[1]["nonce"] == "n-0S6_WzA2Mj"


def test_the_challenge_is_the_objects_own(browser: Browser, app: App) -> None:
    text = request_object(app, code_challenge=None, code_challenge_method=None)
    outside = {name: app.request()[name] for name in ("code_challenge", "code_challenge_method")}
    assert error_of(browser, app, text, **outside) == "invalid_request"


def test_an_object_that_ends_while_its_user_logs_in_was_good_when_it_came(
    browser: Browser, app: App, clock: Clock
) -> None:
    page = open_page(browser, app, request_object(app))
    clock.advance(HOUR)
    answer = callback_params(browser.finish(page))
    assert token_response(app.redeem(answer["code"]))


def test_values_that_are_no_texts_are_what_they_are_without_an_object(browser: Browser, app: App, clock: Clock) -> None:
    claims = {"id_token": {"email": None}}
    page = open_page(browser, app, request_object(app, claims=claims, max_age=1))
    tokens = token_response(app.redeem(callback_params(browser.finish(page))["code"]))
    assert "email" in peek(tokens["id_token"])[1]
    clock.advance(2)
    assert "/authorize/login" in forms(open_page(browser, app, request_object(app, max_age=1)))


OTHER = stranger("ES256")
REFUSED: dict[str, dict[str, Any]] = {
    "another key": {"sign": by(OTHER)},
    "a symmetric key": {"header": {"alg": "HS256", "kid": "1"}, "sign": by_hmac(b"1")},
    "another algorithm's name": {"header": {"alg": "RS256", "kid": "1"}},
    "an unknown kid": {"header": {"alg": "ES256", "kid": "2"}},
    "a key of its own": {"header": {"alg": "ES256", "jwk": jwk(OTHER)}, "sign": by(OTHER)},
    "no signature": {"sign": lambda _: b""},
    "the type of a proof": {"header": {"alg": "ES256", "kid": "1", "typ": "dpop+jwt"}},
    "the type of an access token": {"header": {"alg": "ES256", "kid": "1", "typ": "at+jwt"}},
    "another audience": {"aud": "https://evil.example"},
    "our audience and another": {"aud": [ISSUER, "https://evil.example"]},
    "an endpoint for audience": {"aud": f"{ISSUER}/oauth/authorize"},
    "no audience": {"aud": None},
    "another issuer": {"iss": "shop"},
    "no issuer": {"iss": None},
    "another client": {"client_id": "shop"},
    "no client": {"client_id": None},
    "no end": {"exp": None},
    "ended": {"exp": 1_800_000_000 - 61},
    "an end too far away": {"exp": 1_800_000_000 + HOUR + 61},
    "an end that is a text": {"exp": "1800000060"},
    "begun too long ago": {"nbf": 1_800_000_000 - HOUR - 61},
    "not yet begun": {"nbf": 1_800_000_000 + 61},
    "made in the future": {"iat": 1_800_000_000 + 61},
    "a subject": {"sub": "somebody"},
    "an object inside": {"request": "e30.e30.e30"},
    "a reference inside": {"request_uri": "urn:ietf:params:oauth:request_uri:x"},
    "a scope that is a list": {"scope": ["openid"]},
    "a state that is a number": {"state": 1},
    "a NUL": {"state": "a\x00b"},
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_an_object_that_is_not_as_it_has_to_be_is_refused(browser: Browser, app: App, change: dict[str, Any]) -> None:
    text = request_object(app, **change)
    assert error_of(browser, app, text) == INVALID
    assert refusal(app.post("/oauth/par", {"request": text})) == (400, INVALID)


@pytest.mark.parametrize("text", ["x", "..", "e30.e30", "e30.e30.e30", "ÿ", '{"alg":"ES256"}'])
def test_what_is_no_jwt_is_refused(browser: Browser, app: App, text: str) -> None:
    assert error_of(browser, app, text) == INVALID
    assert refusal(app.post("/oauth/par", {"request": text})) == (400, INVALID)


def test_another_clients_object_is_nobodys(svc: Services, phone: Phone, browser: Browser, app: App) -> None:
    other = register(svc, phone, "key")
    for text in (request_object(other), request_object(other, client_id=app.id, iss=app.id)):
        assert error_of(browser, app, text) == INVALID
        assert refusal(app.post("/oauth/par", {"request": text})) == (400, INVALID)


@pytest.mark.parametrize("alg", ["none", "None"])
def test_an_unsigned_object_is_not_supported(browser: Browser, app: App, alg: str) -> None:
    text = request_object(app, header={"alg": alg}, sign=lambda _: b"")
    assert error_of(browser, app, text) == ("request_not_supported" if alg == "none" else INVALID)


@pytest.mark.parametrize("kind", ["web", "spa"])
def test_a_client_without_a_key_signs_nothing(svc: Services, phone: Phone, browser: Browser, kind: str) -> None:
    app = replace(register(svc, phone, kind), key=OTHER)
    assert error_of(browser, app, request_object(app)) == "request_not_supported"


def test_an_object_of_64_kb_is_too_long(browser: Browser, app: App) -> None:
    for length, page in ((40_000, 303), (64_000, 413)):
        text = request_object(app, login_hint="x" * length)
        fields = {"client_id": app.id, "redirect_uri": CALLBACK, "request": text}
        answer = browser.post("/oauth/authorize", fields, origin="https://app.example")
        assert answer.status == page
        assert page != 303 or callback_params(answer)["error"] == "invalid_request"
        assert app.post("/oauth/par", {"request": text}).status in (400, 413)


def test_a_long_object_in_a_form_is_answered(browser: Browser, app: App, clock: Clock) -> None:
    fields = {"client_id": app.id, "request": request_object(app, login_hint="x" * 4000)}
    page = browser.post("/oauth/authorize", fields, origin="https://app.example")
    clock.advance(HOUR)
    assert "code" in callback_params(browser.finish(page))


def test_the_objects_own_response_mode_decides_where_an_answer_goes_an_error_too(browser: Browser, app: App) -> None:
    # So also where the object is refused: it says no more than how, the place is a registered one.
    for text in (
        request_object(app, response_mode="form_post", scope="admin"),
        request_object(app, response_mode="form_post", exp=1),
        request_object(app, response_mode="form_post", header={"alg": "none"}, sign=lambda _: b""),
    ):
        answer = open_page(browser, app, text, response_mode="query")
        assert (answer.status, list(forms(answer))) == (200, [CALLBACK])
        assert "error" in forms(answer)[CALLBACK].hidden
    assert place(open_page(browser, app, request_object(app, scope="admin"), response_mode="form_post")) == CALLBACK


def test_no_object_leads_to_another_place(browser: Browser, app: App) -> None:
    for change in ({}, {"sign": by(OTHER)}, {"exp": 1}):
        text = request_object(app, redirect_uri="https://evil.example/cb", **change)
        assert place(open_page(browser, app, text)) in ("", CALLBACK)
    assert refusal(app.post("/oauth/par", {"request": request_object(app, redirect_uri="https://evil.example/cb")}))


def test_a_client_that_has_to_sign_its_requests_is_answered_no_other(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    app = register(svc, phone, "key", require_signed_request_object=True)
    assert callback_params(browser.authorize(app))["error"] == "invalid_request"
    assert refusal(app.post("/oauth/par", app.request())) == (400, "invalid_request")
    assert "code" in callback_params(browser.finish(open_page(browser, app, request_object(app))))
    short = browser.get("/oauth/authorize", app.request(state="x" * 3100))
    assert callback_params(short)["error"] == "invalid_request"


def test_a_client_that_has_to_sign_its_requests_sends_none_from_its_own_form(svc: Services, phone: Phone) -> None:
    app = register(svc, phone, "key", require_signed_request_object=True, first_party=True)
    phone.sign_up()
    unsigned = {**app.request(redirect_uri=None), "email": EMAIL, "password": PASSWORD}
    with watched(svc) as traffic:
        assert refusal(app.post("/oauth/authorize-challenge", unsigned)) == (400, "invalid_request")
    assert "TransactWriteItems" not in traffic.calls  # no password was looked at
    signed = {"request": request_object(app), "email": EMAIL, "password": PASSWORD}
    assert refusal(app.post("/oauth/authorize-challenge", signed)) == (400, "invalid_request")


def test_a_client_signs_with_the_algorithm_that_it_registered(svc: Services, phone: Phone, browser: Browser) -> None:
    for algorithm, error in (("ES256", ""), ("PS256", INVALID)):
        app = register(svc, phone, "key", request_object_signing_alg=algorithm)
        answer = callback_params(browser.finish(open_page(browser, app, request_object(app))))
        assert answer.get("error", "") == error


def test_neither_an_object_nor_an_assertion_stands_for_the_other(browser: Browser, app: App) -> None:
    now, identity = app.svc.now(), {"iss": app.id, "sub": app.id, "aud": ISSUER}
    both: dict[str, Any] = {**identity, "exp": now + 60, "iat": now, "jti": uuid4().hex}
    assertion = app.assertion()
    assert error_of(browser, app, assertion) == INVALID
    assert error_of(browser, app, request_object(app, sub=app.id, jti=uuid4().hex)) == INVALID

    def authenticates(text: str) -> bool:
        fields = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": text, "token": "x"}
        return send(app.phone, "/oauth/revoke", fields).status == 200

    assert not authenticates(request_object(app))
    assert not authenticates(request_object(app, sub=app.id, jti=uuid4().hex))
    assert app.key is not None
    signer = by(app.key)
    for claims, typ, good in (
        (both, "JWT", True),
        ({**both, "jti": "2"}, TYPE, False),
        ({**both, "scope": "x"}, "JWT", False),
    ):
        assert authenticates(compact({"alg": "ES256", "kid": "1", "typ": typ}, claims, signer)) is good


def test_a_request_that_is_bound_to_a_key_by_its_object_is_not_bound_to_another(app: App) -> None:
    assert refusal(app.post("/oauth/par", {"request": request_object(app, dpop_jkt="short")})) == (
        400,
        "invalid_request",
    )


def test_the_keys_may_be_at_the_clients_address(
    svc: Services, phone: Phone, browser: Browser, internet: Internet
) -> None:
    svc = replace(svc, fetch=internet.fetch())
    internet.pages["https://app.example/jwks"] = Page(json.dumps({"keys": [{**jwk(OTHER), "kid": "1"}]}).encode())
    from tests.support.phone import installed

    with installed(svc):
        app = replace(register(svc, phone, "key", jwks={}, jwks_uri="https://app.example/jwks"), key=OTHER, svc=svc)
        assert "code" in callback_params(browser.finish(open_page(browser, app, request_object(app))))
        assert app.client.grant_types[1] == REFRESH


def test_a_client_of_the_fapi_profile_signs_as_it_says(svc: Services, phone: Phone) -> None:
    app = register(svc, phone, "key", security_profile="fapi2")
    changes: list[tuple[dict[str, Any], bool]] = [({}, True), ({"aud": [ISSUER]}, False)]
    for change, good in changes:
        answer = app.post("/oauth/par", {"request": request_object(app, **change)})
        assert answer.status == 201 if good else refusal(answer) == (400, INVALID)
