"""What a deployment or a client demands of a login, whatever its account has: at every endpoint, and after any change."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.config import load
from chalicelib.domain.oauth.client import DEVICE_CODE
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from tests.support import counter, mailed_login
from tests.support.browser import API, App, Browser, callback_params, forms, register, token_response
from tests.support.forge import peek
from tests.support.issuer import Issuer, present, trusting
from tests.support.login_clients import CHALLENGE_PATH, REQUEST
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, installed, refusal
from tests.web.oauth.test_exchange import exchange

PROOF = "/authorize/proof"
STRONG = "notes:write"
LOGIN = {"email": EMAIL, "password": PASSWORD}


@pytest.fixture(autouse=True)
def _second_factor() -> Iterator[None]:
    with counter.installed():
        yield


@contextmanager
def demanding(svc: Services, **settings: Any) -> Iterator[Services]:
    """The same deployment with these settings from now on."""
    changed = replace(svc, settings=replace(svc.settings, **settings))
    with installed(changed):
        yield changed
    import chalicelib.services

    chalicelib.services.use(svc)


@pytest.fixture
def scoped(svc: Services, phone: Phone) -> Iterator[Services]:  # noqa: ARG001 - whose services are replaced
    """A deployment that wants a strong login for one scope."""
    with demanding(svc, aal2_scopes=frozenset({STRONG})) as changed:
        yield changed


@pytest.fixture
def required(svc: Services, phone: Phone) -> Iterator[Services]:  # noqa: ARG001 - whose services are replaced
    """A deployment that wants a strong login for everything."""
    with demanding(svc, second_factor="required") as changed:
        yield changed


def scopes_of(tokens: dict[str, Any]) -> set[str]:
    assert set(peek(tokens["access_token"])[1]["scope"].split()) == set(tokens["scope"].split())
    return set(tokens["scope"].split())


def json_login(phone: Phone, **fields: str) -> Any:
    return phone.call("POST /login", {**LOGIN, **fields})


def prove(phone: Phone, answer: Any, uid: str, step: int = 1) -> Any:
    assert error(answer) == (401, "mfa_required")
    body = {"mfa_token": answer.json()["mfa_token"], "factor": "counter", "answer": counter.code(uid, step)}
    return phone.call("POST /login/proof", body)


def error(answer: Any) -> tuple[int, str]:
    """Status and error code of a refusal that has more than those."""
    return answer.status, answer.json()["error"]


# The JSON API
def test_who_names_no_scope_gets_those_that_the_login_is_strong_enough_for(scoped: Services, phone: Phone) -> None:
    uid = phone.sign_up()["user"]["sub"]
    assert scopes_of(json_login(phone).json()) == {"account", "notes:read"}
    counter.enrol(scoped, uid)
    assert scopes_of(prove(phone, json_login(phone), uid).json()) == {"account", "notes:read", STRONG}


def test_a_sign_up_has_no_scope_that_wants_more_than_a_password(scoped: Services, phone: Phone) -> None:
    assert scoped.settings.aal2_scopes
    assert scopes_of(phone.sign_up()) == {"account", "notes:read"}


def test_who_names_the_scope_has_to_give_the_proof_or_cannot(scoped: Services, phone: Phone) -> None:
    uid = phone.sign_up()["user"]["sub"]
    assert error(json_login(phone, scope=STRONG)) == (403, "enrolment_required")
    assert refusal(json_login(phone, scope=STRONG, password="a wrong one")) == (401, "invalid_credentials")
    counter.enrol(scoped, uid)
    claims = peek(prove(phone, json_login(phone, scope=STRONG), uid).json()["access_token"])[1]
    assert (claims["scope"], claims["acr"]) == (STRONG, "aal2")


def test_a_login_that_was_refused_for_that_counts_as_no_guess(scoped: Services, phone: Phone) -> None:
    phone.sign_up()
    most, _ = scoped.settings.limits["password_account_network"]
    for _ in range(most + 1):
        assert error(json_login(phone, scope=STRONG)) == (403, "enrolment_required")


def test_where_all_need_two_factors_the_password_alone_opens_nothing(
    svc: Services, phone: Phone, browser: Browser, app: App
) -> None:
    uid = str(svc.users.find(EMAIL))
    before = len(svc.sessions.of_user(uid))
    with demanding(svc, second_factor="required"):
        assert error(json_login(phone)) == (403, "enrolment_required")
        assert error(json_login(phone, scope="notes:read")) == (403, "enrolment_required")
        page = browser.submit(browser.authorize(app), "/authorize/login", **LOGIN)
        assert set(forms(page)) == {"/authorize/enrol", "/authorize/enrol/passkey"}
        assert "__Host-latchkey-session" not in browser.cookies
        assert len(svc.sessions.of_user(uid)) == before
        counter.enrol(svc, uid)
        assert peek(prove(phone, json_login(phone), uid).json()["access_token"])[1]["acr"] == "aal2"


def test_an_attempt_ends_by_the_policy_of_its_end(svc: Services, phone: Phone) -> None:
    """The attempt needs one proof of possession when it begins; what is demanded in the meantime counts."""
    uid = phone.sign_up()["user"]["sub"]
    counter.enrol(svc, uid)
    begun = json_login(phone)
    counter.withdraw(svc, uid)
    with demanding(svc, second_factor="required"):
        body = {"mfa_token": begun.json()["mfa_token"], "factor": "counter", "answer": counter.code(uid, 1)}
        assert refusal(phone.call("POST /login/proof", body)) == (403, "enrolment_required")
        del body["answer"]
        assert refusal(phone.call("POST /login/challenge", body)) == (403, "enrolment_required")


def test_what_an_attempt_had_to_reach_when_it_began_it_still_has_to(svc: Services, phone: Phone) -> None:
    uid = phone.sign_up()["user"]["sub"]
    with demanding(svc, aal2_scopes=frozenset({STRONG})):
        counter.enrol(svc, uid)
        begun = json_login(phone, scope=STRONG)
    counter.withdraw(svc, uid)
    body = {"mfa_token": begun.json()["mfa_token"], "factor": "counter", "answer": counter.code(uid, 1)}
    assert refusal(phone.call("POST /login/proof", body)) == (403, "enrolment_required")


# Refresh, exchange, assertions
def test_a_scope_that_wants_more_by_now_is_in_no_token_of_a_weaker_session_any_more(
    svc: Services, app: App, browser: Browser
) -> None:
    tokens = app.tokens(browser, scope=f"openid offline_access notes:read {STRONG}")
    assert STRONG in scopes_of(tokens)
    with demanding(svc, aal2_scopes=frozenset({STRONG})):
        refused = app.refresh(tokens["refresh_token"], scope=f"notes:read {STRONG}")
        assert refusal(refused) == (400, "invalid_scope")
        refreshed = token_response(app.refresh(tokens["refresh_token"]))
        assert scopes_of(refreshed) == {"openid", "offline_access", "notes:read"}
        narrowed = token_response(app.refresh(refreshed["refresh_token"], scope="notes:read"))
        assert scopes_of(narrowed) == {"notes:read"}
        assert refusal(app.refresh(narrowed["refresh_token"], scope=STRONG)) == (400, "invalid_scope")


def test_a_session_that_is_left_without_a_scope_is_over(svc: Services, app: App, browser: Browser) -> None:
    tokens = app.tokens(browser, scope=f"offline_access {STRONG}", nonce=None)
    with demanding(svc, aal2_scopes=frozenset({STRONG, "offline_access"})):
        assert refusal(app.refresh(tokens["refresh_token"])) == (400, "invalid_grant")


def test_an_exchange_gets_no_more_than_the_session_is_strong_enough_for(
    svc: Services, phone: Phone, app: App, browser: Browser
) -> None:
    exchanger = register(svc, phone, "exchanger")
    token = app.tokens(browser, scope=f"openid notes:read {STRONG}")["access_token"]
    with demanding(svc, aal2_scopes=frozenset({STRONG})):
        assert refusal(exchange(exchanger, token, scope=STRONG, resource=API)) == (400, "invalid_scope")
        assert scopes_of(token_response(exchange(exchanger, token, resource=API))) == {"notes:read"}


def test_a_strong_session_is_exchanged_with_its_scopes(
    scoped: Services, phone: Phone, app: App, browser: Browser
) -> None:
    exchanger = register(scoped, phone, "exchanger")
    uid = str(scoped.users.find(EMAIL))
    counter.enrol(scoped, uid)
    page = browser.submit(browser.authorize(app, scope=f"openid {STRONG}"), "/authorize/login", **LOGIN)
    consent = browser.submit(page, PROOF, answer=counter.code(uid, 1))
    code = callback_params(browser.submit(consent, "/authorize/consent", decision="allow"))["code"]
    token = token_response(app.redeem(code))["access_token"]
    exchanged = token_response(exchange(exchanger, token, resource=API))
    assert scopes_of(exchanged) == {STRONG}
    again = token_response(exchange(register(scoped, phone, "exchanger"), exchanged["access_token"], resource=API))
    assert scopes_of(again) == {STRONG}
    assert "acr" not in peek(again["access_token"])[1]


def test_somebodys_word_is_no_strong_login(scoped: Services, phone: Phone, clock: Clock) -> None:
    ann = phone.sign_up()["user"]["sub"]
    issuer = Issuer()
    trusted = trusting(scoped, phone, issuer)
    tokens = token_response(present(trusted, issuer.assertion(ann, now=clock())))
    assert STRONG not in scopes_of(tokens)
    assert refusal(present(trusted, issuer.assertion(ann, now=clock()), scope=STRONG)) == (400, "invalid_scope")


def test_a_machine_has_no_login_to_be_stronger(scoped: Services, phone: Phone) -> None:
    machine = register(scoped, phone, "machine")
    assert scopes_of(token_response(machine.token("client_credentials", scope=STRONG))) == {STRONG}


# Pages
def step_up(browser: Browser, page: Any, uid: str, step: int = 1) -> Any:
    assert set(forms(page)) == {PROOF}
    return browser.submit(page, PROOF, answer=counter.code(uid, step))


@pytest.fixture
def enrolled_later(svc: Services, browser: Browser, app: App) -> str:
    """An account that got its second factor after its browser's session began."""
    browser.log_in(app)
    uid = str(svc.users.find(EMAIL))
    counter.enrol(svc, uid)
    return uid


