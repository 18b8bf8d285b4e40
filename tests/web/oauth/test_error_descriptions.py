"""What an error's description says: the thing that is wrong and the way out, and nothing that a stranger may not know."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.oauth.client import CLIENT_CREDENTIALS, DEVICE_CODE, REFRESH, TOKEN_EXCHANGE
from chalicelib.services import Services
from tests.support.browser import API, Browser, callback_params, register, send
from tests.support.phone import Phone

ROOT = Path(__file__).parents[3] / "chalicelib"
# Their defaults name nothing: whoever raises one says what is wrong.
VAGUE = {"UnauthorizedClient", "InvalidTarget", "InvalidRequest", "InvalidClientMetadata", "InvalidRedirectUri"}
# RFC 6749 section 5.2, less the quotation marks that it leaves out too.
PRINTABLE = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+")


def raised(tree: ast.AST) -> list[tuple[str, int]]:
    """The names of the vague errors that are made without a description, with their lines."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and not node.args]
    names = [
        (call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", ""), call.lineno)
        for call in calls
    ]
    return [(name, line) for name, line in names if name in VAGUE]


def test_no_error_that_names_nothing_is_raised_without_words_of_its_own() -> None:
    errors_by_file = {path.name: raised(ast.parse(path.read_text())) for path in sorted(ROOT.rglob("*.py"))}
    assert {name: errors for name, errors in errors_by_file.items() if errors} == {}
    assert raised(ast.parse("raise errors.UnauthorizedClient(reason='x')")) == [("UnauthorizedClient", 1)]


REQUESTS: dict[str, tuple[str, dict[str, Any], str, dict[str, str], str]] = {
    "a grant that is not the client's": (
        "web", {}, "/oauth/token", {"grant_type": CLIENT_CREDENTIALS}, f"grant_type {CLIENT_CREDENTIALS}: add it",
    ),
    "a device's": ("web", {}, "/oauth/device", {}, f"grant_type {DEVICE_CODE}: add it"),
    "a scope too many": (
        "machine", {}, "/oauth/token", {"grant_type": CLIENT_CREDENTIALS, "scope": "notes:read account"}, ": account.",
    ),
    "no scope of its own": (
        "machine", {"scopes": ("openid",)}, "/oauth/token", {"grant_type": CLIENT_CREDENTIALS}, "`scopes` need one",
    ),
    "an API that is not the client's": (
        "machine", {}, "/oauth/token", {"grant_type": CLIENT_CREDENTIALS, "resource": API}, "none of the client's `resources`",
    ),
    "a token without proof": (
        "machine", {"dpop_bound_access_tokens": True}, "/oauth/token", {"grant_type": CLIENT_CREDENTIALS}, "send a DPoP proof",
    ),
    "introspection": ("web", {}, "/oauth/introspect", {"token": "x"}, "sets `introspects`"),
    "a native login": ("web", {}, "/oauth/authorize-challenge", {}, "sets `first_party`"),
    "nothing to exchange": ("exchanger", {}, "/oauth/token", {"grant_type": TOKEN_EXCHANGE}, "`subject_token_type`"),
    "no refresh token": ("web", {}, "/oauth/token", {"grant_type": REFRESH}, "`refresh_token` is missing"),
    "an unknown grant": ("web", {}, "/oauth/token", {"grant_type": "password"}, "grant_types_supported"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "metadata", "path", "fields", "words"), REQUESTS.values(), ids=REQUESTS)
def test_a_description_names_the_thing_and_the_way_out(
    svc: Services, phone: Phone, kind: str, metadata: dict[str, Any], path: str, fields: dict[str, str], words: str
) -> None:
    description = register(svc, phone, kind, **metadata).post(path, fields).json()["error_description"]
    assert words in description
    assert PRINTABLE.fullmatch(description)


def test_a_client_without_the_grant_is_told_at_its_redirect_uri(svc: Services, phone: Phone, browser: Browser) -> None:
    app = register(svc, phone, grant_types=(REFRESH,))
    error = callback_params(browser.authorize(app))
    assert error["error"] == "unauthorized_client"
    assert "grant_type authorization_code" in error["error_description"]


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/par", "/oauth/introspect", "/oauth/revoke"])
def test_a_stranger_learns_nothing_of_a_client_by_its_errors(svc: Services, phone: Phone, path: str) -> None:
    # Neither whether an id is one, nor what it may do, nor how it authenticates.
    machine, web = (
        register(svc, phone, "machine"),
        register(svc, phone, "web", grant_types=(REFRESH,), redirect_uris=()),
    )
    form = {"grant_type": CLIENT_CREDENTIALS, "token": "x", "client_secret": "wrong"}
    answers = [
        send(phone, path, {**form, "client_id": client_id}).body
        for client_id in (machine.id, web.id, "nobody", "x" * 500)
    ]
    assert len(set(answers)) == 1
