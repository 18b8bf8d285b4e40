"""A login in a browser of an account with a second factor: one page more, and no cookie that counts before it."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.services import Services
from local.gateway import Answer
from tests.support import counter, wire
from tests.support.browser import (
    FORM_TYPE,
    ISSUER,
    App,
    Browser,
    callback_params,
    encoded,
    forms,
    place,
    register,
    token_response,
)
from tests.support.forge import peek
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone

LOGIN = {"email": EMAIL, "password": PASSWORD}
PROOF = "/authorize/proof"
SESSION, ATTEMPT, FORM = "__Host-latchkey-session", "__Host-latchkey-attempt", "__Host-latchkey-form"


@pytest.fixture(autouse=True)
def _second_factor() -> Iterator[None]:
    with counter.installed():
        yield


@pytest.fixture
def uid(svc: Services, browser: Browser) -> str:  # noqa: ARG001 - whose user has an account
    """The account of the browser's user, with two factors."""
    uid = svc.users.find(EMAIL)
    assert uid
    counter.enrol(svc, uid)
    return uid


def at_proof(browser: Browser, app: App, **changes: str | None) -> Answer:
    """The page after the password."""
    page = browser.submit(browser.authorize(app, **changes), "/authorize/login", **LOGIN)
    assert (page.status, PROOF in forms(page)) == (200, True), page.body
    return page


def prove(browser: Browser, page: Answer, answer: str) -> Answer:
    return browser.submit(page, PROOF, answer=answer)


def is_wrong(page: Answer) -> bool:
    return b"This is wrong, has expired" in page.body and PROOF in forms(page)


def asks_to_log_in(page: Answer) -> bool:
    return page.status == 200 and "/authorize/login" in forms(page)


def claims_of(app: App, answer: Answer) -> dict[str, object]:
    return peek(token_response(app.redeem(callback_params(answer)["code"]))["id_token"])[1]


def test_the_password_leads_to_one_page_more_and_that_to_where_the_login_leads(
    browser: Browser, app: App, uid: str, clock: Clock
) -> None:
    page = at_proof(browser, app)
    assert SESSION not in browser.cookies
    assert EMAIL.encode() in page.body
    clock.advance(30)
    consent = prove(browser, page, counter.code(uid, 1))
    assert ATTEMPT not in browser.cookies
    claims = claims_of(app, browser.submit(consent, "/authorize/consent", decision="allow"))
    assert (claims["acr"], claims["amr"], claims["auth_time"]) == ("aal2", ["pwd", "otp", "mfa"], clock())


def test_the_form_is_answered_with_a_redirect_right_or_wrong(browser: Browser, app: App, uid: str) -> None:
    page = at_proof(browser, app)
    for answer in ("x", counter.code(uid, 1)):
        fields = encoded({**forms(page)[PROOF].hidden, "answer": answer}).encode()
        sent = browser._call("POST", PROOF, fields, [("Content-Type", FORM_TYPE), ("Origin", ISSUER)])
        assert (sent.status, sent.body) == (303, b"")


def test_until_the_proof_is_given_nobody_is_logged_in_anywhere(
    browser: Browser, app: App, uid: str, svc: Services
) -> None:
    television = register(svc, browser.phone, "television")
    code = television.post("/oauth/device", {}).json()["user_code"]
    at_proof(browser, app)
    assert callback_params(browser.authorize(app, prompt="none"))["error"] == "login_required"
    for path in ("/device", "/account/sessions", f"/device?user_code={code}", "/authorize/login"):
        assert asks_to_log_in(browser.get(path)), path
    assert asks_to_log_in(browser.authorize(app))
    assert EMAIL.encode() not in browser.get("/").body
    stolen = {SESSION: browser.cookies[ATTEMPT]}
    assert callback_params(with_cookies(browser, stolen).authorize(app, prompt="none"))["error"] == "login_required"
    assert uid


def with_cookies(browser: Browser, cookies: dict[str, str]) -> Browser:
    other = Browser(browser.phone)
    other.cookies = dict(cookies)
    return other