def test_a_browsers_session_is_raised_for_a_scope_that_wants_it_and_for_no_other(
    scoped: Services, browser: Browser, app: App, enrolled_later: str
) -> None:
    assert scoped.settings.aal2_scopes
    assert "code" in callback_params(browser.authorize(app, scope="openid notes:read", prompt="none"))
    consent = step_up(browser, browser.authorize(app, scope=f"openid {STRONG}"), enrolled_later)
    code = callback_params(browser.submit(consent, "/authorize/consent", decision="allow"))["code"]
    tokens = token_response(app.redeem(code))
    assert (scopes_of(tokens), peek(tokens["access_token"])[1]["acr"]) == ({"openid", STRONG}, "aal2")
    assert "code" in callback_params(browser.authorize(app, scope=f"openid {STRONG}", prompt="none"))


@pytest.mark.parametrize("acr_values", [None, "aal1", "aal1 aal2", "gold"])
@pytest.mark.parametrize("by", ["scope", "client"])
def test_no_request_talks_its_way_round_it(
    svc: Services, scoped: Services, browser: Browser, app: App, enrolled_later: str, acr_values: str | None, by: str
) -> None:
    """Whoever strips `acr_values`, or asks for less: what is demanded is not the request's to say."""
    assert scoped.settings.aal2_scopes
    if by == "client":
        demand(svc, app)
    wish = {"scope": f"openid {STRONG}" if by == "scope" else "openid", "acr_values": acr_values}
    assert callback_params(browser.authorize(app, **wish, prompt="none"))["error"] in (
        "login_required",
        "consent_required",
    )
    assert set(forms(browser.authorize(app, **wish))) == {PROOF}
    essential = '{"id_token": {"acr": {"essential": true, "values": ["aal1"]}}}'
    assert set(forms(browser.authorize(app, **wish, claims=essential))) == {PROOF}
    assert enrolled_later


