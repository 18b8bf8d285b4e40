"""The arrows that import-linter cannot check: app.py is no package, and what a store hands out is opaque."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
APP = ROOT / "app.py"


def test_app_is_a_map_that_imports_chalice_and_the_doors_alone() -> None:
    imported = []
    for node in ast.walk(ast.parse(APP.read_text())):
        if isinstance(node, ast.ImportFrom):
            imported.append(node.module or "")
        elif isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
    assert imported
    assert [
        name for name in imported if not name.startswith(("chalice.app", "chalicelib.web", "chalicelib.guard"))
    ] == []


def test_what_a_store_has_to_write_is_opaque_to_whoever_commits_it() -> None:
    inside = {"parts", "_client", "TableName", "ExpressionAttributeValues", "ConditionExpression", "TransactItems"}
    above = [path for room in ("flows", "web") for path in (ROOT / "chalicelib" / room).rglob("*.py")]
    assert len(above) > 50
    for path in above:
        words = set()
        for node in ast.walk(ast.parse(path.read_text())):
            words |= {node.attr} if isinstance(node, ast.Attribute) else set()
            words |= {str(node.value)} if isinstance(node, ast.Constant) else set()
        assert words & inside == set(), path
