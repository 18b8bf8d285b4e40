"""Pairwise subjects (OpenID Connect Core 8): what one client learns of a user says nothing to another."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import InvalidClientMetadata
from chalicelib.domain.oauth.client import TOKEN_EXCHANGE, Client
from chalicelib.domain.oauth.client_rules import check
from chalicelib.flows.clients import manage
from chalicelib.flows.platform import keys
from chalicelib.guard import functions as guard
from chalicelib.guard.verifier import Guard
from chalicelib.services import Services
from chalicelib.store.keys import Keys
from tests.guard.test_guard import Gate, gate, http_2_event, rest_event
from tests.support import forge, wire
from tests.support.browser import API, ISSUER, App, Browser, callback_params, register, token_response
from tests.support.oidc import verified
from tests.support.phone import EMAIL, Clock, Phone, installed, refusal

__all__ = ["gate"]

ACCESS = "urn:ietf:params:oauth:token-type:access_token"


def pairwise(svc: Services, phone: Phone, host: str = "app.example", kind: str = "web", **more: Any) -> App:
    return register(svc, phone, kind, subject_type="pairwise", redirect_uris=(f"https://{host}/cb",), **more)


@pytest.fixture
def uid(phone: Phone) -> str:
    sub: str = phone.sign_up(name="Ann")["user"]["sub"]
    return sub


@pytest.fixture
def browser(phone: Phone, uid: str) -> Browser:
    assert uid
    return Browser(phone)


def subjects(svc: Services, app: App, tokens: dict[str, Any]) -> set[str]:
    """What a client is told, wherever it is told who somebody is."""
    api = register(svc, app.phone, "api")
    of_token = forge.peek(tokens["access_token"])[1]["sub"]
    of_id_token = verified(tokens["id_token"], keys.published(svc), audience=app.id)["sub"]
    userinfo = app.phone.call("GET /oauth/userinfo", token=tokens["access_token"]).json()["sub"]
    introspected = api.post("/oauth/introspect", {"token": tokens["access_token"]}).json()["sub"]
    verified_by_us = app.phone.call("POST /verify", {"token": tokens["access_token"]}).json()["claims"]["sub"]
    return {of_token, of_id_token, userinfo, introspected, verified_by_us}


def test_a_sector_has_one_name_for_a_user_everywhere_and_it_is_not_the_accounts(
    svc: Services, phone: Phone, browser: Browser, uid: str
) -> None:
    app = pairwise(svc, phone)
    (sub,) = subjects(svc, app, app.tokens(browser))
    assert sub != uid
    assert subjects(svc, app, app.tokens(browser)) == {sub}


def test_clients_of_one_sector_agree_and_those_of_others_do_not(
    svc: Services, phone: Phone, browser: Browser, uid: str
) -> None:
    one, same, other = (pairwise(svc, phone, host) for host in ("a.example", "a.example", "b.example"))
    public = register(svc, phone)
    (a,), (b,), (c,), (d,) = (subjects(svc, app, app.tokens(browser)) for app in (one, same, other, public))
    assert a == b
    assert len({a, c, d}) == 3
    assert d == uid


def test_nothing_in_the_tokens_of_two_sectors_is_the_same_but_what_is_the_same_for_everybody(
    svc: Services, phone: Phone, browser: Browser, uid: str, clock: Clock
) -> None:
    claims = []
    for host in ("a.example", "b.example"):
        app = pairwise(svc, phone, host)
        tokens = app.tokens(browser, scope="openid")
        claims.append({**forge.peek(tokens["id_token"])[1], **forge.peek(tokens["access_token"])[1]})
        claims[-1]["sid of the browser"] = forge.peek(tokens["id_token"])[1]["sid"]
        clock.advance(1)
    shared = {name for name in claims[0] if claims[0][name] == claims[1][name]}
    assert shared == {"iss", "aud", "acr", "amr", "auth_time", "nonce", "scope"}
    assert uid not in str(claims)


def test_a_refresh_keeps_the_name(svc: Services, phone: Phone, browser: Browser) -> None:
    app = pairwise(svc, phone)
    tokens = app.tokens(browser)
    (sub,) = subjects(svc, app, tokens)
    assert subjects(svc, app, token_response(app.refresh(tokens["refresh_token"]))) == {sub}


def test_a_refresh_token_introspected_by_its_client_bears_the_name(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    app = pairwise(svc, phone, introspects=True)
    tokens = app.tokens(browser)
    claims = app.post("/oauth/introspect", {"token": tokens["refresh_token"]}).json()
    assert claims["active"]
    assert claims["sub"] == forge.peek(tokens["access_token"])[1]["sub"]


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_revoking_finds_the_session_behind_the_name(svc: Services, phone: Phone, browser: Browser, which: str) -> None:
    app = pairwise(svc, phone)
    tokens = app.tokens(browser)
    assert phone.call("GET /oauth/userinfo", token=tokens["access_token"]).status == 200
    assert app.post("/oauth/revoke", {"token": tokens[which]}).status == 200
    assert phone.call("GET /oauth/userinfo", token=tokens["access_token"]).status == 401
    assert phone.call("POST /verify", {"token": tokens["access_token"]}).json() == {"active": False}


def test_a_name_of_one_sector_is_nobody_in_another(svc: Services, phone: Phone, browser: Browser) -> None:
    app = pairwise(svc, phone)
    signer = forge.by(svc.keys.read(svc.now()).signing[0].private)
    for change in ({"sector": "b.example"}, {"sector": None}, {"sub": "x"}, {"sub": "0" * 32}):
        forged = forge.resigned(app.tokens(browser)["access_token"], signer, **change)
        assert phone.call("GET /oauth/userinfo", token=forged).status == 401
        assert phone.call("POST /verify", {"token": forged}).json() == {"active": False}


def test_a_client_that_registered_itself_does_not_move_into_anothers_sector(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    open_services = replace(svc, settings=replace(svc.settings, registration_open=True))
    (victims,) = subjects(svc, victim := pairwise(svc, phone, "victim.example"), victim.tokens(browser))
    for subject_type in ("pairwise", "public"):
        own = {
            "redirect_uris": ["https://evil.example/cb"],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
        }
        with installed(open_services):
            registration = phone.call("POST /oauth/register", {**own, "subject_type": subject_type}).json()
            app = App(phone, svc, stored(svc, registration))
            token = app.tokens(browser, scope="openid offline_access")["refresh_token"]
            where = f"PUT {registration['registration_client_uri'].removeprefix(ISSUER)}"
            proof = registration["registration_access_token"]
            step = {**own, "client_id": app.id, "redirect_uris": ["https://victim.example/cb"]}
            moved = phone.call(where, {**step, "subject_type": "pairwise"}, token=proof)
            assert refusal(moved) == (400, "invalid_client_metadata")
            # Nor in two steps.
            assert phone.call(where, {**step, "subject_type": "public"}, token=proof).status == 200
            moved = phone.call(where, {**step, "subject_type": "pairwise"}, token=proof)
            assert refusal(moved) == (400, "invalid_client_metadata")
            assert forge.peek(token_response(app.refresh(token))["id_token"])[1]["sub"] != victims


def test_within_its_sector_a_client_that_registered_itself_changes_what_it_likes(svc: Services, phone: Phone) -> None:
    open_services = replace(svc, settings=replace(svc.settings, registration_open=True))
    own = {"redirect_uris": ["https://app.example/cb"], "subject_type": "pairwise"}
    with installed(open_services):
        registration = phone.call("POST /oauth/register", own).json()
        where = f"PUT {registration['registration_client_uri'].removeprefix(ISSUER)}"
        new = {**own, "client_id": registration["client_id"], "redirect_uris": ["https://app.example/other"]}
        assert phone.call(where, new, token=registration["registration_access_token"]).status == 200


def stored(svc: Services, registration: dict[str, Any]) -> Client:
    client = svc.clients.read(registration["client_id"])
    assert client is not None
    return client


def test_an_id_token_hint_speaks_the_clients_own_language(svc: Services, phone: Phone, browser: Browser) -> None:
    app, other = pairwise(svc, phone), pairwise(svc, phone, "b.example")
    hint, foreign = (each.tokens(browser)["id_token"] for each in (app, other))
    assert "code" in callback_params(browser.authorize(app, prompt="none", id_token_hint=hint))
    assert callback_params(browser.authorize(app, prompt="none", id_token_hint=foreign))["error"] == "login_required"


def test_an_exchanged_token_bears_the_name_of_its_own_clients_sector(
    svc: Services, phone: Phone, browser: Browser, uid: str
) -> None:
    app = pairwise(svc, phone)
    subject = app.tokens(browser, scope="openid notes:read")["access_token"]
    subs = {forge.peek(subject)[1]["sub"]}
    for exchanger in (register(svc, phone, "exchanger"), pairwise(svc, phone, "b.example", "exchanger")):
        fields = {"subject_token": subject, "subject_token_type": ACCESS, "resource": API}
        token = token_response(exchanger.token(TOKEN_EXCHANGE, **fields))["access_token"]
        subs.add(forge.peek(token)[1]["sub"])
        api = register(svc, phone, "api", resources=(API,))
        assert api.post("/oauth/introspect", {"token": token}).json()["active"]
    assert len(subs) == 3
    assert uid in subs


def exchange(app: App, subject: str, **more: str) -> str:
    fields = {"grant_type": TOKEN_EXCHANGE, "subject_token": subject, "subject_token_type": ACCESS, **more}
    token: str = token_response(app.post("/oauth/token", fields))["access_token"]
    return token


@pytest.fixture
def chain(svc: Services, phone: Phone) -> list[App]:
    """Exchangers of two sectors and of none."""
    others = [pairwise(svc, phone, host, "exchanger") for host in ("b.example", "c.example")]
    return [*others, register(svc, phone, "exchanger")]


def test_no_exchanged_token_of_another_sector_names_the_session_as_the_subjects_does(
    svc: Services, phone: Phone, browser: Browser, chain: list[App]
) -> None:
    app = pairwise(svc, phone)
    subject = app.tokens(browser, scope="openid notes:read")["access_token"]
    tokens = [exchange(each, subject) for each in chain]
    tokens += [exchange(each, tokens[0]) for each in chain[1:]]
    names = [forge.peek(token)[1]["sid"] for token in (subject, *tokens)]
    # The same client has the same name for it, however it came by the token.
    assert names[4:] == names[2:4]
    assert len(set(names)) == 4
    api = register(svc, phone, "api", resources=(API,))
    active = [api.post("/oauth/introspect", {"token": token}).json()["active"] for token in tokens]
    assert active == [True] * 5
    for exchanger, token in zip(chain, tokens, strict=False):
        exchanger.post("/oauth/revoke", {"token": token})  # which is not theirs to end
    assert api.post("/oauth/introspect", {"token": tokens[0]}).json()["active"]
    app.post("/oauth/revoke", {"token": subject})
    assert not any(api.post("/oauth/introspect", {"token": token}).json()["active"] for token in tokens)


def test_who_acts_is_called_in_a_token_as_its_client_knows_them(
    svc: Services, phone: Phone, browser: Browser, chain: list[App], uid: str
) -> None:
    app, machine = pairwise(svc, phone), chain[1]
    subject = app.tokens(browser, scope="openid notes:read")["access_token"]
    of_machine = token_response(machine.token("client_credentials"))["access_token"]
    token = subject
    for each in chain:
        # First the user, through the client that they are logged in to; then a machine.
        for actor in (subject, of_machine):
            token = exchange(each, token, actor_token=actor, actor_token_type=ACCESS)
        known_as = forge.peek(exchange(each, subject))[1]["sub"]
        assert (known_as == uid) == (each is chain[2])
        acts = [forge.peek(token)[1]["act"]]
        while "act" in acts[-1]:
            acts.append(acts[-1]["act"])
        assert {act["sub"] for act in acts if act["client_id"] == app.id} == {known_as}
        assert {act["sub"] for act in acts if act["client_id"] == machine.id} == {machine.id}


def test_a_guard_finds_the_session_of_an_exchanged_token(
    gate: Gate, svc: Services, phone: Phone, chain: list[App]
) -> None:
    app = pairwise(svc, phone)
    subject = app.tokens(Browser(phone), email=EMAIL, scope="openid notes:read")["access_token"]
    gate.register(notes12345={"revocation": "strict"})
    events = [rest_event(f"Bearer {exchange(each, subject)}", "notes12345") for each in chain]
    assert all(gate.policy(event) for event in events)
    app.post("/oauth/revoke", {"token": subject})
    assert [gate.authorize(event) for event in events] == [401] * 3


def test_a_guard_that_asks_for_the_session_finds_it_with_one_secret_and_no_key(
    gate: Gate, svc: Services, phone: Phone, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = pairwise(svc, phone)
    tokens = app.tokens(Browser(phone), email=EMAIL)
    gate.register(notes12345={"revocation": "strict"})

    def forbidden(*_: Any, **__: Any) -> Any:
        raise AssertionError("a guard has no right to read keys")

    monkeypatch.setattr(Keys, "recent", forbidden)
    monkeypatch.setattr(gate.svc.keys, "_pairwise", b"")
    guarded = rest_event(f"Bearer {tokens['access_token']}", "notes12345")
    fetched = [key.jwk for key in svc.keys.read(clock()).published(clock())]
    guard.use(Guard(svc.settings, fetch=lambda _: fetched, in_force=guard._in_force, now=clock))
    with wire.watched(svc) as traffic:
        assert gate.policy(guarded)
        assert gate.policy(guarded)
    assert traffic.calls == ["GetParameter", "BatchGetItem", "BatchGetItem"]
    monkeypatch.undo()
    app.post("/oauth/revoke", {"token": tokens["refresh_token"]})
    assert gate.authorize(guarded) == 401


def test_what_a_guarded_api_is_told_is_the_name(gate: Gate, svc: Services, phone: Phone) -> None:
    app = pairwise(svc, phone)
    token = app.tokens(Browser(phone))["access_token"]
    answer = gate.authorize(http_2_event(f"Bearer {token}", "notes12345"))
    assert answer["principalId"] == answer["context"]["sub"] == forge.peek(token)[1]["sub"]
    assert gate.session["user"]["sub"] not in str(answer)


@pytest.mark.parametrize(
    "metadata",
    [
        {"scopes": ("openid", "account")},
        {"redirect_uris": ("https://a.example/cb", "https://b.example/cb")},
        {"application_type": "native", "redirect_uris": ("http://127.0.0.1/cb",)},
        {"application_type": "native", "redirect_uris": ("http://127.0.0.1/cb", "https://a.example/cb")},
    ],
    ids=str,
)
def test_a_pairwise_client_that_could_not_keep_its_promise_is_not_registered(metadata: dict[str, Any]) -> None:
    usual = Client(client_id="x", subject_type="pairwise", redirect_uris=("https://a.example/cb",), scopes=("openid",))
    assert check(usual) == usual
    with pytest.raises(InvalidClientMetadata):
        check(replace(usual, **metadata))


def test_tokens_survive_a_change_of_the_clients_sector(svc: Services, phone: Phone, browser: Browser) -> None:
    app = pairwise(svc, phone)
    tokens = app.tokens(browser)
    manage.change(svc, app.client, replace(app.client, sector_identifier="b.example"))
    assert phone.call("GET /oauth/userinfo", token=tokens["access_token"]).status == 200
    renewed = token_response(app.refresh(tokens["refresh_token"]))
    assert forge.peek(renewed["access_token"])[1]["sub"] != forge.peek(tokens["access_token"])[1]["sub"]
    assert phone.call("GET /oauth/userinfo", token=renewed["access_token"]).status == 200
