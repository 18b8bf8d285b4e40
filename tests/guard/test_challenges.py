"""What a handler behind the guard answers where one of its operations needs more than its route."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib.guard import challenges

METADATA = "https://id.example/.well-known/oauth-protected-resource/notes"
CONTEXT = {"sub": "u", "scope": "mcp:read openid", "auth_time": "1800000000"}


def parameters(challenge: challenges.Challenge | None) -> dict[str, str]:
    assert challenge
    header = challenge.headers["WWW-Authenticate"]
    assert header.startswith("Bearer ")
    return dict(re.findall(r'([a-z_]+)="([^"\\]*)"', header))


def test_a_token_with_all_the_scopes_is_let_through() -> None:
    assert challenges.for_scopes(CONTEXT, "mcp:read") is None
    assert challenges.for_scopes(CONTEXT) is None


def test_one_without_is_told_what_to_ask_for_and_loses_nothing_by_it() -> None:
    """RFC 6750 section 3.1, and the MCP specification's step-up: the old scopes are in the challenge as well."""
    challenge = challenges.for_scopes(CONTEXT, "mcp:read", "mcp:write", resource_metadata=METADATA)
    assert challenge
    assert (challenge.status, challenge.body["error"]) == (403, "insufficient_scope")
    assert parameters(challenge) == {
        "error": "insufficient_scope",
        "error_description": "The access token does not carry the scope that this needs.",
        "scope": "mcp:read openid mcp:write",
        "resource_metadata": METADATA,
    }
    answer = challenge.as_proxy_answer()
    assert answer["statusCode"] == 403
    assert json.loads(str(answer["body"])) == challenge.body


@pytest.mark.parametrize("context", [{}, {"scope": ""}, {"scope": "mcp:writes mcp"}, {"scope": "xmcp:write"}])
def test_nothing_is_let_through_by_a_part_of_a_name_or_by_nothing(context: dict[str, str]) -> None:
    assert parameters(challenges.for_scopes(context, "mcp:write"))["error"] == "insufficient_scope"


def test_an_old_login_or_none_has_its_user_log_in_again() -> None:
    """RFC 9470 section 3."""
    at = {"max_age": 300, "acr_values": ("phr", "aal2")}
    assert challenges.for_login(CONTEXT, now=1_800_000_300, **at) is None  # type: ignore[arg-type]
    for context, now in ((CONTEXT, 1_800_000_301), ({}, 0), ({"auth_time": ""}, 0), ({"auth_time": "-1"}, 0)):
        challenge = challenges.for_login(context, now=now, **at)  # type: ignore[arg-type]
        assert challenge
        assert challenge.status == 401
        named = parameters(challenge)
        assert (named["error"], named["acr_values"], named["max_age"]) == (
            "insufficient_user_authentication",
            "phr aal2",
            "300",
        )


@pytest.mark.parametrize("hostile", ['x", error="none', "x\r\nSet-Cookie: a=b", "x\\", "é"])
def test_no_scope_ends_the_header_or_its_quotation(hostile: str) -> None:
    challenge = challenges.for_scopes({"scope": hostile}, "mcp:write")
    assert challenge
    header = challenge.headers["WWW-Authenticate"]
    assert re.fullmatch(r'Bearer error="[^"]*", error_description="[^"]*", scope="[ -!#-\[\]-~]*"', header)


def test_the_file_runs_by_itself(tmp_path: Path) -> None:
    copy = tmp_path / "challenges.py"
    copy.write_text(Path(challenges.__file__).read_text())
    program = "import challenges, sys; sys.exit(challenges.for_scopes({}, 'x').status != 403)"
    assert (
        subprocess.run(
            [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; {program}"], check=False
        ).returncode
        == 0
    )