def demand(svc: Services, app: App) -> None:
    app.client = manage.change(svc, app.client, replace(app.client, require_second_factor=True))


def test_a_client_of_an_operator_demands_it_for_all_that_it_does(
    svc: Services, browser: Browser, app: App, enrolled_later: str, phone: Phone
) -> None:
    demand(svc, app)
    assert callback_params(browser.authorize(app, prompt="none"))["error"] == "login_required"
    other = register(svc, phone)
    browser.log_in(other)  # to whom the session is strong enough, as it was
    page = browser.authorize(app)
    assert "code" in callback_params(step_up(browser, page, enrolled_later))
    assert "code" in callback_params(browser.authorize(app, prompt="none"))


def test_who_has_no_second_factor_gets_no_code(scoped: Services, browser: Browser, app: App) -> None:
    assert scoped.settings.aal2_scopes
    browser.log_in(app)
    page = browser.authorize(app, scope=f"openid {STRONG}")
    assert set(forms(page)) == {"/authorize/enrol", "/authorize/enrol/passkey"}
    silent = callback_params(browser.authorize(app, scope=f"openid {STRONG}", prompt="none"))
    assert silent["error"] in ("login_required", "consent_required")


def test_a_step_up_makes_no_old_password_fresh(
    browser: Browser, app: App, enrolled_later: str, clock: Clock, svc: Services
) -> None:
    demand(svc, app)
    clock.advance(600)
    code = callback_params(step_up(browser, browser.authorize(app), enrolled_later))["code"]
    claims = peek(token_response(app.redeem(code))["id_token"])[1]
    assert (claims["acr"], clock() - claims["auth_time"]) == ("aal2", 600)
    # Whoever wants a fresh login gets all of one.
    page = browser.authorize(app, max_age="60")
    assert "/authorize/login" in forms(page)
    page = browser.submit(page, "/authorize/login", **LOGIN)
    claims = peek(
        token_response(app.redeem(callback_params(step_up(browser, page, enrolled_later, 2))["code"]))["id_token"]
    )[1]
    assert (claims["acr"], claims["auth_time"]) == ("aal2", clock())


