"""What the texts that clients and browsers hold tell whoever holds them: nothing."""

from dataclasses import replace
from itertools import combinations

import pytest

from chalicelib.services import Services
from tests.support import handles
from tests.support.browser import App, Browser, register, token_response
from tests.support.forge import b64, peek, unb64
from tests.support.phone import Phone, refusal

COOKIE = "__Host-latchkey-session"
SECTORS = ("first.example", "second.example")


@pytest.fixture
def apps(phone: Phone, svc: Services) -> list[App]:
    """Two clients that must not find out which of their users are the same."""
    return [
        register(
            svc,
            phone,
            subject_type="pairwise",
            redirect_uris=(f"https://{host}/cb",),
            scopes=("openid", "offline_access", "notes:read"),
        )
        for host in SECTORS
    ]


def request(app: App) -> dict[str, str]:
    return app.request(scope="openid offline_access notes:read")


def internal_ids(svc: Services, uid: str) -> list[str]:
    sessions = svc.sessions.of_user(uid)
    return [
        uid,
        *(session.session_id for session in sessions),
        *(session.browser for session in sessions if session.browser),
    ]


def texts_of_clients(browser: Browser, apps: list[App]) -> list[str]:
    """A code and three refresh tokens of each client."""
    texts = []
    for app in apps:
        code = browser.code(app, scope=request(app)["scope"])
        tokens = token_response(app.redeem(code))
        texts += [code, tokens["refresh_token"]]
        for _ in range(2):
            tokens = token_response(app.refresh(tokens["refresh_token"]))
            texts.append(tokens["refresh_token"])
    return texts


def test_no_code_refresh_token_or_cookie_tells_whose_it_is(
    browser: Browser, apps: list[App], phone: Phone, svc: Services
) -> None:
    login = phone.log_in()
    texts = [*texts_of_clients(browser, apps), browser.cookies[COOKIE], login["refresh_token"]]
    raws = [unb64(text) for text in texts]
    for each in internal_ids(svc, peek(login["access_token"])[1]["sub"]):
        halves = bytes.fromhex(each)[:8], bytes.fromhex(each)[8:]
        assert not [raw for raw in raws for half in halves if half in raw]
        assert not [text for text in texts if each in text]


def test_two_texts_of_one_account_have_no_more_in_common_than_those_of_any_two(
    browser: Browser, apps: list[App], phone: Phone
) -> None:
    texts = [*texts_of_clients(browser, apps), browser.cookies[COOKIE], phone.log_in()["refresh_token"]]
    assert len(texts) == len(set(texts)) == 10
    pieces = [{raw[at : at + 4] for at in range(3, len(raw) - 3)} for raw in map(unb64, texts)]
    assert not [one & other for one, other in combinations(pieces, 2) if one & other]


def test_the_same_refresh_token_is_given_again_when_an_answer_was_lost(browser: Browser, apps: list[App]) -> None:
    first = token_response(apps[0].redeem(browser.code(apps[0], scope=request(apps[0])["scope"])))["refresh_token"]
    second = token_response(apps[0].refresh(first))["refresh_token"]
    assert token_response(apps[0].refresh(first))["refresh_token"] == second


def test_a_browser_stays_logged_in_with_the_cookie_that_it_got_before(
    browser: Browser, app: App, svc: Services
) -> None:
    browser.code(app)
    (browser_session,) = [
        g for g in svc.sessions.of_user(svc.users.find("ann@example.com") or "") if g.client_id == "browser"
    ]
    key = svc.keys.recent(svc.now()).refresh[0]
    browser.cookies[COOKIE] = handles.first_of(browser_session, key, purpose=b"browser")
    assert browser.authorize(app, prompt="none").status == 303
    other = replace(key, secret=bytes(32))
    browser.cookies[COOKIE] = handles.first_of(browser_session, other, purpose=b"browser")
    assert browser.authorize(app, prompt=None).status == 200


def test_a_code_that_was_given_before_is_redeemed(browser: Browser, app: App, svc: Services) -> None:
    browser.code(app)
    (waiting,) = [g for g in svc.sessions.of_user(svc.users.find("ann@example.com") or "") if g.waiting]
    key = svc.keys.recent(svc.now()).refresh[0]
    code = handles.first_of(waiting, key, purpose=b"code")
    assert token_response(app.redeem(code))["access_token"]


def test_a_code_is_no_refresh_token_and_a_refresh_token_no_code(browser: Browser, app: App) -> None:
    code = browser.code(app)
    assert refusal(app.refresh(code)) == (400, "invalid_grant")
    token = token_response(app.redeem(code))["refresh_token"]
    assert refusal(app.redeem(token)) == (400, "invalid_grant")
    assert refusal(app.redeem(b64(unb64(code)[:-1] + b"\0"))) == (400, "invalid_grant")
