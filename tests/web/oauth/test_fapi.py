"""A client of the FAPI 2.0 Security Profile (final): what its one setting has it and this server do, and what it never gives."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest

from chalicelib.domain.errors import InvalidClientMetadata
from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, JWT_BEARER, REFRESH
from chalicelib.flows.clients import manage
from chalicelib.flows.platform import keys
from chalicelib.flows.sessions import back_channel
from chalicelib.services import Services
from local.gateway import Answer
from tests.support.aws import container
from tests.support.browser import ISSUER, App, Browser, callback_params, forms, place, register, send, token_response
from tests.support.forge import PrivateKey, jwk, peek, stranger
from tests.support.issuer import Issuer, present
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, deployed, installed, refusal
from tests.support.prover import Prover

INVALID_GRANT, INVALID_CLIENT = (400, "invalid_grant"), (401, "invalid_client")
INVALID_REQUEST = (400, "invalid_request")
DAY = 24 * 3600
FAPI: dict[str, Any] = {"security_profile": "fapi2"}


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    """A client of the profile."""
    return register(svc, phone, "key", **FAPI)


@pytest.fixture
def prover(app: App, clock: Clock) -> Prover:
    """The client's key for DPoP, with a nonce of now."""
    return with_nonce(app, Prover(clock))


def with_nonce(app: App, prover: Prover) -> Prover:
    prover.nonce = ""
    refused = app.token(REFRESH, refresh_token="x", headers=prover.headers())
    prover.nonce = refused.header("DPoP-Nonce") or ""
    return prover


def pushed(app: App, **changes: str | None) -> Answer:
    """The answer to a request that is pushed."""
    return app.post("/oauth/par", app.request(**changes))


def page_of(browser: Browser, app: App, request_uri: str) -> Answer:
    """Where a browser gets with a pushed request."""
    return browser.get("/oauth/authorize", {"client_id": app.id, "request_uri": request_uri})


def code_of(browser: Browser, app: App, **changes: str | None) -> str:
    answer = pushed(app, **changes)
    assert answer.status == 201, answer.body
    return callback_params(browser.finish(page_of(browser, app, answer.json()["request_uri"])))["code"]


def tokens_of(browser: Browser, app: App, prover: Prover) -> dict[str, Any]:
    return token_response(app.redeem(code_of(browser, app), headers=prover.headers()))


def test_a_client_of_the_profile_logs_a_user_in(phone: Phone, browser: Browser, app: App, prover: Prover) -> None:
    tokens = tokens_of(browser, app, prover)
    assert tokens["token_type"] == "DPoP"
    token = tokens["access_token"]
    headers = [("Authorization", f"DPoP {token}"), *prover.headers("/oauth/userinfo", method="GET", token=token)]
    assert phone.call("GET /oauth/userinfo", headers=headers).json()["email"] == EMAIL


REGISTRATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "a secret": ("web", {}),
    "a secret in the body": ("post", {}),
    "nothing to authenticate with": ("spa", {}),
    "without PKCE": ("key", {"require_pkce": False}),
    "without nonce": ("key", {"require_nonce": False}),
    "assertions by RS256": ("key", {"token_endpoint_auth_signing_alg": "RS256"}),
}


@pytest.mark.parametrize(("kind", "metadata"), REGISTRATIONS.values(), ids=REGISTRATIONS)
def test_what_the_profile_forbids_cannot_be_registered_beside_it(
    svc: Services, phone: Phone, kind: str, metadata: dict[str, Any]
) -> None:
    with pytest.raises(InvalidClientMetadata) as refused:
        register(svc, phone, kind, **FAPI, **metadata)
    assert "security_profile=fapi2" in refused.value.description