def test_a_wrong_answer_is_told_on_the_page_and_the_right_one_still_counts(
    browser: Browser, app: App, uid: str
) -> None:
    page = at_proof(browser, app)
    for answer in ("x", "", counter.code("0" * 32, 1), PASSWORD):
        page = prove(browser, page, answer)
        assert is_wrong(page)
    assert "/authorize/consent" in forms(prove(browser, page, counter.code(uid, 1)))


def test_guesses_are_limited_and_the_page_says_how_long_to_wait(
    browser: Browser, app: App, uid: str, svc: Services
) -> None:
    most, _ = svc.settings.limits["factor_account_network"]
    page = at_proof(browser, app)
    for _ in range(most):
        page = prove(browser, page, "x")
    page = prove(browser, page, counter.code(uid, 1))
    assert b"too many attempts" in page.body
    assert SESSION not in browser.cookies


def test_a_button_pressed_twice_leads_to_the_same_place(browser: Browser, app: App, uid: str) -> None:
    page = at_proof(browser, app)
    fields = encoded({**forms(page)[PROOF].hidden, "answer": counter.code(uid, 1)}).encode()
    sent = [("Content-Type", FORM_TYPE), ("Origin", ISSUER)]
    before = dict(browser.cookies)
    browser._call("POST", PROOF, fields, list(sent))
    second = with_cookies(browser, before)._call("POST", PROOF, fields, list(sent))
    # The browser follows the second answer, with the cookies that the first one has set.
    assert "/authorize/consent" in forms(browser.get((second.header("Location") or "").removeprefix(ISSUER)))


def test_of_two_right_answers_at_once_one_begins_a_session(browser: Browser, app: App, uid: str, svc: Services) -> None:
    hidden, cookies = forms(at_proof(browser, app))[PROOF].hidden, dict(browser.cookies)
    before = len(svc.sessions.of_user(uid))

    def press(step: int) -> bool:
        one = with_cookies(browser, cookies)
        one.post(PROOF, {**hidden, "answer": counter.code(uid, step)})
        return SESSION in one.cookies

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(press, range(1, 5))).count(True) == 1
    assert len(svc.sessions.of_user(uid)) == before + 1


def test_the_attempt_is_worth_nothing_in_another_browser_or_for_another_place(
    browser: Browser, app: App, uid: str, svc: Services
) -> None:
    hidden = forms(at_proof(browser, app))[PROOF].hidden
    mine, right = dict(browser.cookies), {"answer": counter.code(uid, 1)}
    other = Browser(browser.phone)
    other.authorize(app)
    stolen = with_cookies(browser, {**other.cookies, ATTEMPT: mine[ATTEMPT]})
    assert asks_to_log_in(stolen.get(PROOF, {"to": hidden["to"]}))
    stolen.post(PROOF, {**hidden, **right})
    assert SESSION not in stolen.cookies
    no_tie = with_cookies(browser, {ATTEMPT: mine[ATTEMPT]})
    no_tie.post(PROOF, {**hidden, **right})
    assert SESSION not in no_tie.cookies
    elsewhere = with_cookies(browser, mine)
    assert asks_to_log_in(elsewhere.get(PROOF, {"to": "device"}))
    strangers = register(svc, browser.phone)
    moved = {**hidden, "to": f"oauth/authorize?{encoded(strangers.request())}"}
    assert b"stale_page" in elsewhere.post(PROOF, {**moved, **right}).body
    assert SESSION not in elsewhere.cookies
    assert "/authorize/consent" in forms(browser.post(PROOF, {**hidden, **right}))


def test_a_forged_or_truncated_attempt_asks_for_the_login(browser: Browser, app: App, uid: str, svc: Services) -> None:
    hidden, mine = forms(at_proof(browser, app))[PROOF].hidden, dict(browser.cookies)
    text, session = mine[ATTEMPT], browser.cookies[FORM]
    for forged in (text[:-8], text[8:], text[::-1], "x", "", text[:40] + "A" + text[41:], session):
        one = with_cookies(browser, {**mine, ATTEMPT: forged})
        with wire.watched(svc) as traffic:
            assert asks_to_log_in(one.post(PROOF, {**hidden, "answer": counter.code(uid, 1)})), forged
        assert set(traffic.calls) <= {"GetItem"}  # the client, of which the login page tells


