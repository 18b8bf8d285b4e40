"""A client that acts for itself (RFC 6749 section 4.4) at guarded routes: in where a route takes it, out everywhere else."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from chalice.app import Chalice

from chalicelib.domain import errors
from chalicelib.domain.oauth.client import CODE, TOKEN_EXCHANGE
from chalicelib.flows.clients import manage
from chalicelib.flows.platform import keys
from chalicelib.guard import functions as guard
from chalicelib.guard import scope_map
from chalicelib.guard.verifier import Guard
from chalicelib.services import Services
from chalicelib.web.http.middleware import middleware
from chalicelib.web.http.routing import Api, Caller
from chalicelib.web.metadata import openapi
from chalicelib.web.metadata.apis import operations
from local.gateway import Answer, Gateway
from tests.support import forge
from tests.support.browser import API, CALLBACK, App, Browser, register, token_response
from tests.support.phone import Clock, Phone, refusal
from tests.support.wire import watched

SCOPES = {"GET /reports": "reports:read", "GET /mine": "reports:read"}
GUARDED = [operation for operation in operations() if operation.scope]
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
FOR_USERS = (403, "insufficient_scope")
INVALID = (401, "invalid_token")


class Seen(msgspec.Struct, frozen=True):
    """Whom a handler was told of."""

    uid: str
    sid: str
    machine: str


def declared() -> Api:
    """Two guarded routes as a file of `web` would declare them: one takes machines too, the other says nothing of them."""
    api = Api("reports")

    @api.route("GET /reports", machines=True, answer=Seen, errors=(errors.InvalidToken, errors.InsufficientScope))
    def reports(_: Services, caller: Caller) -> Seen:
        """The reports."""
        return Seen(caller.uid, caller.sid, caller.machine)

    @api.route("GET /mine", answer=Seen, errors=(errors.InvalidToken, errors.InsufficientScope))
    def mine(_: Services, caller: Caller) -> Seen:
        """The caller's own reports."""
        return Seen(caller.uid, caller.sid, caller.machine)

    return api


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    for line, scope in SCOPES.items():
        monkeypatch.setitem(scope_map.SCOPES, line, scope)
    return declared()


@pytest.fixture
def reports(api: Api, phone: Phone, svc: Services, clock: Clock) -> Phone:
    """A phone at an app with these routes, behind the same guard."""
    app = Chalice("reports")
    app.register_middleware(middleware, "http")
    app.register_blueprint(api.blueprint)
    app.register_blueprint(guard.functions)
    # The guard's own map is the scope map as it is now.
    guard.use(Guard(svc.settings, fetch=lambda _: keys.published(svc), in_force=guard._in_force, now=clock))
    gateway = Phone(clock, address=phone.address)
    gateway.gateway = Gateway(app, now=clock)
    return gateway


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    """A web client whose users may have these scopes."""
    return register(svc, phone, scopes=("account", "reports:read"))


@pytest.fixture
def machine(svc: Services, phone: Phone) -> App:
    return register(svc, phone, "machine", scopes=("account", "reports:read", "reports:write"))


def token_of(machine: App, scope: str = "reports:read", **fields: Any) -> str:
    response: str = token_response(machine.token("client_credentials", scope=scope, **fields))["access_token"]
    return response


def change(machine: App, **metadata: Any) -> None:
    """What the operator's command does."""
    present = machine.svc.clients.read(machine.id)
    assert present
    manage.change(machine.svc, present, replace(present, **metadata))


def caller_of(answer: Answer) -> dict[str, str]:
    assert answer.status == 200, (answer.status, answer.body)
    response: dict[str, str] = answer.json()
    return response


def resigned(svc: Services, token: str, **claims: Any) -> str:
    """A token with other claims under our own key: what no endpoint of ours gives."""
    return forge.resigned(token, forge.by(svc.keys.read(svc.now()).signing[0].private), **claims)


def test_a_machine_reaches_a_route_that_takes_machines_and_is_told_from_a_user(
    reports: Phone, machine: App, app: App, browser: Browser
) -> None:
    assert caller_of(reports.call("GET /reports", token=token_of(machine))) == {
        "uid": "",
        "sid": "",
        "machine": machine.id,
    }
    access = app.tokens(browser, scope="reports:read")["access_token"]
    claims = forge.peek(access)[1]
    user = {"uid": claims["sub"], "sid": claims["sid"], "machine": ""}
    assert caller_of(reports.call("GET /reports", token=access)) == user
    assert caller_of(reports.call("GET /mine", token=access)) == user


def test_a_route_that_says_nothing_of_machines_refuses_them_in_words_that_end_no_session(
    reports: Phone, machine: App
) -> None:
    answer = reports.call("GET /mine", token=token_of(machine))
    assert refusal(answer) == FOR_USERS
    assert "for users" in answer.json()["error_description"]
    # RFC 6750 section 3: what does not open a resource is told why.
    assert answer.header("WWW-Authenticate") == 'Bearer realm="latchkey", error="insufficient_scope"'


