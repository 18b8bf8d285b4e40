"""A public client's refresh tokens are bound to the key that it proves (RFC 9449 section 5), from when it first does."""

from typing import Any

import pytest

from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import App, Browser, register, token_response
from tests.support.forge import peek
from tests.support.phone import Clock, Phone, refusal
from tests.support.prover import Prover
from tests.support.staged import just_before
from tests.support.wire import watched

REFUSED = (400, "invalid_grant")


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    return register(svc, phone, "spa")


@pytest.fixture
def provers(clock: Clock, app: App) -> tuple[Prover, Prover]:
    """Two with keys of their own, who know the nonce of this time."""
    first, second = Prover(clock), Prover(clock)
    answer = app.refresh("x", headers=first.headers())
    first.nonce = second.nonce = answer.header("DPoP-Nonce") or ""
    assert first.nonce
    return first, second


def refresh(app: App, tokens: dict[str, Any], prover: Prover | None = None) -> Answer:
    return app.refresh(tokens["refresh_token"], headers=prover.headers() if prover else ())


def key_of(tokens: dict[str, Any]) -> str:
    thumbprint: str = peek(tokens["access_token"])[1]["cnf"]["jkt"]
    return thumbprint


def test_a_proof_at_a_refresh_binds_the_session_that_began_without_one(
    app: App, browser: Browser, provers: tuple[Prover, Prover], clock: Clock
) -> None:
    mine, thief = provers
    first = app.tokens(browser)
    second = token_response(refresh(app, first, mine))
    assert key_of(second) == mine.thumbprint
    # What was bound when it was handed out is of no use to a thief, who cannot end the session with it either.
    assert refusal(refresh(app, second)) == REFUSED
    assert refusal(refresh(app, second, thief)) == REFUSED
    third = token_response(refresh(app, second, mine))
    assert key_of(third) == mine.thumbprint
    clock.advance(3600)
    mine.nonce = refresh(app, third, mine).header("DPoP-Nonce") or ""
    # As for all that are bound: the answer may have been lost, and nobody else can come back for it.
    assert token_response(refresh(app, second, mine))["refresh_token"] == third["refresh_token"]


@pytest.mark.parametrize("owner", ["without a proof", "with another key"])
@pytest.mark.parametrize("later", [0, 3600])
def test_a_thief_who_binds_a_stolen_token_to_a_key_of_his_own_is_found_out_when_its_owner_comes(
    app: App, browser: Browser, provers: tuple[Prover, Prover], clock: Clock, owner: str, later: int
) -> None:
    mine, thief = provers
    tokens = app.tokens(browser)
    gains = token_response(refresh(app, token_response(refresh(app, tokens, thief)), thief))
    clock.advance(later)
    mine.nonce = thief.nonce = refresh(app, {"refresh_token": "x"}, mine).header("DPoP-Nonce") or thief.nonce
    assert refusal(refresh(app, tokens, mine if owner == "with another key" else None)) == REFUSED
    assert refusal(refresh(app, gains, thief)) == REFUSED


@pytest.mark.parametrize("late", ["what its owner was given", "what was stolen"])
def test_a_thief_who_binds_what_is_handed_out_once_more_is_found_out_as_well(
    app: App, browser: Browser, provers: tuple[Prover, Prover], late: str
) -> None:
    tokens = app.tokens(browser)
    owned = token_response(refresh(app, tokens))
    gains = token_response(refresh(app, tokens, provers[1]))
    assert refusal(refresh(app, owned if late == "what its owner was given" else tokens)) == REFUSED
    assert refusal(refresh(app, gains, provers[1])) == REFUSED


def test_the_write_that_binds_is_the_one_that_rotates(
    svc: Services, app: App, browser: Browser, provers: tuple[Prover, Prover]
) -> None:
    tokens = app.tokens(browser)
    with watched(svc) as traffic:
        tokens = token_response(refresh(app, tokens, provers[0]))
    # The client, the memory of the proof, the session with its user, the rotation.
    assert sorted(traffic.calls) == ["BatchGetItem", "GetItem", "PutItem", "UpdateItem"]
    (session,) = [
        each for each in svc.sessions.of_user(peek(tokens["access_token"])[1]["sub"]) if each.client_id == app.id
    ]
    assert (session.generation, session.jkt) == (2, provers[0].thumbprint)


