"""Which claims open to whom, and the half hashes of an id_token."""

import hashlib
from typing import Any

import pytest

from chalicelib.domain.accounts.model import User
from chalicelib.domain.oauth.claims import half_hash, of_user
from tests.support.forge import b64

ANN = User(uid="1", email="ann@example.com", password_hash="$", created_at=0, name="Ann", roles=("admin",))


@pytest.mark.parametrize(
    ("scope", "claims", "expected"),
    [
        ((), (), {}),
        (("openid", "phone"), (), {}),
        (("profile",), (), {"name": "Ann"}),
        (("email",), (), {"email": "ann@example.com", "email_verified": False}),
        (("openid",), ("email",), {"email": "ann@example.com"}),
        (("profile",), ("email_verified",), {"name": "Ann", "email_verified": False}),
        (("groups",), (), {"groups": ["admin"], "roles": ["admin"]}),
        (("openid",), ("groups",), {"groups": ["admin"]}),
        ((), ("password_hash", "uid", "disabled"), {}),
    ],
)
def test_a_claim_is_opened_by_its_scope_or_by_a_wish_for_it(
    scope: tuple[str, ...], claims: tuple[str, ...], expected: dict[str, Any]
) -> None:
    assert of_user(ANN, scope=scope, claims=claims) == expected


def test_what_a_user_has_not_said_is_left_out() -> None:
    nameless = User(uid="1", email="ann@example.com", password_hash="$", created_at=0, email_verified=True)
    assert of_user(nameless, scope=("profile", "email", "groups")) == {
        "email": "ann@example.com",
        "email_verified": True,
    }


def test_a_half_hash_is_as_openid_connect_has_it() -> None:
    # The code and its c_hash of OpenID Connect Core appendix A.4.
    text, expected = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk", "LDktKdoQak3Pk0cnXxCltA"
    assert half_hash(text, algorithm="RS256") == half_hash(text, algorithm="ES256") == expected
    # RFC 8032: Ed25519 signs over SHA-512.
    assert half_hash(text, algorithm="EdDSA") == b64(hashlib.sha512(text.encode()).digest()[:32])
