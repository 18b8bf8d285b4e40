"""What has happened to an account stays known to its owner, whoever would rather not have it so, and goes with it for good."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import TemporarilyUnavailable
from chalicelib.flows.accounts import cleanup
from chalicelib.services import Services
from chalicelib.store.aws.client import Transport
from tests.support.delivery import DeliveringPhone, deliver, waiting
from tests.support.phone import PASSWORD, Clock, Phone, installed
from tests.support.staged import just_before
from tests.support.wire import intercepted

pytestmark = pytest.mark.usefixtures("aws")

DAY = 24 * 3600
NEW_PASSWORD = "an entirely other phrase 7"


@pytest.fixture
def later(svc: Services) -> Iterator[Services]:
    """Services of a deployment that gives its users days to think again."""
    given = replace(svc, settings=replace(svc.settings, deletion_seconds=14 * DAY))
    with installed(given):
        yield given


def change_password(phone: Phone, token: str, password: str = PASSWORD, new: str = NEW_PASSWORD) -> None:
    body = {"current_password": password, "new_password": new}
    assert phone.call("POST /me/password", body, token=token).status == 204


def types(phone: Phone, token: str) -> list[str]:
    events = phone.call("GET /me/activity", token=token).json()["events"]
    return [each["type"] for each in events]


def user_items(svc: Services) -> list[dict[str, Any]]:
    """All that is stored under an account's key."""
    tables = (svc.settings.users_table, svc.settings.grants_table)
    stored = [item for table in tables for item in svc.users._client.call("Scan", TableName=table)["Items"]]
    return [item for item in stored if item["pk"]["S"].startswith("user#")]


def test_an_erasure_that_comes_too_late_for_its_account_erases_nothing_of_its_trail(
    phone: Phone, svc: Services
) -> None:
    """Who has got in would have what they did forgotten: by an erasure that they see to it cannot be."""
    phone.sign_up()
    token = phone.log_in()["access_token"]
    before = types(phone, token)
    with just_before(svc.users._client, "TransactWriteItems", lambda: change_password(phone, token)):
        assert phone.call("DELETE /me", token=token).status == 503
    assert types(phone, token) == ["password_changed", *before]


def test_who_keeps_their_account_at_the_last_moment_keeps_its_trail(
    phone: Phone, later: Services, clock: Clock
) -> None:
    token = phone.sign_up()["access_token"]
    assert phone.call("DELETE /me", {"password": PASSWORD}, token=token).status == 202
    clock.advance(14 * DAY)
    tokens: list[dict[str, str]] = []
    with just_before(later.users._client, "TransactWriteItems", lambda: tokens.append(phone.log_in())):
        assert list(cleanup.erase_scheduled(later)) == []
    expected = ["login", "deletion_cancelled", "deletion_requested", "signed_up"]
    assert sorted(types(phone, tokens[0]["access_token"])) == sorted(expected)


def test_an_erasure_whose_end_fails_leaves_nothing_for_long(phone: DeliveringPhone, svc: Services) -> None:
    """Right after the account is gone, call by call: what is left then goes with the message that was written with it."""
    for place in range(1, 20):
        email, calls = f"ann{place}@example.com", list[str]()
        token = phone.sign_up(email)["access_token"]
        phone.call("PATCH /me", {"name": "Ann"}, token=token)

        def fail(
            proceed: Transport, operation: str, request: Mapping[str, Any], place: int = place, calls: list[str] = calls
        ) -> dict[str, Any]:
            if calls or operation == "TransactWriteItems":
                calls.append(operation)
            if len(calls) > place:
                raise TemporarilyUnavailable(reason="no answer")
            return proceed(operation, request)

        with intercepted(svc.users._client, fail, first=True):
            status = phone.call("DELETE /me", token=token).status
        deliver()
        assert user_items(svc) == [], place
        assert waiting() == []
        if status == 204:
            break
    assert place > 2
