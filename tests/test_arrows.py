"""The arrows that import-linter cannot check: app.py is no package, and what a store hands out is opaque."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
APP = ROOT / "app.py"


def test_app_is_a_map_that_imports_chalice_and_the_endpoints_alone() -> None:
    imported = []
    for node in ast.walk(ast.parse(APP.read_text())):
        if isinstance(node, ast.ImportFrom):
            imported.append(node.module or "")
        elif isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
    assert imported
    imported.remove("gc")  # which rests meanwhile
    assert [
        name for name in imported if not name.startswith(("chalice.app", "chalicelib.web", "chalicelib.guard"))
    ] == []


def test_whose_network_it_is_has_to_be_said() -> None:
    # One that is left out would be everybody's: counted together, and forgotten where a limit matters.
    for path in (ROOT / "chalicelib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.arguments):
                named = [*node.posonlyargs, *node.args][-len(node.defaults) :] if node.defaults else []
                named += [each for each, default in zip(node.kwonlyargs, node.kw_defaults, strict=True) if default]
                assert "network" not in [each.arg for each in named], path


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


# What declares one of a list, by the name at the top of its file. The list itself is at the top of its room.
KINDS = {
    "flows/oauth/grants": "GRANT_TYPE",
    "flows/authentication/factors": "FACTOR",
    "web/api": "api",
    "web/oauth": "api",
    "web/pages": "api",
}


@pytest.mark.parametrize(("room", "declaration"), KINDS.items(), ids=list(KINDS))
def test_one_of_a_list_imports_no_other_so_that_each_can_be_taken_out(room: str, declaration: str) -> None:
    trees = {file.stem: ast.parse(file.read_text()) for file in (ROOT / "chalicelib" / room).glob("*.py")}
    members = {name for name, tree in trees.items() if declaration in _assigned(tree)}
    assert members
    assert {(name, other) for name in members for other in _siblings(trees[name]) & members} == set()


def _assigned(tree: ast.Module) -> set[str]:
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _siblings(tree: ast.Module) -> set[str]:
    """The modules of the same room that a module imports."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 1]
    return {name for node in imports for name in ([node.module] if node.module else [each.name for each in node.names])}
