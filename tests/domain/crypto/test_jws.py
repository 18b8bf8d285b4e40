"""Signatures by keys that are not ours."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, padding, rsa

from chalicelib.domain.crypto import jws
from tests.support.forge import b64, by, compact, jwk, stranger

ED = stranger("EdDSA")


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    """Made once, and not where this file is imported: it takes long."""
    key = stranger("RS256")
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("alg_member", [{}, {"alg": "EdDSA"}, {"alg": "Ed25519"}])
def test_either_name_of_the_edwards_curve_signature_is_understood(alg: str, alg_member: dict[str, str]) -> None:
    assert jws.verify(compact({"alg": alg}, {"a": 1}, by(ED)), {**jwk(ED), **alg_member}) == {"a": 1}


@pytest.mark.parametrize("alg", ["RS256", "ES256", "none", "HS256", "Ed448", "eddsa", None, 1, []])
def test_a_key_signs_by_no_algorithm_of_another_kind(alg: object) -> None:
    with pytest.raises(ValueError, match=r"algorithm|signature"):
        jws.verify(compact({"alg": alg}, {}, by(ED)), jwk(ED))


def test_an_rsa_key_signs_with_either_padding_but_with_the_one_that_it_names(rsa_key: rsa.RSAPrivateKey) -> None:
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)  # RFC 7518 section 3.5
    token = compact({"alg": "PS256"}, {}, lambda signing_input: rsa_key.sign(signing_input, pss, hashes.SHA256()))
    for alg_member in ({}, {"alg": "PS256"}):
        assert jws.verify(token, {**jwk(rsa_key), **alg_member}) == {}
    with pytest.raises(ValueError, match="algorithm of the key"):
        jws.verify(token, {**jwk(rsa_key), "alg": "RS256"})


def test_a_key_that_names_its_algorithm_signs_by_no_other(rsa_key: rsa.RSAPrivateKey) -> None:
    token = compact({"alg": "RS256"}, {}, by(rsa_key))
    assert jws.verify(token, {**jwk(rsa_key), "alg": "RS256"}) == {}
    with pytest.raises(ValueError, match="algorithm of the key"):
        jws.verify(token, {**jwk(rsa_key), "alg": "PS256"})


def test_another_edwards_curve_is_not_taken_for_this_one() -> None:
    key = ed448.Ed448PrivateKey.generate()
    public = {"kty": "OKP", "crv": "Ed448", "x": b64(key.public_key().public_bytes_raw())}
    for alg in ("EdDSA", "Ed25519"):
        with pytest.raises(ValueError, match="algorithm"):
            jws.verify(compact({"alg": alg}, {}, key.sign), public)


def test_another_curve_is_not_taken_for_the_one_that_es256_means() -> None:
    numbers = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
    public = {"kty": "EC", "crv": "P-384", "x": b64(numbers.x.to_bytes(48)), "y": b64(numbers.y.to_bytes(48))}
    with pytest.raises(ValueError, match="signature or key"):
        jws.verify(compact({"alg": "ES256"}, {}, by(stranger("ES256"))), public)


def test_a_strangers_signature_is_refused() -> None:
    with pytest.raises(ValueError, match="signature or key"):
        jws.verify(compact({"alg": "Ed25519"}, {}, by(stranger("EdDSA"))), jwk(ED))


def test_a_short_key_signs_nothing_here() -> None:
    for size, accepted in ((1024, False), (2048, True)):
        key = rsa.generate_private_key(public_exponent=65537, key_size=size)
        token = compact({"alg": "RS256"}, {"a": 1}, by(key))
        if accepted:
            assert jws.verify(token, jwk(key)) == {"a": 1}
        else:
            with pytest.raises(ValueError, match="signature or key"):
                jws.verify(token, jwk(key))
