"""The arrow that import-linter cannot check, since app.py is no package."""

import ast
from pathlib import Path

APP = Path(__file__).parents[1] / "app.py"


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
