"""Access tokens against another implementation, of the RFCs and `cryptography` alone; attacks: web/api/test_token_attacks.py."""

import json
from functools import cache
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from chalicelib.domain.crypto.keyset import SigningKey, generate, signing_key
from chalicelib.domain.errors import InvalidToken
from chalicelib.domain.oauth.tokens import ACCESS_TOKEN, Verifier, sign, verify_id_token
from tests.support import forge

NOW = 1_800_000_000
CLAIMS: dict[str, Any] = {
    "iss": "https://id.example",
    "sub": "ann",
    "aud": "https://api.example",
    "exp": NOW + 900,
    "iat": NOW,
    "jti": "1",
    "client_id": "app",
    "scope": "notes:read notes:write",
    "sid": "s1",
}
ALGORITHMS = ("RS256", "ES256", "EdDSA")
every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)


@cache
def key_of(algorithm: str) -> SigningKey:
    """Made once, and an RSA key not where this file is imported: it takes long."""
    return signing_key(number=1, algorithm=algorithm, active_at=0, pem=generate(algorithm))


def every_key() -> list[dict[str, str]]:
    return [dict(key_of(algorithm).jwk) for algorithm in ALGORITHMS]


def verifier(audience: str | None = "https://api.example") -> Verifier:
    return Verifier(every_key(), issuer="https://id.example", audience=audience)


def checked_by_hand(token: str, jwk: dict[str, str]) -> None:
    """RFC 7515 section 5.2 with the public key in the JWK; raises InvalidSignature."""
    signing_input, _, signature = token.rpartition(".")
    raw = forge.unb64(signature)
    number = {name: int.from_bytes(forge.unb64(jwk[name])) for name in ("n", "e", "x", "y") if name in jwk}
    if jwk["alg"] == "RS256":
        rsa.RSAPublicNumbers(number["e"], number["n"]).public_key().verify(
            raw, signing_input.encode(), padding.PKCS1v15(), hashes.SHA256()
        )
    elif jwk["alg"] == "ES256":
        der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        public = ec.EllipticCurvePublicNumbers(number["x"], number["y"], ec.SECP256R1()).public_key()
        public.verify(der, signing_input.encode(), ec.ECDSA(hashes.SHA256()))
    else:
        ed25519.Ed25519PublicKey.from_public_bytes(forge.unb64(jwk["x"])).verify(raw, signing_input.encode())


@every_algorithm
def test_a_token_is_made_as_rfc_9068_has_it(algorithm: str) -> None:
    key = key_of(algorithm)
    header, claims = forge.peek(sign(CLAIMS, key, typ=ACCESS_TOKEN))
    assert header == {"typ": "at+jwt", "alg": key.algorithm, "kid": key.kid}
    assert claims == CLAIMS


@every_algorithm
def test_another_implementation_verifies_our_tokens(algorithm: str) -> None:
    key = key_of(algorithm)
    token = sign(CLAIMS, key, typ=ACCESS_TOKEN)
    checked_by_hand(token, dict(key.jwk))
    with pytest.raises(InvalidSignature):
        checked_by_hand(token.replace(".", ".A", 1), dict(key.jwk))


@every_algorithm
def test_we_verify_the_tokens_of_another_implementation(algorithm: str) -> None:
    key = key_of(algorithm)
    header = {"alg": key.algorithm, "kid": key.kid, "typ": "at+jwt"}
    claims = verifier().verify(forge.compact(header, CLAIMS, forge.by(key.private)), now=NOW)
    assert (claims.sub, claims.sid, claims.client_id, claims.exp) == ("ann", "s1", "app", NOW + 900)
    assert claims.scope == ("notes:read", "notes:write")
    assert claims.all == CLAIMS


def judged(now: int = NOW, *, by: Verifier | None = None, **changes: Any) -> str:
    """What is wrong with a token that differs in some claims (None: lacks them), "" if nothing is."""
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    try:
        (by or verifier()).verify(sign(claims, key_of("EdDSA"), typ=ACCESS_TOKEN), now=now)
    except InvalidToken as refusal:
        return refusal.reason
    return ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"iss": "https://id.example/"}, "issuer"),
        ({"iss": "https://id.example.evil"}, "issuer"),
        ({"iss": None}, "issuer"),
        ({"aud": "https://id.example"}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": []}, "audience"),
        ({"aud": ["https://other.example"]}, "audience"),
        ({"aud": ["https://other.example", "https://api.example"]}, ""),
        ({"exp": None}, "expired"),
        ({"exp": str(NOW + 900)}, "expired"),
        ({"exp": NOW + 900.5}, "expired"),
        ({"exp": True}, "expired"),
        ({"exp": NOW}, "expired"),
        ({"exp": NOW + 1}, ""),
        ({"exp": NOW + 24 * 3600}, ""),
        ({"exp": NOW + 24 * 3600 + 1}, "expired"),  # none of ours lives longer than a day
        ({"iat": None}, "not yet valid"),
        ({"iat": NOW + 60}, ""),  # clocks may differ by a minute
        ({"iat": NOW + 61}, "not yet valid"),
        ({"nbf": NOW + 60}, ""),
        ({"nbf": NOW + 61}, "not yet valid"),
        ({"nbf": "soon"}, "not yet valid"),
        *[({name: None}, "claims") for name in ("sub", "sid", "client_id", "scope", "jti")],
        *[({name: 7}, "claims") for name in ("sid", "client_id", "scope", "jti")],
        ({"scope": ["notes:read"]}, "claims"),
        ({"sid": ""}, "claims"),
        ({"sub": "app", "sid": None}, ""),  # a client that acts for itself
        ({"sub": "app", "sid": ""}, "claims"),
        ({"scope": ""}, ""),
    ],
)
def test_each_claim_is_checked(changes: dict[str, Any], reason: str) -> None:
    assert judged(**changes) == reason


