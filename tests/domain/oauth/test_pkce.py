"""PKCE verifiers; when a challenge is needed: test_authorization_request.py, tests/web/oauth/test_waivers.py."""

import hashlib

import pytest

from chalicelib.domain.oauth import pkce
from tests.support.forge import b64

# RFC 7636 appendix B.
VERIFIER, CHALLENGE = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(
    ("verifier", "expected"),
    [
        ("a" * 42, False),
        ("a" * 43, True),
        ("a" * 128, True),
        ("a" * 129, False),
        ("azAZ09-._~" * 5, True),
        ("a" * 42 + "!", False),
        ("a" * 42 + "é", False),
        ("a" * 43 + "\n", False),
    ],
)
def test_a_verifier_is_as_rfc_7636_has_it_and_answers_its_own_challenge_alone(verifier: str, expected: bool) -> None:
    assert pkce.verify_code_verifier(VERIFIER, CHALLENGE)
    assert pkce.verify_code_verifier(verifier, b64(hashlib.sha256(verifier.encode()).digest())) is expected
    assert not pkce.verify_code_verifier(verifier, CHALLENGE)