def test_the_profile_gives_a_client_nothing(svc: Services, phone: Phone) -> None:
    # Neither a grant nor the native login nor introspection nor an exchange, which it had not without.
    app = register(svc, phone, "key", **FAPI)
    for path, fields in (
        ("/oauth/token", {"grant_type": CLIENT_CREDENTIALS}),
        ("/oauth/device", {}),
        ("/oauth/authorize-challenge", {}),
        ("/oauth/introspect", {"token": "x"}),
    ):
        assert refusal(app.post(path, fields)) == (400, "unauthorized_client")


def test_the_native_login_is_not_for_a_first_party_client_of_the_profile(svc: Services, phone: Phone) -> None:
    app = register(svc, phone, "key", first_party=True, **FAPI)
    phone.sign_up()
    fields = {**app.request(), "email": EMAIL, "password": PASSWORD}
    assert refusal(app.post("/oauth/authorize-challenge", fields)) == INVALID_REQUEST


def test_a_request_that_was_not_pushed_is_refused(browser: Browser, app: App) -> None:
    error = callback_params(browser.authorize(app))
    assert error["error"] == "invalid_request"
    assert "push" in error["error_description"]


@pytest.mark.parametrize("changes", [{"redirect_uri": None, "scope": "notes:read"}, {"code_challenge": None}], ids=str)
def test_a_pushed_request_is_whole(app: App, changes: dict[str, str | None]) -> None:
    assert refusal(pushed(app, **changes)) == INVALID_REQUEST


def test_a_pushed_request_gives_one_code(browser: Browser, app: App, prover: Prover) -> None:
    request_uri = pushed(app).json()["request_uri"]
    code = callback_params(browser.finish(page_of(browser, app, request_uri)))["code"]
    again = page_of(browser, app, request_uri)
    assert (again.status, place(again)) == (400, "")
    assert token_response(app.redeem(code, headers=prover.headers()))


def test_a_login_page_that_is_opened_twice_gives_one_code(browser: Browser, app: App) -> None:
    request_uri = pushed(app).json()["request_uri"]
    first, second = (page_of(browser, app, request_uri) for _ in range(2))
    assert "code" in callback_params(browser.finish(second))
    answer = browser.finish(first)
    assert (answer.status, place(answer)) == (400, "")


def test_a_code_is_good_for_a_minute_whatever_the_deployment_says(
    svc: Services, browser: Browser, app: App, prover: Prover, clock: Clock
) -> None:
    object.__setattr__(svc.settings, "code_seconds", 600)
    code = code_of(browser, app)
    clock.advance(60)
    assert refusal(app.redeem(code, headers=prover.headers())) == INVALID_GRANT


def test_no_token_is_issued_without_a_key(svc: Services, phone: Phone, browser: Browser, app: App) -> None:
    assert refusal(app.redeem(code_of(browser, app))) == INVALID_REQUEST
    machine = register(svc, phone, "machine", token_endpoint_auth_method="private_key_jwt", **FAPI)
    assert refusal(machine.token(CLIENT_CREDENTIALS)) == INVALID_REQUEST
    assert token_response(machine.token(CLIENT_CREDENTIALS, headers=with_nonce(machine, Prover(svc.now)).headers()))


AUDIENCES: dict[str, Any] = {
    "a list": [ISSUER],
    "a list of two": [ISSUER, f"{ISSUER}/oauth/token"],
    "the token endpoint": f"{ISSUER}/oauth/token",
    "the PAR endpoint": f"{ISSUER}/oauth/par",
    "with a slash": f"{ISSUER}/",
    "another": "https://evil.example",
}


@pytest.mark.parametrize("audience", AUDIENCES.values(), ids=AUDIENCES)
def test_an_assertion_is_for_the_issuer_as_one_text(svc: Services, phone: Phone, app: App, audience: Any) -> None:
    other = register(svc, phone, "key")
    for client, accepted in ((app, False), (other, audience not in (f"{ISSUER}/", "https://evil.example"))):
        fields = {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": client.assertion(aud=audience),
            "token": "x",
        }
        answer = send(phone, "/oauth/revoke", fields)
        assert answer.status == 200 if accepted else refusal(answer) == INVALID_CLIENT


