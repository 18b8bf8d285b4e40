"""What a variable, a parameter or a function must not be called: a participle that leaves out what the thing is."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WITHOUT_A_NOUN = frozenset(
    {
        "told",
        "asked",
        "shown",
        "proved",
        "found",
        "taken",
        "wished",
        "hinted",
        "heard",
        "wanted",
        "had",
        "opened",
        "given",
        "chosen",
    }
)
MAYBE = re.compile(rf"(?<![^\W_])({'|'.join(sorted(WITHOUT_A_NOUN))})(?![^\W_])", re.IGNORECASE)
LISTED = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
FOLDERS = ("chalicelib", "cli", "deploy", "local", "benchmarks", "tests", "examples")


def names(tree: ast.AST) -> Iterator[str]:
    """All names that a file gives to something of its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_name_says_what_the_thing_is(folder: str) -> None:
    files = [ROOT / line for line in LISTED.stdout.splitlines() if line.startswith(f"{folder}/")]
    assert files
    files = [file for file in files if MAYBE.search(file.read_text())]  # reading a file is quick, parsing it is not
    bare = {
        (str(file.relative_to(ROOT)), name)
        for file in files
        for name in names(ast.parse(file.read_text()))
        if name.strip("_").lower() in WITHOUT_A_NOUN
    }
    assert bare == set()
