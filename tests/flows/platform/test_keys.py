from dataclasses import replace

import pytest

from chalicelib.config import Settings
from chalicelib.flows.platform import keys
from chalicelib.services import Services
from tests.support import forge
from tests.support.aws import container
from tests.support.browser import Browser, place, register, token_response
from tests.support.phone import Clock, Phone, installed, refusal
from tests.support.prover import Prover
from tests.support.staged import just_before

MINUTE, DAY = 60, 24 * 3600


def states(svc: Services) -> dict[int, str]:
    keyset = svc.keys.read(svc.now())
    return {key.number: keyset.state(key, svc.now()).value for key in keyset.signing}


def refresh_numbers(svc: Services) -> list[int]:
    return [key.number for key in svc.keys.read(svc.now()).refresh]


@pytest.fixture
def other(settings: Settings, clock: Clock) -> Services:
    """The same deployment in another container."""
    return container(settings, now=clock)


def test_keys_under_90_days_old_are_left_alone(svc: Services, clock: Clock) -> None:
    keys.ensure(svc)
    clock.advance(90 * DAY - 1)
    keys.rotate(svc)
    assert states(svc) == {1: "active"}
    assert refresh_numbers(svc) == [1]


def test_a_key_is_published_a_day_before_it_signs_and_until_its_last_token_is_gone(svc: Services, clock: Clock) -> None:
    keys.ensure(svc)
    clock.advance(90 * DAY)
    keys.rotate(svc)
    assert states(svc) == {1: "active", 2: "next"}
    assert len(keys.published(svc)) == 2
    clock.advance(DAY - 1)
    assert states(svc) == {1: "active", 2: "next"}
    clock.advance(1)
    assert states(svc) == {1: "retiring", 2: "active"}
    clock.advance(DAY - 1)  # the longest life that a token may have
    assert states(svc) == {1: "retiring", 2: "active"}
    assert len(keys.published(svc)) == 2
    clock.advance(1)
    assert states(svc) == {1: "spent", 2: "active"}
    assert len(keys.published(svc)) == 1
    keys.rotate(svc)
    assert states(svc) == {2: "active"}


def test_repeating_a_rotation_changes_nothing_more(svc: Services, clock: Clock) -> None:
    keys.ensure(svc)
    for at_once in (True, True, False):
        keys.rotate(svc, at_once=at_once)
        assert states(svc) == {1: "active", 2: "next"}
        assert refresh_numbers(svc) == [1, 2]
        clock.advance(60)


@pytest.mark.slow
def test_a_rotation_a_day_for_a_year_keeps_two_keys_at_most_but_for_the_day_of_change(
    svc: Services, clock: Clock
) -> None:
    keys.ensure(svc)
    changes = 0
    for _ in range(366):
        clock.advance(DAY)
        keys.rotate(svc)
        key_states = list(states(svc).values())
        assert key_states in (["active"], ["active", "next"], ["retiring", "active"])
        changes += key_states == ["active", "next"]
    assert changes == 4  # 366 days of keys that sign for 90 days and lie published for one


def test_a_rival_rotation_just_before_ours_makes_the_one_successor_for_both(
    svc: Services, other: Services, clock: Clock
) -> None:
    keys.ensure(svc)
    clock.advance(90 * DAY)
    with just_before(svc.keys._client, "PutParameter", lambda: keys.rotate(other)):
        ours = keys.rotate(svc)
    assert states(svc) == states(other) == {1: "active", 2: "next"}
    assert refresh_numbers(svc) == [1, 2]
    assert [key.kid for key in ours.signing] == [key.kid for key in other.keys.recent(clock()).signing]


def test_a_rival_that_made_the_first_keys_just_before_us_has_made_them_for_both(svc: Services, other: Services) -> None:
    with just_before(svc.keys._client, "PutParameter", lambda: keys.ensure(other)):
        ours = keys.ensure(svc)
    theirs = other.keys.recent(other.now())
    assert [key.kid for key in ours.signing] == [key.kid for key in theirs.signing]
    assert ours.handle_secrets() == theirs.handle_secrets()
    assert states(svc) == {1: "active"}


def test_a_rival_that_dropped_a_spent_key_just_before_us_is_no_fault(
    svc: Services, other: Services, clock: Clock
) -> None:
    keys.ensure(svc)
    keys.rotate(svc, lead=0, at_once=True)
    clock.advance(DAY)
    with just_before(svc.keys._client, "DeleteParameter", lambda: keys.rotate(other)):
        keys.rotate(svc)
    assert states(svc) == {2: "active"}


def test_a_token_of_the_old_key_is_good_until_it_expires(phone: Phone, svc: Services, clock: Clock) -> None:
    session = phone.sign_up()
    keys.rotate(svc, at_once=True, lead=60)
    clock.advance(59)
    session = phone.refresh(session["refresh_token"])
    old = session["access_token"]
    clock.advance(1)
    keys.rotate(svc)
    new = phone.refresh(session["refresh_token"])["access_token"]
    assert forge.peek(old)[0]["kid"] != forge.peek(new)[0]["kid"]
    assert phone.call("GET /me", token=new).status == 200
    clock.advance(15 * MINUTE - 2)
    keys.rotate(svc)
    assert phone.call("GET /me", token=old).status == 200
    assert phone.call("POST /verify", {"token": old}).json()["active"] is True
    clock.advance(1)
    assert refusal(phone.call("GET /me", token=old))[0] == 401


