"""Authorization codes and PKCE in the wrong hands, at the wrong time and many at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.services import Services
from tests.support import wire
from tests.support.browser import VERIFIER, App, Browser, register, send, token_response
from tests.support.phone import EMAIL, Clock, Phone, refusal
from tests.support.staged import just_before

INVALID_GRANT = (400, "invalid_grant")
OTHER_VERIFIER = "A" * 43


def alive(phone: Phone, access_token: str) -> bool:
    """Whether a session's access token opens userinfo."""
    return phone.call("GET /oauth/userinfo", token=access_token).status == 200


def test_a_code_redeemed_twice_is_refused_and_the_first_tokens_end(browser: Browser, app: App, phone: Phone) -> None:
    code = browser.code(app)
    first = token_response(app.redeem(code))
    assert alive(phone, first["access_token"])
    assert refusal(app.redeem(code)) == INVALID_GRANT
    assert not alive(phone, first["access_token"])
    assert refusal(app.refresh(first["refresh_token"])) == INVALID_GRANT


def test_a_code_that_is_none_is_refused_as_a_code(browser: Browser, app: App) -> None:
    code, refresh_token = browser.code(app), app.tokens(browser)["refresh_token"]
    for text in ("x", code[:-4] + "AAAA", refresh_token):
        answer = app.redeem(text)
        assert refusal(answer) == INVALID_GRANT
        assert answer.json()["error_description"].startswith("The code is unknown")


def test_a_code_replayed_after_its_time_or_after_a_refresh_still_ends_the_session(
    browser: Browser, app: App, phone: Phone, clock: Clock
) -> None:
    code = browser.code(app)
    tokens = token_response(app.refresh(token_response(app.redeem(code))["refresh_token"]))
    clock.advance(600)
    assert refusal(app.redeem(code)) == INVALID_GRANT
    assert not alive(phone, tokens["access_token"])
    assert refusal(app.refresh(tokens["refresh_token"])) == INVALID_GRANT


def test_a_spent_code_without_its_verifier_ends_nobodys_session(browser: Browser, app: App, phone: Phone) -> None:
    # The code alone leaks into histories and logs; whoever has only that must not be able to log its owner out.
    code = browser.code(app)
    tokens = token_response(app.redeem(code))
    assert refusal(app.redeem(code, code_verifier=OTHER_VERIFIER)) == INVALID_GRANT
    assert refusal(register(app.svc, phone).redeem(code)) == INVALID_GRANT
    assert alive(phone, tokens["access_token"])


def test_a_code_overtaken_by_its_twin_is_refused_and_the_session_ends(
    browser: Browser, app: App, phone: Phone, svc: Services
) -> None:
    code = browser.code(app)
    twins: list[str] = []

    def overtake() -> None:
        twins.append(token_response(app.redeem(code))["access_token"])

    with just_before(wire.clients(svc)[0], "UpdateItem", overtake):
        assert refusal(app.redeem(code)) == INVALID_GRANT
    assert not alive(phone, twins[0])


def test_of_eight_redemptions_at_once_exactly_one_succeeds(browser: Browser, app: App) -> None:
    code = browser.code(app)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(app.redeem, [code] * 8))
    assert sorted(answer.status for answer in answers) == [200] + [400] * 7
    assert {answer.json()["error"] for answer in answers if answer.status == 400} == {"invalid_grant"}


BAD_VERIFIERS = {
    "left out": None,
    "empty": "",
    "another": OTHER_VERIFIER,
    "the challenge itself": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "too short": VERIFIER[:42],
    "too long": VERIFIER * 3,
    "padded": VERIFIER + "=",
    "with a line": VERIFIER + "\n",
    "of another case": VERIFIER.swapcase(),
    "not ASCII": VERIFIER[:-1] + "é",
    "other digits": "٣" * 43,
}


@pytest.mark.parametrize("verifier", BAD_VERIFIERS.values(), ids=BAD_VERIFIERS)
@pytest.mark.parametrize("kind", ["web", "spa"])
def test_a_wrong_verifier_gets_nothing_and_does_not_burn_the_code_for_its_owner(
    browser: Browser, svc: Services, phone: Phone, kind: str, verifier: str | None
) -> None:
    app = register(svc, phone, kind)
    code = browser.code(app)
    for _ in range(2):
        assert refusal(app.redeem(code, code_verifier=verifier)) == INVALID_GRANT
        assert refusal(app.redeem(code, code_verifier=None)) == INVALID_GRANT
    token_response(app.redeem(code))


