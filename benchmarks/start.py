"""What a cold guard pays for imports, against the two libraries that it is made of; each in an interpreter of its own.

Ours is imported from a copy with its byte code beside it, for so it is packaged.
"""

import compileall
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode
from tempfile import TemporaryDirectory

from benchmarks.rounds import Comparison, of_pairs

ROUNDS = 41
PACKAGE = Path(__file__).parents[1] / "chalicelib"
PROGRAM = "import time; t = time.process_time(); import {}; print(time.process_time() - t)"
OURS, LIBRARIES = "chalicelib.guard.functions", "chalice.app, jwt"


def measure() -> Iterator[Comparison]:
    """Imports alone: the interpreter's own start is the same for both and is left out."""
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "chalicelib"
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(copy, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
        pairs = []
        for number in range(ROUNDS):
            order = (OURS, LIBRARIES) if number % 2 else (LIBRARIES, OURS)
            seconds = {names: _import_cpu(names, folder) for names in order}
            pairs.append((seconds[OURS], seconds[LIBRARIES]))
    yield of_pairs("import the guard", pairs, at_most=1.08, unit="ms", scale=1e3)


def _import_cpu(names: str, folder: str) -> float:
    run = [sys.executable, "-c", PROGRAM.format(names)]
    return float(subprocess.run(run, cwd=folder, capture_output=True, check=True, text=True).stdout)