@pytest.mark.parametrize("scope", ["reports:write", "account"])
def test_a_machine_without_the_scope_does_not_get_in(reports: Phone, machine: App, scope: str) -> None:
    assert refusal(reports.call("GET /reports", token=token_of(machine, scope))) == FOR_USERS


def test_a_machine_costs_one_read_where_it_is_taken_and_none_where_it_is_not(
    reports: Phone, machine: App, svc: Services
) -> None:
    token = token_of(machine)
    with watched(svc) as seen:
        caller_of(reports.call("GET /reports", token=token))
        assert seen.calls == ["GetItem"]
        reports.call("GET /mine", token=token)
    assert seen.calls == ["GetItem"]


def test_what_is_taken_from_a_machine_is_gone_at_once_from_a_token_of_before(reports: Phone, machine: App) -> None:
    token = token_of(machine, "reports:read account")
    caller_of(reports.call("GET /reports", token=token))
    change(machine, scopes=("account",))
    assert refusal(reports.call("GET /reports", token=token)) == FOR_USERS
    change(machine, scopes=("reports:write",))
    assert refusal(reports.call("GET /reports", token=token)) == INVALID
    change(machine, scopes=("reports:read",))
    caller_of(reports.call("GET /reports", token=token))
    change(machine, grant_types=(CODE,), redirect_uris=("https://app.example/cb",))
    assert refusal(reports.call("GET /reports", token=token)) == INVALID


def test_the_token_of_a_deleted_machine_is_not_that_of_another_which_gets_its_id(
    reports: Phone, machine: App, svc: Services, clock: Clock
) -> None:
    token = token_of(machine)
    caller_of(reports.call("GET /reports", token=token))
    manage.delete(svc, machine.id)
    assert refusal(reports.call("GET /reports", token=token)) == INVALID
    clock.advance(1)
    manage.create(svc, replace(machine.client, secrets=()))
    assert refusal(reports.call("GET /reports", token=token)) == INVALID


def test_a_machines_token_that_expires_while_its_policy_is_cached_is_refused(
    reports: Phone, machine: App, clock: Clock
) -> None:
    token = token_of(machine)
    clock.advance(899)
    caller_of(reports.call("GET /reports", token=token))
    clock.advance(1)
    assert refusal(reports.call("GET /reports", token=token)) == INVALID


def test_a_machines_token_for_another_api_opens_nothing_here(reports: Phone, svc: Services, phone: Phone) -> None:
    elsewhere = register(svc, phone, "machine", scopes=("reports:read",), resources=(API,))
    assert refusal(reports.call("GET /reports", token=token_of(elsewhere, resource=API)))[0] == 401


# Attacks
@pytest.mark.parametrize("operation", GUARDED, ids=lambda each: f"{each.method} {each.path}")
def test_no_guarded_route_of_today_takes_a_machine_whatever_its_scopes(
    phone: Phone, machine: App, svc: Services, operation: Any
) -> None:
    assert not operation.machines
    token = token_of(machine, "account")
    line = f"{operation.method} {operation.path}".replace("{sid}", "0" * 32)
    with watched(svc) as seen:
        assert refusal(phone.call(line, token=token)) == FOR_USERS
    assert seen.calls == []


def test_a_machine_that_has_the_id_of_a_user_is_not_that_user(reports: Phone, phone: Phone, svc: Services) -> None:
    uid = phone.sign_up()["user"]["sub"]
    double = register(svc, phone, "machine", client_id=uid, scopes=("account", "reports:read"))
    token = token_of(double, "account reports:read")
    assert refusal(phone.call("GET /me", token=token)) == FOR_USERS
    assert caller_of(reports.call("GET /reports", token=token)) == {"uid": "", "sid": "", "machine": uid}


def test_a_user_who_logs_in_at_a_client_that_has_their_id_is_no_machine(
    reports: Phone, browser: Browser, svc: Services
) -> None:
    uid = forge.peek(browser.phone.log_in()["access_token"])[1]["sub"]
    double = register(svc, browser.phone, client_id=uid, scopes=("reports:read",))
    access = double.tokens(browser, scope="reports:read")["access_token"]
    claims = forge.peek(access)[1]
    assert claims["sub"] == claims["client_id"] == uid
    assert caller_of(reports.call("GET /mine", token=access)) == {"uid": uid, "sid": claims["sid"], "machine": ""}


def test_nothing_that_a_machine_sends_makes_it_a_user(phone: Phone, machine: App) -> None:
    session = phone.sign_up()
    claims = forge.peek(session["access_token"])[1]
    context = {"sub": claims["sub"], "sid": claims["sid"], "scope": "account", "exp": "1900000000"}
    token = token_of(machine, "account")
    forged = {
        **context,
        "principalId": claims["sub"],
        "authorizer": json.dumps(context),
        "X-Authorizer-Sid": claims["sid"],
        "requestContext": json.dumps({"authorizer": context}),
    }
    for line in ("GET /me", f"GET /me?sid={claims['sid']}&sub={claims['sub']}", "DELETE /me/sessions"):
        assert refusal(phone.call(line, token=token, headers=forged)) == FOR_USERS
    body = {"name": "Eve", **context, "requestContext": {"authorizer": context}}
    assert refusal(phone.call("PATCH /me", body, token=token)) == FOR_USERS
    assert phone.call("GET /me", token=session["access_token"]).json()["name"] == ""


