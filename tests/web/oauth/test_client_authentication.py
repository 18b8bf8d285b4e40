"""How a client proves who it is, and all that does not pass for it (RFC 6749 2.3, RFC 7523 3)."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import quote_plus

import pytest

from chalicelib.domain.errors import InvalidClientMetadata
from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, REFRESH
from chalicelib.flows.clients import authenticate as clients
from chalicelib.flows.clients import manage
from chalicelib.services import Services
from local.gateway import Answer
from tests.support import wire
from tests.support.browser import ASSERTION_TYPE, CALLBACK, ISSUER, App, basic, register, send, token_response
from tests.support.forge import by, by_hmac, compact, jwk, stranger
from tests.support.phone import Clock, Phone, refusal
from tests.support.staged import just_before

INVALID_CLIENT = (401, "invalid_client")
AUTHENTICATED = ("/oauth/token", "/oauth/par", "/oauth/device", "/oauth/revoke", "/oauth/introspect")
ASK = {"grant_type": CLIENT_CREDENTIALS}
MACHINE: dict[str, Any] = {"grant_types": (CLIENT_CREDENTIALS,), "redirect_uris": (), "scopes": ("notes:read",)}


@pytest.fixture
def machine(svc: Services, phone: Phone) -> App:
    """A machine with a secret, by HTTP Basic."""
    return register(svc, phone, "machine")


@pytest.fixture
def poster(svc: Services, phone: Phone) -> App:
    """A machine with a secret, in the body."""
    return register(svc, phone, "post", **MACHINE)


@pytest.fixture
def key_client(svc: Services, phone: Phone) -> App:
    """A machine with a key."""
    return register(svc, phone, "key", **MACHINE)


def request_token(phone: Phone, *, headers: Any = (), **fields: str) -> Answer:
    return send(phone, "/oauth/token", {**ASK, **fields}, headers=headers)


def send_assertion(app: App, assertion: str, **fields: str) -> Answer:
    return request_token(app.phone, client_assertion_type=ASSERTION_TYPE, client_assertion=assertion, **fields)


@pytest.mark.parametrize("path", AUTHENTICATED)
def test_every_endpoint_for_clients_wants_their_proof_before_anything_else(
    machine: App, key_client: App, phone: Phone, path: str
) -> None:
    fields = {**ASK, "token": "x", "redirect_uri": CALLBACK, "scope": "notes:read"}
    assert refusal(send(phone, path, fields)) == INVALID_CLIENT
    assert refusal(send(phone, path, {**fields, "client_id": "nobody"})) == INVALID_CLIENT
    for app in (machine, key_client):
        assert refusal(send(phone, path, {**fields, "client_id": app.id})) == INVALID_CLIENT
    wrong = send(phone, path, fields, headers=[("Authorization", basic(machine.id, "wrong"))])
    assert refusal(wrong) == INVALID_CLIENT
    assert (wrong.header("WWW-Authenticate") or "").startswith("Basic ")  # RFC 6749 section 5.2


def test_each_client_proves_itself_with_what_it_is_registered_for(
    machine: App, poster: App, key_client: App, phone: Phone
) -> None:
    for app in (machine, poster, key_client):
        token_response(app.token(CLIENT_CREDENTIALS))
    # A secret counts in either place: test_spellings.py.
    by_basic = [("Authorization", basic(key_client.id, "x"))]
    assert refusal(request_token(phone, headers=by_basic)) == INVALID_CLIENT
    assert refusal(request_token(phone, client_id=key_client.id, client_secret="")) == INVALID_CLIENT
    assertion = compact(
        {"alg": "HS256"},
        {"iss": machine.id, "sub": machine.id, "aud": ISSUER, "exp": machine.svc.now() + 60, "jti": "1"},
        by_hmac(machine.secret.encode()),
    )
    assert refusal(send_assertion(machine, assertion)) == INVALID_CLIENT


def test_two_ways_at_once_are_an_invalid_request(machine: App, poster: App, key_client: App, phone: Phone) -> None:
    invalid = (400, "invalid_request")
    by_basic = [("Authorization", basic(machine.id, machine.secret))]
    secret = {"client_id": machine.id, "client_secret": machine.secret}
    assertion = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": key_client.assertion()}
    assert refusal(request_token(phone, headers=by_basic, **{**secret, "client_secret": "x"})) == invalid
    wrong = [("Authorization", basic(machine.id, "x"))]
    assert refusal(request_token(phone, headers=wrong, **secret)) == invalid
    assert refusal(request_token(phone, headers=by_basic, **assertion)) == invalid
    assert refusal(request_token(phone, client_id=poster.id, client_secret=poster.secret, **assertion)) == invalid
    assert refusal(send_assertion(key_client, key_client.assertion(), client_secret="x")) == invalid
    # RFC 6749 section 2.3: nor is a way half taken, or one that is not known here, overlooked.
    kind = {"client_assertion_type": ASSERTION_TYPE}
    for other in ("Bearer x", "Digest x", "Basic"):
        assert refusal(request_token(phone, headers=[("Authorization", other)], **secret)) == invalid
        assert refusal(request_token(phone, headers=[("Authorization", other)], **assertion)) == invalid
    assert refusal(request_token(phone, headers=by_basic, **kind)) == invalid
    assert refusal(request_token(phone, **secret, **kind)) == invalid
    assert refusal(request_token(phone, client_id=key_client.id, **kind)) == invalid


@pytest.mark.parametrize("kind", ["web", "post"])
def test_a_secret_sent_by_basic_and_in_the_body_is_one_way(svc: Services, phone: Phone, kind: str) -> None:
    app = register(svc, phone, kind, grant_types=(CLIENT_CREDENTIALS,), redirect_uris=(), scopes=("notes:read",))
    by_basic = [("Authorization", basic(app.id, app.secret))]
    # As the kubernetes client for Python does it, with the id beside it or without.
    token_response(request_token(phone, headers=by_basic, client_secret=app.secret))
    token_response(request_token(phone, headers=by_basic, client_secret=app.secret, client_id=app.id))
    other = register(svc, phone, "machine")
    of_another = request_token(phone, headers=by_basic, client_secret=app.secret, client_id=other.id)
    assert refusal(of_another) == (400, "invalid_request")
    # One wrong secret is no better for being sent twice.
    wrong = [("Authorization", basic(app.id, other.secret))]
    assert refusal(request_token(phone, headers=wrong, client_secret=other.secret)) == INVALID_CLIENT


def described(answer: Answer) -> str:
    assert refusal(answer) == INVALID_CLIENT
    description: str = answer.json()["error_description"]
    return description


def test_a_refusal_names_what_was_sent_and_tells_no_client_from_another_or_none(
    machine: App, key_client: App, svc: Services, phone: Phone
) -> None:
    spa = register(svc, phone, "spa")
    ids = (machine.id, key_client.id, spa.id, "nobody")
    by_secret = {described(request_token(phone, client_id=each, client_secret="x")) for each in ids}
    by_basic = {described(request_token(phone, headers=[("Authorization", basic(each, "x"))])) for each in ids}
    assert len(by_secret) == 1
    assert by_secret == by_basic
    without = {described(request_token(phone, client_id=each)) for each in (machine.id, key_client.id, "nobody")}
    assert "secret" in without.pop()
    assert not without
    assert "Basic" in described(request_token(phone, headers=[("Authorization", "Bearer x")]))


def test_who_has_the_key_is_told_which_claim_is_wrong_and_others_are_not(key_client: App) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "`aud`": {"aud": "https://evil.example"},
        "`exp`": {"exp": 1},
        "`jti`": {"jti": ""},
    }
    for claim, changes in wrong.items():
        assert claim in described(send_assertion(key_client, key_client.assertion(**changes)))
    claims = {"iss": key_client.id, "sub": key_client.id, "aud": "https://evil.example", "jti": "1"}
    forged = compact({"alg": "ES256", "kid": "1"}, claims, by(stranger("ES256")))
    assert "`aud`" not in described(send_assertion(key_client, forged))


@pytest.mark.parametrize("name", ["client_secret", "client_assertion"])
@pytest.mark.parametrize("path", AUTHENTICATED)
def test_credentials_in_a_url_are_an_invalid_request(machine: App, path: str, name: str) -> None:
    answer = machine.post(f"{path}?{name}=x&client_id={machine.id}", {**ASK, "token": "x"})
    assert refusal(answer) == (400, "invalid_request")


def test_a_secret_is_neither_echoed_nor_logged(
    machine: App, poster: App, phone: Phone, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = "wrong-secret-of-somebody"
    answers = [
        request_token(phone, client_id=poster.id, client_secret=wrong),
        request_token(phone, headers=[("Authorization", basic(machine.id, wrong))]),
        send(phone, f"/oauth/token?client_secret={wrong}", ASK),
        machine.token(CLIENT_CREDENTIALS),
        poster.token(CLIENT_CREDENTIALS),
    ]
    output = "".join(answer.body.decode() for answer in answers) + capsys.readouterr().out
    for secret in (wrong, machine.secret, poster.secret, clients.digest_of(machine.secret)):
        assert secret not in output


def raw_basic(text: bytes) -> list[tuple[str, str]]:
    return [("Authorization", "Basic " + base64.b64encode(text).decode())]


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b":").decode(),
        "Basic " + base64.b64encode(b"").decode(),
        "Basic " + base64.b64encode(b":secret").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:secret").decode(),
        "Basic " + base64.b64encode(b"a:%ff").decode(),
        "Basic " + base64.b64encode(b"%ff%fe:b").decode(),
        "Basic " + base64.b64encode(b"a\x00b:c").decode(),
        "Basic " + base64.b64encode(b"a#b:c").decode(),
        "Basic " + base64.b64encode(b"x" * 3000 + b":y").decode(),
        "Basic " + base64.b64encode(b"a:b").decode() + " trailing",
        "Basic " + base64.b64encode(b"a:b").decode().rstrip("="),
        "Bearer abc",
        "Digest x",
        "basic",
        "é",
    ],
    ids=lambda header: header[:40],
)
def test_a_header_that_is_no_good_basic_credentials_is_an_invalid_client(phone: Phone, header: str) -> None:
    assert refusal(request_token(phone, headers=[("Authorization", header)])) == INVALID_CLIENT


@pytest.mark.parametrize("secret", ["with space", "100%", "%41", "a:b", "a+b", "a&b=c", "ünï", "'\"\\", "%zz"])
@pytest.mark.parametrize("client_id", ["plain", "https://app.example/client id", "a:b", "a%b", "a+b", "ünï", "a#b"])
def test_odd_ids_and_secrets_work_form_encoded_in_the_header_and_in_the_body(
    svc: Services, phone: Phone, client_id: str, secret: str
) -> None:
    for kind, method in (("machine", "client_secret_basic"), ("post", "client_secret_post")):
        app = register(svc, phone, kind, **{**MACHINE, "client_id": f"{client_id}-{method}"})
        client = svc.clients.read(app.id)
        assert client
        stored = {"secrets": (clients.digest_of(secret),), "version": client.version + 1}
        assert svc.clients.replace(client, type(client)(**{**_fields(client), **stored}))
        app.secret = secret
        token_response(app.token(CLIENT_CREDENTIALS))


def _fields(client: Any) -> dict[str, Any]:
    return {name: getattr(client, name) for name in client.__dataclass_fields__}


def test_basic_is_known_in_any_case_and_a_client_id_beside_it_has_to_agree(machine: App, phone: Phone) -> None:
    encoded = basic(machine.id, machine.secret).removeprefix("Basic ")
    for scheme in ("basic", "BASIC", "Basic"):
        token_response(request_token(phone, headers=[("Authorization", f"{scheme} {encoded}")]))
    good = [("Authorization", f"Basic {encoded}")]
    token_response(request_token(phone, headers=good, client_id=machine.id))
    assert refusal(request_token(phone, headers=good, client_id="another")) == INVALID_CLIENT
    assert request_token(phone, headers=[*good, *good]).status == 400


@pytest.mark.parametrize(
    "change", [lambda s: s[:-1], lambda s: s + "x", lambda s: s.swapcase(), lambda _: "", lambda s: f" {s}"]
)
def test_a_secret_that_is_nearly_right_is_wrong(machine: App, poster: App, phone: Phone, change: Any) -> None:
    header = [("Authorization", basic(machine.id, change(machine.secret)))]
    assert refusal(request_token(phone, headers=header)) == INVALID_CLIENT
    assert refusal(request_token(phone, client_id=poster.id, client_secret=change(poster.secret))) == INVALID_CLIENT
    digest = clients.digest_of(poster.secret)
    assert refusal(request_token(phone, client_id=poster.id, client_secret=digest)) == INVALID_CLIENT


def test_after_a_rotation_the_old_secret_works_until_the_next_one(poster: App, svc: Services, phone: Phone) -> None:
    old = poster.secret
    new = manage.rotate_secret(svc, poster.client, keep_old=True)
    for secret in (old, new):
        token_response(request_token(phone, client_id=poster.id, client_secret=secret))
    current = svc.clients.read(poster.id)
    assert current
    newest = manage.rotate_secret(svc, current, keep_old=False)
    for secret in (old, new):
        assert refusal(request_token(phone, client_id=poster.id, client_secret=secret)) == INVALID_CLIENT
    token_response(request_token(phone, client_id=poster.id, client_secret=newest))


# RFC 7523 section 3
BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "no issuer": {"iss": None},
    "issuer of another kind": {"iss": ["x"]},
    "another issuer": {"iss": "nobody"},
    "no subject": {"sub": None},
    "another subject": {"sub": "nobody"},
    "no audience": {"aud": None},
    "another audience": {"aud": "https://evil.example"},
    "ours and another": {"aud": [ISSUER, "https://evil.example"]},
    "an empty audience": {"aud": []},
    "nearly ours": {"aud": ISSUER + "/"},
    "an object": {"aud": {ISSUER: 1}},
    "no expiry": {"exp": None},
    "expired": {"exp": 1_800_000_000 - 61},
    "too far ahead": {"exp": 1_800_000_000 + 24 * 3600},
    "expiry as a text": {"exp": "1800000060"},
    "expiry as a truth": {"exp": True},
    "expiry that is no number": {"exp": float("nan")},
    "a time that is no number": {"iat": float("nan")},
    "expiry without end": {"exp": 1e400},
    "not yet": {"nbf": 1_800_000_000 + 120},
    "from the future": {"iat": 1_800_000_000 + 120},
    "time as a text": {"iat": "now"},
    "no jti": {"jti": None},
    "an empty jti": {"jti": ""},
    "a long jti": {"jti": "x" * 501},
    "a jti of another kind": {"jti": 7},
}


@pytest.mark.parametrize(("bits", "accepted"), [(1024, False), (2048, True)])
def test_a_short_key_of_an_earlier_release_proves_no_client(
    svc: Services, key_client: App, bits: int, accepted: bool
) -> None:
    """RFC 7518 section 3.3; FAPI 2.0 Security Profile 5.4.1."""
    key, old = stranger("RS256", rsa_bits=bits), key_client.client
    keys = {"keys": [{**jwk(key), "kid": "1"}]}
    assert svc.clients.replace(old, replace(old, jwks=keys, version=old.version + 1))
    claims = {"iss": old.client_id, "sub": old.client_id, "aud": ISSUER, "exp": svc.now() + 60, "jti": "1"}
    answer = send_assertion(key_client, compact({"alg": "RS256", "kid": "1"}, claims, by(key)))
    assert answer.status == 200 if accepted else refusal(answer) == INVALID_CLIENT
    if not accepted:
        with pytest.raises(InvalidClientMetadata) as refused:
            manage.create(svc, replace(old, client_id="", jwks=keys))
        assert "2048" in refused.value.description


@pytest.mark.parametrize("changes", BAD_CLAIMS.values(), ids=BAD_CLAIMS)
def test_an_assertion_that_is_not_ours_to_hear_of_this_client_and_short_lived_is_refused(
    key_client: App, changes: dict[str, Any]
) -> None:
    assert refusal(send_assertion(key_client, key_client.assertion(**changes))) == INVALID_CLIENT


@pytest.mark.parametrize("aud", [ISSUER, f"{ISSUER}/oauth/token", [ISSUER], [ISSUER, f"{ISSUER}/oauth/token"]], ids=str)
def test_an_assertion_may_be_for_the_issuer_or_the_token_endpoint(key_client: App, aud: object) -> None:
    token_response(send_assertion(key_client, key_client.assertion(aud=aud)))


# What a client that was authenticated is answered which has registered for tokens of its own alone.
AUTHENTICATED_ANSWERS = {
    "/oauth/token": "",
    "/oauth/par": "invalid_request",
    "/oauth/device": "unauthorized_client",
    "/oauth/revoke": "",
    "/oauth/introspect": "unauthorized_client",
    "/oauth/authorize-challenge": "unauthorized_client",
}


@pytest.mark.parametrize(("path", "error"), AUTHENTICATED_ANSWERS.items())
def test_an_assertion_may_be_for_the_endpoint_that_it_is_sent_to(key_client: App, path: str, error: str) -> None:
    proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": key_client.assertion(aud=ISSUER + path)}
    answer = send(key_client.phone, path, {**ASK, "token": "x", **proof})
    assert (json.loads(answer.body or b"{}").get("error", ""), answer.status == 200) == (error, not error)


def test_times_may_have_fractions_and_an_assertion_with_them_is_good_once_too(key_client: App, clock: Clock) -> None:
    now = clock()
    assertion = key_client.assertion(exp=now + 60.5, nbf=now - 0.5, iat=now - 0.5)
    token_response(send_assertion(key_client, assertion))
    clock.advance(120)
    assert refusal(send_assertion(key_client, assertion)) == INVALID_CLIENT


def test_an_assertion_is_good_once(key_client: App, clock: Clock) -> None:
    assertion = key_client.assertion(exp=key_client.svc.now() + 300)
    token_response(send_assertion(key_client, assertion))
    for _ in range(4):
        assert refusal(send_assertion(key_client, assertion)) == INVALID_CLIENT
        clock.advance(100)
    fresh = key_client.assertion(jti="again")
    token_response(send_assertion(key_client, fresh))
    assert refusal(send_assertion(key_client, key_client.assertion(jti="again"))) == INVALID_CLIENT


def test_of_one_assertion_sent_many_times_at_once_one_counts(key_client: App, svc: Services) -> None:
    assertion = key_client.assertion()
    with just_before(wire.clients(svc)[0], "PutItem", lambda: token_response(send_assertion(key_client, assertion))):
        assert refusal(send_assertion(key_client, assertion)) == INVALID_CLIENT
    other = key_client.assertion()
    with ThreadPoolExecutor(8) as pool:
        statuses = [answer.status for answer in pool.map(lambda _: send_assertion(key_client, other), range(8))]
    assert sorted(statuses) == [200] + [401] * 7


def test_two_clients_may_use_the_same_jti(key_client: App, svc: Services, phone: Phone) -> None:
    other = register(svc, phone, "key", **MACHINE)
    token_response(send_assertion(key_client, key_client.assertion(jti="1")))
    token_response(send_assertion(other, other.assertion(jti="1")))


def test_an_assertion_that_is_refused_does_not_use_up_its_jti(key_client: App) -> None:
    assert (
        refusal(send_assertion(key_client, key_client.assertion(jti="1", aud="https://evil.example"))) == INVALID_CLIENT
    )
    token_response(send_assertion(key_client, key_client.assertion(jti="1")))


def test_an_assertion_has_to_be_signed_by_the_clients_own_key(key_client: App, svc: Services, phone: Phone) -> None:
    other = register(svc, phone, "key", **MACHINE)
    claims = {"iss": key_client.id, "sub": key_client.id, "aud": ISSUER, "exp": svc.now() + 60, "jti": "1"}
    assert other.key
    assert key_client.key
    public = json.dumps(jwk(key_client.key)).encode()
    forged = {
        "another client's key": compact({"alg": "ES256", "kid": "1"}, claims, by(other.key)),
        "nobody's key": compact({"alg": "ES256", "kid": "1", "jwk": jwk(other.key)}, claims, by(other.key)),
        "no signature": compact({"alg": "none", "kid": "1"}, claims, lambda _: b""),
        "none in capitals": compact({"alg": "NONE", "kid": "1"}, claims, lambda _: b""),
        "the public key as a secret": compact({"alg": "HS256", "kid": "1"}, claims, by_hmac(public)),
        "an empty secret": compact({"alg": "HS256", "kid": "1"}, claims, by_hmac(b"")),
        "another algorithm's name": compact({"alg": "RS256", "kid": "1"}, claims, by(key_client.key)),
        "no algorithm": compact({"kid": "1"}, claims, by(key_client.key)),
        "an unknown kid": compact({"alg": "ES256", "kid": "2"}, claims, by(key_client.key)),
        "a kid of another kind": compact({"alg": "ES256", "kid": ["1"]}, claims, by(key_client.key)),
        "a critical header": compact({"alg": "ES256", "kid": "1", "crit": ["x"], "x": 1}, claims, by(key_client.key)),
        "a signature of zeros": compact({"alg": "ES256", "kid": "1"}, claims, lambda _: bytes(64)),
        "a stripped signature": compact({"alg": "ES256", "kid": "1"}, claims, lambda _: b""),
        "no JSON": compact("{", claims, by(key_client.key)),
        "an array": compact({"alg": "ES256", "kid": "1"}, [claims], by(key_client.key)),
        "deep": compact({"alg": "ES256", "kid": "1"}, "[" * 1500, by(key_client.key)),
        "two parts": "e30.e30",
        "not ASCII": "é.é.é",
        "long": "x" * 8000,
    }
    for name, assertion in forged.items():
        status, code = refusal(send_assertion(key_client, assertion))
        assert (status, code) == INVALID_CLIENT, name
    token_response(send_assertion(key_client, compact({"alg": "ES256", "kid": "1"}, claims, by(key_client.key))))


def test_an_assertion_without_a_kid_is_checked_with_the_clients_only_key(key_client: App) -> None:
    token_response(send_assertion(key_client, key_client.assertion(header={"alg": "ES256"})))


def test_a_key_among_several_is_found_by_its_kid(svc: Services, phone: Phone) -> None:
    first, second = stranger("ES256"), stranger("RS256")
    jwks = {"keys": [{**jwk(first), "kid": "a"}, {**jwk(second), "kid": "b", "alg": "RS256", "use": "sig"}]}
    app = register(svc, phone, "key", **MACHINE, jwks=jwks)
    claims = {"iss": app.id, "sub": app.id, "aud": ISSUER, "exp": svc.now() + 60}
    for key, algorithm, kid in ((first, "ES256", "a"), (second, "RS256", "b")):
        token_response(send_assertion(app, compact({"alg": algorithm, "kid": kid}, {**claims, "jti": kid}, by(key))))
    crossed = compact({"alg": "ES256", "kid": "b"}, {**claims, "jti": "c"}, by(first))
    assert refusal(send_assertion(app, crossed)) == INVALID_CLIENT


@pytest.mark.parametrize("kind", ["", "x", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"])
def test_an_assertion_of_another_type_is_malformed(key_client: App, phone: Phone, kind: str) -> None:
    answer = request_token(phone, client_assertion_type=kind, client_assertion=key_client.assertion())
    assert answer.status in (400, 401)
    assert answer.json()["error"] in ("invalid_request", "invalid_client")


def test_a_client_id_beside_an_assertion_has_to_agree(key_client: App, machine: App) -> None:
    token_response(send_assertion(key_client, key_client.assertion(), client_id=key_client.id))
    assert refusal(send_assertion(key_client, key_client.assertion(), client_id=machine.id)) == INVALID_CLIENT


def test_a_public_client_that_sends_a_secret_is_refused(svc: Services, phone: Phone) -> None:
    app = register(svc, phone, "spa")
    fields = {"grant_type": REFRESH, "refresh_token": "x", "client_id": app.id}
    assert refusal(send(phone, "/oauth/token", fields)) == (400, "invalid_grant")
    assert refusal(send(phone, "/oauth/token", {**fields, "client_secret": "x"})) == INVALID_CLIENT
    for credentials in (basic(app.id, "x"), "Bearer x"):
        header = [("Authorization", credentials)]
        assert refusal(send(phone, "/oauth/token", fields, headers=header)) == INVALID_CLIENT


def test_an_unknown_client_and_a_wrong_secret_are_one_answer(machine: App, phone: Phone) -> None:
    unknown = request_token(phone, headers=[("Authorization", basic("nobody", "x"))])
    wrong = request_token(phone, headers=[("Authorization", basic(machine.id, "x"))])
    assert unknown.body == wrong.body
    assert unknown.header("WWW-Authenticate") == wrong.header("WWW-Authenticate")


def test_a_failed_read_of_the_client_is_a_503_and_never_an_invalid_client(machine: App, svc: Services) -> None:
    with wire.down(svc, "dynamodb"):
        assert refusal(machine.token(CLIENT_CREDENTIALS)) == (503, "temporarily_unavailable")
    token_response(machine.token(CLIENT_CREDENTIALS))


def test_raw_credentials_without_form_encoding_work_where_they_are_the_same(machine: App, phone: Phone) -> None:
    token_response(request_token(phone, headers=raw_basic(f"{machine.id}:{machine.secret}".encode())))
    assert quote_plus(machine.secret) == machine.secret


@pytest.mark.parametrize(("registered", "accepted"), [("ES256", True), ("", True), ("PS256", False), ("EdDSA", False)])
def test_an_assertion_is_signed_with_the_algorithm_that_its_client_registered(
    svc: Services, phone: Phone, registered: str, accepted: bool
) -> None:
    app = register(svc, phone, "key", token_endpoint_auth_signing_alg=registered)
    answer = app.post("/oauth/revoke", {"token": "x"})
    assert answer.status == (200 if accepted else 401)


def test_an_algorithm_counts_by_either_of_its_names(svc: Services, phone: Phone) -> None:
    key = stranger("EdDSA")
    for name in ("EdDSA", "Ed25519"):
        jwks = {"keys": [{**jwk(key), "kid": "1"}]}
        app = replace(register(svc, phone, "key", jwks=jwks, token_endpoint_auth_signing_alg=name), key=key)
        for header in ("EdDSA", "Ed25519"):
            assertion = app.assertion(header={"alg": header, "kid": "1"})
            fields = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion, "token": "x"}
            assert send(phone, "/oauth/revoke", fields).status == 200