def test_a_level_is_kept_as_long_as_its_session(
    browser: Browser, app: App, enrolled_later: str, clock: Clock, svc: Services
) -> None:
    demand(svc, app)
    assert "code" in callback_params(step_up(browser, browser.authorize(app), enrolled_later))
    clock.advance(3600)
    for wish in ({}, {"acr_values": "aal2"}, {"max_age": "4000", "acr_values": "aal2"}):
        code = callback_params(browser.authorize(app, prompt="none", **wish))["code"]
        assert peek(token_response(app.redeem(code))["id_token"])[1]["acr"] == "aal2"


# The device page
def test_a_device_is_approved_in_a_session_that_is_strong_enough(
    scoped: Services, browser: Browser, phone: Phone, enrolled_later: str
) -> None:
    television = register(scoped, phone, "television")
    codes = television.post("/oauth/device", {"scope": f"openid {STRONG}"}).json()
    page = browser.submit(browser.get("/device"), "/device", user_code=codes["user_code"])
    page = step_up(browser, page, enrolled_later)
    assert codes["user_code"].encode() in page.body
    browser.submit(page, "/device", decision="allow")
    tokens = token_response(television.token(DEVICE_CODE, device_code=codes["device_code"]))
    assert (scopes_of(tokens), peek(tokens["access_token"])[1]["acr"]) == ({"openid", STRONG}, "aal2")


def test_no_decision_of_a_page_of_before_approves_of_it(
    svc: Services, browser: Browser, phone: Phone, enrolled_later: str
) -> None:
    television = register(svc, phone, "television")
    codes = television.post("/oauth/device", {"scope": f"openid {STRONG}"}).json()
    page = browser.submit(browser.get("/device"), "/device", user_code=codes["user_code"])
    with demanding(svc, aal2_scopes=frozenset({STRONG})):
        browser.submit(page, "/device", decision="allow")
        pending = television.token(DEVICE_CODE, device_code=codes["device_code"])
        assert refusal(pending) == (400, "authorization_pending")
    assert enrolled_later


def test_a_device_that_was_approved_of_before_gets_what_its_login_is_strong_enough_for(
    svc: Services, browser: Browser, phone: Phone, enrolled_later: str
) -> None:
    television = register(svc, phone, "television")
    codes = television.post("/oauth/device", {"scope": f"openid {STRONG}"}).json()
    page = browser.submit(browser.get("/device"), "/device", user_code=codes["user_code"])
    browser.submit(page, "/device", decision="allow")
    with demanding(svc, aal2_scopes=frozenset({STRONG})):
        tokens = token_response(television.token(DEVICE_CODE, device_code=codes["device_code"]))
        assert scopes_of(tokens) == {"openid"}
    assert enrolled_later


