"""The native-app endpoint (draft-ietf-oauth-first-party-apps): a first-party app's own login form, by standard."""

from typing import Any

import pytest

from chalicelib.flows.platform import keys
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import forge, wire
from tests.support.browser import CHALLENGE, VERIFIER, App, register, send, token_response
from tests.support.oidc import verified
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone
from tests.support.prover import Prover

PATH = "/oauth/authorize-challenge"
REQUEST = {
    "response_type": "code",
    "scope": "openid email notes:read",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "nonce": "n-1",
}
RIGHT = {"email": EMAIL, "password": PASSWORD}


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    phone.sign_up(name="Ann")
    return register(svc, phone, "native", first_party=True)


def challenge(app: App, *, headers: Any = (), **changes: str | None) -> Answer:
    fields = {**REQUEST, **changes}
    return app.post(PATH, {name: value for name, value in fields.items() if value is not None}, headers=headers)


def follow(app: App, auth_session: str, *, headers: Any = (), **fields: str) -> Answer:
    return app.post(PATH, {"auth_session": auth_session, **fields}, headers=headers)


def auth_session_of(answer: Answer) -> str:
    """The auth_session of an answer that asks for more."""
    assert answer.status == 403, (answer.status, answer.body)
    assert answer.header("Cache-Control") == "no-store"
    body = answer.json()
    assert set(body) == {"error", "error_description", "auth_session"}
    assert body["error"] == "insufficient_authorization"
    auth_session: str = body["auth_session"]
    return auth_session


def code(answer: Answer) -> str:
    authorization_code: str = token_response(answer)["authorization_code"]
    return authorization_code


def error_of(answer: Answer) -> tuple[int, str]:
    assert set(answer.json()) == {"error", "error_description"}
    return answer.status, answer.json()["error"]


def test_the_right_password_gives_a_code_and_the_code_a_session(svc: Services, app: App) -> None:
    tokens = token_response(app.redeem(code(challenge(app, **RIGHT)), redirect_uri=None))
    claims = verified(tokens["id_token"], keys.published(svc), audience=app.id)
    assert (claims["nonce"], claims["amr"], claims["auth_time"]) == ("n-1", ["pwd"], svc.now())
    assert tokens["scope"] == "openid email notes:read"
    assert app.phone.call("GET /oauth/userinfo", token=tokens["access_token"]).json()["email"] == EMAIL
    assert token_response(app.refresh(tokens["refresh_token"]))


def test_a_login_is_counted_then_hashed_then_written_like_any_other(svc: Services, app: App) -> None:
    challenge(app)
    with wire.watched(svc) as traffic:
        challenge(app, **RIGHT)
    assert traffic.calls == ["GetItem", "TransactWriteItems", "GetItem", "GetItem", "TransactWriteItems"]
    with wire.watched(svc) as traffic:
        challenge(app)
    assert traffic.calls == ["GetItem"]


@pytest.mark.parametrize("credentials", [{}, {"email": EMAIL}, {"password": PASSWORD}, {"email": "", "password": ""}])
def test_what_is_missing_is_asked_for_and_the_request_need_not_be_said_again(
    svc: Services, app: App, credentials: dict[str, str]
) -> None:
    auth_session = auth_session_of(challenge(app, **credentials))
    tokens = token_response(app.redeem(code(follow(app, auth_session, **RIGHT)), redirect_uri=None))
    assert tokens["scope"] == REQUEST["scope"]
    assert verified(tokens["id_token"], keys.published(svc), audience=app.id)["nonce"] == "n-1"


def test_a_wrong_password_asks_again_and_says_no_more_than_for_an_unknown_user(app: App) -> None:
    wrong = challenge(app, **{**RIGHT, "password": "wrong"})
    unknown = challenge(app, email="unknown@example.com", password=PASSWORD)
    assert auth_session_of(wrong)
    assert auth_session_of(unknown)
    assert wrong.json()["error_description"] == unknown.json()["error_description"]
    assert code(follow(app, auth_session_of(wrong), **RIGHT))


def test_guesses_are_limited_as_at_the_other_endpoints_whatever_the_auth_session(app: App) -> None:
    auth_session = auth_session_of(challenge(app, **{**RIGHT, "password": "wrong"}))
    for _ in range(4):
        auth_session_of(follow(app, auth_session, **{**RIGHT, "password": "wrong"}))
    answer = follow(app, auth_session, **RIGHT)
    assert error_of(answer) == (429, "too_many_requests")
    assert int(answer.header("Retry-After") or 0) > 0
    assert error_of(app.phone.call("POST /login", RIGHT)) == (429, "too_many_requests")


def test_a_disabled_account_is_told_after_the_right_password_only(svc: Services, app: App) -> None:
    uid = svc.users.find(EMAIL)
    assert uid
    svc.users.disable(uid)
    assert auth_session_of(challenge(app, **{**RIGHT, "password": "wrong"}))
    assert error_of(challenge(app, **RIGHT)) == (403, "account_disabled")


