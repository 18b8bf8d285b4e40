"""Byte code for what ships: without it every cold start compiles all sources (1.5 to 2.3 times the CPU)."""

import compileall
import inspect
import py_compile
import sys
from pathlib import Path

import chalice
import chalice.app

TAG = sys.implementation.cache_tag
# Where Lambda unpacks the zip; it shows in tracebacks.
TASK_ROOT = "/var/task"
# Chalice writes 1980 as every file's time into the zip, so a pyc that is checked by time would never be used.
UNCHECKED = py_compile.PycInvalidationMode.UNCHECKED_HASH


class CannotCompileError(Exception):
    """A file that ships is no Python of this version."""


def compile_tree(root: Path, *, shipped_as: str = "") -> None:
    """Compile each module below `root`, which becomes the folder `shipped_as` of the zip."""
    destination = f"{TASK_ROOT}/{shipped_as}".rstrip("/")
    done = compileall.compile_dir(
        root, quiet=1, force=True, stripdir=str(root), prependdir=destination, invalidation_mode=UNCHECKED
    )
    if not done:
        raise CannotCompileError(f"Some module below {root} does not compile under {TAG}.")


def compile_for_root(source: Path, *, root: Path, shipped_as: str) -> None:
    """Put the byte code of a file that Chalice itself adds to the zip below `root`, the zip's own root."""
    target = root / Path(shipped_as).parent / "__pycache__" / f"{source.stem}.{TAG}.pyc"
    target.parent.mkdir(parents=True, exist_ok=True)
    py_compile.compile(
        str(source),
        cfile=str(target),
        dfile=f"{TASK_ROOT}/{shipped_as}",
        doraise=True,
        invalidation_mode=UNCHECKED,
    )


def compile_chalice_into(root: Path) -> None:
    """Add the byte code of the two modules of Chalice that are in every package."""
    for module, name in ((chalice, "chalice/__init__.py"), (chalice.app, "chalice/app.py")):
        compile_for_root(Path(inspect.getfile(module)), root=root, shipped_as=name)