@pytest.fixture(scope="module")
def rsa_key() -> PrivateKey:
    """Made once, and not where this file is imported: it takes long."""
    return stranger("RS256")


def signed(key: Any, algorithm: str, header: dict[str, Any], claims: dict[str, Any]) -> str:
    return jwt.encode(claims, key, algorithm=algorithm, headers=header)


@pytest.mark.parametrize(("algorithm", "accepted"), [("PS256", True), ("RS256", False)])
def test_nothing_is_taken_that_is_signed_by_an_older_algorithm(
    svc: Services, phone: Phone, clock: Clock, rsa_key: PrivateKey, algorithm: str, accepted: bool
) -> None:
    metadata = {"grant_types": (CLIENT_CREDENTIALS,), "redirect_uris": (), "scopes": ("notes:read",)}
    app = register(svc, phone, "key", jwks={"keys": [{**jwk(rsa_key), "kid": "1"}]}, **FAPI, **metadata)

    def ask(assertion_by: str, proof_by: str, nonce: str = "") -> Answer:
        now = clock()
        header = {"typ": "dpop+jwt", "jwk": jwk(rsa_key)}
        htu = f"{ISSUER}/oauth/token"
        claims = {"htm": "POST", "htu": htu, "iat": now, "jti": str(now), "nonce": nonce}
        fields = {
            "grant_type": CLIENT_CREDENTIALS,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": signed(
                rsa_key,
                assertion_by,
                {"kid": "1"},
                {"iss": app.id, "sub": app.id, "aud": ISSUER, "exp": now + 60, "jti": str(now)},
            ),
        }
        return send(phone, "/oauth/token", fields, headers=[("DPoP", signed(rsa_key, proof_by, header, claims))])

    nonce = ask("PS256", "PS256").header("DPoP-Nonce") or ""
    by_assertion = ask(algorithm, "PS256", nonce)
    assert by_assertion.status == 200 if accepted else refusal(by_assertion) == INVALID_CLIENT
    clock.advance(1)
    by_proof = ask("PS256", algorithm, nonce)
    assert by_proof.status == 200 if accepted else refusal(by_proof) == (400, "invalid_dpop_proof")


def test_nobody_vouches_for_a_user_by_an_older_algorithm(
    svc: Services, phone: Phone, clock: Clock, prover: Prover, rsa_key: PrivateKey
) -> None:
    issuer, subject = Issuer(key=rsa_key), phone.sign_up()["user"]["sub"]
    entry = {issuer.name: {"jwks": {"keys": [{**jwk(rsa_key), "kid": "1"}]}}}
    metadata = {"grant_types": (JWT_BEARER,), "redirect_uris": (), "assertion_issuers": entry}
    app = register(svc, phone, "key", **FAPI, **metadata)
    with_nonce(app, prover)
    now = clock()
    claims = {"iss": issuer.name, "sub": subject, "aud": ISSUER, "iat": now, "exp": now + 60}
    for algorithm, expected in (("RS256", 400), ("PS256", 200)):
        assertion = signed(rsa_key, algorithm, {"kid": "1"}, {**claims, "jti": algorithm})
        answer = present(app, assertion, headers=prover.headers())
        assert answer.status == expected, answer.body
        assert expected == 200 or refusal(answer) == (400, "invalid_grant")


