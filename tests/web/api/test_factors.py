"""The further factors of an account at the JSON API: listed, named and removed by who has just logged in with all of them."""

from collections.abc import Iterator

import pytest

from chalicelib.domain.accounts.model import EnrolledFactor
from chalicelib.services import Services
from tests.support import counter
from tests.support.forge import peek
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, refusal
from tests.support.wire import watched

FACTORS = "/me/factors"


@pytest.fixture(autouse=True)
def _second_factor() -> Iterator[None]:
    """The factor that is made for tests."""
    with counter.installed():
        yield


@pytest.fixture
def weak(phone: Phone) -> str:
    """The access token of a session that began with the password alone, before there was another factor."""
    token: str = phone.sign_up()["access_token"]
    return token


@pytest.fixture
def uid(svc: Services, weak: str) -> str:
    """An account with a second factor."""
    uid: str = peek(weak)[1]["sub"]
    counter.enrol(svc, uid)
    return uid


def strong(phone: Phone, uid: str, step: int = 1) -> str:
    """The access token of a login with both."""
    begun = phone.call("POST /login", {"email": EMAIL, "password": PASSWORD}).json()
    proof = {"mfa_token": begun["mfa_token"], "factor": "counter", "answer": counter.code(uid, step)}
    token: str = phone.call("POST /login/proof", proof).json()["access_token"]
    return token


def test_the_list_has_what_the_account_has_and_when_it_was_used(
    phone: Phone, weak: str, uid: str, clock: Clock
) -> None:
    (factor,) = phone.call(f"GET {FACTORS}", token=weak).json()["factors"]
    assert {**factor, "id": ""} == {"id": "", "kind": "counter", "name": "A counter", "created_at": clock()}
    clock.advance(60)
    strong(phone, uid)
    (used,) = phone.call(f"GET {FACTORS}", token=weak).json()["factors"]
    assert used == {**factor, "last_used_at": clock()}


def test_the_factors_of_an_account_without_any_cost_no_call_of_their_own(
    phone: Phone, weak: str, svc: Services
) -> None:
    with watched(svc) as traffic:
        assert phone.call(f"GET {FACTORS}", token=weak).json()["factors"] == []
    assert traffic.calls == ["BatchGetItem"]


def test_a_factor_has_the_name_that_its_owner_gives_it(phone: Phone, weak: str, uid: str, svc: Services) -> None:
    (factor,) = phone.call(f"GET {FACTORS}", token=weak).json()["factors"]
    assert phone.call(f"PATCH {FACTORS}/{factor['id']}", {"name": "Ann's 📱"}, token=weak).status == 204
    assert phone.call(f"GET {FACTORS}", token=weak).json()["factors"] == [{**factor, "name": "Ann's 📱"}]
    for body in ({}, {"name": "x" * 101}, {"name": "a\nb"}, {"name": 1}, {"name": "x", "kind": "password"}):
        assert refusal(phone.call(f"PATCH {FACTORS}/{factor['id']}", body, token=weak)) == (400, "invalid_request")
    other = phone.sign_up("bob@example.com")["access_token"]
    for token, factor_id in ((weak, "x"), (weak, "counter"), (weak, "profile"), (other, factor["id"])):
        answer = phone.call(f"PATCH {FACTORS}/{factor_id}", {"name": "Mine"}, token=token)
        assert refusal(answer) == (404, "not_found")
    user = svc.users.read(uid)
    assert user
    assert user.factors == {f"counter#{factor['id']}"}


def test_a_factor_is_removed_by_a_fresh_login_with_all_that_the_account_has(
    phone: Phone, weak: str, uid: str, svc: Services
) -> None:
    (factor,) = phone.call(f"GET {FACTORS}", token=weak).json()["factors"]
    path = f"DELETE {FACTORS}/{factor['id']}"
    token = strong(phone, uid)
    assert phone.call(path, token=token).status == 204
    assert phone.call(f"GET {FACTORS}", token=token).json()["factors"] == []
    assert refusal(phone.call(path, token=token)) == (404, "not_found")
    assert phone.log_in()  # by the password alone again
    user = svc.users.read(uid)
    assert user
    assert user.factors == frozenset()
    stored = svc.users._client.call("Scan", TableName=svc.settings.users_table)["Items"]
    assert not [item for item in stored if item["sk"]["S"].startswith("factor#")]


