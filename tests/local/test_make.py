"""The Makefile, where it has to say what is in its way."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.stages import PROJECT


@pytest.mark.parametrize(
    ("version", "python"),
    [((3, 9, 2), "python3.9"), ((3, 10, 0), "python3.10"), ((3, 14, 0), "python3.14"), (None, "python3.8")],
)
def test_an_unfit_python_is_told_in_one_line_and_nothing_is_made(
    tmp_path: Path, version: tuple[int, ...] | None, python: str
) -> None:
    for file in (*PROJECT.glob("requirements*.txt"), PROJECT / "Makefile"):
        shutil.copy(file, tmp_path)
    if version is not None:  # a real one, that says it is another
        pretend = f"import sys; sys.version_info = {version}; exec(sys.argv[2])"
        (tmp_path / python).write_text(f'#!/bin/sh\nexec {sys.executable} -c "{pretend}" "$@"\n')
        (tmp_path / python).chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    ended = subprocess.run(
        ["make", "serve", f"PYTHON={python}"],  # noqa: S607
        cwd=tmp_path,
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    message, *_ = ended.stderr.splitlines()
    assert message == f"Python 3.11, 3.12 or 3.13 is needed and {python} is none of them; name one with PYTHON=..."
    assert (ended.returncode, ended.stdout) == (2, "")
    assert not (tmp_path / ".venv").exists()