def test_a_retry_with_a_proof_binds_what_it_hands_out_once_more(
    app: App, browser: Browser, provers: tuple[Prover, Prover]
) -> None:
    mine, thief = provers
    first = app.tokens(browser)
    second = token_response(refresh(app, first))
    again = token_response(refresh(app, first, mine))
    assert again["refresh_token"] == second["refresh_token"]
    bound = token_response(refresh(app, again, mine))
    for prover in (None, thief):
        assert refusal(refresh(app, bound, prover)) == REFUSED
    assert token_response(refresh(app, bound, mine))


@pytest.mark.parametrize("ours", ["another key's", "without a proof"])
def test_a_refresh_that_a_rivals_key_overtook_gets_nothing_and_ends_the_session(
    svc: Services, app: App, browser: Browser, provers: tuple[Prover, Prover], ours: str
) -> None:
    rival, other = provers
    first = app.tokens(browser)
    won: list[dict[str, Any]] = []
    with just_before(
        svc.sessions._client, "UpdateItem", lambda: won.append(token_response(refresh(app, first, rival)))
    ):
        assert refusal(refresh(app, first, other if ours == "another key's" else None)) == REFUSED
    # Two keys are two holders, and nothing says which of them is the thief.
    assert refusal(refresh(app, won[0], rival)) == REFUSED


@pytest.mark.parametrize("ours", ["another key's", "without a proof"])
def test_a_refresh_that_a_rivals_retry_with_a_key_overtook_gets_nothing_and_ends_the_session(
    svc: Services, app: App, browser: Browser, provers: tuple[Prover, Prover], ours: str
) -> None:
    rival, other = provers
    first = app.tokens(browser)
    second = token_response(refresh(app, first))
    won: list[dict[str, Any]] = []
    with just_before(
        svc.sessions._client, "UpdateItem", lambda: won.append(token_response(refresh(app, first, rival)))
    ):
        assert refusal(refresh(app, second, other if ours == "another key's" else None)) == REFUSED
    assert refusal(refresh(app, won[0], rival)) == REFUSED


def test_a_refresh_that_a_retry_with_its_own_key_overtook_goes_on(
    svc: Services, app: App, browser: Browser, provers: tuple[Prover, Prover]
) -> None:
    mine, _ = provers
    first = app.tokens(browser)
    second = token_response(refresh(app, first))
    with just_before(svc.sessions._client, "UpdateItem", lambda: token_response(refresh(app, first, mine))):
        third = token_response(refresh(app, second, mine))
    assert token_response(refresh(app, third, mine))


def test_a_refresh_with_a_key_that_one_without_overtook_binds_all_the_same(
    svc: Services, app: App, browser: Browser, provers: tuple[Prover, Prover]
) -> None:
    mine, _ = provers
    first = app.tokens(browser)
    with just_before(svc.sessions._client, "UpdateItem", lambda: token_response(refresh(app, first))):
        second = token_response(refresh(app, first, mine))
    third = token_response(refresh(app, second, mine))
    assert refusal(refresh(app, third)) == REFUSED
    assert token_response(refresh(app, third, mine))


def test_of_two_keys_that_come_back_for_the_same_answer_neither_keeps_it(
    svc: Services, app: App, browser: Browser, provers: tuple[Prover, Prover]
) -> None:
    mine, rival = provers
    first = app.tokens(browser)
    token_response(refresh(app, first))
    with just_before(svc.sessions._client, "UpdateItem", lambda: token_response(refresh(app, first, rival))):
        assert refusal(refresh(app, first, mine)) == REFUSED
    assert refusal(refresh(app, first, rival)) == REFUSED


def test_a_confidential_clients_refresh_tokens_need_no_key(
    svc: Services, browser: Browser, provers: tuple[Prover, Prover]
) -> None:
    web = register(svc, browser.phone)
    tokens = web.tokens(browser)
    for prover in (provers[0], None, provers[1]):
        tokens = token_response(refresh(web, tokens, prover))