def test_a_refresh_token_stays_and_its_session_is_written_once_a_day(
    svc: Services, browser: Browser, app: App, prover: Prover, clock: Clock
) -> None:
    tokens = tokens_of(browser, app, prover)
    refresh_token, begun, idle = tokens["refresh_token"], clock(), svc.settings.refresh_idle_seconds
    _, claims = peek(tokens["access_token"])

    def last_write() -> int:
        with_nonce(app, prover)
        tokens = token_response(app.refresh(refresh_token, headers=prover.headers()))
        assert tokens["refresh_token"] == refresh_token
        _, session = svc.sessions.with_user(claims["sub"], claims["sid"])
        assert session is not None
        assert (session.generation, session.expires_at) == (1, session.last_used_at + idle)
        return session.last_used_at

    for _ in range(3):
        assert last_write() == begun
        clock.advance(DAY // 3)
    assert last_write() == begun + DAY
    clock.advance(DAY - 1)
    assert last_write() == begun + DAY
    clock.advance(idle - DAY)
    assert last_write() == clock() > begun + idle
    clock.advance(idle)
    with_nonce(app, prover)
    assert refusal(app.refresh(refresh_token, headers=prover.headers())) == INVALID_GRANT


def test_a_session_with_a_short_idle_time_lives_on_while_it_is_used(
    svc: Services, phone: Phone, browser: Browser, clock: Clock
) -> None:
    app = register(svc, phone, "key", refresh_idle_seconds=3600, **FAPI)
    prover = with_nonce(app, Prover(clock))
    refresh_token = tokens_of(browser, app, prover)["refresh_token"]
    for _ in range(4):
        clock.advance(2400)
        with_nonce(app, prover)
        assert token_response(app.refresh(refresh_token, headers=prover.headers()))


def test_the_key_of_the_proofs_may_change(browser: Browser, app: App, prover: Prover, clock: Clock) -> None:
    # RFC 9449 section 5: a confidential client's refresh tokens are bound to its authentication.
    refresh_token = tokens_of(browser, app, prover)["refresh_token"]
    other = with_nonce(app, Prover(clock))
    tokens = token_response(app.refresh(refresh_token, headers=other.headers()))
    assert peek(tokens["access_token"])[1]["cnf"] == {"jkt": other.thumbprint}
    assert refusal(app.refresh(refresh_token)) == INVALID_REQUEST


def test_a_stolen_refresh_token_is_of_no_use_without_the_clients_key(
    svc: Services, phone: Phone, browser: Browser, app: App, prover: Prover
) -> None:
    refresh_token = tokens_of(browser, app, prover)["refresh_token"]
    theft = {"grant_type": REFRESH, "refresh_token": refresh_token}
    forged = replace(app, key=stranger("ES256")).assertion()
    asserted = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
    for proof in (
        {"client_id": app.id},
        {"client_id": app.id, "client_secret": "x"},
        {**asserted, "client_assertion": forged},
    ):
        assert refusal(send(phone, "/oauth/token", {**theft, **proof}, headers=prover.headers())) == INVALID_CLIENT
    other = register(svc, phone, "key", **FAPI)
    assert refusal(other.refresh(refresh_token, headers=prover.headers())) == INVALID_GRANT
    assert token_response(app.refresh(refresh_token, headers=prover.headers()))


def test_a_refresh_token_that_stays_ends_with_its_session(browser: Browser, app: App, prover: Prover) -> None:
    refresh_token = tokens_of(browser, app, prover)["refresh_token"]
    assert app.post("/oauth/revoke", {"token": refresh_token}).status == 200
    assert refusal(app.refresh(refresh_token, headers=prover.headers())) == INVALID_GRANT


def test_a_client_comes_into_the_profile_and_leaves_it_with_its_sessions(
    svc: Services, phone: Phone, browser: Browser, clock: Clock
) -> None:
    app = register(svc, phone, "key")
    first = app.tokens(browser)["refresh_token"]
    second = token_response(app.refresh(first))["refresh_token"]
    into = manage.change(svc, app.client, replace(app.client, **FAPI))
    inside = replace(app, client=into)
    prover = with_nonce(inside, Prover(clock))
    for presented in (second, first, second):
        tokens = token_response(inside.refresh(presented, headers=prover.headers()))
        assert tokens["refresh_token"] == second
    outside = replace(app, client=manage.change(svc, into, replace(into, security_profile="none")))
    third = token_response(outside.refresh(second))["refresh_token"]
    assert third != second
    clock.advance(svc.settings.retry_window_seconds + 1)
    assert refusal(outside.refresh(second)) == INVALID_GRANT


@pytest.fixture
def rsa(tmp_path: Path, clock: Clock) -> Iterator[Services]:
    """A deployment that signs with RS256, the default."""
    settings = deployed(LATCHKEY_ALGORITHM="RS256", LATCHKEY_JWKS_FILE=str(tmp_path / "jwks.json"))
    svc = container(settings, now=clock)
    with installed(svc):
        yield svc


def test_a_server_that_signs_with_rs256_signs_for_the_profile_with_the_same_key_by_ps256(
    rsa: Services, clock: Clock
) -> None:
    phone = Phone(clock)
    published = phone.call("GET /.well-known/jwks.json").json()["keys"]
    rs256, ps256 = published
    assert (rs256["alg"], ps256["alg"]) == ("RS256", "PS256")
    assert (rs256["n"], rs256["e"]) == (ps256["n"], ps256["e"])
    assert rs256["kid"] != ps256["kid"]
    metadata = phone.call("GET /.well-known/openid-configuration").json()
    assert {"RS256", "PS256"} == set(metadata["id_token_signing_alg_values_supported"])
    phone.sign_up()
    browser = Browser(phone)
    app = register(rsa, phone, "key", **FAPI)
    prover = with_nonce(app, Prover(clock))
    tokens = tokens_of(browser, app, prover)
    user, _ = rsa.sessions.with_user(peek(tokens["access_token"])[1]["sub"], "0" * 32)
    assert user is not None
    logout_token = back_channel.logout_token(rsa, app.client, user.uid, "0" * 32, jti="1")
    for token in (tokens["access_token"], tokens["id_token"], logout_token):
        header, _ = peek(token)
        assert (header["alg"], header["kid"]) == ("PS256", ps256["kid"])
        options: Any = {"verify_aud": False, "verify_exp": False, "verify_iat": False}
        assert jwt.decode(token, jwt.PyJWK(ps256).key, algorithms=["PS256"], options=options)
    token = tokens["access_token"]
    headers = [("Authorization", f"DPoP {token}"), *prover.headers("/oauth/userinfo", method="GET", token=token)]
    assert phone.call("GET /oauth/userinfo", headers=headers).status == 200
    # The id_token is one of ours as a hint, in this browser.
    answer = browser.get("/oauth/logout", {"id_token_hint": tokens["id_token"]})
    assert not forms(answer)
    usual = register(rsa, phone, "web").tokens(browser)
    assert {peek(usual[name])[0]["alg"] for name in ("access_token", "id_token")} == {"RS256"}


def test_no_token_passes_under_the_kid_of_another_algorithm(rsa: Services, clock: Clock) -> None:
    phone = Phone(clock)
    phone.sign_up()
    tokens = phone.log_in()
    key = keys.current(rsa).signer(clock())
    _, claims = peek(tokens["access_token"])
    for algorithm, kid, good in (
        ("RS256", key.kid, True),
        ("PS256", key.pss().kid, True),
        ("PS256", key.kid, False),
        ("RS256", key.pss().kid, False),
    ):
        forged = jwt.encode(claims, key.private, algorithm=algorithm, headers={"typ": "at+jwt", "kid": kid})
        assert phone.call("POST /verify", {"token": forged}).json()["active"] is good, (algorithm, kid)


def test_a_client_may_ask_for_id_tokens_by_ps256_alone(rsa: Services, clock: Clock) -> None:
    phone = Phone(clock)
    phone.sign_up()
    tokens = register(rsa, phone, id_token_signed_response_alg="PS256").tokens(Browser(phone))
    assert [peek(tokens[name])[0]["alg"] for name in ("access_token", "id_token")] == ["RS256", "PS256"]