def test_a_refresh_token_outlives_the_rotation_of_its_key(phone: Phone, svc: Services, clock: Clock) -> None:
    idle, refreshing = phone.sign_up(), phone.log_in()
    keys.rotate(svc, at_once=True, lead=0)
    clock.advance(10 * DAY)
    keys.rotate(svc)
    refreshing = phone.refresh(refreshing["refresh_token"])
    clock.advance(20 * DAY - 1)
    keys.rotate(svc)
    assert refresh_numbers(svc) == [1, 2]
    assert phone.refresh(idle["refresh_token"])
    assert phone.refresh(refreshing["refresh_token"])


def test_a_refresh_key_goes_when_the_last_token_that_any_client_may_have_of_it_has_expired(
    phone: Phone, svc: Services, clock: Clock
) -> None:
    phone.sign_up()
    app = register(svc, phone, refresh_idle_seconds=180 * DAY)
    unused = app.tokens(Browser(phone))["refresh_token"]
    keys.rotate(svc, at_once=True, lead=0)
    for _ in range(18):
        clock.advance(10 * DAY)
        keys.rotate(svc)
    clock.advance(-1)
    token_response(app.refresh(unused))
    clock.advance(180 * DAY)
    keys.rotate(svc)
    assert 1 in refresh_numbers(svc)
    clock.advance(2)
    keys.rotate(svc)
    assert 1 not in refresh_numbers(svc)
    assert refusal(app.refresh(unused)) == (400, "invalid_grant")


def test_a_bound_refresh_token_whose_answer_was_lost_is_taken_again_after_its_key_has_made_its_last(
    phone: Phone, svc: Services, clock: Clock
) -> None:
    phone.sign_up()
    app, owner = register(svc, phone, "spa", refresh_idle_seconds=180 * DAY), Prover(svc.now)
    code = Browser(phone).code(app)
    owner.nonce = app.redeem(code, headers=owner.headers()).header("DPoP-Nonce") or ""
    first = token_response(app.redeem(code, headers=owner.headers()))["refresh_token"]
    keys.rotate(svc, at_once=True, lead=0)
    for _ in range(2):
        clock.advance(180 * DAY - 1)
        keys.rotate(svc)
        owner.nonce = app.refresh(first, headers=owner.headers()).header("DPoP-Nonce") or ""
        token_response(app.refresh(first, headers=owner.headers()))


def test_every_token_is_good_for_as_long_as_it_says_whatever_key_signed_it(
    phone: Phone, svc: Services, clock: Clock
) -> None:
    phone.sign_up()
    app = register(svc, phone, access_seconds=DAY, post_logout_redirect_uris=("https://app.example/left",))
    keys.rotate(svc, at_once=True)
    clock.advance(DAY - 1)  # the old key's last second
    browser = Browser(phone)
    tokens = app.tokens(browser)
    clock.advance(3599)
    keys.rotate(svc)
    params = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": "https://app.example/left"}
    assert place(browser.get("/oauth/logout", params)) == "https://app.example/left"
    clock.advance(DAY - 3600)
    keys.rotate(svc)
    assert phone.call("GET /oauth/userinfo", token=tokens["access_token"]).status == 200
    clock.advance(1)
    assert phone.call("GET /oauth/userinfo", token=tokens["access_token"]).status == 401


def test_a_client_stored_with_a_longer_life_than_keys_have_gets_the_longest(
    phone: Phone, svc: Services, clock: Clock
) -> None:
    phone.sign_up()
    app = register(svc, phone)
    stored = replace(app.client, access_seconds=10 * DAY, refresh_idle_seconds=365 * DAY, version=2)
    assert svc.clients.replace(app.client, stored)
    tokens = app.tokens(Browser(phone))
    assert tokens["expires_in"] == DAY
    assert phone.call("GET /oauth/userinfo", token=tokens["access_token"]).status == 200
    clock.advance(180 * DAY)
    assert refusal(app.refresh(tokens["refresh_token"])) == (400, "invalid_grant")


def test_a_lost_answer_is_given_again_across_a_change_of_keys(phone: Phone, svc: Services, clock: Clock) -> None:
    first = phone.sign_up()["refresh_token"]
    keys.rotate(svc, at_once=True, lead=10)
    clock.advance(5)
    second = phone.refresh(first)["refresh_token"]
    clock.advance(10)
    again = phone.refresh(first)["refresh_token"]
    assert phone.refresh(again)
    clock.advance(31)
    assert refusal(phone.call("POST /refresh", {"refresh_token": second})) == (401, "invalid_grant")


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
def test_another_algorithm_takes_effect_with_the_next_rotation(
    phone: Phone, svc: Services, settings: Settings, clock: Clock, algorithm: str
) -> None:
    session = phone.sign_up()
    old = session["access_token"]
    changed = container(replace(settings, algorithm=algorithm), now=clock, hashing=svc.hashing)
    with installed(changed):
        session = phone.refresh(session["refresh_token"])
        assert forge.peek(session["access_token"])[0]["alg"] == "ES256"
        keys.rotate(changed, at_once=True, lead=60)
        clock.advance(60)
        session = phone.refresh(session["refresh_token"])
        assert forge.peek(session["access_token"])[0]["alg"] == algorithm
        assert phone.call("GET /me", token=session["access_token"]).status == 200
        assert phone.call("GET /me", token=old).status == 200
        twin = ["PS256"] if algorithm == "RS256" else []
        assert [jwk["alg"] for jwk in keys.published(changed)] == ["ES256", algorithm, *twin]


def test_another_container_signs_with_the_new_key_from_the_same_second_on(
    svc: Services, other: Services, clock: Clock
) -> None:
    keys.ensure(svc)
    keys.current(other)
    keys.rotate(svc, at_once=True)
    clock.advance(DAY)
    assert keys.current(other).signer(clock()).number == keys.current(svc).signer(clock()).number == 2
