"""What a deployment keeps of its users besides the standard claims: who may say it, of which kind, and who is given it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.config import Settings, WrongSetting, load
from chalicelib.config.attributes import MAX_BYTES, RESERVED
from chalicelib.domain.accounts.profile import CLAIMS
from chalicelib.domain.oauth.claims import OF_USER
from chalicelib.flows.accounts import account
from chalicelib.services import Services
from tests.support.browser import App, Browser, register, token_response
from tests.support.commands import run
from tests.support.forge import peek
from tests.support.phone import EMAIL, Clock, Phone, installed, refusal
from tests.support.staged import just_before

DECLARED = (
    "team:string:person:30 seats:number:administrator vip:boolean:administrator tags:strings:person:40 score:number:person"
    " ok:boolean:person"
)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A deployment with attributes of every kind."""
    attributes = load({"LATCHKEY_ISSUER": settings.issuer, "LATCHKEY_ATTRIBUTES": DECLARED}).attributes
    return replace(settings, attributes=attributes)


@pytest.fixture
def ann(phone: Phone) -> str:
    """An access token of a user."""
    token: str = phone.sign_up(name="Ann")["access_token"]
    return token


def change(phone: Phone, token: str, **attributes: Any) -> Any:
    return phone.call("PATCH /me", {"attributes": attributes}, token=token)


def kept(phone: Phone, token: str) -> dict[str, Any]:
    attributes: dict[str, Any] = phone.call("GET /me", token=token).json().get("attributes", {})
    return attributes


def administrator(svc: Services, **values: Any) -> None:
    user = svc.users.read(str(svc.users.find(EMAIL)))
    assert user
    assert account.set_attributes(svc, user, values)


def test_a_person_says_what_is_the_persons_and_takes_it_away(phone: Phone, ann: str, clock: Clock) -> None:
    assert "attributes" not in phone.call("GET /me", token=ann).json()
    values = {"team": "Größe 🎉", "tags": ["a", "b"], "score": -1.5, "ok": False}
    clock.advance(9)
    answer = change(phone, ann, **values)
    assert (answer.json()["attributes"], answer.json()["updated_at"]) == (values, clock())
    assert kept(phone, ann) == values
    assert change(phone, ann, team=None, tags=[], score=0).json()["attributes"] == {"tags": [], "score": 0, "ok": False}
    assert change(phone, ann, ok=None, tags=None, score=None, team=None).json().get("attributes", {}) == {}


def test_two_changes_at_once_both_count(svc: Services, phone: Phone, ann: str) -> None:
    def rival() -> None:
        administrator(svc, seats=7)

    with just_before(svc.users._client, "UpdateItem", rival):
        assert change(phone, ann, team="red").status == 200
    assert kept(phone, ann) == {"team": "red", "seats": 7}


@pytest.mark.parametrize("name", ["seats", "vip"])
@pytest.mark.parametrize("value", [7, True, None])
def test_a_person_does_not_write_what_is_an_administrators(
    svc: Services, phone: Phone, ann: str, name: str, value: Any
) -> None:
    administrator(svc, seats=3, vip=False)
    assert refusal(change(phone, ann, team="red", **{name: value})) == (400, "invalid_request")
    assert kept(phone, ann) == {"seats": 3, "vip": False}
    assert refusal(phone.call("PATCH /me", {name: value}, token=ann)) == (400, "invalid_request")


