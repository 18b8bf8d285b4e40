"""DPoP (RFC 9449) at the token endpoint and at userinfo: each check of section 4.3, replays, nonces, and stolen tokens."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.domain.oauth.client import DEVICE_CODE
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import wire
from tests.support.browser import ISSUER, App, Browser, basic, callback_params, register, send, token_response
from tests.support.forge import by, by_hmac, jwk, peek, stranger
from tests.support.phone import EMAIL, PASSWORD, Clock, Phone, refusal
from tests.support.prover import Prover
from tests.support.staged import just_before

INVALID_PROOF, USE_NONCE = (400, "invalid_dpop_proof"), (400, "use_dpop_nonce")
NOW = 1_800_000_000
SHORT = stranger("RS256", rsa_bits=1024)


@pytest.fixture
def app(svc: Services, phone: Phone) -> App:
    """A public client."""
    return register(svc, phone, "spa")


@pytest.fixture
def machine(svc: Services, phone: Phone) -> App:
    """A client that needs no user, for what is about the proof alone."""
    return register(svc, phone, "machine")


@pytest.fixture
def prover(clock: Clock, machine: App) -> Prover:
    """Somebody with a key and a nonce of now."""
    prover = Prover(clock)
    answer = request_token(machine, prover)
    assert refusal(answer) == USE_NONCE
    prover.nonce = answer.header("DPoP-Nonce") or ""
    assert prover.nonce
    return prover


def request_token(machine: App, prover: Prover, **changes: Any) -> Answer:
    return machine.token("client_credentials", headers=prover.headers(**changes))


def userinfo(phone: Phone, token: str, *proofs: str, scheme: str = "DPoP", line: str = "GET /oauth/userinfo") -> Answer:
    headers = [("Authorization", f"{scheme} {token}"), *(("DPoP", proof) for proof in proofs)]
    return phone.call(line, headers=headers)


def test_a_proof_binds_the_access_token_to_its_key(machine: App, prover: Prover) -> None:
    answer = request_token(machine, prover)
    tokens = token_response(answer)
    assert tokens["token_type"] == "DPoP"
    assert peek(tokens["access_token"])[1]["cnf"] == {"jkt": prover.thumbprint}
    assert answer.header("DPoP-Nonce")


BAD_PROOFS: dict[str, dict[str, Any]] = {
    "(4) no type": {"header": {"typ": None}},
    "(4) another type": {"header": {"typ": "JWT"}},
    "(4) a type in other letters": {"header": {"typ": "DPoP+JWT"}},
    "(5) no algorithm": {"header": {"alg": None}},
    "(5) none": {"header": {"alg": "none"}, "sign": lambda _: b""},
    "(5) none in capitals": {"header": {"alg": "NONE"}, "sign": lambda _: b""},
    "(5) symmetric": {"header": {"alg": "HS256"}, "sign": by_hmac(b"")},
    "(5) an algorithm of another kind of key": {"header": {"alg": "RS256"}},
    "(6) no key": {"header": {"jwk": None}},
    "(6) a key that is a text": {"header": {"jwk": "x"}},
    "(6) a key without coordinates": {"header": {"jwk": {"kty": "EC", "crv": "P-256"}}},
    "(6) a symmetric key": {"header": {"jwk": {"kty": "oct", "k": "AAAA"}, "alg": "HS256"}, "sign": by_hmac(bytes(3))},
    "(6) a point off the curve": {"header": {"jwk": {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}}},
    "(6) somebody else's key": {"header": {"jwk": jwk(stranger("ES256"))}},
    "(6) a short key": {"header": {"jwk": jwk(SHORT), "alg": "RS256"}, "sign": by(SHORT)},
    "(6) a bad signature": {"sign": lambda _: bytes(64)},
    "(6) no signature": {"sign": lambda _: b""},
    "(8) no method": {"htm": None},
    "(8) another method": {"htm": "GET"},
    "(8) a method in small letters": {"htm": "post"},
    "(9) no target": {"htu": None},
    "(9) another path": {"htu": f"{ISSUER}/oauth/userinfo"},
    "(9) another host": {"htu": "https://evil.example/oauth/token"},
    "(9) another scheme": {"htu": "http://id.example/oauth/token"},
    "(9) another port": {"htu": "https://id.example:8443/oauth/token"},
    "(9) a target that is no address": {"htu": "https://[/oauth/token"},
    "(9) a list of targets": {"htu": [f"{ISSUER}/oauth/token"]},
    "(10) no jti": {"jti": None},
    "(10) an empty jti": {"jti": ""},
    "(10) a long jti": {"jti": "x" * 300},
    "(10) a jti of another kind": {"jti": 1},
    "(11) no time": {"iat": None},
    "(11) a time as a text": {"iat": str(NOW)},
    "(11) a time as a list": {"iat": [NOW]},
    "(11) true": {"iat": True},
    "a nonce of another kind": {"nonce": 1},
}


@pytest.mark.parametrize("changes", BAD_PROOFS.values(), ids=BAD_PROOFS)
def test_each_check_of_section_4_3_is_made(machine: App, prover: Prover, changes: dict[str, Any]) -> None:
    assert refusal(request_token(machine, prover, **changes)) == INVALID_PROOF
    token_response(request_token(machine, prover))


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "k"])
def test_a_proof_that_shows_a_private_key_is_refused(machine: App, prover: Prover, member: str) -> None:
    assert refusal(request_token(machine, prover, header={"jwk": {**prover.jwk, member: "AAAA"}})) == INVALID_PROOF


@pytest.mark.parametrize(
    "proof", ["x", "..", "e30.e30.", "é", "x" * 9000, "e30.W10.AA", "bnVsbA.e30.AA", "W10.e30.AA"], ids=lambda p: p[:12]
)
def test_a_header_that_is_no_proof_is_refused(machine: App, proof: str) -> None:
    assert refusal(machine.token("client_credentials", headers=[("DPoP", proof)])) == INVALID_PROOF


def test_two_proofs_are_refused(machine: App, prover: Prover) -> None:
    answer = machine.token("client_credentials", headers=[*prover.headers(), *prover.headers()])
    assert answer.status == 400
    assert answer.json()["error"] in ("invalid_request", "invalid_dpop_proof")


@pytest.mark.parametrize(
    "htu",
    [
        f"{ISSUER}/oauth/token?x=1",
        f"{ISSUER}/oauth/token#x",
        "HTTPS://ID.example/oauth/token",
        f"{ISSUER}:443/oauth/token",
    ],
)
def test_query_fragment_case_and_default_port_of_the_target_do_not_matter(
    machine: App, prover: Prover, htu: str
) -> None:
    token_response(request_token(machine, prover, htu=htu))


@pytest.mark.parametrize(
    "iat", [NOW - 90, NOW + 90, NOW - 10 * 365 * 86_400, 0, -1, NOW + 10 * 365 * 86_400, NOW + 0.5]
)
def test_with_a_nonce_of_now_the_clock_of_a_device_does_not_matter(machine: App, prover: Prover, iat: float) -> None:
    """Sections 4.3 (11) and 11.1; a NumericDate may have a fraction (RFC 7519 section 2)."""
    token_response(request_token(machine, prover, iat=iat))


@pytest.mark.parametrize("iat", [NOW - 90, NOW + 90, 0])
@pytest.mark.parametrize("nonce", [None, "x"])
def test_a_device_whose_clock_is_wrong_is_given_a_nonce_as_any_other(
    machine: App, clock: Clock, iat: int, nonce: str | None
) -> None:
    device = Prover(clock)
    answer = request_token(machine, device, iat=iat, nonce=nonce)
    assert refusal(answer) == USE_NONCE
    device.nonce = answer.header("DPoP-Nonce") or ""
    token_response(request_token(machine, device, iat=iat))


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
def test_keys_of_other_kinds_prove_as_well(machine: App, prover: Prover, algorithm: str) -> None:
    prover.key = stranger(algorithm)
    token = token_response(request_token(machine, prover, header={"alg": algorithm}))["access_token"]
    assert peek(token)[1]["cnf"] == {"jkt": prover.thumbprint}


def test_superfluous_members_of_a_key_do_not_change_its_thumbprint(machine: App, prover: Prover) -> None:
    token = token_response(
        request_token(machine, prover, header={"jwk": {**prover.jwk, "kid": "x", "use": "sig", "z": "y"}})
    )
    assert peek(token["access_token"])[1]["cnf"] == {"jkt": prover.thumbprint}


# (12), sections 8, 9 and 11.1
def test_a_proof_is_good_once_and_at_once(machine: App, prover: Prover, svc: Services) -> None:
    proof = [("DPoP", prover.proof())]
    token_response(machine.token("client_credentials", headers=proof))
    assert refusal(machine.token("client_credentials", headers=proof)) == INVALID_PROOF
    staged = [("DPoP", prover.proof())]

    def rival() -> None:
        token_response(machine.token("client_credentials", headers=staged))

    with just_before(wire.clients(svc)[0], "PutItem", rival):
        assert refusal(machine.token("client_credentials", headers=staged)) == INVALID_PROOF
    many = [("DPoP", prover.proof())]
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: machine.token("client_credentials", headers=many).status, range(8))
    assert sorted(answers) == [200] + [400] * 7


def test_a_proof_is_remembered_for_as_long_as_it_could_be_used(machine: App, prover: Prover, clock: Clock) -> None:
    clock.advance(17)  # which is somewhere in the five minutes of a nonce
    proof = [("DPoP", prover.proof(iat=NOW + 3600))]
    token_response(machine.token("client_credentials", headers=proof))
    for seconds in (100, 182, 1, 299):
        clock.advance(seconds)
        assert refusal(machine.token("client_credentials", headers=proof)) == INVALID_PROOF
    assert clock() == NOW + 599
    clock.advance(1)
    assert refusal(machine.token("client_credentials", headers=proof)) == USE_NONCE


# What a stranger may cause
def test_nothing_is_remembered_of_a_proof_whose_sender_is_not_known(
    machine: App, app: App, prover: Prover, svc: Services, phone: Phone
) -> None:
    ours = register(svc, phone, "spa", first_party=True)
    public = register(svc, phone, "spa", grant_types=("authorization_code", "refresh_token", DEVICE_CODE))
    grant_types = ("client_credentials", "authorization_code", "refresh_token", "unknown", "")
    secrets = [("Authorization", basic(machine.id, "wrong")), ("Authorization", basic("nobody", "x"))]
    with wire.watched(svc) as traffic:
        for grant_type in grant_types:
            for credentials in (*secrets, None):
                headers = [*([credentials] if credentials else []), *prover.headers()]
                assert send(phone, "/oauth/token", {"grant_type": grant_type}, headers=headers).status in (400, 401)
        for path in ("/oauth/par", "/oauth/authorize-challenge"):
            for credentials in secrets:
                answer = send(phone, path, app.request(), headers=[credentials, *prover.headers(path)])
                assert answer.status in (400, 401)
        # Of a public client too, of which everybody knows the id.
        for presented in ({"code": "x", "code_verifier": "x" * 43}, {"refresh_token": "x"}, {"device_code": "x"}):
            for grant_type in ("authorization_code", "refresh_token", DEVICE_CODE):
                answer = public.token(grant_type, headers=prover.headers(), **presented)
                assert answer.json()["error"] in ("invalid_grant", "invalid_request", "expired_token")
        path = "/oauth/authorize-challenge"
        assert ours.post(path, challenge(ours), headers=prover.headers(path)).status == 403
        machine.token("authorization_code", code="x", headers=prover.headers())
        assert userinfo(phone, "x.y.z", prover.proof("/oauth/userinfo", method="GET", token="x.y.z")).status == 401
    assert not {"PutItem", "UpdateItem", "TransactWriteItems"} & set(traffic.calls_of_flows)


def test_the_limit_of_pushes_is_one_of_the_proofs_that_come_with_them_too(
    app: App, prover: Prover, svc: Services
) -> None:
    for _ in range(200):
        assert app.post("/oauth/par", app.request()).status == 201
    with wire.watched(svc) as traffic:
        answer = app.post("/oauth/par", app.request(), headers=prover.headers("/oauth/par"))
    assert answer.status == 429
    assert "PutItem" not in traffic.calls


@pytest.mark.usefixtures("browser")
@pytest.mark.parametrize("path", ["/oauth/par", "/oauth/authorize-challenge"])
def test_a_proof_is_good_once_at_every_endpoint(svc: Services, phone: Phone, prover: Prover, path: str) -> None:
    ours = register(svc, phone, "spa", first_party=True)
    params = ours.request() if path == "/oauth/par" else {**challenge(ours), "email": EMAIL, "password": PASSWORD}
    proof = prover.headers(path)
    assert ours.post(path, params, headers=proof).status in (200, 201)
    assert refusal(ours.post(path, params, headers=proof)) == INVALID_PROOF


def challenge(app: App) -> dict[str, str]:
    names = ("response_type", "code_challenge", "code_challenge_method", "scope")
    return {name: app.request()[name] for name in names}


@pytest.mark.parametrize("nonce", [None, "", "x", "1.x", "6000000.", "6000000.AAAA", "é", "6000001.x"])
def test_a_proof_without_a_nonce_of_ours_is_given_one(machine: App, prover: Prover, nonce: str | None) -> None:
    answer = request_token(machine, prover, nonce=nonce)
    assert refusal(answer) == USE_NONCE
    prover.nonce = answer.header("DPoP-Nonce") or ""
    token_response(request_token(machine, prover))


def test_a_nonce_grows_old(machine: App, prover: Prover, clock: Clock) -> None:
    clock.advance(300)
    token_response(request_token(machine, prover))
    clock.advance(300)
    answer = request_token(machine, prover)
    assert refusal(answer) == USE_NONCE
    assert answer.header("DPoP-Nonce") != prover.nonce


def test_a_form_mark_is_no_nonce_and_a_foreign_deployments_nonce_is_not_ours(machine: App, prover: Prover) -> None:
    window, _, mac = prover.nonce.partition(".")
    for nonce in (f"{int(window) - 1}.{mac}", f"{int(window) + 1}.{mac}", mac, f"{window}.{mac[::-1]}"):
        assert refusal(request_token(machine, prover, nonce=nonce)) == USE_NONCE


# Stolen tokens
def bound(app: App, browser: Browser, prover: Prover, **changes: str) -> dict[str, Any]:
    return token_response(app.redeem(browser.code(app, **changes), headers=prover.headers()))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_bound_token_opens_userinfo_with_a_proof_of_its_key(
    app: App, browser: Browser, prover: Prover, phone: Phone, method: str
) -> None:
    token = bound(app, browser, prover)["access_token"]
    proof = prover.proof("/oauth/userinfo", method=method, token=token)
    line = f"{method} /oauth/userinfo"
    assert userinfo(phone, token, proof, line=line).json()["email"] == EMAIL
    assert userinfo(phone, token, proof, line=line).status == 401  # replayed


def test_a_bound_token_is_worth_nothing_without_its_key(
    app: App, browser: Browser, prover: Prover, phone: Phone, clock: Clock
) -> None:
    token = bound(app, browser, prover)["access_token"]
    thief = Prover(clock, nonce=prover.nonce)
    for answer in (
        userinfo(phone, token, scheme="Bearer"),
        userinfo(phone, token, scheme="bearer"),
        userinfo(phone, token),
        userinfo(phone, token, prover.proof("/oauth/userinfo", method="GET", token=token), scheme="Bearer"),
        userinfo(phone, token, thief.proof("/oauth/userinfo", method="GET", token=token)),
        userinfo(phone, token, prover.proof("/oauth/userinfo", method="GET")),
        userinfo(phone, token, prover.proof("/oauth/userinfo", method="GET", token="another")),
        userinfo(phone, token, prover.proof("/oauth/userinfo", method="GET", ath=1)),
        userinfo(phone, token, prover.proof("/oauth/userinfo", method="POST", token=token)),
        userinfo(phone, token, prover.proof("/oauth/token", method="GET", token=token)),
        userinfo(phone, token, prover.proof("/oauth/userinfo", method="GET", token=token, nonce=None)),
    ):
        assert answer.status == 401, answer
        assert (answer.header("WWW-Authenticate") or "").startswith("DPoP "), answer
        assert b"email" not in answer.body.replace(b"e-mail", b"")
    assert userinfo(phone, token, prover.proof("/oauth/userinfo", method="GET", token=token)).status == 200


def test_a_bearer_token_does_not_pass_as_a_bound_one(app: App, browser: Browser, prover: Prover, phone: Phone) -> None:
    token = app.tokens(browser)["access_token"]
    proof = prover.proof("/oauth/userinfo", method="GET", token=token)
    assert userinfo(phone, token, proof).status == 401
    assert userinfo(phone, token, scheme="Bearer").status == 200


def test_a_bound_token_is_no_bearer_at_the_json_api(
    browser: Browser, prover: Prover, phone: Phone, svc: Services
) -> None:
    app = register(svc, phone, "spa", scopes=("openid", "account"), first_party=True)
    token = bound(app, browser, prover, scope="openid account")["access_token"]
    assert phone.call("GET /me", token=token).status in (401, 403)


def test_a_public_clients_refresh_tokens_need_the_key_that_they_are_bound_to(
    app: App, browser: Browser, prover: Prover, clock: Clock
) -> None:
    first = bound(app, browser, prover)["refresh_token"]
    thief = Prover(clock, nonce=prover.nonce)
    for headers in ([], thief.headers()):
        assert refusal(app.refresh(first, headers=headers)) == (400, "invalid_grant")
    second = token_response(app.refresh(first, headers=prover.headers()))
    assert second["token_type"] == "DPoP"
    clock.advance(299)
    again = token_response(app.refresh(first, headers=prover.headers()))
    assert again["refresh_token"] == second["refresh_token"]  # its owner may come back for it while it is unused
    token_response(app.refresh(second["refresh_token"], headers=prover.headers()))


def test_a_thief_with_an_old_bound_refresh_token_cannot_end_the_session(
    app: App, browser: Browser, prover: Prover, clock: Clock
) -> None:
    first = bound(app, browser, prover)["refresh_token"]
    second = token_response(app.refresh(first, headers=prover.headers()))["refresh_token"]
    third = token_response(app.refresh(second, headers=prover.headers()))["refresh_token"]
    for headers in ([], Prover(clock, nonce=prover.nonce).headers()):
        assert refusal(app.refresh(first, headers=headers)) == (400, "invalid_grant")
    token_response(app.refresh(third, headers=prover.headers()))


def test_a_confidential_clients_refresh_token_is_bound_by_its_own_authentication(
    browser: Browser, prover: Prover, svc: Services, phone: Phone, clock: Clock
) -> None:
    app = register(svc, phone)
    first = bound(app, browser, prover)
    other = Prover(clock, nonce=prover.nonce)
    second = token_response(app.refresh(first["refresh_token"], headers=other.headers()))
    assert peek(second["access_token"])[1]["cnf"] == {"jkt": other.thumbprint}


def test_a_code_asked_for_with_a_key_is_redeemed_with_that_key_alone(
    app: App, browser: Browser, prover: Prover, clock: Clock
) -> None:
    code = browser.code(app, dpop_jkt=prover.thumbprint)
    for headers in ([], Prover(clock, nonce=prover.nonce).headers()):
        assert refusal(app.redeem(code, headers=headers)) == (400, "invalid_grant")
    token_response(app.redeem(code, headers=prover.headers()))


def test_a_bound_code_that_comes_twice_ends_its_session_whether_or_not_the_key_comes_with_it(
    app: App, browser: Browser, prover: Prover
) -> None:
    # RFC 6749 section 4.1.2: whoever else has code and verifier, somebody has stolen them.
    for headers in ([], prover.headers()):
        code = browser.code(app, dpop_jkt=prover.thumbprint)
        first = token_response(app.redeem(code, headers=prover.headers()))["refresh_token"]
        assert refusal(app.redeem(code, headers=headers)) == (400, "invalid_grant")
        assert refusal(app.refresh(first, headers=prover.headers())) == (400, "invalid_grant")


def test_a_proof_with_a_pushed_request_binds_its_code(app: App, browser: Browser, prover: Prover, clock: Clock) -> None:
    pushed = app.post("/oauth/par", app.request(), headers=prover.headers("/oauth/par"))
    assert pushed.status == 201, pushed
    page = browser.get("/oauth/authorize", {"client_id": app.id, "request_uri": pushed.json()["request_uri"]})
    code = callback_params(browser.finish(page))["code"]
    assert refusal(app.redeem(code)) == (400, "invalid_grant")
    assert refusal(app.redeem(code, headers=Prover(clock, nonce=prover.nonce).headers())) == (400, "invalid_grant")
    token_response(app.redeem(code, headers=prover.headers()))
    other = app.post("/oauth/par", app.request(dpop_jkt="A" * 43), headers=prover.headers("/oauth/par"))
    assert other.status == 400


def test_a_client_registered_for_bound_tokens_gets_no_others(svc: Services, phone: Phone, prover: Prover) -> None:
    app = register(svc, phone, "machine", dpop_bound_access_tokens=True)
    assert app.token("client_credentials").status == 400
    assert token_response(app.token("client_credentials", headers=prover.headers()))["token_type"] == "DPoP"


def test_a_failed_memory_of_proofs_is_a_503_and_never_a_success(machine: App, prover: Prover, svc: Services) -> None:
    with wire.watched(svc, wire.Wire(fail_at=2, failure=wire.refusing("ThrottlingException"))) as traffic:
        assert refusal(request_token(machine, prover)) == (503, "temporarily_unavailable")
    assert traffic.calls == ["GetItem", "PutItem"]
    token_response(request_token(machine, prover))


def test_a_proof_by_another_key_over_the_same_jti_is_another_proof(machine: App, prover: Prover, clock: Clock) -> None:
    token_response(request_token(machine, prover, jti="1"))
    token_response(request_token(machine, Prover(clock, nonce=prover.nonce), jti="1"))
    assert refusal(request_token(machine, prover, jti="1")) == INVALID_PROOF


def test_a_signature_over_other_claims_does_not_count(machine: App, prover: Prover) -> None:
    head, _, signature = prover.proof().split(".")
    payload = prover.proof().split(".")[1]
    spliced = [("DPoP", f"{head}.{payload}.{signature}")]
    assert refusal(machine.token("client_credentials", headers=spliced)) == INVALID_PROOF
