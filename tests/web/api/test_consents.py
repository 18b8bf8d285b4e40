"""Consents in the JSON API: a person sees and takes back their own, and nobody else touches them."""

import hashlib
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from chalicelib.services import Services
from local.gateway import Answer
from tests.support.browser import API, App, Browser, forms, register, token_response
from tests.support.delivery import DeliveringPhone
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal

BOB = "bob@example.com"
DOCUMENT = "https://app.example/client.json"


@pytest.fixture
def access(phone: Phone) -> str:
    """The access token of Ann, who has signed up."""
    return str(phone.sign_up()["access_token"])


@pytest.fixture
def app(svc: Services, phone: Phone, access: str) -> App:  # noqa: ARG001 - Ann has signed up before
    return register(svc, phone, client_name="Garden")


@pytest.fixture
def ann(phone: Phone) -> Browser:
    return Browser(phone)


def consents(phone: Phone, token: str) -> list[dict[str, Any]]:
    answer = phone.call("GET /me/consents", token=token)
    assert answer.status == 200, answer.body
    listed: list[dict[str, Any]] = answer.json()["consents"]
    return listed


def revoke(phone: Phone, consent_id: str, token: str | None) -> Answer:
    return phone.call(f"DELETE /me/consents/{quote(consent_id, safe='')}", token=token)


def test_the_list_says_what_each_may_do_since_when_and_when_it_was_used(
    app: App, ann: Browser, phone: Phone, access: str, clock: Clock
) -> None:
    assert consents(phone, access) == []
    tokens, since = app.tokens(ann, scope="openid email offline_access"), clock()
    clock.advance(300)
    app.refresh(tokens["refresh_token"])
    assert consents(phone, access) == [
        {
            "id": hashlib.sha256(app.id.encode()).hexdigest(),
            "client_id": app.id,
            "client_name": "Garden",
            "scope": "email offline_access openid",
            "agreed_at": since,
            "last_used_at": since + 300,
        }
    ]


def test_what_was_allowed_at_several_apis_is_one_consent_of_one_application(
    svc: Services, ann: Browser, phone: Phone, access: str, clock: Clock
) -> None:
    app = register(svc, phone, resources=(API,))
    ann.log_in(app, scope="openid")
    clock.advance(10)
    ann.log_in(app, scope="notes:read", resource=API)
    (consent,) = consents(phone, access)
    assert (consent["scope"], consent["agreed_at"]) == ("notes:read openid", clock())
    assert revoke(phone, consent["id"], access).status == 204
    assert svc.clients.consents(svc.users.find(EMAIL) or "") == []


def test_one_that_has_got_no_tokens_yet_was_never_used(app: App, ann: Browser, phone: Phone, access: str) -> None:
    ann.code(app)
    (consent,) = consents(phone, access)
    assert consent["last_used_at"] == 0


def test_taken_back_it_is_gone_with_its_tokens_and_a_second_time_there_is_none(
    app: App, ann: Browser, phone: Phone, access: str
) -> None:
    tokens = app.tokens(ann)
    (consent,) = consents(phone, access)
    assert revoke(phone, consent["id"], access).status == 204
    assert consents(phone, access) == []
    assert app.refresh(tokens["refresh_token"]).status == 400
    assert phone.call("GET /oauth/userinfo", token=tokens["access_token"]).status == 401
    assert "/authorize/consent" in forms(ann.authorize(app))
    assert refusal(revoke(phone, consent["id"], access)) == (404, "not_found")


def test_an_application_that_wants_to_know_is_notified(svc: Services, phone: DeliveringPhone) -> None:
    access = phone.sign_up()["access_token"]
    phone.delivers = False
    app = register(svc, phone, backchannel_logout_uri="https://app.example/backchannel")
    app.tokens(Browser(phone))
    revoke(phone, consents(phone, access)[0]["id"], access)
    assert [item.kind for item in svc.outbox.undelivered()] == ["logout"]