VALUES: dict[str, Sequence[Any]] = {
    # Thirty bytes as a token has them: six a letter beyond ASCII, twelve one beyond the first plane.
    "team": [7, True, ["x"], {}, "a\nb", "a\x00", "a\x9b", "\u2028", "x" * 29, "é" * 5, "🎉" * 3],
    "tags": ["x", [1], [["x"]], [None], ["a\nb"], ["x" * 40], ["x"] * 51, {"0": "x"}, True],
    "score": ["1", True, [1], 2**53 + 1, -(2**53) - 1, 1e300],
    "ok": [0, 1, "true", [], {}],
    **dict.fromkeys(("unknown", "", "Team", "team ", "roles", "email_verified", "password_hash"), ("x",)),
    **dict.fromkeys(("attribute#team", "token_version", "__proto__", "name", "pk", "#team", "a.b", "x" * 5000), ("x",)),
}
WRONG = [(name, value) for name, values in VALUES.items() for value in values]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_is_not_declared_or_of_another_kind_is_refused_whole(
    phone: Phone, ann: str, name: str, value: Any
) -> None:
    before = phone.call("GET /me", token=ann).json()
    body = {"name": "Eve", "attributes": {"score": 5, name: value}}
    refused = phone.call("PATCH /me", body, token=ann)
    assert refusal(refused) == (400, "invalid_request")
    assert phone.call("GET /me", token=ann).json() == before


@pytest.mark.parametrize("text", ["1e999", "-1e999", "NaN", "Infinity", "1" * 400])
def test_what_is_no_number_of_json_is_refused(phone: Phone, ann: str, text: str) -> None:
    body = f'{{"attributes": {{"score": {text}}}}}'
    answer = phone.call("PATCH /me", raw=body.encode(), token=ann)
    assert refusal(answer) == (400, "invalid_request")


@pytest.mark.parametrize(
    "attributes", [None, [], "x", 7, {"team": {"deep": {}}}, {f"a{i}": "x" for i in range(101)}, {}]
)
def test_what_is_no_object_of_attributes_is_refused(phone: Phone, ann: str, attributes: Any) -> None:
    assert refusal(phone.call("PATCH /me", {"attributes": attributes}, token=ann)) == (400, "invalid_request")


def test_a_sign_up_brings_none(phone: Phone) -> None:
    body = {"email": EMAIL, "password": "correct horse battery 7", "attributes": {"team": "red"}}
    assert refusal(phone.call("POST /signup", body)) == (400, "invalid_request")


# Who is given them
def test_a_client_gets_those_that_its_registration_names(svc: Services, phone: Phone, ann: str) -> None:
    administrator(svc, seats=3, vip=True)
    change(phone, ann, team="red")
    browser = Browser(phone)
    app = register(svc, phone, attributes=("team", "seats", "gone"))
    tokens = app.tokens(browser, scope="openid offline_access notes:read")
    expected = {"team": "red", "seats": 3}
    userinfo = phone.call("GET /oauth/userinfo", token=tokens["access_token"]).json()
    assert userinfo == {"sub": userinfo["sub"], **expected}
    refreshed = token_response(app.refresh(tokens["refresh_token"]))
    for token in (tokens["id_token"], refreshed["id_token"]):
        claims = peek(token)[1]
        assert {name: claims.get(name) for name in ("team", "seats", "vip", "gone")} == {
            **expected,
            "vip": None,
            "gone": None,
        }
    for token in (tokens["access_token"], refreshed["access_token"]):
        assert not {"team", "seats", "vip"} & set(peek(token)[1])


def test_no_other_client_gets_any_whatever_it_asks_for(svc: Services, phone: Phone, ann: str) -> None:
    change(phone, ann, team="red")
    app, browser = register(svc, phone), Browser(phone)
    tokens = app.tokens(
        browser, scope="openid profile email", claims='{"id_token": {"team": null}, "userinfo": {"team": null}}'
    )
    assert "team" not in peek(tokens["id_token"])[1]
    assert "team" not in phone.call("GET /oauth/userinfo", token=tokens["access_token"]).json()


def test_a_client_that_registers_itself_names_none(svc: Services, phone: Phone, ann: str) -> None:
    change(phone, ann, team="red")
    with installed(replace(svc, settings=replace(svc.settings, registration_open=True))):
        metadata = {"redirect_uris": ["https://app.example/cb"], "attributes": ["team"], "scope": "openid profile"}
        answer = phone.call("POST /oauth/register", metadata).json()
        assert "attributes" not in answer
        client = svc.clients.read(answer["client_id"])
        assert client
        assert client.attributes == ()
        app = App(phone, svc, client, answer["client_secret"])
        tokens = app.tokens(Browser(phone), scope="openid profile")
        assert "team" not in peek(tokens["id_token"])[1]