@pytest.mark.parametrize(
    "uri",
    ["https://app.example/cb/", "https://app.example/other", "https://evil.example", "HTTPS://app.example/cb"],
)
def test_another_redirect_uri_gets_nothing_and_does_not_burn_the_code(browser: Browser, app: App, uri: str) -> None:
    code = browser.code(app)
    assert refusal(app.redeem(code, redirect_uri=uri)) == INVALID_GRANT
    token_response(app.redeem(code))


@pytest.mark.parametrize("kind", ["web", "post", "key", "spa", "native"])
def test_another_client_gets_nothing_and_does_not_burn_the_code(
    browser: Browser, app: App, svc: Services, phone: Phone, kind: str
) -> None:
    code = browser.code(app)
    thief = register(svc, phone, kind)
    assert refusal(thief.redeem(code, redirect_uri="https://app.example/cb")) == INVALID_GRANT
    token_response(app.redeem(code))


def test_whoever_is_no_client_gets_nothing_and_does_not_burn_the_code(browser: Browser, app: App, phone: Phone) -> None:
    code = browser.code(app)
    assert refusal(send(phone, "/oauth/token", app.redemption(code))) == (401, "invalid_client")
    params = {**app.redemption(code), "client_id": app.id}
    assert refusal(send(phone, "/oauth/token", params)) == (401, "invalid_client")
    assert refusal(send(phone, "/oauth/token", {**params, "client_secret": "wrong"})) == (401, "invalid_client")
    token_response(app.redeem(code))


def test_an_expired_code_is_refused_though_its_item_is_still_there(
    browser: Browser, app: App, svc: Services, clock: Clock
) -> None:
    code, other = browser.code(app), browser.code(app)
    clock.advance(59)
    token_response(app.redeem(other))
    clock.advance(1)
    assert [g for g in svc.sessions.of_user(svc.users.find(EMAIL) or "") if g.generation == 0]
    assert refusal(app.redeem(code)) == INVALID_GRANT


def test_a_code_whose_session_is_ended_on_the_way_to_the_table_is_refused(
    browser: Browser, app: App, svc: Services
) -> None:
    code = browser.code(app)
    item = next(g for g in svc.sessions.of_user(svc.users.find(EMAIL) or "") if g.generation == 0)

    def end() -> None:
        svc.sessions.end(item.uid, item.session_id, why="ended")

    with just_before(wire.clients(svc)[0], "UpdateItem", end):
        assert refusal(app.redeem(code)) == INVALID_GRANT


def test_a_code_of_a_user_who_is_disabled_or_changed_the_password_meanwhile_is_refused(
    browser: Browser, app: App, svc: Services, phone: Phone
) -> None:
    code = browser.code(app)
    session = phone.log_in()
    body = {"current_password": "correct horse battery staple", "new_password": "an entirely other phrase 7"}
    assert phone.call("POST /me/password", body, token=session["access_token"]).status == 204
    assert refusal(app.redeem(code)) == INVALID_GRANT
    svc.users.disable(svc.users.find(EMAIL) or "")
    assert refusal(app.redeem(code)) == INVALID_GRANT


def test_a_code_whose_session_is_gone_from_the_table_is_refused(browser: Browser, app: App, svc: Services) -> None:
    code = browser.code(app)
    svc.sessions.erase(svc.users.find(EMAIL) or "", but="")
    assert refusal(app.redeem(code)) == INVALID_GRANT


def test_code_refresh_token_and_cookie_never_stand_for_each_other(browser: Browser, app: App, phone: Phone) -> None:
    code = browser.code(app)
    tokens = app.tokens(browser)
    cookie = browser.cookies["__Host-latchkey-session"]
    for text in (tokens["refresh_token"], tokens["access_token"], tokens["id_token"], cookie):
        assert refusal(app.redeem(text)) == INVALID_GRANT
    for text in (code, tokens["access_token"], tokens["id_token"], cookie):
        assert refusal(app.refresh(text)) == INVALID_GRANT
        assert refusal(phone.call("POST /refresh", {"refresh_token": text})) == (401, "invalid_grant")
    for text in (code, tokens["refresh_token"], tokens["id_token"], cookie):
        assert refusal(phone.call("GET /oauth/userinfo", token=text)) == (401, "invalid_token")
        assert refusal(phone.call("GET /me", token=text)) == (401, "invalid_token")
    token_response(app.redeem(code))
    token_response(app.refresh(tokens["refresh_token"]))