@pytest.mark.parametrize("by", ["client", "deployment"])
def test_a_device_is_approved_by_two_factors_where_client_or_deployment_demands_them(
    svc: Services, browser: Browser, phone: Phone, enrolled_later: str, by: str
) -> None:
    """Not in a weaker session, nor by an approval from before, nor by the form of a page from before."""
    television = register(svc, phone, "television")
    of_before, page = decision_page(browser, television)
    browser.submit(page, "/device", decision="allow")
    pending, page = decision_page(browser, television)
    with demanding(svc, second_factor="required" if by == "deployment" else "optional"):
        if by == "client":
            demand(svc, television)
        refused = television.token(DEVICE_CODE, device_code=of_before)
        assert refusal(refused) == (400, "access_denied")
        browser.submit(page, "/device", decision="allow")
        refused = television.token(DEVICE_CODE, device_code=pending)
        assert refusal(refused) == (400, "authorization_pending")
        code, page = decision_page(browser, television)
        browser.submit(step_up(browser, page, enrolled_later), "/device", decision="allow")
        tokens = token_response(television.token(DEVICE_CODE, device_code=code))
        assert peek(tokens["access_token"])[1]["acr"] == "aal2"


def decision_page(browser: Browser, television: App) -> tuple[str, Any]:
    """The code of a device, and the page that its user sees after typing theirs."""
    codes = television.post("/oauth/device", {"scope": "openid"}).json()
    page = browser.submit(browser.get("/device"), "/device", user_code=codes["user_code"])
    return codes["device_code"], page


@pytest.mark.parametrize("by", ["client", "deployment"])
def test_a_code_from_before_two_factors_were_demanded_gives_nothing(
    svc: Services, browser: Browser, app: App, by: str
) -> None:
    code = browser.code(app)
    with demanding(svc, second_factor="required" if by == "deployment" else "optional"):
        if by == "client":
            demand(svc, app)
        assert refusal(app.redeem(code)) == (400, "invalid_grant")


def test_a_client_that_demands_two_factors_exchanges_no_token_of_a_weaker_login(
    svc: Services, phone: Phone, app: App, browser: Browser
) -> None:
    exchanger = register(svc, phone, "exchanger", require_second_factor=True)
    uid = str(svc.users.find(EMAIL))
    weak = app.tokens(browser, scope="openid notes:read")["access_token"]
    assert refusal(exchange(exchanger, weak, resource=API)) == (400, "invalid_request")
    assert refusal(exchange(exchanger, phone.log_in()["access_token"])) == (400, "invalid_request")
    by_another = token_response(exchange(register(svc, phone, "exchanger"), weak, resource=API))["access_token"]
    assert refusal(exchange(exchanger, by_another, resource=API)) == (400, "invalid_request")
    counter.enrol(svc, uid)
    demand(svc, app)
    code = callback_params(step_up(browser, browser.authorize(app, scope="openid notes:read"), uid))["code"]
    strong = token_response(app.redeem(code))["access_token"]
    assert scopes_of(token_response(exchange(exchanger, strong, resource=API))) == {"notes:read"}


# A login by mail
def ask_for_mail(browser: Browser, app: App) -> Any:
    form = forms(browser.authorize(app))["/authorize/login"]
    return browser.post("/authorize/mail", {**form.hidden, "email": EMAIL})


def test_a_login_by_mail_is_no_second_factor_at_any_endpoint(
    svc: Services, phone: Phone, browser: Browser, app: App
) -> None:
    with demanding(svc, second_factor="required", mail_from="login@id.example") as changed:
        token = phone.call("POST /login/code", {"email": EMAIL}).json()["login_token"]
        code = mailed_login.code_for(changed, token)
        answer = phone.call("POST /login/code/confirm", {"login_token": token, "code": code})
        assert error(answer) == (403, "enrolment_required")
        page = ask_for_mail(browser, app)
        code = mailed_login.code_for(changed, browser.cookies[mailed_login.COOKIE])
        page = browser.submit(page, "/authorize/mailed", code=code)
        assert set(forms(page)) == {"/authorize/enrol", "/authorize/enrol/passkey"}
        assert "__Host-latchkey-session" not in browser.cookies
        # Who has proved the mail proves the password beside it for nothing.
        assert "password" not in answer.json()["kinds"]
        assert "email_code" not in answer.json()["kinds"]