def test_a_form_that_is_not_this_browsers_or_of_another_site_is_refused(browser: Browser, app: App, uid: str) -> None:
    page = at_proof(browser, app)
    right = {**forms(page)[PROOF].hidden, "answer": counter.code(uid, 1)}
    for change in ({"form_token": "x"}, {"attempt": "0" * 32}, {"to": "device"}):
        assert b"stale_page" in browser.post(PROOF, {**right, **change}).body
    assert b"stale_page" in browser.post(PROOF, right, origin="https://evil.example").body
    assert SESSION not in browser.cookies


def test_the_form_of_an_older_tab_proves_nothing_for_the_login_of_a_newer_one(
    browser: Browser, app: App, uid: str
) -> None:
    older = at_proof(browser, app)
    newer = at_proof(browser, app)
    assert b"stale_page" in prove(browser, older, counter.code(uid, 1)).body
    assert "/authorize/consent" in forms(prove(browser, newer, counter.code(uid, 1)))


def test_the_login_is_over_after_ten_minutes(browser: Browser, app: App, uid: str, clock: Clock) -> None:
    page = at_proof(browser, app)
    clock.advance(599)
    assert is_wrong(prove(browser, page, "x"))
    clock.advance(1)
    assert asks_to_log_in(prove(browser, page, counter.code(uid, 1)))
    assert SESSION not in browser.cookies


def test_what_ends_the_sessions_ends_the_login(browser: Browser, app: App, uid: str, svc: Services) -> None:
    page = at_proof(browser, app)
    svc.users.disable(uid)
    assert asks_to_log_in(prove(browser, page, counter.code(uid, 1)))


def test_a_login_whose_missing_factor_was_taken_from_the_account_begins_anew(
    browser: Browser, app: App, uid: str, svc: Services
) -> None:
    page = at_proof(browser, app)
    counter.withdraw(svc, uid)
    assert asks_to_log_in(browser.get(PROOF, {"to": forms(page)[PROOF].hidden["to"]}))
    page = prove(browser, page, counter.code(uid, 1))
    assert asks_to_log_in(page)
    assert "/authorize/consent" in forms(browser.submit(page, "/authorize/login", **LOGIN))


def test_the_page_by_itself_leads_to_the_login(browser: Browser, app: App) -> None:
    assert asks_to_log_in(browser.get(PROOF))
    browser.log_in(app)
    assert EMAIL.encode() in browser.get(PROOF).body  # the home page says who is logged in


def test_of_several_factors_the_first_is_asked_for_or_another_is_chosen_and_shows_what_it_has_to_show(
    browser: Browser, app: App, uid: str, svc: Services
) -> None:
    with counter.installed("letter", ("sms",), challenges=True):
        counter.enrol(svc, uid, "letter")
        page = at_proof(browser, app)
        assert forms(page)[PROOF].hidden["factor"] == "counter"
        assert ("choose", "letter") in forms(page)[PROOF].buttons
        assert page.body.count(b'name="answer"') == 1
        form = browser.submit(page, PROOF, choose="letter")
        assert f"for {EMAIL} in ".encode() in form.body
        assert b'name="answer"' in form.body
        assert is_wrong(browser.submit(page, PROOF, choose="password"))
        right = {**forms(page)[PROOF].hidden, "factor": "letter", "answer": counter.code(uid, 1)}
        consent = browser.post(PROOF, right)
        claims = claims_of(app, browser.submit(consent, "/authorize/consent", decision="allow"))
        assert claims["amr"] == ["pwd", "sms", "mfa"]


def test_a_device_is_connected_after_both_proofs(browser: Browser, uid: str, svc: Services) -> None:
    television = register(svc, browser.phone, "television")
    codes = television.post("/oauth/device", {}).json()
    page = browser.submit(browser.get("/device", {"user_code": codes["user_code"]}), "/authorize/login", **LOGIN)
    page = prove(browser, page, counter.code(uid, 1))
    browser.submit(page, "/device", decision="allow")
    device_code = "urn:ietf:params:oauth:grant-type:device_code"
    tokens = token_response(television.token(device_code, device_code=codes["device_code"]))
    assert peek(tokens["access_token"])[1]["acr"] == "aal2"


