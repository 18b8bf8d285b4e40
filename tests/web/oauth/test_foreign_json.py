"""What strangers sign or serve, with every oddity that JSON leaves room for: refused as any other bad text is, and no fault."""

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS
from chalicelib.flows.platform import keys
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import forge, wire
from tests.support.browser import ASSERTION_TYPE, App, register, send, token_response
from tests.support.forge import by, compact
from tests.support.internet import Internet, Page
from tests.support.phone import Phone, refusal
from tests.support.prover import Prover

ID, JWKS = "https://app.example/client.json", "https://app.example/jwks.json"
HALF = "\ud800"
INVALID_PROOF, INVALID_CLIENT = (400, "invalid_dpop_proof"), (401, "invalid_client")


@pytest.fixture
def svc(svc: Services, internet: Internet) -> Services:
    """A deployment that takes clients of every origin."""
    settings = replace(svc.settings, client_documents=True, registration_open=True)
    return replace(svc, settings=settings, fetch=internet.fetch())


@pytest.fixture
def machine(svc: Services, phone: Phone) -> App:
    return register(svc, phone, "machine")


@pytest.fixture
def prover(machine: App, svc: Services) -> Prover:
    """Somebody with a key and a nonce of now."""
    prover = Prover(svc.now)
    prover.nonce = request_token(machine, prover.proof()).header("DPoP-Nonce") or ""
    return prover


def request_token(machine: App, proof: str) -> Answer:
    return machine.token(CLIENT_CREDENTIALS, headers=[("DPoP", proof)])


def with_member_twice(good: dict[str, Any], name: str, value: object) -> str:
    """An object in which a member comes twice: first with another value, and last with the one that is right."""
    return f"{{{json.dumps(name)}: {json.dumps(value)}, {json.dumps(good)[1:]}"


@pytest.mark.parametrize("name", ["jti", "nonce", "htu", "htm", "iat", "ath", "anything"])
@pytest.mark.parametrize("value", [f"a{HALF}b", {HALF: 1}])
def test_half_a_character_anywhere_in_a_proof_makes_it_a_bad_proof(
    machine: App, prover: Prover, svc: Services, name: str, value: Any
) -> None:
    with wire.watched(svc) as traffic:
        assert refusal(request_token(machine, prover.proof(**{name: value}))) == INVALID_PROOF
        assert refusal(request_token(machine, prover.proof(header={name: value}))) == INVALID_PROOF
    assert "PutItem" not in traffic.calls


@pytest.mark.parametrize("name", ["jti", "iss", "sub", "aud", "exp", "anything"])
@pytest.mark.parametrize("value", [f"a{HALF}b", {HALF: 1}])
def test_half_a_character_anywhere_in_an_assertion_makes_it_a_bad_assertion(
    svc: Services, phone: Phone, name: str, value: Any
) -> None:
    app = register(svc, phone, "key", grant_types=(CLIENT_CREDENTIALS,), redirect_uris=(), scopes=("notes:read",))
    for assertion in (app.assertion(**{name: value}), app.assertion(header={"alg": "ES256", name: value})):
        proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
        with wire.watched(svc) as traffic:
            answer = send(phone, "/oauth/token", {"grant_type": CLIENT_CREDENTIALS, **proof})
        assert refusal(answer) == INVALID_CLIENT
        assert "PutItem" not in traffic.calls


def test_a_member_that_comes_twice_spoils_a_proof(machine: App, prover: Prover) -> None:
    header, good = forge.peek(prover.proof())
    for name, other in (("jti", "x"), ("htu", "https://evil.example"), ("nonce", "")):
        assert (
            refusal(request_token(machine, compact(header, with_member_twice(good, name, other), by(prover.key))))
            == INVALID_PROOF
        )
    for name, another in (("typ", "JWT"), ("jwk", forge.jwk(forge.stranger("ES256"))), ("alg", "none")):
        assert (
            refusal(request_token(machine, compact(with_member_twice(header, name, another), good, by(prover.key))))
            == INVALID_PROOF
        )
    token_response(request_token(machine, compact(header, json.dumps(good), by(prover.key))))


def test_a_member_that_comes_twice_spoils_an_assertion(svc: Services, phone: Phone) -> None:
    app = register(svc, phone, "key", grant_types=(CLIENT_CREDENTIALS,), redirect_uris=(), scopes=("notes:read",))
    assert app.key
    header, good = forge.peek(app.assertion())

    def send_assertion(header: object, claims: object) -> Answer:
        assert app.key
        proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": compact(header, claims, by(app.key))}
        return send(phone, "/oauth/token", {"grant_type": CLIENT_CREDENTIALS, **proof})

    for name in ("iss", "sub", "aud", "jti"):
        assert refusal(send_assertion(header, with_member_twice(good, name, "another"))) == INVALID_CLIENT
    assert refusal(send_assertion(with_member_twice(header, "kid", "2"), good)) == INVALID_CLIENT
    token_response(send_assertion(json.dumps(header), json.dumps(good)))