def test_what_is_no_longer_declared_or_of_another_kind_by_now_is_given_to_nobody(
    svc: Services, phone: Phone, ann: str
) -> None:
    administrator(svc, seats=3)
    change(phone, ann, team="red")
    app, browser = register(svc, phone, attributes=("team", "seats")), Browser(phone)
    declared = {"seats": ("string", "person", 200)}
    changed = replace(svc, settings=replace(svc.settings, attributes=declared))
    with installed(changed):
        assert kept(phone, ann) == {}
        userinfo = phone.call("GET /oauth/userinfo", token=app.tokens(browser, scope="openid")["access_token"]).json()
        assert set(userinfo) == {"sub"}


# The deployment's declaration
def test_no_attribute_passes_for_a_claim_that_means_something_already(svc: Services, phone: Phone, ann: str) -> None:
    app, browser = register(svc, phone, scopes=("openid", "profile", "email", "offline_access")), Browser(phone)
    tokens = app.tokens(browser, scope="openid profile email offline_access", nonce="n")
    issued = {name for token in (tokens["access_token"], tokens["id_token"]) for name in peek(token)[1]}
    me = set(phone.call("GET /me", token=ann).json())
    assert {*issued, *me, *OF_USER, *CLAIMS, "act", "cnf", "sector", "roles", "nonce", "s_hash", "events"} <= RESERVED
    for name in RESERVED:
        with pytest.raises(WrongSetting, match=rf"{name} is a claim of its own|must be attributes"):
            load({"LATCHKEY_ISSUER": "https://id.example", "LATCHKEY_ATTRIBUTES": f"{name}:string:person"})


@pytest.mark.parametrize(
    "declared",
    [
        "team",
        "team:text:person",
        "team:string:anybody",
        "team:string:person:0",
        "team:string:person:99999",
        "Team:string:person",
        "te#am:string:person",
        "team:string:person team:number:person",
        "x" * 41 + ":string:person",
        "a:string:person:2000 b:string:person:100",
    ],
)
def test_a_declaration_that_is_none_or_too_much_for_a_token_stops_the_start(declared: str) -> None:
    with pytest.raises(WrongSetting, match="LATCHKEY_ATTRIBUTES"):
        load({"LATCHKEY_ISSUER": "https://id.example", "LATCHKEY_ATTRIBUTES": declared})


def test_all_that_a_user_can_have_is_a_small_part_of_a_token(svc: Services) -> None:
    declared = " ".join(f"a{place}:string:person:{MAX_BYTES // 4}" for place in range(4))
    settings = load({"LATCHKEY_ISSUER": "https://id.example", "LATCHKEY_ATTRIBUTES": declared})
    assert sum(most for _, _, most in settings.attributes.values()) == MAX_BYTES
    assert svc.settings.attributes["team"] == ("string", "person", 30)


# The command
def test_an_administrator_sets_each_kind_by_the_command(
    svc: Services, phone: Phone, ann: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run("users", "attributes", EMAIL, "team=7 of 9", "seats=3", "vip=true", 'tags=["a"]', on=svc)
    assert json.loads(capsys.readouterr().out) == {"team": "7 of 9", "seats": 3, "vip": True, "tags": ["a"]}
    run("users", "attributes", EMAIL, "vip=", "team=", on=svc)
    assert json.loads(capsys.readouterr().out) == {"seats": 3, "tags": ["a"]}
    run("users", "attributes", EMAIL, on=svc)
    assert json.loads(capsys.readouterr().out) == kept(phone, ann) == {"seats": 3, "tags": ["a"]}
    for wrong in ("seats=many", "seats=true", "unknown=1", "team", "vip=1", "team=" + "x" * 40):
        with pytest.raises(SystemExit):
            run("users", "attributes", EMAIL, wrong, on=svc)
    assert kept(phone, ann) == {"seats": 3, "tags": ["a"]}
