import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from chalicelib.domain.crypto.keyset import HandleKey, KeySet, SigningKey, State, generate, signing_key, thumbprint
from tests.support import forge

# RFC 7638 section 3.1, RFC 8037 appendix A.3.
RFC_7638_N = (
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-"
    "5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNL"
    "yrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
)
RFC_8037_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"kty": "RSA", "n": RFC_7638_N, "e": "AQAB"}, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        ({"x": RFC_8037_X, "kty": "OKP", "crv": "Ed25519"}, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
    ],
)
def test_a_thumbprint_is_as_in_the_rfcs_whatever_the_members_order(members: dict[str, str], expected: str) -> None:
    assert thumbprint(members) == expected


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_keys_public_half_is_told_as_the_rfcs_have_it_and_no_more(algorithm: str) -> None:
    pem = generate(algorithm)
    private = load_pem_private_key(pem.encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey)
    members = forge.jwk(private)
    key = signing_key(number=3, algorithm=algorithm, active_at=7, pem=pem)
    assert (key.number, key.algorithm, key.active_at) == (3, algorithm, 7)
    assert key.jwk == {**members, "use": "sig", "alg": algorithm, "kid": thumbprint(members)}
    assert key.kid == thumbprint(members)


def test_keys_are_of_the_size_that_the_rfcs_ask_for() -> None:
    private = load_pem_private_key(generate("RS256").encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    assert (private.key_size, private.public_key().public_numbers().e) == (2048, 65537)


def test_no_key_is_made_for_another_algorithm() -> None:
    with pytest.raises(ValueError):
        generate("HS256")


@pytest.mark.parametrize("stranger", [x25519.X25519PrivateKey.generate(), ed448.Ed448PrivateKey.generate()])
def test_a_key_that_signs_nothing_of_ours_is_not_taken(
    stranger: x25519.X25519PrivateKey | ed448.Ed448PrivateKey,
) -> None:
    pem = stranger.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(ValueError):
        signing_key(number=1, algorithm="EdDSA", active_at=0, pem=pem)


def key(number: int, active_at: int) -> SigningKey:
    return signing_key(number=number, algorithm="EdDSA", active_at=active_at, pem=generate("EdDSA"))


FIRST, SECOND, THIRD = key(1, 1000), key(2, 5000), key(4, 8000)
SET = KeySet(
    (FIRST, SECOND, THIRD),
    (HandleKey(number=1, active_at=1000, secret=b"1"), HandleKey(number=2, active_at=5000, secret=b"2")),
    token_life=900,
)


@pytest.mark.parametrize(
    ("now", "states"),
    [
        (999, "next next next"),
        (1000, "active next next"),
        (4999, "active next next"),
        (5000, "retiring active next"),
        (5899, "retiring active next"),  # the first key's last token was signed at 4999, and is good until 5899
        (5900, "spent active next"),
        (7999, "spent active next"),
        (8000, "spent retiring active"),
        (8900, "spent spent active"),
        (10**10, "spent spent active"),
    ],
)
def test_a_keys_state_is_a_matter_of_the_clock(now: int, states: str) -> None:
    actual = [SET.state(key, now) for key in SET.signing]
    assert actual == [State(name) for name in states.split()]


@pytest.mark.parametrize(
    ("now", "signer", "published"),
    [
        (0, FIRST, [FIRST, SECOND, THIRD]),
        (4999, FIRST, [FIRST, SECOND, THIRD]),
        (5000, SECOND, [FIRST, SECOND, THIRD]),
        (5900, SECOND, [SECOND, THIRD]),
        (8000, THIRD, [SECOND, THIRD]),
        (8900, THIRD, [THIRD]),
    ],
)
def test_the_active_key_signs_and_all_but_spent_ones_are_published(
    now: int, signer: SigningKey, published: list[SigningKey]
) -> None:
    assert SET.signer(now) is signer
    assert SET.published(now) == tuple(published)


def test_at_every_moment_the_keys_of_all_tokens_in_force_are_published() -> None:
    for now in range(900, 10_000, 7):
        for signed_at in range(max(1000, now - 899), now + 1, 50):
            assert SET.signer(signed_at) in SET.published(now)


@pytest.mark.parametrize(("now", "number"), [(0, 1), (4999, 1), (5000, 2)])
def test_the_newest_active_refresh_key_makes_tokens_and_all_verify(now: int, number: int) -> None:
    assert SET.handle_key(now).number == number
    assert SET.handle_secrets() == {1: b"1", 2: b"2"}


def test_a_set_is_complete_with_a_key_of_each_kind() -> None:
    signing, refresh = SET.signing, SET.refresh
    assert not SET.complete
    assert KeySet(signing, refresh, token_life=900, pairwise=b"1").complete
    assert not KeySet((), refresh, token_life=900, pairwise=b"1").complete
    assert not KeySet(signing, (), token_life=900, pairwise=b"1").complete