def test_a_member_that_comes_twice_spoils_a_token_of_ours(phone: Phone, svc: Services) -> None:
    token = phone.sign_up()["access_token"]
    _, good = forge.peek(token)
    key = keys.current(svc).signer(svc.now()).private
    # As we write it, so that the header is one of ours to the letter.
    start = token.partition(".")[0]
    for name, other in (("sub", "another"), ("scope", "other"), ("exp", 1)):
        signing_input = f"{start}.{forge.segment(with_member_twice(good, name, other))}"
        twice = f"{signing_input}.{forge.b64(by(key)(signing_input.encode()))}"
        assert refusal(phone.call("GET /me", token=twice)) == (401, "invalid_token")
        assert phone.call("POST /verify", {"token": twice}).json() == {"active": False}
        assert phone.call("GET /oauth/userinfo", token=twice).status == 401
    signing_input = f"{start}.{forge.segment(json.dumps(good))}"
    assert phone.call("GET /me", token=f"{signing_input}.{forge.b64(by(key)(signing_input.encode()))}").status == 200


BAD_KEYS: list[Any] = [
    {"kty": []},
    {"kty": {}},
    {"kty": 1},
    {"kty": HALF},
    {"kty": "EC", "crv": [], "x": "AA", "y": "AA"},
    {"kty": "EC", "crv": "P-256", "x": 1, "y": {}},
    {"kty": "RSA", "n": [], "e": None},
    {"kty": "OKP", "crv": "Ed25519"},
    [],
    "EC",
    None,
]


@pytest.mark.parametrize("key", BAD_KEYS, ids=str)
def test_a_key_that_is_none_is_no_fault_at_registration(phone: Phone, key: object) -> None:
    metadata = {
        "redirect_uris": ["https://app.example/cb"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [key]},
    }
    status, code = refusal(phone.call("POST /oauth/register", metadata))
    assert (status, code) in ((400, "invalid_client_metadata"), (400, "invalid_request"))


@pytest.mark.parametrize("key", BAD_KEYS, ids=str)
def test_a_document_with_a_key_that_is_none_is_known_as_bad_and_not_fetched_anew(
    phone: Phone, internet: Internet, key: object
) -> None:
    document = {"client_id": ID, "redirect_uris": ["https://app.example/cb"], "jwks": {"keys": [key]}}
    internet.pages[ID] = Page(json.dumps({**document, "token_endpoint_auth_method": "private_key_jwt"}).encode())
    for _ in range(3):
        assert refusal(send(phone, "/oauth/token", {"grant_type": "refresh_token", "client_id": ID})) == INVALID_CLIENT
    assert len(internet.requests) == 1


@pytest.mark.parametrize("key", BAD_KEYS, ids=str)
def test_a_set_of_keys_that_are_none_is_known_as_bad_and_not_fetched_anew(
    svc: Services, phone: Phone, internet: Internet, key: object
) -> None:
    internet.pages[JWKS] = Page(json.dumps({"keys": [key]}).encode())
    app = register(svc, phone, "key", jwks={}, jwks_uri=JWKS)
    app.key = forge.stranger("ES256")
    for _ in range(3):
        assert refusal(app.refresh("x")) == (503, "temporarily_unavailable")
    assert len(internet.requests) == 1


@pytest.mark.parametrize(
    "odd", [key for key in BAD_KEYS if isinstance(key, dict) and HALF not in key.values()], ids=str
)
def test_a_key_that_nobody_understands_spoils_no_other_of_its_set(
    svc: Services, phone: Phone, internet: Internet, odd: dict[str, Any]
) -> None:
    """RFC 7517 section 5."""
    mine = forge.stranger("ES256")
    good = {**forge.jwk(mine), "kid": "1"}
    of_address = register(svc, phone, "key", jwks={}, jwks_uri=JWKS)
    of_itself = register(svc, phone, "key", jwks={"keys": [{**odd, "kid": "1"}, good]})
    internet.pages[JWKS] = Page(json.dumps({"keys": [{**odd, "kid": "1"}, good]}).encode())
    for app in (of_address, of_itself):
        app.key = mine
        assert refusal(app.refresh("x")) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "body",
    [
        b'{"client_id": "https://evil.example/", "client_id": "'
        + ID.encode()
        + b'", "redirect_uris": ["https://app.example/cb"]}',
        b'{"client_id": "' + ID.encode() + b'", "redirect_uris": ["https://app.example/cb"], "client_name": "\\ud800"}',
        b'{"client_id": "' + ID.encode() + b'", "redirect_uris": ["https://app.example/cb"], "client_name": "\xff"}',
    ],
)
def test_a_document_that_two_readers_could_read_differently_is_no_document(
    phone: Phone, internet: Internet, body: bytes
) -> None:
    internet.pages[ID] = Page(body)
    for _ in range(2):
        assert refusal(send(phone, "/oauth/token", {"grant_type": "refresh_token", "client_id": ID})) == INVALID_CLIENT
    assert len(internet.requests) == 1


@pytest.mark.parametrize(
    "claims", ['{"id_token": {"sub": {"value": "\\ud800"}}}', '{"userinfo": {}, "userinfo": null}']
)
def test_claims_that_are_no_good_json_are_refused_as_any_other(svc: Services, phone: Phone, claims: str) -> None:
    app = register(svc, phone)
    assert refusal(app.post("/oauth/par", app.request(claims=claims))) == (400, "invalid_request")
