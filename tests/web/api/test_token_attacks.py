"""Access tokens that must not be taken, sent to a guarded route and to POST /verify."""

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from http.client import BadStatusLine
from itertools import product
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from chalicelib.config import Settings
from chalicelib.domain.accounts.passwords import CHEAPEST_ONLY_FOR_TESTS
from chalicelib.domain.crypto.handles import REFRESH as PURPOSE
from chalicelib.guard import functions as guard
from chalicelib.guard.verifier import RELOAD_SECONDS, Guard
from chalicelib.services import Services
from tests.support import forge, wire
from tests.support.aws import container
from tests.support.forge import b64, by, by_hmac, compact, peek, resigned, segment
from tests.support.phone import Clock, Phone, installed, refusal

ALGORITHMS = ("RS256", "ES256", "EdDSA")
MARK = "only-the-attacker-knows"


@dataclass
class Target:
    """A deployment with one user logged in, and the key that it signs with."""

    algorithm: str
    phone: Phone
    svc: Services
    clock: Clock
    access: str = ""
    refresh: str = ""
    private: Any = None

    def __post_init__(self) -> None:
        session = self.phone.sign_up()
        self.access, self.refresh = session["access_token"], session["refresh_token"]
        self.private = self.svc.keys.read(self.clock()).signing[0].private

    @property
    def sign(self) -> forge.Signer:
        return by(self.private)

    @property
    def public(self) -> Any:
        return self.private.public_key()


def at(algorithm: str, settings: Settings, clock: Clock) -> Iterator[Target]:
    svc = container(
        replace(settings, algorithm=algorithm, keys_path=f"/{uuid4().hex}"), now=clock, hashing=CHEAPEST_ONLY_FOR_TESTS
    )
    with installed(svc):
        yield Target(algorithm, Phone(clock), svc, clock)


@pytest.fixture(params=ALGORITHMS)
def target(request: pytest.FixtureRequest, settings: Settings, clock: Clock) -> Iterator[Target]:
    """A deployment for each of the algorithms."""
    yield from at(request.param, settings, clock)


@pytest.fixture
def es256(settings: Settings, clock: Clock) -> Iterator[Target]:
    """A deployment where the algorithm makes no difference."""
    yield from at("ES256", settings, clock)


def assert_refused(target: Target, token: str) -> None:
    """Sends a token everywhere that takes one; nobody may take it, no table may be asked, and nothing of it be echoed."""
    with wire.watched(target.svc) as traffic:
        answer = target.phone.call("GET /me", token=token)
        introspection = target.phone.call("POST /verify", {"token": token})
    assert refusal(answer) == (401, "invalid_token")
    assert (introspection.status, introspection.json()) == (200, {"active": False})
    assert traffic.calls == []
    assert MARK not in str(answer) + str(introspection)


def accepted(target: Target, token: str) -> bool:
    """Whether a token opens a guarded route, which must then agree with POST /verify."""
    status = target.phone.call("GET /me", token=token).status
    active = target.phone.call("POST /verify", {"token": token}).json()["active"]
    assert (status == 200) == active
    return active is True


def test_a_token_made_by_hand_with_our_key_is_taken(target: Target) -> None:
    # Or else every refusal below would prove nothing.
    assert accepted(target, target.access)
    assert accepted(target, resigned(target.access, target.sign, jti="made by hand"))


# 1
@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", None, "n\u043ene"])
def test_no_signature_is_no_token_however_none_is_spelled(es256: Target, alg: str | None) -> None:
    header, claims = peek(es256.access)
    unsigned = f"{segment({**header, 'alg': alg})}.{segment(claims)}."
    assert_refused(es256, unsigned)
    assert_refused(es256, unsigned + es256.access.rpartition(".")[2])


