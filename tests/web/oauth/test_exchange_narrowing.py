"""Token exchange (RFC 8693) narrows: scopes, time, keys and actors never get lost or better on the way."""

from typing import Any

import pytest

from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, TOKEN_EXCHANGE
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import forge
from tests.support.browser import API, ISSUER, App, Browser, register, token_response
from tests.support.phone import Clock
from tests.support.prover import Prover

ACCESS = "urn:ietf:params:oauth:token-type:access_token"


@pytest.fixture
def app(svc: Services, browser: Browser) -> App:
    return register(svc, browser.phone, "spa", resources=(API, "https://other.example"))


@pytest.fixture
def service(svc: Services, browser: Browser) -> App:
    return register(svc, browser.phone, "exchanger")


def exchange(service: App, subject: str, *, headers: Any = (), actor: str = "", **fields: str) -> Answer:
    acting = {"actor_token": actor, "actor_token_type": ACCESS} if actor else {}
    params = {"subject_token": subject, "subject_token_type": ACCESS, **acting, **fields}
    return service.token(TOKEN_EXCHANGE, headers=headers, **params)


def error_code(answer: Answer) -> str:
    assert answer.status == 400, (answer.status, answer.body)
    code: str = answer.json()["error"]
    return code


def claims(answer: Answer) -> dict[str, Any]:
    return forge.peek(token_response(answer)["access_token"])[1]


def test_the_new_token_has_the_scopes_that_subject_and_client_both_have(
    app: App, service: App, browser: Browser
) -> None:
    subject = app.tokens(browser, scope="openid email notes:read")["access_token"]
    assert claims(exchange(service, subject))["scope"] == "notes:read"
    assert claims(exchange(service, subject, scope="notes:read"))["scope"] == "notes:read"
    for more in ("notes:write", "openid", "notes:read notes:write"):
        assert error_code(exchange(service, subject, scope=more)) == "invalid_scope"


def test_a_subject_without_a_scope_in_common_is_exchanged_for_nothing(app: App, service: App, browser: Browser) -> None:
    subject = app.tokens(browser, scope="openid email")["access_token"]
    assert error_code(exchange(service, subject)) == "invalid_scope"


def test_the_new_token_does_not_outlive_the_subjects(app: App, service: App, browser: Browser, clock: Clock) -> None:
    subject = app.tokens(browser)["access_token"]
    clock.advance(800)
    answer = exchange(service, subject)
    assert claims(answer)["exp"] == forge.peek(subject)[1]["exp"]
    assert answer.json()["expires_in"] == 100
    clock.advance(100)
    assert error_code(exchange(service, subject)) == "invalid_request"


def test_the_new_token_ends_with_the_subjects_session(app: App, service: App, browser: Browser, svc: Services) -> None:
    tokens = app.tokens(browser)
    exchanged = token_response(exchange(service, tokens["access_token"]))["access_token"]
    api = register(svc, app.phone, "api")
    assert api.post("/oauth/introspect", {"token": exchanged}).json()["active"]
    app.post("/oauth/revoke", {"token": tokens["refresh_token"]})
    assert api.post("/oauth/introspect", {"token": exchanged}).json() == {"active": False}
    assert error_code(exchange(service, tokens["access_token"])) == "invalid_request"


def test_who_revokes_an_exchanged_token_does_not_end_the_subjects_session(
    app: App, service: App, browser: Browser
) -> None:
    tokens = app.tokens(browser)
    exchanged = token_response(exchange(service, tokens["access_token"]))["access_token"]
    assert error_code(service.post("/oauth/revoke", {"token": exchanged})) == "unsupported_token_type"
    assert token_response(app.refresh(tokens["refresh_token"]))


@pytest.mark.parametrize("exchanges", [(), ("impersonation",), ("delegation",)])
def test_a_client_exchanges_in_the_ways_that_it_is_allowed_only(
    svc: Services, app: App, browser: Browser, exchanges: tuple[str, ...]
) -> None:
    service = register(svc, app.phone, "exchanger", exchanges=exchanges)
    subject = app.tokens(browser)["access_token"]
    actor = token_response(service.token(CLIENT_CREDENTIALS))["access_token"]
    for way, acting in (("impersonation", ""), ("delegation", actor)):
        answer = exchange(service, subject, actor=acting)
        assert answer.status == 200 if way in exchanges else error_code(answer) == "unauthorized_client"


def test_who_acts_is_in_the_token_and_who_acted_before_stays_in_it(svc: Services, app: App, browser: Browser) -> None:
    subject = app.tokens(browser)["access_token"]
    one, other = (register(svc, app.phone, "exchanger") for _ in range(2))
    actors = [token_response(each.token(CLIENT_CREDENTIALS))["access_token"] for each in (one, other)]
    first = token_response(exchange(one, subject, actor=actors[0]))["access_token"]
    by_one = {"sub": one.id, "client_id": one.id}
    assert forge.peek(first)[1]["act"] == by_one
    second = claims(exchange(other, first, actor=actors[1]))
    assert second["act"] == {"sub": other.id, "client_id": other.id, "act": by_one}
    assert second["sub"] == forge.peek(subject)[1]["sub"]
    assert claims(exchange(other, first))["act"] == by_one


