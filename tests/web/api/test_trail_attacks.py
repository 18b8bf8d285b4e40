"""What has happened to an account stays known to its owner, whoever would rather not have it so, and goes with it for good."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import TemporarilyUnavailable
from chalicelib.flows.accounts import cleanup
from chalicelib.services import Services
from chalicelib.store.aws.client import Transport
from local.gateway import Answer
from tests.support import passkeys, wire
from tests.support.authenticator import Authenticator
from tests.support.browser import Browser, register
from tests.support.delivery import DeliveringPhone, deliver, waiting
from tests.support.forge import peek
from tests.support.login_clients import login_client
from tests.support.phone import PASSWORD, Clock, Phone, installed
from tests.support.remembered import DEVICE_ID, remember
from tests.support.staged import before_write, just_before
from tests.support.wire import intercepted

pytestmark = pytest.mark.usefixtures("aws")

DAY = 24 * 3600
NEW_PASSWORD = "an entirely other phrase 7"


@pytest.fixture
def mailing(svc: Services) -> Iterator[Services]:
    """Services of a deployment that sends mail."""
    services = replace(svc, settings=replace(svc.settings, mail_from="login@id.example"))
    with installed(services):
        yield services


@pytest.fixture
def later(svc: Services) -> Iterator[Services]:
    """Services of a deployment that gives its users days to think again."""
    services = replace(svc, settings=replace(svc.settings, deletion_seconds=14 * DAY))
    with installed(services):
        yield services


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


def test_whoever_got_in_hides_no_change_behind_what_can_be_done_without_end(phone: Phone, clock: Clock) -> None:
    """All within an hour: what has no limit of its own leaves room for what protects the account."""
    phone.sign_up()
    token = phone.log_in()["access_token"]
    clock.advance(1)
    for _ in range(105):
        assert phone.call("DELETE /me/sessions", token=token).status == 204
        assert phone.call("POST /logout", {"refresh_token": phone.log_in()["refresh_token"]}).status == 204
    clock.advance(1)
    change_password(phone, token)
    assert types(phone, token)[0] == "password_changed"


Act = Callable[[], Answer]


@contextmanager
def apart(svc: Services) -> Iterator[None]:
    """No record is written with its deed, for others write into the same item: it comes by itself, after that."""

    def conflict(proceed: Transport, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        parts = request.get("TransactItems", [])
        reasons = ["TransactionConflict" if "event#" in str(part.get("Update")) else "None" for part in parts]
        if len({*reasons}) > 1 and len(parts) > 2:
            wire.refusing("TransactionCanceledException", reasons=tuple(reasons))(operation)
        return proceed(operation, request)

    with intercepted(svc.users._client, conflict, first=True):
        yield


def ask_for_another_address(phone: Phone, _: Services, token: str) -> Act:
    return lambda: phone.call("POST /me/email", {"email": "eve@example.com", "password": PASSWORD}, token=token)


def forget_a_device(phone: Phone, svc: Services, token: str) -> Act:
    remember(svc, peek(token)[1]["sub"])
    return lambda: phone.call(f"DELETE /me/devices/{DEVICE_ID}", token=token)


def take_a_consent_back(phone: Phone, svc: Services, token: str) -> Act:
    register(svc, phone).tokens(Browser(phone), email=phone.call("GET /me", token=token).json()["email"])
    (consent,) = phone.call("GET /me/consents", token=token).json()["consents"]
    return lambda: phone.call(f"DELETE /me/consents/{consent['id']}", token=token)


def guess_the_password(phone: Phone, _: Services, token: str) -> Act:
    body = {"current_password": "no idea at all", "new_password": NEW_PASSWORD}
    return lambda: phone.call("POST /me/password", body, token=token)


ACTS = (ask_for_another_address, forget_a_device, take_a_consent_back, guess_the_password)


@pytest.mark.parametrize("prepare", ACTS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("contended", [False, True], ids=["", "contended"])
def test_nothing_is_kept_of_what_is_done_while_the_account_goes(
    phone: Phone,
    mailing: Services,
    capsys: pytest.CaptureFixture[str],
    prepare: Callable[[Phone, Services, str], Act],
    contended: bool,
) -> None:
    """With the erasure before each write; also where the record is not written with its deed, for others write there too."""
    for number in range(1, 20):
        phone.address = f"10.0.0.{number}"
        token = phone.sign_up(f"ann{number}@example.com")["access_token"]
        uid = peek(token)[1]["sub"]
        act = prepare(phone, mailing, token)
        capsys.readouterr()

        def erase(token: str = token) -> None:
            assert phone.call("DELETE /me", token=token).status == 204

        with (
            before_write(mailing.users._client, number, erase) as writes,
            apart(mailing) if contended else nullcontext(),
        ):
            act()
        if len(writes) < number:
            break
        assert user_items(mailing) == [], writes
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        (end,) = [place for place, line in enumerate(lines) if line.get("event") == "account_erased"]
        assert [line for line in lines[end + 1 :] if "event" in line and line.get("uid") == uid] == []
        for item in waiting():
            mailing.outbox.delete(item.message_id, item.kind)
    assert number > 1


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


def test_a_login_that_was_used_before_keeps_no_account_that_is_to_be_erased(phone: Phone, later: Services) -> None:
    """What a passkey has answered is in some proxy's log, perhaps: it is no login a second time, and so no owner's word."""
    client, authenticator = login_client("json", later, phone), Authenticator()
    uid = phone.sign_up()["user"]["sub"]
    passkeys.enrol(later, uid, authenticator)
    token, options = passkeys.begin(client)
    proof = authenticator.get(options)
    first = passkeys.prove(client, token, proof)
    assert first.status == 200, first
    assert phone.call("DELETE /me", token=first.json()["access_token"]).status == 202
    assert passkeys.prove(client, token, proof).status == 401
    user = later.users.read(uid)
    assert user
    assert user.delete_after