@pytest.mark.parametrize(("now", "reason"), [(NOW - 61, "not yet valid"), (NOW + 899, ""), (NOW + 900, "expired")])
def test_a_token_is_good_from_its_issue_until_the_second_before_it_expires(now: int, reason: str) -> None:
    assert judged(now) == reason


@pytest.mark.parametrize(("length", "reason"), [(8192, "signature"), (8193, "too long")])
def test_a_text_of_more_than_8_kibibytes_is_not_even_decoded(length: int, reason: str) -> None:
    with pytest.raises(InvalidToken) as refusal:
        verifier().verify(
            sign(CLAIMS, key_of("ES256"), typ=ACCESS_TOKEN).rpartition(".")[0].ljust(length, "."), now=NOW
        )
    assert refusal.value.reason == reason


def test_no_verifier_is_made_with_a_shared_secret_or_another_kind_of_key() -> None:
    shared = {"kty": "oct", "k": forge.b64(bytes(32)), "alg": "HS256", "kid": "1"}
    for jwk in (shared, {**key_of("RS256").jwk, "alg": "RS512"}):
        with pytest.raises(ValueError):
            Verifier([jwk], issuer="https://id.example", audience=None)


def test_a_key_verifies_only_under_its_own_kid() -> None:
    assert verifier().knows(sign(CLAIMS, key_of("ES256"), typ=ACCESS_TOKEN))
    forged = forge.compact(
        {"alg": "ES256", "kid": key_of("RS256").kid, "typ": "at+jwt"}, CLAIMS, forge.by(key_of("ES256").private)
    )
    assert not verifier().knows(forged)
    with pytest.raises(InvalidToken):
        verifier().verify(forged, now=NOW)


def test_a_header_in_another_order_is_not_ours() -> None:
    key = key_of("ES256")
    header = json.dumps({"typ": "at+jwt", "alg": "ES256", "kid": key.kid}, separators=(",", ":"))
    with pytest.raises(InvalidToken):
        verifier().verify(forge.compact(header, CLAIMS, forge.by(key.private)), now=NOW)


@pytest.mark.parametrize(
    ("aud", "reason"),
    [
        ("https://other.example", ""),
        (["https://other.example"], ""),
        (None, "audience"),
        (7, "audience"),
        ({}, "audience"),
    ],
)
def test_a_verifier_for_no_audience_of_its_own_takes_a_token_for_any(aud: object, reason: str) -> None:
    assert judged(by=verifier(None), aud=aud) == reason


ID_CLAIMS = {"iss": "https://id.example", "sub": "ann", "aud": "app", "exp": 1, "iat": 0}


@every_algorithm
def test_an_id_token_of_ours_is_known_again_however_old(algorithm: str) -> None:
    key = key_of(algorithm)
    token = sign(ID_CLAIMS, key, typ="JWT")
    assert forge.peek(token)[0] == {"typ": "JWT", "alg": key.algorithm, "kid": key.kid}
    assert verify_id_token(token, every_key(), issuer="https://id.example") == ID_CLAIMS


HEADER = {"alg": "ES256", "kid": key_of("ES256").kid, "typ": "JWT"}


@pytest.mark.parametrize(
    "text",
    [
        sign({**ID_CLAIMS, "iss": "https://other.example"}, key_of("ES256"), typ="JWT"),
        sign(ID_CLAIMS, key_of("ES256"), typ=ACCESS_TOKEN),  # an access token
        forge.compact(HEADER, ID_CLAIMS, forge.by(forge.stranger("ES256"))),
        f"{forge.segment(HEADER)}.\ud800.AAAA",
        f"{forge.segment(HEADER)}",
        "",
    ],
)
def test_no_other_text_passes_for_an_id_token_of_ours(text: str) -> None:
    assert verify_id_token(text, every_key(), issuer="https://id.example") is None
