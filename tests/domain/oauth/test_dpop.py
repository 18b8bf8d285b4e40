"""What a DPoP proof may be like at its edges; each check of RFC 9449 section 4.3 at the endpoint: web/oauth/test_dpop.py."""

import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from chalicelib.domain.errors import InvalidDpopProof
from chalicelib.domain.oauth import dpop
from tests.support.forge import b64, by, compact, jwk, stranger

NOW = 1_800_000_000
URL = "https://id.example/oauth/token"
KEY = stranger("ES256")
HEADER = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk(KEY)}
CLAIMS = {"htm": "POST", "htu": URL, "iat": NOW, "jti": "1"}


def good(claims: object = CLAIMS, *, header: object = HEADER, url: str = URL) -> bool:
    return accepts(compact(header, claims, by(KEY)), url=url)


def accepts(proof: str, *, url: str = URL, now: int | None = NOW) -> bool:
    try:
        dpop.verify(proof, method="POST", url=url, now=now)
    except InvalidDpopProof:
        return False
    return True


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"iat": NOW - 60}, True),
        ({"iat": NOW + 60}, True),
        ({"iat": NOW - 61}, False),
        ({"iat": NOW + 61}, False),
        ({"jti": "x" * 256}, True),
        ({"jti": "x" * 257}, False),
        ({"jti": ""}, False),
        ({"jti": ["1"]}, False),
        ({"nonce": "1"}, True),
        ({"nonce": ["1"]}, False),
    ],
)
def test_time_and_jti_are_taken_up_to_their_bounds(changes: dict[str, Any], expected: bool) -> None:
    assert good({**CLAIMS, **changes}) is expected


@pytest.mark.parametrize(
    ("iat", "expected"),
    [
        (0, True),
        (-1, True),
        (NOW + 10**9, True),
        (NOW + 0.5, True),
        ("0", False),
        (None, False),
        (True, False),
        ([], False),
    ],
)
def test_whoever_goes_by_a_nonce_asks_for_a_time_but_not_for_the_right_one(iat: object, expected: bool) -> None:
    assert accepts(compact(HEADER, {**CLAIMS, "iat": iat}, by(KEY)), now=None) is expected


@pytest.mark.parametrize(("changes", "nonce"), [({}, ""), ({"nonce": "n"}, "n")])
def test_a_proof_is_told_from_others_by_its_key_its_jti_and_its_nonce(changes: dict[str, Any], nonce: str) -> None:
    proof = compact(HEADER, {**CLAIMS, **changes}, by(KEY))
    text = json.dumps(jwk(KEY), sort_keys=True, separators=(",", ":"))  # RFC 7638
    expected = dpop.Proof(b64(hashlib.sha256(text.encode()).digest()), "1", nonce, "ES256")
    assert dpop.verify(proof, method="POST", url=URL, now=NOW) == expected


@pytest.mark.parametrize("claims", [[], ["htm"], "text", 7, True, None])
def test_a_proof_that_says_no_claims_is_refused(claims: object) -> None:
    assert not good("null" if claims is None else claims)


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])  # RFC 7518 sections 6.2 to 6.4
def test_no_private_member_of_any_kind_of_key_is_taken(member: str) -> None:
    assert isinstance(KEY, ec.EllipticCurvePrivateKey)
    private = b64(KEY.private_numbers().private_value.to_bytes(32))  # one that fits, or the library would refuse it
    assert not good(header={**HEADER, "jwk": {**jwk(KEY), member: private}})


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("other", [None, 1, ["AQAB"], {}])
def test_every_required_member_of_a_key_is_a_text(algorithm: str, other: object) -> None:
    key = stranger(algorithm)
    for member in jwk(key):
        header = {"typ": "dpop+jwt", "alg": algorithm, "jwk": {**jwk(key), member: other}}
        assert not accepts(compact(header, CLAIMS, by(key)))


@pytest.mark.parametrize(
    ("url", "htu", "expected"),
    [
        ("https://id.example/a", "https://id.example:443/a", True),
        ("https://id.example:443/a", "https://id.example/a", True),
        ("http://id.example/a", "http://id.example:80/a", True),
        ("http://id.example/a", "http://id.example:443/a", False),
        ("https://id.example/a", "https://id.example:80/a", False),
        ("https://id.example/a", "http://id.example:443/a", False),
        ("https://id.example/a", "https://other.example/a", False),
        ("https://id.example:8443/a", "https://id.example:8443/a", True),
        ("https://id.example:8443/a", "https://id.example/a", False),
        ("https://id.example", "https://id.example/", True),
        ("https://id.example/", "https://id.example", True),
        ("https://id.example/a", "https://id.example", False),
        ("https://id.example/a", "https://id.example:x/a", False),
        ("https://id.example/a", "https://id.example:65536/a", False),
    ],
)
def test_two_spellings_of_one_address_are_the_same_and_no_others(url: str, htu: str, expected: bool) -> None:
    # RFC 3986 section 6.2.3: a scheme's own port, and an empty path.
    assert good({**CLAIMS, "htu": htu}, url=url) is expected


def of_length(length: int) -> str:
    # Base64 without padding has no texts of some lengths: a longer header makes up for it.
    for header in (HEADER, {**HEADER, "z": "x"}):
        for filler in range(5600, 5900):
            proof = compact(header, {**CLAIMS, "z": "x" * filler}, by(KEY))
            if len(proof) == length:
                return proof
    raise AssertionError(length)


def test_a_proof_of_more_than_8_kibibytes_is_not_looked_at() -> None:
    assert accepts(of_length(8192))
    assert not accepts(of_length(8193))
