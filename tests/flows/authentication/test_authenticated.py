"""That a user has proved who they are is for the rooms of authentication to say, and for nobody else."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3] / "chalicelib"
ROOMS = {Path("domain/authentication"), Path("flows/authentication")}


def test_nothing_else_makes_an_authenticated_user() -> None:
    makers = set()
    for file in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            called = node.func if isinstance(node, ast.Call) else None
            name = (
                called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
            )
            if name == "Authenticated":
                makers.add(file.relative_to(ROOT).parent)
    assert makers == ROOMS