@pytest.mark.parametrize("sid", [None, ""])
def test_a_users_token_without_its_session_is_no_machines(
    reports: Phone, app: App, browser: Browser, svc: Services, sid: str | None
) -> None:
    access = app.tokens(browser, scope="reports:read account")["access_token"]
    assert refusal(reports.call("GET /reports", token=resigned(svc, access, sid=sid)))[0] == 401
    assert browser.phone.call("POST /verify", {"token": resigned(svc, access, sid=sid)}).json() == {"active": False}


def test_a_machines_token_that_says_an_empty_session_is_none_of_ours(
    reports: Phone, machine: App, svc: Services
) -> None:
    assert refusal(reports.call("GET /reports", token=resigned(svc, token_of(machine), sid="")))[0] == 401


@pytest.mark.parametrize("subject_type", ["public", "pairwise"])
def test_every_token_of_a_user_names_a_session_however_it_was_made(
    reports: Phone, browser: Browser, svc: Services, subject_type: str
) -> None:
    phone = browser.phone
    app = register(svc, phone, scopes=("reports:read",), subject_type=subject_type)
    particular = {"subject_type": subject_type, "redirect_uris": (CALLBACK,)}
    exchanger = register(svc, phone, "exchanger", scopes=("reports:read",), **particular)
    logged_in = phone.log_in()
    code = app.tokens(browser, scope="reports:read")
    subject: dict[str, Any] = {"subject_token": code["access_token"], "subject_token_type": ACCESS}
    actor: dict[str, Any] = {"actor_token": token_of(exchanger), "actor_token_type": ACCESS}
    exchanged = [token_response(exchanger.token(TOKEN_EXCHANGE, **subject, **more)) for more in ({}, actor)]
    renewed = [token_response(app.refresh(code["refresh_token"])), phone.refresh(logged_in["refresh_token"])]
    for tokens in (logged_in, code, *renewed, *exchanged):
        assert forge.peek(tokens["access_token"])[1]["sid"]
    for tokens in exchanged:
        assert caller_of(reports.call("GET /reports", token=tokens["access_token"]))["machine"] == ""


def test_a_machines_token_is_not_exchanged_for_a_users(machine: App, svc: Services, phone: Phone) -> None:
    exchanger = register(svc, phone, "exchanger", scopes=("reports:read",))
    for token in (token_of(machine), token_of(exchanger)):
        subject: dict[str, Any] = {"subject_token": token, "subject_token_type": ACCESS}
        assert refusal(exchanger.token(TOKEN_EXCHANGE, **subject)) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"sub": "u", "client_id": "c"}, INVALID),
        ({"sub": "u", "sid": "", "client_id": "c"}, INVALID),
        ({"sub": "", "sid": "", "client_id": ""}, INVALID),
        ({"sub": "c", "sid": "", "client_id": "c"}, INVALID),
        ({"sub": "c", "client_id": "c", "exp": "1800000000"}, INVALID),
        ({"sub": "c", "client_id": "c", "scope": "reports:write"}, FOR_USERS),
    ],
    ids=str,
)
def test_a_context_that_no_token_stands_behind_lets_nobody_in(
    reports: Phone, context: dict[str, str], expected: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = {"scope": "reports:read", "exp": "1900000000"}
    monkeypatch.setattr(reports.gateway, "_authorize", lambda *_: {**good, **context})
    assert refusal(reports.call("GET /reports")) == expected


# How a route says it
def test_a_route_without_a_scope_cannot_say_that_it_takes_machines() -> None:
    with pytest.raises(ValueError, match="GET /open"):
        Api("open").route("GET /open", machines=True)(lambda *_: None)


def test_the_document_says_which_routes_take_machines_and_which_are_for_users(api: Api) -> None:
    import openapi_spec_validator  # a third of a second, which each worker would take

    document = json.loads(msgspec.json.encode(openapi.document("https://id.example", api.operations)))
    openapi_spec_validator.validate(document)
    reports, mine = (document["paths"][path]["get"] for path in ("/reports", "/mine"))
    assert reports["security"] == [{scheme: ["reports:read"]} for scheme in ("login", "bearer", "machine")]
    assert mine["security"] == [{scheme: ["reports:read"]} for scheme in ("login", "bearer")]
    assert errors.UserRequired.default in mine["responses"]["403"]["description"]
    assert errors.UserRequired.default not in reports["responses"]["403"]["description"]
    flow = document["components"]["securitySchemes"]["machine"]["flows"]["clientCredentials"]
    assert flow == {"tokenUrl": "https://id.example/oauth/token", "scopes": {"reports:read": ""}}
    assert "or of a client that acts for itself" in reports["description"]
    assert "or of a client that acts for itself" not in mine["description"]