def test_a_sign_up_with_an_address_and_password_that_are_there_needs_the_other_factor_too(
    browser: Browser, app: App, uid: str
) -> None:
    page = browser.submit(browser.sign_up_page(browser.authorize(app)), "/authorize/signup", name="Ann", **LOGIN)
    assert PROOF in forms(page)
    assert SESSION not in browser.cookies
    assert "/authorize/consent" in forms(prove(browser, page, counter.code(uid, 1)))


def test_another_login_of_the_same_user_raises_their_session_after_both_proofs(
    browser: Browser, app: App, uid: str, svc: Services
) -> None:
    consent = prove(browser, at_proof(browser, app), counter.code(uid, 1))
    browser.submit(consent, "/authorize/consent", decision="allow")
    before = {each.session_id: each.generation for each in svc.sessions.of_user(uid) if each.client_id == "browser"}
    page = browser.submit(browser.authorize(app, prompt="login"), "/authorize/login", **LOGIN)
    still = {each.session_id: each.generation for each in svc.sessions.of_user(uid) if each.client_id == "browser"}
    assert still == before
    assert "code" in callback_params(prove(browser, page, counter.code(uid, 2)))
    after = {each.session_id: each.generation for each in svc.sessions.of_user(uid) if each.client_id == "browser"}
    assert after == {session_id: generation + 1 for session_id, generation in before.items()}


# Step-up
@pytest.fixture
def raised_later(browser: Browser, app: App, svc: Services) -> str:
    """An account that got its second factor after this browser was logged in."""
    browser.log_in(app)
    uid = svc.users.find(EMAIL)
    assert uid
    counter.enrol(svc, uid)
    return uid


def test_a_request_for_more_asks_for_what_is_missing_and_raises_the_session(
    browser: Browser, app: App, raised_later: str, svc: Services, clock: Clock
) -> None:
    assert "code" in callback_params(browser.authorize(app))
    (before,) = [each for each in svc.sessions.of_user(raised_later) if each.client_id == "browser"]
    clock.advance(3600)
    page = browser.authorize(app, acr_values="aal2")
    assert set(forms(page)) == {PROOF}
    claims = claims_of(app, prove(browser, page, counter.code(raised_later, 1)))
    # The password is as old as it was: a further proof alone makes no fresh login.
    assert (claims["acr"], claims["amr"], claims["auth_time"]) == ("aal2", ["pwd", "otp", "mfa"], before.auth_time)
    assert before.auth_time == clock() - 3600
    (after,) = [each for each in svc.sessions.of_user(raised_later) if each.client_id == "browser"]
    assert (after.session_id, after.generation) == (before.session_id, before.generation + 1)
    assert "code" in callback_params(browser.authorize(app, acr_values="aal2"))  # and that is that


def essential(*levels: str) -> str:
    return json.dumps({"id_token": {"acr": {"essential": True, "values": levels}}})


def test_what_is_essential_is_not_answered_with_less(browser: Browser, app: App, raised_later: str) -> None:
    silent = browser.authorize(app, prompt="none", claims=essential("aal2"))
    assert callback_params(silent)["error"] == "login_required"
    assert "code" in callback_params(browser.authorize(app, prompt="none", acr_values="aal2"))  # a wish
    page = browser.authorize(app, claims=essential("aal2"))
    assert claims_of(app, prove(browser, page, counter.code(raised_later, 1)))["acr"] == "aal2"


def test_any_of_the_essential_levels_will_do_where_nobody_can_be_asked(
    browser: Browser, app: App, raised_later: str
) -> None:
    silent = browser.authorize(app, prompt="none", claims=essential("aal2", "aal1"))
    assert claims_of(app, silent)["acr"] == "aal1"
    assert "error" in callback_params(browser.authorize(app, prompt="none", claims=essential("aal2", "gold")))
    page = browser.authorize(
        app, claims=essential("aal2", "aal1")
    )  # who is there is asked for the first that can be had
    assert claims_of(app, prove(browser, page, counter.code(raised_later, 1)))["acr"] == "aal2"


