"""The device authorization grant (RFC 8628) in the wrong hands, too fast and many at once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, DEVICE_CODE
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import wire
from tests.support.browser import API, ISSUER, App, Browser, basic, forms, register, send, token_response
from tests.support.forge import peek
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, refusal
from tests.support.staged import just_before

PENDING, SLOW = (400, "authorization_pending"), (400, "slow_down")
EVE = "eve@example.com"
LASTING = "openid offline_access"  # without the second no refresh token comes with the first


@pytest.fixture
def television(svc: Services, phone: Phone) -> App:
    """A client without a browser."""
    return register(svc, phone, "television")


def begin(app: App, **fields: str) -> dict[str, Any]:
    answer = app.post("/oauth/device", fields)
    assert answer.status == 200, answer
    assert answer.header("Cache-Control") == "no-store"
    codes: dict[str, Any] = answer.json()
    return codes


def poll(app: App, codes: dict[str, Any]) -> Answer:
    return app.token(DEVICE_CODE, device_code=codes["device_code"])


def typed(browser: Browser, user_code: str, *, email: str = EMAIL) -> Answer:
    """The page after the code was typed, by somebody who logs in first if need be."""
    page = browser.get("/device")
    if "/authorize/login" in forms(page):
        page = browser.submit(page, "/authorize/login", email=email, password=PASSWORD)
    return browser.submit(page, "/device", user_code=user_code)


def decided(browser: Browser, codes: dict[str, Any], decision: str = "allow", *, email: str = EMAIL) -> Answer:
    page = typed(browser, codes["user_code"], email=email)
    answer = browser.submit(page, "/device", decision=decision)
    assert answer.status == 200, answer
    return answer


def test_a_confidential_client_gets_tokens_for_itself_and_for_who_approves_of_its_device(
    svc: Services, phone: Phone, browser: Browser, clock: Clock
) -> None:
    # kubelogin with a secret: it sends `scope=openid` with every grant, and that alone.
    both = (DEVICE_CODE, CLIENT_CREDENTIALS)
    app = register(svc, phone, grant_types=both, redirect_uris=(), scopes=("openid", "email", "notes:read"))
    codes = begin(app, scope="openid")
    decided(browser, codes)
    clock.advance(codes["interval"])
    tokens = token_response(poll(app, codes))
    assert (tokens["scope"], peek(tokens["id_token"])[1]["aud"]) == ("openid", app.id)
    own = token_response(app.token(CLIENT_CREDENTIALS, scope="openid"))
    assert (own["scope"], peek(own["access_token"])[1]["sub"]) == ("notes:read", app.id)
    assert "id_token" not in own


def test_a_device_gets_the_tokens_of_whoever_approved(browser: Browser, television: App, clock: Clock) -> None:
    codes = begin(television, scope="openid email offline_access")
    assert refusal(poll(television, codes)) == PENDING
    clock.advance(codes["interval"])
    decided(browser, codes)
    tokens = token_response(poll(television, codes))
    assert tokens["scope"] == "openid email offline_access"
    assert television.phone.call("GET /oauth/userinfo", token=tokens["access_token"]).json()["email"] == EMAIL
    token_response(television.refresh(tokens["refresh_token"]))


@pytest.mark.parametrize(
    "spelling",
    [str.lower, lambda c: c.replace("-", ""), lambda c: f" {c[:2]} {c[2:]} ", lambda c: c.replace("-", "—"),
     lambda c: f"Your code is {c}!", lambda c: f"code: {c.replace('-', ' ')}\n"],
)  # fmt: skip
def test_the_user_may_type_the_code_in_any_spelling(browser: Browser, television: App, spelling: Any) -> None:
    codes = begin(television)
    page = typed(browser, spelling(codes["user_code"]))
    browser.submit(page, "/device", decision="allow")
    token_response(poll(television, codes))


def test_a_link_with_the_code_asks_at_once_and_shows_the_code(browser: Browser, television: App) -> None:
    codes = begin(television)
    link = codes["verification_uri_complete"].removeprefix(ISSUER)
    page = browser.submit(browser.get(link), "/authorize/login", email=EMAIL, password=PASSWORD)
    assert f'<code class="shown" dir="ltr">{codes["user_code"]}</code>'.encode() in page.body
    assert refusal(poll(television, codes)) == PENDING
    done = browser.submit(page, "/device", decision="allow")
    assert b"Device connected" in done.body
    token_response(poll(television, codes))


def test_a_link_with_a_wrong_code_counts_as_a_guess_and_ends_at_the_field(
    svc: Services, browser: Browser, television: App
) -> None:
    decided(browser, begin(television))
    most, _ = svc.settings.limits["user_code_network"]
    for _ in range(most):
        page = browser.get("/device", {"user_code": "BBBB-BBBB"})
        assert b'aria-invalid="true" aria-describedby="user_code-error"' in page.body
        assert forms(page)["/device"].typed["user_code"].startswith("BBBB-BBB")
    limited = browser.get("/device", {"user_code": begin(television)["user_code"]})
    assert b"too many attempts" in limited.body
    assert b'aria-invalid="true"' not in limited.body
    assert "/device" in forms(browser.get("/device"))


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_links_of_another_site_use_up_no_tries_and_the_code_in_them_needs_a_press(
    svc: Services, browser: Browser, television: App, site: str
) -> None:
    decided(browser, begin(television))
    most, _ = svc.settings.limits["user_code_network"]
    led_here = [("Sec-Fetch-Site", site)]
    for _ in range(most + 10):
        page = browser.get("/device", {"user_code": "BBBB-BBBB"}, headers=led_here)
        assert forms(page)["/device"].typed["user_code"] == "BBBB-BBBB"
    codes = begin(television)
    page = browser.get("/device", {"user_code": codes["user_code"]}, headers=led_here)
    assert ("decision", "allow") not in forms(page)["/device"].buttons
    page = browser.submit(page, "/device", user_code=codes["user_code"])
    browser.submit(page, "/device", decision="allow")
    token_response(poll(television, codes))


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_a_link_that_a_person_has_opened_asks_at_once(browser: Browser, television: App, site: str) -> None:
    decided(browser, begin(television))
    code = begin(television)["user_code"]
    page = browser.get("/device", {"user_code": code}, headers=[("Sec-Fetch-Site", site)])
    assert ("decision", "allow") in forms(page)["/device"].buttons


def test_a_client_that_has_said_all_in_a_header_sends_no_body(svc: Services, phone: Phone) -> None:
    app = register(svc, phone, grant_types=(DEVICE_CODE,), redirect_uris=())
    by_basic = [("Authorization", basic(app.id, app.secret))]
    for headers in (by_basic, [*by_basic, ("Content-Type", "application/x-www-form-urlencoded")]):
        assert phone.call("POST /oauth/device", headers=headers).status == 200
    wrong = [("Authorization", basic(app.id, "x"))]
    assert refusal(phone.call("POST /oauth/device", headers=wrong)) == (401, "invalid_client")


def test_a_request_without_a_body_and_without_credentials_is_malformed(phone: Phone) -> None:
    for kind in ((), [("Content-Type", "application/x-www-form-urlencoded")], [("Content-Type", "application/json")]):
        assert refusal(phone.call("POST /oauth/device", headers=kind)) == (400, "invalid_request")
    # A body has a type, as ever.
    assert refusal(phone.call("POST /oauth/device", raw=b"{}")) == (400, "invalid_request")


def test_the_tokens_are_had_once(browser: Browser, television: App) -> None:
    codes = begin(television, scope=LASTING)
    decided(browser, codes)
    tokens = token_response(poll(television, codes))
    assert refusal(poll(television, codes)) in ((400, "expired_token"), (400, "invalid_grant"))
    token_response(television.refresh(tokens["refresh_token"]))


def test_of_two_polls_at_the_same_moment_one_gets_the_tokens(browser: Browser, television: App, svc: Services) -> None:
    codes = begin(television, scope=LASTING)
    decided(browser, codes)
    rival: list[dict[str, Any]] = []
    with just_before(
        wire.clients(svc)[0], "TransactWriteItems", lambda: rival.append(token_response(poll(television, codes)))
    ):
        assert refusal(poll(television, codes)) == (400, "invalid_grant")
    token_response(television.refresh(rival[0]["refresh_token"]))


def test_of_eight_polls_at_once_one_gets_the_tokens(browser: Browser, television: App) -> None:
    codes = begin(television)
    decided(browser, codes)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: poll(television, codes), range(8)))
    assert sorted(answer.status for answer in answers) == [200] + [400] * 7


def test_a_hasty_device_is_slowed_down_and_the_interval_grows(television: App, clock: Clock) -> None:
    codes = begin(television)
    assert refusal(poll(television, codes)) == PENDING
    for _ in range(3):
        clock.advance(codes["interval"] - 1)
        assert refusal(poll(television, codes)) == SLOW
    clock.advance(codes["interval"] + 3 * 5 - 1)
    assert refusal(poll(television, codes)) == SLOW
    clock.advance(codes["interval"] + 4 * 5)
    assert refusal(poll(television, codes)) == PENDING


def test_a_hasty_device_still_gets_its_tokens(browser: Browser, television: App) -> None:
    codes = begin(television)
    poll(television, codes)
    assert refusal(poll(television, codes)) == SLOW
    decided(browser, codes)
    token_response(poll(television, codes))


def test_a_device_that_polls_during_the_decision_does_not_undo_it(
    browser: Browser, television: App, svc: Services
) -> None:
    codes = begin(television)
    page = typed(browser, codes["user_code"])
    with just_before(wire.clients(svc)[0], "TransactWriteItems", lambda: poll(television, codes)):
        assert browser.submit(page, "/device", decision="allow").status == 200
    token_response(poll(television, codes))


def test_a_decision_during_a_poll_is_not_lost(browser: Browser, television: App, svc: Services) -> None:
    codes = begin(television)
    page = typed(browser, codes["user_code"])

    def decide() -> None:
        assert browser.submit(page, "/device", decision="allow").status == 200

    with just_before(wire.clients(svc)[0], "UpdateItem", decide):
        assert refusal(poll(television, codes)) in (PENDING, SLOW)
    token_response(poll(television, codes))


def test_a_refused_device_is_told_so_and_a_second_decision_changes_nothing(
    browser: Browser, television: App, phone: Phone
) -> None:
    codes = begin(television)
    page = typed(browser, codes["user_code"])
    browser.submit(page, "/device", decision="deny")
    again = browser.submit(page, "/device", decision="allow")
    assert "/device" in forms(again)  # the code is asked for anew
    assert refusal(poll(television, codes)) == (400, "access_denied")
    phone.sign_up(EVE)
    assert "decision" not in dict(forms(typed(Browser(phone), codes["user_code"], email=EVE))["/device"].buttons)
    assert refusal(poll(television, codes)) == (400, "access_denied")


def test_two_users_who_approve_at_once_leave_the_device_with_one_of_them(
    browser: Browser, television: App, svc: Services, phone: Phone
) -> None:
    phone.sign_up(EVE)
    codes = begin(television, scope="openid email")
    eves = Browser(phone)
    page, other = typed(browser, codes["user_code"]), typed(eves, codes["user_code"], email=EVE)

    def eve_first() -> None:
        assert eves.submit(other, "/device", decision="allow").status == 200

    with just_before(wire.clients(svc)[0], "TransactWriteItems", eve_first):
        late = browser.submit(page, "/device", decision="allow")
    assert "/device" in forms(late)
    token = token_response(poll(television, codes))["access_token"]
    assert phone.call("GET /oauth/userinfo", token=token).json()["email"] == EVE


def test_an_approval_needs_a_form_of_the_approving_users_own_session(
    browser: Browser, television: App, phone: Phone
) -> None:
    # GHSA-cq3f-vc6p-68fh: a decision in a session that never saw the code.
    phone.sign_up(EVE)
    codes = begin(television)
    eves = Browser(phone)
    page = typed(eves, codes["user_code"], email=EVE)
    typed(browser, begin(television)["user_code"])
    assert browser.submit(page, "/device", decision="allow").status == 403
    nobody = Browser(phone)
    assert "/authorize/login" in forms(nobody.submit(page, "/device", decision="allow"))
    bare = {"user_code": codes["user_code"], "decision": "allow"}
    assert "/authorize/login" in forms(nobody.post("/device", bare))
    assert browser.post("/device", bare).status == 403
    assert refusal(poll(television, codes)) == PENDING


def test_only_the_word_allow_approves(browser: Browser, television: App) -> None:
    for word in ("", "deny", "ALLOW", "yes"):
        codes = begin(television)
        browser.submit(typed(browser, codes["user_code"]), "/device", decision=word)
        assert refusal(poll(television, codes)) in ((400, "access_denied"), PENDING)


def test_the_consent_names_the_client_and_what_it_asks_for(browser: Browser, svc: Services, phone: Phone) -> None:
    app = register(svc, phone, "television", client_name="Somebody's television")
    page = typed(browser, begin(app, scope="notes:write")["user_code"])
    assert b"Somebody&#39;s television" in page.body
    assert b"notes:write" in page.body
    assert b"at <b><bdi>Latchkey</bdi></b>" in page.body
    assert ("decision", "deny") in forms(page)["/device"].buttons


def test_the_consent_names_the_api_that_a_device_asks_for(browser: Browser, svc: Services, phone: Phone) -> None:
    app = register(svc, phone, "television", resources=(API,))
    assert b"at <b><bdi>notes.example</bdi></b>" in typed(browser, begin(app, resource=API)["user_code"]).body


def test_codes_expire_for_the_device_and_for_the_user(browser: Browser, television: App, clock: Clock) -> None:
    codes, late = begin(television), begin(television)
    page = typed(browser, late["user_code"])
    decided(browser, codes)
    clock.advance(codes["expires_in"])
    for each in (codes, late):
        assert refusal(poll(television, each)) == (400, "expired_token")
    assert "/device" in forms(browser.submit(page, "/device", decision="allow"))
    assert refusal(poll(television, late)) == (400, "expired_token")


def test_another_client_gets_nothing_and_its_polls_count_for_nothing(
    browser: Browser, television: App, svc: Services, phone: Phone
) -> None:
    codes = begin(television)
    thief = register(svc, phone, "television")
    assert refusal(poll(thief, codes)) == (400, "invalid_grant")
    assert refusal(poll(television, codes)) == PENDING
    decided(browser, codes)
    assert refusal(poll(thief, codes)) == (400, "invalid_grant")
    token_response(poll(television, codes))


def test_a_user_disabled_after_the_approval_is_access_denied(browser: Browser, television: App, svc: Services) -> None:
    codes = begin(television)
    decided(browser, codes)
    svc.users.disable(svc.users.find(EMAIL) or "")
    assert refusal(poll(television, codes)) == (400, "access_denied")


def log_out(browser: Browser) -> None:
    """The user logs out of the browser that approved."""
    browser.submit(browser.get("/oauth/logout"), "/oauth/logout/confirm")


def changed_password(phone: Phone) -> None:
    passwords = {"current_password": PASSWORD, "new_password": "a quite different staple horse"}
    assert phone.call("POST /me/password", passwords, token=phone.log_in()["access_token"]).status == 204


def ended_all(phone: Phone) -> None:
    assert phone.call("DELETE /me/sessions", token=phone.log_in()["access_token"]).status == 204


@pytest.mark.parametrize("by", ["log-out", "a new password", "the end of all other sessions"])
@pytest.mark.parametrize("scope", ["openid", "openid offline_access"])
def test_what_ends_the_session_that_approved_ends_an_approval_that_no_device_has_come_for(
    browser: Browser, television: App, phone: Phone, svc: Services, by: str, scope: str
) -> None:
    codes = begin(television, scope=scope)
    decided(browser, codes)
    if by == "log-out":
        log_out(browser)
    elif by == "a new password":
        changed_password(phone)
    else:
        ended_all(phone)
    for _ in range(2):
        assert refusal(poll(television, codes)) == (400, "access_denied")
    assert television.id not in [g.client_id for g in svc.sessions.of_user(svc.users.find(EMAIL) or "")]


def test_a_log_out_just_before_the_devices_session_is_written_leaves_it_unwritten(
    browser: Browser, television: App, svc: Services
) -> None:
    codes = begin(television, scope="openid")
    decided(browser, codes)
    with just_before(wire.clients(svc)[0], "TransactWriteItems", lambda: log_out(browser)):
        assert refusal(poll(television, codes)) == (400, "invalid_grant")
    assert television.id not in [g.client_id for g in svc.sessions.of_user(svc.users.find(EMAIL) or "")]


def test_an_approval_lasts_while_its_user_stays_logged_in_elsewhere_or_not(
    browser: Browser, television: App, phone: Phone
) -> None:
    codes = begin(television)
    decided(browser, codes)
    other = phone.log_in()
    assert phone.call("POST /logout", {"refresh_token": other["refresh_token"]}).status == 204
    token_response(poll(television, codes))


def test_the_device_session_tells_how_and_when_its_user_logged_in(
    browser: Browser, television: App, clock: Clock
) -> None:
    codes = begin(television)
    page = typed(browser, codes["user_code"])
    logged_in = clock()
    clock.advance(100)
    browser.submit(page, "/device", decision="allow")
    claims = peek(token_response(poll(television, codes))["access_token"])[1]
    assert (claims["auth_time"], claims["amr"]) == (logged_in, ["pwd"])


def asked_to_decide(page: Answer) -> bool:
    """Whether a page has the button that approves."""
    return any(("decision", "allow") in form.buttons for form in forms(page).values())


def test_guessing_user_codes_is_limited_by_network_whoever_is_logged_in(
    browser: Browser, television: App, phone: Phone, clock: Clock
) -> None:
    codes = begin(television)
    for _ in range(30):
        assert not asked_to_decide(typed(browser, "BBBB-BBBB"))
    assert not asked_to_decide(typed(browser, codes["user_code"]))
    phone.sign_up(EVE)
    assert not asked_to_decide(typed(Browser(phone), codes["user_code"], email=EVE))
    elsewhere = Browser(Phone(clock, address="203.0.113.9"))
    assert asked_to_decide(typed(elsewhere, codes["user_code"]))
    clock.advance(15 * 60)
    assert asked_to_decide(typed(browser, begin(television)["user_code"]))


@pytest.mark.parametrize(
    "code", ["", "BBBB", "BBBBBBBBB", "AAAA-AAAA", "бббб-бббб", "ＢＢＢＢ-ＢＢＢＢ", "\x00", "#", "x" * 5000]
)
def test_a_code_that_cannot_be_one_is_asked_for_again(browser: Browser, television: App, code: str) -> None:
    begin(television)
    answer = typed(browser, code)
    assert answer.status in (200, 400)
    assert not asked_to_decide(answer)


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"scope": "admin"}, (400, "invalid_scope")),
        ({"scope": 'openid "email"'}, (400, "invalid_scope")),
        ({"scope": "x" * 40_000}, (400, "invalid_request")),
    ],
)
def test_a_request_for_codes_has_the_rfcs_own_errors(
    television: App, fields: dict[str, str], answer: tuple[int, str]
) -> None:
    assert refusal(television.post("/oauth/device", fields)) == answer


def test_a_device_names_its_api_and_gets_a_token_for_no_other(browser: Browser, svc: Services, phone: Phone) -> None:
    app = register(svc, phone, "television", resources=(API,))
    foreign = "https://other.example"
    assert refusal(app.post("/oauth/device", {"resource": foreign})) == (400, "invalid_target")
    for resource, aud, others in ((API, API, (ISSUER, foreign)), (ISSUER, ISSUER, (API,)), ("", ISSUER, (API,))):
        codes = begin(app, resource=resource, scope=LASTING)
        assert refusal(app.token(DEVICE_CODE, device_code=codes["device_code"], resource=others[0])) == (
            400,
            "invalid_target",
        )
        decided(browser, codes)
        for other in others:
            assert refusal(app.token(DEVICE_CODE, device_code=codes["device_code"], resource=other)) == (
                400,
                "invalid_target",
            )
        tokens = token_response(app.token(DEVICE_CODE, device_code=codes["device_code"], resource=aud))
        renewed = token_response(app.refresh(tokens["refresh_token"]))
        assert [peek(each["access_token"])[1]["aud"] for each in (tokens, renewed)] == [aud, aud]


def test_a_client_without_the_grant_gets_no_codes(svc: Services, phone: Phone) -> None:
    app = register(svc, phone, "native")
    assert refusal(app.post("/oauth/device", {})) == (400, "unauthorized_client")
    assert refusal(app.token(DEVICE_CODE, device_code="x")) == (400, "unauthorized_client")
    assert refusal(send(phone, "/oauth/device", {"client_id": "nobody"})) == (401, "invalid_client")


def test_a_poll_without_or_with_an_unknown_code_has_the_rfcs_own_errors(television: App) -> None:
    assert refusal(television.token(DEVICE_CODE)) == (400, "invalid_request")
    for code in ("x", "é", "x" * 2000, begin(television)["user_code"]):
        assert refusal(television.token(DEVICE_CODE, device_code=code))[1] in ("expired_token", "invalid_grant")


def test_neither_code_is_stored_as_it_is(television: App, svc: Services) -> None:
    codes = begin(television)
    stored = str(svc.users._client.call("Scan", TableName=svc.settings.grants_table)["Items"])
    assert codes["device_code"] not in stored
    assert codes["user_code"] not in stored
    assert codes["user_code"].replace("-", "") not in stored