def test_a_token_for_an_api_is_exchanged_by_those_only_who_may_have_tokens_for_it(
    app: App, service: App, browser: Browser
) -> None:
    ours = app.tokens(browser, scope="notes:read", resource=API)["access_token"]
    foreign = app.tokens(browser, scope="notes:read", resource="https://other.example")["access_token"]
    assert claims(exchange(service, ours, resource=API))["aud"] == API
    assert error_code(exchange(service, foreign, resource=API)) == "invalid_request"
    assert error_code(exchange(service, ours, resource="https://other.example")) == "invalid_target"
    assert error_code(exchange(service, ours, audience="https://other.example")) == "invalid_target"


def test_without_a_target_the_new_token_is_for_the_subjects_api_and_never_opens_ours(
    svc: Services, browser: Browser
) -> None:
    scopes = ("account", "notes:read")
    app = register(svc, browser.phone, "spa", scopes=scopes, resources=(API,))
    service = register(svc, browser.phone, "exchanger", scopes=scopes)
    foreign = app.tokens(browser, scope="account notes:read", resource=API)["access_token"]
    answer = exchange(service, foreign)
    assert claims(answer)["aud"] == API
    assert browser.phone.call("GET /me", token=token_response(answer)["access_token"]).status == 401
    # Ours is nobody's to name for a token of another API, unless an operator has put it among the client's own.
    assert error_code(exchange(service, foreign, resource=ISSUER)) == "invalid_target"
    exchanger = register(svc, browser.phone, "exchanger", scopes=scopes, resources=(API, ISSUER))
    assert claims(exchange(exchanger, foreign, resource=ISSUER))["aud"] == ISSUER
    ours = app.tokens(browser, scope="account notes:read")["access_token"]
    for fields in ({}, {"resource": ISSUER}, {"audience": ISSUER}, {"resource": ISSUER, "audience": ISSUER}):
        assert claims(exchange(service, ours, **fields))["aud"] == ISSUER


def test_a_token_for_several_apis_is_exchanged_for_one_that_subject_and_client_share(
    svc: Services, service: App, app: App, browser: Browser
) -> None:
    signer = forge.by(svc.keys.read(svc.now()).signing[0].private)
    token = app.tokens(browser, scope="notes:read")["access_token"]
    several = forge.resigned(token, signer, aud=["https://other.example", API, ISSUER])
    assert claims(exchange(service, several))["aud"] == API


def test_a_foreign_audience_beside_a_good_resource_is_an_invalid_target(
    app: App, service: App, browser: Browser
) -> None:
    subject = app.tokens(browser)["access_token"]
    for audience in ("https://other.example", ISSUER):
        assert error_code(exchange(service, subject, resource=API, audience=audience)) == "invalid_target"
    assert claims(exchange(service, subject, resource=API, audience=API))["aud"] == API


def test_a_machines_own_token_is_nobody_to_act_for(service: App) -> None:
    own = token_response(service.token(CLIENT_CREDENTIALS))["access_token"]
    assert error_code(exchange(service, own)) == "invalid_request"


@pytest.mark.parametrize("kind", ["id_token", "refresh_token"])
def test_nothing_but_an_access_token_is_exchanged(app: App, service: App, browser: Browser, kind: str) -> None:
    tokens = app.tokens(browser)
    assert error_code(exchange(service, tokens[kind])) == "invalid_request"
    other = f"urn:ietf:params:oauth:token-type:{kind}"
    assert error_code(exchange(service, tokens["access_token"], subject_token_type=other)) == "invalid_request"
    assert error_code(exchange(service, tokens["access_token"], requested_token_type=other)) == "invalid_request"


# Bound tokens
def nonced(prover: Prover, service: App) -> Prover:
    answer = service.token(TOKEN_EXCHANGE, headers=prover.headers())
    prover.nonce = answer.header("DPoP-Nonce") or ""
    return prover


def test_a_bound_token_is_not_laundered_into_a_bearer_token(
    svc: Services, app: App, service: App, browser: Browser
) -> None:
    owner, thief = (nonced(Prover(svc.now), service) for _ in range(2))
    subject = token_response(app.redeem(browser.code(app), headers=owner.headers()))["access_token"]
    assert error_code(exchange(service, subject)) == "invalid_request"
    assert error_code(exchange(service, subject, headers=thief.headers())) == "invalid_request"
    answer = exchange(service, subject, headers=owner.headers())
    assert answer.json()["token_type"] == "DPoP"
    assert claims(answer)["cnf"] == {"jkt": owner.thumbprint}


def test_nor_is_a_bound_actor_shown_without_its_key(svc: Services, app: App, service: App, browser: Browser) -> None:
    owner = nonced(Prover(svc.now), service)
    subject = app.tokens(browser)["access_token"]
    actor = token_response(service.token(CLIENT_CREDENTIALS, headers=owner.headers()))["access_token"]
    assert error_code(exchange(service, subject, actor=actor)) == "invalid_request"
    assert claims(exchange(service, subject, actor=actor, headers=owner.headers()))["act"]["sub"] == service.id


def test_a_free_token_may_be_bound_on_the_way(svc: Services, app: App, service: App, browser: Browser) -> None:
    owner = nonced(Prover(svc.now), service)
    answer = exchange(service, app.tokens(browser)["access_token"], headers=owner.headers())
    assert claims(answer)["cnf"] == {"jkt": owner.thumbprint}