# 2
def public_texts(target: Target) -> dict[str, bytes]:
    encodings = {
        "pem": (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        "der": (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        "ssh": (serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH),
    }
    if target.algorithm == "RS256":
        encodings["pkcs1"] = (serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
    texts = {name: target.public.public_bytes(*how) for name, how in encodings.items()}
    published = target.phone.call("GET /.well-known/jwks.json")
    jwk = published.json()["keys"][0]
    return {
        **texts,
        "pem without its line end": texts["pem"].strip(),
        "jwk": json.dumps(jwk).encode(),
        "jwk without spaces": json.dumps(jwk, separators=(",", ":")).encode(),
        "jwk set": published.body,
        "x": jwk.get("x", jwk.get("n")).encode(),
        "kid": jwk["kid"].encode(),
        "nothing": b"",
    }


def test_our_public_key_is_no_hmac_secret_in_any_form(target: Target) -> None:
    header, claims = peek(target.access)
    for secret in public_texts(target).values():
        for alg in ("HS256", target.algorithm):
            assert_refused(target, compact({**header, "alg": alg}, claims, by_hmac(secret)))


# 3
@pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512", "PS256", "ES256", "ES256K", "ES384", "EdDSA", "Ed25519"])
def test_the_algorithm_is_the_keys_own_whatever_the_header_says(target: Target, alg: str) -> None:
    header, _ = peek(target.access)
    same = alg == target.algorithm
    assert accepted(target, resigned(target.access, target.sign, header={**header, "alg": alg})) is same


@pytest.mark.parametrize("target", ["RS256"], indirect=True)
def test_an_rsa_key_verifies_with_its_own_padding_and_hash_only(target: Target) -> None:
    header, claims = peek(target.access)
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    for alg, pad, digest in (
        ("PS256", pss, hashes.SHA256()),
        ("RS256", pss, hashes.SHA256()),
        ("RS512", padding.PKCS1v15(), hashes.SHA512()),
        ("RS256", padding.PKCS1v15(), hashes.SHA512()),
    ):
        sign = partial(_sign_with, target.private, pad, digest)
        assert_refused(target, compact({**header, "alg": alg}, claims, sign))


def _sign_with(private: Any, pad: object, digest: object, signing_input: bytes) -> bytes:
    signature: bytes = private.sign(signing_input, pad, digest)
    return signature


# 4
def test_a_stripped_or_shortened_signature_is_refused(target: Target) -> None:
    signing_input, _, signature = target.access.rpartition(".")
    for changed in ("", "A", "AA", signature[:-4], signature[4:], signature + "AAAA", b64(bytes(len(signature)))):
        assert_refused(target, f"{signing_input}.{changed}")
    assert_refused(target, signing_input)


def test_a_token_of_the_wrong_number_of_parts_is_refused(es256: Target) -> None:
    header, payload, signature = es256.access.split(".")
    for parts in (
        [header],
        [header, payload],
        [header, payload, signature, signature],
        [header, payload, "", signature],
        ["", payload, signature],
        [header, "", signature],
        [header, payload, signature, "", ""],
        ["", "", ""],
    ):
        assert_refused(es256, ".".join(parts))


def test_any_bit_turned_in_a_token_is_seen(es256: Target) -> None:
    signing_input, _, signature = es256.access.rpartition(".")
    raw = forge.unb64(signature)
    for place in range(len(raw)):
        assert_refused(es256, f"{signing_input}.{b64(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])}")
    for place in range(0, len(signing_input), 7):
        other = "A" if signing_input[place] != "A" else "B"
        assert_refused(es256, f"{signing_input[:place]}{other}{signing_input[place + 1 :]}.{signature}")


def test_a_token_has_one_spelling(target: Target) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for spare in range(1, 16):
        last = alphabet[alphabet.index(target.access[-1]) ^ spare]
        assert_refused(target, target.access[:-1] + last)
    signing_input, _, signature = target.access.rpartition(".")
    for changed in (signature.replace("-", "+").replace("_", "/") + "==", f"{signature[:9]} {signature[9:]}"):
        assert_refused(target, f"{signing_input}.{changed}")


@pytest.mark.parametrize("ending", ["=", "==", "\n", "!", ",", "%", ".", "\u00a0", ", Bearer x"])
def test_nothing_may_follow_a_token(es256: Target, ending: str) -> None:
    # One token has one spelling, or a cache and a list of revoked tokens could be talked around.
    assert_refused(es256, es256.access + ending)


# 5
def test_a_key_that_comes_with_the_token_is_not_trusted(target: Target) -> None:
    stranger = forge.stranger(target.algorithm)
    header, _ = peek(target.access)
    own = forge.jwk(stranger)
    for extra in (
        {"jwk": own},
        {"jwk": {**own, "kid": header["kid"], "alg": target.algorithm}},
        {"jwk": {**own, "kid": MARK}, "kid": MARK},
        {"jwk": own, "kid": None},
    ):
        changed = {name: value for name, value in {**header, **extra}.items() if value is not None}
        assert_refused(target, resigned(target.access, by(stranger), header=changed))
    assert_refused(target, resigned(target.access, by(stranger)))


# 6
@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A list of all addresses that anybody tried to reach; none is reached."""
    tried: list[object] = []

    def refuse(*address: object, **_: object) -> None:
        tried.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return tried


@pytest.mark.parametrize("name", ["jku", "x5u", "x5c", "x5t", "x5t#S256", "url"])
def test_a_key_that_the_token_points_to_is_not_fetched(es256: Target, no_sockets: list[object], name: str) -> None:
    stranger = forge.stranger("ES256")
    header, _ = peek(es256.access)
    where: object = ["MIIB" + MARK] if name == "x5c" else f"http://127.0.0.1:9/{MARK}.json"
    for kid in (header["kid"], MARK):
        assert_refused(es256, resigned(es256.access, by(stranger), header={**header, name: where, "kid": kid}))
    assert_refused(es256, resigned(es256.access, es256.sign, header={**header, name: where}))
    assert no_sockets == []


# 7
KIDS: list[object] = [
    "../../../../dev/null",
    "/dev/null",
    "/proc/self/environ",
    "file:///etc/passwd",
    "x' UNION SELECT 'key'; --",
    "http://169.254.169.254/latest/meta-data/",
    "| id",
    "%00",
    "\x00",
    "",
    "keys",
    "__class__",
    ["a"],
    [],
    {"kid": "a"},
    None,
    0,
    1e308,
    True,
    "k" * 4000,
]


def test_a_kid_is_looked_up_and_nothing_else(es256: Target, no_sockets: list[object]) -> None:
    header, _ = peek(es256.access)
    for kid, sign in product(KIDS, (es256.sign, by_hmac(b""), by_hmac(bytes(32)))):
        assert_refused(es256, resigned(es256.access, sign, header={**header, "kid": kid}))
    assert no_sockets == []


def test_a_kid_of_10_kb_is_refused_by_its_length(es256: Target) -> None:
    header, _ = peek(es256.access)
    token = resigned(es256.access, es256.sign, header={**header, "kid": "k" * 10_240})
    assert refusal(es256.phone.call("GET /me", token=token)) == (401, "invalid_token")
    assert refusal(es256.phone.call("POST /verify", {"token": token})) == (400, "invalid_request")


def test_the_kid_of_another_of_our_keys_does_not_pass(es256: Target) -> None:
    es256.svc.keys.create_signing(2, algorithm="ES256", active_at=es256.clock() + 10)
    es256.clock.advance(120)
    second = es256.svc.keys.read(es256.clock()).signing[1]
    header, _ = peek(es256.access)
    assert_refused(es256, resigned(es256.access, es256.sign, header={**header, "kid": second.kid}))
    assert accepted(es256, resigned(es256.access, by(second.private), header={**header, "kid": second.kid}))


# 8
@dataclass
class KeyServer:
    """Where the guard reads public keys; it counts, and answers with whatever it is told to."""

    answer: Any
    requests: int = 0

    def __call__(self, _url: str) -> Any:
        self.requests += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def guarded_by(target: Target, fetch: Callable[[str], Any]) -> None:
    guard.use(Guard(target.svc.settings, fetch=fetch, in_force=guard._in_force, now=target.clock))


def unknown(target: Target, kid: str = "unknown") -> str:
    header, _ = peek(target.access)
    return resigned(target.access, by(forge.stranger("ES256")), header={**header, "kid": kid})


def published(target: Target) -> list[dict[str, str]]:
    keys: list[dict[str, str]] = target.phone.call("GET /.well-known/jwks.json").json()["keys"]
    return keys


def test_a_flood_of_unknown_keys_causes_one_reload_an_interval(es256: Target) -> None:
    server = KeyServer(published(es256))
    guarded_by(es256, server)
    for interval in range(1, 4):
        for number in range(20):
            assert refusal(es256.phone.call("GET /me", token=unknown(es256, f"{interval}-{number}")))[0] == 401
            es256.clock.advance(2)
        assert server.requests == interval
        assert es256.phone.call("GET /me", token=es256.access).status == 200
        es256.clock.advance(RELOAD_SECONDS)


def test_a_key_that_is_struck_out_counts_for_an_hour_at_most(es256: Target) -> None:
    struck_out = published(es256)
    server = KeyServer(struck_out)
    guarded_by(es256, server)
    lasting = resigned(es256.access, es256.sign, exp=es256.clock() + 7200)
    assert es256.phone.call("GET /me", token=unknown(es256)).status == 401
    es256.clock.advance(301)  # past the gateway's own memory of the policy
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    server.answer = [{**struck_out[0], **json.loads(jwt.algorithms.ECAlgorithm.to_jwk(other))}]
    assert es256.phone.call("GET /me", token=lasting).status == 200
    es256.clock.advance(3600)
    assert es256.phone.call("GET /me", token=lasting).status == 401


def test_a_flood_of_unknown_keys_at_verify_reads_the_store_once_an_interval(es256: Target) -> None:
    with wire.watched(es256.svc) as traffic:
        for interval in range(1, 4):
            es256.clock.advance(60)
            for number in range(20):
                token = unknown(es256, f"{interval}-{number}")
                assert es256.phone.call("POST /verify", {"token": token}).json() == {"active": False}
            assert traffic.calls == ["GetParametersByPath"] * interval


RUBBISH = [
    OSError("refused"),
    TimeoutError("slow"),
    ValueError("not JSON"),
    KeyError("keys"),
    RuntimeError("anything"),
    BadStatusLine("rubbish"),
    [],
    None,
    {},
    ["text"],
    [{}],
    [{"kty": "oct", "k": "AAAA", "alg": "HS256", "kid": "a"}],
    [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "alg": "ES256", "kid": "a"}],
    [{"kty": "quantum", "alg": "QS1", "kid": "a"}],
]


@pytest.mark.parametrize("rubbish", RUBBISH, ids=repr)
def test_without_the_key_list_known_keys_still_work_and_an_unknown_one_is_a_fault(
    es256: Target, rubbish: object
) -> None:
    server = KeyServer(published(es256))
    guarded_by(es256, server)
    assert es256.phone.call("GET /me", token=es256.access).status == 200
    server.answer = rubbish
    es256.clock.advance(RELOAD_SECONDS)
    for _ in range(3):
        # It may be a good token: a 401 would make its owner throw a session away.
        assert refusal(es256.phone.call("GET /me", token=unknown(es256)))[0] == 500
        assert es256.phone.call("GET /me", token=es256.access).status == 200
        es256.clock.advance(1)
    assert server.requests == 2
    server.answer = published(es256)
    es256.clock.advance(RELOAD_SECONDS)
    assert refusal(es256.phone.call("GET /me", token=unknown(es256))) == (401, "invalid_token")


def test_a_guard_that_cannot_get_its_first_keys_neither_admits_nor_blames(es256: Target) -> None:
    server = KeyServer(OSError("refused"))
    guarded_by(es256, server)
    assert refusal(es256.phone.call("GET /me", token=es256.access))[0] == 500
    server.answer = published(es256)
    es256.clock.advance(RELOAD_SECONDS)
    assert es256.phone.call("GET /me", token=es256.access).status == 200


def test_verify_answers_503_for_an_unknown_key_when_the_store_cannot_be_read(es256: Target) -> None:
    es256.clock.advance(61)
    failing = wire.Wire(fail_at=1, failure=wire.refusing("ThrottlingException"))
    with wire.watched(es256.svc, failing):
        for _ in range(3):
            assert refusal(es256.phone.call("POST /verify", {"token": unknown(es256)})) == (
                503,
                "temporarily_unavailable",
            )
        assert es256.phone.call("POST /verify", {"token": es256.access}).json()["active"] is True
        assert failing.calls == ["GetParametersByPath", "BatchGetItem"]
        es256.clock.advance(61)
        assert es256.phone.call("POST /verify", {"token": unknown(es256)}).json() == {"active": False}


# 9
@pytest.mark.parametrize(
    "extra",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": ["b64"], "b64": True},
        {"crit": ["b64"], "b64": False},
        {"crit": ["missing"]},
        {"crit": ["alg"]},
        {"crit": "exp"},
        {"crit": None},
        {"crit": {}},
        {"crit": ["x"], "x": 1},
        {"b64": False},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"anything": 1},
    ],
    ids=str,
)
def test_a_header_with_anything_more_than_ours_is_refused(es256: Target, extra: dict[str, Any]) -> None:
    header, _ = peek(es256.access)
    assert_refused(es256, resigned(es256.access, es256.sign, header={**header, **extra}))


def test_a_header_that_says_a_thing_twice_is_refused(es256: Target) -> None:
    header, claims = peek(es256.access)
    for twice in ('"alg":"none"', '"alg":"ES256"', '"kid":"other"', '"typ":"JWT"'):
        text = json.dumps(header, separators=(",", ":"))
        for doubled in (text.replace("{", "{" + twice + ",", 1), text[:-1] + "," + twice + "}"):
            assert_refused(es256, compact(doubled, claims, es256.sign))


# 10
def test_an_ecdsa_signature_of_zeros_or_of_another_form_is_refused(es256: Target) -> None:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    _, claims = peek(es256.access)
    header, _ = peek(es256.access)

    def der(signing_input: bytes) -> bytes:
        signature: bytes = es256.private.sign(signing_input, ec.ECDSA(hashes.SHA256()))
        return signature

    pairs = [(0, 0), (0, 1), (1, 0), (order, order), (order, 0), (1, 1), (order - 1, order - 1)]
    constant = [r.to_bytes(32, "big") + s.to_bytes(32, "big") for r, s in pairs]
    signers: list[forge.Signer] = [der, *[lambda _, c=c: c for c in constant]]
    lengthened: list[forge.Signer] = [
        lambda signing_input: es256.sign(signing_input) + b"\x00",
        lambda signing_input: b"\x00" + es256.sign(signing_input),
        lambda signing_input: es256.sign(signing_input)[:32] + b"\x00" + es256.sign(signing_input)[32:],
        lambda signing_input: es256.sign(signing_input)[:-1],
        lambda signing_input: bytes(16) + es256.sign(signing_input) + bytes(16),
    ]
    for sign in (*signers, *lengthened):
        assert_refused(es256, compact(header, claims, sign))


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1()], ids=lambda curve: curve.name)
def test_a_key_on_another_curve_is_refused(es256: Target, curve: ec.EllipticCurve) -> None:
    header, _ = peek(es256.access)
    other = ec.generate_private_key(curve)
    for alg in ("ES256", "ES384", "ES512", "ES256K"):
        assert_refused(es256, resigned(es256.access, by(other), header={**header, "alg": alg}))


@pytest.mark.parametrize("target", ["EdDSA"], indirect=True)
def test_an_eddsa_signature_of_zeros_or_of_small_order_is_refused(target: Target) -> None:
    header, claims = peek(target.access)
    identity = b"\x01" + bytes(31)
    for signature in (bytes(64), identity + bytes(32), b"\xff" * 64, bytes(32) + b"\xff" * 32):
        assert_refused(target, compact(header, claims, lambda _, s=signature: s))  # type: ignore[misc]


@pytest.mark.parametrize("target", ["RS256"], indirect=True)
def test_an_rsa_signature_made_with_a_low_exponents_trick_is_refused(target: Target) -> None:
    header, claims = peek(target.access)
    size = 256
    for signature in (bytes(size), b"\x00" * (size - 1) + b"\x01", b"\xff" * size):
        assert_refused(target, compact(header, claims, lambda _, s=signature: s))  # type: ignore[misc]


# 11
@pytest.mark.parametrize(
    "typ", ["JWT", "jwt", "", None, "AT+JWT", "application/at+jwt", "id_token", "logout+jwt", "dpop+jwt", "at+jwt ", 1]
)
def test_a_token_of_another_type_is_no_access_token(es256: Target, typ: object) -> None:
    header, _ = peek(es256.access)
    assert_refused(es256, resigned(es256.access, es256.sign, header={**header, "typ": typ}))


def test_a_token_without_type_or_kid_is_refused(es256: Target) -> None:
    header, _ = peek(es256.access)
    for name in ("typ", "kid", "alg"):
        assert_refused(es256, resigned(es256.access, es256.sign, header={n: v for n, v in header.items() if n != name}))


def test_a_refresh_token_is_no_access_token(es256: Target) -> None:
    assert_refused(es256, es256.refresh)


def test_an_access_token_is_no_refresh_token(es256: Target) -> None:
    with wire.watched(es256.svc) as traffic:
        for line in ("POST /refresh", "POST /logout"):
            answer = es256.phone.call(line, {"refresh_token": es256.access})
            assert (answer.status == 204) if line == "POST /logout" else (refusal(answer) == (401, "invalid_grant"))
    assert traffic.calls == []
    assert accepted(es256, es256.access)


def test_the_refresh_tokens_secret_signs_no_access_token(es256: Target) -> None:
    secret = es256.svc.keys.read(es256.clock()).refresh[0].secret
    header, claims = peek(es256.access)
    for alg in ("HS256", "ES256"):
        assert_refused(es256, compact({**header, "alg": alg}, claims, by_hmac(secret)))
        assert_refused(es256, compact({**header, "alg": alg}, claims, lambda s: by_hmac(secret)(PURPOSE + s)))


@pytest.mark.parametrize("name", ["sub", "sid", "client_id", "scope", "jti", "iss", "aud", "iat", "exp"])
def test_a_token_that_lacks_a_claim_or_has_it_in_another_form_is_refused(es256: Target, name: str) -> None:
    values: list[object] = [None, 1.5, True, [], ["x"], {"a": 1}, {}]
    for value in values:
        assert_refused(es256, resigned(es256.access, es256.sign, **{name: value}))


def test_an_id_token_signed_with_our_key_is_no_access_token(es256: Target) -> None:
    now = es256.clock()
    _, claims = peek(es256.access)
    id_token_claims = {"iss", "sub", "aud", "exp", "iat", "auth_time", "amr", "acr"}
    id_token = {**{n: v for n, v in claims.items() if n in id_token_claims}, "nonce": "n", "exp": now + 3600}
    header, _ = peek(es256.access)
    assert_refused(es256, compact(header, id_token, es256.sign))
    assert_refused(es256, compact({**header, "typ": "JWT"}, id_token, es256.sign))


# 12
@pytest.mark.parametrize(
    "exp",
    [
        None,
        "1800000900",
        1800000900.0,
        1800000900.5,
        -1,
        0,
        True,
        253_402_300_799,  # the end of the year 9999
        2**63,
        10**400,
        [1800000900],
        {"$gt": 0},
        "never",
        "",
    ],
    ids=lambda exp: repr(exp)[:20],
)
def test_an_expiry_that_is_missing_odd_or_far_off_is_refused(es256: Target, exp: object) -> None:
    assert es256.clock() == 1_800_000_000
    assert_refused(es256, resigned(es256.access, es256.sign, exp=exp))


def test_no_token_is_good_for_longer_than_a_day_whoever_signed_it(es256: Target) -> None:
    day = 24 * 3600
    assert accepted(es256, resigned(es256.access, es256.sign, exp=es256.clock() + day))
    assert_refused(es256, resigned(es256.access, es256.sign, exp=es256.clock() + day + 1))


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e400", "1.8e9", "1800000900.0", "9" * 5000])
def test_an_expiry_that_is_no_plain_integer_is_refused(es256: Target, text: str) -> None:
    header, claims = peek(es256.access)
    payload = json.dumps({**claims, "exp": "EXP"}).replace('"EXP"', text)
    assert_refused(es256, compact(header, payload, es256.sign))


def test_a_token_is_good_until_the_second_of_its_expiry(es256: Target) -> None:
    _, claims = peek(es256.access)
    es256.clock.seconds = claims["exp"] - 1
    assert accepted(es256, es256.access)
    es256.clock.seconds = claims["exp"]
    assert_refused(es256, es256.access)


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_a_token_from_the_future_is_refused_beyond_a_minute_of_skew(es256: Target, name: str) -> None:
    now = es256.clock()
    assert accepted(es256, resigned(es256.access, es256.sign, **{name: now + 60}))
    for value in (now + 61, now + 3600, "soon", now + 0.5, [now], True):
        assert_refused(es256, resigned(es256.access, es256.sign, **{name: value}))


# 13
@pytest.mark.parametrize(
    "iss",
    [
        "https://id.exampl",
        "https://id.example/",
        "https://id.example.evil.example",
        "https://id.example@evil.example",
        "https://ID.example",
        "http://id.example",
        "id.example",
        "",
        "https://",
        ["https://id.example"],
        {"https://id.example": 1},
        None,
        " https://id.example",
    ],
    ids=repr,
)
def test_an_issuer_that_is_not_exactly_ours_is_refused(es256: Target, iss: object) -> None:
    assert_refused(es256, resigned(es256.access, es256.sign, iss=iss))


# 14
@pytest.mark.parametrize(
    "aud",
    [
        None,
        "",
        "https://other.example",
        "https://id.example/",
        "https://id.exampl",
        [],
        ["https://other.example"],
        ["https://other.example", "https://id.example/"],
        [["https://id.example"]],
        {"https://id.example": 1},
        "https://id.example https://other.example",
        True,
    ],
    ids=repr,
)
def test_an_audience_without_us_is_refused(es256: Target, aud: object) -> None:
    assert_refused(es256, resigned(es256.access, es256.sign, aud=aud))


def test_an_audience_of_several_with_us_among_them_is_taken(es256: Target) -> None:
    assert accepted(es256, resigned(es256.access, es256.sign, aud=["https://other.example", "https://id.example"]))


# 15
def test_a_token_of_a_megabyte_is_refused_before_it_is_read(es256: Target) -> None:
    header, _ = peek(es256.access)
    for token in (
        "A" * 1_000_000,
        "." * 1_000_000,
        resigned(es256.access, es256.sign, header={**header, "x": "x" * 1_000_000}),
        resigned(es256.access, es256.sign, x="x" * 1_000_000),
    ):
        assert refusal(es256.phone.call("GET /me", token=token)) == (401, "invalid_token")
        assert refusal(es256.phone.call("POST /verify", {"token": token})) == (413, "payload_too_large")


def test_deeply_nested_json_in_a_token_is_refused(es256: Target) -> None:
    header, claims = peek(es256.access)
    for nested in ("[" * 5000, "[" * 2900 + "]" * 2900, '{"a":' * 1100 + "1" + "}" * 1100):
        assert_refused(es256, f"{segment(nested)[:8000]}..")
        assert_refused(es256, compact(header, nested, es256.sign)[:8192])
        assert_refused(es256, compact(nested[:2000], claims, es256.sign))
    # Signed by ourselves and deeper than any reader goes: whatever it is, the two endpoints agree and neither fails.
    deep = json.dumps({**claims, "x": "X"}).replace('"X"', "[" * 2000 + "]" * 2000)
    token = compact(header, deep, es256.sign)
    assert len(token) <= 8192
    assert accepted(es256, token) in (True, False)


def test_the_longest_token_is_8192_characters(es256: Target) -> None:
    shortest = len(resigned(es256.access, es256.sign, x=""))
    longest = resigned(es256.access, es256.sign, x="x" * ((8192 - shortest) * 3 // 4))
    assert 8192 - 4 < len(longest) <= 8192
    assert accepted(es256, longest)
    too_long = resigned(es256.access, es256.sign, x="x" * ((8192 - shortest) * 3 // 4 + 4))
    assert len(too_long) > 8192
    assert refusal(es256.phone.call("GET /me", token=too_long)) == (401, "invalid_token")


@pytest.mark.parametrize(
    "payload", ["", "null", "[]", "1", '"text"', "true", "{", "{}", "\ufeff{}", '{"iss":"https://id.example"'], ids=repr
)
def test_a_payload_that_is_no_object_of_claims_is_refused(es256: Target, payload: str) -> None:
    header, _ = peek(es256.access)
    assert_refused(es256, compact(header, payload, es256.sign))


def test_a_payload_that_is_no_utf8_is_refused(es256: Target) -> None:
    header, _ = peek(es256.access)
    for raw in (b"\xff\xfe", b'{"iss":"\xff"}', '{"iss": 1}'.encode("utf-16")):
        signing_input = f"{segment(header)}.{b64(raw)}"
        assert_refused(es256, f"{signing_input}.{b64(es256.sign(signing_input.encode()))}")


@pytest.mark.parametrize("token", ["", " ", ".", "..", "...", "a.b.c", "\u00e9.\u00e9.\u00e9", "null", "undefined"])
def test_a_text_that_is_no_token_is_refused(es256: Target, token: str) -> None:
    assert refusal(es256.phone.call("GET /me", token=token)) == (401, "invalid_token")
    if token:
        assert es256.phone.call("POST /verify", {"token": token}).json() == {"active": False}


def test_keys_of_the_wrong_kind_do_not_stand_in_for_one_another(es256: Target) -> None:
    header, _ = peek(es256.access)
    strangers = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
        ed25519.Ed25519PrivateKey.generate(),
    )
    for stranger in strangers:
        assert_refused(es256, resigned(es256.access, by(stranger), header=header))
