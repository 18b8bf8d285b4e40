"""`sid` means one thing in every token: the session at that client (Back-Channel Logout 1.0 section 2.1)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.crypto import pairwise
from chalicelib.domain.oauth import tokens as jwts
from chalicelib.domain.oauth.client import CODE, REFRESH
from chalicelib.flows.clients import manage
from chalicelib.flows.platform import keys
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import wire
from tests.support.browser import App, Browser, callback_params, forms, register, token_response
from tests.support.delivery import DeliveringPhone
from tests.support.forge import peek
from tests.support.internet import Internet, Page, running
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed

HOOK, OTHER_HOOK = "https://app.example/backchannel", "https://app.example/other"
BY_SESSION: dict[str, Any] = {"backchannel_logout_uri": HOOK, "backchannel_logout_session_required": True}
LOGOUT, CONFIRM = "/oauth/logout", "/oauth/logout/confirm"
NOTHING, LOGGED_OUT = b"There was nothing to log out of", b"You are logged out"
SCOPE = "openid offline_access"


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    with running(tmp_path, "app.example") as network:
        network.pages |= {HOOK: Page(), OTHER_HOOK: Page()}
        yield network


@pytest.fixture
def phone(svc: Services, clock: Clock) -> Iterator[Phone]:
    with installed(svc):
        yield DeliveringPhone(clock)


@pytest.fixture
def svc(svc: Services, internet: Internet) -> Services:
    return replace(svc, fetch=internet.fetch())


@pytest.fixture
def browser(phone: Phone) -> Browser:
    phone.sign_up()
    return Browser(phone)


def sid(token: str) -> object:
    return peek(token)[1].get("sid")


def browser_ids(svc: Services) -> set[str]:
    sessions = svc.sessions.of_user(svc.users.find(EMAIL) or "")
    return {each.session_id for each in sessions if each.client_id == "browser" and not each.ended}


def logout_tokens(internet: Internet) -> list[dict[str, Any]]:
    """The claims of the logout tokens that went out."""
    return [peek(request.form["logout_token"])[1] for request in internet.requests]


def leave(browser: Browser) -> None:
    browser.submit(browser.get(LOGOUT), CONFIRM)


def logged_in(browser: Browser, app: App) -> bool:
    return "code" in callback_params(browser.authorize(app, scope="openid", prompt="none"))


def backend_logout(phone: Phone, id_token: str) -> Answer:
    """What a client's own server calls, without cookies."""
    answer = phone.call(f"GET {LOGOUT}?id_token_hint={id_token}")
    assert answer.status == 200
    return answer


def swept(svc: Services) -> None:
    """What the table does by itself to items that have expired."""
    table, client = svc.settings.grants_table, wire.clients(svc)[0]
    for item in client.call("Scan", TableName=table)["Items"]:
        if int(item["expires_at"]["N"]) <= svc.now():
            client.call("DeleteItem", TableName=table, Key={name: item[name] for name in ("pk", "sk")})


@pytest.mark.parametrize("subject_type", ["public", "pairwise"])
def test_all_tokens_of_a_session_and_introspection_have_one_sid_and_none_has_the_browsers(
    svc: Services, phone: Phone, browser: Browser, internet: Internet, subject_type: str
) -> None:
    app = register(svc, phone, subject_type=subject_type, introspects=True, **BY_SESSION)
    first = app.tokens(browser, scope=SCOPE)
    second = token_response(app.refresh(first["refresh_token"]))
    introspected = [
        app.post("/oauth/introspect", {"token": second[name]}).json()["sid"]
        for name in ("access_token", "refresh_token")
    ]
    ids = {sid(each[name]) for each in (first, second) for name in ("access_token", "id_token")}
    (browser_id,) = browser_ids(svc)
    leave(browser)
    assert {*ids, *introspected, *(claims["sid"] for claims in logout_tokens(internet))} == {sid(first["id_token"])}
    named = str(
        [
            *logout_tokens(internet),
            *(peek(each[name]) for each in (first, second) for name in ("access_token", "id_token")),
        ]
    )
    assert browser_id not in named