@pytest.mark.parametrize("kind", ["native", "web", "machine", "television"])
def test_an_app_that_is_not_ours_never_gets_to_try_a_password(svc: Services, phone: Phone, kind: str) -> None:
    phone.sign_up()
    stranger = register(svc, phone, kind)
    with wire.watched(svc) as traffic:
        answer = challenge(stranger, scope=None, **RIGHT)
    assert error_of(answer) == (400, "unauthorized_client")
    assert traffic.calls_of_flows == ["GetItem"]


def test_a_confidential_app_has_to_authenticate(svc: Services, phone: Phone) -> None:
    phone.sign_up()
    ours = register(svc, phone, "web", first_party=True)
    assert code(challenge(ours, **RIGHT))
    ours.secret = "wrong"
    assert error_of(challenge(ours, **RIGHT)) == (401, "invalid_client")
    assert error_of(ours.phone.call(f"POST {PATH}", RIGHT)) == (400, "invalid_request")


BAD: list[tuple[dict[str, str | None], str]] = [
    ({"response_type": None}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"scope": "admin"}, "invalid_scope"),
    ({"scope": " "}, "invalid_scope"),
    ({"resource": "https://elsewhere.example"}, "invalid_target"),
    ({"claims": "{"}, "invalid_request"),
    ({"claims": '{"id_token":{"acr":{"essential":true,"value":"aal3"}}}'}, "unmet_authentication_requirements"),
    ({"dpop_jkt": "short"}, "invalid_request"),
    ({"auth_session": "x"}, "invalid_session"),
    ({"auth_session": "A" * 200}, "invalid_session"),
    ({"email": "x" * 40_000}, "invalid_request"),
]


@pytest.mark.parametrize(("change", "error"), BAD, ids=str)
def test_a_request_that_is_not_as_it_has_to_be_is_refused_before_the_password(
    svc: Services, app: App, change: dict[str, str | None], error: str
) -> None:
    challenge(app)
    with wire.watched(svc) as traffic:
        assert error_of(challenge(app, **{**RIGHT, **change})) == (400, error)
    assert set(traffic.calls_of_flows) <= {"GetItem"}


@pytest.mark.parametrize("name", ["client_id", "scope", "code_challenge", "email", "password", "auth_session"])
def test_a_parameter_that_comes_twice_is_refused(app: App, name: str) -> None:
    fields = {**REQUEST, **RIGHT, "client_id": app.id, "auth_session": "x"}
    pairs = [*fields.items(), (name, fields[name])]
    answer = send(app.phone, PATH, pairs)
    assert error_of(answer) == (400, "invalid_request")


@pytest.mark.parametrize("change", [{"scope": "openid"}, {"code_challenge": "A" * 43}, {"nonce": "n-2"}], ids=str)
def test_an_auth_session_is_for_the_request_that_it_began_with(app: App, change: dict[str, str]) -> None:
    auth_session = auth_session_of(challenge(app))
    assert error_of(follow(app, auth_session, **RIGHT, **change)) == (400, "invalid_session")
    assert code(follow(app, auth_session, **RIGHT))


def test_an_auth_session_is_for_its_own_client(svc: Services, phone: Phone, app: App) -> None:
    other = register(svc, phone, "native", first_party=True)
    assert error_of(follow(other, auth_session_of(challenge(app)), **RIGHT)) == (400, "invalid_session")


def test_an_auth_session_ends_after_minutes(app: App, clock: Clock) -> None:
    auth_session = auth_session_of(challenge(app))
    clock.advance(599)
    assert auth_session_of(follow(app, auth_session))
    clock.advance(1)
    assert error_of(follow(app, auth_session, **RIGHT)) == (400, "invalid_session")


def test_an_auth_session_outlives_a_rotation_of_keys_and_tells_its_holder_nothing(svc: Services, app: App) -> None:
    auth_session = auth_session_of(challenge(app))
    assert b"openid" not in forge.unb64(auth_session)
    keys.rotate(svc, lead=0, at_once=True)
    assert code(follow(app, auth_session, **RIGHT))


def test_no_other_text_of_ours_is_an_auth_session_nor_the_other_way_round(app: App) -> None:
    auth_session = auth_session_of(challenge(app))
    tokens = token_response(app.redeem(code(challenge(app, **RIGHT)), redirect_uri=None))
    for text in (tokens["access_token"], tokens["refresh_token"], tokens["id_token"]):
        assert error_of(follow(app, text, **RIGHT)) == (400, "invalid_session")
    assert app.redeem(auth_session, redirect_uri=None).status == 400
    assert app.refresh(auth_session).status == 400


# The code
def test_its_code_has_no_redirect_uri_and_is_not_redeemed_with_one(app: App) -> None:
    text = code(challenge(app, **RIGHT))
    for uri in ("http://127.0.0.1/cb", "https://evil.example/"):
        assert error_of(app.redeem(text, redirect_uri=uri)) == (400, "invalid_grant")
    assert token_response(app.redeem(text, redirect_uri=None))