def test_a_code_that_is_forged_truncated_or_bent_is_refused_without_asking_for_a_grant(
    browser: Browser, app: App, svc: Services
) -> None:
    code = browser.code(app)
    bent = [code[:-1], code + "A", code[1:], code.swapcase(), " " + code, "A" * len(code), "x", "é" * 144, code * 2]
    bent += [code[:place] + ("A" if code[place] != "A" else "B") + code[place + 1 :] for place in range(len(code))]
    with wire.watched(svc) as traffic:
        for text in bent:
            assert refusal(app.redeem(text)) == INVALID_GRANT
    assert set(traffic.calls) == {"GetItem"}  # the client, who has to prove himself first
    token_response(app.redeem(code))


def test_a_code_does_not_carry_more_than_was_agreed_to(browser: Browser, app: App) -> None:
    code = browser.code(app, scope="openid")
    tokens = token_response(app.redeem(code, scope="openid notes:write", resource=None))
    assert tokens["scope"] == "openid"
    assert "refresh_token" not in tokens


def test_a_resource_other_than_was_agreed_to_is_an_invalid_target(
    browser: Browser, svc: Services, phone: Phone
) -> None:
    app = register(svc, phone, resources=("https://a.example", "https://b.example"))
    code = browser.code(app, resource="https://a.example")
    assert refusal(app.redeem(code, resource="https://b.example")) == (400, "invalid_target")
    assert app.redeem(code, resource="https://a.example").status == 200


def malformed_error(name: str) -> tuple[int, str]:
    # RFC 8707 section 2 has a code of its own for a target that is "invalid, missing, unknown, or malformed".
    return 400, "invalid_target" if name == "resource" else "invalid_request"


@pytest.mark.parametrize("name", ["code", "grant_type"])
def test_a_redemption_without_its_code_or_grant_type_is_malformed(browser: Browser, app: App, name: str) -> None:
    code = browser.code(app)
    assert refusal(app.post("/oauth/token", app.redemption(code, **{name: None}))) == (400, "invalid_request")
    assert refusal(app.post("/oauth/token", app.redemption(code, **{name: ""}))) == (400, "invalid_request")
    token_response(app.redeem(code))


@pytest.mark.parametrize(
    "name", ["code", "grant_type", "redirect_uri", "code_verifier", "client_id", "resource", "scope"]
)
def test_a_parameter_sent_twice_is_malformed_and_nothing_is_spent(browser: Browser, app: App, name: str) -> None:
    code = browser.code(app)
    good = {**app.redemption(code), "client_id": app.id}
    value = good.get(name, "x")
    doubled = [*good.items(), (name, value)] + ([] if name in good else [(name, value)])
    for params in (doubled, [*good.items(), (name, "other"), (name, "evil")]):
        assert refusal(app.post("/oauth/token", params)) == malformed_error(name)
    token_response(app.post("/oauth/token", good))


def test_parameters_in_the_query_are_not_seen_and_names_have_their_case(
    browser: Browser, app: App, phone: Phone
) -> None:
    code = browser.code(app)
    proof, _ = app.credentials()
    query = "&".join(f"{name}={value}" for name, value in app.redemption(code).items())
    assert refusal(send(phone, f"/oauth/token?{query}", {}, headers=proof)) == (400, "invalid_request")
    upper = {name.upper(): value for name, value in app.redemption(code).items()}
    assert refusal(app.post("/oauth/token", upper)) == (400, "invalid_request")
    assert phone.call(f"GET /oauth/token?{query}", headers=proof).status in (403, 404, 405)
    assert phone.call("POST /oauth/token", app.redemption(code), headers=proof).status == 400
    token_response(app.redeem(code))


@pytest.mark.parametrize("name", ["code", "redirect_uri", "code_verifier", "scope", "resource"])
def test_a_value_that_is_too_long_or_broken_is_malformed(browser: Browser, app: App, name: str) -> None:
    code = browser.code(app)
    for value in ("a\x00b", "\ufffd"):
        assert refusal(app.post("/oauth/token", app.redemption(code, **{name: value}))) == malformed_error(name), value[
            :5
        ]
    # A request is measured as a whole, so that no value of it is to blame.
    long = app.redemption(code, **{name: "x" * 40_000})
    assert refusal(app.post("/oauth/token", long)) == (400, "invalid_request")
    token_response(app.redeem(code))
