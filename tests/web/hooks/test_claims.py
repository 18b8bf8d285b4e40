"""The claims of a deployment's own, by its template: where they are, and who cannot make them others."""

from dataclasses import replace
from pathlib import Path

from chalicelib.config import load
from chalicelib.flows.sessions import token_claims
from chalicelib.services import Services, services, use
from tests.support.browser import App, Browser, register
from tests.support.custom import with_claims
from tests.support.forge import peek
from tests.support.phone import EMAIL, PASSWORD, Phone, refusal


def tokens_of(app: App, browser: Browser) -> dict[str, str]:
    tokens: dict[str, str] = app.tokens(browser)
    return tokens


def test_all_clients_get_the_claims_of_the_deployment_and_each_its_own_besides(
    app: App, browser: Browser, tmp_path: Path
) -> None:
    own = {"access_token": {"tenant": "{client_id}", "region": "us"}}
    with_claims(
        tmp_path,
        {
            "access_token": {"region": "eu", "who": {"id": "{sub}", "may": "{scope}"}, "gone": "{nickname}"},
            "id_token": {"greeting": "Hello {email}"},
            "clients": {app.id: own, "another": {"access_token": {"other": 1}}},
        },
    )
    tokens = tokens_of(app, browser)
    claims = peek(tokens["access_token"])[1]
    assert (claims["region"], claims["tenant"]) == ("us", app.id)
    assert claims["who"] == {"id": claims["sub"], "may": claims["scope"]}
    assert not {"gone", "greeting", "other"} & set(claims)
    assert peek(tokens["id_token"])[1]["greeting"] == f"Hello {EMAIL}"


def test_the_json_api_gets_them_too_and_a_value_keeps_its_type(phone: Phone, tmp_path: Path) -> None:
    phone.sign_up()
    svc = services()
    uid = svc.users.find(EMAIL)
    assert uid
    svc.users.set_roles(uid, roles=("admin", "staff"))
    with_claims(tmp_path, {"access_token": {"may": "{roles}", "line": "as {roles}", "sure": "{email_verified}"}})
    claims = peek(phone.log_in()["access_token"])[1]
    assert (claims["may"], claims["line"], claims["sure"]) == (["admin", "staff"], "as admin staff", False)


def test_an_attribute_is_a_claim_where_the_deployment_says_so(phone: Phone, tmp_path: Path) -> None:
    svc = services()
    declared = load({"LATCHKEY_ISSUER": "https://id.example", "LATCHKEY_ATTRIBUTES": "plan:string:person"}).attributes
    use(replace(svc, settings=replace(svc.settings, attributes=declared)))
    token = phone.sign_up()["access_token"]
    with_claims(tmp_path, {"access_token": {"https://example.com/plan": "{attributes.plan}"}})
    assert "https://example.com/plan" not in peek(phone.log_in()["access_token"])[1]
    assert phone.call("PATCH /me", {"attributes": {"plan": "gold"}}, token=token).status == 200
    assert peek(phone.log_in()["access_token"])[1]["https://example.com/plan"] == "gold"


def test_who_makes_their_own_name_longer_does_not_get_rid_of_another_claim(phone: Phone, tmp_path: Path) -> None:
    token = phone.sign_up()["access_token"]
    with_claims(tmp_path, {"access_token": {"first": "{name}", "second": "{nickname}", "restricted": True}})
    assert peek(phone.log_in()["access_token"])[1]["restricted"] is True
    assert phone.call("PATCH /me", {"name": "ä" * 200, "nickname": "ä" * 200}, token=token).status == 200
    answer = phone.call("POST /login", {"email": EMAIL, "password": PASSWORD})
    assert refusal(answer) == (503, "temporarily_unavailable")


def test_a_client_that_registered_itself_gets_none_of_them(
    svc: Services, phone: Phone, browser: Browser, tmp_path: Path
) -> None:
    app = register(svc, phone)
    with_claims(tmp_path, {"access_token": {"mail": "{email}"}, "clients": {app.id: {"access_token": {"own": 1}}}})
    assert peek(tokens_of(app, browser)["access_token"])[1]["mail"] == EMAIL
    stranger = replace(app.client, registration_token="0" * 64)
    none = token_claims.of(services(), stranger, {"sub": "s", "aud": ""}, user=None, scope=())
    assert none == ({}, {})


def test_a_clients_own_token_has_nobodys_claims(svc: Services, phone: Phone, tmp_path: Path) -> None:
    app = register(svc, phone, "machine")
    with_claims(tmp_path, {"access_token": {"mail": "{email}", "who": "{client_id}"}})
    answer = app.token(grant_type="client_credentials")
    claims = peek(answer.json()["access_token"])[1]
    assert claims["who"] == app.id
    assert "mail" not in claims
