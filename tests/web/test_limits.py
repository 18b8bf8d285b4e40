"""What is counted, for whom, and what a deployment may choose of it."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.config import LIMITS, load
from chalicelib.flows import limits
from chalicelib.services import Services
from tests import wire
from tests.browser import ISSUER, register
from tests.phone import PASSWORD, Clock, Phone, installed, refusal

DOCUMENTS = Path(__file__).parents[2] / "docs"
TOO_MANY = (429, "too_many_requests")
GOOD = {"redirect_uris": ["https://app.example/cb"]}
UNITS = {"min": 60, "h": 3600}


def limited(svc: Services, chosen: str) -> Services:
    """The same services with other limits."""
    return replace(
        svc, settings=replace(svc.settings, limits=load({"LATCHKEY_ISSUER": ISSUER, "LATCHKEY_LIMITS": chosen}).limits)
    )


def test_the_table_of_limits_is_the_one_in_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) (min|h) \| \w", (DOCUMENTS / "operations.md").read_text(), re.M)
    assert {name: (int(most), int(number) * UNITS[unit]) for name, most, number, unit in rows} == dict(LIMITS)


def test_every_limit_is_used_under_its_name() -> None:
    source = Path(limits.__file__).read_text()
    assert set(re.findall(r'_limit\(svc, "(\w+)"', source)) == set(LIMITS)


def test_a_deployment_chooses_numbers_by_name_and_all_others_at_once() -> None:
    def numbers(chosen: str) -> dict[str, int]:
        settings = load({"LATCHKEY_ISSUER": ISSUER, "LATCHKEY_LIMITS": chosen})
        assert {name: seconds for name, (_, seconds) in settings.limits.items()} == {
            name: seconds for name, (_, seconds) in LIMITS.items()
        }
        return {name: most for name, (most, _) in settings.limits.items()}

    usual = {name: most for name, (most, _) in LIMITS.items()}
    assert numbers("") == usual
    assert numbers("sign_up_network=7") == {**usual, "sign_up_network": 7}
    everything = dict.fromkeys(LIMITS, 1000)
    assert numbers("*=1000") == everything
    for both in ("*=1000 fetch_host=3", " fetch_host=3  *=1000 "):
        assert numbers(both) == {**everything, "fetch_host": 3}


@pytest.mark.parametrize(
    "chosen",
    [
        "passwords=3",
        "sign_up_network",
        "sign_up_network=",
        "sign_up_network=0",
        "sign_up_network=-1",
        "*=many",
        "=3",
        "*",
        "*=1e3",
        "*=٣",
    ],
)
def test_a_limit_that_cannot_be_is_refused_with_what_there_is(chosen: str) -> None:
    with pytest.raises(ValueError, match=r"^LATCHKEY_LIMITS ") as refused:
        load({"LATCHKEY_ISSUER": ISSUER, "LATCHKEY_LIMITS": chosen})
    name = chosen.partition("=")[0]
    if name not in ("*", *LIMITS):
        assert all(known in str(refused.value) for known in LIMITS)


def test_a_chosen_number_holds_and_its_refusal_says_when_and_logs_which(
    svc: Services, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with installed(limited(svc, "*=1000 sign_up_network=2")):
        phone = Phone(clock)
        phone.sign_up("one@example.com")
        phone.sign_up("two@example.com")
        answer = phone.call("POST /signup", {"email": "three@example.com", "password": PASSWORD})
        assert refusal(answer) == TOO_MANY
        assert '"reason":"sign_up_network"' in capsys.readouterr().out
        clock.advance(int(answer.header("Retry-After") or 0))
        phone.sign_up("three@example.com")


# What was refused is not counted as done
def test_a_registration_that_is_refused_is_no_registration(svc: Services, clock: Clock) -> None:
    with installed(replace(svc, settings=replace(svc.settings, registration_open=True))):
        phone = Phone(clock)
        for wrong in ({"redirect_uris": ["http://app.example/cb"]}, {}, {**GOOD, "grant_types": ["password"]}) * 7:
            assert phone.call("POST /oauth/register", wrong).status == 400
        assert [phone.call("POST /oauth/register", GOOD).status for _ in range(21)] == [201] * 20 + [429]


def test_a_change_of_a_registration_that_is_refused_is_no_change(svc: Services, clock: Clock) -> None:
    with installed(replace(svc, settings=replace(svc.settings, registration_open=True))):
        phone = Phone(clock)
        told = phone.call("POST /oauth/register", GOOD).json()
        line, token = f"PUT /oauth/register/{told['client_id']}", told["registration_access_token"]
        for _ in range(21):
            assert phone.call(line, {"client_id": told["client_id"]}, token=token).status == 400
        assert phone.call(line, {**GOOD, "client_id": told["client_id"]}, token=token).status == 200


def test_a_pushed_request_that_is_refused_is_not_counted_with_those_that_are_kept(
    svc: Services, phone: Phone, clock: Clock
) -> None:
    app = register(svc, phone, "spa")
    with installed(limited(svc, "pushed_request_network=2")):
        app.phone = Phone(clock)
        for wrong in ({"redirect_uri": "https://evil.example/"}, {"scope": "admin"}, {"response_type": "token"}):
            assert app.post("/oauth/par", app.request(**wrong)).status == 400
        assert [app.post("/oauth/par", app.request()).status for _ in range(3)] == [201, 201, 429]


# Devices
def test_a_network_has_codes_for_so_many_devices_of_clients_that_prove_nothing(
    svc: Services, phone: Phone, clock: Clock
) -> None:
    television = register(svc, phone, "television")
    assert [television.post("/oauth/device", {}).status for _ in range(101)] == [200] * 100 + [429]
    with wire.watched(svc) as seen:
        assert television.post("/oauth/device", {}).json()["error"] == "too_many_requests"
    assert "PutItem" not in seen.calls
    for wrong in ({"scope": "admin"}, {"resource": "https://other.example"}):
        assert television.post("/oauth/device", wrong).status == 400
    television.phone = Phone(clock, address="203.0.113.9")
    assert television.post("/oauth/device", {}).status == 200


def test_a_device_that_asks_without_end_is_told_so_without_a_write(svc: Services, phone: Phone, clock: Clock) -> None:
    television = register(svc, phone, "television")
    codes = television.post("/oauth/device", {}).json()

    def poll() -> Any:
        return television.token("urn:ietf:params:oauth:grant-type:device_code", device_code=codes["device_code"])

    assert poll().json()["error"] == "authorization_pending"
    for _ in range(20):
        assert poll().json()["error"] == "slow_down"
    with wire.watched(svc) as seen:
        assert {poll().json()["error"] for _ in range(20)} == {"slow_down"}
    assert set(seen.calls) == {"GetItem"}
    clock.advance(60)
    assert poll().json()["error"] == "authorization_pending"
