"""What is small enough to be read at once stays so."""

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[1]
FILES = [path for room in ("chalicelib", "cli", "deploy", "local") for path in sorted((ROOT / room).rglob("*.py"))]
LONGEST_FUNCTION, USUAL_FUNCTION, LONGEST_MODULE = 40, 8, 250
Function = ast.FunctionDef | ast.AsyncFunctionDef
WithDocstring = ast.Module | ast.ClassDef | Function
NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


@cache
def documented(path: Path) -> list[WithDocstring]:
    """What a file has that can have a docstring."""
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, WithDocstring)]


def functions(path: Path) -> Iterator[Function]:
    return (node for node in documented(path) if isinstance(node, Function))


def length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def code_lines(path: Path) -> set[int]:
    """The lines that are neither blank, comment nor docstring."""
    source, prose = path.read_text(), set()
    for node in documented(path):
        if ast.get_docstring(node) is not None:
            prose |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    tokens = [each for each in tokenize.generate_tokens(io.StringIO(source).readline) if each.type not in NO_CODE]
    return {line for each in tokens for line in range(each.start[0], each.end[0] + 1)} - prose


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_function_and_no_module_is_too_long(path: Path) -> None:
    assert {f.name: length(f) for f in functions(path) if length(f) > LONGEST_FUNCTION} == {}
    assert len(code_lines(path)) < LONGEST_MODULE


def test_the_usual_function_is_a_few_lines() -> None:
    lengths = [length(function) for path in FILES for function in functions(path)]
    assert len(lengths) > 1000
    assert median(lengths) <= USUAL_FUNCTION