@pytest.mark.usefixtures("uid")
def test_a_password_alone_removes_no_factor(phone: Phone, weak: str) -> None:
    (factor,) = phone.call(f"GET {FACTORS}", token=weak).json()["factors"]
    assert refusal(phone.call(f"DELETE {FACTORS}/{factor['id']}", token=weak)) == (401, "login_required")
    assert phone.call(f"GET {FACTORS}", token=weak).json()["factors"] == [factor]


@pytest.mark.usefixtures("uid")
def test_a_half_finished_login_changes_no_factor(phone: Phone, weak: str) -> None:
    (factor,) = phone.call(f"GET {FACTORS}", token=weak).json()["factors"]
    begun = phone.call("POST /login", {"email": EMAIL, "password": PASSWORD}).json()
    for line in (f"GET {FACTORS}", f"DELETE {FACTORS}/{factor['id']}"):
        assert phone.call(line, token=begun["mfa_token"]).status == 401


def test_a_stale_login_removes_no_factor_and_neither_does_its_refresh(
    phone: Phone, weak: str, uid: str, clock: Clock, svc: Services
) -> None:
    (factor,) = phone.call(f"GET {FACTORS}", token=weak).json()["factors"]
    token = strong(phone, uid)
    clock.advance(svc.settings.fresh_login_seconds + 1)
    assert refusal(phone.call(f"DELETE {FACTORS}/{factor['id']}", token=token)) == (401, "login_required")
    assert phone.call(f"DELETE {FACTORS}/{factor['id']}", token=strong(phone, uid, 2)).status == 204


def test_the_factor_of_another_account_is_not_there(phone: Phone, weak: str, uid: str) -> None:
    (factor,) = phone.call(f"GET {FACTORS}", token=weak).json()["factors"]
    other = phone.sign_up("bob@example.com")["access_token"]
    assert refusal(phone.call(f"DELETE {FACTORS}/{factor['id']}", token=other)) == (404, "not_found")
    assert strong(phone, uid)


def test_an_item_that_the_account_does_not_name_counts_for_nothing(
    phone: Phone, weak: str, uid: str, svc: Services
) -> None:
    item_of = {**counter.an_item(uid, "counter", "f" * 32)}
    svc.users._client.call("PutItem", TableName=svc.settings.users_table, Item=item_of)
    (factor,) = phone.call(f"GET {FACTORS}", token=weak).json()["factors"]
    assert factor["id"] != "f" * 32
    user = svc.users.read(uid)
    assert user
    assert svc.factors.find(user, f"counter#{'f' * 32}") is None


def test_the_last_way_in_is_not_removed(phone: Phone, weak: str, uid: str, svc: Services) -> None:
    token = strong(phone, uid)
    (factor,) = phone.call(f"GET {FACTORS}", token=weak).json()["factors"]
    svc.users._client.call(
        "UpdateItem",
        TableName=svc.settings.users_table,
        Key={"pk": {"S": f"user#{uid}"}, "sk": {"S": "profile"}},
        UpdateExpression="SET password_hash = :none",
        ExpressionAttributeValues={":none": {"S": ""}},
    )
    assert refusal(phone.call(f"DELETE {FACTORS}/{factor['id']}", token=token)) == (409, "last_factor")


def test_factors_go_with_the_account(phone: Phone, uid: str, svc: Services) -> None:
    assert phone.call("DELETE /me", {"password": PASSWORD}, token=strong(phone, uid)).status == 204
    stored = svc.users._client.call("Scan", TableName=svc.settings.users_table)["Items"]
    assert stored == []


def test_whoever_has_another_factor_by_now_is_asked_again_before_the_account_goes(uid: str, svc: Services) -> None:
    user = svc.users.read(uid)
    assert user
    before = user.factors
    rival = EnrolledFactor(uid=uid, kind="counter", id="e" * 32, name="", created_at=0, record='{"v":1}')
    assert svc.transactions.commit(svc.factors.enrolment(user, rival)) is None
    assert svc.transactions.commit(svc.factors.enrolment(user, rival)) is not None  # not as it was read any more
    (session, *_) = svc.sessions.of_user(uid)
    deletion = svc.users.deletion(user, canonical_email=EMAIL, last=session)
    assert svc.transactions.commit(deletion) is not None
    now = svc.users.read(uid)
    assert now
    assert now.factors == before | {rival.entry}
