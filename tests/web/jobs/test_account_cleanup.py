"""Accounts that nobody has verified for as long as the deployment says are erased; no other one is."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.accounts.model import EnrolledFactor, User
from chalicelib.domain.errors import TemporarilyUnavailable
from chalicelib.flows.accounts import cleanup
from chalicelib.services import Services, use
from chalicelib.store.aws.client import Transport
from tests.support import remembered
from tests.support.browser import Browser, register
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, refusal
from tests.support.staged import just_before
from tests.support.wire import intercepted

DAY = 24 * 3600


@pytest.fixture
def svc(svc: Services) -> Services:
    return replace(svc, settings=replace(svc.settings, unverified_account_seconds=30 * DAY))


def account(svc: Services, email: str = EMAIL) -> User:
    user = svc.users.read(str(svc.users.find(email)))
    assert user
    return user


def erased(svc: Services) -> list[str]:
    return [user.email for user in cleanup.erase_unverified(svc)]


def left(svc: Services, uid: str) -> list[str]:
    """The keys of all that is stored of somebody."""
    tables = (svc.settings.users_table, svc.settings.grants_table)
    items = [item for name in tables for item in svc.users._client.call("Scan", TableName=name)["Items"]]
    return [item["pk"]["S"] for item in items if uid in item["pk"]["S"] or item.get("uid", {}).get("S") == uid]


def test_all_that_is_kept_of_somebody_goes_and_the_address_is_free(phone: Phone, svc: Services, clock: Clock) -> None:
    tokens = phone.sign_up()
    register(svc, phone).tokens(Browser(phone), scope="openid")
    user = account(svc)
    factor = EnrolledFactor(uid=user.uid, kind="totp", id="1", name="phone", created_at=1, record="{}")
    assert svc.transactions.commit(svc.factors.enrolment(user, factor)) is None
    remembered.remember(svc, user.uid)
    clock.advance(30 * DAY)
    assert erased(svc) == []
    clock.advance(1)
    assert left(svc, user.uid)
    assert erased(svc) == [EMAIL]
    assert left(svc, user.uid) == []
    assert refusal(phone.call("POST /refresh", {"refresh_token": tokens["refresh_token"]})) == (401, "invalid_grant")
    assert refusal(phone.call("POST /login", {"email": EMAIL, "password": PASSWORD})) == (401, "invalid_credentials")
    assert phone.sign_up()
    assert erased(svc) == []


def verify(svc: Services) -> None:
    svc.users.verify_email(account(svc))


def disable(svc: Services) -> None:
    svc.users.disable(account(svc).uid)


def give_a_role(svc: Services) -> None:
    svc.users.set_roles(account(svc).uid, roles=("admin",))


@pytest.mark.parametrize("change", [verify, disable, give_a_role])
def test_who_is_verified_or_an_operator_s_concern_stays(
    phone: Phone, svc: Services, clock: Clock, change: Callable[[Services], None]
) -> None:
    phone.sign_up()
    change(svc)
    clock.advance(365 * DAY)
    assert erased(svc) == []
    assert account(svc).email == EMAIL


@pytest.mark.parametrize("change", [verify, disable])
def test_who_is_verified_in_the_very_moment_stays_with_their_sessions(
    phone: Phone, svc: Services, clock: Clock, change: Callable[[Services], None]
) -> None:
    phone.sign_up()
    clock.advance(29 * DAY)
    phone.log_in()
    clock.advance(2 * DAY)
    sessions = svc.sessions.of_user(account(svc).uid)
    with just_before(svc.transactions._client, "TransactWriteItems", lambda: change(svc)):
        assert erased(svc) == []
    assert svc.sessions.of_user(account(svc).uid) == sessions


def test_nobody_is_erased_where_the_deployment_does_not_say_when(phone: Phone, svc: Services, clock: Clock) -> None:
    phone.sign_up()
    clock.advance(3650 * DAY)
    never = replace(svc, settings=replace(svc.settings, unverified_account_seconds=0))
    assert erased(never) == []


def test_the_function_says_whom_it_erased_and_not_their_address(
    phone: Phone, svc: Services, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    import app

    uid = phone.sign_up()["user"]["sub"]
    clock.advance(31 * DAY)
    use(svc)
    capsys.readouterr()
    scheduled = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}, "account": "1", "region": "x"}
    app.app.handler_map["erase_unverified"]({**scheduled, "version": "0", "id": "1", "time": "", "resources": []}, None)
    line = json.loads(capsys.readouterr().out)
    assert (line["event"], line["uid"]) == ("account_erased", uid)
    assert EMAIL not in json.dumps(line)
    assert svc.users.find(EMAIL) is None


def test_a_guest_has_as_many_days_from_when_it_has_an_address(phone: Phone, svc: Services, clock: Clock) -> None:
    use(replace(svc, settings=replace(svc.settings, guests=True)))
    guest = phone.call("POST /signup/guest").json()
    refresh_token = guest["refresh_token"]
    for _ in range(2):
        clock.advance(20 * DAY)
        refresh_token = phone.refresh(refresh_token)["refresh_token"]
    assert erased(svc) == []
    access = phone.refresh(refresh_token)["access_token"]
    assert phone.call("POST /me/upgrade", {"email": EMAIL, "password": PASSWORD}, token=access).status == 200
    clock.advance(30 * DAY)
    assert erased(svc) == []
    clock.advance(1)
    assert erased(svc) == [EMAIL]


@pytest.mark.parametrize("failure", ["an error", "a record of another release"])
def test_who_cannot_be_erased_is_in_nobody_s_way(
    phone: Phone, svc: Services, clock: Clock, capsys: pytest.CaptureFixture[str], failure: str
) -> None:
    """The job comes by the same accounts in the same order each day: one of them would be the end for all behind it."""
    uids = sorted(phone.sign_up(f"ann{number}@example.com")["user"]["sub"] for number in range(6))
    clock.advance(31 * DAY)
    use(svc)
    table = svc.settings.users_table
    if failure == "an error":

        def fail(proceed: Transport, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
            if operation == "TransactWriteItems" and uids[0] in str(request):
                raise TemporarilyUnavailable(reason="throttled")
            return proceed(operation, request)

        with intercepted(svc.users._client, fail), pytest.raises(TemporarilyUnavailable):
            erased(svc)
        assert '"failure":"not erased"' in capsys.readouterr().out
    else:
        (item,) = [
            each
            for each in svc.users._client.call("Scan", TableName=table)["Items"]
            if each["pk"]["S"] == f"user#{uids[0]}" and each["sk"]["S"] == "profile"
        ]
        svc.users._client.call("PutItem", TableName=table, Item={**item, "v": {"N": "2"}})
        assert len(erased(svc)) == 5
    left = {each["pk"]["S"] for each in svc.users._client.call("Scan", TableName=table)["Items"]}
    assert {each for each in left if each.startswith("user#")} == {f"user#{uids[0]}"}
