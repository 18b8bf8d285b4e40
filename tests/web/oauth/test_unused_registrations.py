"""A client that registered itself, which nobody has ever logged in by, expires; the first login lets it stay."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.config import DAY, load
from chalicelib.domain.oauth.client import DEVICE_CODE, Client
from chalicelib.flows.clients import authenticate, manage
from chalicelib.services import Services
from tests.support import wire
from tests.support.browser import ISSUER, App, Browser, callback_params
from tests.support.phone import EMAIL, NETWORK, PASSWORD, Clock, Phone, installed, refusal
from tests.support.staged import before_write, just_before
from tests.web.oauth.test_registration import GOOD, changed, path
from tests.web.pages.test_device import begin, decided, poll

DAYS = 30
METADATA = {**GOOD, "token_endpoint_auth_method": "none"}


@pytest.fixture
def svc(svc: Services) -> Services:
    """A deployment that is open to everybody."""
    return changed(svc, registration_open=True)


@pytest.fixture
def registration(phone: Phone) -> dict[str, Any]:
    """What a stranger was told of its registration."""
    answer = phone.call("POST /oauth/register", METADATA)
    assert answer.status == 201
    answered: dict[str, Any] = answer.json()
    return answered


@pytest.fixture
def app(svc: Services, phone: Phone, registration: dict[str, Any]) -> App:
    return App(phone, svc, client_of(svc, registration))


def find(svc: Services, registration: dict[str, Any]) -> Client | None:
    return authenticate.find(svc, registration["client_id"], network=NETWORK)


def client_of(svc: Services, registration: dict[str, Any]) -> Client:
    client = find(svc, registration)
    assert client
    return client


def own_registration(phone: Phone, registration: dict[str, Any]) -> int:
    return phone.call(f"GET {path(registration)}", token=registration["registration_access_token"]).status


def test_it_is_unknown_from_its_day_on_though_the_table_has_it_still(
    svc: Services, phone: Phone, clock: Clock, app: App, registration: dict[str, Any]
) -> None:
    clock.advance(DAYS * DAY - 1)
    assert (find(svc, registration) is not None, own_registration(phone, registration)) == (True, 200)
    clock.advance(1)
    assert svc.clients.read(app.id) is not None  # the time to live deletes late
    assert (find(svc, registration), own_registration(phone, registration)) == (None, 401)
    assert Browser(phone).authorize(app).status == 400
    change = {**METADATA, "client_id": app.id}
    answer = phone.call(f"PUT {path(registration)}", change, token=registration["registration_access_token"])
    assert refusal(answer) == (401, "invalid_token")
    assert refusal(
        app.post("/oauth/token", {"grant_type": "authorization_code", "code": "x", "client_id": app.id})
    ) == (
        401,
        "invalid_client",
    )


def test_the_first_login_lets_it_stay_and_makes_no_call_more_than_the_second(
    svc: Services, clock: Clock, app: App, browser: Browser, registration: dict[str, Any]
) -> None:
    page = browser.submit(browser.authorize(app, scope="openid"), "/authorize/login", email=EMAIL, password=PASSWORD)
    with wire.watched(svc) as first:
        assert "code" in callback_params(browser.submit(page, "/authorize/consent", decision="allow"))
    page = browser.authorize(app, scope="openid email")  # which is for the user to allow as well
    with wire.watched(svc) as second:
        assert "code" in callback_params(browser.submit(page, "/authorize/consent", decision="allow"))
    assert first.calls == second.calls
    clock.advance(DAYS * DAY)
    assert client_of(svc, registration).expires_at == 0


def test_a_user_who_refuses_lets_nothing_stay(
    svc: Services, clock: Clock, app: App, browser: Browser, registration: dict[str, Any]
) -> None:
    page = browser.submit(browser.authorize(app), "/authorize/login", email=EMAIL, password=PASSWORD)
    assert callback_params(browser.submit(page, "/authorize/consent", decision="deny"))["error"] == "access_denied"
    clock.advance(DAYS * DAY)
    assert find(svc, registration) is None


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_a_devices_user_lets_it_stay_by_an_approval_alone(
    svc: Services, phone: Phone, clock: Clock, browser: Browser, decision: str
) -> None:
    metadata = {"client_name": "TV", "grant_types": [DEVICE_CODE], "token_endpoint_auth_method": "none"}
    registration = phone.call("POST /oauth/register", metadata).json()
    television = App(phone, svc, client_of(svc, registration))
    codes = begin(television)
    decided(browser, codes, decision)
    assert (poll(television, codes).status == 200) is (decision == "allow")
    clock.advance(DAYS * DAY)
    assert (find(svc, registration) is not None) is (decision == "allow")


def test_its_own_change_makes_it_no_older_and_an_operators_lets_it_stay(
    svc: Services, phone: Phone, app: App, registration: dict[str, Any]
) -> None:
    end = client_of(svc, registration).expires_at
    assert end == svc.now() + DAYS * DAY
    change = {**METADATA, "client_id": app.id, "client_name": "Other"}
    answer = phone.call(f"PUT {path(registration)}", change, token=registration["registration_access_token"])
    assert (answer.status, client_of(svc, registration).expires_at) == (200, end)
    old = client_of(svc, registration)
    manage.change(svc, old, replace(old, client_name="Vouched for"))
    assert client_of(svc, registration).expires_at == 0


def test_its_own_change_does_not_undo_a_login_that_came_between(
    svc: Services, phone: Phone, app: App, browser: Browser, registration: dict[str, Any]
) -> None:
    change = {**METADATA, "client_id": app.id, "client_name": "Other"}

    def rival() -> None:
        callback_params(browser.finish(browser.authorize(app)))

    with just_before(wire.clients(svc)[0], "PutItem", rival):
        answer = phone.call(f"PUT {path(registration)}", change, token=registration["registration_access_token"])
    assert refusal(answer) == (503, "temporarily_unavailable")
    kept = client_of(svc, registration)
    assert (kept.expires_at, kept.client_name) == (0, GOOD["client_name"])


def test_a_login_by_a_client_that_is_deleted_meanwhile_is_none(svc: Services, app: App, browser: Browser) -> None:
    page = browser.submit(browser.authorize(app), "/authorize/login", email=EMAIL, password=PASSWORD)
    with before_write(wire.clients(svc)[0], 2, lambda: svc.clients.delete(app.id)):
        answer = browser.submit(page, "/authorize/consent", decision="allow")
    assert "code" not in callback_params(answer) if answer.header("Location") else answer.status == 400
    assert svc.clients.read(app.id) is None  # and no half of it came back


def test_whoever_was_given_a_token_to_register_with_is_expected(svc: Services, clock: Clock) -> None:
    token = "an initial access token"
    svc = changed(svc, registration_tokens=frozenset({authenticate.digest_of(token)}))
    with installed(svc):
        phone = Phone(clock)
        registration = phone.call("POST /oauth/register", METADATA, token=token).json()
        clock.advance(1000 * DAY)
        assert own_registration(phone, registration) == 200


def test_a_deployment_may_choose_the_days(svc: Services, clock: Clock) -> None:
    environ = {"LATCHKEY_ISSUER": ISSUER, "LATCHKEY_UNUSED_REGISTRATION_DAYS": "2"}
    svc = changed(svc, unused_registration_seconds=load(environ).unused_registration_seconds)
    with installed(svc):
        registration = Phone(clock).call("POST /oauth/register", METADATA).json()
    assert client_of(svc, registration).expires_at == svc.now() + 2 * DAY
