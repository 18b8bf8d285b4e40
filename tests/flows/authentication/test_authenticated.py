"""That a user has proved who they are is for the rooms of authentication to say, and for nobody else."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3] / "chalicelib"


@cache
def files() -> dict[Path, list[ast.AST]]:
    """All that ships, as it is parsed."""
    return {path: list(ast.walk(ast.parse(path.read_text()))) for path in ROOT.rglob("*.py")}


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """The calls in a file, by the last name of what is called."""
    for node in files()[path]:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield node.func.id if isinstance(node.func, ast.Name) else node.func.attr, node


def callers(name: str, *, keyword: str = "") -> set[str]:
    """The files in which something is called, if one is named with a keyword."""
    return {
        str(path.relative_to(ROOT))
        for path in files()
        for called, node in calls(path)
        if called == name and (not keyword or keyword in [each.arg for each in node.keywords])
    }


def test_nothing_else_makes_an_authenticated_user() -> None:
    assert callers("Authenticated") == {"domain/authentication/model.py", "flows/authentication/login.py"}
    # A session's login, for what its user begins inside it: a code, and what a device waits for.
    assert callers("of_session") == {"flows/oauth/authorize.py", "flows/oauth/device.py"}


def test_a_session_is_made_at_its_beginning_alone_or_read() -> None:
    made = callers("Session") - {"web/api/sessions.py"}  # what the device list shows of one
    assert made == {"flows/sessions/begin.py", "store/session_items.py"}


def test_what_a_login_was_is_put_into_a_session_where_it_begins() -> None:
    # What a device waits for is what its user's session was when they agreed.
    assert callers("replace", keyword="amr") == {"flows/sessions/begin.py", "flows/oauth/device.py"}
    assert callers("replace", keyword="auth_time") == {"flows/sessions/begin.py", "flows/oauth/device.py"}


def test_what_begins_without_a_login_is_known() -> None:
    begun = {
        "flows/accounts/guests.py",  # who have nothing to log in with
        *("flows/oauth/grants/jwt_bearer.py", "flows/sessions/begin.py", "flows/sessions/browser.py"),
    }
    assert callers("draft_without_login") == begun


def test_the_level_of_a_login_is_derived_and_no_flow_writes_it() -> None:
    writers = {
        str(path.relative_to(ROOT))
        for path, nodes in files().items()
        for node in nodes
        if (isinstance(node, ast.keyword) and node.arg == "acr")
        or (isinstance(node, ast.Dict) and "acr" in [k.value for k in node.keys if isinstance(k, ast.Constant)])
    }
    # The guard hands on what a token says.
    assert writers == {"domain/oauth/claims.py", "guard/events.py"}