def test_two_clients_of_one_browser_cannot_tell_by_sid_that_it_is_one(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    one, other = (register(svc, phone).tokens(browser, scope="openid")["id_token"] for _ in range(2))
    assert not {str(sid(one))[:16], str(sid(one))[16:]} & {str(sid(other))[:16], str(sid(other))[16:]}


def test_a_client_that_asked_for_it_is_told_of_each_of_its_sessions_in_the_browser(
    svc: Services, phone: Phone, browser: Browser, internet: Internet, clock: Clock
) -> None:
    app = register(svc, phone, grant_types=(CODE,), **BY_SESSION)
    ids = {sid(app.tokens(browser, scope="openid")["id_token"]) for _ in range(3)}
    elsewhere = sid(app.tokens(Browser(phone), scope="openid")["id_token"])
    clock.advance(3 * 3600)
    swept(svc)
    leave(browser)
    assert {claims["sid"] for claims in logout_tokens(internet)} == ids
    assert elsewhere not in ids
    assert len(logout_tokens(internet)) == len(ids) == 3


def test_a_client_that_did_not_ask_for_it_has_it_in_neither_token_and_is_told_of_its_user(
    svc: Services, phone: Phone, browser: Browser, internet: Internet
) -> None:
    """Keycloak before 26.5 takes no logout token with `sid`; others look up the session by what both tokens say."""
    app = register(svc, phone, backchannel_logout_uri=HOOK)
    tokens = [app.tokens(browser, scope=SCOPE) for _ in range(2)]
    assert {sid(each["id_token"]) for each in tokens} == {None}
    assert None not in {sid(each["access_token"]) for each in tokens}
    leave(browser)
    (claims,) = logout_tokens(internet)
    assert "sid" not in claims
    assert claims["sub"] == peek(tokens[0]["id_token"])[1]["sub"]
    # Whoever is told of no logout finds it in the id_token (section 2.1).
    assert sid(register(svc, phone).tokens(browser, scope="openid")["id_token"])


def test_a_client_with_too_many_sessions_in_a_browser_is_told_of_its_user(
    svc: Services, phone: Phone, browser: Browser, internet: Internet
) -> None:
    app = register(svc, phone, **BY_SESSION)
    tokens = app.tokens(browser, scope="openid")
    (session,) = [each for each in svc.sessions.of_user(svc.users.find(EMAIL) or "") if each.client_id == app.id]
    for number in range(60):
        svc.sessions.add_logout_participant(replace(session, session_id=f"{number:032}"), by_session=True)
    browser.get(LOGOUT, {"id_token_hint": tokens["id_token"]})
    (claims,) = logout_tokens(internet)
    assert "sid" not in claims


# As a hint.


def test_an_id_token_is_of_its_browser_however_long_its_session_is_gone_and_of_no_other(
    svc: Services, phone: Phone, browser: Browser, clock: Clock
) -> None:
    app = register(svc, phone, grant_types=(CODE,))
    other = Browser(phone)
    here, elsewhere = (app.tokens(each, scope="openid")["id_token"] for each in (browser, other))
    clock.advance(9 * 24 * 3600)
    swept(svc)
    assert CONFIRM in forms(browser.get(LOGOUT, {"id_token_hint": elsewhere}))
    assert logged_in(browser, app)
    assert LOGGED_OUT in browser.get(LOGOUT, {"id_token_hint": here}).body
    assert not logged_in(browser, app)
    assert logged_in(other, app)


def test_without_sid_it_is_a_hint_at_the_latest_login_alone(
    svc: Services, phone: Phone, browser: Browser, clock: Clock
) -> None:
    app = register(svc, phone, backchannel_logout_uri=HOOK)
    before = app.tokens(browser, scope="openid")["id_token"]
    clock.advance(1)
    now = app.tokens(browser, scope="openid", prompt="login")["id_token"]
    assert CONFIRM in forms(browser.get(LOGOUT, {"id_token_hint": before}))
    assert LOGGED_OUT in browser.get(LOGOUT, {"id_token_hint": now}).body
    assert not logged_in(browser, app)


@pytest.mark.parametrize("subject_type", ["public", "pairwise"])
def test_an_older_id_token_that_names_the_browser_is_a_hint_as_it_was(
    svc: Services, phone: Phone, browser: Browser, subject_type: str
) -> None:
    app = register(svc, phone, subject_type=subject_type)
    claims = peek(app.tokens(browser, scope="openid")["id_token"])[1]
    (named,) = browser_ids(svc)
    keyset = keys.current(svc)
    if subject_type == "pairwise":
        named = pairwise.name(named, sector="app.example", secret=keyset.pairwise)
    older = jwts.sign({**claims, "sid": named}, keyset.signer(svc.now()), typ=jwts.ID_TOKEN)
    assert LOGGED_OUT in browser.get(LOGOUT, {"id_token_hint": older}).body
    assert not logged_in(browser, app)


# Without its browser (oauth2-proxy's `--backend-logout-url`).


@pytest.mark.parametrize("metadata", [{}, {"subject_type": "pairwise"}, {"backchannel_logout_uri": OTHER_HOOK}])
def test_a_clients_own_server_ends_the_session_of_its_id_token_and_all_that_began_there(
    svc: Services, phone: Phone, browser: Browser, internet: Internet, clock: Clock, metadata: dict[str, Any]
) -> None:
    app, neighbour = register(svc, phone, grant_types=(CODE,), **metadata), register(svc, phone, **BY_SESSION)
    id_token = app.tokens(browser, scope="openid")["id_token"]
    neighbour.tokens(browser, scope="openid")
    clock.advance(5)
    elsewhere = Browser(phone)
    app.tokens(elsewhere, scope="openid")
    clock.advance(2 * 3600)
    swept(svc)
    assert LOGGED_OUT in backend_logout(phone, id_token).body
    assert not logged_in(browser, app)
    assert logged_in(elsewhere, app)
    assert neighbour.id in {claims["aud"] for claims in logout_tokens(internet)}
    assert NOTHING in backend_logout(phone, id_token).body


@pytest.mark.parametrize(
    "hint",
    ["a public client's", "an access token", "forged", "nonsense", "a deleted client's", "of a session that ended"],
)
def test_no_other_hint_ends_anything_and_the_page_says_so(
    svc: Services, phone: Phone, browser: Browser, clock: Clock, hint: str
) -> None:
    app, spa, gone = register(svc, phone), register(svc, phone, "spa"), register(svc, phone)
    tokens = app.tokens(browser, scope="openid")
    ended = app.tokens(left := Browser(phone), scope="openid")["id_token"]
    left.get(LOGOUT, {"id_token_hint": ended})
    head, _, signature = tokens["id_token"].rpartition(".")
    hints = {
        "a public client's": spa.tokens(browser, scope="openid")["id_token"],
        "an access token": tokens["access_token"],
        "forged": f"{head}.{signature[::-1]}",
        "nonsense": "x",
        "a deleted client's": gone.tokens(browser, scope="openid")["id_token"],
        "of a session that ended": ended,
    }
    clock.advance(1)
    manage.delete(svc, gone.id)
    manage.create(svc, replace(gone.client, secrets=(), created_at=0))
    assert NOTHING in backend_logout(phone, hints[hint]).body
    assert logged_in(browser, app)


def test_who_brings_no_hint_is_told_nothing_of_sessions_that_were_not_found(phone: Phone) -> None:
    page = phone.call(f"GET {LOGOUT}")
    assert LOGGED_OUT in page.body
    assert NOTHING not in page.body


def test_a_clients_session_that_began_in_no_browser_is_ended_alone(
    svc: Services, phone: Phone, browser: Browser
) -> None:
    ours = register(svc, phone, first_party=True, grant_types=(CODE, REFRESH))
    params = {
        name: ours.request()[name] for name in ("response_type", "code_challenge", "code_challenge_method", "scope")
    }
    right = {**params, "email": EMAIL, "password": PASSWORD}
    code = ours.post("/oauth/authorize-challenge", right).json()["authorization_code"]
    tokens = token_response(ours.redeem(code, redirect_uri=None))
    ours.tokens(browser, scope="openid")
    assert logged_in(browser, ours)
    assert LOGGED_OUT in backend_logout(phone, tokens["id_token"]).body
    assert ours.refresh(tokens["refresh_token"]).status == 400
    assert logged_in(browser, ours)