def test_a_wrong_verifier_does_not_burn_it(app: App) -> None:
    text = code(challenge(app, **RIGHT))
    assert error_of(app.redeem(text, redirect_uri=None, code_verifier="x" * 43)) == (400, "invalid_grant")
    assert error_of(app.redeem(text, redirect_uri=None, code_verifier=None)) == (400, "invalid_grant")
    assert token_response(app.redeem(text, redirect_uri=None, code_verifier=VERIFIER))


def test_used_twice_it_ends_its_session(app: App) -> None:
    text = code(challenge(app, **RIGHT))
    tokens = token_response(app.redeem(text, redirect_uri=None))
    assert error_of(app.redeem(text, redirect_uri=None)) == (400, "invalid_grant")
    assert error_of(app.refresh(tokens["refresh_token"])) == (400, "invalid_grant")


def test_it_lives_for_a_minute(app: App, clock: Clock) -> None:
    text = code(challenge(app, **RIGHT))
    clock.advance(60)
    assert error_of(app.redeem(text, redirect_uri=None)) == (400, "invalid_grant")


def test_it_is_in_the_list_of_sessions_under_the_apps_name(app: App) -> None:
    access = app.phone.log_in()["access_token"]
    token_response(app.redeem(code(challenge(app, **RIGHT)), redirect_uri=None))
    sessions = app.phone.call("GET /me/sessions", token=access).json()["sessions"]
    assert app.client.client_name in {each["device"] for each in sessions}


# DPoP
@pytest.fixture
def owner(app: App, svc: Services) -> Prover:
    prover = Prover(svc.now)
    answer = challenge(app, headers=prover.headers(PATH))
    assert error_of(answer) == (400, "use_dpop_nonce")
    prover.nonce = answer.header("DPoP-Nonce") or ""
    return prover


def test_a_proof_binds_the_code_and_the_auth_session_to_its_key(app: App, owner: Prover, svc: Services) -> None:
    thief = Prover(svc.now, nonce=owner.nonce)
    auth_session = auth_session_of(challenge(app, headers=owner.headers(PATH)))
    assert error_of(follow(app, auth_session, **RIGHT)) == (400, "invalid_session")
    assert error_of(follow(app, auth_session, headers=thief.headers(PATH), **RIGHT)) == (400, "invalid_session")
    text = code(follow(app, auth_session, headers=owner.headers(PATH), **RIGHT))
    for headers in ((), thief.headers()):
        assert error_of(app.redeem(text, redirect_uri=None, headers=headers)) == (400, "invalid_grant")
    tokens = token_response(app.redeem(text, redirect_uri=None, headers=owner.headers()))
    assert forge.peek(tokens["access_token"])[1]["cnf"] == {"jkt": owner.thumbprint}


def test_dpop_jkt_alone_binds_the_code(app: App, owner: Prover) -> None:
    text = code(challenge(app, dpop_jkt=owner.thumbprint, **RIGHT))
    assert error_of(app.redeem(text, redirect_uri=None)) == (400, "invalid_grant")
    assert token_response(app.redeem(text, redirect_uri=None, headers=owner.headers()))["token_type"] == "DPoP"


def test_dpop_jkt_and_proof_have_to_agree(app: App, owner: Prover, svc: Services) -> None:
    other = Prover(svc.now).thumbprint
    answer = challenge(app, headers=owner.headers(PATH), dpop_jkt=other, **RIGHT)
    assert error_of(answer) == (400, "invalid_request")


def test_no_password_is_logged(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    auth_session = auth_session_of(challenge(app, **{**RIGHT, "password": "wrong-but-mine"}))
    text = code(follow(app, auth_session, **RIGHT))
    logged = capsys.readouterr().out
    assert "insufficient_authorization" in logged
    assert not any(secret in logged for secret in ("wrong-but-mine", PASSWORD, EMAIL, auth_session, text, VERIFIER))


def test_an_app_that_asks_for_one_user_gets_no_code_of_another(svc: Services, app: App) -> None:
    uid = svc.users.find(EMAIL)
    claims = '{"id_token": {"sub": {"value": "%s"}}}'
    assert auth_session_of(challenge(app, claims=claims % "somebody else", **RIGHT))
    assert code(challenge(app, claims=claims % uid, **RIGHT))
    wrong = challenge(app, claims=claims % "somebody else", email=EMAIL, password="wrong")
    assert "somebody else" not in wrong.json()["error_description"]
    assert auth_session_of(wrong)


def test_a_client_that_has_to_push_its_requests_says_none_of_them_here(svc: Services, phone: Phone, app: App) -> None:
    pushes = register(svc, phone, "native", first_party=True, require_pushed_authorization_requests=True)
    assert error_of(challenge(pushes, **RIGHT)) == (400, "invalid_request")
    assert code(challenge(app, **RIGHT))