def test_what_an_account_cannot_give_is_unmet_where_it_is_essential_and_passed_over_where_it_is_not(
    browser: Browser, app: App
) -> None:
    browser.log_in(app)
    unmet = callback_params(browser.authorize(app, claims=essential("aal2")))
    assert unmet["error"] == "unmet_authentication_requirements"
    assert "code" in callback_params(browser.authorize(app, acr_values="aal2"))


def test_a_session_is_raised_in_its_own_browser_while_it_lives(
    browser: Browser, app: App, raised_later: str, svc: Services
) -> None:
    page = browser.authorize(app, acr_values="aal2")
    right = {**forms(page)[PROOF].hidden, "answer": counter.code(raised_later, 1)}
    no_session = with_cookies(browser, {name: text for name, text in browser.cookies.items() if name != SESSION})
    assert asks_to_log_in(no_session.post(PROOF, right))
    (session,) = [each for each in svc.sessions.of_user(raised_later) if each.client_id == "browser"]
    svc.sessions.end(raised_later, session.session_id, why="logout")
    assert asks_to_log_in(browser.post(PROOF, right))
    (ended,) = [each for each in svc.sessions.of_user(raised_later) if each.client_id == "browser"]
    assert (ended.generation, ended.amr) == (session.generation, ("pwd",))


def test_a_step_up_of_one_user_is_none_in_the_session_of_another(
    browser: Browser, app: App, raised_later: str, phone: Phone
) -> None:
    page = browser.authorize(app, acr_values="aal2")
    attempt, right = browser.cookies[ATTEMPT], {**forms(page)[PROOF].hidden, "answer": counter.code(raised_later, 1)}
    phone.sign_up("bob@example.com")
    bob = Browser(phone)
    bob.log_in(app, email="bob@example.com")
    bob.cookies |= {ATTEMPT: attempt, FORM: browser.cookies[FORM]}
    before = bob.cookies[SESSION]
    bob.post(PROOF, right)
    assert bob.cookies[SESSION] == before


def test_a_new_login_that_is_due_is_asked_for_before_a_step_up(browser: Browser, app: App, raised_later: str) -> None:
    page = browser.authorize(app, acr_values="aal2", prompt="login")
    assert asks_to_log_in(page)
    page = browser.submit(page, "/authorize/login", **LOGIN)
    answer = prove(browser, page, counter.code(raised_later, 1))
    assert claims_of(app, answer)["acr"] == "aal2"


def test_guesses_at_a_step_up_are_the_accounts_guesses(
    browser: Browser, app: App, raised_later: str, svc: Services
) -> None:
    most, _ = svc.settings.limits["factor_account_network"]
    page = browser.authorize(app, acr_values="aal2")
    for _ in range(most):
        assert is_wrong(prove(browser, page, "x"))
    assert b"too many attempts" in prove(browser, page, counter.code(raised_later, 1)).body
    other = Browser(browser.phone)
    page = at_proof(other, app)
    assert b"too many attempts" in prove(other, page, counter.code(raised_later, 1)).body


def test_a_step_up_is_used_once(browser: Browser, app: App, raised_later: str) -> None:
    page = browser.authorize(app, acr_values="aal2")
    attempt, hidden = browser.cookies[ATTEMPT], forms(page)[PROOF].hidden
    prove(browser, page, counter.code(raised_later, 1))
    before = browser.cookies[SESSION]
    browser.cookies[ATTEMPT] = attempt
    browser.post(PROOF, {**hidden, "answer": counter.code(raised_later, 2)})
    assert browser.cookies[SESSION] == before
    assert place(browser.authorize(app)).startswith("https://app.example")


def test_a_step_up_is_no_login_for_who_knows_the_sessions_id(
    browser: Browser, app: App, raised_later: str, svc: Services
) -> None:
    page = browser.authorize(app, acr_values="aal2")
    (session,) = [each for each in svc.sessions.of_user(raised_later) if each.client_id == "browser"]
    # Every client has the id, as `sid`; the cookie that ties a login to its browser may hold any text.
    thief = with_cookies(browser, {ATTEMPT: browser.cookies[ATTEMPT], FORM: session.session_id})
    assert asks_to_log_in(thief.get(PROOF, {"to": forms(page)[PROOF].hidden["to"]}))