def test_a_client_that_demands_it_gets_no_code_by_a_mail_alone(svc: Services, browser: Browser, app: App) -> None:
    with demanding(svc, mail_from="login@id.example") as changed:
        demand(svc, app)
        page = ask_for_mail(browser, app)
        code = mailed_login.code_for(changed, browser.cookies[mailed_login.COOKIE])
        page = browser.submit(page, "/authorize/mailed", code=code)
        assert set(forms(page)) == {"/authorize/enrol", "/authorize/enrol/passkey"}
        silent = callback_params(browser.authorize(app, prompt="none"))
        assert silent["error"] in ("login_required", "consent_required")


# First-party apps
def test_a_first_party_app_is_asked_for_the_proof_or_sent_to_the_pages(scoped: Services, phone: Phone) -> None:
    uid = phone.sign_up()["user"]["sub"]
    app = register(scoped, phone, "native", first_party=True)
    request = {**REQUEST, "scope": f"openid {STRONG}", **LOGIN}
    assert refusal(app.post(CHALLENGE_PATH, request)) == (400, "redirect_to_web")
    assert app.post(CHALLENGE_PATH, {**request, "scope": "openid"}).status == 200
    counter.enrol(scoped, uid)
    begun = app.post(CHALLENGE_PATH, request)
    assert error(begun) == (403, "insufficient_authorization")
    proof = {"auth_session": begun.json()["auth_session"], "factor": "counter", "answer": counter.code(uid, 1)}
    code = token_response(app.post(CHALLENGE_PATH, proof))["authorization_code"]
    assert scopes_of(token_response(app.redeem(code, redirect_uri=None))) == {"openid", STRONG}


def test_an_attempt_for_one_client_or_scope_is_finished_for_no_other(svc: Services, phone: Phone) -> None:
    uid = phone.sign_up()["user"]["sub"]
    counter.enrol(svc, uid)
    weak = register(svc, phone, "native", first_party=True)
    strong = register(svc, phone, "native", first_party=True, require_second_factor=True)
    begun = weak.post(CHALLENGE_PATH, {**REQUEST, **LOGIN}).json()["auth_session"]
    proof = {"auth_session": begun, "factor": "counter", "answer": counter.code(uid, 1)}
    assert refusal(strong.post(CHALLENGE_PATH, proof)) == (400, "invalid_session")
    other_scope = {**proof, "scope": f"openid {STRONG}"}
    assert refusal(weak.post(CHALLENGE_PATH, other_scope)) == (400, "invalid_session")
    mfa_token = json_login(phone).json()["mfa_token"]
    assert refusal(strong.post(CHALLENGE_PATH, {**proof, "auth_session": mfa_token})) == (400, "invalid_session")


# Who may demand less
def test_off_lets_no_account_that_has_two_factors_log_in_by_one(svc: Services, phone: Phone) -> None:
    uid = phone.sign_up()["user"]["sub"]
    counter.enrol(svc, uid)
    with demanding(svc, second_factor="off"):
        assert peek(prove(phone, json_login(phone), uid).json()["access_token"])[1]["acr"] == "aal2"


def test_no_client_says_for_itself_that_it_demands_less(svc: Services, phone: Phone, browser: Browser) -> None:
    with demanding(svc, registration_open=True, aal2_scopes=frozenset({"email"})) as changed:
        metadata = {
            "redirect_uris": ["https://app.example/cb"],
            "scope": "openid email",
            "require_second_factor": False,
        }
        answer = phone.call("POST /oauth/register", metadata)
        assert "require_second_factor" not in answer.json()
        client = changed.clients.read(answer.json()["client_id"])
        assert client
        app = App(phone, changed, client, answer.json()["client_secret"])
        page = browser.submit(browser.authorize(app, scope="openid email"), "/authorize/login", **LOGIN)
        assert set(forms(page)) == {"/authorize/enrol", "/authorize/enrol/passkey"}


def test_the_settings_say_it() -> None:
    settings = load({"LATCHKEY_ISSUER": "https://id.example"})
    assert (settings.second_factor, settings.aal2_scopes) == ("optional", frozenset())