def test_a_client_whose_id_is_an_address_can_be_named_in_a_path(
    svc: Services, phone: Phone, ann: Browser, access: str
) -> None:
    app = register(svc, phone, client_id=DOCUMENT, client_name="")
    app.tokens(ann)
    (consent,) = consents(phone, access)
    assert consent["client_id"] == DOCUMENT
    assert revoke(phone, consent["id"], access).status == 204
    assert consents(phone, access) == []


def test_nobody_sees_or_takes_back_what_another_has_allowed(app: App, ann: Browser, phone: Phone, access: str) -> None:
    bobs = phone.sign_up(BOB)["access_token"]
    tokens = app.tokens(ann)
    (consent,) = consents(phone, access)
    assert consents(phone, bobs) == []
    assert refusal(revoke(phone, consent["id"], bobs)) == (404, "not_found")
    app.tokens(Browser(phone), email=BOB)
    assert revoke(phone, consent["id"], bobs).status == 204  # the same application, but Bob's own consent
    assert consents(phone, access) == [consent]
    assert app.refresh(tokens["refresh_token"]).status == 200


@pytest.mark.parametrize("of", ["", "X", "\u00e9", "0" * 64, "prefix", "upper", "client_id", "browser", "latchkey"])
def test_what_is_no_id_takes_nothing_back(app: App, ann: Browser, phone: Phone, access: str, of: str) -> None:
    tokens = app.tokens(ann)
    (consent,) = consents(phone, access)
    digest = consent["id"]
    near = {"prefix": digest[:32], "upper": digest.upper(), "client_id": app.id, "": f"{digest}#"}
    own = hashlib.sha256(of.encode()).hexdigest()
    for wrong in (near.get(of, of), own):
        assert refusal(revoke(phone, wrong, access)) == (404, "not_found")
    assert consents(phone, access) == [consent]
    assert app.refresh(tokens["refresh_token"]).status == 200


def test_neither_is_for_who_has_no_token_or_one_of_another_scope(app: App, ann: Browser, phone: Phone) -> None:
    app.tokens(ann)
    narrow = phone.log_in(scope="notes:read")["access_token"]
    (consent,) = consents(phone, phone.log_in()["access_token"])
    for token, status in ((None, 401), ("x", 401), (narrow, 403)):
        assert phone.call("GET /me/consents", token=token).status == status
        assert revoke(phone, consent["id"], token).status == status


def test_neither_is_for_a_machine(svc: Services, phone: Phone) -> None:
    machine = register(svc, phone, "machine", scopes=("notes:read", "account"))
    for scope in ("account", "notes:read"):
        token = token_response(machine.token("client_credentials", scope=scope))["access_token"]
        for line in ("GET /me/consents", f"DELETE /me/consents/{'0' * 64}"):
            assert phone.call(line, token=token).status == 403


def test_a_guest_has_allowed_nothing(svc: Services, phone: Phone) -> None:
    with installed(replace(svc, settings=replace(svc.settings, guests=True))):
        guest = phone.call("POST /signup/guest").json()["access_token"]
        assert consents(phone, guest) == []
        assert refusal(revoke(phone, "0" * 64, guest)) == (404, "not_found")


def test_after_the_account_is_deleted_its_token_sees_nothing(app: App, ann: Browser, phone: Phone, access: str) -> None:
    app.tokens(ann)
    (consent,) = consents(phone, access)
    assert phone.call("DELETE /me", {"password": PASSWORD}, token=access).status == 204
    assert phone.call("GET /me/consents", token=access).status == 401
    assert revoke(phone, consent["id"], access).status == 401


def test_an_application_that_is_gone_is_not_listed(
    app: App, ann: Browser, phone: Phone, svc: Services, access: str
) -> None:
    app.tokens(ann)
    svc.clients.delete(app.id)
    assert consents(phone, access) == []
